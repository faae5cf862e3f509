/** The numerators of all positions: the image's spectrum times that of a template, back in rows. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "match/cpu/state.h"

/** Rows of the template in reversed order, each reversed: a convolution with these is the correlation. */
static void template_rows_item(void *context, int64_t strip, int thread) {
  ncc_cpu *e = context;
  const ncc_prepared *tmpl = e->task->tmpl;
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t first = strip * NCC_ROW_BATCH, left = g->template_rows - first;
  const ncc_cpu_rows rows = {.prepared = tmpl,
                             .first = g->template_rows - 1 - first,
                             .step = -1,
                             .count = left < NCC_ROW_BATCH ? left : NCC_ROW_BATCH,
                             .n = g->template_cols,
                             .c = tmpl->mean,
                             .rest = tmpl->rest,
                             .unit = e->tmpl.unit,
                             .reversed = true};
  ncc_cpu_rows_forward(e, &e->scratch[thread], &rows, (ncc_c32 *)e->tmpl.strips.data + strip * e->layout.strip_stride);
}

/** A block of columns: forward, times the image's spectrum, and back to strips, part by part, which stay in the first
 *  cache. An image that is kept as rows leaves the strips here, where the product then goes. */
static void columns_item(void *context, int64_t turn, int thread) {
  ncc_cpu *e = context;
  ncc_cpu_scratch *s = &e->scratch[thread];
  const ncc_cpu_layout *l = &e->layout;
  const ncc_cut_plan *plan = &l->plans->column;
  const int64_t first = ncc_cpu_first_column(e, turn), stride = l->column_stride, length = l->column_cut.length;
  const bool as_rows = e->image.form == NCC_CPU_ROWS;
  if (first >= l->shape.half || ncc_cpu_stopped(e)) return;
  int64_t columns;
  ncc_c32 *image = as_rows ? ncc_cpu_columns(e, &e->strips, l->image_rows, first, s->image_columns, &columns) : NULL;
  ncc_c32 *tmpl = ncc_cpu_columns(e, &e->tmpl.strips, l->geometry.template_rows, first, s->columns, &columns);
  ncc_c32 *product = l->whole_columns ? (ncc_c32 *)e->strips.data + first * stride : tmpl;
  const ncc_c32 *spectra = (const ncc_c32 *)e->image.spectrum.data + first * stride;
  for (int64_t j = 0; j < columns; j++)
    for (int k = 0; k < l->column_cut.parts; k++) {
      const int64_t at = j * stride + k * length;
      const ncc_c32 *factors = spectra + at;
      if (as_rows) {
        fftwf_execute_dft(plan->forward, image + at, s->image_transformed);
        factors = (const ncc_c32 *)s->image_transformed;
      }
      fftwf_execute_dft(plan->forward, tmpl + at, s->transformed);
      e->kernels->cut->multiply(s->transformed, factors, length);
      fftwf_execute_dft(plan->inverse, s->transformed, product + at);
    }
  if (l->whole_columns) return;
  e->kernels->cut->join_strips(&l->column_cut, (const ncc_c32 *)product, columns, l->first_row / NCC_ROW_BATCH,
                               ncc_cpu_strips(l->product_rows), (ncc_c32 *)e->strips.data + first * NCC_ROW_BATCH,
                               l->past_caches && !as_rows);  // else these lines have just been read
}

/** Prefix sums of T' in both directions, in template coordinates. */
static ncc_status make_prefix(ncc_cpu *e) {
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t count = (g->template_rows + 1) * (g->template_cols + 1);
  ncc_status status = ncc_buffer_reserve(&e->tmpl.prefix, 8 * count, "prefix sums of a template");
  if (status == NCC_OK) ncc_prepared_prefix(e->task->tmpl, e->tmpl.unit, e->scratch[0].pixels, e->tmpl.prefix.data);
  return status;
}

void ncc_cpu_product_add_overhang(const ncc_cpu *e, int64_t y, float *row) {
  const ncc_geometry *g = &e->layout.geometry;
  if (g->ignores_outside) {
    ncc_cpu_rim_correct(e, y, row);
    return;
  }
  const int64_t m = g->template_rows, n = g->template_cols, N = g->image_cols;
  const int64_t top = ncc_overlap_first(m, y), bottom = ncc_overlap_end(g->image_rows, m, y);
  const ncc_centring *centring = &e->image.centring;
  const double scale = centring->centre * centring->unit * ncc_cpu_points(e);
  const bool rows_inside = top == 0 && bottom == m;
  for (int64_t x = g->search.x0; x < g->search.x1; x++) {
    if (rows_inside && x >= n - 1 && x < N) {
      x = N - 1;
      continue;
    }
    const int64_t left = ncc_overlap_first(n, x), right = ncc_overlap_end(N, n, x);
    row[2 * (x - g->trim.x0)] += (float)(scale * ncc_prefix_sum(e->tmpl.prefix.data, n, top, bottom, left, right));
  }
}

double ncc_cpu_product_floor_s(const ncc_cpu_layout *l) {
  const double rows = (double)(l->geometry.template_rows + l->geometry.search.y1 - l->geometry.search.y0);
  return rows / 2 * ncc_fft_cost_s(l->shape.cols) + 2.0 * (double)l->shape.half * ncc_fft_cost_s(l->shape.rows);
}

static ncc_status transform(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const ncc_cpu_layout *l = &e->layout;
  const ncc_geometry *g = &l->geometry;
  ncc_counters *counters = e->context->counters;
  const double t0 = ncc_clock_s();
  NCC_TRY(ncc_buffer_reserve(&e->tmpl.strips, ncc_cpu_rows_bytes(l, g->template_rows), "rows of a template"));
  ncc_pool_run(e->context->pool, ncc_cpu_strips(g->template_rows), template_rows_item, e);
  const double t1 = ncc_clock_s();
  counters->template_s += t1 - t0;
  ncc_pool_run(e->context->pool, ncc_cpu_column_turns(e), columns_item, e);
  counters->columns_s += ncc_clock_s() - t1;
  counters->fft_floor_s += ncc_cpu_product_floor_s(l);

cleanup:
  return status;
}

static ncc_status sum_directly(ncc_cpu *e) {
  const double t0 = ncc_clock_s();
  const ncc_status status = ncc_cpu_direct_product(e);
  e->context->counters->columns_s += ncc_clock_s() - t0;
  return status;
}

ncc_status ncc_cpu_product_make(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const double t0 = ncc_clock_s();
  e->tmpl.unit = ncc_template_unit(e->task->tmpl);
  if (e->layout.geometry.ignores_outside)
    NCC_TRY(ncc_cpu_rim_take_template(e));
  else if (e->image.centring.centre != 0)
    NCC_TRY(make_prefix(e));
  e->context->counters->template_s += ncc_clock_s() - t0;
  NCC_TRY(e->image.form == NCC_CPU_DIRECT ? sum_directly(e) : transform(e));

cleanup:
  return status;
}

void ncc_cpu_product_rows(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip, int64_t y, int rows) {
  const ncc_cpu_layout *l = &e->layout;
  const int64_t at = l->whole_columns ? l->first_row : 0;
  if (e->image.form == NCC_CPU_DIRECT)
    ncc_cpu_direct_rows(e, s, y, rows);
  else
    ncc_cpu_rows_inverse(e, s, (const ncc_c32 *)e->strips.data + at + strip * l->strip_stride, (rows + 1) / 2);
}

double ncc_cpu_product_error(const ncc_cpu *e) {
  const double norm = e->image.centring.norm, rim = ncc_cpu_rim_error(e) * norm;
  if (e->image.form == NCC_CPU_DIRECT) return ncc_cpu_direct_error(e) + rim;
  return (6 + log2(ncc_cpu_points(e)) / 2) * 0x1p-23 * norm + rim;
}
