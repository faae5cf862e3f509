/** The judge: evaluates an engine's candidates in float64 and decides. Common to all engines. */
#ifndef NCC_JUDGE_H
#define NCC_JUDGE_H

#include "match/evaluate.h"
#include "match/proposal.h"

/** What is judged. */
typedef struct ncc_case {
  ncc_evaluator *evaluator;
  const ncc_prepared *image, *tmpl;
  const ncc_geometry *geometry;
  double eps;       /**< 0: off */
  double min_valid; /**< of masked pairs: the fraction of the template's valid pixels that must meet valid ones */
  int64_t most_px;  /**< pixels that may be evaluated before giving up */
  ncc_counters *counters;
  double floor; /**< what cannot reach this is not evaluated, and the result then is some position below it; -2: none */
} ncc_case;

/** Pixels that the judge may evaluate for a pair in the first and in the second tier. */
int64_t ncc_certify_limit(const ncc_geometry *geometry, int tier);

/** Decides on the first position whose NCC lies within NCC_TIE of the maximum.
 *  Evaluates in row-major order and stops at a value >= 1 - NCC_TIE.
 *  @param[in]  proposal  finished
 *  @param[out] result    y, x, peak and status (ok or flat); where false is returned, the best that was evaluated, with
 *                        status uncertain
 *  @return false if the proof does not hold: a numerator was further from the truth than a quarter of the bound, the
 * list was cut before the decision, or the work exceeds most_px. */
bool ncc_certify(const ncc_case *c, ncc_proposal *proposal, ncc_result *result);

/** The judge's NCC at a position: 0 where the window is flat or the response is below eps.
 *  @param[out] zeroed  whether it is 0 for one of these reasons; NULL: not wanted */
double ncc_case_value(const ncc_case *c, int64_t y, int64_t x, bool *zeroed, double *numerator);

/** Curvature, and sub-pixel position by separable three-point parabolas on the judge's values: the position itself in a
 *  direction where a neighbour is not searched or the three values are not strictly concave. Shifts are at most half a
 *  pixel. */
void ncc_subpixel(const ncc_case *c, ncc_result *result);

#endif
