/** What the tests of synthetic data share: making a series, reading its pixels, and an NCC of their own. */
#ifndef NCC_TESTS_SYNTH_CASES_H
#define NCC_TESTS_SYNTH_CASES_H

#include <math.h>
#include <string.h>

#include "check.h"
#include "synth/series.h"

static inline ncc_synth *start(ncc_synth_preset preset, uint64_t seed, ncc_dtype dtype, bool subpixel_shift) {
  const ncc_synth_options options = {
      .preset = preset, .dtype = dtype, .seed = seed, .noise = NCC_SYNTH_NOISE, .subpixel_shift = subpixel_shift};
  ncc_synth *synth;
  CHECK(ncc_synth_create(&options, &synth) == NCC_OK, "%s", ncc_error_message());
  return synth;
}

static inline double half_value(uint16_t bits) {
  const double fraction = bits & 0x3ff;
  const int exponent = (bits >> 10) & 0x1f;
  CHECK(exponent != 0x1f, "an infinite or NaN half");
  return (bits >> 15 ? -1 : 1) * (exponent ? ldexp(1 + fraction / 1024, exponent - 15) : ldexp(fraction, -24));
}

static inline double pixel(const ncc_array *a, int64_t y, int64_t x) {
  const int64_t i = y * a->row_stride + x;
  switch (a->dtype) {
    case NCC_U8:
      return ((const uint8_t *)a->data)[i];
    case NCC_I8:
      return ((const int8_t *)a->data)[i];
    case NCC_U16:
      return ((const uint16_t *)a->data)[i];
    case NCC_I16:
      return ((const int16_t *)a->data)[i];
    case NCC_U32:
      return ((const uint32_t *)a->data)[i];
    case NCC_I32:
      return ((const int32_t *)a->data)[i];
    case NCC_F16:
      return half_value(((const uint16_t *)a->data)[i]);
    case NCC_F32:
      return ((const float *)a->data)[i];
    case NCC_F64:
      return ((const double *)a->data)[i];
    default:
      return NAN;
  }
}

/** All pixels as float64, malloc'd, with a frame of zeros. */
static inline double *unpack(const ncc_array *a, int64_t frame_rows, int64_t frame_cols) {
  const int64_t cols = a->cols + 2 * frame_cols;
  double *values = calloc((size_t)((a->rows + 2 * frame_rows) * cols), sizeof *values);
  CHECK(values, "no memory");
  for (int64_t y = 0; y < a->rows; ++y)
    for (int64_t x = 0; x < a->cols; ++x) values[(y + frame_rows) * cols + x + frame_cols] = pixel(a, y, x);
  return values;
}

/** The definition, term by term: NCC of a template [m, n] with the window at `window` in an array of the given width.
 */
static inline double ncc_by_definition(const double *window, int64_t width, const double *templ, int64_t m, int64_t n) {
  long double mean_w = 0, mean_t = 0, ww = 0, tt = 0, wt = 0;
  for (int64_t y = 0; y < m; ++y)
    for (int64_t x = 0; x < n; ++x) {
      mean_w += window[y * width + x];
      mean_t += templ[y * n + x];
    }
  mean_w /= m * n;
  mean_t /= m * n;
  for (int64_t y = 0; y < m; ++y)
    for (int64_t x = 0; x < n; ++x) {
      const long double w = window[y * width + x] - mean_w, t = templ[y * n + x] - mean_t;
      ww += w * w;
      tt += t * t;
      wt += w * t;
    }
  return ww > 0 && tt > 0 ? (double)(wt / sqrtl(ww * tt)) : 0;
}

#endif
