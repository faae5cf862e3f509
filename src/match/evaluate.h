/** The NCC at one position, directly in float64 from the pixels: the truth that proposals are judged by.
 *
 *  One fixed summation tree and no contraction: the bits depend on pixels and position alone, not on threads,
 *  instruction set or device.
 */
#ifndef NCC_EVALUATE_H
#define NCC_EVALUATE_H

#include "match/evaluate_overlap.h"

typedef struct ncc_evaluator ncc_evaluator;

/** @param[in] outside  of the image */
ncc_status ncc_evaluator_create(ncc_pool *pool, ncc_outside outside, ncc_evaluator **out);
void ncc_evaluator_destroy(ncc_evaluator **evaluator);

/** Makes room for templates of so many rows. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_evaluator_reserve(ncc_evaluator *evaluator, int64_t template_rows);

/** Evaluates the NCC at full position (y, x); the template must not be flat and room must have been made for it. */
ncc_evaluation ncc_evaluate(ncc_evaluator *evaluator, const ncc_prepared *image, const ncc_prepared *tmpl, int64_t y,
                            int64_t x);

#endif
