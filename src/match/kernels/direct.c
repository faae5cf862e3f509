/** See direct.h. Compiled once per instruction set. */
#include "match/kernels/direct.h"

#include "match/kernels/vec.h"

static double narrow(const double *in, int64_t n, double c, double rest, double unit, float *restrict out) {
  doubles sums = {0};
  double sum = 0;
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    const floats v = floats_of_doubles(((get(in + i) - c) - rest) * unit);
    const doubles d = doubles_of_floats(v);
    memcpy(out + i, &v, sizeof v);
    sums += d * d;
  }
  for (; i < n; i++) {
    out[i] = (float)(((in[i] - c) - rest) * unit);
    sum += (double)out[i] * (double)out[i];
  }
  UNROLL for (int k = 0; k < WIDTH; k++) sum += sums[k];
  return sum;
}

/** As many floats as a register takes. */
INLINE complexes get_floats(const float *p) {
  complexes v;
  memcpy(&v, p, sizeof v);
  return v;
}

/** `rows` x `vectors` registers of numerators, eight in all, which are constants where this is inlined. A row of pixels
 *  serves all rows of numerators that it enters, each with a row of the template of its own. */
INLINE void correlate_block(int rows, int vectors, const float *image, int64_t stride, const float *tmpl, int64_t m,
                            int64_t n, float *out, int64_t out_stride) {
  const int64_t together = ncc_direct_rows_together(n);
  complexes all[8] = {{0}};
  for (int64_t first = 0; first < m + rows - 1; first += together) {
    const int64_t end = first + together < m + rows - 1 ? first + together : m + rows - 1;
    complexes sums[8] = {{0}};
    for (int64_t i = first; i < end; i++) {
      const float *p = image + i * stride, *t = tmpl + i * n;
      for (int64_t j = 0; j < n; j++) {
        complexes v[2] = {{0}};
        UNROLL for (int k = 0; k < vectors; k++) v[k] = get_floats(p + j + k * 2 * WIDTH);
        UNROLL for (int r = 0; r < rows; r++) {
          const complexes factor = t[j - r * n] - (complexes){0};
          UNROLL for (int k = 0; k < vectors; k++) sums[r * vectors + k] = fused(factor, v[k], sums[r * vectors + k]);
        }
      }
    }
    UNROLL for (int h = 0; h < 8; h++) all[h] += sums[h];
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int k = 0; k < vectors; k++) {
    memcpy(out + r * out_stride + k * 2 * WIDTH, &all[r * vectors + k], sizeof all[0]);
  }
}

static void correlate(const float *image, int64_t stride, const float *tmpl, int64_t m, int64_t n, int64_t cols,
                      float *out, int64_t out_stride) {
  int64_t x = 0;
  for (; x + 2 * WIDTH < cols; x += 4 * WIDTH)
    for (int r = 0; r < NCC_DIRECT_ROWS; r += 4)
      correlate_block(4, 2, image + r * stride + x, stride, tmpl, m, n, out + r * out_stride + x, out_stride);
  for (; x < cols; x += 2 * WIDTH) correlate_block(8, 1, image + x, stride, tmpl, m, n, out + x, out_stride);
}

static void pair_rows(const float *a, const float *b, int64_t n, ncc_c32 *restrict out) {
  for (int64_t i = 0; i < n; i += WIDTH) {
    floats u, v;
    memcpy(&u, a + i, sizeof u);
    memcpy(&v, b + i, sizeof v);
    put_complex(out + i, INTERLEAVE(u, v));
  }
}

#if defined(__FMA__)
#define PRODUCT_S (0.21e-9 / (2 * WIDTH))
#else
#define PRODUCT_S (0.5e-9 / (2 * WIDTH))
#endif

const ncc_direct_kernels NCC_CAT(ncc_direct_kernels_, NCC_ISA) = {
    .narrow = narrow, .correlate = correlate, .pair_rows = pair_rows, .product_s = PRODUCT_S};
