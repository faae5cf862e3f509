/** In place of the GPU engine in a build without CUDA. */
#include <stdio.h>

#include "base/error.h"
#include "gpu/gpu.h"

const ncc_engine_ops *ncc_engine_gpu(void) {
  return NULL;
}

int ncc_gpu_count(char *reason, size_t reason_bytes) {
  snprintf(reason, reason_bytes, "this build has no GPU engine");
  return 0;
}

ncc_status ncc_gpu_describe(int device, ncc_gpu_info *out) {
  *out = (ncc_gpu_info){0};
  return ncc_error_set(NCC_ERR_DEVICE, "GPU %d: this build has no GPU engine", device);
}

const char *ncc_gpu_fft_library(void) {
  return "";
}

const char *ncc_gpu_version(void) {
  return "none in this build";
}
