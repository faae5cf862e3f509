/** Window statistics by strips of eight rows; see kernels.h and stats.c. Compiled once per instruction set. A lane is a
 *  row of the strip, so that sums along rows, which no vector unit likes, run side by side for eight rows. */
#include "kernels_windows.h"

#include <math.h>

#include "kernels_vec.h"

/** Transposes eight vectors of eight. */
static inline __attribute__((always_inline)) void transpose(lanes r[8]) {
  lanes t[8];
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
}

/** Eight pixels in float64; small integers by way of 32 bits, for which there are instructions. */
#define EIGHT(name, type, convert)                         \
  static inline lanes eight_##name(const type *p) {        \
    type __attribute__((vector_size(8 * sizeof(type)))) v; \
    memcpy(&v, p, sizeof v);                               \
    return convert(v);                                     \
  }
#define BY_INT(v) lanes_of_ints(__builtin_convertvector(v, int_lanes))
#define AS_IT_IS(v) (v)
#define PLAINLY(v) __builtin_convertvector(v, lanes)
EIGHT(NCC_U8, uint8_t, BY_INT)
EIGHT(NCC_I8, int8_t, BY_INT)
EIGHT(NCC_U16, uint16_t, BY_INT)
EIGHT(NCC_I16, int16_t, BY_INT)
EIGHT(NCC_U32, uint32_t, PLAINLY)
EIGHT(NCC_I32, int32_t, lanes_of_ints)
EIGHT(NCC_F32, float, lanes_of_floats)
EIGHT(NCC_F64, double, AS_IT_IS)
static inline lanes eight_NCC_F16(const uint16_t *p) {
  lanes v = {0};
  for (int k = 0; k < 8; k++) v[k] = (double)ncc_half_to_float(p[k]);
  return v;
}

/** Up to eight pixels less the centre; 0 beyond them. One function a type. */
#define PIXELS(name, type, text)                                                                         \
  static inline lanes pixels_##name(const void *row, int64_t i, int64_t count, double scale, double c) { \
    const type *p = (const type *)row + i;                                                               \
    if (count >= 8) return eight_##name(p) * scale - c;                                                  \
    lanes v = {0};                                                                                       \
    for (int k = 0; k < count; k++) v[k] = (double)VALUE_##name(p[k]) * scale - c;                       \
    return v;                                                                                            \
  }
NCC_DTYPE_TABLE(PIXELS)
#undef PIXELS

/** Rows enter and none leaves, nothing is written but the sums: the way to a strip's first row. */
#define BUILD(name, type, text)                                                                                 \
  static void build_##name(const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s, double *q, \
                           double *mass) {                                                                      \
    for (int64_t i = 0; i < n; i += 8) {                                                                        \
      lanes a = {0}, b = {0};                                                                                   \
      _Pragma("GCC unroll 8") for (int r = 0; r < 8; r++) {                                                     \
        if (!rows->in[r]) continue;                                                                             \
        lanes d = pixels_##name(rows->in[r], i, n - i, scale, c);                                               \
        a += d;                                                                                                 \
        b += d * d;                                                                                             \
      }                                                                                                         \
      store(s + i, load(s + i) + a);                                                                            \
      store(q + i, load(q + i) + b);                                                                            \
      store(mass + i, load(mass + i) + b);                                                                      \
    }                                                                                                           \
  }
NCC_DTYPE_TABLE(BUILD)
#undef BUILD

/** Running sums along the rows of a strip, which restart every `period` columns. Loops work on a copy: stores of sums
 *  might else be stores to it. */
typedef struct scan {
  lanes s, q;
  int64_t x, restart, period;
  double *sums, *squares;
} scan;

static inline void scan_column(scan *a, lanes s, lanes q) {
  if (a->x == a->restart) {
    a->s = a->q = (lanes){0};
    a->restart += a->period;
  }
  a->s += s;
  a->q += q;
  store(a->sums + 8 * a->x, a->s);
  store(a->squares + 8 * a->x, a->q);
  a->x++;
}

#define SLIDE(name, type, text)                                                                                    \
  static inline __attribute__((always_inline)) void slide_##name(const ncc_strip_rows *rows, int64_t i, int64_t n, \
                                                                 double scale, double c, double *s, double *q,     \
                                                                 double *mass, lanes a[8], lanes b[8]) {           \
    lanes u = load(s + i), v = load(q + i), m = load(mass + i);                                                    \
    _Pragma("GCC unroll 8") for (int r = 0; r < 8; r++) {                                                          \
      if (rows->in[r]) {                                                                                           \
        if (i * (int64_t)sizeof(type) % 64 == 0)                                                                   \
          __builtin_prefetch((const char *)rows->in[r] + i * (int64_t)sizeof(type) + rows->ahead_bytes);           \
        lanes d = pixels_##name(rows->in[r], i, n - i, scale, c), d2 = d * d;                                      \
        u += d;                                                                                                    \
        v += d2;                                                                                                   \
        m += d2;                                                                                                   \
      }                                                                                                            \
      if (rows->out[r]) {                                                                                          \
        lanes e = pixels_##name(rows->out[r], i, n - i, scale, c);                                                 \
        u -= e;                                                                                                    \
        v -= e * e;                                                                                                \
      }                                                                                                            \
      a[r] = u;                                                                                                    \
      b[r] = v;                                                                                                    \
    }                                                                                                              \
    store(s + i, u);                                                                                               \
    store(q + i, v);                                                                                               \
    store(mass + i, m);                                                                                            \
    transpose(a);                                                                                                  \
    transpose(b);                                                                                                  \
  }                                                                                                                \
  static void strip_##name(const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s, double *q,    \
                           double *mass, scan *along) {                                                            \
    scan at = *along;                                                                                              \
    for (int64_t i = 0; i < n; i += 8) {                                                                           \
      lanes a[8], b[8];                                                                                            \
      slide_##name(rows, i, n, scale, c, s, q, mass, a, b);                                                        \
      int count = n - i < 8 ? (int)(n - i) : 8;                                                                    \
      if (count == 8 && at.x + 8 <= at.restart) {                                                                  \
        _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) {                                                      \
          at.s += a[k];                                                                                            \
          at.q += b[k];                                                                                            \
          store(at.sums + 8 * (at.x + k), at.s);                                                                   \
          store(at.squares + 8 * (at.x + k), at.q);                                                                \
        }                                                                                                          \
        at.x += 8;                                                                                                 \
      } else {                                                                                                     \
        for (int k = 0; k < count; k++) scan_column(&at, a[k], b[k]);                                              \
      }                                                                                                            \
    }                                                                                                              \
    *along = at;                                                                                                   \
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
    for (; along.x < out->first;) scan_column(&along, (lanes){0}, (lanes){0});
  }
  switch (dtype) {
    NCC_DTYPE_TABLE(CASE)
    default:
      break;
  }
  if (out)
    while (along.x < out->width) scan_column(&along, (lanes){0}, (lanes){0});
#undef CASE
}

/** Eight values on their way to memory: a map is looked at only where a peak may be, so it need not pass the caches. */
static inline void put(float *to, float_lanes v) {
#if defined(__AVX__)
  _mm256_stream_ps(to, (__m256)v);
#else
  memcpy(to, &v, sizeof v);
#endif
}

static inline float_lanes lesser(float_lanes a, float_lanes b) {
  float_lane_mask less = a < b;
  return (float_lanes)(((float_lane_mask)a & less) | ((float_lane_mask)b & ~less));
}

static inline float least_of(float_lanes v) {
  float least = v[0];
  for (int k = 1; k < 8; k++) least = v[k] < least ? v[k] : least;
  return least;
}

static float window_strip(const ncc_strip_sums *sums, const ncc_strip_overlap *overlap, int64_t n, double c,
                          double scale2, int64_t at, float *restrict ssd, float *restrict least) {
  const lanes rows = load(overlap->rows), inverse_rows = load(overlap->inverse_rows);
  const float_lane_mask valid = {overlap->valid[0], overlap->valid[1], overlap->valid[2], overlap->valid[3],
                                 overlap->valid[4], overlap->valid[5], overlap->valid[6], overlap->valid[7]};
  const double area = overlap->template_rows * overlap->template_cols, inverse_width = 1 / overlap->template_cols;
  const lane_mask whole = rows == overlap->template_rows;
  const int64_t period = sums->period;
  const float_lanes infinite = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
  float_lanes least_of_block = infinite, least_of_all = infinite;
  lanes pixels = {0}, inverse = {0}, beyond = {0};
  double cols = 0;
  ssd += 8 * at;
  for (int64_t start = 0; start < n; start += period) {
    const lanes start_s = load(sums->sums + 8 * (start + period - 1));
    const lanes start_q = load(sums->squares + 8 * (start + period - 1));
    const int64_t end = start + period < n ? start + period : n;
    for (int64_t i = start; i < end; i++) {
      if (overlap->cols[i] != cols) {
        cols = overlap->cols[i];
        pixels = rows * cols;
        inverse = inverse_rows * overlap->inverse_cols[i];
        beyond = choose(whole, (overlap->inverse_cols[i] - inverse_width) * inverse_rows, inverse - 1 / area);
      }
      lanes s = start_s, q = start_q;
      if (i > start) {
        s = (start_s - load(sums->sums + 8 * (i - 1))) + load(sums->sums + 8 * (i + period - 1));
        q = (start_q - load(sums->squares + 8 * (i - 1))) + load(sums->squares + 8 * (i + period - 1));
      }
      lanes sum = s + pixels * c;  // of the stored values
      lanes value = ((q - s * s * inverse) + sum * sum * beyond) * scale2;
      float_lanes v = __builtin_convertvector(value, float_lanes);
      put(ssd + 8 * i, (float_lanes)((float_lane_mask)v & valid));
      v = (float_lanes)(((float_lane_mask)v & valid) | ((float_lane_mask)infinite & ~valid));
      least_of_block = lesser(v, least_of_block);
      if ((at + i) % 16 == 15 || i == n - 1) {
        least[(at + i) / 16] = least_of(least_of_block);
        least_of_all = lesser(least_of_block, least_of_all);
        least_of_block = infinite;
      }
    }
  }
#if defined(__AVX__)
  _mm_sfence();  // other threads look at the map next
#endif
  return least_of(least_of_all);
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
    .column_strip = column_strip, .window_strip = window_strip, .block_least = block_least};
