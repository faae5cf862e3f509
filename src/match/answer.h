/** From an engine's proposal to a pair's answer: the judge's decision, by the second tier where the first does not
 * hold, then what is asked for beside the peak.
 */
#ifndef NCC_ANSWER_H
#define NCC_ANSWER_H

#include "match/cpu/masked.h"
#include "match/engine.h"
#include "match/judge.h"
#include "match/masked.h"
#include "match/masked_box.h"
#include "match/second_tier.h"

typedef struct ncc_answerer {
  const ncc_search *search;
  ncc_counters *counters;
  ncc_evaluator *evaluator;
  ncc_second_tier *second_tier;
  ncc_engine_context masked_context; /**< of the CPU engine, for masked pairs */
  ncc_masked *masked;
  ncc_masked_box *masked_box;   /**< as the next, whose engine it uses */
  ncc_cpu_masked *masked_fast;  /**< made when it is needed */
  bool masked_slow;             /**< the masked pair at work is done by `masked` */
  const ncc_engine_ops *engine; /**< the one at work, and its state: set by the caller, whenever they change */
  void *state;
  ncc_peak *found;   /**< of the pair at work */
  ncc_rect *exclude; /**< around them */
} ncc_answerer;

/** @param[in] context, search  borrowed. Clear it in any case. */
ncc_status ncc_answerer_create(const ncc_engine_context *context, const ncc_search *search, ncc_answerer *out);
void ncc_answerer_clear(ncc_answerer *answerer);

/** Decides a proposal: position, peak and status.
 *  @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM. */
ncc_status ncc_answer_decide(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, ncc_result *result);

/** Proposes for and decides a pair with masked pixels. @return as ncc_answer_decide(); the result is `masked` where too
 *  few valid pixels meet everywhere. */
ncc_status ncc_answer_masked(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, ncc_result *result);

/** Finds what else is asked for: the next best peaks, sub-pixel position, curvature, the second peak. The engine is
 *  asked again, so that the task must be the one that it last proposed for.
 *  @param[in,out] result  decided; `uncertain` from then on where one of the peaks cannot be proven
 *  @param[out]    peaks   [search->peaks], none at the start; NULL: no list is asked for
 *  @return as ncc_answer_decide(), or what the engine's propose() returns. */
ncc_status ncc_answer_more(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, ncc_result *result,
                           ncc_peak *peaks);

#endif
