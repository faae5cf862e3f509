/** The job: rank 0 dispatches and computes, the other ranks compute.
 *
 *  One thread of a rank (the caller's) makes all MPI calls; a second one drives the matcher, and a third reads pixels,
 *  where the rank reads any. Rank 0 reads and validates the input, plans, and hands out batches; a rank that brings
 *  results gets its next batch, and has up to NCC_SCHEDULE_AHEAD of them. Rank 0 writes results where their pairs
 * stand. Nothing is printed here: rank 0's observer does that.
 */
#ifndef NCC_JOB_H
#define NCC_JOB_H

#include "mpi/observer.h"

/** Starts MPI (funneled), also without a launcher. To be called once, by the thread that calls the other two.
 *  @param[out] rank  of this process.
 *  @return NCC_OK; NCC_ERR_COMM. */
ncc_status ncc_job_init(int *argc, char ***argv, int *rank);

/** How many ranks MPI has started; after ncc_job_init(). */
int ncc_job_ranks(void);

/** Runs the whole job; with --dry-run it only validates and plans. Collective over all ranks.
 *  Where a rank cannot even tell the others what went wrong, it prints the one error line itself and aborts them all.
 *  @param[in] observer  used on rank 0; NULL elsewhere, or for none.
 *  @return the same on every rank: NCC_OK; NCC_ERR_PAIRS if some pairs are nonfinite, unreadable, uncertain or invalid
 *          (rows with -1 do not count); or an error, with the same message on every rank. */
ncc_status ncc_job_run(ncc_run_options *options, const ncc_job_observer *observer);

/** Ends MPI. Collective. */
void ncc_job_finalize(void);

#endif
