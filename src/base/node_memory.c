#include "base/node_memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 2 * PATH_BYTES + 1024 };

/* ---- control groups --------------------------------------------------------------------------------------------- */

/** The number that a file holds, or INT64_MAX: no such file, or "max". */
static int64_t number_in(const char *path) {
  long long value;
  FILE *file = fopen(path, "r");
  bool found = file && fscanf(file, "%lld", &value) == 1 && value > 0;
  if (file) fclose(file);
  return found ? value : INT64_MAX;
}

/** Whether a word is one of a list with commas. */
static bool lists(const char *list, const char *word) {
  const size_t length = strlen(word);
  for (const char *at = list; (at = strstr(at, word)); at += length)
    if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return true;
  return false;
}

/** The least limit of a group and all above it. @param[in] mount  where the hierarchy is seen, from `mounted` on */
static int64_t least_above(const char *root, const char *mount, const char *mounted, const char *group,
                           const char *name) {
  char folder[3 * PATH_BYTES], path[3 * PATH_BYTES + 64];
  const size_t length = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
  bool below = strncmp(group, mounted, length) == 0 && (group[length] == '/' || group[length] == '\0');
  if (strstr(group, "/..")) below = false; /* another namespace's; then what is mounted is all that is seen */
  const int base = snprintf(folder, sizeof folder, "%s%s", root, mount);
  snprintf(folder + base, sizeof folder - (size_t)base, "%s", below ? group + length : "");
  int64_t least = INT64_MAX;
  for (;;) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    least = ncc_min(least, number_in(path));
    char *last = strrchr(folder + base, '/');
    if (!last) return least;
    *last = '\0';
  }
}

/** The least limit of a line of /proc/self/cgroup: "4:cpu,memory:/a/b", in version 2 "0::/a/b". */
static int64_t group_bytes(const char *root, char *line) {
  char path[PATH_BYTES], row[LINE_BYTES], mounted[PATH_BYTES], mount[PATH_BYTES], type[64], options[PATH_BYTES];
  char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group) return INT64_MAX;
  *group++ = '\0';
  group[strcspn(group, "\n")] = '\0';
  const bool unified = *++controllers == '\0';
  if (!unified && !lists(controllers, "memory")) return INT64_MAX;
  int64_t least = INT64_MAX;
  snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
  FILE *file = fopen(path, "r");
  while (file && fgets(row, sizeof row, file)) {
    const char *rest = strstr(row, " - ");
    if (!rest || sscanf(row, "%*s %*s %*s %4095s %4095s", mounted, mount) != 2 ||
        sscanf(rest, " - %63s %*s %4095s", type, options) != 2)
      continue;
    if (unified ? strcmp(type, "cgroup2") != 0 : strcmp(type, "cgroup") != 0 || !lists(options, "memory")) continue;
    const char *name = unified ? "memory.max" : "memory.limit_in_bytes";
    least = ncc_min(least, least_above(root, mount, mounted, group, name));
  }
  if (file) fclose(file);
  return least;
}

static int64_t cgroup_bytes(const char *root) {
  char path[PATH_BYTES], line[LINE_BYTES];
  int64_t least = INT64_MAX;
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) least = ncc_min(least, group_bytes(root, line));
  if (file) fclose(file);
  return least;
}

/* ---- the scheduler ---------------------------------------------------------------------------------------------- */

/** A positive number from the environment, or 0; what follows it ("4(x2)") does not count. */
static int64_t number_of(const char *name) {
  const char *text = name ? getenv(name) : NULL;
  return text && atoll(text) > 0 ? ncc_min(atoll(text), (int64_t)1 << 31) : 0;
}

/** SLURM tells MiB, for each node, CPU or GPU; 0 stands for all of the node. */
static int64_t slurm_bytes(void) {
  static const char *const limits[][3] = {{"SLURM_MEM_PER_NODE", NULL, NULL},
                                          {"SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE"},
                                          {"SLURM_MEM_PER_GPU", "SLURM_GPUS_ON_NODE", "SLURM_GPUS_PER_NODE"}};
  int64_t least_mib = INT64_MAX >> 20;
  for (int i = 0; i < 3; i++) {
    const int64_t mib = number_of(limits[i][0]);
    int64_t units = limits[i][1] ? number_of(limits[i][1]) : 1;
    if (units == 0) units = number_of(limits[i][2]);
    if (mib > 0 && units > 0) least_mib = ncc_min(least_mib, mib * units);
  }
  return least_mib << 20;
}

int64_t ncc_node_memory_bytes(const char *root) {
  const int64_t machine_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  return ncc_min(machine_bytes, ncc_min(cgroup_bytes(root), slurm_bytes()));
}
