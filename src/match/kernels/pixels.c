/** Loops over pixels of any type: conversion, moments, products with a template, rows for a transform; see kernels.h.
 *  Compiled once per instruction set with NCC_ISA naming it. */
#include <math.h>

#include "match/kernels/cut.h"
#include "match/kernels/filter.h"
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

/** The lanes of a piece that are valid, as 1 and 0, of eight or what is left. */
INLINE void valid_lanes(const uint8_t *valid, const uint8_t *t_valid, int64_t at, int64_t count,
                        double out[NCC_LANES]) {
  for (int k = 0; k < NCC_LANES; k++)
    out[k] = k < count && (!valid || valid[at + k]) && (!t_valid || t_valid[at + k]) ? 1 : 0;
}

static void overlap(const double *w, double scale, double c, const uint8_t *valid, const double *t, double t_scale,
                    double t_c, const uint8_t *t_valid, int64_t n, ncc_overlap_sums *sums) {
  for (int64_t i = 0; i < n; i += NCC_LANES) {
    const int64_t count = n - i < NCC_LANES ? n - i : NCC_LANES;
    double of_w[NCC_LANES] = {0}, of_t[NCC_LANES] = {0}, ones[NCC_LANES];
    memcpy(of_w, w + i, (size_t)count * sizeof *w);
    memcpy(of_t, t + i, (size_t)count * sizeof *t);
    valid_lanes(valid, t_valid, i, count, ones);
    UNROLL for (int h = 0; h < NCC_LANES; h += WIDTH) {
      const doubles one = get(ones + h);
      const doubles d = (get(of_w + h) * scale - c) * one, v = (get(of_t + h) * t_scale - t_c) * one;
      put(sums->n + h, get(sums->n + h) + one);
      put(sums->s + h, get(sums->s + h) + d);
      put(sums->q + h, get(sums->q + h) + d * d);
      put(sums->u + h, get(sums->u + h) + v);
      put(sums->v + h, get(sums->v + h) + v * v);
      put(sums->p + h, get(sums->p + h) + d * v);
    }
  }
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
extern const ncc_rim_kernels NCC_CAT(ncc_rim_kernels_, NCC_ISA);

const ncc_kernels NCC_CAT(ncc_kernels_, NCC_ISA) = {
    .isa = NCC_STR(NCC_ISA),
    .to_f64 = to_f64,
    .dot = dot,
    .overlap = overlap,
    .moments = moments,
    .pack_rows = pack_rows,
    .spectra = &NCC_CAT(ncc_spectrum_kernels_, NCC_ISA),
    .filter = &NCC_CAT(ncc_filter_kernels_, NCC_ISA),
    .turn = &NCC_CAT(ncc_turn_kernels_, NCC_ISA),
    .cut = &NCC_CAT(ncc_cut_kernels_, NCC_ISA),
    .windows = &NCC_CAT(ncc_window_kernels_, NCC_ISA),
    .rim = &NCC_CAT(ncc_rim_kernels_, NCC_ISA),
};
