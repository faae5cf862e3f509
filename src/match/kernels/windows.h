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

/** Sums of d(v) = v * scale - c and its square. */
typedef struct ncc_strip_sums {
  double scale, c;
  /** [n rounded up to 8] over the rows of a window, for the image's columns; mass: of squares of all rows that ever
   *  entered; NULL: not wanted, or summed by the caller. */
  double *s, *q, *mass;
  int64_t n;
  /** [8 * width] along the rows of a strip; these restart at columns 0, period, 2 period ... Zeros before the image. */
  double *sums, *squares;
  int64_t first;         /**< the first column that lies on the image */
  int64_t width, period; /**< all columns; those of a window */
} ncc_strip_sums;

/** What the windows of a strip overlap of the image: rows[r] * cols[i] pixels. */
typedef struct ncc_strip_overlap {
  double rows[8], inverse_rows[8]; /**< 1 where not valid */
  int32_t valid[8];                /**< -1: searched, 0: not */
  const double *cols, *inverse_cols;
  double template_rows, template_cols;
  double outside; /**< 1: zeros are outside the image, 0: nothing */
} ncc_strip_overlap;

/** Where ssd of a strip goes. */
typedef struct ncc_strip_map {
  int64_t n;     /**< windows in a row */
  int64_t at;    /**< the first of them in ssd */
  double scale2; /**< the unit of ssd, squared */
  float *ssd;    /**< [8 * (at + n)], aligned to 64 bytes; 0 in rows that are not valid */
  float *least;  /**< the smallest value of the valid rows in blocks of 16 columns, zeros and negatives included */
  bool past;     /**< write ssd past the caches, which are too small for the whole map */
} ncc_strip_map;

typedef struct ncc_window_kernels {
  /** Sums over cells of 16 columns and the rows that are given: s[b] of d(v) = v * scale - c, q[b] of its square. */
  void (*cell_sums)(ncc_dtype dtype, const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s,
                    double *q);
  /** Adds up to eight rows to the column sums. */
  void (*build)(ncc_dtype dtype, const ncc_strip_rows *rows, const ncc_strip_sums *sums);
  /** Slides the column sums down eight rows; at each of them, ssd of all windows that end there.
   *  @return the smallest of the valid ones. */
  float (*strip)(ncc_dtype dtype, const ncc_strip_rows *rows, const ncc_strip_sums *sums,
                 const ncc_strip_overlap *overlap, const ncc_strip_map *map);
  /** out[b] = smallest non-zero |ssd| of each 16 columns; infinite where all are 0. */
  void (*block_least)(const float *ssd, int64_t blocks, float *out);
} ncc_window_kernels;

#endif
