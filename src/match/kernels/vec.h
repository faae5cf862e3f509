/** Vectors that kernels share: eight doubles, which every instruction set has in some number of registers. Included
 * only by files that are compiled once per instruction set. */
#ifndef NCC_KERNELS_VEC_H
#define NCC_KERNELS_VEC_H

#include <string.h>

#if defined(__AVX2__) || defined(__AVX512F__)
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

/** Loops over pixels of any type: X(enumerator, type, text) once a type, VALUE_x(v) a pixel's value. */
#define VALUE_NCC_U8(v) (v)
#define VALUE_NCC_I8(v) (v)
#define VALUE_NCC_U16(v) (v)
#define VALUE_NCC_I16(v) (v)
#define VALUE_NCC_U32(v) (v)
#define VALUE_NCC_I32(v) (v)
#define VALUE_NCC_F16(v) ncc_half_to_float(v)
#define VALUE_NCC_F32(v) (v)
#define VALUE_NCC_F64(v) (v)

typedef double lanes __attribute__((vector_size(64)));
typedef int64_t lane_mask __attribute__((vector_size(64)));
typedef float float_lanes __attribute__((vector_size(32)));
typedef int32_t int_lanes __attribute__((vector_size(32)));
typedef int_lanes float_lane_mask;  // what comparing float_lanes gives

static inline lanes load(const double *p) {
  lanes v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void store(double *p, lanes v) {
  memcpy(p, &v, sizeof v);
}

/** Asks for what a loop will read next but a page: hardware does not look far enough ahead where each line takes some
 *  work. Beyond the end of an array it does no harm. */
static inline void look_ahead(const void *p) {
  __builtin_prefetch((const char *)p + 4096);
}

/** Compilers split these conversions in halves where one instruction would do. */
static inline lanes lanes_of_floats(float_lanes v) {
#if defined(__AVX512F__)
  return (lanes)_mm512_cvtps_pd((__m256)v);
#else
  return __builtin_convertvector(v, lanes);
#endif
}

static inline lanes lanes_of_ints(int_lanes v) {
#if defined(__AVX512F__)
  return (lanes)_mm512_cvtepi32_pd((__m256i)v);
#else
  return __builtin_convertvector(v, lanes);
#endif
}

static inline lanes widen(const float *p) {
  float_lanes v;
  memcpy(&v, p, sizeof v);
  return lanes_of_floats(v);
}

/** a where it is less than b, else b. */
static inline lanes lesser(lanes a, lanes b) {
#if defined(__AVX512F__)
  return (lanes)_mm512_min_pd((__m512d)a, (__m512d)b);
#else
  lane_mask less = a < b;
  return (lanes)(((lane_mask)a & less) | ((lane_mask)b & ~less));
#endif
}

/** a where it is greater than b, else b. */
static inline lanes greater(lanes a, lanes b) {
#if defined(__AVX512F__)
  return (lanes)_mm512_max_pd((__m512d)a, (__m512d)b);
#else
  lane_mask more = a > b;
  return (lanes)(((lane_mask)a & more) | ((lane_mask)b & ~more));
#endif
}

#endif
