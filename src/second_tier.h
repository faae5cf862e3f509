/** The second tier: proposals by float64 FFTs and window statistics in double-double arithmetic, for the rare pairs
 * that float32 bounds cannot settle. Bounds are about 10^9 times smaller. Works tile by tile, so that memory stays
 * bounded.
 */
#ifndef NCC_SECOND_TIER_H
#define NCC_SECOND_TIER_H

#include "engine.h"

typedef struct ncc_second_tier ncc_second_tier;

ncc_status ncc_second_tier_create(const ncc_engine_context *context, ncc_second_tier **out);
void ncc_second_tier_destroy(ncc_second_tier **tier);

/** Proposes for one task; the proposal is reset, filled and finished.
 *  @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM. */
ncc_status ncc_second_tier_propose(ncc_second_tier *tier, const ncc_task *task, ncc_proposal *proposal);

/** Bytes that a pair of this geometry takes at most. */
int64_t ncc_second_tier_bytes(const ncc_geometry *g);

#endif
