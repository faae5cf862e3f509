/** See template_overlap.h. */
#include "match/template_overlap.h"

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "match/formulas.h"

enum { ROWS_AT_ONCE = 4 }; /* chains of additions, of which a core has several in work */

int64_t ncc_template_overlap_bytes(int64_t rows, int64_t cols) {
  return 16 * (rows + 1) * (cols + 1) + 8 * ROWS_AT_ONCE * cols + 4 * 4 * (rows + 1);
}

/** Columns from a side of a row that equal `value`. */
static int64_t equal_run(const ncc_array *pixels, int64_t row, bool from_right, double value) {
  int64_t n = 0;
  while (n < pixels->cols && ncc_array_value(pixels, row, from_right ? pixels->cols - 1 - n : n) == value) n++;
  return n;
}

static void find_flat(const ncc_array *pixels, bool bottom, bool right, int32_t *most) {
  const int64_t rows = pixels->rows, cols = pixels->cols;
  const double value = ncc_array_value(pixels, bottom ? rows - 1 : 0, right ? cols - 1 : 0);
  int64_t least = cols;
  most[0] = (int32_t)cols;
  for (int64_t r = 0; r < rows; r++) {
    if (least > 0) least = ncc_min(least, equal_run(pixels, bottom ? rows - 1 - r : r, right, value));
    most[r + 1] = (int32_t)least;
  }
}

/** Adds `n` rows from `y` on, a constant where this is inlined. @param[in] pixels  [n][cols] */
static inline void add_rows(const ncc_prepared *tmpl, double unit, int64_t y, int n, const double *pixels,
                            const ncc_template_overlap *out) {
  const int64_t cols = out->cols, stride = cols + 1;
  double sum[ROWS_AT_ONCE] = {0}, square[ROWS_AT_ONCE] = {0};
  double *sums = out->sums + y * stride, *squares = out->squares + y * stride;
  for (int r = 1; r <= n; r++) sums[r * stride] = squares[r * stride] = 0;
  for (int64_t x = 0; x < cols; x++) {
    double all = sums[x + 1], all_squares = squares[x + 1];
#pragma GCC unroll 4
    for (int r = 0; r < n; r++) {
      const double t = ((pixels[r * cols + x] - tmpl->mean) - tmpl->rest) * unit;
      sum[r] += t;
      square[r] += t * t;
      sums[(r + 1) * stride + x + 1] = all += sum[r];
      squares[(r + 1) * stride + x + 1] = all_squares += square[r];
    }
  }
}

ncc_status ncc_template_overlap_create(const ncc_prepared *tmpl, double unit, ncc_template_overlap *out) {
  const int64_t rows = tmpl->pixels.rows, cols = tmpl->pixels.cols, stride = cols + 1;
  ncc_status status =
      ncc_buffer_reserve(&out->buffer, ncc_template_overlap_bytes(rows, cols), "prefix sums of a template");
  if (status != NCC_OK) return status;
  out->rows = rows;
  out->cols = cols;
  out->sums = out->buffer.data;
  out->squares = out->sums + (rows + 1) * stride;
  double *row = out->squares + (rows + 1) * stride;
  out->inverse_ssd = 1 / (tmpl->ssd * unit * unit);
  for (int64_t x = 0; x <= cols; x++) out->sums[x] = out->squares[x] = 0;
  for (int64_t y = 0; y < rows; y += ROWS_AT_ONCE) {
    const int64_t n = ncc_min(rows - y, ROWS_AT_ONCE);
    for (int64_t r = 0; r < n; r++) ncc_prepared_row(tmpl, y + r, 0, cols, row + r * cols);
    for (int64_t r = 0; n < ROWS_AT_ONCE && r < n; r++) add_rows(tmpl, unit, y + r, 1, row + r * cols, out);
    if (n == ROWS_AT_ONCE) add_rows(tmpl, unit, y, ROWS_AT_ONCE, row, out);
  }
  void *flat = row + ROWS_AT_ONCE * cols; /* numbers of another type lie behind the rows */
  for (int corner = 0; corner < 4; corner++) {
    out->flat[corner] = (int32_t *)flat + corner * (rows + 1);
    find_flat(&tmpl->pixels, corner / 2 == 1, corner % 2 == 1, out->flat[corner]);
  }
  return NCC_OK;
}

void ncc_template_overlap_clear(ncc_template_overlap *overlap) {
  ncc_buffer_free(&overlap->buffer);
  *overlap = (ncc_template_overlap){0};
}

ncc_template_part ncc_template_part_at(int64_t image_rows, int64_t image_cols, int64_t rows, int64_t cols, int64_t y,
                                       int64_t x) {
  return (ncc_template_part){ncc_overlap_first(rows, y), ncc_overlap_end(image_rows, rows, y),
                             ncc_overlap_first(cols, x), ncc_overlap_end(image_cols, cols, x)};
}

double ncc_template_overlap_sum(const ncc_template_overlap *o, const ncc_template_part *p) {
  return ncc_prefix_sum(o->sums, o->cols, p->top, p->bottom, p->left, p->right);
}

/** ssd of a part that is not empty, in units of T', and its rounding bound. */
static double part_ssd(const ncc_template_overlap *o, const ncc_template_part *p, double *error) {
  const double n = (double)((p->bottom - p->top) * (p->right - p->left));
  const double sum = ncc_template_overlap_sum(o, p);
  const double squares = ncc_prefix_sum(o->squares, o->cols, p->top, p->bottom, p->left, p->right);
  const double ops = (double)(4 * (o->rows + o->cols) + 16), mass = o->squares[(o->rows + 1) * (o->cols + 1) - 1];
  *error = ncc_ssd_rounding(ops, (double)(o->rows * o->cols), mass, n, 0);
  return squares - sum * sum / n;
}

static bool part_is_flat(const ncc_template_overlap *o, const ncc_template_part *p) {
  const int corner = (p->top > 0 ? 2 : 0) + (p->left > 0 ? 1 : 0);
  return p->right - p->left <= o->flat[corner][p->bottom - p->top];
}

double ncc_template_overlap_ssd(const ncc_template_overlap *o, const ncc_template_part *p, double well_above) {
  double error;
  const double ssd = part_ssd(o, p, &error);
  if (ssd >= well_above * error) return ssd * o->inverse_ssd;
  if (part_is_flat(o, p)) return 0;
  return ssd > 2 * error ? -(ssd - error) * o->inverse_ssd : -1e-37;
}

double ncc_template_overlap_least(const ncc_template_overlap *o, const ncc_template_part *p) {
  double error;
  if (p->top >= p->bottom || p->left >= p->right) return 0;
  const double ssd = part_ssd(o, p, &error) - error;
  return ssd > 0 ? ssd * o->inverse_ssd : 0;
}
