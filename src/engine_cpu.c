/** The CPU engine: float32 FFTs that never write a map.
 *
 *  For an image of M x N and a template of m x n, both as far as they can reach the search:
 *
 *    image    rows:    r2c of eight rows at a time, transposed into columns
 *             columns: forward in place; kept as the image's spectrum, column by column
 *    template rows:    r2c of the m non-zero rows, mean-free, reversed (so that a product is a correlation), transposed
 *             columns: into a buffer in L1, zero-padded, forward, times the spectrum, inverse; only needed rows go out
 *             peak:    eight rows gathered, c2r in L2, compared block-wise with the floor of sqrt(ssd); what may win is
 *                      looked at one by one (proposal.h)
 *
 *  The threads of the pool share every stage, so one huge pair fills the cores as many small ones do, and memory does
 *  not grow with threads but for rows and columns in cache.
 *
 *  Where an image has one template only, its spectrum is never kept: each of its columns is transformed, multiplied and
 *  transformed back while in cache, in place.
 *
 *  Error bound of the numerators, in units of ||I - c|| ||T'||, both norms being Euclidean. Write F for the transform
 * of N = rows * cols points, computed with relative error e: ||F^a - Fa|| <= e ||Fa||. The spectra then multiply to an
 * error of (2e + 2u) |Fa||Fb| per point, and summing N of them with the inverse's own e gives, by Cauchy-Schwarz,
 *  |error| <= (3e + 2u) ||a|| ||b|| for every output (u = 2^-24). Higham (Accuracy and Stability of Numerical
 * Algorithms, 2nd ed., theorem 24.2) proves e <= log2(N) * (mu + gamma_4 (sqrt 2 + mu)), some 7 u log2 N; rounding
 * errors being nearly independent, e in practice grows as u sqrt(log2 N) (same, section 24.1; Schatzman 1996), measured
 * 0.4 to 0.6 of that for FFTW. We take |error| <= (2 + log2(N) / 2) 2^-23 ||a|| ||b||, at 2^20 points 24 u, where
 * practice has about 8 u at the worst conceivable alignment of all errors and measured 0.04 to 0.5 u on real images.
 * That is no proof in the worst case, and need not be: the judge measures the error of every candidate, and a pair
 * where one exceeds a quarter of the bound is done again in float64.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buffer.h"
#include "engine.h"
#include "error.h"
#include "fft.h"
#include "stats.h"

enum {
  COLUMNS_PER_ITEM = 8,
  CANDIDATES_PER_THREAD = 32768,
};

/** Scratch of a thread. */
typedef struct thread_scratch {
  double *pixels;   // one row in float64
  float *real;      // NCC_ROW_BATCH real rows
  ncc_c32 *half;    // NCC_ROW_BATCH half spectra
  ncc_c32 *column;  // one column
  float *maxima;    // block maxima of a batch, and their scratch
  ncc_proposal found;
} thread_scratch;

typedef struct cpu_engine {
  const ncc_engine_context *context;
  ncc_pool *pool;
  const ncc_kernels *kernels;
  int threads;
  ncc_buffer scratch_buffer;
  thread_scratch *scratch;  // [threads]

  // What is prepared of the current image, for the current geometry.
  int64_t serial;
  ncc_geometry geometry;
  ncc_fft_shape shape;
  const ncc_fft_plans *plans;
  bool has_spectrum, has_stats;
  int64_t spectrum_stride;  // complex numbers from column to column
  ncc_buffer spectrum, template_rows, product;
  ncc_stats stats;
  double centre;      // subtracted from the image before its transform, of scaled pixels; 0 where that serves
  double image_unit;  // power of two
  double image_norm;  // ||I - centre||, of scaled pixels

  // The current task.
  const ncc_task *task;
  double tmpl_unit;
  int64_t template_stride, product_stride;
  bool fused;         // the product overwrites the image's columns
  int64_t first_row;  // first row of the product in trimmed coordinates, a multiple of the batch
  ncc_c32 *out;       // columns of the product
  int64_t out_stride;
  double *prefix;  // [(m + 1) * (n + 1)] prefix sums of T', where centre != 0
  int64_t prefix_capacity;
  ncc_bounds bounds;
  _Atomic double best;  // largest lower bound so far
} cpu_engine;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t round_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}
static int64_t trimmed_rows(const ncc_geometry *g) {
  return g->trim.y1 - g->trim.y0;
}
static int64_t trimmed_cols(const ncc_geometry *g) {
  return g->trim.x1 - g->trim.x0;
}

/** Columns lie apart by whole lines, and not by a multiple of a page, which would share a few sets of the caches. */
static int64_t column_stride(int64_t rows) {
  int64_t stride = round_up(rows, 8);
  return stride % 512 == 0 ? stride + 8 : stride;
}

static int64_t product_first_row(const ncc_geometry *g) {
  return (g->search.y0 - g->trim.y0) / NCC_ROW_BATCH * NCC_ROW_BATCH;
}

static int64_t product_rows(const ncc_geometry *g) {
  return round_up(g->search.y1 - g->trim.y0 - product_first_row(g), NCC_ROW_BATCH);
}

static int64_t scratch_bytes(const ncc_geometry *g, const ncc_fft_shape *shape) {
  int64_t longest = g->image_cols > g->template_cols ? g->image_cols : g->template_cols;
  return 8 * round_up(longest, 8) + 4 * NCC_ROW_BATCH * shape->real_stride + 8 * NCC_ROW_BATCH * shape->complex_stride +
         8 * round_up(shape->rows, 8) + 4 * 2 * shape->real_stride;
}

static int64_t cpu_bytes(const ncc_geometry *g, int threads) {
  ncc_fft_shape shape = ncc_fft_shape_choose(g);
  int64_t columns =
      column_stride(shape.rows) + column_stride(round_up(g->template_rows, 8)) + column_stride(product_rows(g));
  int64_t candidates = (int64_t)threads * CANDIDATES_PER_THREAD * (int64_t)sizeof(ncc_candidate);
  int64_t prefix = 8 * (g->template_rows + 1) * (g->template_cols + 1);
  return 8 * shape.half * columns + ncc_stats_bytes(g) + threads * scratch_bytes(g, &shape) + candidates + prefix;
}

static ncc_status cpu_create(const ncc_engine_context *context, void **state) {
  ncc_status status = NCC_OK;
  *state = NULL;
  cpu_engine *e = calloc(1, sizeof *e);
  NCC_CHECK(e, NCC_ERR_NOMEM, "out of memory for the CPU engine");
  e->context = context;
  e->pool = context->pool;
  e->kernels = ncc_kernels_get();
  e->threads = ncc_pool_threads(e->pool);
  e->serial = -1;
  *state = e;
  e->scratch = calloc((size_t)e->threads, sizeof *e->scratch);
  NCC_CHECK(e->scratch, NCC_ERR_NOMEM, "out of memory for the CPU engine");
  for (int t = 0; t < e->threads; t++) NCC_TRY(ncc_proposal_create(CANDIDATES_PER_THREAD, &e->scratch[t].found));

cleanup:
  return status;
}

static void cpu_destroy(void *state) {
  cpu_engine *e = state;
  if (!e) return;
  for (int t = 0; e->scratch && t < e->threads; t++) ncc_proposal_clear(&e->scratch[t].found);
  free(e->scratch);
  free(e->prefix);
  ncc_buffer_free(&e->scratch_buffer);
  ncc_buffer_free(&e->spectrum);
  ncc_buffer_free(&e->template_rows);
  ncc_buffer_free(&e->product);
  ncc_stats_clear(&e->stats);
  free(e);
}

static bool stopped(const cpu_engine *e) {
  const volatile int *stop = e->context->config->stop;
  return stop && *stop;
}

static ncc_status reserve_scratch(cpu_engine *e) {
  ncc_status status = NCC_OK;
  int64_t bytes = scratch_bytes(&e->geometry, &e->shape);
  int64_t longest =
      e->geometry.image_cols > e->geometry.template_cols ? e->geometry.image_cols : e->geometry.template_cols;
  NCC_TRY(ncc_buffer_reserve(&e->scratch_buffer, bytes * e->threads, "rows and columns in work"));
  for (int t = 0; t < e->threads; t++) {
    char *p = (char *)e->scratch_buffer.data + t * bytes;
    thread_scratch *s = &e->scratch[t];
    s->pixels = (double *)p;
    p += 8 * round_up(longest, 8);
    s->real = (float *)p;
    p += 4 * NCC_ROW_BATCH * e->shape.real_stride;
    s->half = (ncc_c32 *)p;
    p += 8 * NCC_ROW_BATCH * e->shape.complex_stride;
    s->column = (ncc_c32 *)p;
    p += 8 * round_up(e->shape.rows, 8);
    s->maxima = (float *)p;
  }

cleanup:
  return status;
}

// ---- image ---------------------------------------------------------------------------------------------------------

static void image_rows_item(void *context, int64_t item, int thread) {
  cpu_engine *e = context;
  thread_scratch *s = &e->scratch[thread];
  const ncc_rect *trim = &e->geometry.trim;
  const ncc_prepared *image = e->task->image;
  int64_t first = item * NCC_ROW_BATCH, n = trimmed_cols(&e->geometry);
  for (int r = 0; r < NCC_ROW_BATCH; r++) {
    float *row = s->real + r * e->shape.real_stride;
    bool exists = first + r < trimmed_rows(&e->geometry);
    if (exists) {
      ncc_prepared_row(image, trim->y0 + first + r, trim->x0, n, s->pixels);
      e->kernels->to_f32(s->pixels, n, e->centre, 0, e->image_unit, row);
    }
    int64_t filled = exists ? n : 0;
    memset(row + filled, 0, (size_t)(e->shape.cols - filled) * sizeof *row);
  }
  fftwf_execute_dft_r2c(e->plans->rows_forward, s->real, s->half);
  e->kernels->spread8((const ncc_c32 *)s->half, e->shape.complex_stride, e->shape.half,
                      (ncc_c32 *)e->spectrum.data + first, e->spectrum_stride);
}

/** Zero-pads column k of the image and transforms it in place. */
static void image_column(cpu_engine *e, int64_t k) {
  ncc_c32 *column = (ncc_c32 *)e->spectrum.data + k * e->spectrum_stride;
  int64_t filled = trimmed_rows(&e->geometry);
  memset(column + filled, 0, (size_t)(e->shape.rows - filled) * sizeof *column);
  fftwf_execute_dft(e->plans->column_forward, column, column);
}

static void image_columns_item(void *context, int64_t item, int thread) {
  (void)thread;
  cpu_engine *e = context;
  for (int64_t k = item * COLUMNS_PER_ITEM; k < (item + 1) * COLUMNS_PER_ITEM && k < e->shape.half; k++)
    image_column(e, k);
}

/** The centre: subtracting the mean shrinks the bound, but costs a correction at every overhang. Up to a bound 32 times
 *  as large (raw 8-bit tiles: about 5 times) no more candidates come up in practice, so leave the image as it is. */
static void choose_centre(cpu_engine *e, const ncc_prepared *image) {
  double pixels = (double)image->pixels.rows * (double)image->pixels.cols;
  double squares = image->ssd + pixels * image->mean * image->mean;
  bool keep = squares <= 32.0 * 32.0 * image->ssd;
  e->centre = keep ? 0 : image->mean;
  e->image_norm = sqrt(keep ? squares : image->ssd);
  double largest = fmax(fabs(image->lo - e->centre), fabs(image->hi - e->centre));
  e->image_unit = largest > 0 ? ldexp(1.0, -ilogb(largest)) : 1.0;
}

/** Prepares the image of the task for its geometry, unless that is done already. */
static ncc_status prepare_image(cpu_engine *e, const ncc_task *task) {
  ncc_status status = NCC_OK;
  bool same_image = e->serial == task->image_serial;
  bool same_geometry = same_image && ncc_geometry_equal(&e->geometry, task->geometry);
  e->task = task;
  if (same_geometry && e->has_stats && e->has_spectrum) {
    e->fused = false;
    return NCC_OK;
  }
  ncc_counters *counters = e->context->counters;
  double t0 = now_s(), planning_s = 0;
  if (!same_geometry) e->has_stats = false;
  e->serial = -1;
  e->geometry = *task->geometry;
  e->geometry.exclude = (ncc_rect){0};
  e->shape = ncc_fft_shape_choose(&e->geometry);
  NCC_TRY(ncc_fft_plans_get(&e->shape, e->context->config->fft_effort, &planning_s, &e->plans));
  NCC_TRY(reserve_scratch(e));
  choose_centre(e, task->image);
  e->has_spectrum = false;
  e->fused = !task->image_stays;
  e->spectrum_stride = column_stride(e->shape.rows);
  NCC_TRY(ncc_buffer_reserve(&e->spectrum, 8 * e->shape.half * e->spectrum_stride, "the image's spectrum"));
  ncc_pool_run(e->pool, (trimmed_rows(&e->geometry) + NCC_ROW_BATCH - 1) / NCC_ROW_BATCH, image_rows_item, e);
  if (!e->fused) {
    ncc_pool_run(e->pool, (e->shape.half + COLUMNS_PER_ITEM - 1) / COLUMNS_PER_ITEM, image_columns_item, e);
    e->has_spectrum = true;
  }
  if (!e->has_stats) NCC_TRY(ncc_stats_create(e->pool, task->image, &e->geometry, &e->stats));
  e->has_stats = true;
  e->serial = task->image_serial;
  counters->images++;
  counters->planning_s += planning_s;
  counters->image_s += now_s() - t0 - planning_s;
  double floor_s = (double)trimmed_rows(&e->geometry) * ncc_fft_cost_s(e->shape.cols, true) +
                   (double)e->shape.half * ncc_fft_cost_s(e->shape.rows, false);
  counters->fft_floor_s += floor_s;

cleanup:
  return status;
}

// ---- template ------------------------------------------------------------------------------------------------------

/** Rows of the template in reversed order, each reversed: a convolution with these is the correlation. */
static void template_rows_item(void *context, int64_t item, int thread) {
  cpu_engine *e = context;
  thread_scratch *s = &e->scratch[thread];
  const ncc_prepared *tmpl = e->task->tmpl;
  int64_t first = item * NCC_ROW_BATCH, m = e->geometry.template_rows, n = e->geometry.template_cols;
  for (int r = 0; r < NCC_ROW_BATCH; r++) {
    float *row = s->real + r * e->shape.real_stride;
    bool exists = first + r < m;
    if (exists) {
      ncc_prepared_row(tmpl, m - 1 - (first + r), 0, n, s->pixels);
      e->kernels->to_f32_reversed(s->pixels, n, tmpl->mean, tmpl->rest, e->tmpl_unit, row);
    }
    int64_t filled = exists ? n : 0;
    memset(row + filled, 0, (size_t)(e->shape.cols - filled) * sizeof *row);
  }
  fftwf_execute_dft_r2c(e->plans->rows_forward, s->real, s->half);
  e->kernels->spread8((const ncc_c32 *)s->half, e->shape.complex_stride, e->shape.half,
                      (ncc_c32 *)e->template_rows.data + first, e->template_stride);
}

static void columns_item(void *context, int64_t item, int thread) {
  cpu_engine *e = context;
  ncc_c32 *column = e->scratch[thread].column;
  int64_t m = e->geometry.template_rows, kept = product_rows(&e->geometry);
  if (kept > e->shape.rows - e->first_row) kept = e->shape.rows - e->first_row;
  for (int64_t k = item * COLUMNS_PER_ITEM; k < (item + 1) * COLUMNS_PER_ITEM && k < e->shape.half; k++) {
    ncc_c32 *spectrum = (ncc_c32 *)e->spectrum.data + k * e->spectrum_stride;
    if (e->fused) image_column(e, k);
    memcpy(column, (ncc_c32 *)e->template_rows.data + k * e->template_stride, (size_t)m * sizeof *column);
    memset(column + m, 0, (size_t)(e->shape.rows - m) * sizeof *column);
    fftwf_execute_dft(e->plans->column_forward, column, column);
    e->kernels->multiply(column, (const ncc_c32 *)spectrum, e->shape.rows);
    fftwf_execute_dft(e->plans->column_inverse, column, column);
    memcpy(e->out + k * e->out_stride, column + e->first_row, (size_t)kept * sizeof *column);
  }
}

// ---- peak ----------------------------------------------------------------------------------------------------------

/** Adds centre * S to the numerators of row y, S being the sum of T' over the overlap: 0 inside the image. */
static void add_overhang(const cpu_engine *e, int64_t y, float *row) {
  const ncc_geometry *g = &e->geometry;
  const int64_t m = g->template_rows, n = g->template_cols, M = g->image_rows, N = g->image_cols;
  const int64_t top = y - m + 1 < 0 ? m - 1 - y : 0, bottom = y < M ? m : M - 1 - y + m;  // template rows [top, bottom)
  const double *upper = e->prefix + top * (n + 1), *lower = e->prefix + bottom * (n + 1);
  const double scale = e->centre * e->image_unit * (double)e->shape.rows * (double)e->shape.cols;
  const bool rows_inside = top == 0 && bottom == m;
  for (int64_t x = g->search.x0; x < g->search.x1; x++) {
    if (rows_inside && x >= n - 1 && x < N) {
      x = N - 1;
      continue;
    }
    int64_t left = x - n + 1 < 0 ? n - 1 - x : 0, right = x < N ? n : N - 1 - x + n;
    double sum = (lower[right] - upper[right]) - (lower[left] - upper[left]);
    row[x - g->trim.x0] += (float)(scale * sum);
  }
}

static void peak_item(void *context, int64_t item, int thread) {
  cpu_engine *e = context;
  thread_scratch *s = &e->scratch[thread];
  const ncc_geometry *g = e->task->geometry;
  const ncc_stats *stats = &e->stats;
  int64_t first = e->first_row + item * NCC_ROW_BATCH, blocks = stats->stride / NCC_BLOCK_COLS;
  int64_t offset = stats->x0 - g->trim.x0;  // of the map's first column in a real row
  e->kernels->gather8((const ncc_c32 *)e->out + item * NCC_ROW_BATCH, e->out_stride, e->shape.half, s->half,
                      e->shape.complex_stride);
  fftwf_execute_dft_c2r(e->plans->rows_inverse, s->half, s->real);
  int rows = NCC_ROW_BATCH;
  if (first + rows > g->search.y1 - g->trim.y0) rows = (int)(g->search.y1 - g->trim.y0 - first);
  int64_t y0 = g->trim.y0 + first;
  if (e->centre != 0)
    for (int r = 0; r < rows; r++)
      if (y0 + r >= g->search.y0) add_overhang(e, y0 + r, s->real + r * e->shape.real_stride);
  float *maxima = s->maxima;
  e->kernels->block_max(s->real + offset, e->shape.real_stride, rows, stats->stride, maxima + e->shape.real_stride,
                        maxima);

  // A block matters only if its largest numerator over its smallest denominator can reach the best lower bound.
  double best = atomic_load_explicit(&e->best, memory_order_relaxed);
  const double slack = e->bounds.relative_slack + e->bounds.absolute_slack;
  double threshold = (best - 4 * slack - NCC_MARGIN) / e->bounds.inv_norm;
  const float *floor = stats->floor + (y0 - stats->y0) / NCC_BLOCK_ROWS * blocks;
  int64_t reached = 0;
  int32_t *hits = (int32_t *)(maxima + e->shape.real_stride);
  for (int64_t b = 0; b < blocks; b++) {
    hits[reached] = (int32_t)b;
    reached += !(best > 0 && (double)maxima[b] + e->bounds.error < threshold * (double)floor[b]);
  }
  if (reached == 0) return;
  for (int r = 0; r < rows; r++) {
    int64_t y = y0 + r, segments[2][2];
    int count = ncc_geometry_segments(g, y, segments);
    const float *row = s->real + r * e->shape.real_stride - g->trim.x0;  // indexed by full x
    const float *ssd = stats->ssd + (y - stats->y0) * stats->stride - stats->x0;
    for (int64_t h = 0; h < reached && count > 0; h++) {
      int64_t b0 = stats->x0 + hits[h] * NCC_BLOCK_COLS, b1 = b0 + NCC_BLOCK_COLS;
      for (int i = 0; i < count; i++) {
        int64_t from = b0 > segments[i][0] ? b0 : segments[i][0], to = b1 < segments[i][1] ? b1 : segments[i][1];
        for (int64_t x = from; x < to; x++)
          ncc_proposal_consider(&s->found, &e->bounds, y, x, (double)row[x], (double)ssd[x], &e->best);
      }
    }
  }
}

/** Prefix sums of T' in both directions, in template coordinates. */
static ncc_status make_prefix(cpu_engine *e, const ncc_prepared *tmpl) {
  ncc_status status = NCC_OK;
  const int64_t m = e->geometry.template_rows, n = e->geometry.template_cols, stride = n + 1;
  if ((m + 1) * stride > e->prefix_capacity) {
    free(e->prefix);
    e->prefix = malloc((size_t)((m + 1) * stride) * sizeof *e->prefix);
    e->prefix_capacity = e->prefix ? (m + 1) * stride : 0;
    NCC_CHECK(e->prefix, NCC_ERR_NOMEM, "out of memory for prefix sums of a template");
  }
  memset(e->prefix, 0, (size_t)stride * sizeof *e->prefix);
  double *pixels = e->scratch[0].pixels;
  for (int64_t r = 0; r < m; r++) {
    ncc_prepared_row(tmpl, r, 0, n, pixels);
    double sum = 0, *row = e->prefix + (r + 1) * stride, *above = e->prefix + r * stride;
    row[0] = 0;
    for (int64_t c = 0; c < n; c++) {
      sum += ((pixels[c] - tmpl->mean) - tmpl->rest) * e->tmpl_unit;
      row[c + 1] = above[c + 1] + sum;
    }
  }

cleanup:
  return status;
}

static ncc_status make_product(cpu_engine *e, const ncc_task *task) {
  ncc_status status = NCC_OK;
  ncc_counters *counters = e->context->counters;
  double t0 = now_s();
  double largest = fmax(task->tmpl->hi - task->tmpl->mean, task->tmpl->mean - task->tmpl->lo);
  e->tmpl_unit = largest > 0 ? ldexp(1.0, -ilogb(largest)) : 1.0;
  e->template_stride = column_stride(round_up(e->geometry.template_rows, NCC_ROW_BATCH));
  NCC_TRY(ncc_buffer_reserve(&e->template_rows, 8 * e->shape.half * e->template_stride, "rows of a template"));
  e->first_row = product_first_row(&e->geometry);
  if (e->fused) {
    e->out = (ncc_c32 *)e->spectrum.data;
    e->out_stride = e->spectrum_stride;
  } else {
    e->out_stride = column_stride(product_rows(&e->geometry));
    NCC_TRY(ncc_buffer_reserve(&e->product, 8 * e->shape.half * e->out_stride, "the product of spectra"));
    e->out = e->product.data;
  }
  if (e->centre != 0) NCC_TRY(make_prefix(e, task->tmpl));
  ncc_pool_run(e->pool, (e->geometry.template_rows + NCC_ROW_BATCH - 1) / NCC_ROW_BATCH, template_rows_item, e);
  double t1 = now_s();
  counters->template_s += t1 - t0;
  ncc_pool_run(e->pool, (e->shape.half + COLUMNS_PER_ITEM - 1) / COLUMNS_PER_ITEM, columns_item, e);
  counters->columns_s += now_s() - t1;
  double rows = (double)(e->geometry.template_rows + e->geometry.search.y1 - e->geometry.search.y0);
  counters->fft_floor_s +=
      rows * ncc_fft_cost_s(e->shape.cols, true) + 2.0 * (double)e->shape.half * ncc_fft_cost_s(e->shape.rows, false);

cleanup:
  return status;
}

static ncc_status propose_one(cpu_engine *e, const ncc_task *task, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  if (!task->again) {
    NCC_TRY(prepare_image(e, task));
    if (stopped(e)) return NCC_ERR_STOPPED;
    NCC_TRY(make_product(e, task));
    if (stopped(e)) return NCC_ERR_STOPPED;
  }
  double t0 = now_s();
  e->task = task;
  double points = (double)e->shape.rows * (double)e->shape.cols;
  double error =
      (2 + log2(points) / 2) * 0x1p-23 * e->image_norm * e->image_unit * sqrt(task->tmpl->ssd) * e->tmpl_unit;
  // FFTW's inverse is not divided by the number of points; nor are our numerators. Slack: ssd, numerator and its
  // correction are rounded to float32.
  double eps = e->context->eps, image_unit = e->image_unit, slack = 4e-7;
  e->bounds = ncc_bounds_create(task->image, task->tmpl, e->stats.unit, e->tmpl_unit, eps, error * points, slack,
                                e->centre != 0 ? slack : 0);
  // ssd is in units of stats.unit^2, numerators in image_unit * tmpl_unit * points.
  e->bounds.inv_norm *= e->stats.unit / (image_unit * points);
  e->bounds.to_evaluation = 1 / (image_unit * e->tmpl_unit * points);
  e->best = -2;
  for (int t = 0; t < e->threads; t++) ncc_proposal_reset(&e->scratch[t].found);
  ncc_pool_run(e->pool, (product_rows(&e->geometry)) / NCC_ROW_BATCH, peak_item, e);
  for (int t = 0; t < e->threads; t++) NCC_TRY(ncc_proposal_merge(out, &e->scratch[t].found));
  out->error = error / (image_unit * e->tmpl_unit);
  NCC_TRY(ncc_proposal_finish(out));
  e->context->counters->peak_s += now_s() - t0;
  if (e->fused && !task->again) e->has_spectrum = false;

cleanup:
  return status;
}

static ncc_status cpu_propose(void *state, int64_t n, const ncc_task *tasks, ncc_proposal *proposals) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; i < n; i++) {
    if (stopped(state)) return NCC_ERR_STOPPED;
    NCC_TRY(propose_one(state, &tasks[i], &proposals[i]));
  }

cleanup:
  return status;
}

const ncc_engine_ops *ncc_engine_cpu(void) {
  static const ncc_engine_ops ops = {
      .name = "cpu", .create = cpu_create, .destroy = cpu_destroy, .propose = cpu_propose, .bytes = cpu_bytes};
  return &ops;
}
