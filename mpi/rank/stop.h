/** What makes a job leave off early, resumable: signals and limits of time.
 *
 *  A flag of each rank asks its threads to leave off; it is plain enough for a signal handler to set. The flag is never
 *  taken back. Who set it is told to rank 0, which ends the job (dispatcher.c, worker.c).
 */
#ifndef NCC_STOP_H
#define NCC_STOP_H

#include <stdbool.h>
#include <stddef.h>

static inline void ncc_stop_ask(volatile int *stop) {
  __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
}

static inline bool ncc_stop_asked(const volatile int *stop) {
  return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

/** From now on SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGXCPU and SIGHUP (unless it was ignored, as nohup does) no longer
 *  end the process; the first is remembered. SIGPIPE and SIGXFSZ are ignored: the calls that they are about fail. */
void ncc_stop_catch_signals(void);

/** Has signals set this flag too, also one that came already; NULL ends that. */
void ncc_stop_connect(volatile int *stop);

/** The signal that came, "SIGUSR1", or NULL. */
const char *ncc_stop_signal(void);

/** Seconds from now until the job must have stopped: what is left of `limit_s` (0: none was given), or else what the
 *  batch system leaves, minus a margin.
 *  @param[in]  elapsed_s  of this process so far.
 *  @param[out] reason     "the time limit of 60 s"; [reason_bytes]
 *  @return infinity where there is no limit. */
double ncc_stop_time_left_s(double limit_s, double elapsed_s, char *reason, size_t reason_bytes);

#endif
