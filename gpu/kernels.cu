/** Kernels before the peaks: packing, multiplying, prefix sums. Bytes and operations are of one pair; m x n is the
 *  template, L the columns' length, `half` the padded half spectrum. Neighbouring threads touch neighbouring elements.
 */
#include "gpu/device_math.cuh"
#include "gpu/launchers.h"

/** Four neighbouring columns of one template, down its rows. */
struct packing {
  const ncc_gpu_task &task;
  int64_t rows, cols, x, step; /* of the template, first column, to the next row of `out` */
  int reversed;
  float *out;

  template <class T>
  __device__ __forceinline__ float at(const T *row, int64_t column) const {
    if (column >= cols) return 0;
    const double v = ncc_value(row[reversed ? cols - 1 - column : column]) * task.scale;
    return (float)(((v - task.c) - task.rest) * task.unit);
  }

  template <class T>
  __device__ __forceinline__ void operator()(const T *pixels) const {
    NCC_ROLLED
    for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
      const T *from = pixels + (reversed ? rows - 1 - row : row) * cols;
      float4 four;
      four.x = at(from, x);
      four.y = at(from, x + 1);
      four.z = at(from, x + 2);
      four.w = at(from, x + 3);
      *(float4 *)(out + row * step) = four;
    }
  }
};

/** Reads m n stored pixels, writes 8 m half bytes; 3 float64 operations a pixel. */
__global__ void pack_kernel(const ncc_gpu_task *tasks, const unsigned char *__restrict__ pixels, int count,
                            int64_t rows, int64_t cols, int reversed, int64_t stride, float *__restrict__ out) {
  const int64_t x = 4 * ((int64_t)blockIdx.x * blockDim.x + threadIdx.x);
  if (x >= stride) return;
  const int t = (int)blockIdx.z;
  const ncc_gpu_task task = tasks[t];
  const packing of = {task, rows, cols, x, count * stride, reversed, out + t * stride + x};
  ncc_with_type(pixels + task.offset, task.dtype, of);
}

cudaError_t ncc_gpu_pack(cudaStream_t stream, const ncc_gpu_task *tasks, const void *pixels, int count, int64_t rows,
                         int64_t cols, int reversed, int64_t stride, float *out) {
  dim3 grid(ncc_blocks(stride / 4, 128), ncc_strided(rows), (unsigned)count), block(128);
  NCC_LAUNCH_PLAIN(pack_kernel, grid, block, stream, tasks, (const unsigned char *)pixels, count, rows, cols, reversed,
                   stride, out);
  return cudaGetLastError();
}

/* ---- products: of two neighbouring columns, so that each access has 16 bytes; a row has a multiple of eight -------
 */

__device__ __forceinline__ float4 plus(float4 a, float4 b) {
  a.x += b.x, a.y += b.y, a.z += b.z, a.w += b.w;
  return a;
}
__device__ __forceinline__ float4 minus(float4 a, float4 b) {
  a.x -= b.x, a.y -= b.y, a.z -= b.z, a.w -= b.w;
  return a;
}
__device__ __forceinline__ float4 times(float4 a, float4 b) {
  float4 p;
  p.x = a.x * b.x - a.y * b.y;
  p.y = a.x * b.y + a.y * b.x;
  p.z = a.z * b.z - a.w * b.w;
  p.w = a.z * b.w + a.w * b.z;
  return p;
}

/** Sums of x[n] w^(n k) over n, for w = exp(sign 2 pi i / RADIX). */
template <int RADIX>
__device__ __forceinline__ void transform(float4 (&x)[RADIX], float sign) {
  if constexpr (RADIX == 1) return;
  if constexpr (RADIX == 2) {
    const float4 a = x[0];
    x[0] = plus(a, x[1]);
    x[1] = minus(a, x[1]);
  }
  if constexpr (RADIX == 4) {
    const float4 even = plus(x[0], x[2]), odd = plus(x[1], x[3]), a = minus(x[0], x[2]), b = minus(x[1], x[3]);
    float4 turned;  // b by a right angle
    turned.x = -sign * b.y, turned.y = sign * b.x, turned.z = -sign * b.w, turned.w = sign * b.z;
    x[0] = plus(even, odd);
    x[1] = plus(a, turned);
    x[2] = minus(even, odd);
    x[3] = minus(a, turned);
  }
}

/** x[n] times the nth turn, or, with sign 1, times its conjugate. */
template <int RADIX>
__device__ __forceinline__ void turn(float4 (&x)[RADIX], const float4 *turns, float sign) {
  NCC_UNROLLED
  for (int n = 1; n < RADIX; n++) {
    float4 w = turns[n / 2];
    w.x = n % 2 ? w.z : w.x;
    w.y = -sign * (n % 2 ? w.w : w.y);
    w.z = w.x;
    w.w = w.y;
    x[n] = times(x[n], w);
  }
}

/** Reads 8 L half bytes of the template's spectrum and writes as many (twice as many where it is kept); the image's 8 L
 *  half are read once a batch. 6 to 22 L half float32 operations. */
template <int RADIX>
__device__ __forceinline__ void multiply(const ncc_gpu_task *tasks, const float4 *__restrict__ image,
                                         const float4 *__restrict__ turns, int count, int64_t groups, int pairs,
                                         float4 *product) {
  const int k = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  if (k >= pairs) return;
  NCC_ROLLED
  for (int64_t group = blockIdx.y; group < groups; group += gridDim.y) {
    float4 w[(RADIX + 1) / 2], b[RADIX];
    NCC_UNROLLED
    for (int n = 0; n < RADIX / 2; n++) w[n] = turns[group * (RADIX / 2) + n];
    NCC_UNROLLED
    for (int n = 0; n < RADIX; n++) b[n] = image[(group * RADIX + n) * pairs + k];
    turn<RADIX>(b, w, -1);
    transform<RADIX>(b, -1);
    for (int t = 0; t < count; t++) {
      float4 *at = product + (group * RADIX * count + t) * pairs + k;
      const int64_t row = (int64_t)count * pairs;
      const ncc_gpu_kept kept = tasks[t].kept;
      const float4 *cached = (const float4 *)kept.cached;
      float4 *keep = (float4 *)kept.keep, a[RADIX];
      NCC_UNROLLED
      for (int n = 0; n < RADIX; n++) a[n] = cached ? cached[(group * RADIX + n) * pairs + k] : at[n * row];
      NCC_UNROLLED
      for (int n = 0; n < RADIX; n++)
        if (keep) keep[(group * RADIX + n) * pairs + k] = a[n];
      turn<RADIX>(a, w, -1);
      transform<RADIX>(a, -1);
      NCC_UNROLLED
      for (int n = 0; n < RADIX; n++) a[n] = times(a[n], b[n]);
      transform<RADIX>(a, 1);
      turn<RADIX>(a, w, 1);
      NCC_UNROLLED
      for (int n = 0; n < RADIX; n++) at[n * row] = a[n];
    }
  }
}

__global__ void multiply_kernel(const ncc_gpu_task *tasks, const float4 *image, const float4 *turns, int count,
                                int64_t groups, int pairs, float4 *product) {
  multiply<1>(tasks, image, turns, count, groups, pairs, product);
}
__global__ void multiply_2_kernel(const ncc_gpu_task *tasks, const float4 *image, const float4 *turns, int count,
                                  int64_t groups, int pairs, float4 *product) {
  multiply<2>(tasks, image, turns, count, groups, pairs, product);
}
__global__ void multiply_4_kernel(const ncc_gpu_task *tasks, const float4 *image, const float4 *turns, int count,
                                  int64_t groups, int pairs, float4 *product) {
  multiply<4>(tasks, image, turns, count, groups, pairs, product);
}

cudaError_t ncc_gpu_multiply(cudaStream_t stream, const ncc_gpu_task *tasks, const float *image, const float *turns,
                             int radix, int count, int64_t rows, int64_t half, float *product) {
  const int pairs = (int)(half / 2);
  const int64_t groups = rows / radix;
  const dim3 grid(ncc_blocks(pairs, 128), ncc_strided(groups)), block(128);
  const float4 *b = (const float4 *)image, *w = (const float4 *)turns;
  float4 *p = (float4 *)product;
  if (radix == 1)
    NCC_LAUNCH_PLAIN(multiply_kernel, grid, block, stream, tasks, b, w, count, groups, pairs, p);
  else if (radix == 2)
    NCC_LAUNCH_PLAIN(multiply_2_kernel, grid, block, stream, tasks, b, w, count, groups, pairs, p);
  else
    NCC_LAUNCH_PLAIN(multiply_4_kernel, grid, block, stream, tasks, b, w, count, groups, pairs, p);
  return cudaGetLastError();
}

/** Sums of T' down the columns: reads m n pixels, writes 8 m n bytes. */
__global__ void prefix_columns_kernel(const ncc_gpu_task *tasks, const unsigned char *__restrict__ pixels, int64_t rows,
                                      int64_t cols, double *__restrict__ out) {
  int64_t x = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (x > cols) return;
  const ncc_gpu_task task = tasks[blockIdx.y];
  double *prefix = out + (int64_t)blockIdx.y * (rows + 1) * (cols + 1) + x, sum = 0;
  prefix[0] = 0;
  for (int64_t r = 0; r < rows; r++) {
    if (x > 0) {
      double v = ncc_load_pixel(pixels + task.offset, task.dtype, r * cols + x - 1) * task.scale;
      sum += ((v - task.c) - task.rest) * task.unit;
    }
    prefix[(r + 1) * (cols + 1)] = sum;
  }
}

enum { SCAN_THREADS = 128 };

/** Then along the rows, in place: reads and writes 8 m n bytes. A block scans a row, 128 elements at a time. */
__global__ void prefix_rows_kernel(int64_t rows, int64_t cols, double *out) {
  NCC_SHARED(double, scan);
  const int thread = (int)threadIdx.x;
  NCC_ROLLED
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    double *row = out + ((int64_t)blockIdx.y * (rows + 1) + r + 1) * (cols + 1) + 1, carry = 0;
    for (int64_t base = 0; base < cols; base += SCAN_THREADS) {
      const int64_t x = base + thread;
      scan[thread] = x < cols ? row[x] : 0;
      __syncthreads();
      for (int step = 1; step < SCAN_THREADS; step *= 2) {
        double other = thread >= step ? scan[thread - step] : 0;
        __syncthreads();
        scan[thread] += other;
        __syncthreads();
      }
      if (x < cols) row[x] = carry + scan[thread];
      carry += scan[SCAN_THREADS - 1];
      __syncthreads();
    }
  }
}

cudaError_t ncc_gpu_prefix(cudaStream_t stream, const ncc_gpu_task *tasks, const void *pixels, int count, int64_t rows,
                           int64_t cols, double *out) {
  dim3 columns(ncc_blocks(cols + 1, 128), (unsigned)count), lines(ncc_strided(rows), (unsigned)count);
  NCC_LAUNCH_PLAIN(prefix_columns_kernel, columns, dim3(128), stream, tasks, (const unsigned char *)pixels, rows, cols,
                   out);
  cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) return code;
  NCC_LAUNCH(prefix_rows_kernel, lines, dim3(SCAN_THREADS), SCAN_THREADS * sizeof(double), stream, rows, cols, out);
  return cudaGetLastError();
}
