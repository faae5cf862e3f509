/** From numerators to candidates: bounds and their maximum, then a list of what may win.
 *
 *  Bounds are those of ncc_proposal_consider(), in float32 with the slack widened by that arithmetic's own rounding; a
 *  position that the host would keep is therefore never missed, and the host looks again in float64. Maxima, minima and
 *  counts by atomics do not depend on their order.
 */
#include "base/arithmetic.h"
#include "gpu/device_math.cuh"
#include "gpu/launchers.h"
#define NCC_BOUNDS_REAL float
#include "match/bounds.h"

enum {
  TILE = 32,      /* a tile is 32 x 32 positions */
  TILE_LINES = 8, /* a block's threads are 32 x 8, each with four rows */
  TILE_THREADS = TILE * TILE_LINES,
  ROWS_PER_THREAD = TILE / TILE_LINES,
  TEMPLATES_PER_BLOCK = 8,
};

/** A band below the best, beyond NCC_MARGIN, for the rounding of float32 near 1. */
#define MARGIN 1e-6f

int64_t ncc_gpu_tiles(const ncc_gpu_shape *shape) {
  return ncc_ceil_div(shape->rows, TILE) * ncc_ceil_div(shape->cols, TILE);
}

/** The sum of T' over the overlap at full (y, x), where the template overhangs the image; else 0. */
__device__ double overlap_sum(const ncc_gpu_shape &s, const double *prefix, int64_t y, int64_t x) {
  const int64_t m = s.tmpl_rows, n = s.tmpl_cols;
  if (y >= m - 1 && y < s.image_rows && x >= n - 1 && x < s.image_cols) return 0;
  return ncc_prefix_sum(prefix, n, ncc_overlap_first(m, y), ncc_overlap_end(s.image_rows, m, y),
                        ncc_overlap_first(n, x), ncc_overlap_end(s.image_cols, n, x));
}

__device__ __forceinline__ float numerator_at(const ncc_gpu_peaks &p, const ncc_gpu_task &task, int64_t t, int64_t row,
                                              int64_t col) {
  float numerator = p.numerators[(row * p.count + t) * p.stride + col];
  if (p.prefix) {
    const double *prefix = p.prefix + t * (p.shape.tmpl_rows + 1) * (p.shape.tmpl_cols + 1);
    numerator += (float)(task.overhang * overlap_sum(p.shape, prefix, p.shape.y0 + row, p.shape.x0 + col));
  }
  return numerator;
}

__device__ __forceinline__ bool searched(const ncc_gpu_peaks &p, int64_t row, int64_t col) {
  if (row >= p.shape.rows || col < p.spans[2 * row] || col >= p.spans[2 * row + 1]) return false;
  for (int64_t i = 0; i < p.n_excluded; i++) {
    const int64_t *e = p.excluded + 4 * i;
    if (row >= e[0] && row < e[2] && col >= e[1] && col < e[3]) return false;
  }
  return true;
}

/** @param[out] lower  -2 where the position is not sure and so raises nothing */
__device__ __forceinline__ void bounds_at(const ncc_gpu_task &task, float numerator, float ssd, float *lower,
                                          float *upper) {
  const float inv = task.inv_norm * rsqrtf(fabsf(ssd)), value = numerator * inv;
  const float off = ncc_bounds_off(value, task.error * inv, task.slack, task.absolute_slack);
  *upper = ncc_bounds_upper(value, off);
  *lower = -2.0f;
  if (ssd > task.zero_hi)
    *lower = ncc_bounds_lower(value, off);
  else
    *upper = fmaxf(0.0f, *upper);
}

/** Reads 4 bytes of numerator a position and, once for 8 templates, 4 of ssd; writes 4 bytes a tile. Some 12 float32
 *  operations a position. */
__global__ void bounds_kernel(ncc_gpu_peaks p) {
  NCC_SHARED(float, uppers);
  float *lowers = uppers + TILE_THREADS;
  const int thread = (int)(threadIdx.y * TILE + threadIdx.x);
  const int64_t col = (int64_t)blockIdx.x * TILE + threadIdx.x;
  const int64_t tiles_across = ncc_ceil_div(p.shape.cols, TILE), tiles_down = ncc_ceil_div(p.shape.rows, TILE);
  const int64_t start = p.first + (int64_t)blockIdx.z * TEMPLATES_PER_BLOCK;
  const int64_t last = ncc_min(p.after, start + TEMPLATES_PER_BLOCK);
  NCC_ROLLED
  for (int64_t down = blockIdx.y; down < tiles_down; down += gridDim.y) {
    float ssd[ROWS_PER_THREAD];
    for (int i = 0; i < ROWS_PER_THREAD; i++) {
      const int64_t row = down * TILE + i * TILE_LINES + threadIdx.y;
      ssd[i] = row < p.shape.rows && col < p.shape.cols ? p.ssd[row * p.ssd_stride + col] : 0;
    }
    for (int64_t t = start; t < last; t++) {
      const ncc_gpu_task task = p.tasks[t];
      float best_upper = -2, best_lower = -2;
      unsigned long long zero = 0;
      for (int i = 0; i < ROWS_PER_THREAD; i++) {
        const int64_t row = down * TILE + i * TILE_LINES + threadIdx.y;
        if (!searched(p, row, col)) continue;
        if (ncc_bounds_zero(ssd[i], task.zero_lo)) {
          const unsigned long long here = ~(unsigned long long)(row * p.shape.cols + col);
          zero = here > zero ? here : zero;
          continue;
        }
        float lower, upper;
        bounds_at(task, numerator_at(p, task, t, row, col), ssd[i], &lower, &upper);
        best_lower = fmaxf(best_lower, lower);
        best_upper = fmaxf(best_upper, upper);
      }
      ncc_gpu_head *head = p.heads + t;
      // Looked at first, so that a black border does not queue at one address. A stale value only costs an atomic.
      if (zero && zero > head->zero) atomicMax(&head->zero, zero);
      uppers[thread] = best_upper;
      lowers[thread] = best_lower;
      __syncthreads();
      for (int step = TILE_THREADS / 2; step > 0; step /= 2) {
        if (thread < step) {
          uppers[thread] = fmaxf(uppers[thread], uppers[thread + step]);
          lowers[thread] = fmaxf(lowers[thread], lowers[thread + step]);
        }
        __syncthreads();
      }
      if (thread == 0) {
        p.tiles[(t * tiles_down + down) * tiles_across + blockIdx.x] = uppers[0];
        if (lowers[0] > -2) atomicMax(&head->best, ncc_ordered(lowers[0]));
      }
      __syncthreads();
    }
  }
}

/** Reads 4 bytes a tile; tiles that reach the best are read again, and candidates written, 16 bytes each. */
__global__ void list_kernel(ncc_gpu_peaks p) {
  const int64_t col = (int64_t)blockIdx.x * TILE + threadIdx.x, t = p.first + blockIdx.z;
  const int64_t tiles_across = ncc_ceil_div(p.shape.cols, TILE), tiles_down = ncc_ceil_div(p.shape.rows, TILE);
  ncc_gpu_head *head = p.heads + t;
  float best = head->best ? ncc_unordered(head->best) : -2;
  if (head->zero) best = fmaxf(best, 0);
  best -= MARGIN;
  NCC_ROLLED
  for (int64_t down = blockIdx.y; down < tiles_down; down += gridDim.y) {
    if (p.tiles[(t * tiles_down + down) * tiles_across + blockIdx.x] < best) continue;
    const ncc_gpu_task task = p.tasks[t];
    for (int i = 0; i < ROWS_PER_THREAD; i++) {
      const int64_t row = down * TILE + i * TILE_LINES + threadIdx.y;
      if (!searched(p, row, col)) continue;
      const float ssd = p.ssd[row * p.ssd_stride + col];
      if (ncc_bounds_zero(ssd, task.zero_lo)) continue;
      float lower, upper;
      const float numerator = numerator_at(p, task, t, row, col);
      bounds_at(task, numerator, ssd, &lower, &upper);
      if (upper < best) continue;
      const unsigned place = atomicAdd(&head->count, 1u);
      if (place >= p.capacity) continue;
      ncc_gpu_item item;
      item.at = (unsigned long long)(row * p.shape.cols + col);
      item.numerator = numerator;
      item.ssd = ssd;
      p.items[t * p.capacity + place] = item;
    }
  }
}

cudaError_t ncc_gpu_find_peaks(cudaStream_t stream, const ncc_gpu_peaks *peaks) {
  const unsigned across = ncc_blocks(peaks->shape.cols, TILE);
  const unsigned down = ncc_strided(ncc_ceil_div(peaks->shape.rows, TILE));
  const dim3 block(TILE, TILE_LINES);
  NCC_LAUNCH(bounds_kernel, dim3(across, down, ncc_blocks(peaks->after - peaks->first, TEMPLATES_PER_BLOCK)), block,
             2 * TILE_THREADS * sizeof(float), stream, *peaks);
  cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) return code;
  NCC_LAUNCH_PLAIN(list_kernel, dim3(across, down, (unsigned)(peaks->after - peaks->first)), block, stream, *peaks);
  return cudaGetLastError();
}
