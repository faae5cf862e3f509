/** Inner loops of proposals where pixels are masked (cpu/masked.c); compiled and chosen as kernels.h says. They only
 * feed proposals.
 *
 *  Sums are of two rows of positions, packed as transforms leave them: a[2 * x + row]; so are windows, or
 *  their rows lie apart.
 */
#ifndef NCC_KERNELS_MASKED_H
#define NCC_KERNELS_MASKED_H

#include "match/kernels/kernels.h"

/** Bounds of the errors of the sums of a position, in the names of match/masked.c. */
typedef struct ncc_masked_errors {
  float n, s, q, u, v, p;
} ncc_masked_errors;

/** What is known of the image's pixels at positions. */
typedef struct ncc_masked_windows {
  int64_t apart;  /**< from the first row to the second; 0: they are packed */
  float *inverse; /**< 1 / n */
  float *mean;    /**< s / n */
  float *least;   /**< lower bound of ssd, or, negative, minus that where ssd may be more than NCC_MASKED_KNOWN above it
                       (relative); 0: nothing is known, and of sums with errors not even mean and inverse */
} ncc_masked_windows;

#define NCC_MASKED_KNOWN 1e-5f
/** Least where the window is flat, and where nothing is searched. */
#define NCC_MASKED_FLAT 1e35f
#define NCC_MASKED_NOT_SEARCHED 1e36f

/** Sums over the rows of windows, column by column: of masks, of d = pixel * scale - c, of d^2. */
typedef struct ncc_masked_columns {
  double *n, *s, *q;
} ncc_masked_columns;

/** How windows come from prefix sums of columns. */
typedef struct ncc_masked_row {
  int64_t tmpl_cols;
  double need;             /**< n below that is not searched */
  double offset, unit;     /**< a mean is (s / n + offset) * unit */
  double s_error, q_error; /**< of s and q; 0, 0: they are integers without error */
} ncc_masked_row;

typedef struct ncc_masked_kernels {
  /** Zeros where pixels are masked in two packed rows, then squares, if asked for.
   *  @param[in] a, b  [n] masks of the rows, NULL: all is valid  @param[in] reversed  the rows are */
  void (*mask_rows)(const uint8_t *a, const uint8_t *b, int64_t n, bool reversed, bool squared, ncc_c32 *rows);
  /** Adds a row of n pixels to columns, and takes another away. NULL: none. */
  void (*slide)(const double *in, const uint8_t *in_valid, const double *out, const uint8_t *out_valid, int64_t n,
                double scale, double c, const ncc_masked_columns *columns);
  /** out[i + 1] = out[i] + columns[i]. */
  void (*prefix)(const ncc_masked_columns *columns, int64_t n, const ncc_masked_columns *out);
  /** The windows of a row of n positions, out[i]; position i is prefix[i + tmpl_cols] - prefix[i], of which up to
   *  seven more are read. */
  void (*row)(const ncc_masked_columns *prefix, const ncc_masked_row *how, int64_t n, const ncc_masked_windows *out);
  /** Makes the windows of `count` floats, a multiple of 32, of sums too large by 1 / scale.
   *  @param[in] need  n below that is not searched */
  void (*windows)(const float *n, const float *s, const float *q, float scale, const ncc_masked_errors *errors,
                  float need, int64_t count, const ncc_masked_windows *out);
  /** The first block of 16 columns, from `block` to `end`, of which some NCC may exceed the root of threshold2 > 0;
   *  `end`: none. Sums are too large by 1 / scale. */
  int64_t (*next)(const float *p, const float *u, const float *v, float scale, const ncc_masked_windows *windows,
                  const ncc_masked_errors *errors, float threshold2, int64_t block, int64_t end);
} ncc_masked_kernels;

#endif
