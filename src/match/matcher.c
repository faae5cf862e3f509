/** The matcher: prepares pixels, lets the engine propose, has the judge decide, and gives every pair its status. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "filter/filter.h"
#include "match/answer.h"
#include "match/arguments.h"
#include "match/crew.h"
#include "match/engine.h"
#include "match/judge.h"
#include "match/masked.h"
#include "match/memory.h"
#include "match/result.h"

enum { CANDIDATES = 4096 };

struct ncc_matcher {
  atomic_flag busy;  // a thread is matching
  ncc_search search;
  ncc_config config;
  ncc_counters counters;
  ncc_engine_context context;
  ncc_pool *pool;
  ncc_crew *crew;                       // of the CPU engine, for small pairs; NULL: one thread, or a device
  int64_t together_bytes;               // of the largest pair that all threads have done together
  const ncc_engine_ops *device_engine;  // what `state` of a lost or full device belongs to; NULL: none
  void *device_state;
  void *cpu_state;  // of the CPU engine that stands in for a device; made when it is needed
  bool device_lost;
  char device_message[640];  // why
  ncc_answerer answerer;     // has the engine at work: the CPU engine once a device is lost
  ncc_array image_pixels;    // as given, or filtered; `image` is made of them
  ncc_prepared image;
  ncc_dtype image_dtype;                         // as given
  const ncc_array *image_mask, *template_masks;  // of the call at work; NULL: none
  ncc_filter_scratch filter_scratch;
  ncc_buffer filtered_image;
  int64_t image_key;  // of `image`; -1: none
  int64_t image_serial;
  int batch;  // capacity of the next five
  ncc_buffer *filtered;
  ncc_prepared *templates;
  ncc_task *tasks;
  ncc_proposal *proposals;
  int64_t *indices;  // where the results of the tasks belong
  ncc_peak *peaks;   // [n][search.peaks] of the last match of one group; NULL: no list is asked for
  int64_t peaks_capacity;
  // The batch at work, for decide_task().
  ncc_result *results;
  ncc_peak *lists;  // [n][search.peaks] of the group; NULL: no lists are asked for
  int64_t first;    // of its tasks that the engine was given
};

static ncc_status decide_task(void *user, int64_t i);

const char *ncc_engine_name(const ncc_engine_ops *engine) {
  return engine ? engine->name : "none";
}

const char *ncc_matcher_device_trouble(const ncc_matcher *matcher) {
  return matcher && matcher->device_message[0] ? matcher->device_message : NULL;
}

const ncc_counters *ncc_matcher_counters(const ncc_matcher *matcher) {
  return matcher ? &matcher->counters : NULL;
}

const ncc_peak *ncc_matcher_peaks(const ncc_matcher *matcher) {
  return matcher ? matcher->peaks : NULL;
}

ncc_status ncc_matcher_create(const ncc_search *search, const ncc_config *config, ncc_matcher **out) {
  ncc_status status = NCC_OK;
  ncc_matcher *m = NULL;
  NCC_TRY(ncc_check_pointer(out, "out"));
  *out = NULL;
  NCC_TRY(ncc_check_search(search));
  NCC_TRY(ncc_check_config(config));
  m = calloc(1, sizeof *m);
  NCC_CHECK(m, NCC_ERR_NOMEM, "out of memory for a matcher");
  atomic_flag_clear(&m->busy);
  m->search = *search;
  if (config) m->config = *config;
  m->image_key = -1;
  NCC_TRY(ncc_pool_create(m->config.threads > 0 ? m->config.threads : 1, &m->pool));
  m->context = (ncc_engine_context){&m->config, m->pool, &m->counters, search->eps, decide_task, m};
  NCC_TRY(ncc_answerer_create(&m->context, &m->search, &m->answerer));
  m->answerer.engine = m->config.engine ? m->config.engine : ncc_engine_cpu();
  NCC_TRY(m->answerer.engine->create(&m->context, &m->answerer.state));
  if (m->answerer.engine == ncc_engine_cpu() && ncc_pool_threads(m->pool) > 1)
    NCC_TRY(ncc_crew_create(&m->search, &m->config, m->pool, &m->crew));
  *out = m;
  m = NULL;

cleanup:
  ncc_matcher_destroy(&m);
  return status;
}

void ncc_matcher_destroy(ncc_matcher **matcher) {
  ncc_matcher *m = matcher ? *matcher : NULL;
  if (!m) return;
  *matcher = NULL;
  for (int i = 0; i < m->batch; i++) {
    ncc_prepared_clear(&m->templates[i]);
    ncc_buffer_free(&m->filtered[i]);
    ncc_proposal_clear(&m->proposals[i]);
  }
  free(m->templates);
  free(m->filtered);
  free(m->tasks);
  free(m->proposals);
  free(m->indices);
  free(m->peaks);
  ncc_prepared_clear(&m->image);
  ncc_buffer_free(&m->filtered_image);
  ncc_filter_scratch_free(&m->filter_scratch);
  ncc_crew_destroy(&m->crew);
  if (m->answerer.engine) m->answerer.engine->destroy(m->answerer.state);
  if (m->device_engine) m->device_engine->destroy(m->device_state);
  ncc_engine_cpu()->destroy(m->cpu_state);
  ncc_answerer_clear(&m->answerer);
  ncc_pool_destroy(&m->pool);
  free(m);
}

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

/** A result is final. */
static void finish_result(ncc_matcher *m, const ncc_geometry *g, ncc_result *result) {
  result->at_border = result->y >= 0 && ncc_geometry_at_border(g, result->y, result->x);
  m->counters.pairs++;
}

/** Decides what the engine has just proposed for a task of the batch; called within propose(). */
static ncc_status decide_task(void *user, int64_t i) {
  ncc_status status = NCC_OK;
  ncc_matcher *m = user;
  int64_t at = m->first + i;
  ncc_result result = ncc_result_none(NCC_PAIR_PENDING);
  NCC_TRY(ncc_answer_decide(&m->answerer, &m->tasks[at], &m->proposals[at], &result));
  NCC_TRY(ncc_answer_more(&m->answerer, &m->tasks[at], &m->proposals[at], &result, peaks_of(m, m->indices[at])));
  finish_result(m, m->tasks[at].geometry, &result);
  m->results[m->indices[at]] = result;

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

/** Proposes for and decides n tasks of one geometry. */
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
typedef struct pending {
  int64_t rows, cols, index;
  ncc_rect window;
} pending;

static int compare_pending(const void *a, const void *b) {
  const pending *p = a, *q = b;
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

/** A key that stands for pixels cannot stand for an array of another kind. */
static ncc_status check_key(const ncc_matcher *m, int64_t key, const ncc_array *image) {
  const ncc_array *known = &m->image_pixels;
  if (!is_current(m, key, image) ||
      (known->rows == image->rows && known->cols == image->cols && m->image_dtype == image->dtype))
    return NCC_OK;
  return ncc_error_set(NCC_ERR_USAGE, "image key %lld stood for %lldx%lld pixels of %s, now for %lldx%lld of %s",
                       (long long)key, (long long)known->rows, (long long)known->cols, ncc_dtype_name(m->image_dtype),
                       (long long)image->rows, (long long)image->cols, ncc_dtype_name(image->dtype));
}

/** Pixels as they are to be matched: as given where there are no filters. */
static ncc_status filter(ncc_matcher *m, const ncc_array *in, ncc_buffer *buffer, ncc_array *out) {
  ncc_status status = NCC_OK;
  *out = *in;
  if (m->search.n_filters == 0 || !in->data) return NCC_OK;
  NCC_TRY(ncc_buffer_reserve(buffer, in->rows * in->cols * (int64_t)sizeof(float), "filtered pixels"));
  NCC_TRY(ncc_filter_apply(m->pool, m->search.filters, m->search.n_filters, in, &m->filter_scratch, buffer->data));
  *out = (ncc_array){buffer->data, NCC_F32, in->rows, in->cols, in->cols};
cleanup:
  return status;
}

/** Pixels, filtered and normalised, and what is to be known of them. Of masked ones the filters see the mean of the
 *  others. @param[in] mask  NULL, or data NULL: none */
static ncc_status prepare(ncc_matcher *m, const ncc_array *in, const ncc_array *mask, ncc_buffer *buffer,
                          ncc_array *pixels, ncc_prepared *out) {
  ncc_status status = NCC_OK;
  ncc_prepared filled = {0};
  const bool masked = mask && mask->data && in->data;
  ncc_array seen = *in;
  *pixels = *in;
  if (masked && m->search.n_filters > 0) {
    NCC_TRY(ncc_prepared_create_masked(m->pool, in, mask, false, &filled));
    seen = filled.pixels;
    if (!filled.finite || filled.n_valid == 0) {  // there is nothing to filter
      *out = filled;
      return NCC_OK;
    }
  }
  NCC_TRY(filter(m, &seen, buffer, pixels));
  NCC_TRY(ncc_prepared_create_masked(m->pool, pixels, mask, m->search.normalize, out));

cleanup:
  ncc_prepared_clear(&filled);
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
  NCC_TRY(prepare(m, image, m->image_mask, &m->filtered_image, &m->image_pixels, &m->image));
  m->image_dtype = image->dtype;
  m->image_key = image->data ? key : -1;
  m->counters.image_s += ncc_clock_s() - t0;

cleanup:
  return status;
}

/** Answers what needs no engine. @return true if `result` is final. */
static bool settle_without_engine(const ncc_matcher *m, const ncc_prepared *tmpl, const ncc_geometry *g,
                                  ncc_result *result) {
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
static ncc_status check_memory(ncc_matcher *m, const ncc_geometry *g) {
  const int64_t limit = m->config.memory_bytes;
  if (limit <= 0) return NCC_OK;
  const int64_t bytes = ncc_pair_bytes(&m->search, m->answerer.engine, m->config.threads, g);
  if (bytes > limit)
    return ncc_error_set(NCC_ERR_MEMORY_LIMIT,
                         "an image of %lldx%lld with a template of %lldx%lld needs %s, the limit is %s",
                         (long long)g->image_rows, (long long)g->image_cols, (long long)g->template_rows,
                         (long long)g->template_cols, ncc_size_words((double)bytes), ncc_size_words((double)limit));
  m->together_bytes = ncc_max(m->together_bytes, bytes);
  if (m->crew && m->together_bytes + ncc_crew_bytes(m->crew) > limit) ncc_crew_dismiss(m->crew);
  return NCC_OK;
}

/** Templates of one geometry, in the order of their indices. */
typedef struct run {
  const pending *items;
  int64_t count, done;
  ncc_geometry geometry;
  bool image_stays;
  ncc_geometry without_overlap;  // for masked pairs, of which the valid pixels count
  bool nothing_left;             // for the others, though for these
} run;

/** A pair with masked pixels, whichever the engine. */
static ncc_status match_masked_pair(ncc_matcher *m, const run *r, int64_t index, const ncc_array *pixels,
                                    const ncc_prepared *tmpl, ncc_proposal *proposal, ncc_result *result) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &r->without_overlap;
  const ncc_engine_ops *engine = m->answerer.engine;
  const ncc_task task = {.image = &m->image, .image_serial = m->image_serial, .tmpl = tmpl, .geometry = g};
  const bool settled = settle_without_engine(m, tmpl, g, result);
  if (!settled && engine->match) {
    const ncc_array *mask = m->template_masks ? &m->template_masks[index] : NULL;
    NCC_TRY(engine->match(m->answerer.state, &m->search, g, &m->image_pixels, m->image_mask, pixels, mask, result,
                          peaks_of(m, index)));
  } else if (!settled || result->status == NCC_PAIR_FLAT) {
    NCC_TRY(ncc_answer_masked(&m->answerer, &task, proposal, result));
    if (result->status != NCC_PAIR_MASKED)
      NCC_TRY(ncc_answer_more(&m->answerer, &task, proposal, result, peaks_of(m, index)));
  }
  finish_result(m, g, result);

cleanup:
  return status;
}

/** Prepares templates of a run, and settles those that need no engine's proposal, until `batch` tasks have come up. */
static ncc_status fill_batch(ncc_matcher *m, run *r, const ncc_array *templates, int batch, int *filled) {
  ncc_status status = NCC_OK;
  for (*filled = 0; r->done < r->count && *filled < batch; r->done++) {
    const int64_t index = r->items[r->done].index;
    ncc_prepared *tmpl = &m->templates[*filled];
    ncc_result *result = &m->results[index];
    ncc_array pixels;
    if (ncc_stop_came(&m->config)) return NCC_ERR_STOPPED;
    const double t0 = ncc_clock_s();
    ncc_prepared_clear(tmpl);
    NCC_TRY(prepare(m, &templates[index], m->template_masks ? &m->template_masks[index] : NULL, &m->filtered[*filled],
                    &pixels, tmpl));
    m->counters.template_s += ncc_clock_s() - t0;
    if (is_masked(&m->image, tmpl)) {
      NCC_TRY(match_masked_pair(m, r, index, &pixels, tmpl, &m->proposals[*filled], result));
      continue;
    }
    if (r->nothing_left) {
      *result = ncc_result_none(NCC_PAIR_INVALID);
      m->counters.pairs++;
      continue;
    }
    const bool settled = settle_without_engine(m, tmpl, &r->geometry, result);
    const ncc_engine_ops *engine = m->answerer.engine;
    const ncc_task task = {&m->image, m->image_serial, r->image_stays, tmpl, &r->geometry, false};
    if (!settled && !engine->match) {
      m->indices[*filled] = index;
      m->tasks[*filled] = task;
      ++*filled;
      continue;
    }
    if (!settled)
      NCC_TRY(engine->match(m->answerer.state, &m->search, &r->geometry, &m->image_pixels, NULL, &pixels, NULL, result,
                            peaks_of(m, index)));
    else if (result->status == NCC_PAIR_FLAT)
      NCC_TRY(ncc_answer_more(&m->answerer, &task, NULL, result, peaks_of(m, index)));
    finish_result(m, &r->geometry, result);
  }

cleanup:
  return status;
}

static ncc_status match_run(ncc_matcher *m, run *r, const ncc_array *templates) {
  ncc_status status = NCC_OK;
  NCC_TRY(check_memory(m, &r->geometry));
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

/** Matches the templates of a group by runs of one geometry, all threads together. */
static ncc_status match_group(ncc_matcher *m, const ncc_group *group) {
  ncc_status status = NCC_OK;
  const ncc_array *image = group->image, *templates = group->templates;
  const ncc_rect *windows = group->windows;
  const int64_t n = group->n;
  pending *order = NULL;
  const bool seen = is_current(m, group->image_key, image);
  m->results = group->results;
  m->image_mask = group->image_mask;
  m->template_masks = group->template_masks;
  m->lists = m->search.peaks > 0 ? group->peaks : NULL;
  NCC_TRY(check_key(m, group->image_key, image));
  NCC_TRY(take_image(m, group->image_key, image));
  order = malloc((size_t)n * sizeof *order);
  NCC_CHECK(order, NCC_ERR_NOMEM, "out of memory for a group of %lld templates", (long long)n);
  for (int64_t i = 0; i < n; i++)
    order[i] = (pending){templates[i].rows, templates[i].cols, i, windows ? windows[i] : (ncc_rect){0}};
  qsort(order, (size_t)n, sizeof *order, compare_pending);
  for (int64_t i = 0, end; i < n; i = end) {
    const pending *first = &order[i];
    for (end = i + 1; end < n && order[end].rows == first->rows && order[end].cols == first->cols &&
                      memcmp(&order[end].window, &first->window, sizeof(ncc_rect)) == 0;)
      end++;
    run r = {.items = first, .count = end - i, .image_stays = seen || end - i > 1};
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
    for (int64_t k = i; k < end; k++) m->results[order[k].index] = ncc_result_none(NCC_PAIR_INVALID);
    m->counters.pairs += end - i;
  }

cleanup:
  free(order);
  return status;
}

/** Makes room for the peaks of n templates. */
static ncc_status reserve_peaks(ncc_matcher *m, int64_t n) {
  ncc_status status = NCC_OK;
  const int64_t count = n * m->search.peaks;  // n is that of an array in memory
  if (count <= m->peaks_capacity) return NCC_OK;
  ncc_peak *peaks = realloc(m->peaks, (size_t)count * sizeof *peaks);
  NCC_CHECK(peaks, NCC_ERR_NOMEM, "out of memory for %d peaks of each of %lld templates", m->search.peaks,
            (long long)n);
  m->peaks = peaks;
  m->peaks_capacity = count;

cleanup:
  return status;
}

static ncc_status match_groups(ncc_matcher *m, int64_t n, const ncc_group *groups) {
  ncc_status status = NCC_OK;
  int64_t left = 0;
  const ncc_group **in_work = malloc((size_t)n * sizeof *in_work);
  NCC_CHECK(in_work, NCC_ERR_NOMEM, "out of memory for %lld groups", (long long)n);
  for (int64_t i = 0; i < n; i++)
    if (groups[i].n > 0) NCC_TRY(check_key(m, groups[i].image_key, groups[i].image));
  for (int64_t i = 0; i < n; i++) {
    const ncc_group *g = &groups[i];
    for (int64_t k = 0; k < g->n; k++) g->results[k] = ncc_result_none(NCC_PAIR_PENDING);
    for (int64_t k = 0; g->peaks && k < g->n * m->search.peaks; k++) g->peaks[k] = ncc_peak_none();
    if (g->n > 0) in_work[left++] = g;
  }
  const int64_t limit = m->config.memory_bytes, room = limit > 0 ? ncc_max(limit - m->together_bytes, 1) : 0;
  if (m->crew && left > 0) NCC_TRY(ncc_crew_match(m->crew, room, &left, in_work, &m->counters));
  for (int64_t i = 0; i < left; i++) NCC_TRY(match_group(m, in_work[i]));

cleanup:
  free(in_work);
  return status;
}

static ncc_status check_masks(const ncc_matcher *m, const ncc_group *g) {
  ncc_status status = NCC_OK;
  if (g->n == 0) return NCC_OK;
  NCC_CHECK((!g->image_mask && !g->template_masks) || m->search.outside == NCC_OUTSIDE_IGNORE, NCC_ERR_USAGE,
            "masks where zeros are outside the image: expected NCC_OUTSIDE_IGNORE");
  if (g->image_mask) NCC_TRY(ncc_check_mask(g->image_mask, g->image, -1));
  for (int64_t i = 0; g->template_masks && i < g->n; i++)
    NCC_TRY(ncc_check_mask(&g->template_masks[i], &g->templates[i], i));

cleanup:
  return status;
}

/** Checks what is asked, and keeps others out. @param[in] listed  one group, whose peaks are kept by the matcher */
static ncc_status match_alone(ncc_matcher *m, int64_t n, const ncc_group *groups, bool listed) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_check_pointer(m, "matcher"));
  NCC_TRY(ncc_check_groups(n, groups));
  if (n == 0) return NCC_OK;
  for (int64_t i = 0; i < n; i++) NCC_TRY(check_masks(m, &groups[i]));
  if (atomic_flag_test_and_set(&m->busy))
    return ncc_error_set(NCC_ERR_USAGE, "the matcher is at work in another thread: expected one thread at a time");
  ncc_group one = groups[0];
  if (listed && m->search.peaks > 0) status = reserve_peaks(m, one.n);
  one.peaks = m->peaks;
  if (status == NCC_OK) status = match_groups(m, n, listed ? &one : groups);
  atomic_flag_clear(&m->busy);

cleanup:
  return status;
}

ncc_status ncc_matcher_match_groups(ncc_matcher *m, int64_t n, const ncc_group *groups) {
  return match_alone(m, n, groups, false);
}

ncc_status ncc_matcher_match_masked(ncc_matcher *m, int64_t image_key, const ncc_array *image,
                                    const ncc_array *image_mask, int64_t n, const ncc_array *templates,
                                    const ncc_array *template_masks, const ncc_rect *windows, ncc_result *results) {
  const ncc_group group = {.image_key = image_key,
                           .image = image,
                           .image_mask = image_mask,
                           .n = n,
                           .templates = templates,
                           .template_masks = template_masks,
                           .windows = windows,
                           .results = results};
  return match_alone(m, 1, &group, true);
}

ncc_status ncc_matcher_match(ncc_matcher *m, int64_t image_key, const ncc_array *image, int64_t n,
                             const ncc_array *templates, const ncc_rect *windows, ncc_result *results) {
  return ncc_matcher_match_masked(m, image_key, image, NULL, n, templates, NULL, windows, results);
}
