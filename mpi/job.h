/** The job: rank 0 coordinates and computes, the other ranks compute.
 *
 *  One thread of a rank (the caller's) makes all MPI calls; a second one drives the matcher. Rank 0 reads and validates
 *  the input, plans, scatters first shares, hands out the rest on request; ranks ask one chunk ahead; results return as
 *  (row, y, x, peak, status) and go to the output in input order.
 */
#ifndef NCC_JOB_H
#define NCC_JOB_H

#include "options.h"

/** Starts MPI (funneled), also without a launcher. Safe to call once. @param[out] rank of this process. */
ncc_status ncc_job_init(int *argc, char ***argv, int *rank);

/** Runs the whole job. Collective over all ranks; every rank returns the same status; rank 0 prints header, progress,
 *  summary and the one error line. */
ncc_status ncc_job_run(const ncc_run_options *options);

/** Ends MPI. Collective. */
void ncc_job_finalize(void);

#endif
