/** Transforms in parts: what lies between strips of rows and FFTW's transforms; see kernels/cut.h. Compiled once per
 *  instruction set, in vectors of that set's width: all arithmetic is on whole complex numbers side by side. */
#include "match/kernels/cut.h"

#include <math.h>
#include <string.h>

#include "match/kernels/vec.h"

#if defined(__AVX512F__)
#define WIDTH 8 /* complex numbers in a vector */
#define PICK(v, even, odd)                                                                                             \
  __builtin_shufflevector(v, v, even, odd, 2 + even, 2 + odd, 4 + even, 4 + odd, 6 + even, 6 + odd, 8 + even, 8 + odd, \
                          10 + even, 10 + odd, 12 + even, 12 + odd, 14 + even, 14 + odd)
#elif defined(__AVX2__)
#define WIDTH 4
#define PICK(v, even, odd) \
  __builtin_shufflevector(v, v, even, odd, 2 + even, 2 + odd, 4 + even, 4 + odd, 6 + even, 6 + odd)
#else
#define WIDTH 2
#define PICK(v, even, odd) __builtin_shufflevector(v, v, even, odd, 2 + even, 2 + odd)
#endif

typedef float vec __attribute__((vector_size(8 * WIDTH)));
typedef uint64_t vec_bits __attribute__((vector_size(8 * WIDTH)));

#define RE_SIGN 0x0000000080000000ull
#define IM_SIGN 0x8000000000000000ull
#define INLINE static inline __attribute__((always_inline))

INLINE vec get(const ncc_c32 *p) {
  vec v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void put(ncc_c32 *p, vec v) {
  memcpy(p, &v, sizeof v);
}

/** Past the caches, where asked for. */
INLINE void put_out(ncc_c32 *p, vec v, bool past) {
  (void)past;
#if WIDTH == 8
  if (past) {
    _mm512_stream_ps((float *)p, (__m512)v);
    return;
  }
#elif WIDTH == 4
  if (past) {
    _mm256_stream_ps((float *)p, (__m256)v);
    return;
  }
#endif
  put(p, v);
}

INLINE vec flip(vec v, uint64_t signs) {
  return (vec)((vec_bits)v ^ signs);
}

/** A factor, its parts apart. */
typedef struct factor {
  vec re, im; /* im: signed so that times() has to add only */
} factor;

INLINE factor factor_of(vec w) {
  return (factor){PICK(w, 0, 0), flip(PICK(w, 1, 1), RE_SIGN)};
}

INLINE factor conjugate_of(vec w) {
  return (factor){PICK(w, 0, 0), flip(PICK(w, 1, 1), IM_SIGN)};
}

INLINE vec times(vec v, factor w) {
  return v * w.re + PICK(v, 1, 0) * w.im;
}

/** -i v; i v in an inverse transform. */
INLINE vec turned(vec v, bool inverse) {
  return flip(PICK(v, 1, 0), inverse ? RE_SIGN : IM_SIGN);
}

INLINE void dft2(vec *a, vec *b) {
  vec t = *a - *b;
  *a += *b;
  *b = t;
}

INLINE void dft3(vec *a, vec *b, vec *c, bool inverse) {
  vec sum = *b + *c, m = *a - 0.5f * sum, n = turned(0.866025403784438647f * (*b - *c), inverse);
  *a += sum;
  *b = m + n;
  *c = m - n;
}

INLINE void dft4(vec *a, vec *b, vec *c, vec *d, bool inverse) {
  vec s = *a + *c, t = *a - *c, u = *b + *d, v = turned(*b - *d, inverse);
  *a = s + u;
  *b = t + v;
  *c = s - u;
  *d = t - v;
}

INLINE void dft5(vec v[5], bool inverse) {
  const float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f;
  const float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;
  vec s = v[1] + v[4], t = v[2] + v[3], d = v[1] - v[4], e = v[2] - v[3];
  vec m1 = v[0] + (c1 * s + c2 * t), m2 = v[0] + (c2 * s + c1 * t);
  vec n1 = turned(s1 * d + s2 * e, inverse), n2 = turned(s2 * d - s1 * e, inverse);
  v[0] += s + t;
  v[1] = m1 + n1;
  v[4] = m1 - n1;
  v[2] = m2 + n2;
  v[3] = m2 - n2;
}

INLINE void dft6(vec v[6], bool inverse) {
  dft3(&v[0], &v[2], &v[4], inverse);
  dft3(&v[1], &v[3], &v[5], inverse);
  const float h = 0.866025403784438647f;
  vec odd[3] = {v[1], 0.5f * v[3] + h * turned(v[3], inverse), h * turned(v[5], inverse) - 0.5f * v[5]};
  vec even[3] = {v[0], v[2], v[4]};
  for (int k = 0; k < 3; k++) {
    v[k] = even[k] + odd[k];
    v[k + 3] = even[k] - odd[k];
  }
}

INLINE void dft8(vec v[8], bool inverse) {
  dft4(&v[0], &v[2], &v[4], &v[6], inverse);
  dft4(&v[1], &v[3], &v[5], &v[7], inverse);
  const float r = 0.707106781186547524f;
  vec odd[4] = {v[1], r * (v[3] + turned(v[3], inverse)), turned(v[5], inverse), r * (turned(v[7], inverse) - v[7])};
  vec even[4] = {v[0], v[2], v[4], v[6]};
  for (int k = 0; k < 4; k++) {
    v[k] = even[k] + odd[k];
    v[k + 4] = even[k] - odd[k];
  }
}

INLINE void dft(int parts, vec *v, bool inverse) {
  if (parts == 2) dft2(&v[0], &v[1]);
  if (parts == 3) dft3(&v[0], &v[1], &v[2], inverse);
  if (parts == 4) dft4(&v[0], &v[1], &v[2], &v[3], inverse);
  if (parts == 5) dft5(v, inverse);
  if (parts == 6) dft6(v, inverse);
  if (parts == 8) dft8(v, inverse);
}

/** From strips to columns; `parts` is a constant where this is inlined. */
INLINE void split(int parts, const ncc_cut *c, const ncc_c32 *strips_data, int64_t strips, int64_t columns,
                  ncc_c32 *out) {
  const int64_t lines = (c->length + 7) / 8;
  for (int64_t b = 0; b < lines; b++)
    for (int w = 0; w < 8; w += WIDTH) {
      factor factors[8];
      for (int k = 1; k < parts; k++) factors[k] = factor_of(get(c->twiddles + (k - 1) * c->length + 8 * b + w));
      for (int64_t j = 0; j < columns; j++) {
        const ncc_c32 *from = strips_data + b * c->strip_stride + 8 * j + w;
        ncc_c32 *to = out + j * c->column_stride + 8 * b + w;
        vec v[8];
        if (strips <= lines) {  // only the first part is not zero: its transform is itself, over and over
          for (int k = 0; k < parts; k++) v[k] = b < strips ? get(from) : (vec){0};
        } else {
          for (int k = 0; k < parts; k++) {
            __builtin_prefetch(from + (k * lines + 2) * c->strip_stride);  // strips lie far apart: two ahead
            v[k] = k * lines + b < strips ? get(from + k * lines * c->strip_stride) : (vec){0};
          }
          dft(parts, v, false);
        }
        put(to, v[0]);
        for (int k = 1; k < parts; k++) put(to + k * c->length, times(v[k], factors[k]));
      }
    }
}

/** From columns to strips. */
INLINE void join(int parts, const ncc_cut *c, const ncc_c32 *in, int64_t columns, int64_t first_strip, int64_t strips,
                 ncc_c32 *strips_data, bool past) {
  const int64_t lines = (c->length + 7) / 8;
  for (int64_t b = 0; b < lines; b++)
    for (int w = 0; w < 8; w += WIDTH) {
      factor factors[8];
      for (int k = 1; k < parts; k++) factors[k] = conjugate_of(get(c->twiddles + (k - 1) * c->length + 8 * b + w));
      for (int64_t j = 0; j < columns; j++) {
        const ncc_c32 *from = in + j * c->column_stride + 8 * b + w;
        vec v[8];
        v[0] = get(from);
        for (int k = 1; k < parts; k++) v[k] = times(get(from + k * c->length), factors[k]);
        dft(parts, v, true);
        for (int k = 0; k < parts; k++) {
          int64_t strip = k * lines + b - first_strip;
          if (strip >= 0 && strip < strips) put_out(strips_data + strip * c->strip_stride + 8 * j + w, v[k], past);
        }
      }
    }
}

#define FOR_PARTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(8)

static void split_strips(const ncc_cut *c, const ncc_c32 *strips_data, int64_t strips, int64_t columns, ncc_c32 *out) {
#define CASE(n)                                     \
  case n:                                           \
    split(n, c, strips_data, strips, columns, out); \
    break;
  switch (c->parts) { FOR_PARTS(CASE) }
#undef CASE
}

static void join_strips(const ncc_cut *c, const ncc_c32 *in, int64_t columns, int64_t first_strip, int64_t strips,
                        ncc_c32 *strips_data, bool past) {
#define CASE(n)                                                      \
  case n:                                                            \
    join(n, c, in, columns, first_strip, strips, strips_data, past); \
    break;
  switch (c->parts) { FOR_PARTS(CASE) }
#undef CASE
#if WIDTH > 2
  if (past) _mm_sfence();  // other threads read it next
#endif
}

static void multiply(ncc_c32 *restrict a, const ncc_c32 *restrict b, int64_t n) {
  for (int64_t i = 0; i < n; i += WIDTH) {
    look_ahead(b + i);
    vec v = get(b + i);
    put(a + i, times(get(a + i), factor_of(v)));
  }
}

const ncc_cut_kernels NCC_CAT(ncc_cut_kernels_, NCC_ISA) = {
    .split_strips = split_strips, .join_strips = join_strips, .multiply = multiply};
