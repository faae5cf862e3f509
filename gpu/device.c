/** Devices, versions and the words for what CUDA reports. */
#include <stdio.h>
#include <string.h>

#include "gpu/check.h"
#include "gpu/gpu.h"

/** The name of the function in "f(a, b)". */
static int name_length(const char *call) {
  return (int)strcspn(call, "(");
}

static ncc_status report(bool memory, const char *call, int code, const char *name, const char *words,
                         const ncc_gpu_place *place) {
  char batch[160] = "";
  if (place->batch > 0) snprintf(batch, sizeof batch, ", batch %lld (%s)", place->batch, place->work);
  return ncc_error_set(memory ? NCC_ERR_MEMORY_LIMIT : NCC_ERR_DEVICE, "%.*s failed with %d %s%s%s on GPU %d (%s)%s",
                       name_length(call), call, code, name, words[0] ? ": " : "", words, place->device, place->name,
                       batch);
}

ncc_status ncc_gpu_cuda_error(cudaError_t code, const char *call, const ncc_gpu_place *place) {
  bool memory = code == cudaErrorMemoryAllocation;
  if (memory) cudaGetLastError();  // it does not stick, but would be found after the next launch
  return report(memory, call, (int)code, cudaGetErrorName(code), cudaGetErrorString(code), place);
}

static const char *cufft_name(cufftResult code) {
  switch (code) {
#define NAME(name) \
  case name:       \
    return #name;
    NAME(CUFFT_INVALID_PLAN)
    NAME(CUFFT_ALLOC_FAILED)
    NAME(CUFFT_INVALID_VALUE)
    NAME(CUFFT_INTERNAL_ERROR)
    NAME(CUFFT_EXEC_FAILED)
    NAME(CUFFT_SETUP_FAILED)
    NAME(CUFFT_INVALID_SIZE)
#undef NAME
    default:
      return "(see cufft.h)";
  }
}

ncc_status ncc_gpu_cufft_error(cufftResult code, const char *call, const ncc_gpu_place *place) {
  return report(code == CUFFT_ALLOC_FAILED, call, (int)code, cufft_name(code), "", place);
}

int ncc_gpu_count(char *reason, size_t reason_bytes) {
  int count = 0;
  cudaError_t code = cudaGetDeviceCount(&count);
  reason[0] = '\0';
  if (code == cudaSuccess && count > 0) return count;
  if (code == cudaSuccess)
    snprintf(reason, reason_bytes, "no GPU is visible");
  else
    snprintf(reason, reason_bytes, "no usable GPU: cudaGetDeviceCount says %d %s: %s", (int)code,
             cudaGetErrorName(code), cudaGetErrorString(code));
  cudaGetLastError();
  return 0;
}

ncc_status ncc_gpu_describe(int device, ncc_gpu_info *out) {
  ncc_status status = NCC_OK;
  struct cudaDeviceProp properties;
  const ncc_gpu_place place = {.device = device, .name = "not yet known"};
  *out = (ncc_gpu_info){0};
  NCC_TRY_CUDA(&place, cudaGetDeviceProperties(&properties, device));
  snprintf(out->name, sizeof out->name, "%.95s", properties.name);
  out->memory_bytes = (int64_t)properties.totalGlobalMem;
  char *at = out->uuid + snprintf(out->uuid, sizeof out->uuid, "GPU-");
  for (int i = 0; i < 16; i++)
    at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                   (unsigned)(unsigned char)properties.uuid.bytes[i]);

cleanup:
  return status;
}

const char *ncc_gpu_fft_library(void) {
  static char text[48];
  int version = 0;
  cufftGetVersion(&version);
  snprintf(text, sizeof text, "cufft-%d.%d.%d", version / 1000, version % 1000 / 100, version % 100);
  return text;
}

const char *ncc_gpu_version(void) {
  static char text[160];
  int runtime = 0, driver = 0;
  char of_driver[64] = "no driver";
  cudaRuntimeGetVersion(&runtime);
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0)
    snprintf(of_driver, sizeof of_driver, "driver for CUDA %d.%d", driver / 1000, driver % 1000 / 10);
  snprintf(text, sizeof text, "CUDA %d.%d, %s, %s; this engine has not yet run on hardware", runtime / 1000,
           runtime % 1000 / 10, ncc_gpu_fft_library(), of_driver);
  return text;
}
