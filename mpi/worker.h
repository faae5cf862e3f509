/** What every rank but 0 does: take batches, compute them, send results back, until rank 0 says that it is the end. */
#ifndef NCC_WORKER_H
#define NCC_WORKER_H

#include "mpi/comm.h"
#include "mpi/rank/pipeline.h"

/** Works until END. Errors of computing are told to rank 0, which ends the job on all ranks; an error returned from
 *  here means that this rank cannot go on talking, and only aborting helps.
 *  @param[in] store  for the pixels that rank 0 ships; NULL: the pipeline reads them.
 *  @param[in] stop   the pipeline's and the matcher's stop flag; set when rank 0 says so. */
ncc_status ncc_worker_run(const ncc_comm *comm, const ncc_catalog *catalog, ncc_pipeline *pipeline, ncc_store *store,
                          volatile int *stop);

#endif
