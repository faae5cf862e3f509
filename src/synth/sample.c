/** See sample.h. */
#include "synth/sample.h"

#include <stdlib.h>
#include <string.h>

/** Keeps a copy of pixels that the series will reuse. */
static ncc_status keep(const ncc_array *pixels, ncc_array *out) {
  const size_t row = (size_t)pixels->cols * ncc_dtype_size(pixels->dtype);
  const size_t stride = (size_t)pixels->row_stride * ncc_dtype_size(pixels->dtype);
  char *data = aligned_alloc(64, ((size_t)pixels->rows * row + 63) / 64 * 64);
  if (!data) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for synthetic pixels");
  for (int64_t y = 0; y < pixels->rows; y++)
    memcpy(data + (size_t)y * row, (const char *)pixels->data + (size_t)y * stride, row);
  *out = *pixels;
  out->data = data;
  out->row_stride = pixels->cols;
  return NCC_OK;
}

ncc_status ncc_synth_sample_make(const ncc_synth_options *options, ncc_synth_sample *out) {
  ncc_status status = NCC_OK;
  ncc_synth *synth = NULL;
  *out = (ncc_synth_sample){0};
  NCC_TRY(ncc_synth_create(options, &synth));
  out->shape = *ncc_synth_get_shape(synth);
  const int64_t n = out->shape.images, k = out->shape.templates;
  out->images = calloc((size_t)n, sizeof *out->images);
  out->templates = calloc((size_t)(n * k), sizeof *out->templates);
  out->answers = calloc((size_t)(n * k), sizeof *out->answers);
  NCC_CHECK(out->images && out->templates && out->answers, NCC_ERR_NOMEM, "out of memory for %lld images",
            (long long)n);
  for (int64_t i = 0; i < n; i++) {
    ncc_array pixels;
    NCC_TRY(ncc_synth_image(synth, i, &pixels));
    NCC_TRY(keep(&pixels, &out->images[i]));
    for (int64_t j = i * k; j < (i + 1) * k; j++) {
      ncc_synth_template(synth, j - i * k, &pixels, &out->answers[j]);
      NCC_TRY(keep(&pixels, &out->templates[j]));
    }
  }
cleanup:
  ncc_synth_destroy(&synth);
  return status;
}

void ncc_synth_sample_clear(ncc_synth_sample *sample) {
  const int64_t n = sample->shape.images, k = sample->shape.templates;
  for (int64_t i = 0; sample->images && i < n; i++) free((void *)sample->images[i].data);
  for (int64_t j = 0; sample->templates && j < n * k; j++) free((void *)sample->templates[j].data);
  free(sample->images);
  free(sample->templates);
  free(sample->answers);
  *sample = (ncc_synth_sample){0};
}

ncc_status ncc_synth_sample_match(const ncc_synth_sample *sample, ncc_matcher *matcher, ncc_result *results,
                                  int64_t *wrong) {
  ncc_status status = NCC_OK;
  const int64_t k = sample->shape.templates;
  *wrong = 0;
  for (int64_t i = 0; i < sample->shape.images; i++)
    NCC_TRY(ncc_matcher_match(matcher, -1, &sample->images[i], k, sample->templates + i * k, NULL, results + i * k));
  for (int64_t j = 0; j < sample->shape.images * k; j++) {
    const ncc_synth_answer *answer = &sample->answers[j];
    *wrong += answer->y >= 0 && (results[j].y != answer->y || results[j].x != answer->x);
  }
cleanup:
  return status;
}
