/** Notices that a rank no longer answers, so that a job ends, resumable, rather than hanging for ever.
 *
 *  No MPI in here. A rank may take as long as its hand-out should, many times over, and some minutes more: what hangs,
 *  hangs for ever, and a slow rank must never be taken for it. Time counts only while rank 0 itself is awake, so that a
 *  job that the batch system suspends is not accused of sleeping.
 */
#ifndef NCC_WATCHDOG_H
#define NCC_WATCHDOG_H

typedef struct ncc_watchdog {
  double patience_s;        /**< whatever was predicted */
  double slowest;           /**< seconds for a predicted second, the worst so far, at least 1 */
  double awake_s, looked_s; /**< rank 0's time awake, and the clock when it was last counted */
} ncc_watchdog;

/** @param[in] now_s  ncc_clock_s(). MPIXCORR_PATIENCE_S in the environment replaces the 1,800 s of patience. */
void ncc_watchdog_start(ncc_watchdog *dog, double now_s);

/** Counts time; to be called several times a second. @return awake_s. */
double ncc_watchdog_look(ncc_watchdog *dog, double now_s);

/** A hand-out predicted to keep a rank busy for `predicted_s` took so long. */
void ncc_watchdog_learn(ncc_watchdog *dog, double predicted_s, double elapsed_s);

/** Seconds that a hand-out may take. */
double ncc_watchdog_limit_s(const ncc_watchdog *dog, double predicted_s);

#endif
