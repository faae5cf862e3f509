/** Window statistics; see stats.h.
 *
 *  About a centre c (the image's mean), over the overlap of n pixels, area = rows * cols of the template:
 *
 *      ssd(W) = q - s^2/n + (s + c n)^2 (area - n) / (area n),   s = sum(I - c), q = sum((I - c)^2)
 *
 *  Rounding, with u = 2^-53: a column sum has seen at most `ops` additions since it was built, each partial sum at most
 *  A, the mass (sum of (I - c)^2) of its column over all rows the block touches. So |dq| <= ops u A and
 *  |ds| <= ops u sqrt(K A), K being the pixels behind A (Cauchy-Schwarz), and the bound of ssd follows in doubt_row().
 */
#include "stats.h"

#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "error.h"
#include "kernels.h"
#include "proposal.h"

typedef struct stats_job {
  const ncc_prepared *image;
  const ncc_geometry *g;
  ncc_stats *stats;
  const ncc_kernels *kernels;
  double c;  // centre, of scaled pixels; an integer where sums are exact
  bool exact;
  double largest;              // |I - c|
  int64_t n_out;               // searched columns
  int64_t width;               // columns that windows of a row can touch: n_out + template_cols - 1
  int64_t base;                // image column of the first of them, may be negative
  int64_t block_rows;          // rows of an item, a multiple of 8
  const double *overlap_cols;  // [n_out]
  const double *inverse_cols;  // [n_out] their reciprocals
  int64_t scratch_stride;      // doubles of scratch per thread
  atomic_bool *unknown;        // some ssd is not known at all: flat windows must be told apart
} stats_job;

/** Scratch of a thread: arrays of doubles, one after the other. */
typedef struct stats_scratch {
  double *s, *q, *mass, *window_s, *window_q, *overlap, *inverse, *beyond, *scan, *block_mass;
} stats_scratch;

static int64_t round_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

static int64_t scratch_doubles(const stats_job *job) {
  return 4 * round_up(job->width, 8) + 5 * round_up(job->n_out, 8) + 2 * job->g->template_cols + 64 +
         job->width / job->g->template_cols + 16;
}

static stats_scratch scratch_of(const stats_job *job, int thread) {
  double *p = (double *)job->stats->scratch.data + 2 * round_up(job->n_out, 8) + thread * job->scratch_stride;
  int64_t w = round_up(job->width, 8), n = round_up(job->n_out, 8);
  stats_scratch s = {.s = p, .q = p + w, .mass = p + 2 * w, .window_s = p + 3 * w};
  s.window_q = s.window_s + n;
  s.overlap = s.window_q + n;
  s.inverse = s.overlap + n;
  s.beyond = s.inverse + n;
  s.scan = s.beyond + n;
  s.block_mass = s.scan + w + 2 * job->g->template_cols + 64;
  return s;
}

/** The map covers whole blocks in trimmed coordinates, so that it fits batches of inverse rows. */
static void layout(const ncc_geometry *g, ncc_stats *stats) {
  int64_t first_row = g->search.y0 - g->trim.y0, first_col = g->search.x0 - g->trim.x0;
  stats->y0 = g->search.y0 - first_row % NCC_BLOCK_ROWS;
  stats->x0 = g->search.x0 - first_col % NCC_BLOCK_COLS;
  stats->rows = g->search.y1 - stats->y0;
  stats->stride = round_up(g->search.x1 - stats->x0, NCC_BLOCK_COLS);
}

static int64_t floor_count(const ncc_stats *stats) {
  return (stats->rows + NCC_BLOCK_ROWS - 1) / NCC_BLOCK_ROWS * (stats->stride / NCC_BLOCK_COLS);
}

int64_t ncc_stats_bytes(const ncc_geometry *g) {
  ncc_stats stats = {0};
  layout(g, &stats);
  return 4 * (stats.rows * stats.stride + floor_count(&stats));
}

/** Pixels of an image row in the trimmed columns; NULL outside the image. */
static const void *row_pixels(const stats_job *job, int64_t row) {
  if (row < 0 || row >= job->image->pixels.rows) return NULL;
  return ncc_array_at(&job->image->pixels, row, job->g->trim.x0);
}

/** Image row `in` joins the column sums, row `out` leaves them; either may lie outside the image. */
static void slide(const stats_job *job, const stats_scratch *t, const void *in, const void *out) {
  const ncc_rect *trim = &job->g->trim;
  int64_t at = trim->x0 - job->base;
  job->kernels->column_slide(job->image->pixels.dtype, in, out, trim->x1 - trim->x0, job->image->scale, job->c,
                             t->s + at, t->q + at, t->mass + at);
}

/** What the overlap of a row's windows enters their ssd with. Products of reciprocals, as rows and columns factorise;
 *  windows inside the image get exactly 0 for `beyond`. */
static void set_overlap(const stats_job *job, const stats_scratch *t, int64_t rows_overlap) {
  const double rows = (double)rows_overlap, inverse_rows = 1 / rows, *inverse_cols = job->inverse_cols;
  const bool whole = rows_overlap == job->g->template_rows;
  const double inverse_area = 1 / (double)(job->g->template_rows * job->g->template_cols);
  const double inverse_width = 1 / (double)job->g->template_cols;
  for (int64_t i = 0; i < job->n_out; i++) {
    t->overlap[i] = rows * job->overlap_cols[i];
    t->inverse[i] = inverse_rows * inverse_cols[i];
    t->beyond[i] = whole ? (inverse_cols[i] - inverse_width) * inverse_rows : t->inverse[i] - inverse_area;
  }
}

/** Exact sums: the windows whose ssd float64 cannot tell from 0 are done in 128-bit integers. */
static void settle_exact_row(const stats_job *job, const stats_scratch *t, float limit, float *ssd) {
  const __int128 area = (__int128)(job->g->template_rows * job->g->template_cols), c = (__int128)job->c;
  const double scale = job->stats->unit * job->stats->unit;
  for (int64_t i = 0; i < job->n_out; i++) {
    if (ssd[i] >= limit) continue;
    __int128 n = (__int128)t->overlap[i], s = (__int128)t->window_s[i], q = (__int128)t->window_q[i];
    __int128 sum = s + n * c, squares = q + 2 * c * s + n * c * c;
    ssd[i] = (float)((double)(area * squares - sum * sum) / (double)area * scale);
  }
}

/** Float sums: marks the windows of a row whose ssd is not well above its bound. */
static void doubt_row(const stats_job *job, const stats_scratch *t, int64_t rows_overlap, float *ssd) {
  const int64_t m = job->g->template_rows, n = job->g->template_cols;
  const double ops = (double)(m + 2 * job->block_rows + n + 16), u = 0x1p-53;
  const double pixels = (double)(m + job->block_rows) * 2.0 * (double)n;
  const double scale = job->stats->unit * job->stats->unit;
  for (int64_t i = 0; i < job->n_out; i++) {
    double mass = t->block_mass[i / n] + t->block_mass[i / n + 1];
    double overlap = (double)rows_overlap * job->overlap_cols[i];
    double ds = ops * u * sqrt(pixels * mass);
    double error = (ops * u * mass + 2 * ds * (2 * sqrt(mass / overlap) + fabs(job->c))) * scale;
    if (ssd[i] >= NCC_SSD_WELL_ABOVE * error && ssd[i] > 1e-30f) continue;
    float known = (float)((double)ssd[i] - error) * 0.999999f;
    if (known > 1e-30f) {
      ssd[i] = -known;
    } else {
      ssd[i] = NCC_SSD_UNKNOWN;
      atomic_store_explicit(job->unknown, true, memory_order_relaxed);
    }
  }
}

static float *map_row(const ncc_stats *stats, int64_t y) {
  return stats->ssd + (y - stats->y0) * stats->stride;
}

/** Largest rounding bound that any window of a row can have; most rows lie far above it and need no second look. */
static double worst_error(const stats_job *job, int64_t rows_overlap, double mass) {
  const int64_t m = job->g->template_rows, n = job->g->template_cols;
  const double ops = (double)(m + 2 * job->block_rows + n + 16), u = 0x1p-53;
  double fewest = fmin(job->overlap_cols[0], job->overlap_cols[job->n_out - 1]) * (double)rows_overlap;
  double ds = ops * u * sqrt((double)(m + job->block_rows) * 2.0 * (double)n * mass);
  return (ops * u * mass + 2 * ds * (2 * sqrt(mass / fewest) + fabs(job->c))) * job->stats->unit * job->stats->unit;
}

static int64_t rows_overlap_at(const ncc_geometry *g, int64_t y) {
  int64_t top = y - g->template_rows + 1 > 0 ? y - g->template_rows + 1 : 0;
  int64_t bottom = y < g->image_rows - 1 ? y : g->image_rows - 1;
  return bottom - top + 1;
}

/** Lower bounds of sqrt(ssd) in a row of blocks. */
static void fill_floor(const stats_job *job, int64_t block_row) {
  const ncc_stats *stats = job->stats;
  int64_t first = block_row * NCC_BLOCK_ROWS, left = stats->rows - first, blocks = stats->stride / NCC_BLOCK_COLS;
  float *out = stats->floor + block_row * blocks;
  job->kernels->block_least(stats->ssd + first * stats->stride, stats->stride,
                            (int)(left < NCC_BLOCK_ROWS ? left : NCC_BLOCK_ROWS), stats->stride, out);
  for (int64_t b = 0; b < blocks; b++) out[b] = sqrtf(out[b]) * 0.999999f;
}

/** Zeros where row y of the map is not searched. */
static void clear_margins(const stats_job *job, int64_t y) {
  const ncc_stats *stats = job->stats;
  const ncc_rect *search = &job->g->search;
  float *row = map_row(stats, y);
  int64_t left = y < search->y0 ? stats->stride : search->x0 - stats->x0, right = search->x1 - stats->x0;
  memset(row, 0, (size_t)left * sizeof *row);
  if (right > left) memset(row + right, 0, (size_t)(stats->stride - right) * sizeof *row);
}

static void stats_item(void *context, int64_t item, int thread) {
  const stats_job *job = context;
  const ncc_geometry *g = job->g;
  ncc_stats *stats = job->stats;
  stats_scratch t = scratch_of(job, thread);
  const int64_t m = g->template_rows, n = g->template_cols, w = round_up(job->width, 8);
  const double scale = stats->unit * stats->unit, area = (double)(m * n);
  int64_t first = stats->y0 + item * job->block_rows, end = first + job->block_rows;
  if (end > stats->y0 + stats->rows) end = stats->y0 + stats->rows;
  for (int64_t y = first; y < end; y++) clear_margins(job, y);
  int64_t start = first < g->search.y0 ? g->search.y0 : first;

  memset(t.s, 0, (size_t)(3 * w) * sizeof(double));
  for (int64_t row = start - m + 1; row < start; row++) slide(job, &t, row_pixels(job, row), NULL);
  float limit = 0;  // exact sums: below this float64 is not to be trusted
  if (job->exact) limit = (float)(NCC_SSD_WELL_ABOVE * 0x1p-49 * area * job->largest * job->largest * scale);
  float lowest_of_block = INFINITY;
  for (int64_t y = start; y < end; y++) {
    slide(job, &t, row_pixels(job, y), y > start ? row_pixels(job, y - m) : NULL);
    float *ssd = map_row(stats, y) + (g->search.x0 - stats->x0);
    if (y == start || rows_overlap_at(g, y) != rows_overlap_at(g, y - 1)) set_overlap(job, &t, rows_overlap_at(g, y));
    job->kernels->window_sum(t.s, job->n_out, n, t.scan, t.window_s);
    job->kernels->window_sum(t.q, job->n_out, n, t.scan, t.window_q);
    float lowest = job->kernels->window_ssd(t.window_s, t.window_q, t.overlap, t.inverse, t.beyond, job->n_out, job->c,
                                            scale, ssd);
    if (job->exact && lowest < limit) settle_exact_row(job, &t, limit, ssd);
    lowest_of_block = lowest < lowest_of_block ? lowest : lowest_of_block;
  }
  if (!job->exact) {
    double total = 0;
    int64_t blocks = job->width / n + 2;
    for (int64_t b = 0; b < blocks; b++) {
      t.block_mass[b] = 0;
      for (int64_t i = b * n; i < (b + 1) * n && i < job->width; i++) t.block_mass[b] += t.mass[i];
      total = fmax(total, t.block_mass[b]);
    }
    for (int64_t y = start; y < end; y++) {
      int64_t rows_overlap = rows_overlap_at(g, y);
      double error = worst_error(job, rows_overlap, 2 * total);
      if (lowest_of_block < NCC_SSD_WELL_ABOVE * error || lowest_of_block <= 1e-30f)
        doubt_row(job, &t, rows_overlap, map_row(stats, y) + (g->search.x0 - stats->x0));
    }
  }
  for (int64_t b = (first - stats->y0) / NCC_BLOCK_ROWS; b * NCC_BLOCK_ROWS < end - stats->y0; b++) fill_floor(job, b);
}

static void mark_flat_row(void *context, int64_t y, const uint8_t *flat) {
  const stats_job *job = context;
  float *ssd = map_row(job->stats, y) + (job->g->search.x0 - job->stats->x0);
  for (int64_t i = 0; i < job->n_out; i++)
    if (flat[i]) ssd[i] = 0;
}

static void floor_item(void *context, int64_t item, int thread) {
  (void)thread;
  const stats_job *job = context;
  fill_floor(job, item);
}

ncc_stats_centring ncc_stats_centring_choose(const ncc_prepared *image, int64_t rows, int64_t cols) {
  ncc_dtype type = image->pixels.dtype;
  bool small = type == NCC_U8 || type == NCC_I8 || type == NCC_U16 || type == NCC_I16;
  ncc_stats_centring s = {.c = small ? nearbyint(image->mean) : image->mean};
  s.largest = fmax(fabs(image->lo - s.c), fabs(image->hi - s.c));
  s.exact = small && (double)rows * (double)cols * s.largest * s.largest < 0x1p52;
  s.unit = s.largest > 0 ? ldexp(1.0, -ilogb(s.largest)) : 1.0;
  return s;
}

ncc_status ncc_stats_create(ncc_pool *pool, const ncc_prepared *image, const ncc_geometry *g, ncc_stats *stats) {
  ncc_status status = NCC_OK;
  atomic_bool unknown = false;
  layout(g, stats);
  stats_job job = {.image = image, .g = g, .stats = stats, .kernels = ncc_kernels_get(), .unknown = &unknown};
  job.n_out = g->search.x1 - g->search.x0;
  job.width = job.n_out + g->template_cols - 1;
  job.base = g->search.x0 - g->template_cols + 1;
  // Large blocks build their column sums seldom, small ones share out well.
  int threads = ncc_pool_threads(pool);
  int64_t rows = round_up((stats->rows + 3 * threads - 1) / (3 * threads), NCC_BLOCK_ROWS);
  int64_t most = round_up(g->template_rows > 64 ? g->template_rows : 64, NCC_BLOCK_ROWS);
  job.block_rows = rows < 64 ? 64 : rows > most ? most : rows;
  ncc_stats_centring centring =
      ncc_stats_centring_choose(image, g->template_rows + 2 * job.block_rows, g->template_cols);
  job.c = centring.c;
  job.largest = centring.largest;
  job.exact = centring.exact;
  stats->unit = centring.unit;

  job.scratch_stride = round_up(scratch_doubles(&job), 8);
  NCC_TRY(ncc_buffer_reserve(&stats->ssd_buffer, 4 * stats->rows * stats->stride, "window statistics"));
  NCC_TRY(ncc_buffer_reserve(&stats->floor_buffer, 4 * floor_count(stats), "window statistics"));
  NCC_TRY(ncc_buffer_reserve(&stats->scratch, 8 * (2 * round_up(job.n_out, 8) + threads * job.scratch_stride),
                             "window sums"));
  stats->ssd = stats->ssd_buffer.data;
  stats->floor = stats->floor_buffer.data;
  double *overlap_cols = stats->scratch.data, *inverse_cols = overlap_cols + round_up(job.n_out, 8);
  for (int64_t i = 0; i < job.n_out; i++) {
    int64_t x = g->search.x0 + i, left = x - g->template_cols + 1 > 0 ? x - g->template_cols + 1 : 0;
    overlap_cols[i] = (double)((x < g->image_cols - 1 ? x : g->image_cols - 1) - left + 1);
    inverse_cols[i] = 1 / overlap_cols[i];
  }
  job.overlap_cols = overlap_cols;
  job.inverse_cols = inverse_cols;
  ncc_pool_run(pool, (stats->rows + job.block_rows - 1) / job.block_rows, stats_item, &job);
  if (atomic_load(&unknown)) {
    NCC_TRY(ncc_flat_rows(image, g, mark_flat_row, &job));
    ncc_pool_run(pool, (stats->rows + NCC_BLOCK_ROWS - 1) / NCC_BLOCK_ROWS, floor_item, &job);
  }

cleanup:
  return status;
}

void ncc_stats_clear(ncc_stats *stats) {
  ncc_buffer_free(&stats->ssd_buffer);
  ncc_buffer_free(&stats->floor_buffer);
  ncc_buffer_free(&stats->scratch);
  *stats = (ncc_stats){0};
}
