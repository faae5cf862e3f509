/** See evaluate_overlap.h.
 *
 *  Over the n pixels of the overlap, with d = I - c and t = T - k about centres c and k:
 *
 *      s = sum d, q = sum d^2, u = sum t, v = sum t^2, p = sum d t
 *      numerator = p - s u / n, ssd(W) = q - s^2 / n, ssd(T) = v - u^2 / n
 *
 *  c and k are the means of image and template, or, where those cancel too much, of what overlaps of them.
 */
#include "match/evaluate_overlap.h"

#include <math.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "match/formulas.h"
#include "match/kernels/kernels.h"

enum { ROWS_PER_ITEM = 16, SEGMENT = 512, PARALLEL_FROM_PX = 32768 };

/** As in evaluate.c: pixels whose squares would underflow are looked at this much enlarged. */
#define BOOST 0x1p500
#define LEAST_SSD 0x1p-900

/** One of the two: an array, its first pixel in the overlap, and how its pixels are taken. */
typedef struct operand {
  const ncc_prepared *prepared;
  int64_t y, x;
  double c;      // the centre, of boosted pixels
  double boost;  // exact power of two
} operand;

typedef struct overlap_job {
  operand w, t;
  const ncc_kernels *kernels;
  int64_t n_rows, n_cols;
  ncc_overlap_row *rows;
} overlap_job;

static const double *widened(const overlap_job *job, const operand *o, int64_t row, int64_t x, int64_t n, double *to) {
  const ncc_array *pixels = &o->prepared->pixels;
  job->kernels->to_f64(pixels->dtype, ncc_array_at(pixels, o->y + row, o->x + x), n, to);
  return to;
}

static const uint8_t *valid_at(const operand *o, int64_t row, int64_t x) {
  const ncc_prepared *p = o->prepared;
  return p->valid ? p->valid + (o->y + row) * p->pixels.cols + o->x + x : NULL;
}

static void overlap_item(void *context, int64_t item, int thread) {
  (void)thread;
  const overlap_job *job = context;
  const operand *w = &job->w, *t = &job->t;
  const double scale = w->prepared->scale * w->boost, t_scale = t->prepared->scale * t->boost;
  const int64_t end = ncc_min((item + 1) * ROWS_PER_ITEM, job->n_rows);
  double w_pixels[SEGMENT], t_pixels[SEGMENT];
  for (int64_t row = item * ROWS_PER_ITEM; row < end; row++) {
    ncc_overlap_row r = {0};
    for (int64_t x = 0; x < job->n_cols; x += SEGMENT) {
      const int64_t n = ncc_min(job->n_cols - x, SEGMENT);
      ncc_overlap_sums sums = {.n = {0}};
      job->kernels->overlap(widened(job, w, row, x, n, w_pixels), scale, w->c, valid_at(w, row, x),
                            widened(job, t, row, x, n, t_pixels), t_scale, t->c, valid_at(t, row, x), n, &sums);
      r.n += ncc_lanes_sum(sums.n);
      r.s += ncc_lanes_sum(sums.s);
      r.q += ncc_lanes_sum(sums.q);
      r.u += ncc_lanes_sum(sums.u);
      r.v += ncc_lanes_sum(sums.v);
      r.p += ncc_lanes_sum(sums.p);
    }
    job->rows[row] = r;
  }
}

static ncc_overlap_row overlap_sums(ncc_pool *pool, overlap_job *job) {
  const int64_t items = ncc_ceil_div(job->n_rows, ROWS_PER_ITEM);
  if (pool && job->n_rows * job->n_cols >= PARALLEL_FROM_PX)
    ncc_pool_run(pool, items, overlap_item, job);
  else
    for (int64_t item = 0; item < items; item++) overlap_item(job, item, 0);
  ncc_overlap_row sum = {0}, lost = {0};
  for (int64_t row = 0; row < job->n_rows; row++) {
    sum.n += job->rows[row].n;
    ncc_add_exactly(&sum.s, &lost.s, job->rows[row].s);
    ncc_add_exactly(&sum.q, &lost.q, job->rows[row].q);
    ncc_add_exactly(&sum.u, &lost.u, job->rows[row].u);
    ncc_add_exactly(&sum.v, &lost.v, job->rows[row].v);
    ncc_add_exactly(&sum.p, &lost.p, job->rows[row].p);
  }
  return (ncc_overlap_row){sum.n, sum.s + lost.s, sum.q + lost.q, sum.u + lost.u, sum.v + lost.v, sum.p + lost.p};
}

/** Moves a centre to the mean of what overlaps, where it cancels too much. @return false where it stays. */
static bool recentre(operand *o, double sum, double squares, double n) {
  const double ssd = squares - sum * sum / n, before = o->c;
  if (squares <= 4 * ssd) return false;
  o->c += sum / n;
  return o->c != before;
}

static ncc_evaluation moments(ncc_pool *pool, overlap_job *job) {
  ncc_overlap_row a = overlap_sums(pool, job);
  const double product = a.p;
  if (a.n == 0) return (ncc_evaluation){.flat = true};
  // Each round brings the centres 16 digits closer; a step that no longer shrinks the sums is rounding.
  for (int round = 0; round < 8; round++) {
    bool moved = recentre(&job->w, a.s, a.q, a.n);
    moved |= recentre(&job->t, a.u, a.v, a.n);
    if (!moved) break;
    a = overlap_sums(pool, job);
  }
  return (ncc_evaluation){.numerator = a.p - a.s * a.u / a.n,
                          .ssd_window = fmax(a.q - a.s * a.s / a.n, 0),
                          .ssd_tmpl = fmax(a.v - a.u * a.u / a.n, 0),
                          .n = a.n,
                          .product = product};
}

/** Exact: compares stored pixels. */
static bool is_flat(const overlap_job *job, const operand *o) {
  const ncc_array *pixels = &o->prepared->pixels;
  double first = NAN;
  if (!job->w.prepared->valid && !job->t.prepared->valid) {
    first = ncc_array_value(pixels, o->y, o->x);
    for (int64_t row = 0; row < job->n_rows; row++)
      if (!ncc_array_row_equals(pixels, o->y + row, o->x, job->n_cols, first)) return false;
    return true;
  }
  for (int64_t row = 0; row < job->n_rows; row++) {
    const uint8_t *w = valid_at(&job->w, row, 0), *t = valid_at(&job->t, row, 0);
    for (int64_t x = 0; x < job->n_cols; x++) {
      if ((w && !w[x]) || (t && !t[x])) continue;
      const double value = ncc_array_value(pixels, o->y + row, o->x + x);
      if (isnan(first)) first = value;
      if (value != first) return false;
    }
  }
  return true;
}

/** Only sums that small next to their rounding can belong to equal pixels; then these are asked. */
static bool found_flat(const overlap_job *job, const operand *o, double ssd) {
  const double level = o->c * o->c * (double)(job->n_rows * job->n_cols);
  return (ssd <= 1e-20 * level || ssd < LEAST_SSD) && is_flat(job, o);
}

ncc_evaluation ncc_evaluate_overlap(ncc_pool *pool, ncc_overlap_row *rows, const ncc_prepared *image,
                                    const ncc_prepared *tmpl, int64_t y, int64_t x) {
  const ncc_array *of = &image->pixels, *by = &tmpl->pixels;
  overlap_job job = {.kernels = ncc_kernels_get(), .rows = rows};
  job.t = (operand){tmpl, ncc_overlap_first(by->rows, y), ncc_overlap_first(by->cols, x), tmpl->mean, 1};
  job.w = (operand){image, y - (by->rows - 1) + job.t.y, x - (by->cols - 1) + job.t.x, image->mean, 1};
  job.n_rows = ncc_overlap(of->rows, by->rows, y);
  job.n_cols = ncc_overlap(of->cols, by->cols, x);
  ncc_evaluation out = moments(pool, &job);
  out.flat = out.n == 0 || found_flat(&job, &job.w, out.ssd_window) || found_flat(&job, &job.t, out.ssd_tmpl);
  const double n = out.n;
  if (out.flat) return (ncc_evaluation){.flat = true, .n = n};
  if (out.ssd_window < LEAST_SSD || out.ssd_tmpl < LEAST_SSD) {
    operand *small[] = {out.ssd_window < LEAST_SSD ? &job.w : NULL, out.ssd_tmpl < LEAST_SSD ? &job.t : NULL};
    const double product = out.product;
    for (int i = 0; i < 2; i++) {
      if (!small[i]) continue;
      small[i]->boost = BOOST;
      small[i]->c *= BOOST;
    }
    out = moments(pool, &job);
    out.product = product;
  }
  const double denominator = sqrt(out.ssd_window) * sqrt(out.ssd_tmpl);
  const double value = denominator > 0 ? out.numerator / denominator : 0;
  out.ncc = value > 1 ? 1 : value < -1 ? -1 : value;
  out.numerator = out.numerator / job.w.boost / job.t.boost;
  out.ssd_window = out.ssd_window / job.w.boost / job.w.boost;
  out.ssd_tmpl = out.ssd_tmpl / job.t.boost / job.t.boost;
  return out;
}

double ncc_valid_overlap(const ncc_prepared *image, const ncc_prepared *tmpl, int64_t y, int64_t x) {
  const ncc_array *of = &image->pixels, *by = &tmpl->pixels;
  const int64_t rows = ncc_overlap(of->rows, by->rows, y), cols = ncc_overlap(of->cols, by->cols, x);
  if (!image->valid && !tmpl->valid) return (double)(rows * cols) / ((double)by->rows * (double)by->cols);
  overlap_job job = {0};
  job.t = (operand){tmpl, ncc_overlap_first(by->rows, y), ncc_overlap_first(by->cols, x), 0, 1};
  job.w = (operand){image, y - (by->rows - 1) + job.t.y, x - (by->cols - 1) + job.t.x, 0, 1};
  int64_t n = 0;
  for (int64_t row = 0; row < rows; row++) {
    const uint8_t *w = valid_at(&job.w, row, 0), *t = valid_at(&job.t, row, 0);
    if (!w) w = t;
    if (!t) t = w;
    int64_t in_row = 0;
    for (int64_t i = 0; i < cols; i++) in_row += w[i] & t[i];
    n += in_row;
  }
  return (double)n / (double)tmpl->n_valid;
}
