/** Memory of the device, and pinned memory of the host. */
#include "gpu/state.h"

ncc_status ncc_gpu_reserve(const ncc_gpu_place *place, ncc_gpu_buffer *buffer, int64_t bytes) {
  ncc_status status = NCC_OK;
  if (bytes <= buffer->bytes) return NCC_OK;
  ncc_gpu_release(buffer);
  if (buffer->pinned)
    NCC_TRY_CUDA(place, cudaMallocHost(&buffer->data, (size_t)bytes));
  else
    NCC_TRY_CUDA(place, cudaMalloc(&buffer->data, (size_t)bytes));
  buffer->bytes = bytes;

cleanup:
  if (status != NCC_OK) buffer->data = NULL;
  return status;
}

void ncc_gpu_release(ncc_gpu_buffer *buffer) {
  // Its status would be an earlier error's: nothing more is to be done about it here.
  if (buffer->data && buffer->pinned) cudaFreeHost(buffer->data);
  if (buffer->data && !buffer->pinned) cudaFree(buffer->data);
  buffer->data = NULL;
  buffer->bytes = 0;
}
