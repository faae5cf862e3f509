#include "fake_matcher.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "match/memory.h"
#include "match/result.h"
#include "mpi/rank/stop.h"

fake_behaviour fake;

struct ncc_matcher {
  ncc_counters counters;
  const volatile int *stop;
};

static uint64_t checksum(const ncc_array *a) {
  uint64_t hash = 1469598103934665603u;
  size_t row_bytes = (size_t)a->cols * ncc_dtype_size(a->dtype);
  for (int64_t row = 0; row < a->rows; row++) {
    const unsigned char *at = (const unsigned char *)a->data + row * a->row_stride * (int64_t)ncc_dtype_size(a->dtype);
    for (size_t i = 0; i < row_bytes; i++) hash = (hash ^ at[i]) * 1099511628211u;
  }
  return hash;
}

ncc_result fake_answer(const ncc_array *image, const ncc_array *tmpl, const ncc_rect *window) {
  ncc_result r = ncc_result_none(NCC_PAIR_UNREADABLE);
  if (!image->data || !tmpl->data) return r;
  uint64_t image_sum = checksum(image), template_sum = checksum(tmpl) + (window ? (uint64_t)window->x0 : 0);
  r.y = (int64_t)(image_sum % (uint64_t)(image->rows + tmpl->rows - 1));
  r.x = (int64_t)(template_sum % (uint64_t)(image->cols + tmpl->cols - 1));
  r.peak = (double)((image_sum ^ template_sum) % 1000003) / 1000003;
  r.overlap = 1;
  r.status = NCC_PAIR_OK;
  return r;
}

ncc_status ncc_matcher_create(const ncc_search *search, const ncc_config *config, ncc_matcher **out) {
  (void)search;
  *out = calloc(1, sizeof **out);
  if (!*out) return ncc_error_set(NCC_ERR_NOMEM, "out of memory");
  (*out)->stop = config->stop;
  return NCC_OK;
}

void ncc_matcher_destroy(ncc_matcher **matcher) {
  free(*matcher);
  *matcher = NULL;
}

ncc_status ncc_matcher_match(ncc_matcher *matcher, int64_t image_key, const ncc_array *image, int64_t n,
                             const ncc_array *templates, const ncc_rect *windows, ncc_result *results) {
  (void)image_key;
  for (int64_t i = 0; i < n; i++) {
    struct timespec nap = {(time_t)fake.sleep_s, (long)(1e9 * (fake.sleep_s - floor(fake.sleep_s)))};
    if (fake.sleep_s > 0) nanosleep(&nap, NULL);
    while (fake.until && !fake.until()) continue;
    if (matcher->stop && ncc_stop_asked(matcher->stop)) return NCC_ERR_STOPPED;
    if (fake.fail_after > 0 && fake.pairs_done >= fake.fail_after)
      return ncc_error_set(NCC_ERR_NOMEM, "the fake matcher has no memory");
    static const ncc_result nothing = {.peak = 0.5, .second_peak = NAN, .status = NCC_PAIR_OK};
    results[i] = fake.nothing ? nothing : fake_answer(image, &templates[i], windows ? &windows[i] : NULL);
    if (fake.pairs_done < fake.n_first) results[i].status = fake.first[fake.pairs_done];
    fake.pairs_done++;
    matcher->counters.pairs++;
  }
  return NCC_OK;
}

const ncc_peak *ncc_matcher_peaks(const ncc_matcher *matcher) {
  (void)matcher;
  return NULL;
}

ncc_status ncc_matcher_match_groups(ncc_matcher *matcher, int64_t n, const ncc_group *groups) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; i < n && status == NCC_OK; i++) {
    const ncc_group *g = &groups[i];
    status = ncc_matcher_match(matcher, g->image_key, g->image, g->n, g->templates, g->windows, g->results);
  }
  return status;
}

const char *ncc_matcher_device_trouble(const ncc_matcher *matcher) {
  (void)matcher;
  return NULL;
}

const ncc_counters *ncc_matcher_counters(const ncc_matcher *matcher) {
  return &matcher->counters;
}

ncc_status ncc_matcher_memory_masked(const ncc_search *search, const ncc_config *config, int64_t image_rows,
                                     int64_t image_cols, int64_t template_rows, int64_t template_cols, bool masked,
                                     int64_t *bytes) {
  (void)search, (void)config, (void)image_rows, (void)image_cols, (void)template_rows;
  (void)template_cols, (void)masked;
  *bytes = 0;
  return NCC_OK;
}

const ncc_engine_ops *ncc_engine_cpu(void) {
  return NULL;
}

const char *ncc_engine_name(const ncc_engine_ops *engine) {
  (void)engine;
  return "fake";
}
