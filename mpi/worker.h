/** What every rank but 0 does: take hand-outs, compute them, send results back, until rank 0 says that it is the end.
 */
#ifndef NCC_WORKER_H
#define NCC_WORKER_H

#include "mpi/comm.h"
#include "mpi/rank/lane.h"

/** Works until END. Errors of computing are told to rank 0, which ends the job on all ranks; an error returned from
 *  here means that this rank cannot go on talking, and only aborting helps.
 *  @param[in] pool     for the pixels that rank 0 ships; NULL: the lane reads them.
 *  @param[in] stop     the lane's and the matcher's stop flag; set when rank 0 says so. */
ncc_status ncc_worker_run(const ncc_comm *comm, const ncc_catalog *catalog, ncc_lane *lane, ncc_pixels_pool *pool,
                          volatile int *stop);

#endif
