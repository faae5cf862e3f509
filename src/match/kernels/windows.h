/** Inner loops of the window statistics (stats.c), by strips of eight rows; compiled and chosen as kernels.h says.
 *
 *  Arrays of a strip are column by column: a[8 * x + row].
 */
#ifndef NCC_KERNELS_WINDOWS_H
#define NCC_KERNELS_WINDOWS_H

#include "mpixcorr.h"

/** Image rows that enter and leave the windows from row to row of a strip; NULL: none. */
typedef struct ncc_strip_rows {
  const void *in[8], *out[8];
  int64_t ahead_bytes; /**< from a row that enters to the one eight rows further down, which is wanted next */
} ncc_strip_rows;

/** Column sums of a strip, summed along its rows; these running sums restart at columns 0, period, 2 period ... */
typedef struct ncc_strip_sums {
  double *sums, *squares; /**< [8 * width] */
  int64_t first;          /**< the first column that lies on the image */
  int64_t width, period;  /**< all columns; those of a window */
} ncc_strip_sums;

/** What the windows of a strip overlap of the image: rows[r] * cols[i] pixels. */
typedef struct ncc_strip_overlap {
  double rows[8], inverse_rows[8]; /**< 1 where not valid */
  int32_t valid[8];                /**< -1: searched, 0: not */
  const double *cols, *inverse_cols;
  double template_rows, template_cols;
} ncc_strip_overlap;

typedef struct ncc_window_kernels {
  /** Sums over cells of 16 columns and the rows that are given: s[b] of d(v) = v * scale - c, q[b] of its square. */
  void (*cell_sums)(ncc_dtype dtype, const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s,
                    double *q);
  /** Slides column sums of n image columns down eight rows: s += d(in) - d(out), q likewise with squares, mass +=
   *  d(in)^2, d(v) = v * scale - c; s, q, mass hold n rounded up to 8. out NULL: only that; otherwise rows one by one,
   *  and their running sums are written. */
  void (*column_strip)(ncc_dtype dtype, const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s,
                       double *q, double *mass, const ncc_strip_sums *out);
  /** ssd[8 * (at + i) + r], times scale2, of n windows in each of eight rows, sums being about c; 0 in rows that are
   * not valid. least[b]: the smallest value of the valid rows in columns 16 b .. of ssd, all zeros and negatives
   * included.
   *  @return the smallest of all. */
  float (*window_strip)(const ncc_strip_sums *sums, const ncc_strip_overlap *overlap, int64_t n, double c,
                        double scale2, int64_t at, float *ssd, float *least);
  /** out[b] = smallest non-zero |ssd| of each 16 columns; infinite where all are 0. */
  void (*block_least)(const float *ssd, int64_t blocks, float *out);
} ncc_window_kernels;

#endif
