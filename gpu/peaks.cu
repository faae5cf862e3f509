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
  TILE = 32, /* a tile is 32 x 32 positions, a warp's work */
  LANES = 32,
  QUAD = 4,              /* columns of a lane, read in one access */
  ACROSS = TILE / QUAD,  /* lanes side by side */
  DOWN = LANES / ACROSS, /* lanes below each other */
  STEPS = TILE / DOWN,   /* rows of a lane */
  TEMPLATES_PER_BLOCK = 8,
};

/** A band below the best, beyond NCC_MARGIN, for the rounding of float32 near 1. */
#define MARGIN 1e-6f

/** Tiles begin `lead` columns left of the search, where 16 bytes begin. */
static int64_t tiles_across(const ncc_gpu_shape *shape) {
  return ncc_ceil_div(shape->lead + shape->cols, TILE);
}

int64_t ncc_gpu_tiles(const ncc_gpu_shape *shape) {
  return ncc_ceil_div(shape->rows, TILE) * tiles_across(shape);
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

/** A tile as the lane sees it: the columns [col, col + 4) of the rows row + DOWN * i, of which it reads some others,
 * for they are there, where these are not. */
typedef struct view {
  int lane, tile_row, tile_col, row, col, read_col, last_row;
} view;

__device__ __forceinline__ view view_tile(const ncc_gpu_shape &s, int down, int across) {
  view v;
  v.lane = (int)threadIdx.x;
  v.tile_row = down * TILE;
  v.tile_col = across * TILE - (int)s.lead;
  v.row = v.tile_row + v.lane / ACROSS;
  v.col = v.tile_col + v.lane % ACROSS * QUAD;
  v.read_col = min(v.col, (int)(s.lead + s.cols - 1) / QUAD * QUAD - (int)s.lead);
  v.last_row = (int)s.rows - 1;
  return v;
}

/** What templates have in common of a lane's positions: 1 / sqrt(ssd) where it is surely not zero; elsewhere, and where
 *  nothing is searched, NaN, which no maximum sees. */
typedef struct ground {
  float root[STEPS][QUAD];
  float largest;  /* of them; 0: none */
  unsigned state; /* of the tile: DOUBT, or TILE * TILE less the place of the first position that is surely zero */
} ground;

#define DOUBT (~0u)

/** Bits QUAD * i + j of the positions that are searched. */
__device__ __forceinline__ unsigned searched_bits(const ncc_gpu_peaks &p, const view &v) {
  unsigned bits = 0;
  NCC_UNROLLED
  for (int i = 0; i < STEPS; i++) {
    const int row = min(v.row + DOWN * i, v.last_row);
    const int first = (int)p.spans[2 * row] - v.col, end = (int)p.spans[2 * row + 1] - v.col;
    for (int j = 0; j < QUAD; j++) bits |= (unsigned)(j >= first && j < end) << (QUAD * i + j);
    if (v.row + DOWN * i > v.last_row) bits &= ~(0xfu << (QUAD * i));
  }
  NCC_ROLLED
  for (int64_t e = 0; e < p.n_excluded * 32; e++) {
    const int64_t *box = p.excluded + e / 32 * 4, row = v.row + e % 32 / QUAD * DOWN, col = v.col + e % QUAD;
    if (row >= box[0] && row < box[2] && col >= box[1] && col < box[3]) bits &= ~(1u << e % 32);
  }
  return bits;
}

/** @param[in] zero_lo, zero_hi  the least and the largest of the templates */
__device__ __forceinline__ ground ground_of(const ncc_gpu_peaks &p, const view &v, float zero_lo, float zero_hi) {
  const unsigned bits = searched_bits(p, v);
  ground g;
  g.largest = 0;
  g.state = 0;
  NCC_UNROLLED
  for (int i = 0; i < STEPS; i++) {
    const int64_t row = min(v.row + DOWN * i, v.last_row);
    const float4 four = *(const float4 *)(p.ssd + row * p.ssd_stride + v.read_col);
    const float all[QUAD] = {four.x, four.y, four.z, four.w};
    NCC_UNROLLED
    for (int j = 0; j < QUAD; j++) {
      const bool here = bits >> (QUAD * i + j) & 1;
      const float ssd = here ? all[j] : -1;
      const bool zero = ncc_bounds_zero(ssd, zero_lo), sure = !zero && ssd > zero_hi;
      const int place = (v.row + DOWN * i - v.tile_row) * TILE + v.col + j - v.tile_col;
      g.root[i][j] = rsqrtf(sure ? ssd : -1);
      g.largest = fmaxf(g.largest, g.root[i][j]);
      g.state = max(g.state, !here || sure ? 0 : zero ? (unsigned)(TILE * TILE - place) : DOUBT);
    }
  }
  // The sum of T' is put back where the template overhangs.
  const ncc_gpu_shape &s = p.shape;
  const int64_t y = s.y0 + v.tile_row, x = s.x0 + v.tile_col;
  if (p.prefix && (y < s.tmpl_rows - 1 || y + TILE > s.image_rows || x < s.tmpl_cols - 1 || x + TILE > s.image_cols))
    g.state = DOUBT;
  g.state = ncc_warp_max(g.state);
  return g;
}

/** What a lane has found of a template in a tile, in the order of ncc_ordered(); 0: nothing. */
typedef struct found {
  unsigned upper, lower; /* largest bounds */
  unsigned zero;         /* as ground.state */
} found;

/** Where all is plain: six operations a position and one that looks for what is no number. With bounds e of numerators
 *  and |c| <= |c + e| + 2 e or |c - e| + 2 e, the largest bounds follow from the largest c + e and c - e. */
__device__ __forceinline__ found bounds_plain(const ncc_gpu_peaks &p, const view &v, const ground &g, int64_t t) {
  const ncc_gpu_task *task = p.tasks + t;
  const int row_step = (int)(p.count * p.stride);
  const float *from = p.numerators + (v.tile_row * p.count + t) * p.stride + v.read_col, error = task->error;
  float upper = -3e38f, lower = -3e38f, none = 0;
  float4 four[STEPS];
  NCC_UNROLLED
  for (int i = 0; i < STEPS; i++) {
    const int down = min(v.row + DOWN * i, v.last_row) - v.tile_row;
    four[i] = *(const float4 *)(from + (int64_t)down * row_step);
  }
  NCC_UNROLLED
  for (int i = 0; i < STEPS; i++) {
    const float numerators[QUAD] = {four[i].x, four[i].y, four[i].z, four[i].w};
    NCC_UNROLLED
    for (int j = 0; j < QUAD; j++) {
      upper = fmaxf(upper, (numerators[j] + error) * g.root[i][j]);
      lower = fmaxf(lower, (numerators[j] - error) * g.root[i][j]);
      none += 0 * numerators[j];  // infinite or not a number: it may be anything
    }
  }
  const float inv = task->inv_norm, radius = 2 * error * inv * g.largest;
  upper = upper * inv + none;
  lower = lower * inv + none;
  const float above = ncc_bounds_rounding(upper, radius, task->slack, task->absolute_slack);
  const float below = ncc_bounds_rounding(lower, radius, task->slack, task->absolute_slack);
  found f;
  f.upper = g.largest > 0 ? ncc_ordered(ncc_bounds_upper(upper, above)) : 0;
  f.lower = g.largest > 0 ? ncc_ordered(ncc_bounds_lower(lower, below)) : 0;
  f.zero = 0;
  return f;
}

/** Where it depends on the template whether a position is zero or sure, or where a centre is put back. */
__device__ __forceinline__ found bounds_closely(const ncc_gpu_peaks &p, const view &v, int64_t t) {
  const ncc_gpu_task task = p.tasks[t];
  found f;
  f.upper = f.lower = f.zero = 0;
  NCC_ROLLED
  for (int at = 0; at < STEPS * QUAD; at++) {
    const int row = v.row + at / QUAD * DOWN, col = v.col + at % QUAD;
    if (!searched(p, row, col)) continue;
    const float ssd = p.ssd[row * p.ssd_stride + col];
    if (ncc_bounds_zero(ssd, task.zero_lo)) {
      f.zero = max(f.zero, (unsigned)(TILE * TILE - (row - v.tile_row) * TILE - (col - v.tile_col)));
      continue;
    }
    float lower, upper;
    bounds_at(task, numerator_at(p, task, t, row, col), ssd, &lower, &upper);
    f.upper = max(f.upper, ncc_ordered(upper));
    if (lower > -2) f.lower = max(f.lower, ncc_ordered(lower));
  }
  return f;
}

/** Reads 4 bytes of numerator a position and, once for 8 templates, 4 of ssd; writes 4 bytes a tile. A warp does a tile
 *  and needs no barrier. */
__global__ void bounds_kernel(ncc_gpu_peaks p) {
  const int tiles_down = (int)ncc_ceil_div(p.shape.rows, TILE);
  const int64_t start = p.first + (int64_t)blockIdx.z * TEMPLATES_PER_BLOCK;
  const int64_t last = ncc_min(p.after, start + TEMPLATES_PER_BLOCK);
  const ncc_gpu_task *mine = p.tasks + ncc_min(start + threadIdx.x, last - 1);
  const float zero_hi = ncc_unordered(ncc_warp_max(ncc_ordered(mine->zero_hi)));
  const float zero_lo = -ncc_unordered(ncc_warp_max(ncc_ordered(-mine->zero_lo)));
  NCC_ROLLED
  for (int down = (int)blockIdx.y; down < tiles_down; down += (int)gridDim.y) {
    const view v = view_tile(p.shape, down, (int)blockIdx.x);
    const ground g = ground_of(p, v, zero_lo, zero_hi);
    NCC_ROLLED
    for (int64_t t = start; t < last; t++) {
      found f = g.state == DOUBT ? bounds_closely(p, v, t) : bounds_plain(p, v, g, t);
      f.upper = ncc_warp_max(f.upper);
      f.lower = ncc_warp_max(f.lower);
      f.zero = g.state == DOUBT ? ncc_warp_max(f.zero) : g.state;
      if (v.lane > 0) continue;
      p.tiles[(t * tiles_down + down) * gridDim.x + blockIdx.x] = f.upper ? ncc_unordered(f.upper) : -2;
      // Looked at first, so that they do not queue at one address. A stale value only costs an atomic.
      ncc_gpu_head *head = p.heads + t;
      if (f.lower > head->best) atomicMax(&head->best, f.lower);
      if (f.zero == 0) continue;
      const int place = TILE * TILE - (int)f.zero;
      const int64_t row = v.tile_row + place / TILE, col = v.tile_col + place % TILE;
      const unsigned long long zero = ~(unsigned long long)(row * p.shape.cols + col);
      if (zero > head->zero) atomicMax(&head->zero, zero);
    }
  }
}

/** Candidates of a tile, 16 bytes each. */
__device__ __forceinline__ void list_tile(const ncc_gpu_peaks &p, int64_t t, const view &v, float best) {
  const ncc_gpu_task task = p.tasks[t];
  NCC_ROLLED
  for (int at = 0; at < STEPS * QUAD; at++) {
    const int row = v.row + at / QUAD * DOWN, col = v.col + at % QUAD;
    if (!searched(p, row, col)) continue;
    const float ssd = p.ssd[row * p.ssd_stride + col];
    if (ncc_bounds_zero(ssd, task.zero_lo)) continue;
    float lower, upper;
    const float numerator = numerator_at(p, task, t, row, col);
    bounds_at(task, numerator, ssd, &lower, &upper);
    if (upper < best) continue;
    const unsigned place = atomicAdd(&p.heads[t].count, 1u);
    if (place >= p.capacity) continue;
    ncc_gpu_item item;
    item.at = (unsigned long long)row * (unsigned long long)p.shape.cols + (unsigned)col;
    item.numerator = numerator;
    item.ssd = ssd;
    p.items[t * p.capacity + place] = item;
  }
}

/** Reads 4 bytes a tile, a lane each; the warp goes through those that reach the best. */
__global__ void list_kernel(ncc_gpu_peaks p, int tiles_across, int tiles) {
  const int64_t t = p.first + blockIdx.y;
  const ncc_gpu_head *head = p.heads + t;
  float best = head->best ? ncc_unordered(head->best) : -2;
  if (head->zero) best = fmaxf(best, 0);
  best -= MARGIN;
  const int first = (int)blockIdx.x * LANES, mine = first + (int)threadIdx.x;
  unsigned reach = __ballot_sync(~0u, mine < tiles && p.tiles[t * tiles + mine] >= best);
  NCC_ROLLED
  for (; reach; reach &= reach - 1) {
    const int tile = first + __ffs((int)reach) - 1;
    list_tile(p, t, view_tile(p.shape, tile / tiles_across, tile % tiles_across), best);
  }
}

cudaError_t ncc_gpu_find_peaks(cudaStream_t stream, const ncc_gpu_peaks *peaks) {
  const unsigned across = (unsigned)tiles_across(&peaks->shape), tiles = (unsigned)ncc_gpu_tiles(&peaks->shape);
  const unsigned down = ncc_strided(ncc_ceil_div(peaks->shape.rows, TILE)), n = (unsigned)(peaks->after - peaks->first);
  NCC_LAUNCH(bounds_kernel, dim3(across, down, ncc_blocks(n, TEMPLATES_PER_BLOCK)), dim3(LANES), 0, stream, *peaks);
  cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) return code;
  NCC_LAUNCH(list_kernel, dim3(ncc_blocks(tiles, LANES), n), dim3(LANES), 0, stream, *peaks, (int)across, (int)tiles);
  return cudaGetLastError();
}
