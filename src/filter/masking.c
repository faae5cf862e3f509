/** See masking.h. */
#include "filter/masking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
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

enum { SEGMENT = 512 }; /* pixels widened at a time */

/** Calls `look` for all pixels in float64, in order, in segments of rows. */
static void each_segment(const ncc_array *pixels, const uint8_t *valid,
                         void (*look)(void *context, const double *p, const uint8_t *valid, int64_t n), void *context) {
  double widened[SEGMENT];
  for (int64_t y = 0; y < pixels->rows; y++)
    for (int64_t x = 0; x < pixels->cols; x += SEGMENT) {
      const int64_t n = ncc_min(pixels->cols - x, SEGMENT);
      ncc_kernels_get()->to_f64(pixels->dtype, ncc_array_at(pixels, y, x), n, widened);
      look(context, widened, valid + y * pixels->cols + x, n);
    }
}

typedef struct range {
  const ncc_kernels *kernels;
  int64_t n;
  double lo, hi, bad;
} range;

static void look_at_range(void *context, const double *p, const uint8_t *valid, int64_t n) {
  range *r = context;
  r->n += r->kernels->valid_range(p, valid, n, &r->lo, &r->hi, &r->bad);
}

typedef struct about {
  const ncc_kernels *kernels;
  double scale, c;
  ncc_lane_sums lanes;
  double s, lost;  // in order
} about;

static void look_at_sums(void *context, const double *p, const uint8_t *valid, int64_t n) {
  about *a = context;
  a->kernels->valid_sums(p, valid, n, a->scale, a->c, &a->lanes);
}

static void look_in_order(void *context, const double *p, const uint8_t *valid, int64_t n) {
  about *a = context;
  for (int64_t i = 0; i < n; i++)
    if (valid[i]) ncc_add_exactly(&a->s, &a->lost, p[i] * a->scale - a->c);
}

/** Sum of what is not negative, as it comes out in order. Summed in any other way, with what rounding loses, it errs by
 *  at most (n u)^2 times itself, and so it does in order: unless a border of rounding is that near, both round alike.
 */
static double sum_as_in_order(const ncc_array *pixels, const uint8_t *valid, double n, about *a) {
  double s = 0, lost = 0;
  for (int k = 0; k < NCC_LANES; k++) ncc_add_exactly(&s, &lost, a->lanes.s[k]);
  for (int k = 0; k < NCC_LANES; k++) lost += a->lanes.p[k];
  const double sum = s + lost, off = (s - sum) + lost, nu = (n + 64) * 0x1p-53, error = 4 * nu * nu * s;
  if (sum + (off + error) == sum && sum + (off - error) == sum) return sum;
  each_segment(pixels, valid, look_in_order, a);
  return a->s + a->lost;
}

ncc_valid_moments ncc_masked_moments(const ncc_array *pixels, const uint8_t *valid) {
  ncc_valid_moments m = {.scale = 1};
  range r = {.kernels = ncc_kernels_get(), .lo = INFINITY, .hi = -INFINITY};
  each_segment(pixels, valid, look_at_range, &r);
  const double n = (double)r.n;
  m.n = r.n;
  m.finite = r.bad == 0;
  if (m.n == 0) r.lo = r.hi = 0;
  if (m.finite) m.scale = ncc_safe_scale(r.lo, r.hi);
  m.lo = r.lo * m.scale;
  m.hi = r.hi * m.scale;
  m.flat = r.lo == r.hi;
  m.mean = m.lo;
  if (!m.finite || m.flat) return m;
  about a = {.kernels = r.kernels, .scale = m.scale, .c = m.lo};
  each_segment(pixels, valid, look_at_sums, &a);
  const double s = sum_as_in_order(pixels, valid, n, &a), q = ncc_lanes_sum(a.lanes.q);
  m.mean = m.lo + s / n;
  m.rest = (m.lo - m.mean) + s / n;
  m.ssd = q - s * s / n;
  if (!(q <= 1024 * m.ssd)) {  // too much of it cancels
    about mean = {.kernels = r.kernels, .scale = m.scale, .c = m.mean};
    each_segment(pixels, valid, look_at_sums, &mean);
    const double off = ncc_lanes_sum(mean.lanes.s) + ncc_lanes_sum(mean.lanes.p);
    m.ssd = fmax(ncc_lanes_sum(mean.lanes.q) - off * off / n, 0);
  }
  return m;
}

/** Of bytes, by far the most masks: those of 255 pieces are counted in bytes. */
static int64_t read_bytes(const uint8_t *row, int64_t n, uint8_t *valid) {
  enum { PIECE = 64 };
  int64_t count = 0, x = 0;
  while (x + PIECE <= n) {
    uint8_t counts[PIECE] = {0};
    const int64_t end = ncc_min(n, x + 255 * PIECE);
    for (; x + PIECE <= end; x += PIECE)
      for (int k = 0; k < PIECE; k++) counts[k] = (uint8_t)(counts[k] + (valid[x + k] = row[x + k] != 0));
    for (int k = 0; k < PIECE; k++) count += counts[k];
  }
  for (; x < n; x++) count += valid[x] = row[x] != 0;
  return count;
}

int64_t ncc_mask_read(const ncc_array *mask, uint8_t *valid) {
  double row[SEGMENT];
  int64_t count = 0;
  if (mask->dtype == NCC_U8) {
    for (int64_t y = 0; y < mask->rows; y++)
      count += read_bytes(ncc_array_at(mask, y, 0), mask->cols, valid + y * mask->cols);
    return count;
  }
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
