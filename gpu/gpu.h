/** The GPU engine's public side: the same in builds with and without CUDA.
 *
 *  Proposals by the same rules as the CPU engine's, with cuFFT; the matcher judges them on the host. See docs/gpu.md.
 */
#ifndef NCC_GPU_H
#define NCC_GPU_H

#include "match/engine.h"

/** The engine; NULL in a build without CUDA. ncc_config.device says which GPU a matcher uses. */
const ncc_engine_ops *ncc_engine_gpu(void);

/** One GPU as this process sees it. Plain bytes, so that ranks can send it. */
typedef struct ncc_gpu_info {
  char name[96];
  char uuid[44]; /**< "GPU-xxxxxxxx-xxxx-..." */
  int64_t memory_bytes;
} ncc_gpu_info;

/** GPUs that this process may use; CUDA_VISIBLE_DEVICES, with indices, UUIDs and MIG names, is the runtime's matter.
 *  @param[out] reason  why there is none, in words; "" where there are some
 *  @return how many; 0 also where there is no driver or this build has no CUDA. */
int ncc_gpu_count(char *reason, size_t reason_bytes);

/** @param[in] device  0 .. ncc_gpu_count() - 1 @return NCC_OK; NCC_ERR_DEVICE. */
ncc_status ncc_gpu_describe(int device, ncc_gpu_info *out);

/** "cufft-12.0.0"; "" in a build without CUDA; static storage. */
const char *ncc_gpu_fft_library(void);

/** "CUDA 13.0, cufft-12.0.0, ..., not yet run on hardware", or why there is none; static storage. */
const char *ncc_gpu_version(void);

#endif
