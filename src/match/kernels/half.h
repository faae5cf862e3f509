/** Inner loops of the half grid (cpu/half.c); compiled and chosen as kernels.h says. They only feed proposals. */
#ifndef NCC_KERNELS_HALF_H
#define NCC_KERNELS_HALF_H

#include "match/kernels/kernels.h"

typedef struct ncc_half_kernels {
  /** out[i] = sum of factors[v] * in[v * stride + i] over v < count; with `add` it is added to out[i]. */
  void (*combine)(const float *in, int64_t stride, const float *factors, int count, int64_t n, bool add, float *out);
  /** out[i] = (in[2i] + 3 in[2i + 1] + 3 in[2i + 2] + in[2i + 3]) / 8 */
  void (*shrink)(const float *in, int64_t n, float *out);
  /** even[i] = in[2i], odd[i] = in[2i + 1] */
  void (*split)(const float *in, int64_t n, float *even, float *odd);
  /** sums[i] += factor * (in[i] - c)^2 */
  void (*squares)(const float *in, float c, float factor, int64_t n, float *sums);
  /** Of a row of an image less what half of it stands for: sums[i] += its two squares at 2i and 2i + 1.
   *  @param[in] half  [n + 2], of which two enter a pixel */
  void (*detail)(const float *row, const float *half, int64_t n, float *sums);
  /** Of a row of a half template a, with its neighbours either side, filtered in the other direction: a_f by two of
   *  these, G a_f by four, and D = u - G a_f. sums[0] += a_f u, sums[1] += a_f D, sums[2] += D^2.
   *  @param[in] two, four  rows for a_f and for G a_f; `shifted`: f = 1 */
  void (*residual)(const float *two, const float *four, const float *u, int64_t n, bool shifted, double sums[3]);
  /** Larger of each: out[i] = max(out[i], in[i]); NaN in `in` counts for nothing. */
  void (*larger)(const float *in, int64_t n, float *out);
} ncc_half_kernels;

#endif
