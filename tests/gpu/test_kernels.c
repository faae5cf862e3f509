/** All kernels: test_kernels gpu [part of a name]. See kernels.h. */
#include "kernels.h"

#include <string.h>

enum { MOST = 32 };

static struct {
  cudaStream_t stream;
  void *memory[MOST];
  int used;
} at_work;

void *kernels_room(int64_t bytes) {
  void *room = malloc((size_t)bytes);
  if (!room) abort();
  return room;
}

cudaStream_t kernels_begin(void) {
  KERNELS_TRY(cudaSetDevice(0));
  KERNELS_TRY(cudaStreamCreateWithFlags(&at_work.stream, cudaStreamNonBlocking));
  return at_work.stream;
}

/** By way of pinned memory. */
static void copy(void *to, const void *from, int64_t bytes, cudaMemcpyKind kind) {
  void *pinned = NULL;
  KERNELS_TRY(cudaMallocHost(&pinned, (size_t)bytes));
  const bool in = kind == cudaMemcpyHostToDevice;
  if (in) memcpy(pinned, from, (size_t)bytes);
  KERNELS_TRY(cudaMemcpyAsync(in ? to : pinned, in ? pinned : from, (size_t)bytes, kind, at_work.stream));
  KERNELS_TRY(cudaStreamSynchronize(at_work.stream));
  if (!in) memcpy(to, pinned, (size_t)bytes);
  KERNELS_TRY(cudaFreeHost(pinned));
}

void *kernels_put(const void *from, int64_t bytes) {
  void *room = NULL;
  if (at_work.used == MOST) abort();
  KERNELS_TRY(cudaMalloc(&room, (size_t)bytes));
  at_work.memory[at_work.used++] = room;
  if (from)
    copy(room, from, bytes, cudaMemcpyHostToDevice);
  else
    KERNELS_TRY(cudaMemsetAsync(room, 0xff, (size_t)bytes, at_work.stream));
  return room;
}

void kernels_get(void *to, const void *device, int64_t bytes) {
  copy(to, device, bytes, cudaMemcpyDeviceToHost);
}

void kernels_end(void) {
  while (at_work.used > 0) KERNELS_TRY(cudaFree(at_work.memory[--at_work.used]));
  KERNELS_TRY(cudaStreamDestroy(at_work.stream));
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(kernels_pack),
                                    CONF_TEST(kernels_multiply),
                                    CONF_TEST(kernels_prefix),
                                    CONF_TEST(kernels_exact_windows),
                                    CONF_TEST(kernels_rounded_windows),
                                    CONF_TEST(kernels_flat_windows),
                                    CONF_TEST(kernels_hot_pixel),
                                    CONF_TEST(kernels_sure_peaks),
                                    CONF_TEST(kernels_doubtful_peaks),
                                    CONF_TEST(kernels_overhanging_peaks),
                                    CONF_TEST(kernels_many_peaks)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
