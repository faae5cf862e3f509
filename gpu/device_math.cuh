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

/** A pixel's value, exactly. Pixels are finite here. */
template <class T>
__device__ __forceinline__ double ncc_value(T pixel) {
  return (double)pixel;
}

/** Bits of a float16, to tell it from uint16. */
struct ncc_half_bits {
  uint16_t bits;
};
__device__ __forceinline__ double ncc_value(ncc_half_bits pixel) {
  return ncc_half_bits_to_float(pixel.bits);
}

/** Calls `use` with the pixels as what they are: the branch is taken once, ahead of a loop, the same by all threads of
 * a block. `use` is an object that can be called with a pointer of every type. */
template <class F>
__device__ __forceinline__ void ncc_with_type(const void *pixels, int64_t dtype, const F &use) {
  switch (dtype) {
    case NCC_U8:
      return use((const uint8_t *)pixels);
    case NCC_I8:
      return use((const int8_t *)pixels);
    case NCC_U16:
      return use((const uint16_t *)pixels);
    case NCC_I16:
      return use((const int16_t *)pixels);
    case NCC_U32:
      return use((const uint32_t *)pixels);
    case NCC_I32:
      return use((const int32_t *)pixels);
    case NCC_F16:
      return use((const ncc_half_bits *)pixels);
    case NCC_F32:
      return use((const float *)pixels);
    default:
      return use((const double *)pixels);
  }
}

/** Pixel i, where speed does not matter. */
struct ncc_one_pixel {
  int64_t i;
  double *value;
  template <class T>
  __device__ __forceinline__ void operator()(const T *pixels) const {
    *value = ncc_value(pixels[i]);
  }
};
__device__ __forceinline__ double ncc_load_pixel(const void *pixels, int64_t dtype, int64_t i) {
  double value;
  const ncc_one_pixel one = {i, &value};
  ncc_with_type(pixels, dtype, one);
  return value;
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
