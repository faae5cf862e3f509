/** Integer arithmetic that every folder needs, for C and CUDA. */
#ifndef NCC_ARITHMETIC_H
#define NCC_ARITHMETIC_H

#include <stdint.h>

/** Before a function that hosts and devices compute alike. */
#ifdef __CUDACC__
#define NCC_ANYWHERE static __host__ __device__ __forceinline__
#else
#define NCC_ANYWHERE static inline
#endif

NCC_ANYWHERE int64_t ncc_min(int64_t a, int64_t b) {
  return a < b ? a : b;
}

NCC_ANYWHERE int64_t ncc_max(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/** low where value < low, high where value > high; low <= high. */
NCC_ANYWHERE int64_t ncc_clamp(int64_t value, int64_t low, int64_t high) {
  return ncc_max(low, ncc_min(value, high));
}

/** value / unit, rounded up; value >= 0, unit > 0. */
NCC_ANYWHERE int64_t ncc_ceil_div(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit;
}

/** The smallest multiple of unit that is not below value >= 0. */
NCC_ANYWHERE int64_t ncc_round_up(int64_t value, int64_t unit) {
  return ncc_ceil_div(value, unit) * unit;
}

#endif
