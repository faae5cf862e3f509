/** Inner loops, compiled for several instruction sets and chosen at run time, so that one binary serves a mixed
 * cluster.
 *
 *  The files are compiled once per instruction set. Loops marked *exact bytes* fix their summation tree and never
 * contract, so that every instruction set gives the same bits; the others only feed proposals, whose bounds hold for
 * any rounding. MPIXCORR_ISA=plain|avx2|avx512 in the environment asks for less than the machine has (for tests).
 */
#ifndef NCC_KERNELS_H
#define NCC_KERNELS_H

#include <math.h>

#include "mpixcorr.h"

/** Single-precision complex number as FFTW stores it. */
typedef float ncc_c32[2];

enum { NCC_LANES = 8 };    /**< width of the fixed summation tree */
enum { NCC_PART_GAP = 8 }; /**< complex numbers between the parts of a row's spectrum */

/** Sums over a run of pixels; lanes are added up by ncc_lanes_sum(). */
typedef struct ncc_lane_sums {
  double s[NCC_LANES]; /**< sum of d */
  double q[NCC_LANES]; /**< sum of d^2 */
  double p[NCC_LANES]; /**< sum of d * t' */
  double u[NCC_LANES]; /**< sum of t' */
} ncc_lane_sums;

/** Sums over the overlap of window and template, d and t being their pixels about centres. */
typedef struct ncc_overlap_sums {
  double n[NCC_LANES];               /**< pixels */
  double s[NCC_LANES], q[NCC_LANES]; /**< sum of d, of d^2 */
  double u[NCC_LANES], v[NCC_LANES]; /**< sum of t, of t^2 */
  double p[NCC_LANES];               /**< sum of d * t */
} ncc_overlap_sums;

typedef struct ncc_kernels {
  const char *isa;
  /** n pixels to float64, exact. */
  void (*to_f64)(ncc_dtype dtype, const void *pixels, int64_t n, double *out);
  /** Exact bytes: adds n pixels of window and template to sums: d = w * scale - c, t' = (t * t_scale - mean) - rest. */
  void (*dot)(ncc_dtype dtype, const void *w, double scale, double c, ncc_dtype t_dtype, const void *t, double t_scale,
              double mean, double rest, int64_t n, ncc_lane_sums *sums);
  /** Exact bytes: adds n pixels to sums: d = w * scale - c, t' = t * t_scale - t_c, where both are valid (1; 0: not).
   *  Those that are not may be anything.
   *  @param[in] valid, t_valid  [n], or NULL: all are */
  void (*overlap)(const double *w, double scale, double c, const uint8_t *valid, const double *t, double t_scale,
                  double t_c, const uint8_t *t_valid, int64_t n, ncc_overlap_sums *sums);
  /** Looks at the valid ones of n pixels: *lo, *hi take minimum and maximum; *bad becomes NaN if a value is not finite.
   *  @return how many are valid. */
  int64_t (*valid_range)(const double *pixels, const uint8_t *valid, int64_t n, double *lo, double *hi, double *bad);
  /** Adds the valid ones of n pixels, d = p * scale - c, to sums->s, what rounding loses of that to sums->p, and their
   *  squares to sums->q. */
  void (*valid_sums)(const double *pixels, const uint8_t *valid, int64_t n, double scale, double c,
                     ncc_lane_sums *sums);
  /** Exact bytes: adds n pixels times `scale` to sums->s and q; *lo, *hi take minimum and maximum; *bad becomes NaN if
   * a value is not finite. */
  void (*moments)(ncc_dtype dtype, const void *pixels, int64_t n, double scale, double c, ncc_lane_sums *sums,
                  double *lo, double *hi, double *bad);
  /** Two real rows as one complex row: out[i] = (f(a[i]), f(b[i])), f(v) = (float)(((v - c) - rest) * unit); with
   *  `reversed` in reversed order. b NULL: zeros. */
  void (*pack_rows)(ncc_dtype dtype, const void *a, const void *b, int64_t n, double c, double rest, double unit,
                    bool reversed, ncc_c32 *out);
  const struct ncc_spectrum_kernels *spectra; /**< see kernels/spectra.h */
  const struct ncc_filter_kernels *filter;    /**< see kernels/filter.h */
  const struct ncc_turn_kernels *turn;        /**< see kernels/turn.h */
  const struct ncc_cut_kernels *cut;          /**< see kernels/cut.h */
  const struct ncc_window_kernels *windows;   /**< see kernels/windows.h */
  const struct ncc_rim_kernels *rim;          /**< see kernels/rim.h */
  const struct ncc_masked_kernels *masked;    /**< see kernels/masked.h */
  const struct ncc_direct_kernels *direct;    /**< see kernels/direct.h */
  const struct ncc_half_kernels *half;        /**< see kernels/half.h */
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
