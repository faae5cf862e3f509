#include "app/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/node_memory.h"
#include "io/input/input.h"
#include "io/output/load.h"

enum { PATIENCE_S = 600, NAP_MS = 2 };

/** The environment without what a launcher put there: the child must not take itself for a rank. malloc'd; its strings
 *  are borrowed. */
static char **plain_environment(void) {
  static const char *const prefixes[] = {"OMPI_", "PMIX_", "PMI_", "SLURM_", "ORTE_", "PRTE_"};
  size_t n = 0, kept = 0;
  while (environ[n]) n++;
  char **out = malloc((n + 1) * sizeof *out);
  for (size_t i = 0; out && i < n; i++) {
    bool launcher = false;
    for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++)
      launcher = launcher || strncmp(environ[i], prefixes[k], strlen(prefixes[k])) == 0;
    if (!launcher) out[kept++] = environ[i];
  }
  if (out) out[kept] = NULL;
  return out;
}

/** Starts the child, mute. @return 0 or an errno. */
static int start(char *command, const char *path, pid_t *child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  char *arguments[] = {"mpixcorr", command, (char *)path, NULL};
  char **environment = plain_environment();
  if (!environment) return ENOMEM;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int error = 0;
  for (int fd = 0; fd < 3 && !error; fd++)
    error = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  if (!error) error = posix_spawn(child, "/proc/self/exe", &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  free(environment);
  return error;
}

/** A whole number from the environment, or `otherwise`. */
static int64_t wish(const char *name, int64_t otherwise) {
  const char *text = getenv(name);
  return text && atoll(text) > 0 ? atoll(text) : otherwise;
}

/** MiB that a child has in memory; 0 where the system does not tell. */
static int64_t resident_mib(pid_t child) {
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)child);
  FILE *file = fopen(path, "r");
  if (file && fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static void end_child(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

/** Runs a command on a file in a child. */
static ncc_status probe(char *command, const char *path, bool is_part) {
  pid_t child, ended = 0;
  int how = 0;
  const int64_t patience_s = wish("MPIXCORR_PROBE_S", PATIENCE_S);
  const int64_t most_mib = wish("MPIXCORR_PROBE_MIB", ncc_node_memory_bytes("") >> 21); /* half the node's memory */
  if (access(path, R_OK) != 0) return NCC_OK;                                           /* the caller will say why */
  if (start(command, path, &child) != 0) return NCC_OK;                                 /* no reason to refuse a run */
  const double begin_s = ncc_clock_s();
  for (;;) {
    ended = waitpid(child, &how, WNOHANG);
    if (ended == child || (ended < 0 && errno != EINTR)) break;
    if (ncc_clock_s() - begin_s > (double)patience_s) {
      end_child(child);
      return ncc_error_set(NCC_ERR_INPUT, "%s: cannot be opened: HDF5 has not come to an end after %lld s, in a trial",
                           path, (long long)patience_s);
    }
    if (resident_mib(child) > most_mib) {
      end_child(child);
      return ncc_error_set(NCC_ERR_INPUT,
                           "%s: cannot be opened: HDF5 took more than %lld MiB of memory for it, in a trial", path,
                           (long long)most_mib);
    }
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
  }
  if (ended == child && WIFSIGNALED(how))
    return ncc_error_set(NCC_ERR_INPUT, "%s: cannot be opened: HDF5 crashed on it in a trial (%s); is it damaged?%s",
                         path, strsignal(WTERMSIG(how)), is_part ? " --overwrite starts over" : " h5dump may tell");
  return NCC_OK;
}

ncc_status ncc_probe_input(const char *path) {
  char command[] = NCC_PROBE_INPUT;
  return probe(command, path, false);
}

ncc_status ncc_probe_output(const char *path) {
  char command[] = NCC_PROBE_OUTPUT, *part = NULL;
  if (asprintf(&part, "%s.part", path) < 0) return ncc_error_set(NCC_ERR_NOMEM, "%s: no memory", path);
  ncc_status status = probe(command, access(part, F_OK) == 0 ? part : path, true);
  free(part);
  return status;
}

ncc_status ncc_cmd_probe(int argc, char **argv) {
  ncc_input *input = NULL;
  if (argc != 2) return ncc_error_set(NCC_ERR_USAGE, "%s: expected the name of a file", argv[0]);
  if (strcmp(argv[0], NCC_PROBE_OUTPUT) == 0) return ncc_output_examine(argv[1]);
  ncc_status status = ncc_input_open(argv[1], &input);
  ncc_input_close(&input);
  return status;
}
