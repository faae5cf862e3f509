/** What rank 0 does beside computing: hand out the work, take results to the output, end the job. */
#ifndef NCC_DISPATCHER_H
#define NCC_DISPATCHER_H

#include "io/output/output.h"
#include "mpi/comm.h"
#include "mpi/observer.h"
#include "mpi/rank/pipeline.h"
#include "plan/schedule.h"

typedef struct ncc_dispatcher_options {
  const ncc_comm *comm;
  const ncc_rank_facts *facts; /**< [ranks] */
  const ncc_work *work;
  ncc_schedule *schedule;
  ncc_output *output;
  const ncc_input *input; /**< for names of sources that ranks read by themselves */
  ncc_pipeline *pipeline; /**< with an input: it reads for rank 0, and where `ship`, for all */
  bool ship;              /**< pixels go with the batches */
  const ncc_search *search;
  int threads;         /**< of a rank, about */
  double time_limit_s; /**< of the run, 0: none but the batch system's */
  double started_s;    /**< the run's begin, by ncc_clock_s() */
  int64_t max_failed;  /**< pairs that may fail before the run gives up */
  volatile int *stop;
  const ncc_job_observer *observer;
} ncc_dispatcher_options;

/** Runs the job to its end; afterwards every worker has left ncc_worker_run().
 *  @param[out] stats     [ranks] what each rank did.
 *  @param[out] totals    pairs, handouts, bytes_shipped, and what could not be read.
 *  @param[out] problem   NCC_OK, or what ended the job early, with its message.
 *  @param[out] message   [NCC_MESSAGE_TEXT]
 *  @return NCC_OK; an error means that rank 0 cannot go on talking, and only aborting helps. */
ncc_status ncc_dispatcher_run(const ncc_dispatcher_options *options, ncc_rank_stats *stats, ncc_job_totals *totals,
                              ncc_status *problem, char *message);

#endif
