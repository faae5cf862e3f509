/** The CPU engine: float32 FFTs that never write a map.
 *
 *  For an image of M x N and a template of m x n, both as far as they can reach the search:
 *
 *    image     rows:     eight at a time, two real rows packed as one complex, transformed in parts that stay in the
 *                        first cache (kernels/cut.h), unpacked into a strip: eight half spectra, column by column
 *              columns:  eight at a time, transformed in parts; kept as the image's spectrum
 *    template  rows:     the m non-zero rows, mean-free, reversed (so that a product is a correlation), as the image's
 *              columns:  what is not zero, forward, times the spectrum, inverse, part by part; needed rows go to strips
 *    peak      rows:     eight packed as four, inverse, compared block-wise with the floor of sqrt(ssd); what may win
 *                        is looked at one by one (proposal.h)
 *
 *  The threads of the pool share every stage, so one huge pair fills the cores as many small ones do, and memory does
 *  not grow with threads but for rows and columns in cache.
 *
 *  Where an image has one template only, its spectrum is never kept: each of its columns is transformed, multiplied
 *  and transformed back while in cache, in place. Nor is ssd of all windows worth its time then: bounds of it by blocks
 *  (cells.h) leave a few places, where it is summed.
 *
 *  Error bound of the numerators, in units of ||I - c|| ||T'||, both norms being Euclidean. Write F for the transform
 *  of N = rows * cols points, computed with relative error e: ||F^a - Fa|| <= e ||Fa||. The spectra then multiply to
 *  an error of (2e + 2u) |Fa||Fb| per point, and summing N of them with the inverse's own e gives, by Cauchy-Schwarz,
 *  |error| <= (3e + 2u) ||a|| ||b|| for every output (u = 2^-24); rounding a and b themselves adds 2u. Higham
 *  (Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2) proves e <= log2(N) * (mu + gamma_4
 *  (sqrt 2 + mu)), some 7 u log2 N; rounding errors being nearly independent, e in practice grows as u sqrt(log2 N)
 *  (same, section 24.1; Schatzman 1996), measured 0.4 to 0.6 of that for FFTW. We take |error| <= (6 + log2(N) / 2)
 *  2^-23 ||a|| ||b||, at 2^20 points 32 u. That is no proof in the worst case, and need not be: the judge measures the
 *  error of every candidate, and a pair where one exceeds a quarter of the bound is done again in float64.
 *  tests/test_bound.c measures the margin.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/error.h"
#include "match/cells.h"
#include "match/engine.h"
#include "match/fft.h"
#include "match/stats.h"

#define CACHED_BYTES ((int64_t)16 << 20) /* strips beyond that are not in any cache when they are read */

enum {
  PACKED_ROWS = NCC_ROW_BATCH / 2,
  COLUMNS_PER_ITEM = 8,
  CANDIDATES_PER_THREAD = 16384,
  MOST_LOOKED_AT = 256,  // windows summed one by one
  MOST_PASSED = 64,      // images that go without bounds by cells, where these do not serve
};

/** Scratch of a thread. */
typedef struct thread_scratch {
  double *pixels;                              // a row in float64
  ncc_c32 *rows, *spectra;                     // PACKED_ROWS packed rows, and their transforms
  ncc_c32 *columns, *transformed;              // COLUMNS_PER_ITEM columns, and a part of one transformed
  ncc_c32 *image_columns, *image_transformed;  // likewise of the image, where it is fused
  float *maxima;                               // block maxima of a batch, and their scratch
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
  ncc_cut column_cut, row_cut;  // as planned, with the strides of this engine
  bool has_spectrum, has_stats;
  bool rough;             // stats hold bounds by cells only
  int vain, pass;         // images in a row for which these did not serve; images that still go without
  bool past_caches;       // strips are written past the caches
  int64_t column_stride;  // complex numbers from column to column
  int64_t strip_stride;   // complex numbers from strip to strip
  ncc_buffer spectrum;    // columns of the image's transform; not made where it is fused
  ncc_buffer strips;      // of the image's rows, then of the product
  ncc_buffer template_strips;
  ncc_stats stats;
  ncc_cells cells;
  ncc_centring centring;

  // The current task.
  const ncc_task *task;
  double tmpl_unit;
  bool fused;         // the product overwrites the image's columns
  int64_t first_row;  // first row of the product in trimmed coordinates, a multiple of the batch
  double *prefix;     // [(m + 1) * (n + 1)] prefix sums of T', where centre != 0
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
static int64_t column_stride(const ncc_fft_shape *shape) {
  int64_t stride = round_up(shape->rows, 8);
  return stride % 512 == 0 ? stride + 8 : stride;
}

/** A strip is eight rows of half spectra, column by column: what a batch of rows writes and reads in one go, and what a
 *  block of columns visits in runs of half a KiB. */
static int64_t strip_stride(const ncc_fft_shape *shape) {
  int64_t columns = round_up(shape->half, COLUMNS_PER_ITEM);
  return NCC_ROW_BATCH * (columns % 64 == 0 ? columns + 8 : columns);
}

static int64_t strips_of(int64_t rows) {
  return (rows + NCC_ROW_BATCH - 1) / NCC_ROW_BATCH;
}

static int64_t product_first_row(const ncc_geometry *g) {
  return (g->search.y0 - g->trim.y0) / NCC_ROW_BATCH * NCC_ROW_BATCH;
}

static int64_t product_rows(const ncc_geometry *g) {
  return g->search.y1 - g->trim.y0 - product_first_row(g);
}

static int64_t longest_row(const ncc_geometry *g) {
  return round_up(g->image_cols > g->template_cols ? g->image_cols : g->template_cols, 8);
}

static int64_t scratch_bytes(const ncc_geometry *g, const ncc_fft_shape *shape) {
  return 8 * longest_row(g) + 8 * 2 * PACKED_ROWS * shape->row_stride +
         8 * 2 * (COLUMNS_PER_ITEM + 1) * column_stride(shape) + 4 * 2 * shape->row_stride;
}

/** Strips for the image's rows and for the product, which follow each other in one buffer. */
static int64_t strips_needed(const ncc_geometry *g) {
  int64_t image = strips_of(trimmed_rows(g)), product = strips_of(product_rows(g));
  return image > product ? image : product;
}

static int64_t cpu_bytes(const ncc_geometry *g, int threads) {
  ncc_fft_shape shape = ncc_fft_shape_choose(g);
  int64_t spectrum = shape.half * column_stride(&shape);
  int64_t strips = (strips_needed(g) + strips_of(g->template_rows)) * strip_stride(&shape);
  int64_t candidates = (int64_t)threads * CANDIDATES_PER_THREAD * (int64_t)sizeof(ncc_candidate);
  int64_t prefix = 8 * (g->template_rows + 1) * (g->template_cols + 1);
  return 8 * (spectrum + strips) + ncc_stats_bytes(g) + ncc_cells_bytes(g) + threads * scratch_bytes(g, &shape) +
         candidates + prefix;
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
  ncc_buffer_free(&e->strips);
  ncc_buffer_free(&e->template_strips);
  ncc_stats_clear(&e->stats);
  ncc_cells_clear(&e->cells);
  free(e);
}

/** Asked item by item, as one stage of a huge pair takes seconds. What a stage has left unfinished is not used. */
static bool stopped(const cpu_engine *e) {
  return ncc_stop_came(e->context->config);
}

static ncc_status reserve_scratch(cpu_engine *e) {
  ncc_status status = NCC_OK;
  int64_t bytes = round_up(scratch_bytes(&e->geometry, &e->shape), 64);
  NCC_TRY(ncc_buffer_reserve(&e->scratch_buffer, bytes * e->threads, "rows and columns in work"));
  memset(e->scratch_buffer.data, 0, (size_t)(bytes * e->threads));
  for (int t = 0; t < e->threads; t++) {
    char *p = (char *)e->scratch_buffer.data + t * bytes;
    thread_scratch *s = &e->scratch[t];
    s->pixels = (double *)p;
    s->rows = (ncc_c32 *)(s->pixels + longest_row(&e->geometry));
    s->spectra = s->rows + PACKED_ROWS * e->shape.row_stride;
    s->columns = s->spectra + PACKED_ROWS * e->shape.row_stride;
    s->transformed = s->columns + COLUMNS_PER_ITEM * e->column_stride;
    s->image_columns = s->transformed + e->column_stride;
    s->image_transformed = s->image_columns + COLUMNS_PER_ITEM * e->column_stride;
    s->maxima = (float *)(s->image_transformed + e->column_stride);
  }

cleanup:
  return status;
}

// ---- image ---------------------------------------------------------------------------------------------------------

/** What a batch of rows is made of: `count` rows of `n` pixels of an array, from row `first` on in steps of `step`. */
typedef struct row_source {
  const ncc_prepared *prepared;
  int64_t first, step, count, x0, n;
  double c, rest, unit;
  bool reversed;
} row_source;

/** Transforms a packed row, of whose points `filled` are not zero; `row` is lost. */
static void row_forward(const cpu_engine *e, ncc_c32 *row, int64_t filled, ncc_c32 *spectrum) {
  const ncc_cut *cut = &e->row_cut;
  if (cut->parts > 1) e->kernels->cut->split_strips(cut, (const ncc_c32 *)row, strips_of(filled), 1, row);
  for (int k = 0; k < cut->parts; k++)
    fftwf_execute_dft(e->plans->row.forward, row + k * cut->length, spectrum + k * (cut->length + NCC_PART_GAP));
}

static void row_inverse(const cpu_engine *e, ncc_c32 *spectrum, ncc_c32 *row) {
  const ncc_cut *cut = &e->row_cut;
  for (int k = 0; k < cut->parts; k++)
    fftwf_execute_dft(e->plans->row.inverse, spectrum + k * (cut->length + NCC_PART_GAP), row + k * cut->length);
  if (cut->parts > 1)
    e->kernels->cut->join_strips(cut, (const ncc_c32 *)row, 1, 0, strips_of(e->shape.cols), row, false);
}

/** Transforms up to eight rows to a strip; missing rows become zeros. */
static void transform_rows(const cpu_engine *e, thread_scratch *s, const row_source *source, ncc_c32 *strip) {
  const ncc_array *pixels = &source->prepared->pixels;
  for (int r = 0; r < PACKED_ROWS; r++) {
    ncc_c32 *row = s->rows + r * e->shape.row_stride;
    int64_t filled = 0, at = source->first + 2 * r * source->step;
    if (2 * r < source->count) {
      filled = source->n;
      const void *a = ncc_array_at(pixels, at, source->x0);
      const void *b = 2 * r + 1 < source->count ? ncc_array_at(pixels, at + source->step, source->x0) : NULL;
      // A power of two commutes with rounding: scaled pixels less a scaled mean are pixels less the mean, scaled.
      double scale = source->prepared->scale;
      e->kernels->pack_rows(pixels->dtype, a, b, source->n, source->c / scale, source->rest / scale,
                            source->unit * scale, source->reversed, row);
    }
    memset(row + filled, 0, (size_t)(e->shape.cols - filled) * sizeof *row);
    row_forward(e, row, filled, s->spectra + r * e->shape.row_stride);
  }
  e->kernels->unpack_spectra(s->spectra, e->shape.row_stride, e->row_cut.parts, e->row_cut.length, strip,
                             e->past_caches);
}

static void image_rows_item(void *context, int64_t item, int thread) {
  cpu_engine *e = context;
  if (stopped(e)) return;
  const ncc_rect *trim = &e->geometry.trim;
  int64_t first = item * NCC_ROW_BATCH, left = trimmed_rows(&e->geometry) - first;
  row_source source = {.prepared = e->task->image,
                       .first = trim->y0 + first,
                       .step = 1,
                       .count = left < NCC_ROW_BATCH ? left : NCC_ROW_BATCH,
                       .x0 = trim->x0,
                       .n = trimmed_cols(&e->geometry),
                       .c = e->centring.centre,
                       .unit = e->centring.unit};
  transform_rows(e, &e->scratch[thread], &source, (ncc_c32 *)e->strips.data + item * e->strip_stride);
  _Static_assert((int)NCC_ROW_BATCH == (int)NCC_BLOCK_ROWS, "a batch of rows is a row of cells");
  if (e->rough) ncc_cells_add(&e->cells, item);  // of the same rows, which are in cache
}

/** Takes a block of columns out of `rows` rows in strips, ready for transforms of their parts. @return how many. */
static int64_t take_columns(const cpu_engine *e, const ncc_buffer *strips, int64_t rows, int64_t first, ncc_c32 *out) {
  int64_t columns = e->shape.half - first < COLUMNS_PER_ITEM ? e->shape.half - first : COLUMNS_PER_ITEM;
  e->kernels->cut->split_strips(&e->column_cut, (const ncc_c32 *)strips->data + first * NCC_ROW_BATCH, strips_of(rows),
                                columns, out);
  return columns;
}

/** Blocks of columns, a multiple of the threads: those past the last column are empty. */
static int64_t column_turns(const cpu_engine *e) {
  const int64_t blocks = (e->shape.half + COLUMNS_PER_ITEM - 1) / COLUMNS_PER_ITEM;
  return round_up(blocks, e->threads);
}

/** First column of the block whose turn it is. Threads work far apart: in neighbouring blocks each would have lines
 *  prefetched that the other is writing, and two threads be no faster than one. */
static int64_t first_column(const cpu_engine *e, int64_t turn) {
  return (turn % e->threads * (column_turns(e) / e->threads) + turn / e->threads) * COLUMNS_PER_ITEM;
}

static void image_columns_item(void *context, int64_t turn, int thread) {
  cpu_engine *e = context;
  thread_scratch *s = &e->scratch[thread];
  const int64_t first = first_column(e, turn);
  if (first >= e->shape.half || stopped(e)) return;
  const int64_t columns = take_columns(e, &e->strips, trimmed_rows(&e->geometry), first, s->columns);
  ncc_c32 *spectra = (ncc_c32 *)e->spectrum.data + first * e->column_stride;
  for (int64_t j = 0; j < columns; j++)
    for (int k = 0; k < e->column_cut.parts; k++) {
      const int64_t at = j * e->column_stride + k * e->column_cut.length;
      fftwf_execute_dft(e->plans->column.forward, s->columns + at, spectra + at);
    }
}

/** ssd of every window of the task, in place of bounds or of nothing. */
static ncc_status make_stats(cpu_engine *e) {
  e->rough = false;
  ncc_status status = ncc_stats_create(e->pool, e->task->image, &e->geometry, &e->stats);
  e->has_stats = status == NCC_OK;
  return status;
}

/** Whether to try bounds by cells: for a lone template, where they may serve and have not been in vain just now. */
static bool try_roughly(cpu_engine *e) {
  if (!e->fused || e->has_stats || !ncc_cells_serve(&e->geometry)) return false;
  if (e->pass == 0) return true;
  e->pass--;
  return false;
}

/** Statistics after all, as the bounds of this image do not serve. After each such image in a row more go without. */
static ncc_status give_bounds_up(cpu_engine *e) {
  e->vain++;
  e->pass = e->vain < 6 ? (1 << e->vain) - 1 : MOST_PASSED;
  return make_stats(e);
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
  e->column_stride = column_stride(&e->shape);
  e->strip_stride = strip_stride(&e->shape);
  e->column_cut = e->plans->column.cut;
  e->column_cut.strip_stride = e->strip_stride;
  e->column_cut.column_stride = e->column_stride;
  e->row_cut = e->plans->row.cut;
  e->row_cut.strip_stride = NCC_ROW_BATCH;
  NCC_TRY(reserve_scratch(e));
  e->centring = ncc_centring_choose(task->image);
  e->has_spectrum = false;
  e->fused = !task->image_stays;
  if (e->rough) e->vain = 0;  // those of the last image have served to the end
  e->rough = try_roughly(e);
  if (e->rough) NCC_TRY(ncc_cells_begin(task->image, &e->geometry, &e->cells));
  const int64_t strips_bytes = 8 * strips_needed(&e->geometry) * e->strip_stride;
  e->past_caches = strips_bytes > CACHED_BYTES;
  NCC_TRY(ncc_buffer_reserve(&e->strips, strips_bytes, "rows of spectra"));
  ncc_pool_run(e->pool, strips_of(trimmed_rows(&e->geometry)), image_rows_item, e);
  if (!e->fused) {
    NCC_TRY(ncc_buffer_reserve(&e->spectrum, 8 * e->shape.half * e->column_stride, "the image's spectrum"));
    ncc_pool_run(e->pool, column_turns(e), image_columns_item, e);
    e->has_spectrum = true;
  }
  if (stopped(e)) return NCC_ERR_STOPPED;
  if (e->rough) {
    NCC_TRY(ncc_cells_bounds(&e->cells, e->pool, &e->stats, &e->rough));
    if (!e->rough) NCC_TRY(give_bounds_up(e));
  } else if (!e->has_stats) {
    NCC_TRY(make_stats(e));
  }
  e->serial = task->image_serial;
  counters->images++;
  counters->planning_s += planning_s;
  counters->image_s += now_s() - t0 - planning_s;
  double floor_s = (double)trimmed_rows(&e->geometry) / 2 * ncc_fft_cost_s(e->shape.cols) +
                   (double)e->shape.half * ncc_fft_cost_s(e->shape.rows);
  counters->fft_floor_s += floor_s;

cleanup:
  return status;
}

// ---- template ------------------------------------------------------------------------------------------------------

/** Rows of the template in reversed order, each reversed: a convolution with these is the correlation. */
static void template_rows_item(void *context, int64_t item, int thread) {
  cpu_engine *e = context;
  const ncc_prepared *tmpl = e->task->tmpl;
  int64_t first = item * NCC_ROW_BATCH, left = e->geometry.template_rows - first;
  row_source source = {.prepared = tmpl,
                       .first = e->geometry.template_rows - 1 - first,
                       .step = -1,
                       .count = left < NCC_ROW_BATCH ? left : NCC_ROW_BATCH,
                       .n = e->geometry.template_cols,
                       .c = tmpl->mean,
                       .rest = tmpl->rest,
                       .unit = e->tmpl_unit,
                       .reversed = true};
  transform_rows(e, &e->scratch[thread], &source, (ncc_c32 *)e->template_strips.data + item * e->strip_stride);
}

static void columns_item(void *context, int64_t turn, int thread) {
  cpu_engine *e = context;
  thread_scratch *s = &e->scratch[thread];
  const int64_t first = first_column(e, turn), stride = e->column_stride;
  if (first >= e->shape.half || stopped(e)) return;
  // Fused, the block's columns of the image leave the strips here, where the product's will go.
  if (e->fused) take_columns(e, &e->strips, trimmed_rows(&e->geometry), first, s->image_columns);
  const int64_t columns = take_columns(e, &e->template_strips, e->geometry.template_rows, first, s->columns);
  const ncc_c32 *spectra = (const ncc_c32 *)e->spectrum.data + first * stride;
  const int64_t length = e->column_cut.length;
  for (int64_t j = 0; j < columns; j++)
    for (int k = 0; k < e->column_cut.parts; k++) {  // a part stays in the first cache
      const int64_t at = j * stride + k * length;
      const ncc_c32 *factors = spectra + at;
      if (e->fused) {
        fftwf_execute_dft(e->plans->column.forward, s->image_columns + at, s->image_transformed);
        factors = (const ncc_c32 *)s->image_transformed;
      }
      fftwf_execute_dft(e->plans->column.forward, s->columns + at, s->transformed);
      e->kernels->cut->multiply(s->transformed, factors, length);
      fftwf_execute_dft(e->plans->column.inverse, s->transformed, s->columns + at);
    }
  e->kernels->cut->join_strips(&e->column_cut, (const ncc_c32 *)s->columns, columns, e->first_row / NCC_ROW_BATCH,
                               strips_of(product_rows(&e->geometry)), (ncc_c32 *)e->strips.data + first * NCC_ROW_BATCH,
                               e->past_caches && !e->fused);  // fused, these lines have just been read
}

// ---- peak ----------------------------------------------------------------------------------------------------------

/** Adds centre * S to the numerators of row y, which lie two floats apart (packed), S being the sum of T' over the
 *  overlap: 0 inside the image. */
static void add_overhang(const cpu_engine *e, int64_t y, float *row) {
  const ncc_geometry *g = &e->geometry;
  const int64_t m = g->template_rows, n = g->template_cols, M = g->image_rows, N = g->image_cols;
  const int64_t top = y - m + 1 < 0 ? m - 1 - y : 0, bottom = y < M ? m : M - 1 - y + m;  // template rows [top, bottom)
  const double *upper = e->prefix + top * (n + 1), *lower = e->prefix + bottom * (n + 1);
  const double scale = e->centring.centre * e->centring.unit * 4.0 * (double)e->shape.rows * (double)e->shape.cols;
  const bool rows_inside = top == 0 && bottom == m;
  for (int64_t x = g->search.x0; x < g->search.x1; x++) {
    if (rows_inside && x >= n - 1 && x < N) {
      x = N - 1;
      continue;
    }
    int64_t left = x - n + 1 < 0 ? n - 1 - x : 0, right = x < N ? n : N - 1 - x + n;
    double sum = (lower[right] - upper[right]) - (lower[left] - upper[left]);
    row[2 * (x - g->trim.x0)] += (float)(scale * sum);
  }
}

/** What a numerator must reach, over the root of its ssd, to win. */
static double threshold_now(const cpu_engine *e) {
  const double slack = e->bounds.relative_slack + e->bounds.absolute_slack;
  return (atomic_load_explicit(&e->best, memory_order_relaxed) - 4 * slack - NCC_MARGIN) / e->bounds.inv_norm;
}

/** Looks at positions [from, to) of full row y one by one. row[2 * x] is the numerator at full column x. */
static void look(cpu_engine *e, thread_scratch *s, int64_t y, int64_t from, int64_t to, const float *row) {
  const ncc_stats *stats = &e->stats;
  const int64_t at = y - stats->y0;
  const float *strip = stats->ssd + NCC_BLOCK_ROWS * (at / NCC_BLOCK_ROWS * stats->stride - stats->x0);
  const float *ssd = strip + at % NCC_BLOCK_ROWS;  // value of full x: ssd[8 * x]
  const double threshold = threshold_now(e);
  for (int64_t x = from; x < to; x++) {
    double reach = (double)row[2 * x] + e->bounds.error;
    if (threshold > 0 && (reach < 0 || reach * reach < threshold * threshold * (double)fabsf(ssd[NCC_BLOCK_ROWS * x])))
      continue;
    ncc_proposal_consider(&s->found, &e->bounds, y, x, (double)row[2 * x], (double)ssd[NCC_BLOCK_ROWS * x], &e->best);
  }
}

/** The same within one block, of whose ssd bounds are known. */
static void look_roughly(cpu_engine *e, thread_scratch *s, int64_t y, int64_t from, int64_t to, const float *row,
                         float floor) {
  double threshold = threshold_now(e), most = -1;
  for (int64_t x = from; x < to; x++) {
    if (threshold > 0 && (double)row[2 * x] + e->bounds.error < threshold * (double)floor) continue;
    if (most < 0) most = ncc_cells_ceiling(&e->cells, y, x);
    ncc_proposal_consider_between(&s->found, &e->bounds, y, x, (double)row[2 * x], (double)floor * (double)floor, most,
                                  &e->best);
    threshold = threshold_now(e);
  }
}

static void peak_item(void *context, int64_t turn, int thread) {
  cpu_engine *e = context;
  if (stopped(e)) return;
  // From the middle on: a good lower bound comes early there, while bounds are wide at the rims.
  const int64_t items = strips_of(product_rows(&e->geometry)), item = (turn + items / 2) % items;
  thread_scratch *s = &e->scratch[thread];
  const ncc_geometry *g = e->task->geometry;
  const ncc_stats *stats = &e->stats;
  int64_t first = e->first_row + item * NCC_ROW_BATCH, blocks = stats->stride / NCC_BLOCK_COLS;
  int64_t offset = stats->x0 - g->trim.x0, stride = e->shape.row_stride;  // offset: of the map's first column in a row
  e->kernels->pack_spectra((const ncc_c32 *)e->strips.data + item * e->strip_stride, e->row_cut.parts,
                           e->row_cut.length, s->spectra, stride);
  int rows = NCC_ROW_BATCH;
  if (first + rows > g->search.y1 - g->trim.y0) rows = (int)(g->search.y1 - g->trim.y0 - first);
  int packed = (rows + 1) / 2;
  for (int r = 0; r < packed; r++) row_inverse(e, s->spectra + r * stride, s->rows + r * stride);
  int64_t y0 = g->trim.y0 + first;
  if (e->centring.centre != 0)
    for (int r = 0; r < rows; r++)
      if (y0 + r >= g->search.y0) add_overhang(e, y0 + r, (float *)(s->rows + r / 2 * stride) + r % 2);
  float *maxima = s->maxima;
  e->kernels->block_max((const ncc_c32 *)s->rows + offset, stride, packed, stats->stride, maxima);

  // A block matters only if its largest numerator over its smallest denominator can reach the best lower bound.
  const double threshold = threshold_now(e);
  const float *floor = stats->floor + (y0 - stats->y0) / NCC_BLOCK_ROWS * blocks;
  int64_t reached = 0;
  int32_t *hits = (int32_t *)(maxima + stride);
  for (int64_t b = 0; b < blocks; b++) {
    hits[reached] = (int32_t)b;
    reached += !(threshold > 0 && (double)maxima[b] + e->bounds.error < threshold * (double)floor[b]);
  }
  for (int r = 0; r < rows && reached > 0; r++) {
    int64_t y = y0 + r, segments[2][2];
    int count = ncc_geometry_segments(g, y, segments);
    const float *row = (const float *)(s->rows + r / 2 * stride - g->trim.x0) + r % 2;
    for (int64_t h = 0; h < reached; h++) {
      int64_t b0 = stats->x0 + hits[h] * NCC_BLOCK_COLS, b1 = b0 + NCC_BLOCK_COLS;
      for (int i = 0; i < count; i++) {
        int64_t from = b0 > segments[i][0] ? b0 : segments[i][0], to = b1 < segments[i][1] ? b1 : segments[i][1];
        if (from >= to) continue;
        if (e->rough)
          look_roughly(e, s, y, from, to, row, floor[hits[h]]);
        else
          look(e, s, y, from, to, row);
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
  e->tmpl_unit = ncc_template_unit(task->tmpl);
  NCC_TRY(ncc_buffer_reserve(&e->template_strips, 8 * strips_of(e->geometry.template_rows) * e->strip_stride,
                             "rows of a template"));
  e->first_row = product_first_row(&e->geometry);
  if (e->centring.centre != 0) NCC_TRY(make_prefix(e, task->tmpl));
  ncc_pool_run(e->pool, strips_of(e->geometry.template_rows), template_rows_item, e);
  double t1 = now_s();
  counters->template_s += t1 - t0;
  ncc_pool_run(e->pool, column_turns(e), columns_item, e);
  counters->columns_s += now_s() - t1;
  double rows = (double)(e->geometry.template_rows + e->geometry.search.y1 - e->geometry.search.y0);
  counters->fft_floor_s +=
      rows / 2 * ncc_fft_cost_s(e->shape.cols) + 2.0 * (double)e->shape.half * ncc_fft_cost_s(e->shape.rows);

cleanup:
  return status;
}

/** Searches the product for what may be the peak. */
static ncc_status search(cpu_engine *e, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  e->best = -2;
  for (int t = 0; t < e->threads; t++) ncc_proposal_reset(&e->scratch[t].found);
  ncc_pool_run(e->pool, strips_of(product_rows(&e->geometry)), peak_item, e);
  if (stopped(e)) return NCC_ERR_STOPPED;
  for (int t = 0; t < e->threads; t++) NCC_TRY(ncc_proposal_merge(out, &e->scratch[t].found));
  NCC_TRY(ncc_proposal_finish(out));

cleanup:
  return status;
}

typedef struct look_job {
  const cpu_engine *e;
  const ncc_candidate *items;
  double ssd[MOST_LOOKED_AT];
} look_job;

static void look_item(void *context, int64_t item, int thread) {
  (void)thread;
  look_job *job = context;
  job->ssd[item] = ncc_cells_ssd(&job->e->cells, job->items[item].y, job->items[item].x);
}

/** More windows than that are summed together sooner than one by one. */
static int64_t most_looked_at(const ncc_geometry *g) {
  const int64_t count = 4 * trimmed_rows(g) * trimmed_cols(g) / (g->template_rows * g->template_cols);
  return count < MOST_LOOKED_AT ? count : MOST_LOOKED_AT;
}

/** Settles what bounds by cells have left, by ssd of these few windows; where they are many, by that of all. */
static ncc_status settle_roughly(cpu_engine *e, ncc_proposal *p) {
  ncc_status status = NCC_OK;
  const bool many = p->count > most_looked_at(&e->geometry) || p->cut_y != INT64_MAX;
  if (many) {
    NCC_TRY(give_bounds_up(e));
    ncc_proposal_reset(p);
    return search(e, p);
  }
  look_job job = {.e = e, .items = p->items};
  const int64_t count = p->count;
  ncc_pool_run(e->pool, count, look_item, &job);
  ncc_proposal_reset(p);
  for (int64_t i = 0; i < count; i++) {
    const ncc_candidate c = p->items[i];  // before its place is taken
    ncc_proposal_consider(p, &e->bounds, c.y, c.x, c.numerator / e->bounds.to_evaluation, job.ssd[i], &e->best);
  }
  NCC_TRY(ncc_proposal_finish(p));

cleanup:
  return status;
}

static ncc_status propose_one(cpu_engine *e, const ncc_task *task, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  if (!task->again) {
    NCC_TRY(prepare_image(e, task));
    NCC_TRY(make_product(e, task));
    if (stopped(e)) return NCC_ERR_STOPPED;
  }
  double t0 = now_s();
  e->task = task;
  double points = 4.0 * (double)e->shape.rows * (double)e->shape.cols;
  double error =
      (6 + log2(points) / 2) * 0x1p-23 * e->centring.norm * e->centring.unit * sqrt(task->tmpl->ssd) * e->tmpl_unit;
  // FFTW's inverse is not divided by the number of points, and unpacking spectra leaves a factor of two for each of the
  // image and the template; nor are our numerators. Slack: ssd, numerator and its correction are rounded to float32.
  double eps = e->context->eps, image_unit = e->centring.unit, slack = 4e-7;
  e->bounds = ncc_bounds_create(task->image, task->tmpl, e->stats.unit, e->tmpl_unit, eps, error * points, slack,
                                e->centring.centre != 0 ? slack : 0);
  // ssd is in units of stats.unit^2, numerators in image_unit * tmpl_unit * points.
  e->bounds.inv_norm *= e->stats.unit / (image_unit * points);
  e->bounds.to_evaluation = 1 / (image_unit * e->tmpl_unit * points);
  if (e->rough && e->cells.least <= e->bounds.zero_hi) NCC_TRY(give_bounds_up(e));  // some windows may be zeroed
  NCC_TRY(search(e, out));
  if (e->rough) NCC_TRY(settle_roughly(e, out));
  out->error = error / (image_unit * e->tmpl_unit);
  out->rounding = e->centring.centre != 0 ? slack : 0;
  e->context->counters->peak_s += now_s() - t0;

cleanup:
  return status;
}

static ncc_status cpu_propose(void *state, int64_t n, const ncc_task *tasks, ncc_proposal *proposals) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; i < n; i++) {
    if (stopped(state)) return NCC_ERR_STOPPED;
    NCC_TRY(propose_one(state, &tasks[i], &proposals[i]));
    const ncc_engine_context *context = ((cpu_engine *)state)->context;
    if (context->proposed && !tasks[i].again) NCC_TRY(context->proposed(context->user, i));
  }

cleanup:
  return status;
}

const ncc_engine_ops *ncc_engine_cpu(void) {
  static const ncc_engine_ops ops = {
      .name = "cpu", .create = cpu_create, .destroy = cpu_destroy, .propose = cpu_propose, .bytes = cpu_bytes};
  return &ops;
}
