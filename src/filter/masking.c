/** See masking.h. */
#include "filter/masking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "match/kernels/kernels.h"

double ncc_safe_scale(double lo, double hi) {
  double largest = fmax(fabs(lo), fabs(hi));
  int exponent = largest > 0 ? ilogb(largest) : 0;
  if (abs(exponent) <= 256) return 1.0;
  return ldexp(1.0, exponent < -1000 ? 1000 : -exponent);  // 2^1000 lifts the smallest denormal far enough
}

/** Sums of pixel * scale - c and its square over the valid pixels, in order. */
static void valid_sums(int64_t n, const double *pixels, const uint8_t *valid, double scale, double c, double *s,
                       double *q) {
  double s_lost = 0, q_lost = 0;
  *s = *q = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!valid[i]) continue;
    const double d = pixels[i] * scale - c;
    ncc_add_exactly(s, &s_lost, d);
    ncc_add_exactly(q, &q_lost, d * d);
  }
  *s += s_lost;
  *q += q_lost;
}

ncc_valid_moments ncc_masked_fill(int64_t n, double *pixels, const uint8_t *valid) {
  ncc_valid_moments m = {.finite = true, .scale = 1};
  double s, q, lo = INFINITY, hi = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    if (!valid[i]) continue;
    m.n++;
    m.finite &= isfinite(pixels[i]) != 0;
    lo = fmin(lo, pixels[i]);
    hi = fmax(hi, pixels[i]);
  }
  if (m.n == 0) lo = hi = 0;
  if (m.finite) m.scale = ncc_safe_scale(lo, hi);
  m.lo = lo * m.scale;
  m.hi = hi * m.scale;
  m.flat = lo == hi;
  m.mean = m.lo;
  if (m.finite && !m.flat) {
    valid_sums(n, pixels, valid, m.scale, m.lo, &s, &q);
    m.mean = m.lo + s / (double)m.n;
    valid_sums(n, pixels, valid, m.scale, m.mean, &s, &q);
    m.rest = s / (double)m.n;
    m.ssd = fmax(q - s * s / (double)m.n, 0);
  }
  for (int64_t i = 0; i < n; i++)
    if (!valid[i]) pixels[i] = m.mean / m.scale;
  return m;
}

int64_t ncc_mask_read(const ncc_array *mask, uint8_t *valid) {
  enum { SEGMENT = 512 };
  double row[SEGMENT];
  int64_t count = 0;
  for (int64_t y = 0; y < mask->rows; y++)
    for (int64_t x = 0; x < mask->cols; x += SEGMENT) {
      const int64_t n = mask->cols - x < SEGMENT ? mask->cols - x : SEGMENT;
      ncc_kernels_get()->to_f64(mask->dtype, ncc_array_at(mask, y, x), n, row);
      for (int64_t i = 0; i < n; i++) count += *valid++ = row[i] != 0;
    }
  return count;
}

static bool is_one_of(double value, const ncc_mask_values *values) {
  for (int i = 0; i < values->n; i++)
    if (value == values->values[i] || (isnan(value) && isnan(values->values[i]))) return true;
  return false;
}

void ncc_mask_by_values(const ncc_array *pixels, const ncc_mask_values *values, uint8_t *valid) {
  enum { SEGMENT = 512 };
  double row[SEGMENT];
  ncc_mask_values rounded = *values;
  for (int i = 0; i < rounded.n && pixels->dtype == NCC_F32; i++) rounded.values[i] = (double)(float)rounded.values[i];
  for (int64_t y = 0; y < pixels->rows; y++)
    for (int64_t x = 0; x < pixels->cols; x += SEGMENT) {
      const int64_t n = pixels->cols - x < SEGMENT ? pixels->cols - x : SEGMENT;
      ncc_kernels_get()->to_f64(pixels->dtype, ncc_array_at(pixels, y, x), n, row);
      for (int64_t i = 0; i < n; i++, valid++)
        if (is_one_of(row[i], &rounded)) *valid = 0;
    }
}

ncc_status ncc_filter_apply_masked(ncc_pool *pool, const ncc_filter *filters, int n, const ncc_array *in,
                                   const uint8_t *valid, ncc_filter_scratch *scratch, float *out) {
  ncc_status status = NCC_OK;
  const int64_t pixels = in->rows * in->cols;
  ncc_array filled = {NULL, NCC_F64, in->rows, in->cols, in->cols};
  double *copy = malloc((size_t)pixels * sizeof *copy);
  NCC_CHECK(copy, NCC_ERR_NOMEM, "out of memory for %lld masked pixels", (long long)pixels);
  for (int64_t y = 0; y < in->rows; y++)
    ncc_kernels_get()->to_f64(in->dtype, ncc_array_at(in, y, 0), in->cols, copy + y * in->cols);
  const ncc_valid_moments m = ncc_masked_fill(pixels, copy, valid);
  filled.data = copy;
  if (m.finite) {
    NCC_TRY(ncc_filter_apply(pool, filters, n, &filled, scratch, out));
  } else {
    for (int64_t i = 0; i < pixels; i++) out[i] = NAN;
  }

cleanup:
  free(copy);
  return status;
}
