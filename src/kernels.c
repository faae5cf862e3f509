/** Inner loops; see kernels.h. Compiled once per instruction set with NCC_ISA naming it; plain C that compilers
 *  vectorise, and intrinsics only where they do not (complex transposes and products). */
#include "kernels.h"

#include <math.h>
#include <string.h>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "array.h"

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define STR_(a) #a
#define STR(a) STR_(a)
#ifndef NCC_ISA
#define NCC_ISA plain
#endif

static void to_f64(ncc_dtype dtype, const void *restrict pixels, int64_t n, double *restrict out) {
#define CONVERT(name, type)                                \
  case name: {                                             \
    const type *restrict p = pixels;                       \
    for (int64_t i = 0; i < n; i++) out[i] = (double)p[i]; \
    break;                                                 \
  }
  switch (dtype) {
    CONVERT(NCC_U8, uint8_t)
    CONVERT(NCC_I8, int8_t)
    CONVERT(NCC_U16, uint16_t)
    CONVERT(NCC_I16, int16_t)
    CONVERT(NCC_U32, uint32_t)
    CONVERT(NCC_I32, int32_t)
    CONVERT(NCC_F32, float)
    case NCC_F16: {
      const uint16_t *restrict p = pixels;
      for (int64_t i = 0; i < n; i++) out[i] = (double)ncc_half_to_float(p[i]);
      break;
    }
    default:
      memcpy(out, pixels, (size_t)n * sizeof *out);
  }
#undef CONVERT
}

static void dot(const double *restrict w, const double *restrict t, int64_t n, double c, double mean, double rest,
                ncc_lane_sums *restrict sums) {
  ncc_lane_sums a = *sums;
  int64_t i = 0;
  for (; i + NCC_LANES <= n; i += NCC_LANES)
    for (int k = 0; k < NCC_LANES; k++) {
      double d = w[i + k] - c, v = (t[i + k] - mean) - rest;
      a.s[k] += d;
      a.q[k] += d * d;
      a.p[k] += d * v;
      a.u[k] += v;
    }
  for (int k = 0; i + k < n; k++) {
    double d = w[i + k] - c, v = (t[i + k] - mean) - rest;
    a.s[k] += d;
    a.q[k] += d * d;
    a.p[k] += d * v;
    a.u[k] += v;
  }
  *sums = a;
}

static void moments(const double *restrict w, int64_t n, double c, ncc_lane_sums *restrict sums, double *restrict lo,
                    double *restrict hi, double *restrict bad) {
  double s[NCC_LANES], q[NCC_LANES], l[NCC_LANES], h[NCC_LANES], z[NCC_LANES] = {0};
  memcpy(s, sums->s, sizeof s);
  memcpy(q, sums->q, sizeof q);
  for (int k = 0; k < NCC_LANES; k++) {
    l[k] = *lo;
    h[k] = *hi;
  }
  int64_t i = 0;
  for (; i + NCC_LANES <= n; i += NCC_LANES)
    for (int k = 0; k < NCC_LANES; k++) {
      double v = w[i + k], d = v - c;
      s[k] += d;
      q[k] += d * d;
      l[k] = v < l[k] ? v : l[k];
      h[k] = v > h[k] ? v : h[k];
      z[k] += v * 0.0;
    }
  for (int k = 0; i + k < n; k++) {
    double v = w[i + k], d = v - c;
    s[k] += d;
    q[k] += d * d;
    l[k] = v < l[k] ? v : l[k];
    h[k] = v > h[k] ? v : h[k];
    z[k] += v * 0.0;
  }
  memcpy(sums->s, s, sizeof s);
  memcpy(sums->q, q, sizeof q);
  for (int k = 0; k < NCC_LANES; k++) {
    *lo = l[k] < *lo ? l[k] : *lo;
    *hi = h[k] > *hi ? h[k] : *hi;
    *bad += z[k];
  }
}

static void to_f32(const double *restrict w, int64_t n, double c, double rest, double scale, float *restrict out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(((w[i] - c) - rest) * scale);
}

static void to_f32_reversed(const double *restrict w, int64_t n, double c, double rest, double scale,
                            float *restrict out) {
  for (int64_t i = 0; i < n; i++) out[n - 1 - i] = (float)(((w[i] - c) - rest) * scale);
}

// A complex number moves as one 8-byte unit.
#if defined(__AVX512F__)
static inline void transpose_8x8(const double *in, int64_t in_stride, double *out, int64_t out_stride) {
  __m512d r[8], t[8];
  for (int i = 0; i < 8; i++) r[i] = _mm512_loadu_pd(in + i * in_stride);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
  }
  const __m512i lo = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), hi = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      r[4 * i + j] = _mm512_permutex2var_pd(t[4 * i + j], lo, t[4 * i + j + 2]);
      r[4 * i + j + 2] = _mm512_permutex2var_pd(t[4 * i + j], hi, t[4 * i + j + 2]);
    }
  for (int j = 0; j < 4; j++) {
    _mm512_storeu_pd(out + j * out_stride, _mm512_shuffle_f64x2(r[j], r[j + 4], 0x44));
    _mm512_storeu_pd(out + (j + 4) * out_stride, _mm512_shuffle_f64x2(r[j], r[j + 4], 0xee));
  }
}
#elif defined(__AVX2__)
static inline void transpose_4x4(const double *in, int64_t in_stride, double *out, int64_t out_stride) {
  __m256d r0 = _mm256_loadu_pd(in), r1 = _mm256_loadu_pd(in + in_stride);
  __m256d r2 = _mm256_loadu_pd(in + 2 * in_stride), r3 = _mm256_loadu_pd(in + 3 * in_stride);
  __m256d a = _mm256_unpacklo_pd(r0, r1), b = _mm256_unpackhi_pd(r0, r1);
  __m256d c = _mm256_unpacklo_pd(r2, r3), d = _mm256_unpackhi_pd(r2, r3);
  _mm256_storeu_pd(out, _mm256_permute2f128_pd(a, c, 0x20));
  _mm256_storeu_pd(out + out_stride, _mm256_permute2f128_pd(b, d, 0x20));
  _mm256_storeu_pd(out + 2 * out_stride, _mm256_permute2f128_pd(a, c, 0x31));
  _mm256_storeu_pd(out + 3 * out_stride, _mm256_permute2f128_pd(b, d, 0x31));
}
static inline void transpose_8x8(const double *in, int64_t in_stride, double *out, int64_t out_stride) {
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 8; j += 4)
      transpose_4x4(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
}
#else
static inline void transpose_8x8(const double *in, int64_t in_stride, double *out, int64_t out_stride) {
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 8; j++) memcpy(out + j * out_stride + i, in + i * in_stride + j, sizeof(double));
}
#endif

static void spread8(const ncc_c32 *in, int64_t in_stride, int64_t n, ncc_c32 *out, int64_t out_stride) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    transpose_8x8((const double *)in + i, in_stride, (double *)out + i * out_stride, out_stride);
  for (; i < n; i++)
    for (int r = 0; r < 8; r++) memcpy(out[i * out_stride + r], in[r * in_stride + i], sizeof(ncc_c32));
}

static void gather8(const ncc_c32 *in, int64_t in_stride, int64_t n, ncc_c32 *out, int64_t out_stride) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    // Lines that the hardware does not foresee: the stride is larger than a page.
    const char *ahead = (const char *)(in + (i + 32) * in_stride);
    for (int k = 0; k < 8; k++) __builtin_prefetch(ahead + k * in_stride * (int64_t)sizeof(ncc_c32));
    transpose_8x8((const double *)in + i * in_stride, in_stride, (double *)out + i, out_stride);
  }
  for (; i < n; i++)
    for (int r = 0; r < 8; r++) memcpy(out[r * out_stride + i], in[i * in_stride + r], sizeof(ncc_c32));
}

static void multiply(ncc_c32 *restrict a, const ncc_c32 *restrict b, int64_t n) {
  float *restrict x = (float *)a;
  const float *restrict y = (const float *)b;
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 8 <= n; i += 8) {
    __m512 u = _mm512_loadu_ps(x + 2 * i), v = _mm512_loadu_ps(y + 2 * i);
    __m512 cross = _mm512_mul_ps(_mm512_permute_ps(u, 0xb1), _mm512_movehdup_ps(v));
    _mm512_storeu_ps(x + 2 * i, _mm512_fmaddsub_ps(u, _mm512_moveldup_ps(v), cross));
  }
#elif defined(__AVX2__)
  for (; i + 4 <= n; i += 4) {
    __m256 u = _mm256_loadu_ps(x + 2 * i), v = _mm256_loadu_ps(y + 2 * i);
    __m256 cross = _mm256_mul_ps(_mm256_permute_ps(u, 0xb1), _mm256_movehdup_ps(v));
    _mm256_storeu_ps(x + 2 * i, _mm256_addsub_ps(_mm256_mul_ps(u, _mm256_moveldup_ps(v)), cross));
  }
#endif
  for (; i < n; i++) {
    float re = x[2 * i] * y[2 * i] - x[2 * i + 1] * y[2 * i + 1];
    float im = x[2 * i] * y[2 * i + 1] + x[2 * i + 1] * y[2 * i];
    x[2 * i] = re;
    x[2 * i + 1] = im;
  }
}

static void block_max(const float *restrict rows_data, int64_t stride, int rows, int64_t n, float *restrict scratch,
                      float *restrict out) {
  memcpy(scratch, rows_data, (size_t)n * sizeof *scratch);
  for (int r = 1; r < rows; r++) {
    const float *restrict row = rows_data + r * stride;
    for (int64_t i = 0; i < n; i++) scratch[i] = row[i] > scratch[i] ? row[i] : scratch[i];
  }
  for (int64_t b = 0; b < n / 16; b++) {
    float m[8];
    for (int k = 0; k < 8; k++) {
      float u = scratch[16 * b + k], v = scratch[16 * b + 8 + k];
      m[k] = u > v ? u : v;
    }
    for (int half = 4; half > 0; half /= 2)
      for (int k = 0; k < half; k++) m[k] = m[k] > m[k + half] ? m[k] : m[k + half];
    out[b] = m[0];
  }
}

static void column_add(const double *restrict w, int64_t n, double c, double sign, double *restrict s,
                       double *restrict q, double *restrict mass) {
  if (sign > 0) {
    for (int64_t i = 0; i < n; i++) {
      double d = w[i] - c, d2 = d * d;
      s[i] += d;
      q[i] += d2;
      mass[i] += d2;
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      double d = w[i] - c;
      s[i] -= d;
      q[i] -= d * d;
    }
  }
}

static void window_sum(const double *restrict values, int64_t n, int64_t width, double *restrict scratch,
                       double *restrict out) {
  const int64_t total = n + width - 1;
  if (width <= 16) {
    for (int64_t i = 0; i < n; i++) out[i] = values[i];
    for (int64_t k = 1; k < width; k++)
      for (int64_t i = 0; i < n; i++) out[i] += values[i + k];
    return;
  }
  // Prefix sums restarting at every block of `width`: a window is the end of one block and the start of the next. Eight
  // blocks are scanned side by side, so that their chains of additions overlap.
  double *restrict prefix = scratch;  // prefix[i]: sum of its block up to and including i
  int64_t b = 0;
  for (; b + 8 * width <= total; b += 8 * width) {
    double a[8] = {0};
    for (int64_t i = 0; i < width; i++)
      for (int k = 0; k < 8; k++) {
        a[k] += values[b + k * width + i];
        prefix[b + k * width + i] = a[k];
      }
  }
  for (; b + 4 * width <= total; b += 4 * width) {
    double a[4] = {0};
    for (int64_t i = 0; i < width; i++)
      for (int k = 0; k < 4; k++) {
        a[k] += values[b + k * width + i];
        prefix[b + k * width + i] = a[k];
      }
  }
  for (; b < total; b += width) {
    double a = 0;
    int64_t end = b + width < total ? b + width : total;
    for (int64_t i = b; i < end; i++) {
      a += values[i];
      prefix[i] = a;
    }
  }
  for (b = 0; b < n; b += width) {
    out[b] = prefix[b + width - 1];
    double block = prefix[b + width - 1];
    int64_t end = b + width < n ? b + width : n;
    for (int64_t i = b + 1; i < end; i++) out[i] = (block - prefix[i - 1]) + prefix[i + width - 1];
  }
}

static float window_ssd(const double *restrict s, const double *restrict q, const double *restrict overlap, int64_t n,
                        double area, double c, double scale2, float *restrict ssd) {
  float lowest = INFINITY;
  const double inv_area = 1 / area;
  for (int64_t i = 0; i < n; i++) {
    double inv = 1 / overlap[i];
    double sum = s[i] + overlap[i] * c;  // of the stored values
    double value = (q[i] - s[i] * s[i] * inv) + sum * sum * ((area - overlap[i]) * inv * inv_area);
    float v = (float)(value * scale2);
    ssd[i] = v;
    lowest = v < lowest ? v : lowest;
  }
  return lowest;
}

const ncc_kernels CAT(ncc_kernels_, NCC_ISA) = {
    .isa = STR(NCC_ISA),
    .to_f64 = to_f64,
    .dot = dot,
    .moments = moments,
    .to_f32 = to_f32,
    .to_f32_reversed = to_f32_reversed,
    .spread8 = spread8,
    .gather8 = gather8,
    .multiply = multiply,
    .block_max = block_max,
    .column_add = column_add,
    .window_sum = window_sum,
    .window_ssd = window_ssd,
};
