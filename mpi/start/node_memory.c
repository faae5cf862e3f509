#include "mpi/start/node_memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** The number that a file holds, or INT64_MAX: no such file, or "max". */
static int64_t number_in(const char *path) {
  long long value;
  FILE *file = fopen(path, "r");
  bool found = file && fscanf(file, "%lld", &value) == 1 && value > 0;
  if (file) fclose(file);
  return found ? value : INT64_MAX;
}

/** This process's cgroup limit (version 2 by its own path, version 1 by the usual mount), or INT64_MAX. */
static int64_t cgroup_bytes(void) {
  char line[4096], path[4200];
  int64_t least = number_in("/sys/fs/cgroup/memory.max");
  int64_t v1 = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  if (v1 < least) least = v1;
  FILE *file = fopen("/proc/self/cgroup", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, "0::", 3) != 0) continue;
    line[strcspn(line, "\n")] = 0;
    // Every ancestor's limit holds too.
    for (char *end = line + strlen(line); end > line + 3; end = strrchr(line + 3, '/')) {
      *end = 0;
      snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
      int64_t limit = number_in(path);
      if (limit < least) least = limit;
    }
  }
  if (file) fclose(file);
  return least;
}

int64_t ncc_memory_node_bytes(void) {
  int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), cgroup = cgroup_bytes();
  if (cgroup < bytes) bytes = cgroup;
  const char *slurm = getenv("SLURM_MEM_PER_NODE");  // in MiB
  if (slurm && atoll(slurm) > 0 && atoll(slurm) < bytes >> 20) bytes = (int64_t)atoll(slurm) << 20;
  return bytes;
}
