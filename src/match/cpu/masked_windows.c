/** What is known of the image's pixels at all positions, where the template has no mask: the sums are those of whole
 *  rectangles, so that no transform is needed. Column sums slide down the rows; prefix sums of these give a row.
 */
#include <math.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "match/cpu/masked.h"

enum { AHEAD = 8 }; /* what vectors read beyond the end */

/** How the sums are made. */
typedef struct maker {
  ncc_cpu_masked *m;
  int64_t width;  // of the trimmed image
  int64_t pairs;  // of rows, for each item
  int64_t stride;
  double c;
  ncc_masked_row row;
  double *scratch;  // [threads][stride]
} maker;

/** Scratch of a thread. */
typedef struct work {
  ncc_masked_columns columns, prefix;
  double *in, *out;
} work;

static int64_t prefix_length(const ncc_geometry *g) {
  return g->trim.x1 - g->trim.x0 + 2 * g->template_cols + 1 + AHEAD;
}

static int64_t scratch_length(const ncc_geometry *g) {
  return 5 * (g->trim.x1 - g->trim.x0) + 3 * prefix_length(g);
}

static work work_of(const maker *k, int thread) {
  const ncc_geometry *g = &k->m->cpu->layout.geometry;
  const int64_t width = k->width, length = prefix_length(g);
  double *p = k->scratch + thread * k->stride;
  double *q = p + 5 * width;
  return (work){{p, p + width, p + 2 * width}, {q, q + length, q + 2 * length}, p + 3 * width, p + 4 * width};
}

/** A row's pixels in the trimmed columns, and its mask; NULL: not on the image. */
static const double *take_row(const maker *k, int64_t y, double *to, const uint8_t **valid) {
  const ncc_prepared *image = k->m->task->image;
  const int64_t x0 = k->m->cpu->layout.geometry.trim.x0;
  if (y < 0 || y >= image->pixels.rows) return NULL;
  *valid = image->valid + y * image->pixels.cols + x0;
  k->m->cpu->kernels->to_f64(image->pixels.dtype, ncc_array_at(&image->pixels, y, x0), k->width, to);
  return to;
}

static void slide(const maker *k, const work *w, int64_t in_row, int64_t out_row) {
  const uint8_t *in_valid = NULL, *out_valid = NULL;
  const double *in = take_row(k, in_row, w->in, &in_valid), *out = take_row(k, out_row, w->out, &out_valid);
  k->m->cpu->kernels->masked->slide(in, in_valid, out, out_valid, k->width, k->m->task->image->scale, k->c,
                                    &w->columns);
}

/** Prefix sums with as many zeros before them as the template has columns, and as many totals behind. */
static void make_prefix(const maker *k, const work *w, int64_t cols) {
  double *const sums[] = {w->prefix.n, w->prefix.s, w->prefix.q};
  const ncc_masked_columns inside = {w->prefix.n + cols, w->prefix.s + cols, w->prefix.q + cols};
  k->m->cpu->kernels->masked->prefix(&w->columns, k->width, &inside);
  for (int i = 0; i < 3; i++)
    for (int64_t x = cols + k->width + 1; x < k->width + 2 * cols + 1 + AHEAD; x++)
      sums[i][x] = sums[i][cols + k->width];
}

ncc_masked_windows ncc_cpu_masked_windows_at(const ncc_cpu_masked *m, int64_t pair) {
  const int64_t count = 2 * NCC_BLOCK_COLS * ncc_cpu_masked_blocks(&m->cpu->layout.geometry);
  float *at = (float *)m->windows.data + 3 * count * pair;
  return (ncc_masked_windows){count / 2, at, at + count, at + 2 * count};
}

int64_t ncc_cpu_masked_blocks(const ncc_geometry *g) {
  return ncc_ceil_div(g->search.x1 - g->trim.x0 - (g->search.x0 - g->trim.x0) / NCC_BLOCK_COLS * NCC_BLOCK_COLS,
                      NCC_BLOCK_COLS);
}

static void rows_item(void *context, int64_t item, int thread) {
  const maker *k = context;
  ncc_cpu *e = k->m->cpu;
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t m = g->template_rows, top = g->trim.y0 + e->layout.first_row;
  const int64_t first = ncc_max(top + 2 * item * k->pairs, g->search.y0);
  const int64_t end = ncc_min(top + 2 * (item + 1) * k->pairs, g->search.y1);
  const int64_t skipped = (g->search.x0 - g->trim.x0) % NCC_BLOCK_COLS,
                count = NCC_BLOCK_COLS * ncc_cpu_masked_blocks(g);
  const work w = work_of(k, thread);
  memset(w.columns.n, 0, (size_t)k->stride * sizeof(double));
  for (int64_t y = first - m; y < first; y++) slide(k, &w, y, -1);
  for (int64_t y = first; y < end && !ncc_cpu_stopped(e); y++) {
    ncc_masked_windows to = ncc_cpu_masked_windows_at(k->m, (y - top) / 2);
    slide(k, &w, y, y - m);
    make_prefix(k, &w, g->template_cols);
    if (y == first || (y - top) % 2 == 0)
      for (int64_t i = 0; i < 2 * count; i++) to.least[i] = NCC_MASKED_NOT_SEARCHED;
    const int64_t at = skipped + (y - top) % 2 * to.apart, lo = g->search.x0 + 1 - g->trim.x0;
    to = (ncc_masked_windows){0, to.inverse + at, to.mean + at, to.least + at};
    const ncc_masked_columns prefix = {w.prefix.n + lo, w.prefix.s + lo, w.prefix.q + lo};
    e->kernels->masked->row(&prefix, &k->row, g->search.x1 - g->search.x0, &to);
  }
}

int64_t ncc_cpu_masked_windows_bytes(const ncc_geometry *g, int64_t rows, int threads) {
  return 4 * 3 * 2 * NCC_BLOCK_COLS * ncc_cpu_masked_blocks(g) * ncc_ceil_div(rows, 2) +
         8 * threads * scratch_length(g);
}

ncc_status ncc_cpu_masked_windows_make(ncc_cpu_masked *m) {
  ncc_status status = NCC_OK;
  ncc_cpu *e = m->cpu;
  const ncc_prepared *image = m->task->image;
  const ncc_geometry *g = &e->layout.geometry;
  const ncc_dtype type = image->pixels.dtype;
  const int64_t pairs = ncc_ceil_div(e->layout.product_rows, 2), rows = e->layout.product_rows;
  maker k = {.m = m, .width = g->trim.x1 - g->trim.x0, .pairs = ncc_ceil_div(pairs, e->threads), .c = image->mean};
  ncc_buffer scratch = {0};
  const double c = nearbyint(image->mean), largest = fmax(image->hi - c, c - image->lo);
  const bool integers = type == NCC_U8 || type == NCC_I8 || type == NCC_U16 || type == NCC_I16;
  const bool exact = integers && (double)(g->template_rows + 1) * (double)k.width * largest * largest < 0x1p52;
  if (exact) k.c = c;
  const double ops = (double)(2 * rows + 2 * g->template_rows + k.width + 16) * 0x1p-53;
  k.row = (ncc_masked_row){.tmpl_cols = g->template_cols,
                           .need = (double)m->need,
                           .offset = k.c - image->mean,
                           .unit = m->image_unit,
                           .s_error = exact ? 0 : ops * sqrt((double)image->n_valid * image->ssd),
                           .q_error = exact ? 0 : ops * image->ssd};
  k.stride = scratch_length(g);
  NCC_TRY(ncc_buffer_reserve(&m->windows, ncc_cpu_masked_windows_bytes(g, rows, 0), "windows of masked images"));
  NCC_TRY(ncc_buffer_reserve(&scratch, 8 * e->threads * k.stride, "windows of masked images"));
  k.scratch = scratch.data;
  ncc_pool_run(e->context->pool, e->threads, rows_item, &k);

cleanup:
  ncc_buffer_free(&scratch);
  return status;
}
