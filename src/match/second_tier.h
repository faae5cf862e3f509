/** The second tier: proposals by float64 FFTs and window statistics in double-double arithmetic, for the rare pairs
 * that float32 bounds cannot settle. Bounds are about 10^9 times smaller. Works tile by tile, so that memory stays
 * bounded.
 */
#ifndef NCC_SECOND_TIER_H
#define NCC_SECOND_TIER_H

#include "match/engine.h"

typedef struct ncc_second_tier ncc_second_tier;

ncc_status ncc_second_tier_create(const ncc_engine_context *context, ncc_second_tier **out);
void ncc_second_tier_destroy(ncc_second_tier **tier);

/** Who is shown every searched position, tile by tile and in row-major order within a tile. */
typedef struct ncc_tier_visitor {
  void *context;
  /** A tile begins; numerators in it err by no more than `error`. */
  ncc_status (*tile)(void *context, double error);
  /** `numerator` and `ssd` in units of ncc_evaluation; ssd(W) in the code of proposal.h. */
  void (*position)(void *context, int64_t y, int64_t x, double numerator, double ssd);
} ncc_tier_visitor;

/** Shows a task's positions. @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM; what the visitor returns. */
ncc_status ncc_second_tier_visit(ncc_second_tier *tier, const ncc_task *task, const ncc_tier_visitor *visitor);

/** Proposes for one task; the proposal is reset, filled and finished.
 *  @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM. */
ncc_status ncc_second_tier_propose(ncc_second_tier *tier, const ncc_task *task, ncc_proposal *proposal);

/** Bytes that a pair of this geometry takes at most. */
int64_t ncc_second_tier_bytes(const ncc_geometry *g);

#endif
