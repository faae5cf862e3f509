/** The matcher: its life, and what callers ask of it. */
#include "match/matcher.h"

#include <stdlib.h>

#include "base/error.h"
#include "match/answer.h"
#include "match/arguments.h"
#include "match/crew.h"
#include "match/result.h"

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
  m->context = (ncc_engine_context){&m->config, m->pool, &m->counters, search->eps, ncc_matcher_decide, m};
  if (ncc_search_turns(search)) {
    m->turning.n = ncc_turns_count(search);
    NCC_TRY(ncc_turns_list(search, &m->turning.turns));
  }
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
  free(m->turning.turns);
  ncc_prepared_clear(&m->turning.prepared);
  ncc_turner_clear(&m->turning.turner);
  ncc_buffer_free(&m->turning.upright);
  ncc_buffer_free(&m->turning.mask);
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

ncc_status ncc_matcher_run(ncc_matcher *m, int64_t n, const ncc_group *groups) {
  ncc_status status = NCC_OK;
  int64_t left = 0;
  const ncc_group **in_work = malloc((size_t)n * sizeof *in_work);
  NCC_CHECK(in_work, NCC_ERR_NOMEM, "out of memory for %lld groups", (long long)n);
  for (int64_t i = 0; i < n; i++)
    if (groups[i].n > 0) in_work[left++] = &groups[i];
  const int64_t limit = m->config.memory_bytes, room = limit > 0 ? ncc_max(limit - m->together_bytes, 1) : 0;
  if (m->crew && left > 0) NCC_TRY(ncc_crew_match(m->crew, room, &left, in_work, &m->counters));
  for (int64_t i = 0; i < left; i++) NCC_TRY(ncc_matcher_match_together(m, in_work[i]));

cleanup:
  free(in_work);
  return status;
}

static bool at_all_angles(const ncc_matcher *m, const ncc_group *g) {
  return m->turning.turns && !g->turned;
}

static ncc_status match_groups(ncc_matcher *m, int64_t n, const ncc_group *groups) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; i < n; i++)
    if (groups[i].n > 0) NCC_TRY(ncc_matcher_check_key(m, groups[i].image_key, groups[i].image));
  for (int64_t i = 0; i < n; i++) {
    const ncc_group *g = &groups[i];
    for (int64_t k = 0; k < g->n; k++) g->results[k] = ncc_result_none(NCC_PAIR_PENDING);
    for (int64_t k = 0; g->peaks && k < g->n * m->search.peaks; k++) g->peaks[k] = ncc_peak_none();
    for (int64_t k = 0; g->turned && k < g->n; k++)
      NCC_CHECK(g->turned[k].turn >= 0 && g->turned[k].turn < m->turning.n, NCC_ERR_USAGE,
                "angle %lld found, expected one of %lld", (long long)g->turned[k].turn, (long long)m->turning.n);
  }
  for (int64_t i = 0, end; i < n; i = end) {  // those that are shared apart are as they should be
    const bool all = at_all_angles(m, &groups[i]);
    for (end = i + 1; end < n && at_all_angles(m, &groups[end]) == all;) end++;
    NCC_TRY(all ? ncc_turning_match(m, end - i, &groups[i]) : ncc_matcher_run(m, end - i, &groups[i]));
  }

cleanup:
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
