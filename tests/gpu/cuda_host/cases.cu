/** Programs that use the stand-in well or badly: cases NAME. check.py says what must come of each.
 *
 *  The pipeline of "sums" is what an engine does: upload, transform there and back, add up with shared memory,
 * download, in two streams with events. Each "without_..." leaves out one thing; "wrong" is then printed where it
 * shows. */
#include <sys/wait.h>
#include <unistd.h>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cufft.h"

static void check(int error, const char *call, bool fft) {
  if (!error) return;
  printf("%s: %s %d\n", call, fft ? "cufft" : cudaGetErrorName((cudaError_t)error), error);
  exit(3);
}
#define TRY(call) check(call, #call, false)
#define TRY_FFT(call) check(call, #call, true)

static std::string wish;  // the case's name
static bool without(const char *what) {
  return wish == std::string("without_") + what;
}

constexpr int N = 96, ROWS = 20, BLOCK = 64, BATCHES = 12;
constexpr size_t IMAGE = sizeof(float) * (N + 2) * ROWS, SUMS = sizeof(float) * ROWS;

// ---- kernels -------------------------------------------------------------------------------------------------------

__global__ void scale(float *image, float factor, int n, int leave_out_bounds) {
  int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n || leave_out_bounds) image[i] *= factor;
}

/** A block a row: sums[row] = sum of the row's first n values. */
__global__ void add_up(const float *image, int n, int stride, float *sums, int leave_out_barrier) {
  float *part = (float *)cuda_host_shared();
  unsigned t = threadIdx.x;
  part[t] = 0;
  for (int x = (int)t; x < n; x += (int)blockDim.x) part[t] += image[blockIdx.x * (unsigned)stride + (unsigned)x];
  if (!leave_out_barrier) __syncthreads();
  for (unsigned step = blockDim.x / 2; step > 0; step /= 2) {
    if (t < step) part[t] += part[t + step];
    __syncthreads();
  }
  if (t == 0) sums[blockIdx.x] = part[0];
}

__global__ void count(const float *image, int n, unsigned *counts, unsigned long long *lowest) {
  unsigned i = blockIdx.y * gridDim.x * blockDim.x + blockIdx.x * blockDim.x + threadIdx.x;
  if ((int)i >= n || !(image[i] > 0)) return;
  atomicAdd(&counts[0], 1u);
  atomicMax(&counts[1], i);
  atomicMin(lowest, (unsigned long long)i);
}

__global__ void early_return(float *out) {
  if (threadIdx.x == 3) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void divergence(float *out) {
  if (threadIdx.x % 2)
    __syncthreads();
  else
    __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void touch_shared(float *out, int at) {
  float *part = (float *)cuda_host_shared();
  part[at] = 1;
  out[threadIdx.x] = part[at];
}

__global__ void poke(float *out, int at) {
  if (threadIdx.x == 0) out[at] = 1;
}

/** out[0]: the largest; out[1]: bits 1 and 30. */
__global__ void warp(unsigned *out) {
  const unsigned lane = threadIdx.x;
  for (unsigned turn = 0; turn < 3; ++turn) {
    const unsigned largest = __reduce_max_sync(~0u, (lane * 7 + turn) % 32), bits = __ballot_sync(~0u, lane % 29 == 1);
    if (lane == turn) out[0] = largest, out[1] = bits;
  }
}

__global__ void warp_early_return(unsigned *out) {
  if (threadIdx.x == 3) return;
  out[threadIdx.x] = __reduce_max_sync(~0u, threadIdx.x);
}

// ---- the pipeline --------------------------------------------------------------------------------------------------

struct Side {  // one of two buffers
  float *h_image, *d_image, *h_sums, *d_sums;
  cudaEvent_t uploaded, done;
};

static cufftHandle make_plan(cufftType type, cudaStream_t stream, void *work) {
  cufftHandle plan;
  size_t bytes;
  long long n = N - 1, embed = 1, real = N + 2, complex = real / 2;
  bool forward = type == CUFFT_R2C;
  TRY_FFT(cufftCreate(&plan));
  TRY_FFT(cufftSetAutoAllocation(plan, 0));
  TRY_FFT(cufftMakePlanMany64(plan, 1, &n, &embed, 1, forward ? real : complex, &embed, 1, forward ? complex : real,
                              type, ROWS, &bytes));
  if (bytes == 0 || bytes > 2 * IMAGE) abort();
  if (!without("work_area")) TRY_FFT(cufftSetWorkArea(plan, work));
  TRY_FFT(cufftSetStream(plan, stream));
  return plan;
}

static float pixel(int batch, int row, int x) {
  return (float)((batch * 7 + row * 3 + x * 5) % 32) - 10;
}

/** @return whether all sums of all batches are right. */
static bool sums() {
  cudaStream_t copy, compute;
  TRY(cudaStreamCreateWithFlags(&copy, cudaStreamNonBlocking));
  TRY(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking));
  void *work;
  TRY(cudaMalloc(&work, 2 * IMAGE));
  Side sides[2];
  for (Side &s : sides) {
    TRY(cudaMallocHost((void **)&s.h_image, IMAGE));
    TRY(cudaMallocHost((void **)&s.h_sums, SUMS));
    TRY(cudaMalloc((void **)&s.d_image, IMAGE));
    TRY(cudaMalloc((void **)&s.d_sums, SUMS));
    TRY(cudaEventCreateWithFlags(&s.uploaded, cudaEventDisableTiming));
    TRY(cudaEventCreateWithFlags(&s.done, cudaEventDisableTiming | cudaEventBlockingSync));
  }
  cufftHandle forward = make_plan(CUFFT_R2C, compute, work), inverse = make_plan(CUFFT_C2R, compute, work);
  bool right = true;
  for (int batch = 0; batch < BATCHES + 2; ++batch) {
    Side &s = sides[batch % 2];
    if (batch >= 2) {  // what was done two batches ago
      if (!without("host_wait")) TRY(cudaEventSynchronize(s.done));
      for (int row = 0; row < ROWS; ++row) {
        double sum = 0;
        for (int x = 0; x < N - 1; ++x) sum += pixel(batch - 2, row, x);
        if (!(std::fabs(s.h_sums[row] - 2 * sum) < 1e-2)) right = false;
      }
    }
    if (batch >= BATCHES) continue;
    for (int row = 0; row < ROWS; ++row)
      for (int x = 0; x < N + 2; ++x) s.h_image[row * (N + 2) + x] = x < N - 1 ? pixel(batch, row, x) : NAN;
    // The host has waited for this side, unless that was left out; the copy needs no other wait.
    TRY(cudaMemcpyAsync(s.d_image, s.h_image, IMAGE, cudaMemcpyHostToDevice, copy));
    TRY(cudaEventRecord(s.uploaded, copy));
    if (!without("event_wait")) TRY(cudaStreamWaitEvent(compute, s.uploaded, 0));
    TRY_FFT(cufftExecR2C(forward, s.d_image, (cufftComplex *)s.d_image));
    TRY_FFT(cufftExecC2R(inverse, (cufftComplex *)s.d_image, s.d_image));
    int pixels = (N + 2) * ROWS;
    TRY(cuda_host_launch_plain(scale, dim3((unsigned)(pixels + 255) / 256), 256, compute, s.d_image, 2.f / (N - 1),
                               pixels, without("bounds")));
    TRY(cuda_host_launch(add_up, ROWS, BLOCK, BLOCK * sizeof(float), compute, s.d_image, N - 1, N + 2, s.d_sums,
                         without("barrier")));
    TRY(cudaMemcpyAsync(s.h_sums, s.d_sums, SUMS, cudaMemcpyDeviceToHost, compute));
    TRY(cudaEventRecord(s.done, compute));
  }
  TRY(cudaStreamSynchronize(compute));
  TRY(cudaStreamSynchronize(copy));
  TRY_FFT(cufftDestroy(forward));
  TRY_FFT(cufftDestroy(inverse));
  for (Side &s : sides) {
    TRY(cudaFreeHost(s.h_image));
    TRY(cudaFreeHost(s.h_sums));
    TRY(cudaFree(s.d_image));
    if (!without("free")) TRY(cudaFree(s.d_sums));
    TRY(cudaEventDestroy(s.uploaded));
    TRY(cudaEventDestroy(s.done));
  }
  TRY(cudaFree(work));
  TRY(cudaStreamDestroy(copy));
  TRY(cudaStreamDestroy(compute));
  return right;
}

// ---- single faults -------------------------------------------------------------------------------------------------

struct Small {  // a stream and some memory
  cudaStream_t stream, other;
  float *d, *h;
  size_t bytes = 100 * sizeof(float);
  Small() {
    TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    TRY(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    TRY(cudaMalloc((void **)&d, bytes));
    TRY(cudaMallocHost((void **)&h, bytes));
  }
  ~Small() {
    TRY(cudaFree(d));
    TRY(cudaFreeHost(h));
    TRY(cudaStreamDestroy(stream));
    TRY(cudaStreamDestroy(other));
  }
  void wait() { TRY(cudaStreamSynchronize(stream)); }
  void fetch() {
    TRY(cudaMemcpyAsync(h, d, bytes, cudaMemcpyDeviceToHost, stream));
    wait();
  }
};

static bool counts() {
  Small s;
  unsigned *d_counts;
  TRY(cudaMalloc((void **)&d_counts, 8));
  unsigned long long *d_lowest;
  TRY(cudaMalloc((void **)&d_lowest, 8));
  for (int i = 0; i < 100; ++i) s.h[i] = i % 10 == 7 ? 1.f : -1.f;
  TRY(cudaMemcpyAsync(s.d, s.h, s.bytes, cudaMemcpyHostToDevice, s.stream));
  TRY(cudaMemsetAsync(d_counts, 0, 8, s.stream));
  TRY(cudaMemsetAsync(d_lowest, 0xff, 8, s.stream));
  TRY(cuda_host_launch_plain(count, dim3(2, 2), dim3(32, 1, 1), s.stream, s.d, 100, d_counts, d_lowest));
  TRY(cudaMemcpyAsync(s.h, d_counts, 8, cudaMemcpyDeviceToHost, s.stream));
  TRY(cudaMemcpyAsync(s.h + 2, d_lowest, 8, cudaMemcpyDeviceToHost, s.stream));
  s.wait();
  unsigned found[2];
  unsigned long long lowest;
  memcpy(found, s.h, 8);
  memcpy(&lowest, s.h + 2, 8);
  TRY(cudaFree(d_counts));
  TRY(cudaFree(d_lowest));
  return found[0] == 10 && found[1] == 97 && lowest == 7;
}

static bool warps() {
  Small s;
  TRY(cuda_host_launch(warp, dim3(5), dim3(32), 0, s.stream, (unsigned *)s.d));
  s.fetch();
  unsigned found[2];
  memcpy(found, s.h, 8);
  return found[0] == 31 && found[1] == (1u << 1 | 1u << 30);
}

/** Rows of 3 of 10 columns. */
static bool copies_2d() {
  Small s;
  for (int i = 0; i < 100; ++i) s.h[i] = (float)i;
  TRY(cudaMemcpyAsync(s.d, s.h, s.bytes, cudaMemcpyHostToDevice, s.stream));
  s.wait();
  TRY(cudaMemcpy2DAsync(s.h, 3 * sizeof(float), s.d + 4, 10 * sizeof(float), 3 * sizeof(float), 10,
                        cudaMemcpyDeviceToHost, s.stream));
  s.wait();
  return s.h[0] == 4 && s.h[3] == 14 && s.h[29] == 96 && s.h[30] == 30;
}

static bool fresh_memory_is_garbage() {
  Small s;
  bool garbage = std::isnan(s.h[0]) && std::isnan(s.h[99]);
  s.fetch();
  return garbage && std::isnan(s.h[0]) && std::isnan(s.h[99]);
}

/** Out of place, rows of 8: input gone, output right. */
static bool inverse_destroys_input() {
  Small s;
  float *d_out;
  TRY(cudaMalloc((void **)&d_out, 80 * sizeof(float)));
  for (int i = 0; i < 100; ++i) s.h[i] = i % 10 == 0 ? 1.f : 0.f;
  TRY(cudaMemcpyAsync(s.d, s.h, s.bytes, cudaMemcpyHostToDevice, s.stream));
  cufftHandle plan;
  size_t bytes;
  long long n = 8, embed = 1;
  TRY_FFT(cufftCreate(&plan));
  TRY_FFT(cufftMakePlanMany64(plan, 1, &n, &embed, 1, 5, &embed, 1, 8, CUFFT_C2R, 10, &bytes));
  TRY_FFT(cufftSetStream(plan, s.stream));
  TRY_FFT(cufftExecC2R(plan, (cufftComplex *)s.d, d_out));
  s.fetch();
  bool gone = std::isnan(s.h[0]) && std::isnan(s.h[99]);
  TRY(cudaMemcpyAsync(s.h, d_out, 80 * sizeof(float), cudaMemcpyDeviceToHost, s.stream));
  s.wait();
  for (int i = 0; i < 80; ++i) gone = gone && s.h[i] == 1;
  TRY_FFT(cufftDestroy(plan));
  TRY(cudaFree(d_out));
  return gone;
}

static bool work_area_of_two_streams() {
  Small s;
  void *work;
  TRY(cudaMalloc(&work, 2 * IMAGE));
  float *d_image[2];
  for (int i = 0; i < 2; ++i) {
    TRY(cudaMalloc((void **)&d_image[i], IMAGE));
    TRY_FFT(cufftExecR2C(make_plan(CUFFT_R2C, i ? s.other : s.stream, work), d_image[i], (cufftComplex *)d_image[i]));
  }
  return true;
}

static bool devices() {
  int n = -7;
  cudaError_t error = cudaGetDeviceCount(&n);
  printf("%s %d", cudaGetErrorName(error), n);
  for (int i = 0; i < n; ++i) {
    cudaDeviceProp p;
    TRY(cudaGetDeviceProperties(&p, i));
    printf(" %s:%02x%02x", p.name, (unsigned char)p.uuid.bytes[0], (unsigned char)p.uuid.bytes[15]);
  }
  printf("\n");
  return true;
}

static bool memory_of_another_device() {
  Small s;
  TRY(cudaSetDevice(1));
  cudaStream_t stream;
  TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  TRY(cuda_host_launch_plain(poke, 1, 1, stream, s.d, 0));
  return true;
}

static bool stream_of_another_device() {
  Small s;
  TRY(cudaSetDevice(1));
  bool refused = cuda_host_launch_plain(poke, 1, 1, s.stream, (float *)nullptr, 0) == cudaErrorInvalidResourceHandle &&
                 cudaGetLastError() == cudaErrorInvalidResourceHandle && cudaGetLastError() == cudaSuccess;
  TRY(cudaSetDevice(0));
  return refused;
}

static bool bad_launches() {
  Small s;
  return cuda_host_launch_plain(poke, 1, 1025, s.stream, s.d, 0) == cudaErrorInvalidConfiguration &&
         cuda_host_launch_plain(poke, 0, 1, s.stream, s.d, 0) == cudaErrorInvalidConfiguration &&
         cuda_host_launch_plain(poke, dim3(1, 65536), 1, s.stream, s.d, 0) == cudaErrorInvalidConfiguration &&
         cuda_host_launch(poke, 1, 1, 49153, s.stream, s.d, 0) == cudaErrorInvalidValue;
}

/** CUDA_HOST_MEMORY=1000000, CUDA_HOST_OOM=600000. */
static bool out_of_memory() {
  void *a, *b;
  size_t free_bytes, total;
  TRY(cudaMalloc(&a, 500000));
  TRY(cudaMemGetInfo(&free_bytes, &total));
  bool told = total == 1000000 && free_bytes == 1000000 - 500224 && cudaMalloc(&b, 100000) == cudaErrorMemoryAllocation;
  TRY(cudaFree(a));
  TRY(cudaMalloc(&b, 100000));
  TRY(cudaFree(b));
  return told;
}

/** CUDA_HOST_LOST=2. */
static bool lost_device() {
  Small s;
  TRY(cuda_host_launch_plain(poke, 1, 1, s.stream, s.d, 0));
  s.fetch();
  bool first = s.h[0] == 1;
  TRY(cudaMemsetAsync(s.d, 0, s.bytes, s.stream));
  TRY(cuda_host_launch_plain(poke, 1, 1, s.stream, s.d, 1));
  bool lost = cudaStreamSynchronize(s.stream) == cudaErrorLaunchFailure;
  void *more;
  lost = lost && cudaMalloc(&more, 8) == cudaErrorLaunchFailure && cudaFree(s.d) == cudaErrorLaunchFailure;
  TRY(cudaSetDevice(1));
  lost = lost && cudaMalloc(&more, 8) == cudaSuccess && cudaFree(more) == cudaSuccess;
  TRY(cudaSetDevice(0));
  cudaFreeHost(s.h);
  cudaStreamDestroy(s.stream);
  cudaStreamDestroy(s.other);
  if (!first || !lost) printf("wrong\n");
  exit(first && lost ? 0 : 1);
}

static bool child_has_no_device() {
  Small s;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    void *p;
    exit(cudaMalloc(&p, 8) == cudaErrorInitializationError ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/** What the wish names; all of these end the program but "null_pointer", a fault of the kernel. */
static bool small_fault() {
  Small s;
#define LAUNCH(kernel, block, shared, ...) TRY(cuda_host_launch(kernel, 1, block, shared, s.stream, __VA_ARGS__))
  if (wish == "early_return") LAUNCH(early_return, 8, 0, s.d);
  if (wish == "divergence") LAUNCH(divergence, 8, 0, s.d);
  if (wish == "warp_early_return") LAUNCH(warp_early_return, 32, 0, (unsigned *)s.d);
  if (wish == "half_a_warp") LAUNCH(warp, 16, 0, (unsigned *)s.d);
  if (wish == "shared_overrun") LAUNCH(touch_shared, 1, 64, s.d, 16);
  if (wish == "shared_slack") LAUNCH(touch_shared, 1, 60, s.d, 15);
  if (wish == "no_shared") LAUNCH(touch_shared, 1, 0, s.d, 0);
  if (wish == "write_behind") LAUNCH(poke, 1, 0, s.d, 100);
  if (wish == "write_before") LAUNCH(poke, 1, 0, s.d, -1);
  if (wish == "write_far") LAUNCH(poke, 1, 0, s.d, 5000);
  if (wish == "null_pointer") TRY(cuda_host_launch_plain(poke, 1, 1, s.stream, (float *)nullptr, 0));
  if (wish == "host_pointer") TRY(cuda_host_launch_plain(poke, 1, 1, s.stream, (float *)&s, 0));
  if (wish == "pageable_copy") TRY(cudaMemcpyAsync(s.d, &s, 4, cudaMemcpyHostToDevice, s.stream));
  if (wish == "long_copy") TRY(cudaMemcpyAsync(s.d, s.h, s.bytes + 1, cudaMemcpyHostToDevice, s.stream));
  if (wish == "default_stream") TRY(cudaMemsetAsync(s.d, 0, 4, nullptr));
  if (wish == "host_read") {
    TRY(cudaMemsetAsync(s.d, 0, s.bytes, s.stream));
    s.wait();
    printf("%g\n", (double)*(volatile float *)s.d);
  }
  if (wish == "host_write_before_use") *(volatile float *)s.d = 1;
  if (wish == "host_overrun") s.h[100] = 1;
  if (wish == "bad_free") TRY(cudaFree(s.d + 1));
  s.wait();
  return true;
}

int main(int argc, char **argv) {
  wish = argc > 1 ? argv[1] : "";
  struct {
    const char *name;
    bool (*run)();
  } cases[] = {{"counts", counts},
               {"warps", warps},
               {"copies_2d", copies_2d},
               {"fresh_memory_is_garbage", fresh_memory_is_garbage},
               {"inverse_destroys_input", inverse_destroys_input},
               {"work_area_of_two_streams", work_area_of_two_streams},
               {"devices", devices},
               {"memory_of_another_device", memory_of_another_device},
               {"stream_of_another_device", stream_of_another_device},
               {"bad_launches", bad_launches},
               {"out_of_memory", out_of_memory},
               {"lost_device", lost_device},
               {"child_has_no_device", child_has_no_device},
               {"sums", sums}};
  bool (*run)() = wish.compare(0, 8, "without_") == 0 ? sums : small_fault;
  for (auto &c : cases) {
    if (wish == c.name) run = c.run;
  }
  bool right = run();
  printf("%s\n", right ? "right" : "wrong");
  return 0;
}
