/** Numerators summed directly, without a transform; compiled and chosen as kernels.h says. They only feed proposals. */
#ifndef NCC_KERNELS_DIRECT_H
#define NCC_KERNELS_DIRECT_H

#include "match/kernels/kernels.h"

enum {
  NCC_DIRECT_ROWS = 8,   /**< rows of numerators that are summed side by side */
  NCC_DIRECT_COLS = 32,  /**< room for numerators of a row: a multiple of that */
  NCC_DIRECT_TERMS = 64, /**< products that are added up by themselves at least, unless they are all */
};

/** Rows of a template of n columns whose products are added up by themselves, so that sums of many round little. */
static inline int64_t ncc_direct_rows_together(int64_t n) {
  return n < NCC_DIRECT_TERMS ? NCC_DIRECT_TERMS / n : 1;
}

typedef struct ncc_direct_kernels {
  /** out[i] = (float)(((in[i] - c) - rest) * unit). @return the sum of their squares */
  double (*narrow)(const double *in, int64_t n, double c, double rest, double unit, float *out);
  /** out[r * out_stride + x] = sum of tmpl[i * n + j] * image[(r + i) * stride + x + j] over i < m and j < n, for
   *  NCC_DIRECT_ROWS rows and x < `cols`, and up to 31 columns more. Around the template there are NCC_DIRECT_ROWS - 1
   *  rows of zeros above and below. */
  void (*correlate)(const float *image, int64_t stride, const float *tmpl, int64_t m, int64_t n, int64_t cols,
                    float *out, int64_t out_stride);
  /** Two rows as one of complex numbers: out[i] = (a[i], b[i]); n is a multiple of 16. */
  void (*pair_rows)(const float *a, const float *b, int64_t n, ncc_c32 *out);
  double product_s; /**< seconds of a product, on the machine of the costs of transforms (fft.h) */
} ncc_direct_kernels;

#endif
