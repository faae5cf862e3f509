/** Window statistics by strips of eight rows; see kernels.h and stats.c. Compiled once per instruction set. A lane is a
 *  row of the strip, so that sums along rows, which no vector unit likes, run side by side for eight rows. */
#include "match/kernels/windows.h"

#include <math.h>
#include <string.h>

#include "match/kernels/vec.h"

/** Vectors of this instruction set's own width: compilers take wider ones apart, some of them down to single numbers.
 */
#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX2__)
#define WIDTH 4
#else
#define WIDTH 2
#endif

typedef double wide __attribute__((vector_size(8 * WIDTH)));
typedef int64_t wide_mask __attribute__((vector_size(8 * WIDTH)));
typedef float narrow __attribute__((vector_size(4 * WIDTH)));
typedef int32_t narrow_int __attribute__((vector_size(4 * WIDTH)));

#define INLINE static inline __attribute__((always_inline))

INLINE wide get(const double *p) {
  wide v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void put(double *p, wide v) {
  memcpy(p, &v, sizeof v);
}

#if WIDTH == 8
INLINE wide widened_floats(narrow v) {
  return (wide)_mm512_cvtps_pd((__m256)v);
}
INLINE wide widened_ints(narrow_int v) {
  return (wide)_mm512_cvtepi32_pd((__m256i)v);
}
INLINE narrow narrowed(wide v) {
  return (narrow)_mm512_cvtpd_ps((__m512d)v);
}
#elif WIDTH == 4
INLINE wide widened_floats(narrow v) {
  return (wide)_mm256_cvtps_pd((__m128)v);
}
INLINE wide widened_ints(narrow_int v) {
  return (wide)_mm256_cvtepi32_pd((__m128i)v);
}
INLINE narrow narrowed(wide v) {
  return (narrow)_mm256_cvtpd_ps((__m256d)v);
}
#else
INLINE wide widened_floats(narrow v) {
  return __builtin_convertvector(v, wide);
}
INLINE wide widened_ints(narrow_int v) {
  return __builtin_convertvector(v, wide);
}
INLINE narrow narrowed(wide v) {
  return __builtin_convertvector(v, narrow);
}
#endif

/** Transposes WIDTH vectors. */
INLINE void transpose(wide r[WIDTH]) {
#if WIDTH == 8
  wide t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      r[i + j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + j + 2] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int j = 0; j < 4; j++) {
    t[j] = __builtin_shufflevector(r[j], r[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    t[j + 4] = __builtin_shufflevector(r[j], r[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (int i = 0; i < 8; i++) r[i] = t[i];
#elif WIDTH == 4
  wide a = __builtin_shufflevector(r[0], r[1], 0, 4, 2, 6), b = __builtin_shufflevector(r[0], r[1], 1, 5, 3, 7);
  wide c = __builtin_shufflevector(r[2], r[3], 0, 4, 2, 6), d = __builtin_shufflevector(r[2], r[3], 1, 5, 3, 7);
  r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  r[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  r[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
#else
  wide a = __builtin_shufflevector(r[0], r[1], 0, 2);
  r[1] = __builtin_shufflevector(r[0], r[1], 1, 3);
  r[0] = a;
#endif
}

/** WIDTH pixels in float64; small integers by way of 32 bits, for which there are instructions. */
#define SOME(name, type, convert)                              \
  INLINE wide some_##name(const type *p) {                     \
    type __attribute__((vector_size(WIDTH * sizeof(type)))) v; \
    memcpy(&v, p, sizeof v);                                   \
    return convert(v);                                         \
  }
#define BY_INT(v) widened_ints(__builtin_convertvector(v, narrow_int))
#define AS_IT_IS(v) (v)
#define PLAINLY(v) __builtin_convertvector(v, wide)
SOME(NCC_U8, uint8_t, BY_INT)
SOME(NCC_I8, int8_t, BY_INT)
SOME(NCC_U16, uint16_t, BY_INT)
SOME(NCC_I16, int16_t, BY_INT)
SOME(NCC_U32, uint32_t, PLAINLY)
SOME(NCC_I32, int32_t, widened_ints)
SOME(NCC_F32, float, widened_floats)
SOME(NCC_F64, double, AS_IT_IS)
INLINE wide some_NCC_F16(const uint16_t *p) {
  wide v = {0};
  for (int k = 0; k < WIDTH; k++) v[k] = (double)ncc_half_to_float(p[k]);
  return v;
}

/** Up to WIDTH pixels less the centre; 0 beyond them. One function a type. */
#define PIXELS(name, type, text)                                                                 \
  INLINE wide pixels_##name(const void *row, int64_t i, int64_t count, double scale, double c) { \
    const type *p = (const type *)row + i;                                                       \
    if (count >= WIDTH) return some_##name(p) * scale - c;                                       \
    wide v = {0};                                                                                \
    for (int k = 0; k < count; k++) v[k] = (double)VALUE_##name(p[k]) * scale - c;               \
    return v;                                                                                    \
  }
NCC_DTYPE_TABLE(PIXELS)
#undef PIXELS

/** Rows enter and none leaves, nothing is written but the sums: the way to a strip's first row. */
#define BUILD(name, type, text)                                                                                 \
  static void build_##name(const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s, double *q, \
                           double *mass) {                                                                      \
    for (int64_t i = 0; i < n; i += WIDTH) {                                                                    \
      wide a = {0}, b = {0};                                                                                    \
      _Pragma("GCC unroll 8") for (int r = 0; r < 8; r++) {                                                     \
        if (!rows->in[r]) continue;                                                                             \
        wide d = pixels_##name(rows->in[r], i, n - i, scale, c);                                                \
        a += d;                                                                                                 \
        b += d * d;                                                                                             \
      }                                                                                                         \
      put(s + i, get(s + i) + a);                                                                               \
      put(q + i, get(q + i) + b);                                                                               \
      put(mass + i, get(mass + i) + b);                                                                         \
    }                                                                                                           \
  }
NCC_DTYPE_TABLE(BUILD)
#undef BUILD

INLINE double sum_of(wide v) {
  double sum = v[0];
  for (int k = 1; k < WIDTH; k++) sum += v[k];
  return sum;
}

#define CELLS(name, type, text)                                                                                   \
  static void cells_##name(const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s, double *q) { \
    for (int64_t i = 0; i < n; i += 16) {                                                                         \
      wide a = {0}, b = {0};                                                                                      \
      _Pragma("GCC unroll 8") for (int r = 0; r < 8; r++) {                                                       \
        if (!rows->in[r]) continue;                                                                               \
        _Pragma("GCC unroll 8") for (int k = 0; k < 16; k += WIDTH) {                                             \
          wide d = pixels_##name(rows->in[r], i + k, n - i - k, scale, c);                                        \
          a += d;                                                                                                 \
          b += d * d;                                                                                             \
        }                                                                                                         \
      }                                                                                                           \
      *s++ = sum_of(a);                                                                                           \
      *q++ = sum_of(b);                                                                                           \
    }                                                                                                             \
  }
NCC_DTYPE_TABLE(CELLS)
#undef CELLS

static void cell_sums(ncc_dtype dtype, const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s,
                      double *q) {
#define CASE(name, type, text)             \
  case name:                               \
    cells_##name(rows, n, scale, c, s, q); \
    break;
  switch (dtype) {
    NCC_DTYPE_TABLE(CASE)
    default:
      break;
  }
#undef CASE
}

enum { PIECES = 8 / WIDTH }; /* vectors that hold a column of a strip */

/** Running sums along the rows of a strip, which restart every `period` columns. Loops work on a copy: stores of sums
 *  might else be stores to it. */
typedef struct scan {
  wide s[PIECES], q[PIECES];
  int64_t x, restart, period;
  double *sums, *squares;
} scan;

INLINE void scan_next(scan *a, const wide *s, const wide *q, int stride) {
  _Pragma("GCC unroll 4") for (int h = 0; h < PIECES; h++) {
    a->s[h] += s[h * stride];
    a->q[h] += q[h * stride];
    put(a->sums + 8 * a->x + h * WIDTH, a->s[h]);
    put(a->squares + 8 * a->x + h * WIDTH, a->q[h]);
  }
  a->x++;
}

INLINE void scan_column(scan *a, const wide *s, const wide *q, int stride) {
  if (a->x == a->restart) {
    for (int h = 0; h < PIECES; h++) a->s[h] = a->q[h] = (wide){0};
    a->restart += a->period;
  }
  scan_next(a, s, q, stride);
}

/** Columns without pixels, up to column `end`. */
static void scan_nothing(scan *a, int64_t end) {
  const wide zero = {0};
  while (a->x < end) scan_column(a, &zero, &zero, 0);
}

/** In a[8] a vector is a row of WIDTH columns; transposed, a[h * WIDTH + k] is piece h of column k. */
#define SLIDE(name, type, text)                                                                                 \
  INLINE void slide_##name(const ncc_strip_rows *rows, int64_t i, int64_t n, double scale, double c, double *s, \
                           double *q, double *mass, wide a[8], wide b[8]) {                                     \
    wide u = get(s + i), v = get(q + i), m = get(mass + i);                                                     \
    _Pragma("GCC unroll 8") for (int r = 0; r < 8; r++) {                                                       \
      if (rows->in[r]) {                                                                                        \
        if (i * (int64_t)sizeof(type) % 64 == 0)                                                                \
          __builtin_prefetch((const char *)rows->in[r] + i * (int64_t)sizeof(type) + rows->ahead_bytes);        \
        wide d = pixels_##name(rows->in[r], i, n - i, scale, c), d2 = d * d;                                    \
        u += d;                                                                                                 \
        v += d2;                                                                                                \
        m += d2;                                                                                                \
      }                                                                                                         \
      if (rows->out[r]) {                                                                                       \
        wide e = pixels_##name(rows->out[r], i, n - i, scale, c);                                               \
        u -= e;                                                                                                 \
        v -= e * e;                                                                                             \
      }                                                                                                         \
      a[r] = u;                                                                                                 \
      b[r] = v;                                                                                                 \
    }                                                                                                           \
    put(s + i, u);                                                                                              \
    put(q + i, v);                                                                                              \
    put(mass + i, m);                                                                                           \
    _Pragma("GCC unroll 4") for (int h = 0; h < PIECES; h++) {                                                  \
      transpose(a + h * WIDTH);                                                                                 \
      transpose(b + h * WIDTH);                                                                                 \
    }                                                                                                           \
  }                                                                                                             \
  static void strip_##name(const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s, double *q, \
                           double *mass, scan *along) {                                                         \
    scan at = *along;                                                                                           \
    for (int64_t i = 0; i < n; i += WIDTH) {                                                                    \
      wide a[8], b[8];                                                                                          \
      slide_##name(rows, i, n, scale, c, s, q, mass, a, b);                                                     \
      int count = n - i < WIDTH ? (int)(n - i) : WIDTH;                                                         \
      if (count == WIDTH && at.x + WIDTH <= at.restart) {                                                       \
        _Pragma("GCC unroll 8") for (int k = 0; k < WIDTH; k++) scan_next(&at, a + k, b + k, WIDTH);            \
      } else {                                                                                                  \
        for (int k = 0; k < count; k++) scan_column(&at, a + k, b + k, WIDTH);                                  \
      }                                                                                                         \
    }                                                                                                           \
    *along = at;                                                                                                \
  }
NCC_DTYPE_TABLE(SLIDE)
#undef SLIDE

static void column_strip(ncc_dtype dtype, const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s,
                         double *q, double *mass, const ncc_strip_sums *out) {
#define CASE(name, type, text)                                                                               \
  case name:                                                                                                 \
    out ? strip_##name(rows, n, scale, c, s, q, mass, &along) : build_##name(rows, n, scale, c, s, q, mass); \
    break;
  scan along = {.x = 0};
  if (out) {
    along = (scan){.period = out->period, .restart = 0, .sums = out->sums, .squares = out->squares};
    scan_nothing(&along, out->first);
  }
  switch (dtype) {
    NCC_DTYPE_TABLE(CASE)
    default:
      break;
  }
  if (out) scan_nothing(&along, out->width);
#undef CASE
}

/** Values on their way to memory: a map is looked at only where a peak may be, so whole lines need not pass the caches.
 */
INLINE void put_map(float *to, narrow v) {
#if WIDTH == 8
  _mm256_stream_ps(to, (__m256)v);
#else
  memcpy(to, &v, sizeof v);
#endif
}

INLINE narrow narrow_lesser(narrow a, narrow b) {
  narrow_int less = a < b;
  return (narrow)(((narrow_int)a & less) | ((narrow_int)b & ~less));
}

INLINE float least_of(narrow v) {
  float least = v[0];
  for (int k = 1; k < WIDTH; k++) least = v[k] < least ? v[k] : least;
  return least;
}

/** WIDTH rows of a strip, from row `row` on. least[] takes the lesser of what it is and what is found. */
static void window_rows(const ncc_strip_sums *sums, const ncc_strip_overlap *overlap, int row, int64_t n, double c,
                        double scale2, int64_t at, float *restrict ssd, float *restrict least) {
  const wide rows = get(overlap->rows + row), inverse_rows = get(overlap->inverse_rows + row);
  narrow_int valid;
  memcpy(&valid, overlap->valid + row, sizeof valid);
  const double area = overlap->template_rows * overlap->template_cols, inverse_width = 1 / overlap->template_cols;
  const wide_mask whole = rows == overlap->template_rows;
  const int64_t period = sums->period;
  const double *along = sums->sums + row, *along2 = sums->squares + row;
  const narrow infinite = (narrow){0} + INFINITY;
  narrow least_of_block = infinite;
  wide pixels = {0}, inverse = {0}, beyond = {0};
  double cols = 0;
  ssd += 8 * at + row;
  for (int64_t start = 0; start < n; start += period) {
    const wide start_s = get(along + 8 * (start + period - 1)), start_q = get(along2 + 8 * (start + period - 1));
    const int64_t end = start + period < n ? start + period : n;
    for (int64_t i = start; i < end; i++) {
      if (overlap->cols[i] != cols) {
        cols = overlap->cols[i];
        pixels = rows * cols;
        inverse = inverse_rows * overlap->inverse_cols[i];
        wide inside = (overlap->inverse_cols[i] - inverse_width) * inverse_rows, outside = inverse - 1 / area;
        beyond = (wide)(((wide_mask)inside & whole) | ((wide_mask)outside & ~whole));
      }
      wide s = start_s, q = start_q;
      if (i > start) {
        s = (start_s - get(along + 8 * (i - 1))) + get(along + 8 * (i + period - 1));
        q = (start_q - get(along2 + 8 * (i - 1))) + get(along2 + 8 * (i + period - 1));
      }
      wide sum = s + pixels * c;  // of the stored values
      narrow v = narrowed(((q - s * s * inverse) + sum * sum * beyond) * scale2);
      put_map(ssd + 8 * i, (narrow)((narrow_int)v & valid));
      v = (narrow)(((narrow_int)v & valid) | ((narrow_int)infinite & ~valid));
      least_of_block = narrow_lesser(v, least_of_block);
      if ((at + i) % 16 == 15 || i == n - 1) {
        float *block = &least[(at + i) / 16], found = least_of(least_of_block);
        *block = found < *block ? found : *block;
        least_of_block = infinite;
      }
    }
  }
#if WIDTH == 8
  _mm_sfence();  // other threads look at the map next
#endif
}

static float window_strip(const ncc_strip_sums *sums, const ncc_strip_overlap *overlap, int64_t n, double c,
                          double scale2, int64_t at, float *ssd, float *least) {
  const int64_t blocks = (at + n - 1) / 16 + 1;
  for (int64_t b = 0; b < blocks; b++) least[b] = INFINITY;
  for (int row = 0; row < 8; row += WIDTH) window_rows(sums, overlap, row, n, c, scale2, at, ssd, least);
  float lowest = INFINITY;
  for (int64_t b = 0; b < blocks; b++) lowest = least[b] < lowest ? least[b] : lowest;
  return lowest;
}

typedef float sixteen __attribute__((vector_size(64)));
typedef int32_t sixteen_mask __attribute__((vector_size(64)));

static void block_least(const float *restrict ssd, int64_t blocks, float *restrict out) {
  const sixteen infinite = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY,
                            INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
  for (int64_t b = 0; b < blocks; b++) {
    sixteen least = infinite;
    for (int r = 0; r < 8; r++) {
      sixteen v;
      memcpy(&v, ssd + 128 * b + 16 * r, sizeof v);
      sixteen_mask bits = (sixteen_mask)v & 0x7fffffff, zero = bits == 0;  // |v|, and where it is 0
      bits = (bits & ~zero) | ((sixteen_mask)infinite & zero);
      sixteen_mask less = (sixteen)bits < least;
      least = (sixteen)((bits & less) | ((sixteen_mask)least & ~less));
    }
    float m = least[0];
    for (int k = 1; k < 16; k++) m = least[k] < m ? least[k] : m;
    out[b] = m;
  }
}

const ncc_window_kernels NCC_CAT(ncc_window_kernels_, NCC_ISA) = {
    .cell_sums = cell_sums, .column_strip = column_strip, .window_strip = window_strip, .block_least = block_least};
