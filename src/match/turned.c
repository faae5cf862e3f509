/** Templates that are turned. A pair becomes as many entries of a group as there are angles, which threads share as
 * they share pairs; then the best angle is chosen, and answered in full where more than its peak is wanted. */
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/error.h"
#include "match/matcher.h"
#include "match/result.h"

enum { AT_ONCE = 4096 }; /* entries, but all angles of a pair at least */

// ---- One entry

/** Makes a template the one at work. */
static ncc_status take(ncc_matcher *m, int64_t index, const ncc_array *tmpl) {
  ncc_status status = NCC_OK;
  ncc_turning *t = &m->turning;
  const bool masked = m->image_mask || m->template_masks;
  const ncc_array *mask = m->template_masks ? &m->template_masks[index] : NULL;
  const ncc_margins around = m->around ? m->around[index] : (ncc_margins){0};
  const ncc_array wide = ncc_array_widen(tmpl, &around);
  const ncc_array wide_mask = mask ? ncc_array_widen(mask, &around) : (ncc_array){0};
  ncc_array pixels;
  t->pair = -1;
  ncc_prepared_clear(&t->prepared);
  NCC_TRY(ncc_matcher_filter(m, &wide, mask ? &wide_mask : NULL, &t->upright, &pixels));
  pixels.rows = tmpl->rows;
  pixels.cols = tmpl->cols;
  if (pixels.data) pixels.data = ncc_array_at(&pixels, around.above, around.left);
  NCC_TRY(ncc_prepared_create_masked(m->pool, &pixels, mask, false, &t->prepared));
  if (pixels.data && t->prepared.finite)
    NCC_TRY(ncc_turner_take(&t->turner, &pixels, &around, masked, mask, ncc_prepared_mean_f32(&t->prepared)));
  t->pair = m->turned[index].pair;

cleanup:
  return status;
}

ncc_status ncc_turning_add(ncc_matcher *m, const ncc_run *r, int64_t index, const ncc_array *tmpl, int *filled) {
  ncc_status status = NCC_OK;
  ncc_turning *t = &m->turning;
  const int64_t rows = tmpl->rows, cols = tmpl->cols;
  ncc_buffer *buffer = &m->filtered[*filled];
  const double t0 = ncc_clock_s();
  if (t->pair != m->turned[index].pair) NCC_TRY(take(m, index, tmpl));
  if (!m->image.pixels.data || !t->prepared.pixels.data || !m->image.finite || !t->prepared.finite) {
    ncc_matcher_settle(m, &t->prepared, &r->geometry, &m->results[index]);
    ncc_matcher_conclude(m, &t->prepared, &r->geometry, index);
    return NCC_OK;
  }
  const bool masked = t->turner.masked;
  NCC_TRY(ncc_buffer_reserve(buffer, rows * cols * (int64_t)sizeof(float), "a turned template"));
  if (masked) NCC_TRY(ncc_buffer_reserve(&t->mask, rows * cols, "the mask of a turned template"));
  const ncc_array pixels = {buffer->data, NCC_F32, rows, cols, cols}, mask = {t->mask.data, NCC_U8, rows, cols, cols};
  ncc_turner_turn(&t->turner, m->pool, &t->turns[m->turned[index].turn], buffer->data, masked ? t->mask.data : NULL);
  m->counters.template_s += ncc_clock_s() - t0;
  NCC_TRY(ncc_matcher_add(m, r, index, &pixels, masked ? &mask : NULL, filled));

cleanup:
  return status;
}

// ---- Groups

/** Some pairs at all angles: entry i of a group is its pair i / n at angle i % n. */
typedef struct trial {
  ncc_group *groups;
  ncc_array *templates, *masks;
  ncc_margins *around;
  ncc_rect *windows;
  ncc_turned *turned;
  ncc_result *results;
  _Atomic double *best; /* [pairs] */
} trial;

static void trial_clear(trial *t) {
  free(t->groups);
  free(t->templates);
  free(t->masks);
  free(t->around);
  free(t->windows);
  free(t->turned);
  free(t->results);
  free(t->best);
}

static ncc_status trial_create(int64_t groups, int64_t pairs, int64_t n, trial *t) {
  ncc_status status = NCC_OK;
  const size_t entries = (size_t)(pairs * n);
  *t = (trial){.groups = malloc((size_t)groups * sizeof *t->groups),
               .templates = malloc(entries * sizeof *t->templates),
               .masks = malloc(entries * sizeof *t->masks),
               .around = malloc(entries * sizeof *t->around),
               .windows = malloc(entries * sizeof *t->windows),
               .turned = malloc(entries * sizeof *t->turned),
               .results = malloc(entries * sizeof *t->results),
               .best = malloc((size_t)pairs * sizeof *t->best)};
  NCC_CHECK(t->groups && t->templates && t->masks && t->around && t->windows && t->turned && t->results && t->best,
            NCC_ERR_NOMEM, "out of memory for %lld pairs at %lld angles", (long long)pairs, (long long)n);

cleanup:
  return status;
}

/** Makes the entries of a group, after `pairs` pairs of others. */
static ncc_group trial_of(const trial *t, const ncc_group *g, int64_t pairs, int64_t n) {
  const int64_t first = pairs * n;
  for (int64_t i = 0, at = first; i < g->n; i++) {
    t->best[pairs + i] = -2;
    for (int64_t k = 0; k < n; k++, at++) {
      t->templates[at] = g->templates[i];
      if (g->template_masks) t->masks[at] = g->template_masks[i];
      if (g->around) t->around[at] = g->around[i];
      if (g->windows) t->windows[at] = g->windows[i];
      t->turned[at] = (ncc_turned){k, i, n > 1 ? &t->best[pairs + i] : NULL};
      t->results[at] = ncc_result_none(NCC_PAIR_PENDING);
    }
  }
  ncc_group out = *g;
  out.n = g->n * n;
  out.templates = t->templates + first;
  out.template_masks = g->template_masks ? t->masks + first : NULL;
  out.around = g->around ? t->around + first : NULL;
  out.windows = g->windows ? t->windows + first : NULL;
  out.turned = t->turned + first;
  if (n == 1) return out;  // answered at once
  out.results = t->results + first;
  out.peaks = NULL;
  return out;
}

/** Asks once more for angles of a pair at which the proof gave up, now that the greatest peak is known: what cannot
 * reach that need not be proven, in whichever order threads came by. */
static ncc_status prove_again(ncc_matcher *m, const ncc_group *entries, int64_t i) {
  ncc_status status = NCC_OK;
  const int64_t n = m->turning.n;
  bool changed = *entries->turned[i * n].best > -2;
  while (changed) {
    changed = false;
    for (int64_t k = i * n; k < (i + 1) * n; k++) {
      if (entries->results[k].status != NCC_PAIR_UNCERTAIN) continue;
      const ncc_group again = ncc_group_part(entries, k, k + 1, 0);
      *again.results = ncc_result_none(NCC_PAIR_PENDING);
      NCC_TRY(ncc_matcher_match_together(m, &again));
      changed |= again.results->status != NCC_PAIR_UNCERTAIN;
    }
  }

cleanup:
  return status;
}

/** A pair takes the result of its best angle, of which nothing more is wanted. */
static void settle(const ncc_search *search, const ncc_group *group, int64_t i, const ncc_result *tried, uint8_t kind) {
  ncc_result *result = &group->results[i];
  ncc_peak *peaks = group->peaks ? group->peaks + i * search->peaks : NULL;
  *result = *tried;
  result->status = kind;
  for (int64_t k = 0; peaks && k < search->peaks; k++) peaks[k] = ncc_peak_none();
  if (peaks && ncc_result_has_peak(kind)) peaks[0] = (ncc_peak){result->y, result->x, result->peak};
}

/** Answers groups of which all angles were tried, as trial_of() has it. */
static ncc_status answer(ncc_matcher *m, int64_t count, const ncc_group *groups, const trial *t, int64_t pairs) {
  ncc_status status = NCC_OK;
  const int64_t n = m->turning.n;
  int64_t wanted = 0;
  uint8_t *kinds = malloc((size_t)pairs);
  ncc_turned *turned = malloc((size_t)pairs * sizeof *turned);
  ncc_group *at_best = malloc((size_t)count * sizeof *at_best);
  NCC_CHECK(kinds && turned && at_best, NCC_ERR_NOMEM, "out of memory for the angles of %lld pairs", (long long)pairs);
  for (int64_t g = 0, at = 0; g < count; at += groups[g++].n) {
    at_best[g] = groups[g];
    at_best[g].turned = turned + at;
    for (int64_t i = 0; i < groups[g].n; i++) {
      NCC_TRY(prove_again(m, &t->groups[g], i));
      const int64_t best = ncc_turns_choose(n, t->results + (at + i) * n, &kinds[at + i]);
      turned[at + i] = (ncc_turned){.turn = best, .pair = i};
      wanted += ncc_turns_want_answer(&m->search, kinds[at + i]);
    }
  }
  if (wanted > 0)
    NCC_TRY(ncc_matcher_run(m, count, at_best));
  else
    m->counters.pairs += pairs;
  for (int64_t g = 0, at = 0; g < count; g++)
    for (int64_t i = 0; i < groups[g].n; i++, at++)
      if (!ncc_turns_want_answer(&m->search, kinds[at]))
        settle(&m->search, &groups[g], i, &t->results[at * n + turned[at].turn], kinds[at]);
      else if (kinds[at] == NCC_PAIR_OK && groups[g].results[i].status == NCC_PAIR_FLAT)
        groups[g].results[i].status = NCC_PAIR_OK;

cleanup:
  free(kinds);
  free(turned);
  free(at_best);
  return status;
}

/** Matches groups of so many pairs in all. */
static ncc_status match_some(ncc_matcher *m, int64_t count, const ncc_group *groups, int64_t pairs) {
  ncc_status status = NCC_OK;
  trial t = {0};
  NCC_TRY(trial_create(count, pairs, m->turning.n, &t));
  for (int64_t g = 0, at = 0; g < count; at += groups[g++].n) t.groups[g] = trial_of(&t, &groups[g], at, m->turning.n);
  NCC_TRY(ncc_matcher_run(m, count, t.groups));
  if (m->turning.n > 1) NCC_TRY(answer(m, count, groups, &t, pairs));

cleanup:
  trial_clear(&t);
  return status;
}

ncc_status ncc_turning_match(ncc_matcher *m, int64_t n, const ncc_group *groups) {
  ncc_status status = NCC_OK;
  const int64_t most = ncc_max(1, AT_ONCE / m->turning.n);
  ncc_group *some = malloc((size_t)n * sizeof *some);
  NCC_CHECK(some, NCC_ERR_NOMEM, "out of memory for %lld groups", (long long)n);
  for (int64_t i = 0, at = 0; i < n;) {
    int64_t count = 0, pairs = 0;
    while (i < n && pairs < most) {
      const int64_t next = ncc_min(groups[i].n, at + most - pairs);
      if (next > at) some[count++] = ncc_group_part(&groups[i], at, next, m->search.peaks);
      pairs += next - at;
      at = next < groups[i].n ? next : 0;
      i += at == 0;
    }
    if (count > 0) NCC_TRY(match_some(m, count, some, pairs));
  }

cleanup:
  free(some);
  return status;
}
