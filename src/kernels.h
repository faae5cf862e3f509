/** Inner loops, compiled for several instruction sets and chosen at run time, so that one binary serves a mixed
 * cluster.
 *
 *  kernels.c is compiled once per instruction set. Loops marked *exact bytes* fix their summation tree and never
 * contract, so that every instruction set gives the same bits; the others only feed proposals, whose bounds hold for
 * any rounding. MPIXCORR_ISA=plain|avx2|avx512 in the environment asks for less than the machine has (for tests).
 */
#ifndef NCC_KERNELS_H
#define NCC_KERNELS_H

#include <math.h>

#include "mpixcorr.h"

/** Single-precision complex number as FFTW stores it. */
typedef float ncc_c32[2];

enum { NCC_LANES = 8 }; /**< width of the fixed summation tree */

/** Sums over a run of pixels; lanes are added up by ncc_lanes_sum(). */
typedef struct ncc_lane_sums {
  double s[NCC_LANES]; /**< sum of (w - c) */
  double q[NCC_LANES]; /**< sum of (w - c)^2 */
  double p[NCC_LANES]; /**< sum of (w - c) * t' */
  double u[NCC_LANES]; /**< sum of t' */
} ncc_lane_sums;

typedef struct ncc_kernels {
  const char *isa;
  /** n pixels to float64, exact. */
  void (*to_f64)(ncc_dtype dtype, const void *pixels, int64_t n, double *out);
  /** Exact bytes: adds to sums, with t' = (t - mean) - rest. */
  void (*dot)(const double *w, const double *t, int64_t n, double c, double mean, double rest, ncc_lane_sums *sums);
  /** Exact bytes: adds to sums->s and q; *lo, *hi take minimum and maximum; *bad becomes NaN if a value is not finite.
   */
  void (*moments)(const double *w, int64_t n, double c, ncc_lane_sums *sums, double *lo, double *hi, double *bad);
  /** out[i] = (float)(((w[i] - c) - rest) * scale). */
  void (*to_f32)(const double *w, int64_t n, double c, double rest, double scale, float *out);
  /** to_f32 in reversed order. */
  void (*to_f32_reversed)(const double *w, int64_t n, double c, double rest, double scale, float *out);
  /** 8 x n complex to n x 8: out[i * out_stride + r] = in[r * in_stride + i]; n any. */
  void (*spread8)(const ncc_c32 *in, int64_t in_stride, int64_t n, ncc_c32 *out, int64_t out_stride);
  /** n x 8 complex to 8 x n: out[r * out_stride + i] = in[i * in_stride + r]; n any. */
  void (*gather8)(const ncc_c32 *in, int64_t in_stride, int64_t n, ncc_c32 *out, int64_t out_stride);
  /** a[i] *= b[i], complex. */
  void (*multiply)(ncc_c32 *a, const ncc_c32 *b, int64_t n);
  /** Maximum over `rows` rows, then over blocks of 16 columns: out[b]; n a multiple of 16. `scratch` holds n floats. */
  void (*block_max)(const float *rows_data, int64_t stride, int rows, int64_t n, float *scratch, float *out);
  /** Column sums: s[i] += sign * d, q[i] += sign * d * d, mass[i] += d * d if sign > 0; d = w[i] - c. */
  void (*column_add)(const double *w, int64_t n, double c, double sign, double *s, double *q, double *mass);
  /** Window sums of width `width` over values[n + width - 1]: out[i] = sum(values[i .. i+width-1]), by prefix sums that
   *  restart every `width` columns; `scratch` holds n + 2 * width + 8 doubles. */
  void (*window_sum)(const double *values, int64_t n, int64_t width, double *scratch, double *out);
  /** ssd[i], times scale2, of windows from their sums over the overlap (s, q about c); @return the smallest value. */
  float (*window_ssd)(const double *s, const double *q, const double *overlap, int64_t n, double area, double c,
                      double scale2, float *ssd);
} ncc_kernels;

/** The fastest set that this machine runs. Thread-safe. */
const ncc_kernels *ncc_kernels_get(void);

/** The fixed tree over lanes. */
static inline double ncc_lanes_sum(const double l[NCC_LANES]) {
  return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

/** Adds value to (sum, lost) without losing low bits (Neumaier); the result is sum + lost. */
static inline void ncc_add_exactly(double *sum, double *lost, double value) {
  double t = *sum + value;
  *lost += fabs(*sum) >= fabs(value) ? (*sum - t) + value : (value - t) + *sum;
  *sum = t;
}

#endif
