/** See arguments.h. */
#include "match/arguments.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "filter/filter.h"
#include "match/turn.h"

enum { MOST_THREADS = 1 << 16, MOST_SIDE = 1 << 30, MOST_TURN = 360000000 };

#define MOST_PIXELS ((int64_t)1 << 48)
#define MOST_BYTES ((int64_t)1 << 60) /* no address space is larger */

ncc_status ncc_check_pointer(const void *pointer, const char *name) {
  return pointer ? NCC_OK : ncc_error_set(NCC_ERR_USAGE, "%s is NULL", name);
}

ncc_status ncc_check_search(const ncc_search *search) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_check_pointer(search, "search"));
  NCC_CHECK(search->crop_y >= 0 && search->crop_x >= 0, NCC_ERR_USAGE, "crop %lld,%lld: expected no negative number",
            (long long)search->crop_x, (long long)search->crop_y);
  // Written so that NaN is refused.
  NCC_CHECK(search->eps >= 0 && search->eps < INFINITY, NCC_ERR_USAGE, "eps %g: expected 0 or more", search->eps);
  NCC_CHECK(search->min_overlap >= 0 && search->min_overlap <= 1, NCC_ERR_USAGE,
            "minimum overlap %g: expected a fraction from 0 to 1", search->min_overlap);
  NCC_CHECK(search->outside == NCC_OUTSIDE_ZERO || search->outside == NCC_OUTSIDE_IGNORE, NCC_ERR_USAGE,
            "outside %d: expected an ncc_outside, 0 or 1", (int)search->outside);
  NCC_CHECK(search->peaks >= 0 && search->peaks <= NCC_PEAKS_MOST, NCC_ERR_USAGE,
            "peaks %d: expected at most %d, and no negative number", search->peaks, NCC_PEAKS_MOST);
  NCC_CHECK(search->separation >= 0, NCC_ERR_USAGE, "separation %d: expected no negative number", search->separation);
  const int64_t from = search->rotate_from, to = search->rotate_to, step = search->rotate_step;
  NCC_CHECK(step >= 0 && (step > 0 || (from == 0 && to == 0)) && from >= -MOST_TURN && from <= to && to <= MOST_TURN,
            NCC_ERR_USAGE, "rotation from %lld to %lld by %lld: expected growing angles within a turn, in 1e-6 degree",
            (long long)from, (long long)to, (long long)step);
  NCC_CHECK(step == 0 || ((to - from) % step == 0 && (to - from) / step < NCC_ANGLES_MOST), NCC_ERR_USAGE,
            "rotation from %lld to %lld by %lld: expected whole steps, fewer than %d", (long long)from, (long long)to,
            (long long)step, NCC_ANGLES_MOST);
  NCC_TRY(ncc_filter_check(search->filters, search->n_filters));

cleanup:
  return status;
}

ncc_status ncc_check_config(const ncc_config *config) {
  ncc_status status = NCC_OK;
  if (!config) return NCC_OK;
  NCC_CHECK(config->threads >= 0 && config->memory_bytes >= 0, NCC_ERR_USAGE,
            "threads %d, memory %lld: expected no negative number", config->threads, (long long)config->memory_bytes);
  NCC_CHECK(config->threads <= MOST_THREADS, NCC_ERR_USAGE, "threads %d: expected at most %d", config->threads,
            MOST_THREADS);
  NCC_CHECK((int)config->fft_effort >= NCC_FFT_MEASURE && (int)config->fft_effort <= NCC_FFT_PATIENT, NCC_ERR_USAGE,
            "fft_effort %d: expected an ncc_fft_effort, %d to %d", (int)config->fft_effort, NCC_FFT_MEASURE,
            NCC_FFT_PATIENT);
  NCC_CHECK(config->device >= 0 && config->streams >= 0 && config->sharers >= 0, NCC_ERR_USAGE,
            "device %d, streams %d, sharers %d: expected no negative number", config->device, config->streams,
            config->sharers);

cleanup:
  return status;
}

ncc_status ncc_check_shape(int64_t rows, int64_t cols, const char *name) {
  ncc_status status = NCC_OK;
  NCC_CHECK(rows > 0 && cols > 0, NCC_ERR_USAGE, "%s: %lld rows, %lld columns: expected at least one of each", name,
            (long long)rows, (long long)cols);
  NCC_CHECK(rows <= MOST_SIDE && cols <= MOST_SIDE && rows <= MOST_PIXELS / cols, NCC_ERR_USAGE,
            "%s: %lld rows, %lld columns: expected at most 2^30 of each and 2^48 pixels", name, (long long)rows,
            (long long)cols);

cleanup:
  return status;
}

ncc_status ncc_check_array(const ncc_array *array, int64_t index) {
  ncc_status status = NCC_OK;
  char name[48] = "image";
  if (index >= 0) snprintf(name, sizeof name, "template %lld", (long long)index);
  NCC_CHECK((unsigned)array->dtype < NCC_DTYPE_COUNT, NCC_ERR_USAGE, "%s: dtype %d: expected an ncc_dtype, 0 to %d",
            name, (int)array->dtype, NCC_DTYPE_COUNT - 1);
  NCC_TRY(ncc_check_shape(array->rows, array->cols, name));
  const bool strided = array->data && array->rows > 1;
  const int64_t stride = strided ? array->row_stride : array->cols, most = MOST_BYTES / (int64_t)sizeof(double);
  NCC_CHECK(stride >= array->cols || stride <= -array->cols, NCC_ERR_USAGE,
            "%s: row stride %lld: expected at least the %lld columns, or at most minus that", name, (long long)stride,
            (long long)array->cols);
  NCC_CHECK(stride >= -most && stride <= most && array->rows <= most / llabs(stride), NCC_ERR_USAGE,
            "%s: %lld rows, %lld pixels apart: expected no more than memory can hold", name, (long long)array->rows,
            (long long)stride);

cleanup:
  return status;
}

ncc_status ncc_check_mask(const ncc_array *mask, const ncc_array *of, int64_t index) {
  ncc_status status = NCC_OK;
  if (!mask->data) return NCC_OK;
  NCC_TRY(ncc_check_array(mask, index));
  NCC_CHECK(mask->rows == of->rows && mask->cols == of->cols, NCC_ERR_USAGE,
            "a mask of %lldx%lld pixels for an array of %lldx%lld", (long long)mask->rows, (long long)mask->cols,
            (long long)of->rows, (long long)of->cols);

cleanup:
  return status;
}

/** What is around templates, and around their masks. */
static ncc_status check_around(const ncc_group *g) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; g->around && i < g->n; i++) {
    const ncc_margins *a = &g->around[i];
    NCC_CHECK(a->above >= 0 && a->left >= 0 && a->below >= 0 && a->right >= 0 && a->above <= MOST_SIDE &&
                  a->left <= MOST_SIDE && a->below <= MOST_SIDE && a->right <= MOST_SIDE,
              NCC_ERR_USAGE, "template %lld: pixels around it: expected no negative number, and at most 2^30",
              (long long)i);
    const ncc_array wide = ncc_array_widen(&g->templates[i], a);
    NCC_TRY(ncc_check_array(&wide, i));
    if (!g->template_masks || !g->template_masks[i].data) continue;
    const ncc_array mask = ncc_array_widen(&g->template_masks[i], a);
    NCC_TRY(ncc_check_array(&mask, i));
  }

cleanup:
  return status;
}

ncc_status ncc_check_match(const ncc_array *image, int64_t n, const ncc_array *templates, const void *out,
                           const char *name) {
  ncc_status status = NCC_OK;
  NCC_CHECK(n >= 0 && n <= MOST_BYTES / (NCC_PEAKS_MOST * (int64_t)sizeof(ncc_result)), NCC_ERR_USAGE,
            "n = %lld: expected a number of templates", (long long)n);
  if (n == 0) return NCC_OK;
  NCC_TRY(ncc_check_pointer(image, "image"));
  NCC_TRY(ncc_check_pointer(templates, "templates"));
  NCC_TRY(ncc_check_pointer(out, name));
  NCC_TRY(ncc_check_array(image, -1));
  for (int64_t i = 0; i < n; i++) NCC_TRY(ncc_check_array(&templates[i], i));

cleanup:
  return status;
}

ncc_status ncc_check_groups(int64_t n, const ncc_group *groups) {
  ncc_status status = NCC_OK;
  NCC_CHECK(n >= 0 && n <= MOST_BYTES / (int64_t)sizeof *groups, NCC_ERR_USAGE, "n = %lld: expected a number of groups",
            (long long)n);
  if (n > 0) NCC_TRY(ncc_check_pointer(groups, "groups"));
  for (int64_t i = 0; i < n; i++) {
    const ncc_group *g = &groups[i];
    NCC_TRY(ncc_check_match(g->image, g->n, g->templates, g->results, "results"));
    NCC_TRY(check_around(g));
  }

cleanup:
  return status;
}
