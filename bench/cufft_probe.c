/** What cuFFT makes of the transforms that the GPU engine asks for: milliseconds and bytes a second of rows, of columns
 * as a whole and of columns as four interleaved ones, by length. Lengths near each other tell which of them are worth
 * padding to, and columns which of them take more than a pass over memory. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gpu/state.h"

enum { LENGTHS = 14 };

typedef struct probe {
  ncc_gpu_place place;
  cudaStream_t stream;
  ncc_gpu_plans plans;
  ncc_gpu_buffer data;
  double seconds; /* of each transform */
} probe;

/** Runs one kind of transform for a while, and prints how fast. */
static ncc_status measure(probe *p, const char *name, const ncc_gpu_transform *t, int64_t bytes) {
  ncc_status status = NCC_OK;
  double planning_s = 0, started_s = 0, elapsed_s = 0;
  int64_t runs = 0;
  NCC_TRY(ncc_gpu_reserve(&p->place, &p->data, bytes));
  NCC_TRY_CUDA(&p->place, cudaMemsetAsync(p->data.data, 0, (size_t)bytes, p->stream));
  for (int64_t round = 0; round < 2 || elapsed_s < p->seconds; round++) {
    const int64_t n = round == 0 ? 1 : 4; /* the first warms */
    if (round == 1) started_s = ncc_clock_s();
    for (int64_t i = 0; i < n; i++)
      NCC_TRY(ncc_gpu_execute(&p->place, p->stream, &p->plans, t, CUFFT_FORWARD, p->data.data, &planning_s));
    NCC_TRY_CUDA(&p->place, cudaStreamSynchronize(p->stream));
    if (round == 0) continue;
    runs += n;
    elapsed_s = ncc_clock_s() - started_s;
  }
  printf(
      "%-8s %5lld points %6lld at once: %9.4f ms, %8.1f GB/s read and written, work area %lld MiB, planned in %.3f s\n",
      name, (long long)t->length, (long long)t->batch, 1e3 * elapsed_s / (double)runs,
      2e-9 * (double)bytes * (double)runs / elapsed_s, (long long)(p->plans.work.bytes >> 20), planning_s);
cleanup:
  return status;
}

static ncc_status run(probe *p, int64_t megabytes) {
  ncc_status status = NCC_OK;
  static const int64_t lengths[LENGTHS] = {1024, 1134, 1152, 1176, 1200, 1280, 3600,
                                           3840, 3888, 4032, 4096, 4200, 4374, 4608};
  NCC_TRY_CUDA(&p->place, cudaSetDevice(0));
  NCC_TRY_CUDA(&p->place, cudaStreamCreateWithFlags(&p->stream, cudaStreamNonBlocking));
  for (int i = 0; i < LENGTHS; i++) {
    const int64_t n = lengths[i], half = (n / 2 + 1 + 7) / 8 * 8;
    const int64_t rows = (megabytes << 20) / (8 * half), columns = (megabytes << 20) / (8 * n) / 8 * 8;
    const ncc_gpu_transform along = {CUFFT_R2C, n, 1, half, rows}, down = {CUFFT_C2C, n, columns, 1, columns};
    NCC_TRY(measure(p, "rows", &along, 8 * half * rows));
    NCC_TRY(measure(p, "columns", &down, 8 * n * columns));
    const ncc_gpu_transform quarters = {CUFFT_C2C, n / 4, 4 * columns, 1, 4 * columns};
    if (n % 4 == 0) NCC_TRY(measure(p, "quarters", &quarters, 8 * n * columns));
    ncc_gpu_plans_clear(&p->plans);
  }
cleanup:
  return status;
}

int main(int argc, char **argv) {
  probe p = {.place = {.name = "probed"}, .seconds = argc > 1 ? atof(argv[1]) / (3 * LENGTHS) : 1};
  char reason[160];
  if (ncc_gpu_count(reason, sizeof reason) == 0) {
    fprintf(stderr, "cufft_probe: %s\n", reason);
    return 5;
  }
  const ncc_status status = run(&p, argc > 2 ? atol(argv[2]) : 256);
  if (status != NCC_OK) fprintf(stderr, "cufft_probe: %s\n", ncc_error_message());
  if (p.stream) cudaStreamSynchronize(p.stream);
  ncc_gpu_plans_clear(&p.plans);
  ncc_gpu_release(&p.data);
  if (p.stream) cudaStreamDestroy(p.stream);
  return status == NCC_OK ? 0 : 1;
}
