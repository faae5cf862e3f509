/** A job on paper: the schedule handed out to ranks that do not exist, by the protocol of mpi/dispatcher.c and
 *  mpi/worker.c, as a discrete-event simulation. Used by --dry-run, by tests of balance and by bench/simulate.c.
 *
 *  Rank 0's answering thread is one server: each message costs it time, and messages queue. Not modelled: congestion
 * between other ranks, and the file system.
 */
#ifndef NCC_SIMULATE_H
#define NCC_SIMULATE_H

#include "plan/cost.h"
#include "plan/schedule.h"

/** The machine. Seconds. */
typedef struct ncc_simulation {
  int ranks, threads;  /**< as the schedule's */
  double latency_s;    /**< of a message */
  double poll_s;       /**< longest sleep of a thread that waits for messages; half of it on average */
  double handout_s;    /**< rank 0: making and sending a hand-out, and taking and writing its results */
  double pair_s;       /**< rank 0: the same for each of its pairs */
  double ship_bytes_s; /**< rank 0 sends pixels at this rate; 0: ranks read for themselves */
  double speed;        /**< real seconds for one of the model's */
  double slow_factor;  /**< rank `ranks` / 2 takes so many times longer; 0: none */
  double jitter;       /**< durations vary evenly by so much, up and down: 0.1 */
} ncc_simulation;

typedef struct ncc_simulated {
  double elapsed_s;
  double busy_min_s, busy_max_s, busy_sum_s; /**< of ranks computing */
  double root_busy_s;                        /**< of rank 0's answering thread */
  double answer_max_s;                       /**< longest that a rank's results waited for rank 0 */
  double useful_s;                           /**< all work, each image prepared once */
  int64_t handouts, chunks;
} ncc_simulated;

/** Costs of rank 0 and of waiting, as measured on the machine of ncc_cost_machine (bench/dispatch.sh); shared memory.
 *  Ranks and threads are left to the caller. */
ncc_simulation ncc_simulation_measured(void);

/** Hands out all of a schedule. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_simulate(ncc_schedule *schedule, const ncc_simulation *how, ncc_simulated *out);

/** useful_s over what the ranks' threads could have done. */
double ncc_simulated_efficiency(const ncc_simulation *how, const ncc_simulated *result);

#endif
