/** See answer.h. */
#include "match/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/error.h"
#include "match/result.h"

ncc_status ncc_answerer_create(const ncc_engine_context *context, const ncc_search *search, ncc_answerer *out) {
  ncc_status status = NCC_OK;
  const size_t most = (size_t)search->peaks + 2;  // the best and, with `quality`, the second in any case
  *out = (ncc_answerer){.search = search, .counters = context->counters};
  out->masked_context = *context;
  out->masked_context.proposed = NULL;  // they are decided by the caller
  out->found = malloc(most * sizeof *out->found);
  out->exclude = malloc(most * sizeof *out->exclude);
  NCC_CHECK(out->found && out->exclude, NCC_ERR_NOMEM, "out of memory for %d peaks", search->peaks);
  NCC_TRY(ncc_evaluator_create(context->pool, search->outside, &out->evaluator));
  NCC_TRY(ncc_second_tier_create(context, &out->second_tier));
  NCC_TRY(ncc_masked_create(context, &out->masked));

cleanup:
  return status;
}

void ncc_answerer_clear(ncc_answerer *a) {
  ncc_second_tier_destroy(&a->second_tier);
  ncc_masked_destroy(&a->masked);
  ncc_masked_box_destroy(&a->masked_box);
  ncc_cpu_masked_destroy(&a->masked_fast);
  ncc_evaluator_destroy(&a->evaluator);
  free(a->found);
  free(a->exclude);
}

static bool is_masked(const ncc_task *task) {
  return task->image->valid || task->tmpl->valid;
}

/** What the judge makes of a proposal. */
static bool decide(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, int tier, ncc_result *result) {
  const ncc_case c = {a->evaluator,
                      task->image,
                      task->tmpl,
                      task->geometry,
                      a->search->eps,
                      a->search->min_overlap,
                      ncc_certify_limit(task->geometry, tier),
                      a->counters,
                      ncc_task_floor(task)};
  const double t0 = ncc_clock_s();
  const bool holds = ncc_certify(&c, proposal, result);
  a->counters->certify_s += ncc_clock_s() - t0;
  return holds;
}

ncc_status ncc_answer_decide(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, ncc_result *result) {
  ncc_status status = NCC_OK;
  if (decide(a, task, proposal, 1, result)) return NCC_OK;
  const double t0 = ncc_clock_s(), judging = a->counters->certify_s;
  a->counters->second_tier++;
  NCC_TRY(ncc_second_tier_propose(a->second_tier, task, proposal));
  decide(a, task, proposal, 2, result);
  a->counters->second_tier_s += ncc_clock_s() - t0;
  a->counters->certify_s = judging;

cleanup:
  return status;
}

/** Where a search of a masked pair begins. */
typedef struct beginning {
  int64_t y, x;  // -1: no position has enough valid pixels
  bool known;
} beginning;

/** By float32 transforms. @param[out] holds  false: they do not tell */
static ncc_status answer_masked_fast(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, beginning *first,
                                     ncc_result *result, bool *holds) {
  ncc_status status = NCC_OK;
  const bool boxes = ncc_masked_box_serves(task);
  ncc_proposal_reset(proposal);
  if (!a->masked_fast) NCC_TRY(ncc_cpu_masked_create(&a->masked_context, &a->masked_fast));
  if (!a->masked_box) NCC_TRY(ncc_masked_box_create(a->masked_fast->cpu, &a->masked_box));
  if (boxes) {
    NCC_TRY(ncc_masked_box_propose(a->masked_box, task, a->search->min_overlap, proposal, &first->y, &first->x));
    first->known = true;
  } else if (!task->tmpl->flat) {
    NCC_TRY(ncc_cpu_masked_propose(a->masked_fast, task, a->search->min_overlap, proposal));
    first->known = a->masked_fast->nowhere;
  }
  *holds = first->known && (first->y < 0 || task->tmpl->flat);
  if (proposal->count > 0)
    *holds = decide(a, task, proposal, 1, result) && (first->known || result->status != NCC_PAIR_FLAT);

cleanup:
  return status;
}

/** By float64 transforms. */
static ncc_status answer_masked_slowly(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, beginning *first,
                                       ncc_result *result) {
  ncc_status status = NCC_OK;
  ncc_task known = *task;
  known.again = a->masked_slow;
  a->masked_slow = true;
  NCC_TRY(ncc_masked_propose(a->masked, &known, a->search->min_overlap, proposal, &first->y, &first->x));
  first->known = true;
  if (first->y >= 0 && !task->tmpl->flat) decide(a, task, proposal, 1, result);

cleanup:
  return status;
}

ncc_status ncc_answer_masked(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, ncc_result *result) {
  ncc_status status = NCC_OK;
  beginning first = {-1, -1, false};
  bool holds = false;
  const bool flat = task->tmpl->flat;
  if (!task->again) a->masked_slow = false;
  if (!a->masked_slow) NCC_TRY(answer_masked_fast(a, task, proposal, &first, result, &holds));
  if (!holds) {
    a->counters->second_tier += !a->masked_slow && !flat;
    NCC_TRY(answer_masked_slowly(a, task, proposal, &first, result));
  }
  if (first.known && first.y < 0) {
    if (!flat) *result = ncc_result_none(NCC_PAIR_MASKED);
  } else if (flat || result->status == NCC_PAIR_FLAT) {
    result->y = first.y;
    result->x = first.x;
  }

cleanup:
  return status;
}

/** The best position outside the squares around the first n of a->found, as a->found[n].
 *  @param[in]  flat  the pair is 0 wherever it is searched
 *  @param[out] kind  its status; NCC_PAIR_INVALID where no position is left */
static ncc_status find_another(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, bool flat, int n,
                               uint8_t *kind) {
  ncc_status status = NCC_OK;
  const int64_t r = ncc_separation_px(a->search);
  const ncc_peak *last = &a->found[n - 1];
  a->exclude[n - 1] = (ncc_rect){last->y - r, last->x - r, last->y + r + 1, last->x + r + 1};
  ncc_geometry elsewhere = *task->geometry;
  elsewhere.exclude = a->exclude;
  elsewhere.n_exclude = n;
  ncc_result result = {.status = NCC_PAIR_FLAT};
  ncc_task again = *task;
  again.geometry = &elsewhere;
  again.again = true;
  if (is_masked(task)) {
    result.y = -1;
    NCC_TRY(ncc_answer_masked(a, &again, proposal, &result));
    if (result.y < 0) result.status = NCC_PAIR_INVALID;
  } else if (!ncc_geometry_first(&elsewhere, &result.y, &result.x)) {
    result.status = NCC_PAIR_INVALID;
  } else if (!flat) {
    ncc_proposal_reset(proposal);
    NCC_TRY(a->engine->propose(a->state, 1, &again, proposal));
    NCC_TRY(ncc_answer_decide(a, &again, proposal, &result));
  }
  a->found[n] = (ncc_peak){result.y, result.x, result.peak};
  *kind = result.status;

cleanup:
  return status;
}

static void add_quality(ncc_answerer *a, const ncc_task *task, ncc_result *result, const ncc_peak *second) {
  const ncc_result none = ncc_result_none(NCC_PAIR_OK);
  result->subpixel_y = none.subpixel_y;
  result->subpixel_x = none.subpixel_x;
  result->curvature_y = none.curvature_y;
  result->curvature_x = none.curvature_x;
  result->second_y = second ? second->y : none.second_y;
  result->second_x = second ? second->x : none.second_x;
  result->second_peak = second ? second->value : none.second_peak;
  if (result->status != NCC_PAIR_OK) return;
  ncc_case c = {a->evaluator, task->image, task->tmpl, task->geometry, a->search->eps, a->search->min_overlap, 0,
                a->counters,  -2};
  const double t0 = ncc_clock_s();
  ncc_subpixel(&c, result);
  a->counters->certify_s += ncc_clock_s() - t0;
}

ncc_status ncc_answer_more(ncc_answerer *a, const ncc_task *task, ncc_proposal *proposal, ncc_result *result,
                           ncc_peak *peaks) {
  ncc_status status = NCC_OK;
  const bool flat = result->status == NCC_PAIR_FLAT, second = a->search->quality && result->status == NCC_PAIR_OK;
  const int listed = peaks ? a->search->peaks : 1;
  const int wanted = result->status == NCC_PAIR_UNCERTAIN ? 1 : second && listed < 2 ? 2 : listed;
  int n = 1;
  a->found[0] = (ncc_peak){result->y, result->x, result->peak};
  for (; n < wanted; n++) {
    uint8_t kind;
    NCC_TRY(find_another(a, task, proposal, flat, n, &kind));
    if (kind == NCC_PAIR_INVALID) break;
    if (kind == NCC_PAIR_UNCERTAIN && n < listed) {
      result->status = NCC_PAIR_UNCERTAIN;
      break;
    }
  }
  if (peaks) memcpy(peaks, a->found, (size_t)ncc_min(n, listed) * sizeof *peaks);
  if (a->search->quality) add_quality(a, task, result, second && n > 1 ? &a->found[1] : NULL);

cleanup:
  return status;
}
