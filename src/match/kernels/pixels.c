/** Loops over pixels of any type: conversion, moments, products with a template, rows for a transform; see kernels.h.
 *  Compiled once per instruction set with NCC_ISA naming it. */
#include <math.h>

#include "match/kernels/cut.h"
#include "match/kernels/direct.h"
#include "match/kernels/filter.h"
#include "match/kernels/half.h"
#include "match/kernels/masked.h"
#include "match/kernels/rim.h"
#include "match/kernels/spectra.h"
#include "match/kernels/turn.h"
#include "match/kernels/vec.h"
#include "match/kernels/windows.h"

/** The sums of dot(), eight lanes each. */
typedef struct dot_sums {
  doubles s[PIECES], q[PIECES], p[PIECES], u[PIECES];
} dot_sums;

INLINE void dot_begin(dot_sums *a, const ncc_lane_sums *sums) {
  UNROLL for (int h = 0; h < PIECES; h++) {
    a->s[h] = get(sums->s + h * WIDTH);
    a->q[h] = get(sums->q + h * WIDTH);
    a->p[h] = get(sums->p + h * WIDTH);
    a->u[h] = get(sums->u + h * WIDTH);
  }
}

INLINE void dot_add(dot_sums *a, int h, doubles d, doubles v) {
  a->s[h] += d;
  a->q[h] += d * d;
  a->p[h] += d * v;
  a->u[h] += v;
}

INLINE void dot_end(const dot_sums *a, ncc_lane_sums *sums) {
  UNROLL for (int h = 0; h < PIECES; h++) {
    put(sums->s + h * WIDTH, a->s[h]);
    put(sums->q + h * WIDTH, a->q[h]);
    put(sums->p + h * WIDTH, a->p[h]);
    put(sums->u + h * WIDTH, a->u[h]);
  }
}

INLINE void dot_add_one(ncc_lane_sums *sums, int k, double d, double v) {
  sums->s[k] += d;
  sums->q[k] += d * d;
  sums->p[k] += d * v;
  sums->u[k] += v;
}

enum { MOST_TALLIED = 1024 };

/** Sums over up to MOST_TALLIED bytes. */
typedef struct byte_tally {
  int32_t sum, squares;
  double lo, hi;
} byte_tally;

#if WIDTH > 2
/** Sums of 32 bytes at a time: pairs of 16-bit products are added in 32 bits. Signed bytes are compared as unsigned
 * ones, 128 above. */
typedef struct tally_lanes {
  __m256i sum, squares, lo, hi;
} tally_lanes;

INLINE tally_lanes tally_begin(void) {
  const __m256i zero = _mm256_setzero_si256();
  return (tally_lanes){zero, zero, _mm256_set1_epi8(-1), zero};
}

INLINE void tally_add(tally_lanes *a, const void *p, bool is_signed) {
  const __m256i ones = _mm256_set1_epi16(1), bytes = _mm256_loadu_si256(p);
  const __m256i order = is_signed ? _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)) : bytes;
  a->lo = _mm256_min_epu8(a->lo, order);
  a->hi = _mm256_max_epu8(a->hi, order);
  UNROLL for (int h = 0; h < 2; h++) {
    const __m128i half = _mm_loadu_si128((const __m128i *)p + h);
    const __m256i v = is_signed ? _mm256_cvtepi8_epi16(half) : _mm256_cvtepu8_epi16(half);
    a->sum = _mm256_add_epi32(a->sum, _mm256_madd_epi16(v, ones));
    a->squares = _mm256_add_epi32(a->squares, _mm256_madd_epi16(v, v));
  }
}

INLINE int32_t sum_of_ints(__m256i v) {
  int32_t of[8], sum = 0;
  memcpy(of, &v, sizeof of);
  UNROLL for (int k = 0; k < 8; k++) sum += of[k];
  return sum;
}

/** @param[out] lo, hi  [32] bytes */
INLINE void tally_end(const tally_lanes *a, bool is_signed, int32_t *sum, int32_t *squares, void *lo, void *hi) {
  const __m256i away = _mm256_set1_epi8(is_signed ? -128 : 0);
  *sum = sum_of_ints(a->sum);
  *squares = sum_of_ints(a->squares);
  _mm256_storeu_si256(lo, _mm256_xor_si256(a->lo, away));
  _mm256_storeu_si256(hi, _mm256_xor_si256(a->hi, away));
}
#endif

/** Whether all sums of bytes less c and of their squares are exact in float64, in whatever order: multiples of 2^-24
 *  below 2^29. */
INLINE bool bytes_are_exact_about(double c) {
  return fabs(c) <= 256 && c * 4096 == rint(c * 4096);
}

/** s += sum(v - c), q += sum((v - c)^2). */
INLINE void add_tally(const byte_tally *t, int64_t n, double c, ncc_lane_sums *sums, double *lo, double *hi) {
  const double sum = (double)t->sum, squares = (double)t->squares, count = (double)n;
  sums->s[0] += sum - count * c;
  sums->q[0] += (squares - 2 * c * sum) + count * (c * c);
  *lo = t->lo < *lo ? t->lo : *lo;
  *hi = t->hi > *hi ? t->hi : *hi;
}

#define EACH_TYPE "match/kernels/pixels.inc"
#include "match/kernels/each_type.h"

static void to_f64(ncc_dtype dtype, const void *pixels, int64_t n, double *out) {
  static void (*const of_type[])(const void *, int64_t, double *) = BY_TYPE(to_f64);
  of_type[dtype](pixels, n, out);
}

enum { PIECE = 512 }; /* pixels widened at a time, a multiple of the lanes */

/** Up to PIECE pixels in float64: themselves, or converted into `buffer`. */
static const double *widened(ncc_dtype dtype, const void *pixels, int64_t at, int64_t n, double *buffer) {
  if (dtype == NCC_F64) return (const double *)pixels + at;
  to_f64(dtype, (const char *)pixels + at * (int64_t)ncc_dtype_size(dtype), n, buffer);
  return buffer;
}

static void dot(ncc_dtype dtype, const void *window, double scale, double c, ncc_dtype t_dtype, const void *tmpl,
                double t_scale, double mean, double rest, int64_t n, ncc_lane_sums *sums) {
  static void (*const of_type[])(const void *, double, double, const void *, double, double, double, int64_t,
                                 ncc_lane_sums *) = BY_TYPE(dot);
  if (dtype == t_dtype) {
    of_type[dtype](window, scale, c, tmpl, t_scale, mean, rest, n, sums);
    return;
  }
  double w_buffer[PIECE], t_buffer[PIECE];
  for (int64_t i = 0; i < n; i += PIECE) {
    const int64_t some = n - i < PIECE ? n - i : PIECE;
    const double *w = widened(dtype, window, i, some, w_buffer), *t = widened(t_dtype, tmpl, i, some, t_buffer);
    dot_NCC_F64(w, scale, c, t, t_scale, mean, rest, some, sums);
  }
}

/** All bits where pixels are valid. */
INLINE longs valid_at(const uint8_t *valid) {
  return (longs)(doubles_of_ints(ints_NCC_U8(valid)) != (doubles){0});
}

INLINE doubles doubles_where(longs there, doubles v) {
  return (doubles)((longs)v & there);
}

/** The sums of overlap(), eight lanes each. */
typedef struct overlap_lanes {
  doubles n[PIECES], s[PIECES], q[PIECES], u[PIECES], v[PIECES], p[PIECES];
} overlap_lanes;

/** Adds whole pieces of eight. by_image, by_tmpl: whether there is a mask; constants where this is inlined. */
INLINE void overlap_add(const double *w, double scale, double c, const uint8_t *valid, const double *t, double t_scale,
                        double t_c, const uint8_t *t_valid, int64_t n, bool by_image, bool by_tmpl, overlap_lanes *a) {
  const doubles ones = (doubles){0} + 1.0;
  for (int64_t i = 0; i + NCC_LANES <= n; i += NCC_LANES) UNROLL for (int h = 0; h < PIECES; h++) {
      const int64_t at = i + h * WIDTH;
      doubles one = ones, d = get(w + at) * scale - c, v = get(t + at) * t_scale - t_c;
      if (by_image || by_tmpl) {
        longs there = by_image ? valid_at(valid + at) : valid_at(t_valid + at);
        if (by_image && by_tmpl) there &= valid_at(t_valid + at);
        one = doubles_where(there, one);
        d = doubles_where(there, d);
        v = doubles_where(there, v);
      }
      a->n[h] += one;
      a->s[h] += d;
      a->q[h] += d * d;
      a->u[h] += v;
      a->v[h] += v * v;
      a->p[h] += d * v;
    }
}

static void overlap(const double *w, double scale, double c, const uint8_t *valid, const double *t, double t_scale,
                    double t_c, const uint8_t *t_valid, int64_t n, ncc_overlap_sums *sums) {
  overlap_lanes a;
  UNROLL for (int h = 0; h < PIECES; h++) {
    a.n[h] = get(sums->n + h * WIDTH);
    a.s[h] = get(sums->s + h * WIDTH);
    a.q[h] = get(sums->q + h * WIDTH);
    a.u[h] = get(sums->u + h * WIDTH);
    a.v[h] = get(sums->v + h * WIDTH);
    a.p[h] = get(sums->p + h * WIDTH);
  }
  if (valid && t_valid)
    overlap_add(w, scale, c, valid, t, t_scale, t_c, t_valid, n, true, true, &a);
  else if (valid)
    overlap_add(w, scale, c, valid, t, t_scale, t_c, NULL, n, true, false, &a);
  else if (t_valid)
    overlap_add(w, scale, c, NULL, t, t_scale, t_c, t_valid, n, false, true, &a);
  else
    overlap_add(w, scale, c, NULL, t, t_scale, t_c, NULL, n, false, false, &a);
  const int64_t left = n % NCC_LANES, at = n - left;
  if (left > 0) {
    double of_w[NCC_LANES] = {0}, of_t[NCC_LANES] = {0};
    uint8_t there[NCC_LANES] = {0};
    memcpy(of_w, w + at, (size_t)left * sizeof *w);
    memcpy(of_t, t + at, (size_t)left * sizeof *t);
    for (int k = 0; k < left; k++) there[k] = (!valid || valid[at + k]) && (!t_valid || t_valid[at + k]);
    overlap_add(of_w, scale, c, there, of_t, t_scale, t_c, NULL, NCC_LANES, true, false, &a);
  }
  UNROLL for (int h = 0; h < PIECES; h++) {
    put(sums->n + h * WIDTH, a.n[h]);
    put(sums->s + h * WIDTH, a.s[h]);
    put(sums->q + h * WIDTH, a.q[h]);
    put(sums->u + h * WIDTH, a.u[h]);
    put(sums->v + h * WIDTH, a.v[h]);
    put(sums->p + h * WIDTH, a.p[h]);
  }
}

static int64_t valid_range(const double *p, const uint8_t *valid, int64_t n, double *lo, double *hi, double *bad) {
  const doubles infinite = (doubles){0} + (double)INFINITY;
  doubles low = infinite, high = -infinite, nan = {0};
  int64_t i = 0, count = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    const longs there = valid_at(valid + i);
    const doubles v = get(p + i);
    low = lesser(CHOOSE(doubles, longs, there, v, infinite), low);
    high = greater(CHOOSE(doubles, longs, there, v, -infinite), high);
    nan += doubles_where(there, v * 0.0);
  }
  for (int k = 0; k < WIDTH; k++) {
    *lo = low[k] < *lo ? low[k] : *lo;
    *hi = high[k] > *hi ? high[k] : *hi;
    *bad += nan[k];
  }
  for (; i < n; i++) {
    if (!valid[i]) continue;
    *lo = p[i] < *lo ? p[i] : *lo;
    *hi = p[i] > *hi ? p[i] : *hi;
    *bad += p[i] * 0.0;
  }
  for (i = 0; i < n; i++) count += valid[i];
  return count;
}

/** Adds whole pieces of eight: sums, with what rounding loses of them (Knuth), and squares. */
INLINE void valid_add(const double *p, const uint8_t *valid, int64_t n, double scale, double c, ncc_lane_sums *sums) {
  doubles s[PIECES], q[PIECES], lost[PIECES];
  UNROLL for (int h = 0; h < PIECES; h++) {
    s[h] = get(sums->s + h * WIDTH);
    q[h] = get(sums->q + h * WIDTH);
    lost[h] = get(sums->p + h * WIDTH);
  }
  for (int64_t i = 0; i + NCC_LANES <= n; i += NCC_LANES) UNROLL for (int h = 0; h < PIECES; h++) {
      const int64_t at = i + h * WIDTH;
      const doubles d = doubles_where(valid_at(valid + at), get(p + at) * scale - c), sum = s[h] + d, part = sum - s[h];
      lost[h] += (s[h] - (sum - part)) + (d - part);
      s[h] = sum;
      q[h] += d * d;
    }
  UNROLL for (int h = 0; h < PIECES; h++) {
    put(sums->s + h * WIDTH, s[h]);
    put(sums->q + h * WIDTH, q[h]);
    put(sums->p + h * WIDTH, lost[h]);
  }
}

static void valid_sums(const double *p, const uint8_t *valid, int64_t n, double scale, double c, ncc_lane_sums *sums) {
  const int64_t left = n % NCC_LANES;
  valid_add(p, valid, n, scale, c, sums);
  if (left == 0) return;
  double last[NCC_LANES] = {0};
  uint8_t there[NCC_LANES] = {0};
  memcpy(last, p + n - left, (size_t)left * sizeof *p);
  memcpy(there, valid + n - left, (size_t)left);
  valid_add(last, there, NCC_LANES, scale, c, sums);
}

static void moments(ncc_dtype dtype, const void *pixels, int64_t n, double scale, double c, ncc_lane_sums *sums,
                    double *lo, double *hi, double *bad) {
  static void (*const of_type[])(const void *, int64_t, double, double, ncc_lane_sums *, double *, double *, double *) =
      BY_TYPE(moments);
  of_type[dtype](pixels, n, scale, c, sums, lo, hi, bad);
}

static void pack_rows(ncc_dtype dtype, const void *a, const void *b, int64_t n, double c, double rest, double unit,
                      bool reversed, ncc_c32 *out) {
  static void (*const of_type[])(const void *, const void *, int64_t, double, double, double, bool, ncc_c32 *) =
      BY_TYPE(pack_rows);
  of_type[dtype](a, b, n, c, rest, unit, reversed, out);
}

extern const ncc_spectrum_kernels NCC_CAT(ncc_spectrum_kernels_, NCC_ISA);
extern const ncc_filter_kernels NCC_CAT(ncc_filter_kernels_, NCC_ISA);
extern const ncc_turn_kernels NCC_CAT(ncc_turn_kernels_, NCC_ISA);
extern const ncc_cut_kernels NCC_CAT(ncc_cut_kernels_, NCC_ISA);
extern const ncc_window_kernels NCC_CAT(ncc_window_kernels_, NCC_ISA);
extern const ncc_half_kernels NCC_CAT(ncc_half_kernels_, NCC_ISA);
extern const ncc_rim_kernels NCC_CAT(ncc_rim_kernels_, NCC_ISA);
extern const ncc_masked_kernels NCC_CAT(ncc_masked_kernels_, NCC_ISA);
extern const ncc_direct_kernels NCC_CAT(ncc_direct_kernels_, NCC_ISA);

const ncc_kernels NCC_CAT(ncc_kernels_, NCC_ISA) = {
    .isa = NCC_STR(NCC_ISA),
    .to_f64 = to_f64,
    .dot = dot,
    .overlap = overlap,
    .valid_range = valid_range,
    .valid_sums = valid_sums,
    .moments = moments,
    .pack_rows = pack_rows,
    .spectra = &NCC_CAT(ncc_spectrum_kernels_, NCC_ISA),
    .filter = &NCC_CAT(ncc_filter_kernels_, NCC_ISA),
    .turn = &NCC_CAT(ncc_turn_kernels_, NCC_ISA),
    .cut = &NCC_CAT(ncc_cut_kernels_, NCC_ISA),
    .windows = &NCC_CAT(ncc_window_kernels_, NCC_ISA),
    .half = &NCC_CAT(ncc_half_kernels_, NCC_ISA),
    .rim = &NCC_CAT(ncc_rim_kernels_, NCC_ISA),
    .masked = &NCC_CAT(ncc_masked_kernels_, NCC_ISA),
    .direct = &NCC_CAT(ncc_direct_kernels_, NCC_ISA),
};
