#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "input.h"

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
static int start(const char *path, pid_t *child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  char *arguments[] = {"mpixcorr", NCC_PROBE_COMMAND, (char *)path, NULL};
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

ncc_status ncc_probe_input(const char *path) {
  pid_t child, ended = 0;
  int how = 0;
  const char *wish = getenv("MPIXCORR_PROBE_S");
  const int patience_s = wish && atoi(wish) > 0 ? atoi(wish) : PATIENCE_S;
  if (access(path, R_OK) != 0) return NCC_OK;  /* the caller will say why */
  if (start(path, &child) != 0) return NCC_OK; /* no reason to refuse a run */
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (;;) {
    ended = waitpid(child, &how, WNOHANG);
    if (ended == child || (ended < 0 && errno != EINTR)) break;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - begin.tv_sec > patience_s) {
      kill(child, SIGKILL);
      waitpid(child, &how, 0);
      return ncc_error_set(NCC_ERR_INPUT, "%s: cannot be opened: HDF5 has not come to an end after %d s, in a trial",
                           path, patience_s);
    }
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
  }
  if (ended == child && WIFSIGNALED(how))
    return ncc_error_set(NCC_ERR_INPUT,
                         "%s: cannot be opened: HDF5 crashed on it in a trial (%s); is it damaged? h5dump may tell",
                         path, strsignal(WTERMSIG(how)));
  return NCC_OK;
}

ncc_status ncc_cmd_probe(int argc, char **argv) {
  ncc_input *input = NULL;
  if (argc != 2) return ncc_error_set(NCC_ERR_USAGE, "%s: expected the name of a file", argv[0]);
  ncc_status status = ncc_input_open(argv[1], &input);
  ncc_input_close(&input);
  return status;
}
