/** The NCC at a position where sums go over an overlap alone: nothing lies outside the image, or pixels are masked.
 * Part of the evaluator. */
#ifndef NCC_EVALUATE_OVERLAP_H
#define NCC_EVALUATE_OVERLAP_H

#include "base/pool.h"
#include "match/prepare.h"

typedef struct ncc_evaluation {
  double numerator;  /**< sum(W * (T - mean T)), scaled by image.scale * tmpl.scale */
  double ssd_window; /**< sum((W - mean W)^2), scaled by image.scale^2 */
  double ssd_tmpl;   /**< of what overlaps of the template, scaled by tmpl.scale^2; of all where zeros are outside */
  bool flat;         /**< all pixels of W are equal, zeros outside the image included, or all of T that overlap */
  double n;          /**< pixels of the overlap that are valid in both; 0 where it was not asked for */
  double ncc;        /**< in [-1, 1]; 0 where W is flat */
  double product;    /**< sum((W - mean I) * (T - mean T)), scaled as the numerator; 0 where it was not asked for */
} ncc_evaluation;

/** Sums over a row, in the names of ncc_overlap_sums. */
typedef struct ncc_overlap_row {
  double n, s, q, u, v, p;
} ncc_overlap_row;

/** Evaluates the NCC over the valid pixels of the overlap at full position (y, x).
 *  @param[in] pool  NULL: by this thread alone
 *  @param[in,out] rows  scratch, one for each row of the template */
ncc_evaluation ncc_evaluate_overlap(ncc_pool *pool, ncc_overlap_row *rows, const ncc_prepared *image,
                                    const ncc_prepared *tmpl, int64_t y, int64_t x);

/** The fraction of the template's valid pixels that lie on valid pixels of the image, at least one of which does. */
double ncc_valid_overlap(const ncc_prepared *image, const ncc_prepared *tmpl, int64_t y, int64_t x);

#endif
