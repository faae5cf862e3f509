/** Numerators summed directly, for tiny templates and tiny search windows; see state.h.
 *
 *  The part of the image that templates reach, centred, scaled and in zeros where there is no image, is kept in float32
 *  as the template is: no position needs a branch.
 *
 *  Error bound, in units of ||I - c|| ||T'|| of that part alone: with u = 2^-24, rounding both to float32 adds 2u, each
 *  product u, and each of `ops` additions that a sum has seen u of its partial sum, which is at most that product of
 *  norms by Cauchy-Schwarz.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "match/cpu/state.h"
#include "match/kernels/direct.h"

static int64_t product_stride(const ncc_geometry *g) {
  return ncc_round_up(g->search.x1 - g->search.x0, NCC_DIRECT_COLS);
}

static int64_t product_rows(const ncc_geometry *g) {
  return ncc_round_up(g->search.y1 - g->search.y0, NCC_DIRECT_ROWS);
}

static int64_t image_stride(const ncc_geometry *g) {
  return ncc_round_up(product_stride(g) + g->template_cols - 1, 8);
}

static int64_t image_bytes(const ncc_geometry *g) {
  return 4 * (product_rows(g) + g->template_rows - 1) * image_stride(g);
}

enum { ZERO_ROWS = NCC_DIRECT_ROWS - 1 }; /* above and below the template */

static int64_t template_bytes(const ncc_geometry *g) {
  return 4 * (g->template_rows + 2 * ZERO_ROWS) * g->template_cols;
}

static int64_t product_bytes(const ncc_geometry *g) {
  return 4 * product_rows(g) * product_stride(g);
}

int64_t ncc_cpu_direct_bytes(const ncc_geometry *g) {
  return image_bytes(g) + product_bytes(g) + template_bytes(g) + 8 * (g->trim.y1 - g->trim.y0);
}

ncc_status ncc_cpu_direct_begin(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &e->layout.geometry;
  NCC_TRY(ncc_buffer_reserve(&e->direct.image, image_bytes(g), "pixels that templates reach"));
  NCC_TRY(ncc_buffer_reserve(&e->direct.product, product_bytes(g), "numerators"));
  NCC_TRY(ncc_buffer_reserve(&e->direct.squares, 8 * e->layout.image_rows, "squares of rows"));
  memset(e->direct.image.data, 0, (size_t)image_bytes(g));
  memset(e->direct.product.data, 0, (size_t)product_bytes(g));  // columns that nobody searches are looked at, too

cleanup:
  return status;
}

void ncc_cpu_direct_clear(ncc_cpu *e) {
  ncc_buffer_free(&e->direct.image);
  ncc_buffer_free(&e->direct.tmpl);
  ncc_buffer_free(&e->direct.product);
  ncc_buffer_free(&e->direct.squares);
}

void ncc_cpu_direct_add_strip(ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip) {
  const ncc_cpu_layout *l = &e->layout;
  const ncc_geometry *g = &l->geometry;
  // The first pixel that a template reaches is that of row search.y0 - m + 1, column search.x0 - n + 1.
  const int64_t down = g->trim.y0 - (g->search.y0 - g->template_rows + 1);
  const int64_t right = g->trim.x0 - (g->search.x0 - g->template_cols + 1);
  const int64_t end = ncc_min((strip + 1) * NCC_ROW_BATCH, l->image_rows);
  for (int64_t row = strip * NCC_ROW_BATCH; row < end; row++) {
    ncc_prepared_row(e->task->image, g->trim.y0 + row, g->trim.x0, l->image_cols, s->pixels);
    ((double *)e->direct.squares.data)[row] =
        e->kernels->direct->narrow(s->pixels, l->image_cols, e->image.centring.centre, 0, e->image.centring.unit,
                                   (float *)e->direct.image.data + (down + row) * image_stride(g) + right);
  }
}

void ncc_cpu_direct_finish(ncc_cpu *e) {
  double sum = 0;
  for (int64_t row = 0; row < e->layout.image_rows; row++) sum += ((const double *)e->direct.squares.data)[row];
  e->direct.norm = sqrt(sum) / e->image.centring.unit;
}

static ncc_status take_template(ncc_cpu *e) {
  const ncc_prepared *tmpl = e->task->tmpl;
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t n = g->template_cols;
  const ncc_status status = ncc_buffer_reserve(&e->direct.tmpl, template_bytes(g), "pixels of a template");
  if (status != NCC_OK) return status;
  float *first = (float *)e->direct.tmpl.data + ZERO_ROWS * n, *behind = first + g->template_rows * n;
  double *pixels = e->scratch[0].pixels;
  memset(e->direct.tmpl.data, 0, (size_t)(ZERO_ROWS * n) * sizeof *first);
  memset(behind, 0, (size_t)(ZERO_ROWS * n) * sizeof *first);
  for (int64_t row = 0; row < g->template_rows; row++) {
    ncc_prepared_row(tmpl, row, 0, n, pixels);
    e->kernels->direct->narrow(pixels, n, tmpl->mean, tmpl->rest, e->tmpl.unit, first + row * n);
  }
  return NCC_OK;
}

static void correlate_item(void *context, int64_t item, int thread) {
  (void)thread;
  ncc_cpu *e = context;
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t row = item * NCC_DIRECT_ROWS, stride = product_stride(g), n = g->template_cols;
  if (ncc_cpu_stopped(e)) return;
  e->kernels->direct->correlate((const float *)e->direct.image.data + row * image_stride(g), image_stride(g),
                                (const float *)e->direct.tmpl.data + ZERO_ROWS * n, g->template_rows, n,
                                g->search.x1 - g->search.x0, (float *)e->direct.product.data + row * stride, stride);
}

ncc_status ncc_cpu_direct_product(ncc_cpu *e) {
  const ncc_status status = take_template(e);
  const int64_t items = product_rows(&e->layout.geometry) / NCC_DIRECT_ROWS;
  if (status == NCC_OK) ncc_pool_run(e->context->pool, items, correlate_item, e);
  return status;
}

void ncc_cpu_direct_rows(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t y, int rows) {
  const ncc_geometry *g = &e->layout.geometry;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t stride = product_stride(g), at = g->search.x0 - stats->x0;
  const float *product = e->direct.product.data, *zeros = s->maxima;
  memset(s->maxima, 0, (size_t)stride * sizeof *s->maxima);
  for (int r = 0; r < rows; r += 2) {
    ncc_c32 *out = s->rows + r / 2 * e->layout.shape.row_stride + (stats->x0 - g->trim.x0);
    const float *of[2] = {zeros, zeros};
    for (int k = 0; k < 2; k++)
      if (r + k < rows && y + r + k >= g->search.y0) of[k] = product + (y + r + k - g->search.y0) * stride;
    memset(out, 0, (size_t)at * sizeof *out);
    e->kernels->direct->pair_rows(of[0], of[1], ncc_min(stride, stats->stride), out + at);
    if (at + stride < stats->stride) memset(out + at + stride, 0, (size_t)(stats->stride - at - stride) * sizeof *out);
  }
}

double ncc_cpu_direct_error(const ncc_cpu *e) {
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t together = ncc_direct_rows_together(g->template_cols);
  const int64_t ops = together * g->template_cols + ncc_ceil_div(g->template_rows + ZERO_ROWS, together);
  return (double)(ops + 4) * 0x1p-24 * e->direct.norm;
}
