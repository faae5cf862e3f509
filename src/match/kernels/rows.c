/** Inner loops; see kernels.h. Compiled once per instruction set with NCC_ISA naming it; plain C that compilers
 *  vectorise, and intrinsics only where they do not (complex transposes and products). */
#include "match/kernels/kernels.h"

#include <math.h>
#include <string.h>

#include "match/kernels/cut.h"
#include "match/kernels/vec.h"
#include "match/kernels/windows.h"

static void to_f64(ncc_dtype dtype, const void *restrict pixels, int64_t n, double *restrict out) {
#define CASE(name, type, text)                                           \
  case name: {                                                           \
    const type *restrict p = pixels;                                     \
    for (int64_t i = 0; i < n; i++) out[i] = (double)VALUE_##name(p[i]); \
    break;                                                               \
  }
  switch (dtype) {
    NCC_DTYPE_TABLE(CASE)
    default:
      break;
  }
#undef CASE
}

enum { PIECE = 512 }; /* pixels widened at a time, a multiple of the lanes */

/** Up to PIECE pixels in float64: themselves, or converted into `buffer`. */
static inline const double *widened(ncc_dtype dtype, const void *pixels, int64_t at, int64_t n, double *buffer) {
  if (dtype == NCC_F64) return (const double *)pixels + at;
  to_f64(dtype, (const char *)pixels + at * (int64_t)ncc_dtype_size(dtype), n, buffer);
  return buffer;
}

static void dot(ncc_dtype dtype, const void *restrict window, double scale, double c, ncc_dtype t_dtype,
                const void *restrict tmpl, double t_scale, double mean, double rest, int64_t n,
                ncc_lane_sums *restrict sums) {
  lanes s = load(sums->s), q = load(sums->q), p = load(sums->p), u = load(sums->u);
  int64_t i = 0;
#define STEP(w, t)                         \
  {                                        \
    lanes d = (w)*scale - c;               \
    lanes v = ((t)*t_scale - mean) - rest; \
    s += d;                                \
    q += d * d;                            \
    p += d * v;                            \
    u += v;                                \
  }
  if (dtype == NCC_F32 && t_dtype == NCC_F32)
    for (; i + NCC_LANES <= n; i += NCC_LANES) STEP(widen((const float *)window + i), widen((const float *)tmpl + i))
  while (i < n) {
    double w_buffer[PIECE], t_buffer[PIECE];
    int64_t some = n - i < PIECE ? n - i : PIECE, j = 0;
    const double *w = widened(dtype, window, i, some, w_buffer), *t = widened(t_dtype, tmpl, i, some, t_buffer);
    for (; j + NCC_LANES <= some; j += NCC_LANES) STEP(load(w + j), load(t + j))
    for (int k = 0; j + k < some; k++) {
      double d = w[j + k] * scale - c, v = (t[j + k] * t_scale - mean) - rest;
      s[k] += d;
      q[k] += d * d;
      p[k] += d * v;
      u[k] += v;
    }
    i += some;
  }
#undef STEP
  memcpy(sums->s, &s, sizeof s);
  memcpy(sums->q, &q, sizeof q);
  memcpy(sums->p, &p, sizeof p);
  memcpy(sums->u, &u, sizeof u);
}

static void moments(ncc_dtype dtype, const void *restrict pixels, int64_t n, double scale, double c,
                    ncc_lane_sums *restrict sums, double *restrict lo, double *restrict hi, double *restrict bad) {
  lanes s = load(sums->s), q = load(sums->q), low, high, nan = {0};
  for (int k = 0; k < NCC_LANES; k++) {
    low[k] = *lo;
    high[k] = *hi;
  }
  int64_t i = 0;
#define STEP(pixel)                     \
  {                                     \
    lanes v = (pixel)*scale, d = v - c; \
    s += d;                             \
    q += d * d;                         \
    low = lesser(v, low);               \
    high = greater(v, high);            \
    nan += v * 0.0;                     \
  }
  if (dtype == NCC_F32)
    for (; i + NCC_LANES <= n; i += NCC_LANES) STEP(widen((const float *)pixels + i))
  while (i < n) {
    double buffer[PIECE];
    int64_t some = n - i < PIECE ? n - i : PIECE, j = 0;
    const double *w = widened(dtype, pixels, i, some, buffer);
    for (; j + NCC_LANES <= some; j += NCC_LANES) STEP(load(w + j))
    for (int k = 0; j + k < some; k++) {
      double v = w[j + k] * scale, d = v - c;
      s[k] += d;
      q[k] += d * d;
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      nan[k] += v * 0.0;
    }
    i += some;
  }
#undef STEP
  memcpy(sums->s, &s, sizeof s);
  memcpy(sums->q, &q, sizeof q);
  for (int k = 0; k < NCC_LANES; k++) {
    *lo = low[k] < *lo ? low[k] : *lo;
    *hi = high[k] > *hi ? high[k] : *hi;
    *bad += nan[k];
  }
}

enum { LOOK = 64 }; /* pixels: whole lines of cache */

static void pack_rows(ncc_dtype dtype, const void *restrict row_a, const void *restrict row_b, int64_t n, double c,
                      double rest, double unit, bool reversed, ncc_c32 *restrict out) {
  float *restrict o = (float *)out;
#define PACK(v) (float)((((double)(v)-c) - rest) * unit)
#define CASE(name, type, text)                                                 \
  case name: {                                                                 \
    const type *restrict a = row_a, *restrict b = row_b;                       \
    if (b && reversed)                                                         \
      for (int64_t i = 0; i < n; i++) {                                        \
        o[2 * i] = PACK(VALUE_##name(a[n - 1 - i]));                           \
        o[2 * i + 1] = PACK(VALUE_##name(b[n - 1 - i]));                       \
      }                                                                        \
    else if (b)                                                                \
      for (int64_t at = 0; at < n; at += LOOK) {                               \
        const int64_t end = at + LOOK < n ? at + LOOK : n;                     \
        for (int64_t i = at; i < at + LOOK; i += 64 / (int64_t)sizeof(type)) { \
          look_ahead(a + i);                                                   \
          look_ahead(b + i);                                                   \
        }                                                                      \
        for (int64_t i = at; i < end; i++) {                                   \
          o[2 * i] = PACK(VALUE_##name(a[i]));                                 \
          o[2 * i + 1] = PACK(VALUE_##name(b[i]));                             \
        }                                                                      \
      }                                                                        \
    else                                                                       \
      for (int64_t i = 0; i < n; i++) {                                        \
        o[2 * i] = PACK(VALUE_##name(a[reversed ? n - 1 - i : i]));            \
        o[2 * i + 1] = 0;                                                      \
      }                                                                        \
    break;                                                                     \
  }
  switch (dtype) {
    NCC_DTYPE_TABLE(CASE)
    default:
      break;
  }
#undef CASE
#undef PACK
}

// A complex number of single precision moves as one 8-byte unit.
#if defined(__AVX512F__)
/** Transposes eight vectors of eight. */
static inline void transpose_8x8(__m512d r[8]) {
  __m512d t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
  }
  const __m512i lo = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), hi = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      r[i + j] = _mm512_permutex2var_pd(t[i + j], lo, t[i + j + 2]);
      r[i + j + 2] = _mm512_permutex2var_pd(t[i + j], hi, t[i + j + 2]);
    }
  for (int j = 0; j < 4; j++) {
    t[j] = _mm512_shuffle_f64x2(r[j], r[j + 4], 0x44);
    t[j + 4] = _mm512_shuffle_f64x2(r[j], r[j + 4], 0xee);
  }
  for (int i = 0; i < 8; i++) r[i] = t[i];
}

/** Eight complex numbers: order reversed, real and imaginary parts swapped, signs flipped. */
static inline __m512d reverse8(__m512d v) {
  return _mm512_permutexvar_pd(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), v);
}
static inline __m512d swap8(__m512d v) {
  return _mm512_castps_pd(_mm512_permute_ps(_mm512_castpd_ps(v), 0xb1));
}
static inline __m512d flip8(__m512d v, uint64_t signs) {
  return _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(v), _mm512_set1_epi64((long long)signs)));
}
static inline __m512d add8(__m512d a, __m512d b) {
  return _mm512_castps_pd(_mm512_add_ps(_mm512_castpd_ps(a), _mm512_castpd_ps(b)));
}
static inline __m512d sub8(__m512d a, __m512d b) {
  return _mm512_castps_pd(_mm512_sub_ps(_mm512_castpd_ps(a), _mm512_castpd_ps(b)));
}
#elif defined(__AVX2__)
/** Transposes four vectors of four. */
static inline void transpose_4x4(__m256d r[4]) {
  __m256d a = _mm256_unpacklo_pd(r[0], r[1]), b = _mm256_unpackhi_pd(r[0], r[1]);
  __m256d c = _mm256_unpacklo_pd(r[2], r[3]), d = _mm256_unpackhi_pd(r[2], r[3]);
  r[0] = _mm256_permute2f128_pd(a, c, 0x20);
  r[1] = _mm256_permute2f128_pd(b, d, 0x20);
  r[2] = _mm256_permute2f128_pd(a, c, 0x31);
  r[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

/** Four complex numbers: order reversed, real and imaginary parts swapped, signs flipped, sums. */
static inline __m256d reverse4(__m256d v) {
  return _mm256_permute4x64_pd(v, 0x1b);
}
static inline __m256d swap4(__m256d v) {
  return _mm256_castps_pd(_mm256_permute_ps(_mm256_castpd_ps(v), 0xb1));
}
static inline __m256d flip4(__m256d v, uint64_t signs) {
  return _mm256_xor_pd(v, _mm256_castsi256_pd(_mm256_set1_epi64x((long long)signs)));
}
static inline __m256d add4(__m256d a, __m256d b) {
  return _mm256_castps_pd(_mm256_add_ps(_mm256_castpd_ps(a), _mm256_castpd_ps(b)));
}
static inline __m256d sub4(__m256d a, __m256d b) {
  return _mm256_castps_pd(_mm256_sub_ps(_mm256_castpd_ps(a), _mm256_castpd_ps(b)));
}
#endif
#define IM_SIGN 0x8000000000000000ull
#define RE_SIGN 0x0000000080000000ull

#if defined(__AVX512F__)
static inline void put8(double *to, __m512d v, bool past) {
  if (past)
    _mm512_stream_pd(to, v);
  else
    _mm512_storeu_pd(to, v);
}
#elif defined(__AVX2__)
static inline void put4(double *to, __m256d v, bool past) {
  if (past)
    _mm256_stream_pd(to, v);
  else
    _mm256_storeu_pd(to, v);
}
#endif

// Z = A + iB with A, B spectra of real rows: 2 A[k] = Z[k] + conj Z[n-k], 2 B[k] = -i (Z[k] - conj Z[n-k]).
// u: Z[k] and those after it; v: Z[n-k], and those before it.
static void unpack_run(const ncc_c32 *restrict u, const ncc_c32 *restrict v, int64_t stride, int64_t count,
                       ncc_c32 *restrict out, bool past) {
  int64_t k = 0;
#if defined(__AVX512F__)
  for (; k + 8 <= count; k += 8) {
    __m512d rows[8];
    for (int r = 0; r < 4; r++) {
      __m512d z = _mm512_loadu_pd((const double *)(u + r * stride + k));
      __m512d w = flip8(reverse8(_mm512_loadu_pd((const double *)(v + r * stride - k - 7))), IM_SIGN);
      rows[2 * r] = add8(z, w);
      rows[2 * r + 1] = flip8(swap8(sub8(z, w)), IM_SIGN);
    }
    transpose_8x8(rows);
    for (int i = 0; i < 8; i++) put8((double *)(out + (k + i) * 8), rows[i], past);
  }
#elif defined(__AVX2__)
  for (; k + 4 <= count; k += 4) {
    __m256d rows[8];
    for (int r = 0; r < 4; r++) {
      __m256d z = _mm256_loadu_pd((const double *)(u + r * stride + k));
      __m256d w = flip4(reverse4(_mm256_loadu_pd((const double *)(v + r * stride - k - 3))), IM_SIGN);
      rows[2 * r] = add4(z, w);
      rows[2 * r + 1] = flip4(swap4(sub4(z, w)), IM_SIGN);
    }
    transpose_4x4(rows);
    transpose_4x4(rows + 4);
    for (int i = 0; i < 4; i++) {
      put4((double *)(out + (k + i) * 8), rows[i], past);
      put4((double *)(out + (k + i) * 8 + 4), rows[4 + i], past);
    }
  }
#else
  (void)past;
#endif
  for (; k < count; k++)
    for (int r = 0; r < 4; r++) {
      const float *z = u[r * stride + k], *w = v[r * stride - k];
      float *a = out[k * 8 + 2 * r], *b = out[k * 8 + 2 * r + 1];
      a[0] = z[0] + w[0];
      a[1] = z[1] - w[1];
      b[0] = z[1] + w[1];
      b[1] = w[0] - z[0];
    }
}

// Z[k] = A[k] + i B[k], Z[n-k] = conj(A[k] - i B[k]).
static void pack_run(const ncc_c32 *restrict in, int64_t count, ncc_c32 *u, ncc_c32 *v, int64_t stride) {
  int64_t k = 0;
#if defined(__AVX512F__)
  for (; k + 8 <= count; k += 8) {
    __m512d rows[8];
    for (int i = 0; i < 8; i++) {
      look_ahead(in + (k + i) * 8);
      rows[i] = _mm512_loadu_pd((const double *)(in + (k + i) * 8));
    }
    transpose_8x8(rows);
    for (int r = 0; r < 4; r++) {
      __m512d a = rows[2 * r], ib = flip8(swap8(rows[2 * r + 1]), RE_SIGN);
      _mm512_storeu_pd((double *)(v + r * stride - k - 7), reverse8(flip8(sub8(a, ib), IM_SIGN)));
      _mm512_storeu_pd((double *)(u + r * stride + k), add8(a, ib));
    }
  }
#elif defined(__AVX2__)
  for (; k + 4 <= count; k += 4) {
    __m256d rows[8];
    for (int i = 0; i < 4; i++) {
      look_ahead(in + (k + i) * 8);
      rows[i] = _mm256_loadu_pd((const double *)(in + (k + i) * 8));
      rows[4 + i] = _mm256_loadu_pd((const double *)(in + (k + i) * 8 + 4));
    }
    transpose_4x4(rows);
    transpose_4x4(rows + 4);
    for (int r = 0; r < 4; r++) {
      __m256d a = rows[2 * r], ib = flip4(swap4(rows[2 * r + 1]), RE_SIGN);
      _mm256_storeu_pd((double *)(v + r * stride - k - 3), reverse4(flip4(sub4(a, ib), IM_SIGN)));
      _mm256_storeu_pd((double *)(u + r * stride + k), add4(a, ib));
    }
  }
#endif
  for (; k < count; k++)
    for (int r = 0; r < 4; r++) {
      const float *a = in[k * 8 + 2 * r], *b = in[k * 8 + 2 * r + 1];
      float *z = u[r * stride + k], *w = v[r * stride - k];
      float re = a[0] - b[1], im = a[1] + b[0];
      w[0] = a[0] + b[1];
      w[1] = b[0] - a[1];
      z[0] = re;
      z[1] = im;
    }
}

/** Frequencies k1 + parts k2 of a row in parts [k1][k2], and their partners n - k: those of part 0 lie in part 0, those
 *  of part k1 in part parts - k1, backwards. Each pair belongs to one run. */
typedef struct run {
  int64_t u, v, count;
} run;

static run run_of(int k1, int parts, int64_t length) {
  const int64_t part = length + NCC_PART_GAP;
  if (k1 == 0) return (run){0, length, length / 2 + 1};
  return (run){k1 * part, (parts - k1) * part + length - 1, 2 * k1 == parts ? length / 2 : length};
}

static void unpack_spectra(ncc_c32 *in, int64_t in_stride, int parts, int64_t length, ncc_c32 *out, bool past) {
  for (int r = 0; r < 4; r++) memcpy(in[r * in_stride + length], in[r * in_stride], sizeof(ncc_c32));
  for (int k1 = 0; 2 * k1 <= parts; k1++) {
    const run at = run_of(k1, parts, length);
    unpack_run(in + at.u, in + at.v, in_stride, at.count, out, past);
    out += 8 * at.count;
  }
#if defined(__AVX2__)
  if (past) _mm_sfence();  // other threads read it next
#endif
}

static void pack_spectra(const ncc_c32 *in, int parts, int64_t length, ncc_c32 *out, int64_t out_stride) {
  for (int k1 = 0; 2 * k1 <= parts; k1++) {
    const run at = run_of(k1, parts, length);
    pack_run(in, at.count, out + at.u, out + at.v, out_stride);
    in += 8 * at.count;
  }
}

static void block_max(const ncc_c32 *restrict packed, int64_t stride, int rows, int64_t n, float *restrict out) {
  for (int64_t b = 0; b < n / 16; b++) {
    const float *restrict p = (const float *)(packed + 16 * b);
#if defined(__AVX512F__)
    __m512 m = _mm512_max_ps(_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16));
    for (int r = 1; r < rows; r++)
      m = _mm512_max_ps(m,
                        _mm512_max_ps(_mm512_loadu_ps(p + 2 * r * stride), _mm512_loadu_ps(p + 2 * r * stride + 16)));
    out[b] = _mm512_reduce_max_ps(m);
#else
    float m[32];
    memcpy(m, p, sizeof m);
    for (int r = 1; r < rows; r++)
      for (int k = 0; k < 32; k++) {
        float v = p[2 * r * stride + k];
        m[k] = v > m[k] ? v : m[k];
      }
    for (int half = 16; half > 0; half /= 2)
      for (int k = 0; k < half; k++) m[k] = m[k] > m[k + half] ? m[k] : m[k + half];
    out[b] = m[0];
#endif
  }
}

extern const ncc_cut_kernels NCC_CAT(ncc_cut_kernels_, NCC_ISA);
extern const ncc_window_kernels NCC_CAT(ncc_window_kernels_, NCC_ISA);

const ncc_kernels NCC_CAT(ncc_kernels_, NCC_ISA) = {
    .isa = NCC_STR(NCC_ISA),
    .to_f64 = to_f64,
    .dot = dot,
    .moments = moments,
    .pack_rows = pack_rows,
    .unpack_spectra = unpack_spectra,
    .pack_spectra = pack_spectra,
    .block_max = block_max,
    .cut = &NCC_CAT(ncc_cut_kernels_, NCC_ISA),
    .windows = &NCC_CAT(ncc_window_kernels_, NCC_ISA),
};
