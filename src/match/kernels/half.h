/** Inner loops of the half grid (cpu/half.c); compiled and chosen as kernels.h says. They only feed proposals. */
#ifndef NCC_KERNELS_HALF_H
#define NCC_KERNELS_HALF_H

#include "match/kernels/kernels.h"

typedef struct ncc_half_kernels {
  /** out[i] = factor * in[i]; with `add` it is added to out[i]. */
  void (*scale)(const float *in, float factor, int64_t n, bool add, float *out);
  /** out[i] = (in[2i] + 3 in[2i + 1] + 3 in[2i + 2] + in[2i + 3]) / 8 */
  void (*shrink)(const float *in, int64_t n, float *out);
  /** Sum of (a[i] - b[i])^2. */
  double (*distance)(const float *a, const float *b, int64_t n);
  /** Larger of each: out[i] = max(out[i], in[i]); NaN in `in` counts for nothing. */
  void (*larger)(const float *in, int64_t n, float *out);
} ncc_half_kernels;

#endif
