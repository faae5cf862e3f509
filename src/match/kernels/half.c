/** See half.h. Compiled once per instruction set. */
#include "match/kernels/half.h"

#include "match/kernels/vec.h"

enum { SUMS = 16, RUN = 1024 };

static void scale(const float *in, float factor, int64_t n, bool add, float *restrict out) {
  if (add)
    for (int64_t i = 0; i < n; i++) out[i] += factor * in[i];
  else
    for (int64_t i = 0; i < n; i++) out[i] = factor * in[i];
}

static void shrink(const float *in, int64_t n, float *restrict out) {
  for (int64_t i = 0; i < n; i++)
    out[i] = 0.125F * (in[2 * i] + in[2 * i + 3]) + 0.375F * (in[2 * i + 1] + in[2 * i + 2]);
}

/** Runs are short enough for float32. */
static double distance(const float *a, const float *b, int64_t n) {
  double total = 0;
  for (int64_t from = 0; from < n; from += RUN) {
    const int64_t to = from + RUN < n ? from + RUN : n;
    float sums[SUMS] = {0};
    int64_t i = from;
    for (; i + SUMS <= to; i += SUMS)
      for (int k = 0; k < SUMS; k++) {
        const float d = a[i + k] - b[i + k];
        sums[k] += d * d;
      }
    for (int k = 0; k < SUMS; k++) total += (double)sums[k];
    for (; i < to; i++) total += (double)((a[i] - b[i]) * (a[i] - b[i]));
  }
  return total;
}

static void larger(const float *in, int64_t n, float *restrict out) {
  for (int64_t i = 0; i < n; i++) out[i] = in[i] > out[i] ? in[i] : out[i];
}

const ncc_half_kernels NCC_CAT(ncc_half_kernels_, NCC_ISA) = {scale, shrink, distance, larger};
