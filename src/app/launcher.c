#include "app/launcher.h"

#include <stdlib.h>

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
