#include "app/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/** Starts the child, mute but for what it says in `said`. @return 0 or an errno. */
static int start(char *command, const char *path, int said, pid_t *child) {
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
    error = fd == STDOUT_FILENO
                ? posix_spawn_file_actions_adddup2(&actions, said, fd)
                : posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
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

/** Bytes that a child has in memory; 0 where the system does not tell. */
static int64_t resident_bytes(pid_t child) {
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)child);
  FILE *file = fopen(path, "r");
  if (file && fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/** Bytes of tables that the child says it will read: by their shapes, before it reads any. */
static int64_t told_bytes(int said) {
  char text[32] = "";
  return pread(said, text, sizeof text - 1, 0) > 0 ? atoll(text) : 0;
}

static void end_child(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

/** Looks after the child until it ends, or must be ended. @param[out] how  as waitpid() tells; 0: it was ended */
static ncc_status watch(const char *path, pid_t child, int said, int *how) {
  const int64_t patience_s = wish("MPIXCORR_PROBE_S", PATIENCE_S);
  const int64_t node_bytes = ncc_node_memory_bytes(""), wish_bytes = wish("MPIXCORR_PROBE_MIB", 0) << 20;
  const double begin_s = ncc_clock_s();
  for (;;) {
    const pid_t ended = waitpid(child, how, WNOHANG);
    if (ended == child || (ended < 0 && errno != EINTR)) return NCC_OK;
    if (ncc_clock_s() - begin_s > (double)patience_s) {
      end_child(child);
      return ncc_error_set(NCC_ERR_INPUT, "%s: cannot be opened: HDF5 has not come to an end after %lld s, in a trial",
                           path, (long long)patience_s);
    }
    const int64_t table_bytes = told_bytes(said);
    if (table_bytes > node_bytes) { /* sound or not, the run will refuse it */
      end_child(child);
      *how = 0;
      return NCC_OK;
    }
    const int64_t most_bytes = table_bytes + (wish_bytes ? wish_bytes : (node_bytes - table_bytes) / 2);
    if (resident_bytes(child) > most_bytes) {
      end_child(child);
      return ncc_error_set(NCC_ERR_INPUT,
                           "%s: cannot be opened: HDF5 took more than %lld MiB of memory for it, in a trial", path,
                           (long long)(most_bytes >> 20));
    }
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
  }
}

/** Runs a command on a file in a child. */
static ncc_status probe(char *command, const char *path, bool is_part) {
  ncc_status status = NCC_OK;
  pid_t child;
  int how = 0;
  if (access(path, R_OK) != 0) return NCC_OK; /* the caller will say why */
  const int said = memfd_create("mpixcorr-probe", MFD_CLOEXEC);
  if (said < 0 || start(command, path, said, &child) != 0) goto cleanup; /* no reason to refuse a run */
  NCC_TRY(watch(path, child, said, &how));
  NCC_CHECK(!WIFSIGNALED(how), NCC_ERR_INPUT,
            "%s: cannot be opened: HDF5 crashed on it in a trial (%s); is it damaged?%s", path,
            strsignal(WTERMSIG(how)), is_part ? " --overwrite starts over" : " h5dump may tell");
cleanup:
  if (said >= 0) close(said);
  return status;
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
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  ncc_input_size size;
  NCC_CHECK(argc == 2, NCC_ERR_USAGE, "%s: expected the name of a file", argv[0]);
  if (strcmp(argv[0], NCC_PROBE_OUTPUT) == 0) return ncc_output_examine(argv[1]);
  NCC_TRY(ncc_input_measure(argv[1], &size));
  printf("%lld\n", (long long)size.open_bytes);
  fflush(stdout);
  NCC_TRY(ncc_input_open_tables(argv[1], &input));
cleanup:
  ncc_input_close(&input);
  return status;
}
