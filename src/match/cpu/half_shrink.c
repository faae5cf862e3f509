/** Image and template by half; see half.c. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "match/cpu/half.h"
#include "match/kernels/direct.h"
#include "match/kernels/half.h"

enum { PAD = 4 };

/** A row in float32, times the prepared scale, less `c` and `rest`, times `unit`. */
static void narrow_row(const ncc_cpu *e, const ncc_prepared *p, int64_t y, double c, double rest, double unit,
                       float *out) {
  const int64_t n = p->pixels.cols;
  ncc_prepared_row(p, y, 0, n, e->scratch[0].pixels);
  e->kernels->direct->narrow(e->scratch[0].pixels, n, c, rest, unit, out);
}

ncc_status ncc_half_take_image(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  const ncc_half_kernels *kernels = e->kernels->half;
  const ncc_prepared *image = e->task->image;
  const int64_t rows = ncc_half_image(image->pixels.rows), cols = ncc_half_image(image->pixels.cols);
  h->serial = -1;
  h->image_unit = ncc_image_unit(image, 0);
  NCC_TRY(ncc_buffer_reserve(&h->image_px, 4 * rows * cols, "half an image"));
  NCC_TRY(ncc_buffer_reserve(&h->work, 4 * (3 * cols + 2 * PAD), "a row of an image"));
  float *out = h->image_px.data, *row = h->work.data, *half = row + 2 * cols + 2 * PAD;
  memset(out, 0, (size_t)(4 * rows * cols));
  memset(row, 0, (size_t)(4 * (2 * cols + 2 * PAD)));
  for (int64_t y = 0; y < image->pixels.rows; y++) {
    narrow_row(e, image, y, 0, 0, h->image_unit, row + 3);
    kernels->shrink(row, cols, half);
    const int64_t first = (y + 1) / 2;
    kernels->scale(half, y % 2 ? 0.375F : 0.125F, cols, true, out + first * cols);
    kernels->scale(half, y % 2 ? 0.125F : 0.375F, cols, true, out + (first + 1) * cols);
  }
  ncc_prepared_clear(&h->image);
  NCC_TRY(ncc_prepared_create(e->context->pool, &(ncc_array){out, NCC_F32, rows, cols, cols}, false, &h->image));
  h->serial = e->task->image_serial;

cleanup:
  return status;
}

/** T' by half: `a`. @param[in] t  rows of n floats that lie `stride` apart, with zeros around */
static void shrink_template(const ncc_cpu *e, const float *t, int64_t stride, int64_t rows, int64_t cols, float *row,
                            float *a) {
  static const float g[] = {-0.25F, 0.5F, 1.5F, 0.5F, -0.25F};
  for (int64_t q = 0; q < rows; q++) {
    for (int v = 0; v < 5; v++) e->kernels->half->scale(t + (2 * q + v) * stride, g[v], stride, v > 0, row);
    for (int64_t p = 0; p < cols; p++) {
      float sum = 0;
      for (int v = 0; v < 5; v++) sum += g[v] * row[2 * p + v];
      a[q * cols + p] = sum;
    }
  }
}

/** Row u of T~, as row[w + PAD] for w = -PAD .. n + PAD - 1. @param[in] a  less its mean, with a zero either side */
static void synthesize_row(const ncc_cpu *e, const float *a, int64_t rows, int64_t cols, int64_t u, int64_t n,
                           float *across, float *row) {
  const int64_t q = u >= 0 ? u / 2 : -((1 - u) / 2), near = q + 1, far = u - 2 * q ? near + 1 : near - 1;
  const bool some = near >= 0 && near < rows;
  memset(across, 0, (size_t)(cols + 4) * sizeof *across);
  if (some) e->kernels->half->scale(a + near * cols, 0.375F, cols, true, across + 2);
  if (far >= 0 && far < rows) e->kernels->half->scale(a + far * cols, 0.125F, cols, true, across + 2);
  for (int64_t i = 0; 2 * i < n + 2 * PAD; i++) { /* w = 2 * i - PAD: a[q] lies at across[q + 3] */
    const float *here = across + (i - PAD / 2 + 3);
    const float before = i - PAD / 2 + 2 >= 0 ? here[-1] : 0;
    const bool within = i - PAD / 2 + 3 < cols + 4, next = i - PAD / 2 + 4 < cols + 4;
    row[2 * i] = 0.375F * (within ? here[0] : 0) + 0.125F * before;
    row[2 * i + 1] = 0.375F * (within ? here[0] : 0) + 0.125F * (next ? here[1] : 0);
  }
}

static double sum_of_magnitudes(const float *v, int64_t from, int64_t to) {
  double sum = 0;
  for (int64_t i = from; i < to; i++) sum += (double)fabsf(v[i]);
  return sum;
}

/** How far T~ is from T' in the window, and what it has beyond, over the four shifts. */
static void measure_distance(const ncc_cpu *e, ncc_cpu_half *h, const float *t, int64_t stride, int64_t m, int64_t n,
                             const float *a, float *across, float *row) {
  double inside[4] = {0}, beyond[4] = {0};
  for (int64_t u = -PAD; u < m + PAD; u++) {
    synthesize_row(e, a, ncc_half_template(m), ncc_half_template(n), u, n, across, row);
    for (int f = 0; f < 4; f++) {
      const int64_t y = u - f / 2, x = PAD + f % 2;
      if (y < 0 || y >= m) {
        beyond[f] += sum_of_magnitudes(row, 0, n + 2 * PAD);
        continue;
      }
      inside[f] += e->kernels->half->distance(t + (y + PAD) * stride + PAD, row + x, n);
      beyond[f] += sum_of_magnitudes(row, 0, x) + sum_of_magnitudes(row, x + n, n + 2 * PAD);
    }
  }
  h->distance = h->beyond = 0;
  for (int f = 0; f < 4; f++) {
    h->distance = fmax(h->distance, sqrt(inside[f]));
    h->beyond = fmax(h->beyond, beyond[f]);
  }
  /* Rounding: of these sums, and beyond the window of T~ itself, by Cauchy and Schwarz. */
  const double norm = sqrt(h->tmpl.ssd), pixels = (double)(ncc_half_template(m) * ncc_half_template(n));
  h->distance = h->distance * (1 + 1e-4) / h->tmpl_unit;
  h->beyond = (h->beyond * (1 + 1e-4) + 1e-6 * sqrt(pixels) * norm) / h->tmpl_unit;
}

ncc_status ncc_half_take_template(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  const ncc_prepared *tmpl = e->task->tmpl;
  const int64_t m = tmpl->pixels.rows, n = tmpl->pixels.cols, stride = n + 4 * PAD;
  const int64_t rows = ncc_half_template(m), cols = ncc_half_template(n), tall = m + 4 * PAD;
  NCC_TRY(ncc_buffer_reserve(&h->tmpl_px, 4 * 2 * rows * cols, "half a template"));
  NCC_TRY(ncc_buffer_reserve(&h->work, 4 * ((tall + 2) * stride + cols + 8), "a template"));
  float *t = h->work.data, *row = t + tall * stride, *across = row + 2 * stride, *a = h->tmpl_px.data;
  memset(t, 0, (size_t)(4 * tall * stride));
  h->tmpl_unit = ncc_template_unit(tmpl);
  for (int64_t y = 0; y < m; y++)
    narrow_row(e, tmpl, y, tmpl->mean, tmpl->rest, h->tmpl_unit, t + (y + PAD) * stride + PAD);
  shrink_template(e, t, stride, rows, cols, row, a); /* a[q] is about row 2 (q - 1), two rows either side */
  ncc_prepared_clear(&h->tmpl);
  NCC_TRY(ncc_prepared_create(e->context->pool, &(ncc_array){a, NCC_F32, rows, cols, cols}, false, &h->tmpl));
  float *free_of_mean = a + rows * cols;
  for (int64_t i = 0; i < rows * cols; i++) free_of_mean[i] = (float)((double)a[i] - h->tmpl.mean);
  measure_distance(e, h, t, stride, m, n, free_of_mean, across, row);

cleanup:
  return status;
}
