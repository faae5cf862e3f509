/** The C++ side of the stand-in: launches, what kernels see, vector types, intrinsics. Included by cuda_runtime.h.
 *
 *  One thread of the host runs all threads of a block, one at a time, in random order between barriers; so atomics are
 *  plain operations, and kernels that lack one are not found out here.
 */
#ifndef CUDA_HOST_DEVICE_H
#define CUDA_HOST_DEVICE_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

// ---- vector types --------------------------------------------------------------------------------------------------

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline double2 make_double2(double x, double y) {
  return {x, y};
}
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// ---- what a kernel sees --------------------------------------------------------------------------------------------

#define CUDA_HOST_TLS extern __thread __attribute__((tls_model("initial-exec")))
CUDA_HOST_TLS uint3 threadIdx, blockIdx;
CUDA_HOST_TLS dim3 blockDim, gridDim;
#undef CUDA_HOST_TLS

/** The block's dynamic shared memory; 16-byte aligned, garbage when the block starts, exactly as long as launched. */
void *cuda_host_shared();
void cuda_host_barrier(const char *file, int line);
#define __syncthreads() cuda_host_barrier(__FILE__, __LINE__)

/** Each lane's value for all, in blocks of one warp. */
unsigned cuda_host_warp_max(unsigned mask, unsigned value, const char *file, int line);
unsigned cuda_host_ballot(unsigned mask, bool value, const char *file, int line);
#define __reduce_max_sync(mask, value) cuda_host_warp_max(mask, value, __FILE__, __LINE__)
#define __ballot_sync(mask, value) cuda_host_ballot(mask, value, __FILE__, __LINE__)

// ---- launches ------------------------------------------------------------------------------------------------------

namespace cuda_host {

/** Queues a kernel. @param run  runs one thread of it. @param pointers  [n] of its arguments those that are pointers.
 */
cudaError_t enqueue_kernel(const char *name, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                           std::function<void()> run, const void *const *pointers, int n);

template <class... P, class... A>
cudaError_t launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
                   cudaStream_t stream, A... arguments) {
  static_assert((std::is_trivially_copyable_v<P> && ...), "kernel arguments are copied as bytes");
  std::tuple<P...> copy(static_cast<P>(arguments)...);
  const void *pointers[sizeof...(P) + 1];
  int n = 0;
  auto note = [&](auto value) {
    if constexpr (std::is_pointer_v<decltype(value)>) pointers[n++] = value;
  };
  std::apply([&](auto... values) { (note(values), ...); }, copy);
  return enqueue_kernel(
      name, grid, block, shared_bytes, stream, [kernel, copy] { std::apply(kernel, copy); }, pointers, n);
}

}  // namespace cuda_host

/** cudaError_t cuda_host_launch(kernel, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, arguments...);
 *  the error is also left for cudaGetLastError(). */
#define cuda_host_launch(kernel, ...) cuda_host::launch(#kernel, kernel, __VA_ARGS__)
/** The same without shared memory; threads that never wait for each other cost no more than a call each anyway. */
#define cuda_host_launch_plain(kernel, grid, block, stream, ...) \
  cuda_host_launch(kernel, grid, block, 0, stream, __VA_ARGS__)

// ---- atomics: return the old value ---------------------------------------------------------------------------------

#define CUDA_HOST_ATOMIC(name, T, update) \
  inline T name(T *at, T v) {             \
    T old = *at;                          \
    *at = update;                         \
    return old;                           \
  }
#define CUDA_HOST_INTEGER_ATOMICS(T)                \
  CUDA_HOST_ATOMIC(atomicAdd, T, old + v)           \
  CUDA_HOST_ATOMIC(atomicMax, T, old > v ? old : v) \
  CUDA_HOST_ATOMIC(atomicMin, T, old < v ? old : v)
CUDA_HOST_INTEGER_ATOMICS(int)
CUDA_HOST_INTEGER_ATOMICS(unsigned)
CUDA_HOST_INTEGER_ATOMICS(unsigned long long)
#undef CUDA_HOST_INTEGER_ATOMICS
#undef CUDA_HOST_ATOMIC

// ---- intrinsics ----------------------------------------------------------------------------------------------------

#define CUDA_HOST_REINTERPRET(name, To, From) \
  inline To name(From value) {                \
    To out;                                   \
    std::memcpy(&out, &value, sizeof out);    \
    return out;                               \
  }
CUDA_HOST_REINTERPRET(__float_as_uint, unsigned, float)
CUDA_HOST_REINTERPRET(__uint_as_float, float, unsigned)
#undef CUDA_HOST_REINTERPRET

inline int __ffs(int a) {
  return __builtin_ffs(a);
}
inline float rsqrtf(float a) {
  return 1 / std::sqrt(a);
}
template <class T>
inline T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
inline T max(T a, T b) {
  return a < b ? b : a;
}

#endif
