/** Transforms in parts: what lies between strips of rows and FFTW's transforms; see kernels/cut.h. Compiled once per
 *  instruction set, in vectors of that set's width: all arithmetic is on whole complex numbers side by side. */
#include "match/kernels/cut.h"

#include "match/kernels/vec.h"

enum { MOST_COLUMNS = 8 }; /* that are moved at a time */

/** A factor, its parts apart. */
typedef struct factor {
  complexes re, im; /* im: signed so that times() has to add only */
} factor;

INLINE factor factor_of(complexes w) {
  return (factor){PICK(w, 0, 0), flip(PICK(w, 1, 1), RE_SIGN)};
}

INLINE factor conjugate_of(complexes w) {
  return (factor){PICK(w, 0, 0), flip(PICK(w, 1, 1), IM_SIGN)};
}

INLINE complexes times(complexes v, factor w) {
  return fused(v, w.re, PICK(v, 1, 0) * w.im);
}

/** -i v; i v in an inverse transform. */
INLINE complexes turned(complexes v, bool inverse) {
  return flip(PICK(v, 1, 0), inverse ? RE_SIGN : IM_SIGN);
}

INLINE void dft2(complexes *a, complexes *b) {
  complexes t = *a - *b;
  *a += *b;
  *b = t;
}

INLINE void dft3(complexes *a, complexes *b, complexes *c, bool inverse) {
  const complexes half = (complexes){0} - 0.5f, h = (complexes){0} + 0.866025403784438647f;
  complexes sum = *b + *c, m = fused(half, sum, *a), n = turned(*b - *c, inverse);
  *a += sum;
  *b = fused(h, n, m);
  *c = fused(-h, n, m);
}

INLINE void dft4(complexes *a, complexes *b, complexes *c, complexes *d, bool inverse) {
  complexes s = *a + *c, t = *a - *c, u = *b + *d, v = turned(*b - *d, inverse);
  *a = s + u;
  *b = t + v;
  *c = s - u;
  *d = t - v;
}

INLINE void dft5(complexes v[5], bool inverse) {
  const complexes c1 = (complexes){0} + 0.309016994374947424f, c2 = (complexes){0} - 0.809016994374947424f;
  const complexes s1 = (complexes){0} + 0.951056516295153572f, s2 = (complexes){0} + 0.587785252292473129f;
  complexes s = v[1] + v[4], t = v[2] + v[3], d = v[1] - v[4], e = v[2] - v[3];
  complexes m1 = fused(c1, s, fused(c2, t, v[0])), m2 = fused(c2, s, fused(c1, t, v[0]));
  complexes n1 = turned(fused(s1, d, s2 * e), inverse), n2 = turned(fused(-s1, e, s2 * d), inverse);
  v[0] += s + t;
  v[1] = m1 + n1;
  v[4] = m1 - n1;
  v[2] = m2 + n2;
  v[3] = m2 - n2;
}

INLINE void dft6(complexes v[6], bool inverse) {
  dft3(&v[0], &v[2], &v[4], inverse);
  dft3(&v[1], &v[3], &v[5], inverse);
  const float h = 0.866025403784438647f;
  complexes odd[3] = {v[1], 0.5f * v[3] + h * turned(v[3], inverse), h * turned(v[5], inverse) - 0.5f * v[5]};
  complexes even[3] = {v[0], v[2], v[4]};
  for (int k = 0; k < 3; k++) {
    v[k] = even[k] + odd[k];
    v[k + 3] = even[k] - odd[k];
  }
}

INLINE void dft8(complexes v[8], bool inverse) {
  dft4(&v[0], &v[2], &v[4], &v[6], inverse);
  dft4(&v[1], &v[3], &v[5], &v[7], inverse);
  const float r = 0.707106781186547524f;
  complexes odd[4] = {v[1], r * (v[3] + turned(v[3], inverse)), turned(v[5], inverse),
                      r * (turned(v[7], inverse) - v[7])};
  complexes even[4] = {v[0], v[2], v[4], v[6]};
  for (int k = 0; k < 4; k++) {
    v[k] = even[k] + odd[k];
    v[k + 4] = even[k] - odd[k];
  }
}

INLINE void dft(int parts, complexes *v, bool inverse) {
  if (parts == 2) dft2(&v[0], &v[1]);
  if (parts == 3) dft3(&v[0], &v[1], &v[2], inverse);
  if (parts == 4) dft4(&v[0], &v[1], &v[2], &v[3], inverse);
  if (parts == 5) dft5(v, inverse);
  if (parts == 6) dft6(v, inverse);
  if (parts == 8) dft8(v, inverse);
}

/** Factors of the radix step at eight points from `at` on. */
INLINE void take_factors(int parts, const ncc_cut *c, int64_t at, bool conjugate, factor out[8]) {
  for (int k = 1; k < parts; k++) {
    const complexes w = get_complex(c->twiddles + (k - 1) * c->length + at);
    out[k] = conjugate ? conjugate_of(w) : factor_of(w);
  }
}

/** From strips to columns; `parts` is a constant where this is inlined, and `first_only`: only the first part is not
 *  zero, so that its transform is itself, over and over. What is not there is read from zeros: no branch in the loop
 *  over columns, whose places all move alike. */
INLINE void split(int parts, bool first_only, const ncc_cut *c, const ncc_c32 *strips_data, int64_t strips,
                  int64_t columns, ncc_c32 *out) {
  static const ncc_c32 zeros[8 * MOST_COLUMNS];
  const int64_t lines = (c->length + 7) / 8, stride = c->column_stride;
  for (int64_t b = 0; b < lines; b++) {
    const int64_t step = parts > 1 ? 8 : b < strips ? c->strip_step : 0;
    const ncc_c32 *from[8] = {NULL}, *ahead[8] = {NULL};
    ncc_c32 *to[8] = {NULL};
    for (int k = 0; k < parts; k++) {
      const int64_t strip = k * lines + b;
      from[k] = strip < strips ? strips_data + strip * c->strip_stride : zeros;
      ahead[k] = strips_data + (strip + 2) * c->strip_stride;  // strips lie far apart: two ahead
      to[k] = out + k * c->length + 8 * b;
    }
    for (int w = 0; w < 8; w += WIDTH) {
      factor factors[8];
      take_factors(parts, c, 8 * b + w, false, factors);
      for (int64_t j = 0; j < columns; j++) {
        complexes v[8];
        for (int k = 0; k < parts; k++) v[k] = get_complex(from[first_only ? 0 : k] + step * j + w);
        if (!first_only) {
          if (w == 0)
            for (int k = 0; k < parts; k++) __builtin_prefetch(ahead[k] + 8 * j);
          dft(parts, v, false);
        }
        put_complex(to[0] + j * stride + w, v[0]);
        for (int k = 1; k < parts; k++) put_complex(to[k] + j * stride + w, times(v[k], factors[k]));
      }
    }
  }
}

/** From columns to strips. What is not wanted goes nowhere. */
INLINE void join(int parts, bool past, const ncc_cut *c, const ncc_c32 *in, int64_t columns, int64_t first_strip,
                 int64_t strips, ncc_c32 *strips_data) {
  ncc_c32 nowhere[8 * MOST_COLUMNS] = {{0}};
  const int64_t lines = (c->length + 7) / 8, stride = c->column_stride;
  for (int64_t b = 0; b < lines; b++) {
    const ncc_c32 *from[8] = {NULL};
    ncc_c32 *to[8] = {NULL};
    int64_t step = 8;
    for (int k = 0; k < parts; k++) {
      const int64_t strip = k * lines + b - first_strip;
      const bool wanted = strip >= 0 && strip < strips;
      if (parts == 1) step = wanted ? c->strip_step : 0;
      from[k] = in + k * c->length + 8 * b;
      to[k] = wanted ? strips_data + strip * c->strip_stride : past ? NULL : nowhere;
    }
    factor factors[8 / WIDTH][8];
    for (int w = 0; w < 8; w += WIDTH) take_factors(parts, c, 8 * b + w, true, factors[w / WIDTH]);
    for (int64_t j = 0; j < columns; j++) {
      complexes v[8 / WIDTH][8];
      for (int i = 0; i < 8 / WIDTH; i++) {
        v[i][0] = get_complex(from[0] + j * stride + i * WIDTH);
        for (int k = 1; k < parts; k++) v[i][k] = times(get_complex(from[k] + j * stride + i * WIDTH), factors[i][k]);
        dft(parts, v[i], true);
      }
      for (int k = 0; k < parts; k++)  // line after line: past the caches a half one costs three times as much
        for (int i = 0; i < 8 / WIDTH; i++)
          if (!past || to[k]) put_complex_past(to[k] + step * j + i * WIDTH, v[i][k], past);
    }
  }
}

#define FOR_PARTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(8)

static void split_strips(const ncc_cut *c, const ncc_c32 *strips_data, int64_t strips, int64_t columns, ncc_c32 *out) {
  const bool first_only = strips <= (c->length + 7) / 8;
#define CASE(n)                                              \
  case n:                                                    \
    if (first_only)                                          \
      split(n, true, c, strips_data, strips, columns, out);  \
    else                                                     \
      split(n, false, c, strips_data, strips, columns, out); \
    break;
  switch (c->parts) { FOR_PARTS(CASE) }
#undef CASE
}

static void join_strips(const ncc_cut *c, const ncc_c32 *in, int64_t columns, int64_t first_strip, int64_t strips,
                        ncc_c32 *strips_data, bool past) {
#define CASE(n)                                                         \
  case n:                                                               \
    if (past)                                                           \
      join(n, true, c, in, columns, first_strip, strips, strips_data);  \
    else                                                                \
      join(n, false, c, in, columns, first_strip, strips, strips_data); \
    break;
  switch (c->parts) { FOR_PARTS(CASE) }
#undef CASE
  past_fence(past);  // other threads read it next
}

static void multiply(ncc_c32 *restrict a, const ncc_c32 *restrict b, int64_t n) {
  for (int64_t i = 0; i < n; i += WIDTH) {
    look_ahead(b + i);
    complexes v = get_complex(b + i);
    put_complex(a + i, times(get_complex(a + i), factor_of(v)));
  }
}

const ncc_cut_kernels NCC_CAT(ncc_cut_kernels_, NCC_ISA) = {
    .split_strips = split_strips, .join_strips = join_strips, .multiply = multiply};
