/** The one place where a kernel is launched or shared memory declared, and the list of what the engine asks of CUDA.
 *
 *  Everything in gpu/ can be compiled by nvcc, and by a host C++ compiler against a stand-in that provides just what is
 *  listed here (it defines NCC_CUDA_HOST in its cuda_runtime.h). Whoever uses more, adds it here and there.
 *
 *  CUDA runtime (C files include cuda_runtime.h and cufft.h too, so these are plain C):
 *    devices   cudaGetDeviceCount  cudaGetDeviceProperties (name, uuid, totalGlobalMem)  cudaSetDevice  cudaMemGetInfo
 *              cudaRuntimeGetVersion  cudaDriverGetVersion
 *    memory    cudaMalloc  cudaFree  cudaMallocHost  cudaFreeHost  cudaMemcpyAsync (host to device, device to host)
 *              cudaMemcpy2DAsync (device to host)  cudaMemsetAsync
 *    streams   cudaStreamCreateWithFlags (cudaStreamNonBlocking)  cudaStreamDestroy  cudaStreamSynchronize
 *              cudaStreamWaitEvent
 *    events    cudaEventCreateWithFlags (cudaEventDisableTiming | cudaEventBlockingSync)  cudaEventDestroy
 *              cudaEventRecord  cudaEventSynchronize
 *    errors    cudaGetLastError  cudaGetErrorName  cudaGetErrorString
 *  cuFFT:      cufftCreate  cufftSetAutoAllocation (0)  cufftMakePlanMany64 (rank 1, strided, batched, in place, real
 *              transforms in padded rows)  cufftSetWorkArea  cufftSetStream  cufftExecR2C  cufftExecC2C  cufftExecC2R
 *              cufftDestroy  cufftGetVersion
 *  In kernels: threadIdx  blockIdx  blockDim  gridDim  __global__  __device__  __forceinline__  __restrict__
 *              __syncthreads  atomicAdd, atomicMax (unsigned, unsigned long long)  rsqrtf  sqrt  fabs fabsf
 *              fmin  fmax  fminf  fmaxf  min  max  __ffs  __float_as_uint  __uint_as_float
 *              __ballot_sync, __reduce_max_sync (all lanes, blocks of one warp; before sm_80 __shfl_xor_sync)
 *              __int128 (add, subtract, multiply, shift)
 *  Kernel arguments are numbers, pointers and plain structs, by value. No textures, cooperative groups, static shared
 *  memory, streams of priority, graphs or managed memory.
 */
#ifndef NCC_GPU_LAUNCH_H
#define NCC_GPU_LAUNCH_H

#include <cuda_runtime.h>

#ifdef __cplusplus

/** NCC_LAUNCH(kernel, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, arguments...): launches; the
 *  caller asks cudaGetLastError(). NCC_LAUNCH_PLAIN: the same for kernels that neither share memory nor synchronise
 *  their threads, which the stand-in runs as plain loops.
 *  NCC_SHARED(type, name): inside a kernel, `type *name` is the block's dynamic shared memory, aligned to 16 bytes.
 *  NCC_ROLLED: before a loop that is not to be unrolled, as the number of its turns would be a 64-bit division.
 *  NCC_UNROLLED: before one that must be, as arrays are in registers only if no index is left. */
#ifdef NCC_CUDA_HOST
#define NCC_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  cuda_host_launch(kernel, grid, block, shared_bytes, stream, __VA_ARGS__)
#define NCC_LAUNCH_PLAIN(kernel, grid, block, stream, ...) \
  cuda_host_launch_plain(kernel, grid, block, stream, __VA_ARGS__)
#define NCC_SHARED(type, name) type *name = (type *)cuda_host_shared()
#define NCC_ROLLED
#define NCC_UNROLLED
#else
#define NCC_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)
#define NCC_LAUNCH_PLAIN(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#define NCC_SHARED(type, name)                                 \
  extern __shared__ __align__(16) unsigned char ncc_shared_[]; \
  type *name = (type *)ncc_shared_
#define NCC_ROLLED _Pragma("unroll 1")
#define NCC_UNROLLED _Pragma("unroll")
#endif

#endif
#endif
