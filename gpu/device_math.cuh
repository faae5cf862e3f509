/** What several kernels share: pixels of every type, integer helpers. */
#ifndef NCC_GPU_DEVICE_MATH_CUH
#define NCC_GPU_DEVICE_MATH_CUH

#include "base/arithmetic.h"
#include "gpu/launch.h"
#include "mpixcorr.h"

__device__ __forceinline__ float ncc_half_bits_to_float(unsigned bits) {
  unsigned sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fffu;
  if (magnitude >= 0x0400u) return __uint_as_float(sign | ((magnitude << 13) + ((127u - 15u) << 23)));
  float value = (float)magnitude * 5.9604644775390625e-8f;  // zero and subnormals: times 2^-24
  return sign ? -value : value;
}

/** Pixel i, exactly. Pixels are finite here. The branch is the same for all threads of a block. */
__device__ __forceinline__ double ncc_load_pixel(const void *pixels, int64_t dtype, int64_t i) {
  switch (dtype) {
    case NCC_U8:
      return ((const uint8_t *)pixels)[i];
    case NCC_I8:
      return ((const int8_t *)pixels)[i];
    case NCC_U16:
      return ((const uint16_t *)pixels)[i];
    case NCC_I16:
      return ((const int16_t *)pixels)[i];
    case NCC_U32:
      return ((const uint32_t *)pixels)[i];
    case NCC_I32:
      return ((const int32_t *)pixels)[i];
    case NCC_F16:
      return ncc_half_bits_to_float(((const uint16_t *)pixels)[i]);
    case NCC_F32:
      return ((const float *)pixels)[i];
    default:
      return ((const double *)pixels)[i];
  }
}

/** Floats as unsigned integers of the same order, all above 0. */
__device__ __forceinline__ unsigned ncc_ordered(float value) {
  unsigned bits = __float_as_uint(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float ncc_unordered(unsigned key) {
  return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

/** The largest of a warp's, all of whose lanes come here. */
__device__ __forceinline__ unsigned ncc_warp_max(unsigned value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  for (int distance = 16; distance > 0; distance /= 2) {
    const unsigned other = __shfl_xor_sync(~0u, value, distance);
    value = other > value ? other : value;
  }
  return value;
#else
  return __reduce_max_sync(~0u, value);
#endif
}

/** Blocks of `threads` for n elements, and a dimension of the grid that loops take in strides. */
static inline unsigned ncc_blocks(int64_t n, int64_t threads) {
  return (unsigned)ncc_ceil_div(n, threads);
}
static inline unsigned ncc_strided(int64_t n) {
  return (unsigned)ncc_min(n, 32768);
}

#endif
