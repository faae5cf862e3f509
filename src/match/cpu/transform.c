/** What image, template and product share of their transforms; see state.h. */
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "match/cpu/state.h"
#include "match/kernels/masked.h"

/** Transforms a packed row, of whose points `filled` are not zero; `row` is lost. */
static void row_forward(const ncc_cpu *e, ncc_c32 *row, int64_t filled, ncc_c32 *spectrum) {
  const ncc_cut *cut = &e->layout.row_cut;
  if (cut->parts > 1) e->kernels->cut->split_strips(cut, (const ncc_c32 *)row, ncc_cpu_strips(filled), 1, row);
  for (int k = 0; k < cut->parts; k++)
    fftwf_execute_dft(e->layout.plans->row.forward, row + k * cut->length, spectrum + k * (cut->length + NCC_PART_GAP));
}

static void row_inverse(const ncc_cpu *e, ncc_c32 *spectrum, ncc_c32 *row) {
  const ncc_cut *cut = &e->layout.row_cut;
  for (int k = 0; k < cut->parts; k++)
    fftwf_execute_dft(e->layout.plans->row.inverse, spectrum + k * (cut->length + NCC_PART_GAP), row + k * cut->length);
  if (cut->parts > 1)
    e->kernels->cut->join_strips(cut, (const ncc_c32 *)row, 1, 0, ncc_cpu_strips(e->layout.shape.cols), row, false);
}

/** Of packed rows `at` and, if there is one, the next. */
static void mask_rows(const ncc_cpu *e, const ncc_cpu_rows *rows, int64_t at, bool both, ncc_c32 *row) {
  const int64_t cols = rows->prepared->pixels.cols;
  const uint8_t *a = rows->valid ? rows->valid + at * cols + rows->x0 : NULL;
  const uint8_t *b = a && both ? a + rows->step * cols : NULL;
  e->kernels->masked->mask_rows(a, b, rows->n, rows->reversed, rows->squared, row);
}

void ncc_cpu_rows_forward(const ncc_cpu *e, ncc_cpu_scratch *s, const ncc_cpu_rows *rows, ncc_c32 *strip) {
  const ncc_fft_shape *shape = &e->layout.shape;
  const ncc_array *pixels = &rows->prepared->pixels;
  // A power of two commutes with rounding: scaled pixels less a scaled mean are pixels less the mean, scaled.
  const double scale = rows->prepared->scale;
  for (int r = 0; r < NCC_PACKED_ROWS; r++) {
    ncc_c32 *row = s->rows + r * shape->row_stride;
    int64_t filled = 0, at = rows->first + 2 * r * rows->step;
    if (2 * r < rows->count) {
      filled = rows->n;
      const void *a = ncc_array_at(pixels, at, rows->x0);
      const void *b = 2 * r + 1 < rows->count ? ncc_array_at(pixels, at + rows->step, rows->x0) : NULL;
      e->kernels->pack_rows(pixels->dtype, a, b, rows->n, rows->c / scale, rows->rest / scale, rows->unit * scale,
                            rows->reversed, row);
      if (rows->valid || rows->squared) mask_rows(e, rows, at, b != NULL, row);
    }
    memset(row + filled, 0, (size_t)(shape->cols - filled) * sizeof *row);
    row_forward(e, row, filled, s->spectra + r * shape->row_stride);
  }
  const ncc_cut *cut = &e->layout.row_cut;
  e->kernels->spectra->unpack_spectra(s->spectra, shape->row_stride, cut->parts, cut->length, strip,
                                      e->layout.strip_step, e->layout.past_caches);
}

void ncc_cpu_rows_inverse(const ncc_cpu *e, ncc_cpu_scratch *s, const ncc_c32 *strip, int packed) {
  const ncc_cut *cut = &e->layout.row_cut;
  const int64_t stride = e->layout.shape.row_stride;
  e->kernels->spectra->pack_spectra(strip, e->layout.strip_step, cut->parts, cut->length, s->spectra, stride);
  for (int r = 0; r < packed; r++) row_inverse(e, s->spectra + r * stride, s->rows + r * stride);
}

int64_t ncc_cpu_column_turns(const ncc_cpu *e) {
  const int64_t blocks = (e->layout.shape.half + NCC_COLUMN_BATCH - 1) / NCC_COLUMN_BATCH;
  return ncc_round_up(blocks, e->threads);
}

/** Threads work far apart: in neighbouring blocks each would have lines prefetched that the other is writing, and two
 *  threads be no faster than one. */
int64_t ncc_cpu_first_column(const ncc_cpu *e, int64_t turn) {
  const int64_t each = ncc_cpu_column_turns(e) / e->threads;
  return (turn % e->threads * each + turn / e->threads) * NCC_COLUMN_BATCH;
}

int64_t ncc_cpu_take_columns(const ncc_cpu *e, const ncc_buffer *strips, int64_t rows, int64_t first, ncc_c32 *out) {
  const int64_t left = e->layout.shape.half - first, columns = left < NCC_COLUMN_BATCH ? left : NCC_COLUMN_BATCH;
  e->kernels->cut->split_strips(&e->layout.column_cut, (const ncc_c32 *)strips->data + first * e->layout.strip_step,
                                ncc_cpu_strips(rows), columns, out);
  return columns;
}

ncc_c32 *ncc_cpu_columns(const ncc_cpu *e, const ncc_buffer *strips, int64_t rows, int64_t first, ncc_c32 *out,
                         int64_t *columns) {
  const ncc_cpu_layout *l = &e->layout;
  if (!l->whole_columns) {
    *columns = ncc_cpu_take_columns(e, strips, rows, first, out);
    return out;
  }
  ncc_c32 *whole = (ncc_c32 *)strips->data + first * l->column_stride;
  const int64_t filled = ncc_cpu_strips(rows) * NCC_ROW_BATCH;
  *columns = ncc_min(l->shape.half - first, NCC_COLUMN_BATCH);
  for (int64_t j = 0; j < *columns && filled < l->column_stride; j++)
    memset(whole + j * l->column_stride + filled, 0, (size_t)(l->column_stride - filled) * sizeof *whole);
  return whole;
}
