/** Errors of CUDA and cuFFT: call, code, name, device and what was at work, in one line.
 *
 *  Too little memory is NCC_ERR_MEMORY_LIMIT: a smaller batch may fit. Anything else is NCC_ERR_DEVICE: errors of
 *  kernels and copies come late and stick, so that nothing asked of the device afterwards could be trusted.
 */
#ifndef NCC_GPU_CHECK_H
#define NCC_GPU_CHECK_H

#include <cuda_runtime.h>
#include <cufft.h>

#include "base/error.h"

/** Where it happened, for messages. */
typedef struct ncc_gpu_place {
  int device;
  char name[96];
  long long batch; /**< counted since the engine was created; 0: before any */
  char work[96];   /**< "8 templates of 340x391 on 681x782" */
} ncc_gpu_place;

ncc_status ncc_gpu_cuda_error(cudaError_t code, const char *call, const ncc_gpu_place *place);
ncc_status ncc_gpu_cufft_error(cufftResult code, const char *call, const ncc_gpu_place *place);

/** `place` is a const ncc_gpu_place * of the caller. */
#define NCC_TRY_CUDA(place, call)                       \
  do {                                                  \
    cudaError_t code_ = (call);                         \
    if (code_ != cudaSuccess) {                         \
      status = ncc_gpu_cuda_error(code_, #call, place); \
      goto cleanup;                                     \
    }                                                   \
  } while (0)

#define NCC_TRY_CUFFT(place, call)                       \
  do {                                                   \
    cufftResult code_ = (call);                          \
    if (code_ != CUFFT_SUCCESS) {                        \
      status = ncc_gpu_cufft_error(code_, #call, place); \
      goto cleanup;                                      \
    }                                                    \
  } while (0)

#endif
