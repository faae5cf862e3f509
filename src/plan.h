/** The schedule: pairs sorted into groups by image, cut into chunks, handed out one at a time.
 *
 *  No MPI in here: the coordinator drives it, and so can a test or a simulation. Deterministic for a given sequence of
 *  calls; results never depend on it.
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
  int ranks;  /**< that will compute */
  bool group; /**< sort pairs by image (default of the program) */
} ncc_plan_options;

/** Builds the schedule of all pairs that have work and are not yet done.
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

/** Hands out the next chunk for a rank: large first, shrinking towards the end, preferring what continues the rank's
 *  last image. @return false when nothing is left. */
bool ncc_plan_next(ncc_plan *plan, int rank, ncc_chunk *chunk);

/** Gives a chunk back that could not be done (a device was lost); it will be handed out again. */
void ncc_plan_return(ncc_plan *plan, const ncc_chunk *chunk);

/** Predicted seconds of preparing one image, and of one pair on it, on one thread of the reference machine. */
void ncc_cost_predict(const ncc_search *search, const ncc_object *image, const ncc_object *tmpl, double *image_s,
                      double *pair_s);

#endif
