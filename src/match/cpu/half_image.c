/** An image by half, and the energy of what that leaves of it; see half.c. */
#include <string.h>

#include "base/error.h"
#include "match/cpu/half.h"
#include "match/kernels/direct.h"
#include "match/kernels/half.h"

enum { PAD = 4, SHARP = 7, AROUND = SHARP / 2 };

void ncc_half_narrow_row(const ncc_cpu *e, const ncc_prepared *p, int64_t y, double c, double rest, double unit,
                         float *out) {
  const int64_t n = p->pixels.cols;
  ncc_prepared_row(p, y, 0, n, e->scratch[0].pixels);
  e->kernels->direct->narrow(e->scratch[0].pixels, n, c, rest, unit, out);
}

// ---- cells

ncc_status ncc_half_cells_begin(ncc_half_cells *cells, int64_t rows, int64_t cols) {
  cells->rows = ncc_ceil_div(rows, NCC_BLOCK_ROWS);
  cells->cols = ncc_ceil_div(cols, NCC_BLOCK_COLS);
  const int64_t bytes = 8 * (cells->rows + 1) * (cells->cols + 1);
  const ncc_status status = ncc_buffer_reserve(&cells->buffer, bytes, "energies of cells");
  if (status != NCC_OK) return status;
  cells->prefix = cells->buffer.data;
  memset(cells->prefix, 0, (size_t)bytes);
  return NCC_OK;
}

void ncc_half_cells_add(ncc_half_cells *cells, int64_t row, const float *sums, int64_t count, int64_t each) {
  const double *above = cells->prefix + row * (cells->cols + 1);
  double *here = cells->prefix + (row + 1) * (cells->cols + 1), sum = 0;
  for (int64_t c = 0; c < cells->cols; c++) {
    for (int64_t i = c * each; i < ncc_min((c + 1) * each, count); i++) sum += (double)sums[i];
    here[c + 1] = above[c + 1] + sum;
  }
}

double ncc_half_cells_sum(const ncc_half_cells *cells, const ncc_rect *r) {
  const int64_t y0 = ncc_max(0, r->y0) / NCC_BLOCK_ROWS, x0 = ncc_max(0, r->x0) / NCC_BLOCK_COLS;
  const int64_t y1 = ncc_min(cells->rows, ncc_ceil_div(ncc_max(0, r->y1), NCC_BLOCK_ROWS));
  const int64_t x1 = ncc_min(cells->cols, ncc_ceil_div(ncc_max(0, r->x1), NCC_BLOCK_COLS));
  if (y0 >= y1 || x0 >= x1) return 0;
  const double *top = cells->prefix + y0 * (cells->cols + 1), *bottom = cells->prefix + y1 * (cells->cols + 1);
  const double all = cells->prefix[(cells->rows + 1) * (cells->cols + 1) - 1];
  return bottom[x1] - bottom[x0] - top[x1] + top[x0] + 1e-13 * all; /* rounding of prefix sums */
}

// ---- the image

ncc_status ncc_half_take_image(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  static const float weights[] = {0.125F, 0.375F};
  const ncc_half_kernels *kernels = e->kernels->half;
  const ncc_prepared *image = e->task->image;
  const int64_t rows = ncc_half_image(image->pixels.rows), cols = ncc_half_image(image->pixels.cols);
  h->serial = h->cells_serial = -1;
  h->image_unit = ncc_image_unit(image, 0);
  NCC_TRY(ncc_buffer_reserve(&h->image_px, 4 * rows * cols, "half an image"));
  NCC_TRY(ncc_buffer_reserve(&h->work, 4 * (3 * cols + 2 * PAD), "a row of an image"));
  float *out = h->image_px.data, *row = h->work.data, *half = row + 2 * cols + 2 * PAD;
  memset(out, 0, (size_t)(4 * rows * cols));
  memset(row, 0, (size_t)(4 * (2 * cols + 2 * PAD)));
  for (int64_t y = 0; y < image->pixels.rows; y++) {
    ncc_half_narrow_row(e, image, y, 0, 0, h->image_unit, row + 3);
    kernels->shrink(row, cols, half);
    float *first = out + (y + 1) / 2 * cols;
    kernels->combine(half, 0, &weights[y % 2], 1, cols, true, first);
    kernels->combine(half, 0, &weights[1 - y % 2], 1, cols, true, first + cols);
  }
  ncc_prepared_clear(&h->image);
  NCC_TRY(ncc_prepared_create(e->context->pool, &(ncc_array){out, NCC_F32, rows, cols, cols}, false, &h->image));
  h->serial = e->task->image_serial;

cleanup:
  return status;
}

/** b, which stands for the image on the half grid: by and large what leaves least of it. Whatever it is, what it leaves
 *  is seen. @param[out] b  of element (0, 0), in zeros */
static void sharpen(const ncc_cpu *e, const ncc_cpu_half *h, int64_t stride, float *row, float *padded, float *b) {
  static const float taps[SHARP] = {-0.085F, 0.415F, -1.33F, 4.0F, -1.33F, 0.415F, -0.085F};
  const int64_t rows = h->image.pixels.rows, cols = h->image.pixels.cols;
  const float *A = h->image_px.data;
  for (int64_t q = 0; q < rows; q++)
    memcpy(padded + (q + AROUND) * stride + AROUND, A + q * cols, (size_t)cols * sizeof *A);
  for (int64_t q = 0; q < rows; q++) {
    e->kernels->half->combine(padded + q * stride, stride, taps, SHARP, stride, false, row);
    e->kernels->half->combine(row, 1, taps, SHARP, cols, false, b + q * stride);
  }
}

ncc_status ncc_half_take_detail(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  static const float even[] = {0.125F, 0.375F}, odd[] = {0.375F, 0.125F};
  enum { FRAME = NCC_HALF_FRAME, ELEMENTS = FRAME / 2 };
  const ncc_half_kernels *kernels = e->kernels->half;
  const ncc_prepared *image = e->task->image;
  const int64_t M = image->pixels.rows, N = image->pixels.cols, count = ncc_ceil_div(N + 2 * FRAME, 2);
  const int64_t stride = count + PAD, rows = ncc_ceil_div(M + 2 * FRAME, 2) + PAD;
  NCC_TRY(ncc_half_cells_begin(&h->detail, M + 2 * FRAME, N + 2 * FRAME));
  NCC_TRY(ncc_buffer_reserve(&h->work, 4 * stride * (2 * rows + 4), "an image from half of it"));
  float *b = h->work.data, *padded = b + rows * stride, *half = padded + rows * stride, *sums = half + stride;
  float *row = sums + stride;
  const float c = (float)(4 * image->mean * h->image_unit);
  h->detail_outside = (double)c * (double)c * NCC_HALF_WEIGHT / 4 * (1 + 1e-4);
  memset(b, 0, (size_t)(stride * (2 * rows + 4)) * sizeof *b);
  sharpen(e, h, stride, half, padded, b + ELEMENTS * (stride + 1));
  for (int64_t y = 0; y < M + 2 * FRAME; y++) {
    const float *first = b + (y + 1) / 2 * stride; /* a row has parts of two rows of elements */
    const bool on_image = y >= FRAME && y < M + FRAME;
    if (on_image) ncc_half_narrow_row(e, image, y - FRAME, 0, 0, h->image_unit, row + FRAME);
    if (y == FRAME + M) memset(row, 0, (size_t)(2 * stride) * sizeof *row);
    kernels->combine(first, stride, y % 2 ? odd : even, 2, stride, false, half);
    kernels->detail(row, half, count, sums);
    if (y % 2 == 0) kernels->squares(first + stride + 1, c, (float)NCC_HALF_WEIGHT, count, sums);
    if (y % NCC_BLOCK_ROWS < NCC_BLOCK_ROWS - 1 && y < M + 2 * FRAME - 1) continue;
    ncc_half_cells_add(&h->detail, y / NCC_BLOCK_ROWS, sums, count, NCC_BLOCK_COLS / 2);
    memset(sums, 0, (size_t)stride * sizeof *sums);
  }
  h->cells_serial = h->serial;

cleanup:
  return status;
}
