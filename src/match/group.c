/** A group of templates on one image: prepares pixels, lets the engine propose, has the judge decide, and gives every
 * pair its status. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "filter/masking.h"
#include "match/evaluate_overlap.h"
#include "match/judge.h"
#include "match/masked.h"
#include "match/matcher.h"
#include "match/memory.h"
#include "match/result.h"

enum { CANDIDATES = 4096 };

static ncc_status reserve_batch(ncc_matcher *m, int batch) {
  ncc_status status = NCC_OK;
  if (batch <= m->batch) return NCC_OK;
  ncc_prepared *templates = realloc(m->templates, (size_t)batch * sizeof *templates);
  if (templates) m->templates = templates;
  ncc_buffer *filtered = realloc(m->filtered, (size_t)batch * sizeof *filtered);
  if (filtered) m->filtered = filtered;
  ncc_task *tasks = realloc(m->tasks, (size_t)batch * sizeof *tasks);
  if (tasks) m->tasks = tasks;
  ncc_proposal *proposals = realloc(m->proposals, (size_t)batch * sizeof *proposals);
  if (proposals) m->proposals = proposals;
  int64_t *indices = realloc(m->indices, (size_t)batch * sizeof *indices);
  if (indices) m->indices = indices;
  NCC_CHECK(templates && filtered && tasks && proposals && indices, NCC_ERR_NOMEM,
            "out of memory for a batch of %d templates", batch);
  for (; m->batch < batch; m->batch++) {
    m->templates[m->batch] = (ncc_prepared){0};
    m->filtered[m->batch] = (ncc_buffer){0};
    m->proposals[m->batch] = (ncc_proposal){0};
    NCC_TRY(ncc_proposal_create(CANDIDATES, &m->proposals[m->batch]));
  }

cleanup:
  return status;
}

static bool is_masked(const ncc_prepared *image, const ncc_prepared *tmpl) {
  return image->valid || tmpl->valid;
}

/** Where the peaks of a template go; NULL where no list is asked for. */
static ncc_peak *peaks_of(const ncc_matcher *m, int64_t index) {
  return m->lists ? m->lists + index * m->search.peaks : NULL;
}

/** Where the greatest peak is noted of the angles of a pair that are tried; NULL where an entry is a pair. */
static _Atomic double *best_of(const ncc_matcher *m, int64_t index) {
  return m->turned ? m->turned[index].best : NULL;
}

void ncc_matcher_conclude(ncc_matcher *m, const ncc_prepared *tmpl, const ncc_geometry *g, int64_t index) {
  ncc_result *result = &m->results[index];
  _Atomic double *best = best_of(m, index);
  result->overlap = result->y >= 0 ? ncc_valid_overlap(&m->image, tmpl, result->y, result->x) : NAN;
  result->at_border = result->y >= 0 && ncc_geometry_at_border(g, result->y, result->x);
  if (m->turned && ncc_result_has_peak(result->status))
    result->angle = ncc_turn_degrees(m->turning.turns[m->turned[index].turn].micro);
  if (best && result->status == NCC_PAIR_OK) ncc_best_raise(best, result->peak);
  m->counters.pairs += !best;
}

/** An entry is decided: finds what else is asked for. Of an angle that is tried nothing else is. */
static ncc_status complete(ncc_matcher *m, const ncc_task *task, ncc_proposal *proposal, int64_t index,
                           ncc_result *result) {
  ncc_status status = NCC_OK;
  if (!best_of(m, index) && ncc_result_has_peak(result->status))
    NCC_TRY(ncc_answer_more(&m->answerer, task, proposal, result, peaks_of(m, index)));
  m->results[index] = *result;
  ncc_matcher_conclude(m, task->tmpl, task->geometry, index);

cleanup:
  return status;
}

ncc_status ncc_matcher_decide(void *user, int64_t i) {
  ncc_status status = NCC_OK;
  ncc_matcher *m = user;
  int64_t at = m->first + i;
  ncc_result result = ncc_result_none(NCC_PAIR_PENDING);
  NCC_TRY(ncc_answer_decide(&m->answerer, &m->tasks[at], &m->proposals[at], &result));
  NCC_TRY(complete(m, &m->tasks[at], &m->proposals[at], m->indices[at], &result));

cleanup:
  return status;
}

/** The device does not take (all of) a batch, or is gone: the CPU engine does what is not yet decided.
 *  @param[in] why  NCC_OK: the device's engine does not know how */
static ncc_status run_on_cpu(ncc_matcher *m, int n, ncc_status why) {
  ncc_status status = NCC_OK;
  const ncc_engine_ops *cpu = ncc_engine_cpu(), *device = m->answerer.engine;
  void *device_state = m->answerer.state;
  m->device_lost = why == NCC_ERR_DEVICE;
  if (m->device_lost)
    snprintf(m->device_message, sizeof m->device_message, "the GPU is given up: %s", ncc_error_message());
  else if (!m->device_message[0] && why == NCC_OK)
    snprintf(m->device_message, sizeof m->device_message,
             "the GPU engine has zeros outside the image, these pairs nothing");
  else if (!m->device_message[0])
    snprintf(m->device_message, sizeof m->device_message, "pairs do not fit on the GPU: %s", ncc_error_message());
  if (!m->cpu_state) NCC_TRY(cpu->create(&m->context, &m->cpu_state));
  m->answerer.engine = cpu;
  m->answerer.state = m->cpu_state;
  for (int i = 0; i < n; i++) {
    if (m->results[m->indices[i]].status != NCC_PAIR_PENDING) continue;
    m->first = i;
    ncc_proposal_reset(&m->proposals[i]);
    status = cpu->propose(m->cpu_state, 1, &m->tasks[i], &m->proposals[i]);
    if (status != NCC_OK) break;
    m->counters.cpu_fallback++;
  }
  if (m->device_lost) {
    m->device_engine = device;
    m->device_state = device_state;
    m->cpu_state = NULL;
  } else {
    m->answerer.engine = device;
    m->answerer.state = device_state;
  }

cleanup:
  return status;
}

static ncc_status run_batch(ncc_matcher *m, int n) {
  for (int i = 0; i < n; i++) ncc_proposal_reset(&m->proposals[i]);
  m->first = 0;
  const ncc_engine_ops *engine = m->answerer.engine;
  if (m->tasks[0].geometry->ignores_outside && !engine->ignores_outside) return run_on_cpu(m, n, NCC_OK);
  ncc_status status = engine->propose(m->answerer.state, n, m->tasks, m->proposals);
  bool device = engine != ncc_engine_cpu();
  if (device && (status == NCC_ERR_DEVICE || status == NCC_ERR_MEMORY_LIMIT)) status = run_on_cpu(m, n, status);
  return status;
}

/** A template to be done, for sorting by geometry. */
typedef struct ncc_pending {
  int64_t rows, cols, index;
  ncc_rect window;
} ncc_pending;

static int compare_pending(const void *a, const void *b) {
  const ncc_pending *p = a, *q = b;
  const int64_t u[] = {p->rows, p->cols, p->window.y0, p->window.x0, p->window.y1, p->window.x1, p->index};
  const int64_t v[] = {q->rows, q->cols, q->window.y0, q->window.x0, q->window.y1, q->window.x1, q->index};
  for (int i = 0; i < 7; i++)
    if (u[i] != v[i]) return u[i] < v[i] ? -1 : 1;
  return 0;
}

/** Whether an image is the one that its key already stands for, and so is prepared. */
static bool is_current(const ncc_matcher *m, int64_t key, const ncc_array *image) {
  return key >= 0 && key == m->image_key && image->data;
}

ncc_status ncc_matcher_check_key(const ncc_matcher *m, int64_t key, const ncc_array *image) {
  const ncc_array *known = &m->image_pixels;
  if (!is_current(m, key, image) ||
      (known->rows == image->rows && known->cols == image->cols && m->image_dtype == image->dtype))
    return NCC_OK;
  return ncc_error_set(NCC_ERR_USAGE, "image key %lld stood for %lldx%lld pixels of %s, now for %lldx%lld of %s",
                       (long long)key, (long long)known->rows, (long long)known->cols, ncc_dtype_name(m->image_dtype),
                       (long long)image->rows, (long long)image->cols, ncc_dtype_name(image->dtype));
}

ncc_status ncc_matcher_filter(ncc_matcher *m, const ncc_array *in, const ncc_array *mask, ncc_buffer *buffer,
                              ncc_array *pixels) {
  ncc_status status = NCC_OK;
  const ncc_search *s = &m->search;
  uint8_t *valid = NULL;
  *pixels = *in;
  if (s->n_filters == 0 || !in->data) return NCC_OK;
  NCC_TRY(ncc_buffer_reserve(buffer, in->rows * in->cols * (int64_t)sizeof(float), "filtered pixels"));
  NCC_TRY(ncc_mask_take(mask, in, &valid));
  if (valid)
    NCC_TRY(ncc_filter_apply_masked(m->pool, s->filters, s->n_filters, in, valid, &m->filter_scratch, buffer->data));
  else
    NCC_TRY(ncc_filter_apply(m->pool, s->filters, s->n_filters, in, &m->filter_scratch, buffer->data));
  *pixels = (ncc_array){buffer->data, NCC_F32, in->rows, in->cols, in->cols};

cleanup:
  free(valid);
  return status;
}

/** Makes the image current; what was prepared under the same key is kept. */
static ncc_status take_image(ncc_matcher *m, int64_t key, const ncc_array *image) {
  ncc_status status = NCC_OK;
  if (is_current(m, key, image)) {
    if (m->search.n_filters > 0) return NCC_OK;
    m->image_pixels = *image;  // the same pixels, perhaps elsewhere
    if (!m->image.normalised) m->image.pixels = *image;
    return NCC_OK;
  }
  double t0 = ncc_clock_s();
  m->image_key = -1;
  m->image_serial++;
  ncc_prepared_clear(&m->image);
  NCC_TRY(ncc_matcher_filter(m, image, m->image_mask, &m->filtered_image, &m->image_pixels));
  NCC_TRY(ncc_prepared_create_masked(m->pool, &m->image_pixels, m->image_mask, m->search.normalize, &m->image));
  m->image_dtype = image->dtype;
  m->image_key = image->data ? key : -1;
  m->counters.image_s += ncc_clock_s() - t0;

cleanup:
  return status;
}

bool ncc_matcher_settle(const ncc_matcher *m, const ncc_prepared *tmpl, const ncc_geometry *g, ncc_result *result) {
  if (!m->image.pixels.data || !tmpl->pixels.data) {
    *result = ncc_result_none(NCC_PAIR_UNREADABLE);
  } else if (!m->image.finite || !tmpl->finite) {
    *result = ncc_result_none(NCC_PAIR_NONFINITE);
  } else if (tmpl->n_valid == 0) {
    *result = ncc_result_none(NCC_PAIR_MASKED);
  } else if (tmpl->flat) {
    *result = ncc_result_none(NCC_PAIR_FLAT);
    result->peak = 0;
    ncc_geometry_first(g, &result->y, &result->x);
  } else {
    return false;
  }
  return true;
}

/** Whether there is room for a pair that all threads do together; a crew may have to go. */
static ncc_status check_memory(ncc_matcher *m, const ncc_geometry *g, bool masked) {
  const int64_t limit = m->config.memory_bytes;
  if (limit <= 0) return NCC_OK;
  const int64_t bytes = ncc_pair_bytes(&m->search, m->answerer.engine, m->config.threads, masked, g);
  if (bytes > limit)
    return ncc_error_set(NCC_ERR_MEMORY_LIMIT,
                         "an image of %lldx%lld with a template of %lldx%lld needs %s, the limit is %s",
                         (long long)g->image_rows, (long long)g->image_cols, (long long)g->template_rows,
                         (long long)g->template_cols, ncc_size_words((double)bytes), ncc_size_words((double)limit));
  m->together_bytes = ncc_max(m->together_bytes, bytes);
  if (m->crew && m->together_bytes + ncc_crew_bytes(m->crew) > limit) ncc_crew_dismiss(m->crew);
  return NCC_OK;
}

/** A pair with masked pixels, whichever the engine. */
static ncc_status match_masked_pair(ncc_matcher *m, const ncc_run *r, int64_t index, const ncc_array *pixels,
                                    const ncc_array *mask, const ncc_prepared *tmpl, ncc_proposal *proposal) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &r->without_overlap;
  const ncc_engine_ops *engine = m->answerer.engine;
  ncc_result *result = &m->results[index];
  const ncc_task task = {.image = &m->image,
                         .image_serial = m->image_serial,
                         .image_stays = r->image_stays,
                         .tmpl = tmpl,
                         .geometry = g,
                         .best = best_of(m, index)};
  const bool settled = ncc_matcher_settle(m, tmpl, g, result);
  if (!settled && engine->match) {
    NCC_TRY(engine->match(m->answerer.state, &m->search, g, &m->image_pixels, m->image_mask, pixels, mask, result,
                          peaks_of(m, index)));
  } else if (!settled || result->status == NCC_PAIR_FLAT) {
    NCC_TRY(check_memory(m, g, true));
    if (engine != ncc_engine_cpu()) {
      m->counters.cpu_fallback++;
      if (!m->device_message[0])
        snprintf(m->device_message, sizeof m->device_message, "the GPU engine knows no masked pixels");
    }
    NCC_TRY(ncc_answer_masked(&m->answerer, &task, proposal, result));
    NCC_TRY(complete(m, &task, proposal, index, result));
    return NCC_OK;
  }
  ncc_matcher_conclude(m, tmpl, g, index);

cleanup:
  return status;
}

ncc_status ncc_matcher_add(ncc_matcher *m, const ncc_run *r, int64_t index, const ncc_array *pixels,
                           const ncc_array *mask, int *filled) {
  ncc_status status = NCC_OK;
  ncc_prepared *tmpl = &m->templates[*filled];
  ncc_result *result = &m->results[index];
  const ncc_engine_ops *engine = m->answerer.engine;
  const double t0 = ncc_clock_s();
  ncc_prepared_clear(tmpl);
  NCC_TRY(ncc_prepared_create_masked(m->pool, pixels, mask, m->search.normalize, tmpl));
  m->counters.template_s += ncc_clock_s() - t0;
  if (is_masked(&m->image, tmpl)) return match_masked_pair(m, r, index, pixels, mask, tmpl, &m->proposals[*filled]);
  const ncc_task task = {&m->image, m->image_serial, r->image_stays, tmpl, &r->geometry, false, best_of(m, index)};
  if (r->nothing_left) {
    *result = ncc_result_none(NCC_PAIR_INVALID);
    ncc_matcher_conclude(m, tmpl, &r->geometry, index);
  } else if (ncc_matcher_settle(m, tmpl, &r->geometry, result)) {
    NCC_TRY(complete(m, &task, NULL, index, result));
  } else if (engine->match) {
    NCC_TRY(engine->match(m->answerer.state, &m->search, &r->geometry, &m->image_pixels, NULL, pixels, NULL, result,
                          peaks_of(m, index)));
    ncc_matcher_conclude(m, tmpl, &r->geometry, index);
  } else {
    m->indices[*filled] = index;
    m->tasks[*filled] = task;
    ++*filled;
  }

cleanup:
  return status;
}

/** Takes templates of a run, until `batch` tasks have come up that an engine is to propose for. */
static ncc_status fill_batch(ncc_matcher *m, ncc_run *r, const ncc_array *templates, int batch, int *filled) {
  ncc_status status = NCC_OK;
  for (*filled = 0; r->done < r->count && *filled < batch; r->done++) {
    const int64_t index = r->items[r->done].index;
    const ncc_array *mask = m->template_masks ? &m->template_masks[index] : NULL;
    ncc_array pixels;
    if (ncc_stop_came(&m->config)) return NCC_ERR_STOPPED;
    if (m->turned) {
      NCC_TRY(ncc_turning_add(m, r, index, &templates[index], filled));
      continue;
    }
    const double t0 = ncc_clock_s();
    NCC_TRY(ncc_matcher_filter(m, &templates[index], mask, &m->filtered[*filled], &pixels));
    m->counters.template_s += ncc_clock_s() - t0;
    NCC_TRY(ncc_matcher_add(m, r, index, &pixels, mask, filled));
  }

cleanup:
  return status;
}

static ncc_status match_run(ncc_matcher *m, ncc_run *r, const ncc_array *templates) {
  ncc_status status = NCC_OK;
  NCC_TRY(check_memory(m, &r->geometry, false));
  NCC_TRY(ncc_evaluator_reserve(m->answerer.evaluator, r->geometry.template_rows));
  const ncc_engine_ops *engine = m->answerer.engine;
  const int batch = engine->batch ? engine->batch(m->answerer.state, &r->geometry) : 1;
  NCC_TRY(reserve_batch(m, batch));
  while (r->done < r->count) {
    int filled;
    NCC_TRY(fill_batch(m, r, templates, batch, &filled));
    if (filled > 0) NCC_TRY(run_batch(m, filled));
  }

cleanup:
  return status;
}

ncc_status ncc_matcher_match_together(ncc_matcher *m, const ncc_group *group) {
  ncc_status status = NCC_OK;
  const ncc_array *image = group->image, *templates = group->templates;
  const ncc_rect *windows = group->windows;
  const int64_t n = group->n;
  ncc_pending *order = NULL;
  const bool seen = is_current(m, group->image_key, image);
  m->results = group->results;
  m->image_mask = group->image_mask;
  m->template_masks = group->template_masks;
  m->around = group->around;
  m->turned = group->turned;
  m->turning.pair = -1;
  m->lists = m->search.peaks > 0 ? group->peaks : NULL;
  NCC_TRY(ncc_matcher_check_key(m, group->image_key, image));
  NCC_TRY(take_image(m, group->image_key, image));
  order = malloc((size_t)n * sizeof *order);
  NCC_CHECK(order, NCC_ERR_NOMEM, "out of memory for a group of %lld templates", (long long)n);
  for (int64_t i = 0; i < n; i++)
    order[i] = (ncc_pending){templates[i].rows, templates[i].cols, i, windows ? windows[i] : (ncc_rect){0}};
  qsort(order, (size_t)n, sizeof *order, compare_pending);
  for (int64_t i = 0, end; i < n; i = end) {
    const ncc_pending *first = &order[i];
    for (end = i + 1; end < n && order[end].rows == first->rows && order[end].cols == first->cols &&
                      memcmp(&order[end].window, &first->window, sizeof(ncc_rect)) == 0;)
      end++;
    ncc_run r = {.items = first, .count = end - i, .image_stays = seen || end - i > 1};
    const ncc_rect *window = windows ? &first->window : NULL;
    bool some = ncc_geometry_create(&m->search, window, image->rows, image->cols, first->rows, first->cols,
                                    &r.geometry) == NCC_OK;
    if (m->image_mask || m->template_masks) {
      ncc_search any_overlap = m->search;
      any_overlap.min_overlap = 0;
      r.nothing_left = !some;
      some = ncc_geometry_create(&any_overlap, window, image->rows, image->cols, first->rows, first->cols,
                                 &r.without_overlap) == NCC_OK;
      if (r.nothing_left) r.geometry = r.without_overlap;
    }
    if (some) {
      NCC_TRY(match_run(m, &r, templates));
      continue;
    }
    for (int64_t k = i; k < end; k++) {
      m->results[order[k].index] = ncc_result_none(NCC_PAIR_INVALID);
      m->counters.pairs += !best_of(m, order[k].index);
    }
  }

cleanup:
  free(order);
  return status;
}
