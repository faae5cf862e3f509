/** See half.h. Compiled once per instruction set. */
#include "match/kernels/half.h"

#include "match/kernels/vec.h"

enum { LANES = 2 * WIDTH, RUN = 1024 };

INLINE complexes get_floats(const float *p) {
  complexes v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE complexes times(float factor, complexes v, complexes sum) {
  return fused(factor - (complexes){0}, v, sum);
}

static void combine(const float *in, int64_t stride, const float *factors, int count, int64_t n, bool add,
                    float *restrict out) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    complexes sum = {0};
    if (add) sum = get_floats(out + i);
    for (int v = 0; v < count; v++) sum = times(factors[v], get_floats(in + v * stride + i), sum);
    memcpy(out + i, &sum, sizeof sum);
  }
  for (; i < n; i++) {
    float sum = add ? out[i] : 0;
    for (int v = 0; v < count; v++) sum += factors[v] * in[v * stride + i];
    out[i] = sum;
  }
}

static void shrink(const float *in, int64_t n, float *restrict out) {
  for (int64_t i = 0; i < n; i++)
    out[i] = 0.125F * (in[2 * i] + in[2 * i + 3]) + 0.375F * (in[2 * i + 1] + in[2 * i + 2]);
}

static void split(const float *in, int64_t n, float *restrict even, float *restrict odd) {
  for (int64_t i = 0; i < n; i++) {
    even[i] = in[2 * i];
    odd[i] = in[2 * i + 1];
  }
}

static void squares(const float *in, float c, float factor, int64_t n, float *restrict sums) {
  for (int64_t i = 0; i < n; i++) sums[i] += factor * ((in[i] - c) * (in[i] - c));
}

static void detail(const float *row, const float *half, int64_t n, float *restrict sums) {
  for (int64_t i = 0; i < n; i++) {
    const float even = row[2 * i] - (0.125F * half[i] + 0.375F * half[i + 1]);
    const float odd = row[2 * i + 1] - (0.375F * half[i + 1] + 0.125F * half[i + 2]);
    sums[i] += even * even + odd * odd;
  }
}

/** Runs are short enough for float32. */
static void residual(const float *two, const float *four, const float *u, int64_t n, bool shifted, double sums[3]) {
  const int64_t s = shifted ? -1 : 1;
  for (int64_t from = 0; from < n; from += RUN) {
    const int64_t to = from + RUN < n ? from + RUN : n;
    complexes parts[3] = {{0}};
    int64_t i = from;
    for (; i + LANES <= to; i += LANES) {
      const float *w = four + i;
      const complexes zero = {0};
      complexes g = times(1.5F / 64, get_floats(w + 2 * s), times(9.5F / 64, get_floats(w + s), zero));
      g = times(4.5F / 64, get_floats(w - s), times(16.5F / 64, get_floats(w), g));
      const complexes a = times(0.75F, get_floats(two + i), times(0.25F, get_floats(two + i + s), zero));
      const complexes v = get_floats(u + i), d = v - g;
      parts[0] = fused(a, v, parts[0]);
      parts[1] = fused(a, d, parts[1]);
      parts[2] = fused(d, d, parts[2]);
    }
    for (int h = 0; h < 3; h++)
      for (int k = 0; k < LANES; k++) sums[h] += (double)parts[h][k];
    for (; i < to; i++) {
      const float *w = four + i;
      const float g = (1.5F * w[2 * s] + 9.5F * w[s] + 16.5F * w[0] + 4.5F * w[-s]) / 64;
      const double a = (double)(0.75F * two[i] + 0.25F * two[i + s]), d = (double)(u[i] - g);
      sums[0] += a * (double)u[i];
      sums[1] += a * d;
      sums[2] += d * d;
    }
  }
}

static void larger(const float *in, int64_t n, float *restrict out) {
  for (int64_t i = 0; i < n; i++) out[i] = in[i] > out[i] ? in[i] : out[i];
}

const ncc_half_kernels NCC_CAT(ncc_half_kernels_, NCC_ISA) = {combine, shrink,   split, squares,
                                                              detail,  residual, larger};
