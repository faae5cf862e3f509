/** Proposals where pixels of image or template are masked (Padfield 2012): float64 transforms of masks, pixels and
 * their squares give all sums over the pixels that are valid in both, with bounds; the judge decides as ever.
 */
#ifndef NCC_MASKED_H
#define NCC_MASKED_H

#include "match/engine.h"

typedef struct ncc_masked ncc_masked;

ncc_status ncc_masked_create(const ncc_engine_context *context, ncc_masked **out);
void ncc_masked_destroy(ncc_masked **masked);

/** Whether n valid pixels of an overlap are enough: at least one, and the fraction of the template's. */
static inline bool ncc_masked_enough(double n, double n_tmpl, double min_overlap) {
  return n >= 1 && n / n_tmpl >= min_overlap;
}

/** Bytes for a geometry, beside what every pair needs. */
int64_t ncc_masked_bytes(const ncc_geometry *g);

/** Proposes for one task, whose geometry has no minimum overlap; the proposal is reset, filled and finished.
 *  @param[in]  min_overlap  fraction of the template's valid pixels that must meet valid ones
 *  @param[out] y, x  the first position that is searched; -1 where none is
 *  @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM. */
ncc_status ncc_masked_propose(ncc_masked *masked, const ncc_task *task, double min_overlap, ncc_proposal *out,
                              int64_t *y, int64_t *x);

/** Whoever wants to see the NCC everywhere. */
typedef struct ncc_masked_viewer {
  double open; /**< how much of a value bounds may leave open */
  /** Is given every position with enough valid pixels; NaN: more is left open. */
  void (*show)(void *context, int64_t y, int64_t x, double ncc);
  void *context;
} ncc_masked_viewer;

/** @return as ncc_masked_propose(). */
ncc_status ncc_masked_view(ncc_masked *masked, const ncc_task *task, double min_overlap,
                           const ncc_masked_viewer *viewer);

#endif
