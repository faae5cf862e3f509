/** The kernels' launchers: each enqueues on a stream and returns what the launch said. No waiting, no memory of its
 * own.
 *
 *  A batch holds `count` templates of one shape, interleaved row by row: row r of template t lies at [r][t], `stride`
 *  real or `half` complex numbers long (stride = 2 half). So the columns of all templates are adjacent, one batched
 *  transform does them all, and rows that are zero or not searched are at the end, out of the way.
 *  All pointers are to device memory; sizes are in elements.
 */
#ifndef NCC_GPU_LAUNCHERS_H
#define NCC_GPU_LAUNCHERS_H

#include <cuda_runtime.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where a template's spectrum is, [rows][half], beside the batch; read in one access. */
typedef struct ncc_gpu_kept {
  const float *cached; /**< made earlier; NULL: it is in the batch */
  float *keep;         /**< where it is to be kept; NULL: nowhere */
} __attribute__((aligned(16))) ncc_gpu_kept;

/** What kernels need of one template (or of an image, packed as a batch of one). Bounds: see ncc_bounds. */
typedef struct ncc_gpu_task {
  ncc_gpu_kept kept;
  int64_t offset;              /**< of its pixels, bytes from the batch's first */
  int64_t dtype;               /**< an ncc_dtype */
  double scale, c, rest, unit; /**< transformed is (float)(((pixel * scale - c) - rest) * unit) */
  double overhang;             /**< the image's centre in the numerators' units; times the sum of T' it is added */
  float inv_norm, error;       /**< as in ncc_bounds */
  float slack, absolute_slack; /**< those of ncc_bounds, and the rounding of float32 bounds */
  float zero_lo, zero_hi;      /**< ssd < zero_lo: surely 0; ssd > zero_hi: surely not */
} ncc_gpu_task;

/** What a search came to, but for its list. All-zero is the start. */
typedef struct ncc_gpu_head {
  unsigned long long zero; /**< ~(row * cols + col) of the first position that is surely 0; 0: none */
  unsigned best;  /**< largest lower bound, ordered as ncc_ordered() in device_math.cuh does; 0: none, so no position is
                     sure */
  unsigned count; /**< candidates; those beyond the capacity are not in the list */
} ncc_gpu_head;

/** A candidate, for the host to make bounds of. */
typedef struct ncc_gpu_item {
  unsigned long long at; /**< row * cols + col, relative to the search */
  float numerator, ssd;
} ncc_gpu_item;

/** Geometry of a search, relative to nothing: full and image coordinates. */
typedef struct ncc_gpu_shape {
  int64_t image_rows, image_cols, tmpl_rows, tmpl_cols;
  int64_t y0, x0, rows, cols; /**< the search */
  int64_t lead;               /**< columns before the search from which on 16 bytes are aligned; below 4 */
} ncc_gpu_shape;

/** Stored pixels to rows of float32, padded with zeros; a template's reversed in both directions, so that a product of
 *  spectra is a correlation. Out: [rows][count][stride]. */
cudaError_t ncc_gpu_pack(cudaStream_t stream, const ncc_gpu_task *tasks, const void *pixels, int count, int64_t rows,
                         int64_t cols, int reversed, int64_t stride, float *out);

/** Product of the spectra of image and templates, [rows][half] complex. Columns have not been transformed as a whole,
 * but their points n1, n1 + radix, n1 + 2 radix, ... each by themselves, for n1 below radix, in place: short transforms
 * need one pass over memory. What is left of the transform of all `rows` points, the product and the first step back
 * are done here, where they cost no bytes. With P = rows / radix, w = exp(-2 pi i / rows), k2 < P and sums over n1 and
 * k1:
 *
 *      T[k2 + P k1] = sum w^(n1 k2) w^(P n1 k1) t[radix k2 + n1], and likewise of the image
 *      t[radix k2 + n1] = w^(-n1 k2) sum w^(-P n1 k1) T[k2 + P k1] I[k2 + P k1]
 *
 *  Templates whose task has a cached spectrum are taken from there, and those whose task says so are put there first,
 * as they were.
 *  @param[in] turns  [P][radix] complex: w^(n1 k2)  @param[in] radix  1, 2 or 4, of which rows is a multiple */
cudaError_t ncc_gpu_multiply(cudaStream_t stream, const ncc_gpu_task *tasks, const float *image, const float *turns,
                             int radix, int count, int64_t rows, int64_t half, float *product);

/** Prefix sums of T' in both directions, float64: [count][tmpl_rows + 1][tmpl_cols + 1]. */
cudaError_t ncc_gpu_prefix(cudaStream_t stream, const ncc_gpu_task *tasks, const void *pixels, int count, int64_t rows,
                           int64_t cols, double *out);

/** Everything that finding peaks reads and writes. */
typedef struct ncc_gpu_peaks {
  ncc_gpu_shape shape;
  int64_t count;        /**< templates interleaved */
  int64_t first, after; /**< those that are looked at: [first, after) */
  const ncc_gpu_task *tasks;
  const float
      *numerators;  /**< [shape.rows][count][stride], its first column being the search's; `lead` more are there */
  int64_t stride;   /**< a multiple of four, as ssd_stride */
  const float *ssd; /**< [shape.rows][ssd_stride], in the code of formulas.h; `lead` more are there */
  int64_t ssd_stride;
  const int64_t *spans;    /**< [shape.rows][2] searched columns, relative to the search */
  const int64_t *excluded; /**< [n_excluded][4] (y0, x0, y1, x1) left out, relative to the search */
  int64_t n_excluded;
  const double *prefix; /**< NULL: the image has no centre to be put back */
  float *tiles;         /**< [count][ncc_gpu_tiles()] largest upper bound of each tile */
  ncc_gpu_head *heads;  /**< [count] */
  ncc_gpu_item *items;  /**< [count][capacity] */
  int64_t capacity;
} ncc_gpu_peaks;

int64_t ncc_gpu_tiles(const ncc_gpu_shape *shape);

/** Best lower bound and first sure zero of every template, then all positions whose upper bound reaches the best, with
 *  some to spare: the host decides with float64 bounds. The list's order is arbitrary, its content is not. */
cudaError_t ncc_gpu_find_peaks(cudaStream_t stream, const ncc_gpu_peaks *peaks);

/** Window statistics of one image for one template shape: see ncc_stats in stats.h and the comments in stats.cu. */
typedef struct ncc_gpu_stats {
  ncc_gpu_shape shape;
  const void *pixels; /**< the trimmed image: [trim_rows][trim_cols] */
  int64_t dtype, trim_y0, trim_x0, trim_rows, trim_cols;
  double scale, c, unit, largest;
  int64_t exact;
  int64_t band_rows; /**< rows done at a time; a multiple of block_rows */
  int64_t block_rows;
  double *sums;      /**< scratch: ncc_gpu_stats_scratch() doubles */
  unsigned *unknown; /**< set where an ssd is not known at all; 0 before */
  float *ssd;        /**< out: [shape.rows][ssd_stride] */
  int64_t ssd_stride;
} ncc_gpu_stats;

/** Columns over which prefix sums run before they start anew: about a template's width. */
int64_t ncc_gpu_stats_segment(int64_t tmpl_cols);
int64_t ncc_gpu_stats_scratch(const ncc_gpu_stats *stats);
cudaError_t ncc_gpu_fill_stats(cudaStream_t stream, const ncc_gpu_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
