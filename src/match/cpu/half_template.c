/** A template by half, and how far what that stands for is from the template; see half.c. All on the half grid: with
 *  U_f[q] = <T'(. - f), h(. - 2q)>, G the products of the h with each other and a_f the half template for a shift f,
 *
 *    D_f = U_f - G a_f,   ||d_f||^2 = ||T'||^2 - <a_f, U_f> - <a_f, D_f>.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "match/cpu/half.h"
#include "match/kernels/half.h"

enum { TAPS = 13, RIM = NCC_HALF_RIM, MARGIN = NCC_HALF_MARGIN };

static const float hat[NCC_HALF_ELEMENT] = {0.125F, 0.375F, 0.375F, 0.125F};

/** Where the parts of a template lie in work. */
typedef struct parts {
  int64_t m, n, stride;     /* of T' with zeros around */
  int64_t rows, cols, wide; /* of a, and its rows with zeros around */
  float *t, *row, *u, *two, *four;
  float *a, *around; /* a, and less its mean with zeros around */
} parts;

static ncc_status reserve(ncc_cpu_half *h, const ncc_prepared *tmpl, parts *p) {
  ncc_status status = NCC_OK;
  *p = (parts){.m = tmpl->pixels.rows, .n = tmpl->pixels.cols};
  p->stride = p->n + 2 * RIM;
  p->rows = ncc_half_template(p->m);
  p->cols = ncc_half_template(p->n);
  p->wide = p->cols + 2 * MARGIN;
  const int64_t tall = p->m + 2 * RIM, around = (p->rows + 2 * MARGIN) * p->wide;
  NCC_TRY(ncc_buffer_reserve(&h->tmpl_px, 4 * (p->rows * p->cols + around), "half a template"));
  NCC_TRY(ncc_buffer_reserve(&h->work, 4 * ((tall + 3) * p->stride + 3 * p->wide), "a template"));
  p->t = h->work.data;
  p->row = p->t + tall * p->stride;
  p->u = p->row + 3 * p->stride;
  p->two = p->u + p->wide;
  p->four = p->two + p->wide;
  p->a = h->tmpl_px.data;
  p->around = p->a + p->rows * p->cols;
  memset(p->t, 0, (size_t)(tall * p->stride) * sizeof *p->t);
  memset(p->around, 0, (size_t)around * sizeof *p->around);

cleanup:
  return status;
}

/** T' in float32, and its energy in cells. */
static ncc_status take_pixels(ncc_cpu *e, ncc_cpu_half *h, const parts *p) {
  const ncc_prepared *tmpl = e->task->tmpl;
  const ncc_status status = ncc_half_cells_begin(&h->overlap, p->m, p->n);
  if (status != NCC_OK) return status;
  float *sums = p->row;
  memset(sums, 0, (size_t)p->n * sizeof *sums);
  for (int64_t y = 0; y < p->m; y++) {
    float *to = p->t + (y + RIM) * p->stride + RIM;
    ncc_half_narrow_row(e, tmpl, y, tmpl->mean, tmpl->rest, h->tmpl_unit, to);
    e->kernels->half->squares(to, 0, 1, p->n, sums);
    if (y % NCC_BLOCK_ROWS < NCC_BLOCK_ROWS - 1 && y < p->m - 1) continue;
    ncc_half_cells_add(&h->overlap, y / NCC_BLOCK_ROWS, sums, p->n, NCC_BLOCK_COLS);
    memset(sums, 0, (size_t)p->n * sizeof *sums);
  }
  return NCC_OK;
}

/** a[q], about row 2q - 2: the least squares of d over the four shifts, but that taps end. */
static void shrink(const ncc_cpu *e, const parts *p) {
  static const float taps[TAPS + 1] = {-0.0798F, 0.1848F,  0.2367F,  -0.5519F, -0.6622F, 0.8671F, 2.0106F,
                                       0.8671F,  -0.6622F, -0.5519F, 0.2367F,  0.1848F,  -0.0798F};
  const ncc_half_kernels *k = e->kernels->half;
  const int64_t half = (p->stride + 1) / 2;
  float *evens = p->row + p->stride + 1, *odds = evens + half, even[TAPS / 2 + 1], odd[TAPS / 2 + 1];
  k->split(taps, TAPS / 2 + 1, even, odd);
  for (int64_t q = 0; q < p->rows; q++) {
    k->combine(p->t + 2 * q * p->stride, p->stride, taps, TAPS, p->stride, false, p->row);
    k->split(p->row, half, evens, odds);
    k->combine(evens, 1, even, TAPS / 2 + 1, p->cols, false, p->a + q * p->cols);
    k->combine(odds, 1, odd, TAPS / 2, p->cols, true, p->a + q * p->cols);
  }
}

/** The share of element q within the window of n pixels. */
static double within(int64_t q, int f, int64_t n) {
  double share = 0;
  for (int j = 0; j < NCC_HALF_ELEMENT; j++) {
    const int64_t w = 2 * q - 3 + j - f;
    if (w >= 0 && w < n) share += (double)hat[j];
  }
  return share;
}

/** a_f by `around`, at element (q, p). */
static double shifted_at(const parts *p, const int f[2], int64_t q, int64_t x) {
  const float *here = p->around + (q + MARGIN) * p->wide + x + MARGIN;
  const int64_t down = f[0] ? -p->wide : p->wide, right = f[1] ? -1 : 1;
  return 0.75 * (0.75 * (double)here[0] + 0.25 * (double)here[right]) +
         0.25 * (0.75 * (double)here[down] + 0.25 * (double)here[down + right]);
}

/** The most that |T~_f| can sum up to beyond the window, by its elements, which are nowhere negative. */
static double sum_beyond(const parts *p, const int f[2]) {
  double sum = 0;
  for (int64_t q = -1; q <= p->rows; q++) {
    const double down = within(q, f[0], p->m);
    for (int64_t x = -1; x <= p->cols; x++) {
      if (down >= 1 && x == MARGIN && p->cols > 2 * MARGIN) x = p->cols - MARGIN; /* these lie within */
      const double share = 1 - down * within(x, f[1], p->n);
      if (share > 0) sum += share * fabs(shifted_at(p, f, q, x));
    }
  }
  return sum;
}

/** sums of the residual kernel for four shifts. */
static void measure(const ncc_cpu *e, const parts *p, double sums[4][3]) {
  static const float near[2][2] = {{0.75F, 0.25F}, {0.25F, 0.75F}};
  static const float far[2][4] = {{4.5F / 64, 16.5F / 64, 9.5F / 64, 1.5F / 64},
                                  {1.5F / 64, 9.5F / 64, 16.5F / 64, 4.5F / 64}};
  const ncc_half_kernels *k = e->kernels->half;
  for (int64_t q = -2; q < p->rows + 2; q++)
    for (int f = 0; f < 2; f++) {
      const float *here = p->around + (q + MARGIN) * p->wide;
      k->combine(p->t + (2 * q - 3 - f + RIM) * p->stride, p->stride, hat, NCC_HALF_ELEMENT, p->stride, false, p->row);
      k->combine(here - f * p->wide, p->wide, near[f], 2, p->wide, false, p->two);
      k->combine(here - (1 + f) * p->wide, p->wide, far[f], 4, p->wide, false, p->four);
      for (int g = 0; g < 2; g++) {
        k->shrink(p->row + RIM - 7 - g, p->cols + 4, p->u);
        k->residual(p->two + MARGIN - 2, p->four + MARGIN - 2, p->u, p->cols + 4, g == 1, sums[2 * f + g]);
      }
    }
}

/** ||d||, with ||D|| besides, and what lies beyond the window. Slack is that of rounding, see docs/half-grid.md. */
static void take_distance(ncc_cpu *e, ncc_cpu_half *h, const parts *p) {
  double sums[4][3] = {{0}};
  const double norm2 = e->task->tmpl->ssd * h->tmpl_unit * h->tmpl_unit;
  measure(e, p, sums);
  h->distance = h->weighted = h->beyond = 0;
  for (int k = 0; k < 4; k++) {
    const int f[2] = {k / 2, k % 2};
    const double d2 = fmax(norm2 - sums[k][0] - sums[k][1], 0) + 4e-5 * norm2;
    const double D = sqrt(sums[k][2]) * (1 + 1e-4) + 1e-5 * sqrt(norm2);
    h->distance = fmax(h->distance, sqrt(d2));
    h->weighted = fmax(h->weighted, sqrt(d2 + D * D / NCC_HALF_WEIGHT));
    h->beyond = fmax(h->beyond, sum_beyond(p, f) * (1 + 1e-5));
  }
}

ncc_status ncc_half_take_template(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  parts p;
  h->tmpl_unit = ncc_template_unit(e->task->tmpl);
  NCC_TRY(reserve(h, e->task->tmpl, &p));
  NCC_TRY(take_pixels(e, h, &p));
  shrink(e, &p);
  ncc_prepared_clear(&h->tmpl);
  NCC_TRY(ncc_prepared_create(e->context->pool, &(ncc_array){p.a, NCC_F32, p.rows, p.cols, p.cols}, false, &h->tmpl));
  for (int64_t i = 0; i < p.rows * p.cols; i++)
    p.around[(i / p.cols + MARGIN) * p.wide + i % p.cols + MARGIN] = (float)((double)p.a[i] - h->tmpl.mean);
  take_distance(e, h, &p);

cleanup:
  return status;
}
