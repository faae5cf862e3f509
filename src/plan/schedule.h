/** The schedule: pairs sorted into groups by image, cut into chunks, handed out one at a time.
 *
 *  No MPI in here: the coordinator drives it, and so can a test or a simulation. Deterministic for a given sequence of
 *  calls; results never depend on it.
 *
 *  Costliest groups go first; a rank stays with its group until that is exhausted, so that an image is prepared once;
 *  when every group has been started, a rank without one joins the group that has most left, where that pays for
 *  preparing the image again. Chunks shrink as the work runs out (guided self-scheduling): each is a fixed fraction of
 *  a rank's fair share of what is left. Other schemes were weighed: a static split cannot follow uneven ranks, work
 *  stealing needs every rank to talk to every other.
 */
#ifndef NCC_PLAN_H
#define NCC_PLAN_H

#include "plan/catalog.h"

typedef struct ncc_plan ncc_plan;

enum { NCC_PLAN_AHEAD = 4 }; /**< hand-outs that a rank may hold at a time */

/** What a piece of work should cost. */
typedef struct ncc_plan_cost {
  double seconds;          /**< on one thread of this machine, by what has been observed */
  double image_s, pairs_s; /**< by the model alone: preparing images, and all the rest */
  int32_t kind;            /**< of geometry; -1: several */
} ncc_plan_cost;

/** Consecutive entries of the plan's order, all of one image. */
typedef struct ncc_chunk {
  int64_t id;    /**< 0, 1, ... in the order of handing out */
  int64_t first; /**< index into the plan's order */
  int64_t count; /**< pairs, at least 1 */
  ncc_plan_cost cost;
} ncc_chunk;

/** Chunks that a rank gets at once. Zero-initialised; cleared by ncc_plan_work_clear(). */
typedef struct ncc_plan_work {
  ncc_chunk *chunks; /**< [n_chunks], owned */
  int64_t n_chunks, n_pairs, capacity;
  int64_t bytes; /**< pixels, what several pairs need counted each time */
  ncc_plan_cost cost;
} ncc_plan_work;

/** How to plan. */
typedef struct ncc_plan_options {
  int ranks;         /**< that will compute, at least 1 */
  int threads;       /**< of a rank, at least 1 */
  bool group;        /**< sort pairs by image (default of the program); else input order */
  int64_t max_bytes; /**< pixels of a hand-out; one of a single pair may exceed it; 0: no bound */
  int64_t max_pairs; /**< of a chunk; 0: no bound */
} ncc_plan_options;

/** Builds the schedule of all pairs that have work and are not yet done.
 *  Memory: 8 bytes a pair and 24 a group (100 more where its templates differ in shape). Time: linear, but for sorting
 * groups of unlike cost.
 *  @param[in] indices  [n_pairs] from ncc_catalog_resolve(); borrowed for the call.
 *  @param[in] done     [n_pairs] non-zero where a result exists already (resume), or NULL.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_plan_create(const ncc_catalog *catalog, const ncc_search *search, const int64_t (*indices)[2],
                           const uint8_t *done, const ncc_plan_options *options, ncc_plan **out);

void ncc_plan_destroy(ncc_plan **plan);

/** Pairs in the plan. */
int64_t ncc_plan_pairs(const ncc_plan *plan);

/** Groups (distinct images in sequence) in the plan. */
int64_t ncc_plan_groups(const ncc_plan *plan);

/** Predicted seconds of all work on one thread of the reference machine. */
double ncc_plan_total_s(const ncc_plan *plan);

/** Row of /pairs at a position of the order. */
int64_t ncc_plan_row(const ncc_plan *plan, int64_t position);

/** What a rank should get now, in seconds of one thread: a fraction of its share of what is left, at least what keeps
 *  the coordinator's message rate bearable, at most what keeps results flowing. */
double ncc_plan_share(const ncc_plan *plan);

/** Hands out the next chunk for a rank, preferring what continues the rank's last image. O(log ranks).
 *  @param[in] limit_s  cost that the chunk should not exceed (it has one pair at least).
 *  @return false when nothing is left for this rank now; what other ranks hold may still come back. */
bool ncc_plan_next(ncc_plan *plan, int rank, double limit_s, ncc_chunk *chunk);

/** Hands out a rank's share: as many chunks as make one, for a single chunk of small pairs is not worth a message.
 *  @param[in] n_given  hand-outs that the rank has had: its first ones are small, so that it starts at once
 *  @param[in,out] work  its memory is used again; n_chunks is 0 when nothing is left for this rank now.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_plan_take(ncc_plan *plan, int rank, int64_t n_given, ncc_plan_work *work);

/** Whether a rank that holds `n` hand-outs may have one more: two in any case, up to NCC_PLAN_AHEAD where they are
 * small, because pixels had no room in larger ones. Together they are no more than two shares, so that nothing changes
 * for the end of the run.
 *  @param[in] cost_s, bytes  of what it holds */
bool ncc_plan_may_have_more(const ncc_plan *plan, int n, double cost_s, int64_t bytes);

void ncc_plan_work_clear(ncc_plan_work *work);

/** Gives a chunk back that could not be done (a device was lost); it will be handed out again.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_plan_return(ncc_plan *plan, const ncc_chunk *chunk);

/** Tells how long handed-out work really kept `threads` threads busy, so that later costs fit this machine: for each
 *  kind of geometry, images and pairs apart.
 *  @param[in] image_s  the part of `elapsed_s` that went to preparing images; 0: not known */
void ncc_plan_observe(ncc_plan *plan, const ncc_plan_cost *cost, double elapsed_s, double image_s, int threads);

#endif
