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

#include "catalog.h"

typedef struct ncc_plan ncc_plan;

/** Consecutive entries of the plan's order, all of one image. */
typedef struct ncc_chunk {
  int64_t id;    /**< 0, 1, ... in the order of handing out */
  int64_t first; /**< index into the plan's order */
  int64_t count; /**< pairs, at least 1 */
  double cost;   /**< predicted seconds on one thread of the reference machine */
} ncc_chunk;

/** How to plan. */
typedef struct ncc_plan_options {
  int ranks;         /**< that will compute, at least 1 */
  int threads;       /**< of a rank, at least 1 */
  bool group;        /**< sort pairs by image (default of the program); else input order */
  int64_t max_bytes; /**< pixels of a chunk, image included; a chunk of one pair may exceed it; 0: no bound */
  int64_t max_pairs; /**< of a chunk; 0: no bound */
} ncc_plan_options;

/** Builds the schedule of all pairs that have work and are not yet done.
 *  Memory: 8 bytes a pair and 32 a group. Time: linear, but for sorting groups of unlike cost.
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
double ncc_plan_cost(const ncc_plan *plan);

/** Row of /pairs at a position of the order. */
int64_t ncc_plan_row(const ncc_plan *plan, int64_t position);

/** What a rank should get now, in predicted seconds on one thread: a fraction of its share of what is left, at least
 *  what keeps the coordinator's message rate bearable, at most what keeps results flowing. */
double ncc_plan_share(const ncc_plan *plan);

/** Hands out the next chunk for a rank, preferring what continues the rank's last image. O(log ranks).
 *  @param[in] limit_s  cost that the chunk should not exceed (it has one pair at least), normally ncc_plan_share().
 *  @return false when nothing is left for this rank now; what other ranks hold may still come back. */
bool ncc_plan_next(ncc_plan *plan, int rank, double limit_s, ncc_chunk *chunk);

/** Gives a chunk back that could not be done (a device was lost); it will be handed out again.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_plan_return(ncc_plan *plan, const ncc_chunk *chunk);

/** Tells how long handed-out work really took, so that shares fit this machine: `predicted_s` of it kept `threads`
 *  threads busy for `elapsed_s`. */
void ncc_plan_observe(ncc_plan *plan, double predicted_s, double elapsed_s, int threads);

/** Predicted seconds of preparing one image, and of one pair on it, on one thread of the reference machine. */
void ncc_cost_predict(const ncc_search *search, const ncc_object *image, const ncc_object *tmpl, double *image_s,
                      double *pair_s);

#endif
