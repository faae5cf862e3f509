/** A rank's own machinery: one thread reads pixels, one drives the matcher, and the caller, who talks MPI, waits.
 *
 *  to load -> [reader] -> to compute -> [matcher] -> finished. No MPI in here. Queues are as long as what rank 0 hands
 *  out, two hand-outs a rank. The matcher follows the reader through a hand-out: it computes the first pairs while the
 *  others are being read. On rank 0 the reader may load for other ranks too: those hand-outs are finished once they are
 *  loaded, and no more than `ship_bytes` of their pixels lie in memory.
 *
 *  What is read and will be needed again is kept as long as all pixels together fit `pixel_bytes`; the reader waits
 *  where they would not, unless nothing else would ever make room.
 */
#ifndef NCC_LANE_H
#define NCC_LANE_H

#include "mpi/rank/message.h"

typedef struct ncc_lane ncc_lane;

typedef struct ncc_lane_options {
  const ncc_catalog *catalog; /**< borrowed */
  ncc_input *input;           /**< borrowed; used by the reader's thread alone; NULL where nothing is to be loaded */
  ncc_matcher *matcher;       /**< borrowed; used by the matcher's thread alone */
  volatile int *stop;         /**< once non-zero, hand-outs run through with pending results */
  ncc_pixels_pool *pool;      /**< borrowed */
  int rank, ranks;
  int64_t pixel_bytes, ship_bytes;
} ncc_lane_options;

/** Starts the threads. @return NCC_OK; NCC_ERR_NOMEM; NCC_ERR_INTERNAL if a thread cannot be started. */
ncc_status ncc_lane_create(const ncc_lane_options *options, ncc_lane **out);

/** Joins the threads and frees. What was not finished is dropped. Accepts NULL. */
void ncc_lane_destroy(ncc_lane **lane);

/** Takes a hand-out, whose needs are worked out, to be read and (if it is for this rank) computed. */
void ncc_lane_load(ncc_lane *lane, ncc_handout *handout);

/** Takes a hand-out whose pixels are there. */
void ncc_lane_compute(ncc_lane *lane, ncc_handout *handout);

/** The next finished hand-out, in order of finishing: computed, or loaded for another rank; NULL if there is none. */
ncc_handout *ncc_lane_take(ncc_lane *lane);

/** Sleeps until a hand-out is finished, at most so long. */
void ncc_lane_wait(ncc_lane *lane, int timeout_us);

/** Pixels of a hand-out that was loaded for another rank are sent and released. */
void ncc_lane_shipped(ncc_lane *lane, int64_t bytes);

/** Ends the threads, which must be out of work, and says what they did. */
void ncc_lane_finish(ncc_lane *lane, ncc_rank_stats *stats);

/** Words about the first array that could not be read; "" if all could. */
const char *ncc_lane_unreadable(const ncc_lane *lane);

/** Bytes that ncc_lane_shipped() will give back for a loaded hand-out. */
int64_t ncc_handout_shipped_bytes(const ncc_handout *handout);

#endif
