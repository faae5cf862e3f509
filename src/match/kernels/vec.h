/** Vectors as wide as the registers of the instruction set that a file is compiled for: AVX-512, AVX2, or 16 bytes
 * (SSE2 and NEON). Wider ones are no use: compilers take them apart, some operations down to single numbers. Included
 * only by files that are compiled once per instruction set. */
#ifndef NCC_KERNELS_VEC_H
#define NCC_KERNELS_VEC_H

#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "base/array.h"
#include "match/kernels/kernels.h"

// The helpers are inlined, so how vectors would be passed does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

#define NCC_CAT_(a, b) a##b
#define NCC_CAT(a, b) NCC_CAT_(a, b)
#define NCC_STR_(a) #a
#define NCC_STR(a) NCC_STR_(a)
#ifndef NCC_ISA
#define NCC_ISA plain
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

#if defined(__AVX512F__)
#define WIDTH 8 /* numbers of 64 bits in a register: float64, or complex ones of single precision */
#elif defined(__AVX2__)
#define WIDTH 4
#else
#define WIDTH 2
#endif
#define PIECES (NCC_LANES / WIDTH) /* registers that eight of them take */

typedef double doubles __attribute__((vector_size(8 * WIDTH)));
typedef int64_t longs __attribute__((vector_size(8 * WIDTH))); /* what comparing doubles gives */
typedef float floats __attribute__((vector_size(4 * WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * WIDTH)));    /* what comparing floats gives */
typedef float complexes __attribute__((vector_size(8 * WIDTH))); /* or twice as many floats */
typedef int32_t complex_mask __attribute__((vector_size(8 * WIDTH)));

INLINE doubles get(const double *p) {
  doubles v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void put(double *p, doubles v) {
  memcpy(p, &v, sizeof v);
}

INLINE complexes get_complex(const ncc_c32 *p) {
  complexes v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void put_complex(ncc_c32 *p, complexes v) {
  memcpy(p, &v, sizeof v);
}

/** Past the caches, where asked for; aligned. Others see it after past_fence(). */
INLINE void put_complex_past(ncc_c32 *p, complexes v, bool past) {
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
#elif defined(__SSE2__)
  if (past) {
    _mm_stream_ps((float *)p, (__m128)v);
    return;
  }
#endif
  (void)past;
  put_complex(p, v);
}

INLINE void past_fence(bool past) {
  (void)past;
#if defined(__SSE2__)
  if (past) _mm_sfence();
#endif
}

/** Asks for what a loop will read next but a page: hardware does not look far enough ahead where each line takes some
 *  work. Beyond the end of an array it does no harm. */
INLINE void look_ahead(const void *p) {
  __builtin_prefetch((const char *)p + 4096);
}

// ---- What compilers do not find by themselves: conversions, and the lesser and the greater of two.

#if WIDTH == 8
#define FOR_WIDTH(wide, middle, narrow, other) wide
#elif WIDTH == 4
#define FOR_WIDTH(wide, middle, narrow, other) middle
#elif defined(__SSE2__)
#define FOR_WIDTH(wide, middle, narrow, other) narrow
#else
#define FOR_WIDTH(wide, middle, narrow, other) other
#endif

INLINE doubles doubles_of_floats(floats v) {
  return FOR_WIDTH((doubles)_mm512_cvtps_pd((__m256)v), (doubles)_mm256_cvtps_pd((__m128)v),
                   __builtin_convertvector(v, doubles), __builtin_convertvector(v, doubles));
}

INLINE doubles doubles_of_ints(ints v) {
  return FOR_WIDTH((doubles)_mm512_cvtepi32_pd((__m256i)v), (doubles)_mm256_cvtepi32_pd((__m128i)v),
                   __builtin_convertvector(v, doubles), __builtin_convertvector(v, doubles));
}

INLINE floats floats_of_doubles(doubles v) {
  return FOR_WIDTH((floats)_mm512_cvtpd_ps((__m512d)v), (floats)_mm256_cvtpd_ps((__m256d)v),
                   __builtin_convertvector(v, floats), __builtin_convertvector(v, floats));
}

/** Numbers without a fraction, or what is left of others towards 0. */
INLINE ints ints_of_doubles(doubles v) {
  return FOR_WIDTH((ints)_mm512_cvttpd_epi32((__m512d)v), (ints)_mm256_cvttpd_epi32((__m256d)v),
                   __builtin_convertvector(v, ints), __builtin_convertvector(v, ints));
}

/** Rounded down, of at most 2^31 in size. */
INLINE doubles floor_of(doubles v) {
#if WIDTH == 8
  return (doubles)_mm512_floor_pd((__m512d)v);
#elif WIDTH == 4
  return (doubles)_mm256_floor_pd((__m256d)v);
#else
  const doubles whole = doubles_of_ints(ints_of_doubles(v));
  return whole + (doubles)((longs)(whole > v) & (longs)((doubles){0} - 1));
#endif
}

/** a * b + c, rounded once where there is an instruction for it: for what feeds proposals alone, whose bounds hold for
 *  any rounding. */
INLINE complexes fused(complexes a, complexes b, complexes c) {
#if defined(__FMA__)
  return FOR_WIDTH((complexes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c),
                   (complexes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c), a * b + c, a * b + c);
#else
  return a * b + c;
#endif
}

INLINE doubles fused_doubles(doubles a, doubles b, doubles c) {
#if defined(__FMA__)
  return FOR_WIDTH((doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c),
                   (doubles)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c), a * b + c, a * b + c);
#else
  return a * b + c;
#endif
}

/** c - a * b, likewise. */
INLINE doubles fused_from(doubles c, doubles a, doubles b) {
#if defined(__FMA__)
  return FOR_WIDTH((doubles)_mm512_fnmadd_pd((__m512d)a, (__m512d)b, (__m512d)c),
                   (doubles)_mm256_fnmadd_pd((__m256d)a, (__m256d)b, (__m256d)c), c - a * b, c - a * b);
#else
  return c - a * b;
#endif
}

/** Bits of a where the mask is set, else those of b. */
#define CHOOSE(type, mask_type, mask, a, b) (type)(((mask_type)(a) & (mask)) | ((mask_type)(b) & ~(mask)))

/** a where it is less than b, else b. */
INLINE doubles lesser(doubles a, doubles b) {
  return FOR_WIDTH((doubles)_mm512_min_pd((__m512d)a, (__m512d)b), (doubles)_mm256_min_pd((__m256d)a, (__m256d)b),
                   (doubles)_mm_min_pd((__m128d)a, (__m128d)b), CHOOSE(doubles, longs, a < b, a, b));
}

/** a where it is greater than b, else b. */
INLINE doubles greater(doubles a, doubles b) {
  return FOR_WIDTH((doubles)_mm512_max_pd((__m512d)a, (__m512d)b), (doubles)_mm256_max_pd((__m256d)a, (__m256d)b),
                   (doubles)_mm_max_pd((__m128d)a, (__m128d)b), CHOOSE(doubles, longs, a > b, a, b));
}

INLINE floats lesser_floats(floats a, floats b) {
  return FOR_WIDTH((floats)_mm256_min_ps((__m256)a, (__m256)b), (floats)_mm_min_ps((__m128)a, (__m128)b),
                   CHOOSE(floats, ints, a < b, a, b), CHOOSE(floats, ints, a < b, a, b));
}

/** Of every float of two registers. */
INLINE complexes lesser_each(complexes a, complexes b) {
  return FOR_WIDTH((complexes)_mm512_min_ps((__m512)a, (__m512)b), (complexes)_mm256_min_ps((__m256)a, (__m256)b),
                   (complexes)_mm_min_ps((__m128)a, (__m128)b), CHOOSE(complexes, complex_mask, a < b, a, b));
}

INLINE complexes greater_each(complexes a, complexes b) {
  return FOR_WIDTH((complexes)_mm512_max_ps((__m512)a, (__m512)b), (complexes)_mm256_max_ps((__m256)a, (__m256)b),
                   (complexes)_mm_max_ps((__m128)a, (__m128)b), CHOOSE(complexes, complex_mask, a > b, a, b));
}

// ---- Orders

#if WIDTH == 8
#define PICK(v, even, odd)                                                                                             \
  __builtin_shufflevector(v, v, even, odd, 2 + even, 2 + odd, 4 + even, 4 + odd, 6 + even, 6 + odd, 8 + even, 8 + odd, \
                          10 + even, 10 + odd, 12 + even, 12 + odd, 14 + even, 14 + odd)
#define REVERSE(v) __builtin_shufflevector(v, v, 7, 6, 5, 4, 3, 2, 1, 0)
#define INTERLEAVE(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)
#define INTERLEAVE_FIRST(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_LAST(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif WIDTH == 4
#define PICK(v, even, odd) \
  __builtin_shufflevector(v, v, even, odd, 2 + even, 2 + odd, 4 + even, 4 + odd, 6 + even, 6 + odd)
#define REVERSE(v) __builtin_shufflevector(v, v, 3, 2, 1, 0)
#define INTERLEAVE(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5, 2, 6, 3, 7)
#define INTERLEAVE_FIRST(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_LAST(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define PICK(v, even, odd) __builtin_shufflevector(v, v, even, odd, 2 + even, 2 + odd)
#define REVERSE(v) __builtin_shufflevector(v, v, 1, 0)
#define INTERLEAVE(a, b) __builtin_shufflevector(a, b, 0, 2, 1, 3)
#define INTERLEAVE_FIRST(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_LAST(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/** Transposes WIDTH vectors. */
INLINE void transpose(doubles r[WIDTH]) {
#if WIDTH == 8
  doubles t[8];
  UNROLL for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int j = 0; j < 2; j++) {
    r[i + j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    r[i + j + 2] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  UNROLL for (int j = 0; j < 4; j++) {
    t[j] = __builtin_shufflevector(r[j], r[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    t[j + 4] = __builtin_shufflevector(r[j], r[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  UNROLL for (int i = 0; i < 8; i++) r[i] = t[i];
#elif WIDTH == 4
  doubles a = __builtin_shufflevector(r[0], r[1], 0, 4, 2, 6), b = __builtin_shufflevector(r[0], r[1], 1, 5, 3, 7);
  doubles c = __builtin_shufflevector(r[2], r[3], 0, 4, 2, 6), d = __builtin_shufflevector(r[2], r[3], 1, 5, 3, 7);
  r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  r[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  r[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
#else
  doubles a = __builtin_shufflevector(r[0], r[1], 0, 2);
  r[1] = __builtin_shufflevector(r[0], r[1], 1, 3);
  r[0] = a;
#endif
}

#define RE_SIGN ((int64_t)0x0000000080000000ull)
#define IM_SIGN ((int64_t)0x8000000000000000ull)

/** Changes signs of real or imaginary parts. */
INLINE complexes flip(complexes v, int64_t signs) {
  return (complexes)((longs)v ^ signs);
}

// ---- Pixels: load_NCC_U8() and so on: WIDTH pixels in float64, exact

#if WIDTH > 2
/** The lowest four or eight bytes of a register. */
INLINE __m128i some_bytes(const void *p, size_t bytes) {
  int64_t v = 0;
  memcpy(&v, p, bytes);
  return _mm_cvtsi64_si128(v);
}
#endif

/** Small integers by way of 32 bits, for which there are instructions; twice_...(): twice as many. */
#define LOAD_SMALL(name, type, wide, middle, twice_wide, twice_middle)                                       \
  INLINE ints ints_##name(const type *p) {                                                                   \
    return FOR_WIDTH((ints)wide, (ints)middle, ((ints){p[0], p[1]}), ((ints){p[0], p[1]}));                  \
  }                                                                                                          \
  INLINE doubles load_##name(const type *p) {                                                                \
    return doubles_of_ints(ints_##name(p));                                                                  \
  }                                                                                                          \
  INLINE complexes twice_##name(const type *p) {                                                             \
    return FOR_WIDTH((complexes)_mm512_cvtepi32_ps(twice_wide), (complexes)_mm256_cvtepi32_ps(twice_middle), \
                     ((complexes){p[0], p[1], p[2], p[3]}), ((complexes){p[0], p[1], p[2], p[3]}));          \
  }
LOAD_SMALL(NCC_U8, uint8_t, _mm256_cvtepu8_epi32(some_bytes(p, 8)), _mm_cvtepu8_epi32(some_bytes(p, 4)),
           _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)), _mm256_cvtepu8_epi32(some_bytes(p, 8)))
LOAD_SMALL(NCC_I8, int8_t, _mm256_cvtepi8_epi32(some_bytes(p, 8)), _mm_cvtepi8_epi32(some_bytes(p, 4)),
           _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)), _mm256_cvtepi8_epi32(some_bytes(p, 8)))
LOAD_SMALL(NCC_U16, uint16_t, _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)),
           _mm_cvtepu16_epi32(some_bytes(p, 8)), _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)),
           _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)))
LOAD_SMALL(NCC_I16, int16_t, _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)p)),
           _mm_cvtepi16_epi32(some_bytes(p, 8)), _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)p)),
           _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)p)))
#undef LOAD_SMALL

INLINE doubles load_NCC_I32(const int32_t *p) {
  ints v;
  memcpy(&v, p, sizeof v);
  return doubles_of_ints(v);
}

INLINE doubles load_NCC_U32(const uint32_t *p) {
  ints v;
  memcpy(&v, p, sizeof v);
  return doubles_of_ints(v ^ INT32_MIN) + 0x1p31;
}

INLINE doubles load_NCC_F16(const uint16_t *p) {
  doubles v = {0};
  for (int k = 0; k < WIDTH; k++) v[k] = (double)ncc_half_to_float(p[k]);
  return v;
}

INLINE doubles load_NCC_F32(const float *p) {
  floats v;
  memcpy(&v, p, sizeof v);
  return doubles_of_floats(v);
}

INLINE doubles load_NCC_F64(const double *p) {
  return get(p);
}

// twice_NCC_U8() and so on: in float32, where that is exact for every pixel of the type.
#define IS_SMALL_NCC_U8 1
#define IS_SMALL_NCC_I8 1
#define IS_SMALL_NCC_U16 1
#define IS_SMALL_NCC_I16 1
#define IS_SMALL_NCC_U32 0
#define IS_SMALL_NCC_I32 0
#define IS_SMALL_NCC_F16 0
#define IS_SMALL_NCC_F32 0
#define IS_SMALL_NCC_F64 0

/** One pixel in float64, as ncc_array_value(). */
#define VALUE_NCC_U8(v) (double)(v)
#define VALUE_NCC_I8(v) (double)(v)
#define VALUE_NCC_U16(v) (double)(v)
#define VALUE_NCC_I16(v) (double)(v)
#define VALUE_NCC_U32(v) (double)(v)
#define VALUE_NCC_I32(v) (double)(v)
#define VALUE_NCC_F16(v) (double)ncc_half_to_float(v)
#define VALUE_NCC_F32(v) (double)(v)
#define VALUE_NCC_F64(v) (v)

#endif
