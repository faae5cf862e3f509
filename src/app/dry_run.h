/** What `mpixcorr run --dry-run` tells: the plan and what it needs, on stdout in words, and in a JSON file (--report).
 *  Rank 0 only. */
#ifndef NCC_DRY_RUN_H
#define NCC_DRY_RUN_H

#include <stdio.h>

#include "mpi/job.h"

/** The forecast in words; to be printed after the header. */
void ncc_dry_run_print(FILE *stream, const ncc_job_header *header, const ncc_forecast *forecast);

/** The same as JSON; docs/scaling.md names the keys. @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_dry_run_write(const char *path, const ncc_job_header *header, const ncc_forecast *forecast);

#endif
