#include "app/launcher.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/terminal.h"

/** The first of these that is set, as a number, or `otherwise`. */
static int number_in(const char *const names[], int otherwise) {
  for (int i = 0; names[i]; i++) {
    const char *text = getenv(names[i]);
    if (text && *text) return atoi(text);
  }
  return otherwise;
}

/* The innermost launcher first: an mpirun inside a SLURM task sees both. */
int ncc_launcher_rank(void) {
  return number_in((const char *const[]){"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", NULL}, 0);
}

int ncc_launcher_ranks(void) {
  return number_in((const char *const[]){"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", NULL}, 0);
}

/** The process that started this one. @param[in,out] pid  becomes its parent's. @param[out] name  its first 15 letters.
 */
static bool parent_of(int *pid, char name[32]) {
  char path[64], line[512];
  int parent = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", *pid);
  FILE *stream = fopen(path, "r");
  if (!stream) return false;
  const bool read = fgets(line, sizeof line, stream);
  fclose(stream);
  const char *end = read ? strrchr(line, ')') : NULL, *begin = read ? strchr(line, '(') : NULL;
  if (!end || !begin || sscanf(end + 1, " %*c %d", &parent) != 1) return false;
  snprintf(name, 32, "%.*s", (int)(end - begin - 1), begin + 1);
  *pid = parent;
  return true;
}

static bool passes_on_stderr(const char *name) {
  static const char *const launchers[] = {"mpirun", "mpiexec", "orterun", "prterun", "hydra_", NULL};
  for (int i = 0; launchers[i]; i++)
    if (strncmp(name, launchers[i], strlen(launchers[i])) == 0) return true;
  return false;
}

int ncc_launcher_terminal_columns(void) {
  struct stat own;
  char name[32], path[64];
  int columns = ncc_terminal_columns(STDERR_FILENO), pid = getppid(), launcher = pid;
  /* a pipe: to whom, only the launchers above this process tell */
  if (columns || fstat(STDERR_FILENO, &own) != 0 || !(S_ISFIFO(own.st_mode) || S_ISSOCK(own.st_mode))) return columns;
  while (parent_of(&pid, name) && passes_on_stderr(name) && columns == 0) {
    snprintf(path, sizeof path, "/proc/%d/fd/2", launcher);
    const int descriptor = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0) {
      columns = ncc_terminal_columns(descriptor);
      close(descriptor);
    }
    launcher = pid;
  }
  return columns;
}
