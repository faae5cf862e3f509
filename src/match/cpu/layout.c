/** How the CPU engine's arrays lie; see state.h. */
#include <string.h>

#include "base/arithmetic.h"
#include "base/error.h"
#include "match/cpu/state.h"

#define CACHED_BYTES ((int64_t)16 << 20) /* strips beyond that are not in any cache when they are read */
#define WHOLE_BYTES ((int64_t)512 << 10) /* of strips: in a core's own cache, where columns may lie whole */

/** Columns lie apart by an odd number of lines: else they would share a few sets of the caches. */
static int64_t column_stride(const ncc_fft_shape *shape) {
  int64_t stride = ncc_round_up(shape->rows, 8);
  return stride % 16 == 0 ? stride + 8 : stride;
}

/** How strips lie. */
static void lay_strips(ncc_cpu_layout *l) {
  const int64_t columns = ncc_round_up(l->shape.half, NCC_COLUMN_BATCH);
  l->whole_columns = l->shape.rows < 2 * NCC_LEAST_PART && 8 * columns * l->column_stride <= WHOLE_BYTES;
  l->strip_step = l->whole_columns ? l->column_stride : NCC_ROW_BATCH;
  l->strip_stride = NCC_ROW_BATCH * (l->whole_columns ? 1 : columns % 64 == 0 ? columns + 8 : columns);
}

ncc_cpu_layout ncc_cpu_layout_choose(const ncc_geometry *g) {
  ncc_cpu_layout l = {
      .made = true, .geometry = *g, .shape = ncc_fft_shape_choose(g), .cost = ncc_numerators_cost_of(g)};
  l.geometry.n_exclude = 0;
  l.image_rows = g->trim.y1 - g->trim.y0;
  l.image_cols = g->trim.x1 - g->trim.x0;
  l.first_row = (g->search.y0 - g->trim.y0) / NCC_ROW_BATCH * NCC_ROW_BATCH;
  l.product_rows = g->search.y1 - g->trim.y0 - l.first_row;
  l.column_stride = column_stride(&l.shape);
  lay_strips(&l);
  l.past_caches = ncc_cpu_strips_bytes(&l) > CACHED_BYTES;
  return l;
}

ncc_status ncc_cpu_layout_plan(ncc_cpu *e, double *planning_s) {
  ncc_cpu_layout *l = &e->layout;
  if (l->plans) return NCC_OK;
  ncc_status status = ncc_fft_plans_get(&l->shape, e->context->config->fft_effort, planning_s, &l->plans);
  if (status != NCC_OK) return status;
  l->column_cut = l->plans->column.cut;
  l->column_cut.strip_stride = l->strip_stride;
  l->column_cut.strip_step = l->strip_step;
  l->column_cut.column_stride = l->column_stride;
  l->row_cut = l->plans->row.cut;
  l->row_cut.strip_stride = NCC_ROW_BATCH;
  return NCC_OK;
}

int64_t ncc_cpu_rows_bytes(const ncc_cpu_layout *l, int64_t rows) {
  if (l->whole_columns) return 8 * ncc_round_up(l->shape.half, NCC_COLUMN_BATCH) * l->column_stride;
  return 8 * ncc_cpu_strips(rows) * l->strip_stride;
}

int64_t ncc_cpu_strips_bytes(const ncc_cpu_layout *l) {
  return ncc_cpu_rows_bytes(l, ncc_max(l->image_rows, l->product_rows));
}

static int64_t longest_row(const ncc_geometry *g) {
  return ncc_round_up(ncc_max(g->image_cols, g->template_cols), 8);
}

static int64_t scratch_bytes(const ncc_cpu_layout *l) {
  const int64_t bytes = 8 * longest_row(&l->geometry) + 8 * 2 * NCC_PACKED_ROWS * l->shape.row_stride +
                        8 * 2 * (NCC_COLUMN_BATCH + 1) * l->column_stride + 4 * 2 * l->shape.row_stride;
  return ncc_round_up(bytes, 64);
}

static int64_t bytes_in_full(const ncc_geometry *g, int threads) {
  const ncc_cpu_layout l = ncc_cpu_layout_choose(g);
  int64_t spectrum = 8 * l.shape.half * l.column_stride;
  int64_t template_strips = ncc_cpu_rows_bytes(&l, g->template_rows);
  int64_t candidates = (int64_t)threads * NCC_CPU_CANDIDATES * (int64_t)sizeof(ncc_candidate);
  int64_t prefix = 8 * (g->template_rows + 1) * (g->template_cols + 1);
  int64_t direct = ncc_direct_pays(&l.cost, true) ? ncc_cpu_direct_bytes(g) : 0;
  int64_t reach = ncc_cpu_strips(l.product_rows) * (int64_t)sizeof(ncc_cpu_reach);
  return spectrum + reach + ncc_cpu_strips_bytes(&l) + template_strips + ncc_stats_bytes(g) + ncc_cells_bytes(g) +
         threads * scratch_bytes(&l) + candidates + prefix + ncc_cpu_rim_bytes(g) + direct;
}

int64_t ncc_cpu_bytes(const ncc_geometry *g, int threads) {
  return bytes_in_full(g, threads) + ncc_cpu_half_bytes(g, threads);
}

/** The engine of the half grid, that of a small search window, and what half.c makes for them. */
int64_t ncc_cpu_half_bytes(const ncc_geometry *g, int threads) {
  const int64_t around = 4 * (g->template_rows + 128) * (g->template_cols + 512);
  const int64_t tmpl = (g->template_rows + 32) * (g->template_cols + 32);
  return bytes_in_full(g, threads) / 2 + (g->image_rows + 32) * (g->image_cols + 32) * 4 + 8 * tmpl + 3 * around;
}

/** Makes room for every thread's scratch, in zeros. */
static ncc_status reserve_scratch(ncc_cpu *e, const ncc_cpu_layout *l) {
  ncc_status status = NCC_OK;
  const int64_t bytes = scratch_bytes(l);
  NCC_TRY(ncc_buffer_reserve(&e->scratch_buffer, bytes * e->threads, "rows and columns in work"));
  memset(e->scratch_buffer.data, 0, (size_t)(bytes * e->threads));
  for (int t = 0; t < e->threads; t++) {
    ncc_cpu_scratch *s = &e->scratch[t];
    s->pixels = (double *)((char *)e->scratch_buffer.data + t * bytes);
    s->rows = (ncc_c32 *)(s->pixels + longest_row(&l->geometry));
    s->spectra = s->rows + NCC_PACKED_ROWS * l->shape.row_stride;
    s->columns = s->spectra + NCC_PACKED_ROWS * l->shape.row_stride;
    s->transformed = s->columns + NCC_COLUMN_BATCH * l->column_stride;
    s->image_columns = s->transformed + l->column_stride;
    s->image_transformed = s->image_columns + NCC_COLUMN_BATCH * l->column_stride;
    s->maxima = (float *)(s->image_transformed + l->column_stride);
  }

cleanup:
  return status;
}

ncc_status ncc_cpu_layout_make(ncc_cpu *e, const ncc_geometry *g) {
  ncc_status status = NCC_OK;
  if (e->layout.made && ncc_geometry_equal(&e->layout.geometry, g)) return NCC_OK;
  const ncc_cpu_layout layout = ncc_cpu_layout_choose(g);
  e->layout.made = false;
  if (!ncc_direct_pays(&layout.cost, true)) ncc_cpu_direct_clear(e); /* its bytes are not among this geometry's */
  NCC_TRY(reserve_scratch(e, &layout));
  e->layout = layout;

cleanup:
  return status;
}
