/** The schedule: pairs sorted into groups by image, cut into chunks, handed out one at a time.
 *
 *  No MPI in here: the dispatcher drives it, and so can a test or a simulation. Deterministic for a given sequence of
 *  calls; results never depend on it.
 *
 *  Costliest groups go first; a rank stays with its group until that is exhausted, so that an image is prepared once;
 *  when every group has been started, a rank without one joins the group that has most left, where that pays for
 *  preparing the image again. Chunks shrink as the work runs out (guided self-scheduling): each is a fixed fraction of
 *  a rank's fair share of what is left. The angles of a pair are
 *  handed out apart only where the pair is more than a share. Other schemes were weighed: a static split cannot follow
 * uneven ranks, work stealing needs every rank to talk to every other.
 */
#ifndef NCC_SCHEDULE_H
#define NCC_SCHEDULE_H

#include "plan/work.h"

typedef struct ncc_schedule ncc_schedule;

enum { NCC_SCHEDULE_AHEAD = 4 }; /**< hand-outs that a rank may hold at a time */

/** What a piece of work should cost. */
typedef struct ncc_schedule_cost {
  double seconds;          /**< on one thread of this machine, by what has been observed */
  double image_s, pairs_s; /**< by the model alone: preparing images, and all the rest */
  int32_t kind;            /**< of the schedule; -1: several */
} ncc_schedule_cost;

/** Consecutive entries of the order, all of one image. */
typedef struct ncc_chunk {
  int64_t id;    /**< 0, 1, ... in the order of handing out */
  int64_t first; /**< index into the order */
  int64_t count; /**< pairs, at least 1 */
  int64_t turn;  /**< the first angle of those that are handed out of the one pair, */
  int64_t turns; /**< and how many; 0: all, of all pairs */
  ncc_schedule_cost cost;
} ncc_chunk;

/** Chunks that a rank gets at once. Zero-initialised; cleared by ncc_assignment_clear(). */
typedef struct ncc_assignment {
  ncc_chunk *chunks;                   /**< [n_chunks], owned */
  int64_t n_chunks, n_pairs, capacity; /**< a pair counts once, or once for each of its angles */
  int64_t bytes;                       /**< pixels, what several pairs need counted each time */
  ncc_schedule_cost cost;
} ncc_assignment;

/** How to schedule. */
typedef struct ncc_schedule_options {
  int ranks;         /**< that will compute, at least 1 */
  int threads;       /**< of a rank, at least 1 */
  bool group;        /**< sort pairs by image (default of the program); else input order */
  int64_t max_bytes; /**< pixels of a hand-out; one of a single pair may exceed it; 0: no bound */
  int64_t max_pairs; /**< of a chunk; 0: no bound */
} ncc_schedule_options;

/** Builds the schedule of all pairs that have work and are not yet done.
 *  Time: linear, but for sorting groups of unlike cost.
 *  @param[in] work  borrowed for the call.
 *  @param[in] done  [n_pairs] non-zero where a result exists already (resume), or NULL.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_schedule_create(const ncc_work *work, const uint8_t *done, const ncc_schedule_options *options,
                               ncc_schedule **out);

/** Bytes of a schedule. @param[in] mixed  pairs of a group may be of several kinds */
int64_t ncc_schedule_bytes(int64_t pairs, int64_t groups, bool mixed);

void ncc_schedule_destroy(ncc_schedule **schedule);

/** Pairs in the schedule. */
int64_t ncc_schedule_pairs(const ncc_schedule *schedule);

/** Groups (distinct images in sequence) in the schedule. */
int64_t ncc_schedule_groups(const ncc_schedule *schedule);

/** Predicted seconds of all work on one thread of the reference machine. */
double ncc_schedule_total_s(const ncc_schedule *schedule);

/** Row of /pairs at a position of the order. */
int64_t ncc_schedule_row(const ncc_schedule *schedule, int64_t position);

/** What a rank should get now, in seconds of one thread: a fraction of its share of what is left, at least what keeps
 *  the dispatcher's message rate bearable, at most what keeps results flowing. */
double ncc_schedule_share(const ncc_schedule *schedule);

/** Hands out the next chunk for a rank, preferring what continues the rank's last image. O(log ranks).
 *  @param[in] limit_s  cost that the chunk should not exceed (it has one pair at least).
 *  @return false when nothing is left for this rank now; what other ranks hold may still come back. */
bool ncc_schedule_next(ncc_schedule *schedule, int rank, double limit_s, ncc_chunk *chunk);

/** Hands out a rank's share: as many chunks as make one, for a single chunk of small pairs is not worth a message.
 *  @param[in] n_given  hand-outs that the rank has had: its first ones are small, so that it starts at once
 *  @param[in,out] out  its memory is used again; n_chunks is 0 when nothing is left for this rank now.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_schedule_take(ncc_schedule *schedule, int rank, int64_t n_given, ncc_assignment *out);

/** Whether a rank that holds `n` hand-outs may have one more: two in any case, up to NCC_SCHEDULE_AHEAD where they are
 * small, because pixels had no room in larger ones. Together they are no more than two shares, so that nothing changes
 * for the end of the run.
 *  @param[in] cost_s, bytes  of what it holds */
bool ncc_schedule_may_have_more(const ncc_schedule *schedule, int n, double cost_s, int64_t bytes);

void ncc_assignment_clear(ncc_assignment *assignment);

/** Tells how long handed-out work really kept `threads` threads busy, so that later costs fit this machine: for each
 *  kind of geometry, images and pairs apart.
 *  @param[in] image_s  the part of `elapsed_s` that went to preparing images; 0: not known */
void ncc_schedule_observe(ncc_schedule *schedule, const ncc_schedule_cost *cost, double elapsed_s, double image_s,
                          int threads);

#endif
