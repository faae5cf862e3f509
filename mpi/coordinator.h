/** What rank 0 does beside computing: hand out the work, take results to the output, end the job. */
#ifndef NCC_COORDINATOR_H
#define NCC_COORDINATOR_H

#include "io/output/output.h"
#include "mpi/comm.h"
#include "mpi/job.h"
#include "mpi/rank/lane.h"
#include "plan/schedule.h"

/** Most pairs of a hand-out: enough that its message costs next to nothing a pair, and few enough that making it and
 *  taking its results keep rank 0 from others for a few milliseconds at most. */
#define NCC_CHUNK_PAIRS 4096

typedef struct ncc_coordinator_options {
  const ncc_comm *comm;
  const char (*hosts)[64]; /**< [ranks] */
  const ncc_catalog *catalog;
  const ncc_work *work;
  ncc_schedule *schedule;
  ncc_output *output;
  ncc_lane *lane;        /**< with an input: it reads for rank 0, and where `ship`, for all */
  bool ship;             /**< pixels go with the hand-outs */
  int64_t handout_bytes; /**< pixels that a hand-out should need at most */
  int threads;           /**< of a rank, about */
  double time_limit_s;   /**< of the run, 0: none but the batch system's */
  double started_s;      /**< the run's begin, by ncc_clock_s() */
  int64_t max_failed;    /**< pairs that may fail before the run gives up */
  volatile int *stop;
  const ncc_job_observer *observer;
} ncc_coordinator_options;

/** Runs the job to its end; afterwards every worker has left ncc_worker_run().
 *  @param[out] stats     [ranks] what each rank did.
 *  @param[out] totals    pairs, handouts and bytes_shipped.
 *  @param[out] problem   NCC_OK, or what ended the job early, with its message.
 *  @param[out] message   [NCC_MESSAGE_TEXT]
 *  @return NCC_OK; an error means that rank 0 cannot go on talking, and only aborting helps. */
ncc_status ncc_coordinator_run(const ncc_coordinator_options *options, ncc_rank_stats *stats, ncc_job_totals *totals,
                               ncc_status *problem, char *message);

#endif
