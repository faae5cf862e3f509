/** Templates that are turned: one at all angles, the image being prepared once, and the best one's answer. */
#include <math.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/error.h"
#include "match/matcher.h"
#include "match/result.h"

void ncc_turning_note(ncc_matcher *m, const ncc_result *result) {
  if (result->status == NCC_PAIR_OK) m->answerer.floor = fmax(m->answerer.floor, result->peak);
}

/** Adds the template at work, turned by the k-th angle. */
static ncc_status add_turned(ncc_matcher *m, const ncc_run *r, int64_t k, int64_t index, int *filled) {
  ncc_status status = NCC_OK;
  ncc_turner *turner = &m->turning.turner;
  const int64_t rows = turner->rows, cols = turner->cols;
  ncc_buffer *buffer = &m->filtered[*filled];
  if (ncc_stop_came(&m->config)) return NCC_ERR_STOPPED;
  const double t0 = ncc_clock_s();
  NCC_TRY(ncc_buffer_reserve(buffer, rows * cols * (int64_t)sizeof(float), "a turned template"));
  if (turner->masked) NCC_TRY(ncc_buffer_reserve(&m->turning.mask, rows * cols, "the mask of a turned template"));
  const ncc_array pixels = {buffer->data, NCC_F32, rows, cols, cols},
                  mask = {m->turning.mask.data, NCC_U8, rows, cols, cols};
  ncc_turner_turn(turner, m->pool, &m->turning.turns[k], buffer->data, turner->masked ? m->turning.mask.data : NULL);
  m->counters.template_s += ncc_clock_s() - t0;
  NCC_TRY(ncc_matcher_add(m, r, index, &pixels, turner->masked ? &mask : NULL, filled));

cleanup:
  return status;
}

/** Matches the template at work at all angles, to m->turning.results. */
static ncc_status try_turns(ncc_matcher *m, const ncc_run *r, int batch) {
  ncc_status status = NCC_OK;
  ncc_turning *t = &m->turning;
  ncc_result *results = m->results;
  ncc_peak *lists = m->lists;
  m->results = t->results;
  m->lists = NULL;
  t->trying = true;
  for (int64_t k = 0; k < t->n; k++) t->results[k] = ncc_result_none(NCC_PAIR_PENDING);
  for (int64_t k = 0; k < t->n;) {
    int filled = 0;
    for (; k < t->n && filled < batch; k++) NCC_TRY(add_turned(m, r, k, k, &filled));
    if (filled > 0) NCC_TRY(ncc_matcher_run_batch(m, filled));
  }

cleanup:
  m->results = results;
  m->lists = lists;
  m->answerer.floor = -2;
  t->trying = false;
  return status;
}

/** The angle that wins. @param[out] kind  what the pair's status is */
static int64_t choose_turn(const ncc_turning *t, uint8_t *kind) {
  static const ncc_pair_status before[] = {NCC_PAIR_NONFINITE, NCC_PAIR_UNCERTAIN, NCC_PAIR_OK,
                                           NCC_PAIR_FLAT,      NCC_PAIR_MASKED,    NCC_PAIR_INVALID};
  int64_t best = -1;
  bool found = false;
  for (size_t i = 0; i < sizeof before / sizeof before[0] && !found; i++)
    for (int64_t k = 0; k < t->n && !found; k++) {
      *kind = t->results[k].status;
      found = *kind == before[i];
      best = k;
    }
  if (!ncc_result_has_peak(*kind)) return best;
  double greatest = -INFINITY;
  for (int64_t k = 0; k < t->n; k++) greatest = fmax(greatest, t->results[k].peak);  // NaN where there is none
  for (best = 0; !(t->results[best].peak >= greatest - NCC_TIE);) best++;
  return best;
}

/** The answer at the angle that wins; asked for once more where more than the peak is wanted. */
static ncc_status answer_turned(ncc_matcher *m, const ncc_run *r, int64_t k, uint8_t kind, int64_t index) {
  ncc_status status = NCC_OK;
  ncc_result *result = &m->results[index];
  const bool more = m->search.quality || m->lists, proven = kind == NCC_PAIR_OK || kind == NCC_PAIR_FLAT;
  if (m->turning.n == 1 || (more && proven)) {
    int filled = 0;
    NCC_TRY(add_turned(m, r, k, index, &filled));
    if (filled > 0) NCC_TRY(ncc_matcher_run_batch(m, filled));
    if (kind == NCC_PAIR_OK && result->status == NCC_PAIR_FLAT) result->status = kind;
  } else {
    *result = m->turning.results[k];
    result->status = kind;
    if (m->lists && ncc_result_has_peak(kind))
      m->lists[index * m->search.peaks] = (ncc_peak){result->y, result->x, result->peak};
    ncc_matcher_finish(m, m->turning.turner.masked ? &r->without_overlap : &r->geometry, result);
  }
  result->angle = ncc_result_has_peak(result->status) ? ncc_turn_degrees(m->turning.turns[k].micro) : NAN;

cleanup:
  return status;
}

ncc_status ncc_turning_match(ncc_matcher *m, const ncc_run *r, const ncc_array *tmpl, int64_t index, int batch) {
  ncc_status status = NCC_OK;
  ncc_turning *t = &m->turning;
  const bool masked = m->image_mask || m->template_masks;
  const ncc_array *mask = m->template_masks ? &m->template_masks[index] : NULL;
  const ncc_margins around = m->around ? m->around[index] : (ncc_margins){0};
  const ncc_array wide = ncc_array_widen(tmpl, &around);
  const ncc_array wide_mask = mask ? ncc_array_widen(mask, &around) : (ncc_array){0};
  ncc_prepared upright = {0};
  ncc_array pixels;
  int64_t k = 0;
  uint8_t kind = NCC_PAIR_PENDING;
  NCC_TRY(ncc_matcher_filter(m, &wide, mask ? &wide_mask : NULL, &t->upright, &pixels));
  pixels.rows = tmpl->rows;
  pixels.cols = tmpl->cols;
  if (pixels.data) pixels.data = ncc_array_at(&pixels, around.above, around.left);
  NCC_TRY(ncc_prepared_create_masked(m->pool, &pixels, mask, false, &upright));
  if (!m->image.pixels.data || !upright.pixels.data || !m->image.finite || !upright.finite) {
    ncc_matcher_settle(m, &upright, &r->geometry, &m->results[index]);
    ncc_matcher_finish(m, &r->geometry, &m->results[index]);
    goto cleanup;
  }
  NCC_TRY(ncc_turner_take(&t->turner, &pixels, &around, masked, mask, ncc_prepared_mean_f32(&upright)));
  if (t->n > 1) {
    NCC_TRY(try_turns(m, r, batch));
    k = choose_turn(t, &kind);
  }
  NCC_TRY(answer_turned(m, r, k, kind, index));

cleanup:
  ncc_prepared_clear(&upright);
  return status;
}
