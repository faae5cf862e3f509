/** Window statistics; see stats.h.
 *
 *  By ssd_of() of formulas.h about the image's mean. A column sum has seen some additions since it was built, and each
 *  of its partial sums was at most the mass (sum of (I - c)^2) of its column over all rows that the block touches.
 */
#include "match/stats.h"

#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "match/kernels/kernels.h"
#include "match/kernels/windows.h"
#include "match/proposal.h"

#define CACHED_BYTES ((int64_t)1 << 20) /* of a map: it is still in a core's own cache when it is looked at */

typedef struct stats_job {
  const ncc_prepared *image;
  const ncc_geometry *g;
  ncc_stats *stats;
  const ncc_window_kernels *kernels;
  double c;  // centre, of scaled pixels; an integer where sums are exact
  bool exact;
  double largest;  // |I - c|
  int64_t n_out;   // searched columns
  int64_t width;   // columns that windows of a row can touch: n_out + template_cols - 1
  int64_t first;   // the first of them that lies on the image
  int64_t n;       // those that do
  int64_t strips_per_item;
  const double *overlap_cols;  // [n_out]
  const double *inverse_cols;  // [n_out] their reciprocals
  int64_t scratch_stride;      // doubles of scratch per thread
  atomic_bool *unknown;        // some ssd is not known at all: flat windows must be told apart
} stats_job;

/** Scratch of a thread: arrays of doubles, one after the other. */
typedef struct stats_scratch {
  double *mass;        // of the image's columns: squares of all rows that ever entered, or more; NULL: sums are exact
  double *block_mass;  // mass of template_cols columns each; only where sums round
  ncc_strip_sums sums;
} stats_scratch;

static int64_t mass_blocks(const stats_job *job) {
  return job->width / job->g->template_cols + 2;
}

static int64_t scratch_doubles(const stats_job *job) {
  return ncc_round_up(3 * ncc_round_up(job->n, 8) + mass_blocks(job) + 16 * job->width, 8);
}

/** Whether rows may enter and leave within a strip, so that its kernel sums the mass; else every row is in some window
 *  that ends with a strip, and the column sums of such windows are added up. */
static bool by_row(const stats_job *job) {
  return job->g->template_rows < NCC_BLOCK_ROWS;
}

static stats_scratch scratch_of(const stats_job *job, int thread) {
  double *p = (double *)job->stats->scratch.data + 2 * ncc_round_up(job->n_out, 8) + thread * job->scratch_stride;
  int64_t n = ncc_round_up(job->n, 8);
  stats_scratch s = {.sums = {.scale = job->image->scale,
                              .c = job->c,
                              .s = p,
                              .q = p + n,
                              .mass = job->exact || !by_row(job) ? NULL : p + 2 * n,
                              .n = job->n,
                              .sums = p + 3 * n,
                              .squares = p + 3 * n + 8 * job->width,
                              .first = job->first,
                              .width = job->width,
                              .period = job->g->template_cols}};
  s.mass = job->exact ? NULL : p + 2 * n;
  s.block_mass = p + 3 * n + 16 * job->width;
  return s;
}

/** The map covers whole blocks in trimmed coordinates, so that it fits batches of inverse rows. */
static void layout(const ncc_geometry *g, ncc_stats *stats) {
  int64_t first_row = g->search.y0 - g->trim.y0, first_col = g->search.x0 - g->trim.x0;
  stats->y0 = g->search.y0 - first_row % NCC_BLOCK_ROWS;
  stats->x0 = g->search.x0 - first_col % NCC_BLOCK_COLS;
  stats->strips = (g->search.y1 - stats->y0 + NCC_BLOCK_ROWS - 1) / NCC_BLOCK_ROWS;
  stats->stride = ncc_round_up(g->search.x1 - stats->x0, NCC_BLOCK_COLS);
}

static int64_t map_bytes(const ncc_stats *stats) {
  return 4 * NCC_BLOCK_ROWS * stats->strips * stats->stride;
}

static int64_t lower_count(const ncc_stats *stats) {
  return stats->strips * (stats->stride / NCC_BLOCK_COLS);
}

ncc_status ncc_stats_reserve_lower(const ncc_geometry *g, ncc_stats *stats) {
  ncc_status status = NCC_OK;
  layout(g, stats);
  NCC_TRY(ncc_buffer_reserve(&stats->lower_buffer, 4 * lower_count(stats), "window statistics"));
  stats->lower = stats->lower_buffer.data;
  stats->ssd = NULL;

cleanup:
  return status;
}

int64_t ncc_stats_bytes(const ncc_geometry *g) {
  ncc_stats stats = {0};
  layout(g, &stats);
  return map_bytes(&stats) + 4 * lower_count(&stats);
}

/** Pixels of an image row in the trimmed columns; NULL outside the image. */
static const void *row_pixels(const stats_job *job, int64_t row) {
  if (row < 0 || row >= job->image->pixels.rows) return NULL;
  return ncc_array_at(&job->image->pixels, row, job->g->trim.x0);
}

/** Column sums of the windows that end above row y, from nothing. */
static void build(const stats_job *job, const stats_scratch *t, int64_t y) {
  memset(t->sums.s, 0, (size_t)(3 * ncc_round_up(job->n, 8)) * sizeof(double));
  memset(t->sums.sums, 0, (size_t)(8 * job->first) * sizeof(double));
  memset(t->sums.squares, 0, (size_t)(8 * job->first) * sizeof(double));
  for (int64_t row = y - job->g->template_rows; row < y; row += 8) {
    ncc_strip_rows rows = {0};
    for (int r = 0; r < 8 && row + r < y; r++) rows.in[r] = row_pixels(job, row + r);
    job->kernels->build(job->image->pixels.dtype, &rows, &t->sums);
  }
}

/** Rows y .. y + 7, which join the column sums, and those that their windows leave behind. */
static ncc_strip_rows strip_rows(const stats_job *job, int64_t y) {
  const ncc_array *pixels = &job->image->pixels;
  ncc_strip_rows rows = {.ahead_bytes = 8 * pixels->row_stride * (int64_t)ncc_dtype_size(pixels->dtype)};
  for (int r = 0; r < 8; r++) {
    rows.in[r] = row_pixels(job, y + r);
    rows.out[r] = row_pixels(job, y + r - job->g->template_rows);
  }
  return rows;
}

static ncc_strip_overlap strip_overlap(const stats_job *job, int64_t y) {
  const ncc_geometry *g = job->g;
  ncc_strip_overlap o = {.cols = job->overlap_cols,
                         .inverse_cols = job->inverse_cols,
                         .template_rows = (double)g->template_rows,
                         .template_cols = (double)g->template_cols,
                         .outside = g->ignores_outside ? 0 : 1};
  for (int r = 0; r < 8; r++) {
    bool searched = y + r >= g->search.y0 && y + r < g->search.y1;
    o.valid[r] = searched ? -1 : 0;
    o.rows[r] = searched ? (double)ncc_overlap(g->image_rows, g->template_rows, y + r) : 1;
    o.inverse_rows[r] = 1 / o.rows[r];
  }
  return o;
}

/** Sum over the window that ends in column i, in row r of the strip. */
static double window_at(const ncc_strip_sums *t, const double *along, int64_t i, int r) {
  int64_t block = i / t->period * t->period;
  double sum = along[8 * (block + t->period - 1) + r];
  return i == block ? sum : (sum - along[8 * (i - 1) + r]) + along[8 * (i + t->period - 1) + r];
}

/** Exact sums: the windows whose ssd float64 cannot tell from 0 are done in integers. */
static void settle_exact(const stats_job *job, const stats_scratch *t, const ncc_strip_overlap *overlap, float limit,
                         float *ssd) {
  const double area = (double)(job->g->template_rows * job->g->template_cols);
  const double scale = job->stats->unit * job->stats->unit;
  for (int64_t i = 0; i < job->n_out; i++)
    for (int r = 0; r < 8; r++) {
      if (!overlap->valid[r] || ssd[8 * i + r] >= limit) continue;
      const double s = window_at(&t->sums, t->sums.sums, i, r), q = window_at(&t->sums, t->sums.squares, i, r);
      const double n = overlap->rows[r] * job->overlap_cols[i];
      ssd[8 * i + r] = (float)(ncc_ssd_exact(s, q, n, job->g->ignores_outside ? n : area, job->c) * scale);
    }
}

/** Rounding bound of ssd, in units of the map, for a window of `overlap` pixels in columns of this mass. */
static double ssd_error(const stats_job *job, double overlap, double mass) {
  const double m = (double)job->g->template_rows, n = (double)job->g->template_cols;
  const double rows = (double)(NCC_BLOCK_ROWS * job->strips_per_item), ops = m + 2 * rows + n + 16;
  return ncc_ssd_rounding(ops, (m + rows) * 2 * n, mass, overlap, job->c) * job->stats->unit * job->stats->unit;
}

/** The map of a strip, at column x0. */
static float *strip_map(const ncc_stats *stats, int64_t strip) {
  return stats->ssd + NCC_BLOCK_ROWS * strip * stats->stride;
}

static float *strip_lower(const ncc_stats *stats, int64_t strip) {
  return stats->lower + strip * (stats->stride / NCC_BLOCK_COLS);
}

/** From the smallest ssd of each block of a strip to lower bounds of its square root. */
static void finish_lower(const ncc_stats *stats, int64_t strip) {
  float *lower = strip_lower(stats, strip);
  for (int64_t b = 0; b < stats->stride / NCC_BLOCK_COLS; b++) lower[b] = sqrtf(lower[b]) * 0.999999f;
}

/** Lower bounds anew after the map of a strip has changed. */
static void refill_lower(const stats_job *job, int64_t strip) {
  const ncc_stats *stats = job->stats;
  job->kernels->block_least(strip_map(stats, strip), stats->stride / NCC_BLOCK_COLS, strip_lower(stats, strip));
  finish_lower(stats, strip);
}

/** Float sums: marks the windows of a block of a strip, columns [from, to), whose ssd is not well above its bound. */
static void doubt(const stats_job *job, const stats_scratch *t, const ncc_strip_overlap *overlap, int64_t from,
                  int64_t to, float *ssd) {
  for (int64_t i = from; i < to; i++)
    for (int r = 0; r < 8; r++) {
      float *value = &ssd[8 * i + r];
      if (!overlap->valid[r]) continue;
      int64_t block = i / job->g->template_cols;
      double error =
          ssd_error(job, overlap->rows[r] * job->overlap_cols[i], t->block_mass[block] + t->block_mass[block + 1]);
      *value = ncc_ssd_coded(*value, error);
      if (*value == NCC_SSD_UNKNOWN) atomic_store_explicit(job->unknown, true, memory_order_relaxed);
    }
}

/** Float sums: looks again at the blocks of a strip that do not lie far above the largest bound that any of their
 * windows can have, as most do. */
static void doubt_strip(const stats_job *job, const stats_scratch *t, int64_t strip) {
  const ncc_stats *stats = job->stats;
  const ncc_strip_overlap overlap = strip_overlap(job, stats->y0 + strip * NCC_BLOCK_ROWS);
  const int64_t at = job->g->search.x0 - stats->x0, period = job->g->template_cols;
  float *map = strip_map(stats, strip), *lower = strip_lower(stats, strip);
  double rows = INFINITY;
  for (int r = 0; r < 8; r++)
    if (overlap.valid[r]) rows = fmin(rows, overlap.rows[r]);
  for (int64_t b = 0; b < stats->stride / NCC_BLOCK_COLS; b++) {
    int64_t from = b * NCC_BLOCK_COLS - at, to = from + NCC_BLOCK_COLS;
    if (from < 0) from = 0;
    if (to > job->n_out) to = job->n_out;
    double mass = 0, least = (double)lower[b] * (double)lower[b];
    for (int64_t k = from / period; k <= (to - 1) / period + 1; k++) mass += t->block_mass[k];
    double error = ssd_error(job, rows * fmin(job->overlap_cols[from], job->overlap_cols[to - 1]), mass);
    if (least > 1.0001 * NCC_SSD_WELL_ABOVE * error && least > 1.0001 * NCC_SSD_LEAST) continue;
    doubt(job, t, &overlap, from, to, map + NCC_BLOCK_ROWS * at);
    job->kernels->block_least(map + NCC_BLOCK_ROWS * NCC_BLOCK_COLS * b, 1, &lower[b]);
    lower[b] = sqrtf(lower[b]) * 0.999999f;
  }
}

/** Zeros left and right of what is searched. */
static void clear_margins(const stats_job *job, int64_t strip) {
  const ncc_stats *stats = job->stats;
  float *map = strip_map(stats, strip);
  int64_t left = job->g->search.x0 - stats->x0, right = job->g->search.x1 - stats->x0;
  memset(map, 0, (size_t)(NCC_BLOCK_ROWS * left) * sizeof *map);
  memset(map + NCC_BLOCK_ROWS * right, 0, (size_t)(NCC_BLOCK_ROWS * (stats->stride - right)) * sizeof *map);
}

/** What the columns of each block hold after all rows of an item. */
static void sum_masses(const stats_job *job, const stats_scratch *t) {
  const int64_t period = job->g->template_cols, blocks = mass_blocks(job);
  for (int64_t b = 0; b < blocks; b++) {
    int64_t from = b * period - job->first, to = from + period;
    t->block_mass[b] = 0;
    for (int64_t i = from > 0 ? from : 0; i < to && i < job->n; i++) t->block_mass[b] += t->mass[i];
    t->block_mass[b] *= 1 + 0x1p-20;  // these sums, too, are rounded
  }
}

/** Adds the squares of the windows' columns to the mass. */
static void add_mass(const stats_job *job, const stats_scratch *t) {
  for (int64_t i = 0; i < job->n; i++) t->mass[i] += t->sums.q[i];
}

static void stats_item(void *context, int64_t item, int thread) {
  const stats_job *job = context;
  const ncc_geometry *g = job->g;
  ncc_stats *stats = job->stats;
  stats_scratch t = scratch_of(job, thread);
  const double scale = stats->unit * stats->unit, area = (double)(g->template_rows * g->template_cols);
  const int64_t begin = item * job->strips_per_item, at = g->search.x0 - stats->x0;
  const int64_t end = begin + job->strips_per_item < stats->strips ? begin + job->strips_per_item : stats->strips;
  const float limit = job->exact ? ncc_ssd_exact_limit(area, job->largest, scale) : 0;
  const bool sampled = t.mass && !by_row(job);
  int64_t unseen = 0;  // rows that have entered since the mass was added to
  build(job, &t, stats->y0 + begin * NCC_BLOCK_ROWS);
  if (sampled) add_mass(job, &t);
  for (int64_t strip = begin; strip < end; strip++) {
    const int64_t y = stats->y0 + strip * NCC_BLOCK_ROWS;
    const ncc_strip_overlap overlap = strip_overlap(job, y);
    const ncc_strip_rows rows = strip_rows(job, y);
    const ncc_strip_map map = {.n = job->n_out,
                               .at = at,
                               .scale2 = scale,
                               .ssd = strip_map(stats, strip),
                               .least = strip_lower(stats, strip),
                               .past = map_bytes(stats) > CACHED_BYTES};
    clear_margins(job, strip);
    float least = job->kernels->strip(job->image->pixels.dtype, &rows, &t.sums, &overlap, &map);
    if (job->exact && least < limit) {
      settle_exact(job, &t, &overlap, limit, strip_map(stats, strip) + NCC_BLOCK_ROWS * at);
      refill_lower(job, strip);
    } else {
      finish_lower(stats, strip);
    }
    unseen += NCC_BLOCK_ROWS;
    if (!sampled || (strip + 1 < end && unseen + NCC_BLOCK_ROWS <= g->template_rows)) continue;
    add_mass(job, &t);
    unseen = 0;
  }
  if (job->exact) return;
  sum_masses(job, &t);
  for (int64_t strip = begin; strip < end; strip++) doubt_strip(job, &t, strip);
}

static void mark_flat_row(void *context, int64_t y, const uint8_t *flat) {
  const stats_job *job = context;
  const int64_t row = y - job->stats->y0;
  const int64_t at = job->g->search.x0 - job->stats->x0;
  float *ssd = strip_map(job->stats, row / NCC_BLOCK_ROWS) + NCC_BLOCK_ROWS * at + row % NCC_BLOCK_ROWS;
  for (int64_t i = 0; i < job->n_out; i++)
    if (flat[i]) ssd[NCC_BLOCK_ROWS * i] = 0;
}

static void lower_item(void *context, int64_t item, int thread) {
  (void)thread;
  const stats_job *job = context;
  refill_lower(job, item);
}

ncc_stats_centring ncc_stats_centring_choose(const ncc_prepared *image, int64_t rows, int64_t cols) {
  ncc_dtype type = image->pixels.dtype;
  bool small = type == NCC_U8 || type == NCC_I8 || type == NCC_U16 || type == NCC_I16;
  ncc_stats_centring s = {.c = small ? nearbyint(image->mean) : image->mean};
  s.largest = fmax(fabs(image->lo - s.c), fabs(image->hi - s.c));
  s.exact = small && (double)rows * (double)cols * s.largest * s.largest < 0x1p52;
  s.unit = ncc_image_unit(image, s.c);
  return s;
}

/** Long items build their column sums seldom, short ones share out well; where sums round, they restart every now and
 *  then, so that one hot pixel does not spoil windows far below it. */
static int64_t choose_strips_per_item(const stats_job *job, int threads) {
  int64_t strips = (job->stats->strips + 3 * threads - 1) / (3 * threads);
  int64_t most = (job->g->template_rows > 64 ? 2 * job->g->template_rows : 128) / NCC_BLOCK_ROWS + 1;
  if (threads == 1) strips = job->stats->strips;
  if (!job->exact && strips > most) strips = most;
  return strips < 8 ? 8 : strips;
}

ncc_status ncc_stats_create(ncc_pool *pool, const ncc_prepared *image, const ncc_geometry *g, ncc_stats *stats) {
  ncc_status status = NCC_OK;
  atomic_bool unknown = false;
  NCC_TRY(ncc_stats_reserve_lower(g, stats));
  stats_job job = {.image = image, .g = g, .stats = stats, .kernels = ncc_kernels_get()->windows, .unknown = &unknown};
  job.n_out = g->search.x1 - g->search.x0;
  job.width = job.n_out + g->template_cols - 1;
  job.first = g->trim.x0 - (g->search.x0 - g->template_cols + 1);
  job.n = g->trim.x1 - g->trim.x0;
  const int threads = ncc_pool_threads(pool);
  // Column sums hold the rows of a window, and one more while they slide.
  ncc_stats_centring centring = ncc_stats_centring_choose(image, g->template_rows + 1, g->template_cols);
  job.c = centring.c;
  job.largest = centring.largest;
  job.exact = centring.exact;
  stats->unit = centring.unit;
  job.strips_per_item = choose_strips_per_item(&job, threads);

  job.scratch_stride = scratch_doubles(&job);
  NCC_TRY(ncc_buffer_reserve(&stats->ssd_buffer, map_bytes(stats), "window statistics"));
  NCC_TRY(ncc_buffer_reserve(&stats->scratch, 8 * (2 * ncc_round_up(job.n_out, 8) + threads * job.scratch_stride),
                             "window sums"));
  stats->ssd = stats->ssd_buffer.data;
  double *overlap_cols = stats->scratch.data, *inverse_cols = overlap_cols + ncc_round_up(job.n_out, 8);
  for (int64_t i = 0; i < job.n_out; i++) {
    overlap_cols[i] = (double)ncc_overlap(g->image_cols, g->template_cols, g->search.x0 + i);
    inverse_cols[i] = 1 / overlap_cols[i];
  }
  job.overlap_cols = overlap_cols;
  job.inverse_cols = inverse_cols;
  ncc_pool_run(pool, (stats->strips + job.strips_per_item - 1) / job.strips_per_item, stats_item, &job);
  if (atomic_load(&unknown)) {
    NCC_TRY(ncc_flat_rows(image, g, mark_flat_row, &job));
    ncc_pool_run(pool, stats->strips, lower_item, &job);
  }

cleanup:
  return status;
}

void ncc_stats_clear(ncc_stats *stats) {
  ncc_buffer_free(&stats->ssd_buffer);
  ncc_buffer_free(&stats->lower_buffer);
  ncc_buffer_free(&stats->scratch);
  *stats = (ncc_stats){0};
}
