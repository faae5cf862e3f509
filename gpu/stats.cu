/** Window statistics on the device: ssd(W) of every searched window, by the rules of src/match/stats.c.
 *
 *  In bands of rows: (1) column sums of d and d^2 (d: the pixel less the centre) slide down, built anew for every block
 *  of rows; (2) prefix sums along each row, which start anew every segment of about a template's width; (3) a window's
 *  sum is a difference within a segment, or from one segment to the next, and ssd follows. Sums of 8- and 16-bit pixels
 *  are integers below 2^52 and exact; others have the bound of ncc_ssd_rounding(), `mass` being that of two segments,
 * and windows whose ssd is not well above it are marked doubtful. If some ssd is not known at all, three more passes of
 *  the same kind count non-zero pixels and neighbours that differ, in exact integers, and tell the flat windows apart;
 *  they return at once where there is nothing to tell.
 *
 *  Bytes of one image, searched positions P: (1) 2 to 3 pixels read and 16 bytes written a position, (2) 16 read and
 *  written, (3) 32 read and 4 written; some 40 float64 operations a position. Shared by all templates of one shape.
 */
#include "base/arithmetic.h"
#include "gpu/device_math.cuh"
#include "gpu/launchers.h"
#include "match/formulas.h"

typedef enum quantity { MOMENTS, NONZERO, ACROSS, DOWN } quantity;

/** One pass over one band. */
typedef struct band {
  ncc_gpu_stats s;
  int64_t first, end;  /* rows of the search */
  int64_t width, base; /* image columns that windows of a row can touch: [base, base + width), base may be negative */
  int64_t high, wide;  /* the window */
  int64_t segment, segments;
  double2 *sums;      /* [end - first][width] */
  double *mass;       /* [blocks][width]: sum of d^2 over all rows that a block of rows touches */
  double *block_mass; /* [blocks][segments] */
  float limit;        /* exact sums: below this float64 cannot tell ssd from 0 */
  quantity what;
} band;

/** What is counted. Row and column are of the trimmed image. */
__device__ __forceinline__ double count_at(const band &b, int64_t row, int64_t col) {
  const ncc_gpu_stats &s = b.s;
  const int64_t at = row * s.trim_cols + col;
  const double v = ncc_load_pixel(s.pixels, s.dtype, at);
  if (b.what == NONZERO) return v != 0;
  if (b.what == ACROSS) return col > 0 && v != ncc_load_pixel(s.pixels, s.dtype, at - 1);
  return row > 0 && v != ncc_load_pixel(s.pixels, s.dtype, at - s.trim_cols);
}

/** A column's part in one block of rows. Row y of the search is row y + origin of the image. */
typedef struct column {
  int64_t j, col, block, first, end, origin;
} column;

enum { AHEAD = 4 }; /* rows whose pixels are on their way at once */

/** Sums of d and d^2 of a column whose pixels are there, by type of pixel. */
struct moments {
  const band &b;
  const column &c;

  template <class T>
  __device__ __forceinline__ double at(const T *pixels, int64_t row) const {
    if (row < 0 || row >= b.s.trim_rows) return 0;
    return ncc_value(pixels[row * b.s.trim_cols + c.col]) * b.s.scale - b.s.c;
  }

  template <class T>
  __device__ __forceinline__ void operator()(const T *pixels) const {
    double sum = 0, squares = 0, mass = 0;
    const int64_t top = c.first - b.high + 1 + c.origin;  // rows from here on to that of `first` are only added
    NCC_ROLLED
    for (int64_t row = top; row <= c.first + c.origin; row += AHEAD) {
      double in[AHEAD];
      NCC_UNROLLED
      for (int i = 0; i < AHEAD; i++) in[i] = row + i <= c.first + c.origin ? at(pixels, row + i) : 0;
      NCC_UNROLLED
      for (int i = 0; i < AHEAD; i++) {
        sum += in[i];
        squares += in[i] * in[i];
      }
    }
    mass = squares;
    double2 *to = b.sums + (c.first - b.first) * b.width + c.j;
    to->x = sum;
    to->y = squares;
    NCC_ROLLED
    for (int64_t y = c.first + 1; y < c.end; y += AHEAD) {
      double in[AHEAD], out[AHEAD];
      NCC_UNROLLED
      for (int i = 0; i < AHEAD; i++) {
        in[i] = y + i < c.end ? at(pixels, y + i + c.origin) : 0;
        out[i] = at(pixels, y + i + c.origin - b.high);
      }
      NCC_UNROLLED
      for (int i = 0; i < AHEAD; i++) {
        const double square = in[i] * in[i];
        sum += in[i];
        squares += square;
        mass += square;
        sum -= out[i];
        squares -= out[i] * out[i];
        to += b.width;
        if (y + i >= c.end) continue;
        double2 both;
        both.x = sum;
        both.y = squares;
        *to = both;
      }
    }
    b.mass[c.block * b.width + c.j] = mass;
  }
};

/** Rare: sums of what is counted, and of columns that lie beside the image. */
__device__ __forceinline__ void counts(const band &b, const column &c, bool inside) {
  double sum = 0;
  NCC_ROLLED
  for (int64_t y = c.first - b.high + 1; y < c.end; y++) {
    const int64_t in = y + c.origin, out = in - b.high;
    if (inside && in >= 0 && in < b.s.trim_rows) sum += count_at(b, in, c.col);
    if (y > c.first && inside && out >= 0 && out < b.s.trim_rows) sum -= count_at(b, out, c.col);
    if (y < c.first) continue;
    double2 both;
    both.x = sum;
    both.y = 0;
    b.sums[(y - b.first) * b.width + c.j] = both;
  }
  if (b.what == MOMENTS) b.mass[c.block * b.width + c.j] = 0;
}

__global__ void columns_kernel(band b) {
  const ncc_gpu_stats &s = b.s;
  if (b.what != MOMENTS && *s.unknown == 0) return;
  column c;
  c.j = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  c.block = blockIdx.y;
  if (c.j >= b.width) return;
  c.first = b.first + c.block * s.block_rows;
  c.end = ncc_min(c.first + s.block_rows, b.end);
  c.col = b.base + c.j - s.trim_x0;
  c.origin = s.shape.y0 - s.trim_y0;
  const bool inside = c.col >= 0 && c.col < s.trim_cols;
  if (b.what == MOMENTS && inside) {
    const moments of = {b, c};
    ncc_with_type(s.pixels, s.dtype, of);
  } else {
    counts(b, c, inside);
  }
}

/** A thread adds up the mass of a segment; [blocks][width] is little. */
__global__ void mass_kernel(band b) {
  const int64_t segment = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, block = blockIdx.y;
  if (segment >= b.segments) return;
  double sum = 0;
  for (int64_t j = segment * b.segment; j < ncc_min((segment + 1) * b.segment, b.width); j++)
    sum += b.mass[block * b.width + j];
  b.block_mass[block * b.segments + segment] = sum;
}

enum { SCAN_THREADS = 128 };

/** A block scans one segment of one row, in place, 128 elements at a time. */
__global__ void segments_kernel(band b) {
  NCC_SHARED(double2, scan);
  if (b.what != MOMENTS && *b.s.unknown == 0) return;
  const int thread = (int)threadIdx.x;
  const int64_t from = (int64_t)blockIdx.x * b.segment, to = ncc_min(from + b.segment, b.width);
  NCC_ROLLED
  for (int64_t row = blockIdx.y; row < b.end - b.first; row += gridDim.y) {
    double2 *sums = b.sums + row * b.width, carry;
    carry.x = carry.y = 0;
    for (int64_t base = from; base < to; base += SCAN_THREADS) {
      const int64_t x = base + thread;
      double2 mine;
      mine.x = mine.y = 0;
      if (x < to) mine = sums[x];
      scan[thread] = mine;
      __syncthreads();
      for (int step = 1; step < SCAN_THREADS; step *= 2) {
        double2 other;
        other.x = other.y = 0;
        if (thread >= step) other = scan[thread - step];
        __syncthreads();
        scan[thread].x += other.x;
        scan[thread].y += other.y;
        __syncthreads();
      }
      if (x < to) {
        mine.x = carry.x + scan[thread].x;
        mine.y = carry.y + scan[thread].y;
        sums[x] = mine;
      }
      carry.x += scan[SCAN_THREADS - 1].x;
      carry.y += scan[SCAN_THREADS - 1].y;
      __syncthreads();
    }
  }
}

/** Sums over the window that ends at column i of the band. */
__device__ __forceinline__ double2 window_sum(const band &b, const double2 *sums, int i) {
  const int segment = (int)b.segment, start = i / segment * segment, before = i - (int)b.wide;
  double2 out = sums[i];
  const bool spans = before + 1 < start; /* it began in the segment to the left */
  if (spans) {
    out.x += sums[start - 1].x;
    out.y += sums[start - 1].y;
  }
  if (before >= (spans ? start - segment : start)) {
    out.x -= sums[before].x;
    out.y -= sums[before].y;
  }
  return out;
}

/** The code of an ssd that is known within a bound. */
__device__ float doubt(const band &b, float ssd, double overlap, int block, int i) {
  const ncc_gpu_stats &s = b.s;
  const double *block_mass = b.block_mass + block * b.segments;
  const int segment = i / (int)b.segment;
  const double mass = block_mass[segment] + (segment > 0 ? block_mass[segment - 1] : 0);
  const double m = (double)s.shape.tmpl_rows, rows = (double)s.block_rows, across = (double)b.segment;
  const double ops = m + 2 * rows + across + 16, pixels = (m + rows) * 2 * across;
  const double error = ncc_ssd_rounding(ops, pixels, mass, overlap, s.c) * (s.unit * s.unit);
  ssd = ncc_ssd_coded(ssd, error);
  if (ssd == NCC_SSD_UNKNOWN) *s.unknown = 1;
  return ssd;
}

__global__ void ssd_kernel(band b) {
  const ncc_gpu_stats &s = b.s;
  const ncc_gpu_shape &g = s.shape;
  const int64_t col = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (col >= g.cols) return;
  const double area = (double)(g.tmpl_rows * g.tmpl_cols);
  const int i = (int)(col + g.tmpl_cols - 1), block_rows = (int)s.block_rows;
  const int64_t across = ncc_overlap(g.image_cols, g.tmpl_cols, g.x0 + col);
  NCC_ROLLED
  for (int64_t row = b.first + blockIdx.y; row < b.end; row += gridDim.y) {
    const double2 sums = window_sum(b, b.sums + (row - b.first) * b.width, i);
    const double overlap = (double)(ncc_overlap(g.image_rows, g.tmpl_rows, g.y0 + row) * across);
    const double scale = s.unit * s.unit;
    float ssd = (float)(ncc_ssd_of(sums.x, sums.y, overlap, area, s.c) * scale);
    if (!s.exact)
      ssd = doubt(b, ssd, overlap, (int)(row - b.first) / block_rows, i);
    else if (ssd < b.limit)
      ssd = (float)(ncc_ssd_exact(sums.x, sums.y, overlap, area, s.c) * scale);
    s.ssd[row * s.ssd_stride + col] = ssd;
  }
}

/** Not flat, for it has neighbours that differ; only between two passes. */
#define NOT_FLAT (1.5f * NCC_SSD_UNKNOWN)

/** After counting: windows of unknown ssd that are flat become 0. A window that overhangs is flat if all its pixels
 *  are 0, as the zeros outside are part of it; one inside, if no two neighbours differ. */
__global__ void flat_kernel(band b) {
  const ncc_gpu_stats &s = b.s;
  const ncc_gpu_shape &g = s.shape;
  if (*s.unknown == 0) return;
  const int64_t col = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (col >= g.cols) return;
  const int i = (int)(col + g.tmpl_cols - 1); /* divisions of 64 bits are calls */
  const int64_t x = g.x0 + col;
  NCC_ROLLED
  for (int64_t row = b.first + blockIdx.y; row < b.end; row += gridDim.y) {
    float *ssd = s.ssd + row * s.ssd_stride + col;
    if (*ssd != NCC_SSD_UNKNOWN && *ssd != NOT_FLAT) continue;
    const int64_t y = g.y0 + row;
    const bool inside = y >= g.tmpl_rows - 1 && y < g.image_rows && x >= g.tmpl_cols - 1 && x < g.image_cols;
    if (inside == (b.what == NONZERO)) continue;
    const bool none = b.high == 0 || b.wide == 0 || window_sum(b, b.sums + (row - b.first) * b.width, i).x == 0;
    if (b.what == NONZERO) {
      if (none) *ssd = 0;
    } else if (b.what == ACROSS) {
      if (!none) *ssd = NOT_FLAT;
    } else {
      *ssd = none && *ssd == NCC_SSD_UNKNOWN ? 0 : NCC_SSD_UNKNOWN;
    }
  }
}

/* ---- launching -------------------------------------------------------------------------------------------------- */

int64_t ncc_gpu_stats_segment(int64_t tmpl_cols) {
  return ncc_round_up(ncc_max(tmpl_cols, SCAN_THREADS), tmpl_cols);
}

static int64_t width_of(const ncc_gpu_stats *s) {
  return s->shape.cols + s->shape.tmpl_cols - 1;
}

static int64_t segments_of(const ncc_gpu_stats *s) {
  const int64_t segment = ncc_gpu_stats_segment(s->shape.tmpl_cols);
  return ncc_ceil_div(width_of(s), segment);
}

int64_t ncc_gpu_stats_scratch(const ncc_gpu_stats *s) {
  const int64_t blocks = s->band_rows / s->block_rows;
  return 2 * s->band_rows * width_of(s) + blocks * (width_of(s) + segments_of(s));
}

static cudaError_t sum_windows(cudaStream_t stream, const band *b) {
  const int64_t rows = b->end - b->first, blocks = ncc_ceil_div(rows, b->s.block_rows);
  if (b->high == 0 || b->wide == 0) return cudaSuccess;
  NCC_LAUNCH_PLAIN(columns_kernel, dim3(ncc_blocks(b->width, 128), (unsigned)blocks), dim3(128), stream, *b);
  cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) return code;
  if (b->what == MOMENTS && !b->s.exact) {
    NCC_LAUNCH_PLAIN(mass_kernel, dim3(ncc_blocks(b->segments, 32), (unsigned)blocks), dim3(32), stream, *b);
    code = cudaGetLastError();
    if (code != cudaSuccess) return code;
  }
  NCC_LAUNCH(segments_kernel, dim3((unsigned)b->segments, ncc_strided(rows)), dim3(SCAN_THREADS),
             SCAN_THREADS * sizeof(double2), stream, *b);
  return cudaGetLastError();
}

/** All bands of one quantity. */
static cudaError_t run_pass(cudaStream_t stream, const ncc_gpu_stats *s, quantity what) {
  band b;
  b.s = *s;
  b.what = what;
  b.width = width_of(s);
  b.base = s->shape.x0 - s->shape.tmpl_cols + 1;
  b.high = s->shape.tmpl_rows - (what == DOWN);
  b.wide = s->shape.tmpl_cols - (what == ACROSS);
  b.segment = ncc_gpu_stats_segment(s->shape.tmpl_cols);
  b.segments = segments_of(s);
  b.sums = (double2 *)s->sums;
  b.mass = s->sums + 2 * s->band_rows * b.width;
  b.block_mass = b.mass + s->band_rows / s->block_rows * b.width;
  b.limit = ncc_ssd_exact_limit((double)(s->shape.tmpl_rows * s->shape.tmpl_cols), s->largest, s->unit * s->unit);
  for (b.first = 0; b.first < s->shape.rows; b.first = b.end) {
    b.end = ncc_min(b.first + s->band_rows, s->shape.rows);
    cudaError_t code = sum_windows(stream, &b);
    if (code != cudaSuccess) return code;
    const dim3 grid(ncc_blocks(s->shape.cols, 128), ncc_strided(b.end - b.first));
    if (what == MOMENTS)
      NCC_LAUNCH_PLAIN(ssd_kernel, grid, dim3(128), stream, b);
    else
      NCC_LAUNCH_PLAIN(flat_kernel, grid, dim3(128), stream, b);
    code = cudaGetLastError();
    if (code != cudaSuccess) return code;
  }
  return cudaSuccess;
}

cudaError_t ncc_gpu_fill_stats(cudaStream_t stream, const ncc_gpu_stats *s) {
  cudaError_t code = run_pass(stream, s, MOMENTS);
  if (code != cudaSuccess || s->exact) return code;
  // In this order: what differs across is marked for the pass that looks down.
  const quantity passes[] = {NONZERO, ACROSS, DOWN};
  for (int i = 0; i < 3 && code == cudaSuccess; i++) code = run_pass(stream, s, passes[i]);
  return code;
}
