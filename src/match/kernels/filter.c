/** See filter.h. Compiled once per instruction set; every pixel's sum is its own, so width changes no byte. */
#include "match/kernels/filter.h"

#include <stdbool.h>

#include "match/kernels/vec.h"

enum { BLOCK = 4 }; /* registers of sums at work together */

/** BLOCK vectors of one sum, or of two of the same pixels. */
INLINE void down_block(const double *const *rows, int radius, const double *w, double *out_w, const double *v,
                       double *out_v, int64_t x, bool two) {
  doubles s[BLOCK], t[BLOCK];
  for (int i = 0; i < BLOCK; i++) {
    const doubles a = get(rows[radius] + x + i * WIDTH);
    s[i] = a * w[0];
    if (two) t[i] = a * v[0];
  }
  for (int k = radius; k >= 1; k--) {
    const double *above = rows[radius - k] + x, *below = rows[radius + k] + x;
    for (int i = 0; i < BLOCK; i++) {
      const doubles a = get(above + i * WIDTH) + get(below + i * WIDTH);
      s[i] += a * w[k];
      if (two) t[i] += a * v[k];
    }
  }
  for (int i = 0; i < BLOCK; i++) {
    put(out_w + x + i * WIDTH, s[i]);
    if (two) put(out_v + x + i * WIDTH, t[i]);
  }
}

static void down(const double *const *rows, int radius, const double *w, double *out_w, const double *v, double *out_v,
                 int64_t n) {
  int64_t x = 0;
  if (v)
    for (; x + BLOCK * WIDTH <= n; x += BLOCK * WIDTH) down_block(rows, radius, w, out_w, v, out_v, x, true);
  else
    for (; x + BLOCK * WIDTH <= n; x += BLOCK * WIDTH) down_block(rows, radius, w, out_w, v, out_v, x, false);
  for (; x < n; x++) {
    double s = rows[radius][x] * w[0], t = v ? rows[radius][x] * v[0] : 0;
    for (int k = radius; k >= 1; k--) {
      const double a = rows[radius - k][x] + rows[radius + k][x];
      s += a * w[k];
      if (v) t += a * v[k];
    }
    out_w[x] = s;
    if (v) out_v[x] = t;
  }
}

INLINE void across_block(const double *a, const double *w, int radius, doubles s[BLOCK]) {
  for (int i = 0; i < BLOCK; i++) s[i] = get(a + radius + i * WIDTH) * w[0];
  for (int k = radius; k >= 1; k--)
    for (int i = 0; i < BLOCK; i++) s[i] += (get(a + radius - k + i * WIDTH) + get(a + radius + k + i * WIDTH)) * w[k];
}

INLINE double across_one(const double *a, const double *w, int radius) {
  double s = a[radius] * w[0];
  for (int k = radius; k >= 1; k--) s += (a[radius - k] + a[radius + k]) * w[k];
  return s;
}

static void across(const double *a, const double *w, const double *b, const double *v, int radius, int64_t n,
                   double *out) {
  int64_t x = 0;
  for (; x + BLOCK * WIDTH <= n; x += BLOCK * WIDTH) {
    doubles s[BLOCK], t[BLOCK];
    across_block(a + x, w, radius, s);
    if (b) across_block(b + x, v, radius, t);
    for (int i = 0; i < BLOCK; i++) put(out + x + i * WIDTH, b ? s[i] + t[i] : s[i]);
  }
  for (; x < n; x++) {
    const double s = across_one(a + x, w, radius);
    out[x] = b ? s + across_one(b + x, v, radius) : s;
  }
}

const ncc_filter_kernels NCC_CAT(ncc_filter_kernels_, NCC_ISA) = {.down = down, .across = across};
