/** Proposals for pairs of which the valid pixels of image and template fill a box each, as those of a tile with a frame
 * do: what is outside the boxes is as what is outside an image of which nothing is, so the CPU engine proposes.
 */
#ifndef NCC_MASKED_BOX_H
#define NCC_MASKED_BOX_H

#include "match/engine.h"

typedef struct ncc_masked_box ncc_masked_box;

/** @param[in] engine  the CPU engine's state, borrowed; nobody is told of its proposals */
ncc_status ncc_masked_box_create(void *engine, ncc_masked_box **out);
void ncc_masked_box_destroy(ncc_masked_box **box);

/** Whether a pair with masked pixels is of this kind. */
bool ncc_masked_box_serves(const ncc_task *task);

/** As ncc_masked_propose(); a template that is flat gets (y, x) alone. @return or what the CPU engine returns. */
ncc_status ncc_masked_box_propose(ncc_masked_box *box, const ncc_task *task, double min_overlap, ncc_proposal *out,
                                  int64_t *y, int64_t *x);

#endif
