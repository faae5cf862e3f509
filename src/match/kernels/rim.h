/** Numerators along a row of positions where the template overhangs an image outside of which is nothing; see
 *  cpu/rim.c. They only feed proposals. */
#ifndef NCC_KERNELS_RIM_H
#define NCC_KERNELS_RIM_H

#include "match/kernels/kernels.h"

/** Rows of prefix sums whose differences are sums over the rows of an overlap, by columns. */
typedef struct ncc_rim_rows {
  const double *above, *below; /**< of the image */
  const double *upper, *lower; /**< of the template */
} ncc_rim_rows;

/** Position i overlaps by columns whose sums are image_all + image_sign * (those up to image_at + i) and
 *  tmpl_all + tmpl_sign * (those up to tmpl_at - i), and of which inverse[step * i] is one over the count. */
typedef struct ncc_rim_edge {
  int64_t image_at;
  double image_all, image_sign;
  int64_t tmpl_at;
  double tmpl_all, tmpl_sign;
  const double *inverse;
  int step; /**< 1 or -1 */
} ncc_rim_edge;

typedef struct ncc_rim_kernels {
  /** out[2 i] += scale * image sum * template sum / columns; one float beyond the last is written as it was. */
  void (*edge)(const ncc_rim_rows *rows, const ncc_rim_edge *edge, double scale, int64_t n, float *out);
  /** Where only rows overhang: out[2 i] += factor * image sum of `cols` columns up to image_at + i; likewise. */
  void (*middle)(const ncc_rim_rows *rows, int64_t image_at, int64_t cols, double factor, int64_t n, float *out);
} ncc_rim_kernels;

#endif
