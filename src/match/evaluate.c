/** NCC at one position; see evaluate.h.
 *
 *  As in formulas.h, and over the same pixels, with d = I - c and t the mean-free template:
 *
 *      p = sum d t, u = sum t
 *      numerator = p + c u                  (sum over the whole template of t is 0, so u matters only at overhangs)
 *
 *  c is the image's mean, or, where that cancels too much, the window's own.
 */
#include "match/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "match/formulas.h"
#include "match/kernels/kernels.h"

enum { ROWS_PER_ITEM = 16, SEGMENT = 1024, PARALLEL_FROM_PX = 32768 };

/** Windows whose squares would underflow are looked at this much enlarged: in such a tail (see safe_scale() in
 *  prepare.c) of an image whose other pixels are of order 1, a window may be the best. */
#define BOOST 0x1p500

typedef struct row_sums {
  double s, q, p, u;
} row_sums;

struct ncc_evaluator {
  ncc_pool *pool;
  ncc_outside outside;
  row_sums *rows;  // [capacity], as the next
  ncc_overlap_row *overlap_rows;
  int64_t capacity;
};

typedef struct evaluate_job {
  const ncc_prepared *image, *tmpl;
  const ncc_kernels *kernels;
  row_sums *rows;
  int64_t image_y, image_x, template_y, template_x;  // top-left pixel of the overlap in each
  int64_t n_rows, n_cols;                            // of the overlap
  double c;
  double boost;  // exact power of two on the image's pixels; c is that of boosted pixels
} evaluate_job;

ncc_status ncc_evaluator_create(ncc_pool *pool, ncc_outside outside, ncc_evaluator **out) {
  *out = calloc(1, sizeof **out);
  if (!*out) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for the evaluator");
  (*out)->pool = pool;
  (*out)->outside = outside;
  return NCC_OK;
}

void ncc_evaluator_destroy(ncc_evaluator **evaluator) {
  if (!*evaluator) return;
  free((*evaluator)->rows);
  free((*evaluator)->overlap_rows);
  free(*evaluator);
  *evaluator = NULL;
}

ncc_status ncc_evaluator_reserve(ncc_evaluator *evaluator, int64_t template_rows) {
  if (template_rows <= evaluator->capacity) return NCC_OK;
  free(evaluator->rows);
  free(evaluator->overlap_rows);
  evaluator->overlap_rows = NULL;
  const bool ignores = evaluator->outside == NCC_OUTSIDE_IGNORE;
  if (ignores) evaluator->overlap_rows = malloc((size_t)template_rows * sizeof *evaluator->overlap_rows);
  evaluator->rows = malloc((size_t)template_rows * sizeof *evaluator->rows);
  evaluator->capacity = evaluator->rows && (evaluator->overlap_rows || !ignores) ? template_rows : 0;
  if (evaluator->capacity == 0)
    return ncc_error_set(NCC_ERR_NOMEM, "out of memory for sums over %lld rows", (long long)template_rows);
  return NCC_OK;
}

static void evaluate_item(void *context, int64_t item, int thread) {
  (void)thread;
  const evaluate_job *job = context;
  const ncc_array *image = &job->image->pixels, *tmpl = &job->tmpl->pixels;
  const double scale = job->image->scale * job->boost;
  const int64_t first = item * ROWS_PER_ITEM, end = ncc_min(first + ROWS_PER_ITEM, job->n_rows);
  const int64_t w_px = (int64_t)ncc_dtype_size(image->dtype), t_px = (int64_t)ncc_dtype_size(tmpl->dtype);
  const char *w = ncc_array_at(image, job->image_y + first, job->image_x);
  const char *t = ncc_array_at(tmpl, job->template_y + first, job->template_x);
  for (int64_t row = first; row < end; row++, w += image->row_stride * w_px, t += tmpl->row_stride * t_px) {
    row_sums r = {0};
    for (int64_t x = 0; x < job->n_cols; x += SEGMENT) {
      const int64_t n = ncc_min(job->n_cols - x, SEGMENT);
      ncc_lane_sums sums = {0};
      job->kernels->dot(image->dtype, w + x * w_px, scale, job->c, tmpl->dtype, t + x * t_px, job->tmpl->scale,
                        job->tmpl->mean, job->tmpl->rest, n, &sums);
      r.s += ncc_lanes_sum(sums.s);
      r.q += ncc_lanes_sum(sums.q);
      r.p += ncc_lanes_sum(sums.p);
      r.u += ncc_lanes_sum(sums.u);
    }
    job->rows[row] = r;
  }
}

static row_sums overlap_sums(ncc_evaluator *evaluator, evaluate_job *job) {
  const int64_t items = ncc_ceil_div(job->n_rows, ROWS_PER_ITEM);
  if (job->n_rows * job->n_cols >= PARALLEL_FROM_PX)
    ncc_pool_run(evaluator->pool, items, evaluate_item, job);
  else
    for (int64_t item = 0; item < items; item++) evaluate_item(job, item, 0);
  row_sums sum = {0}, lost = {0};
  for (int64_t row = 0; row < job->n_rows; row++) {
    ncc_add_exactly(&sum.s, &lost.s, job->rows[row].s);
    ncc_add_exactly(&sum.q, &lost.q, job->rows[row].q);
    ncc_add_exactly(&sum.p, &lost.p, job->rows[row].p);
    ncc_add_exactly(&sum.u, &lost.u, job->rows[row].u);
  }
  return (row_sums){sum.s + lost.s, sum.q + lost.q, sum.p + lost.p, sum.u + lost.u};
}

/** Exact: compares stored pixels. A window that overhangs is flat only if all its pixels are 0. */
static bool window_is_flat(const evaluate_job *job, bool overhangs) {
  const ncc_array *pixels = &job->image->pixels;
  double first = overhangs ? 0.0 : ncc_array_value(pixels, job->image_y, job->image_x);
  for (int64_t row = 0; row < job->n_rows; row++)
    if (!ncc_array_row_equals(pixels, job->image_y + row, job->image_x, job->n_cols, first)) return false;
  return true;
}

/** Numerator and ssd of the window, of boosted pixels; moves job->c where it cancels too much. */
static ncc_evaluation window_moments(ncc_evaluator *evaluator, evaluate_job *job, double n, double area) {
  row_sums sum = overlap_sums(evaluator, job);
  double inside = sum.q - sum.s * sum.s / n;
  // Each round brings the centre 16 digits closer to the window's mean; ordinary windows need none.
  while (!(sum.q <= 4 * inside)) {
    double c = job->c + sum.s / n;
    if (c == job->c) break;
    job->c = c;
    sum = overlap_sums(evaluator, job);
    inside = sum.q - sum.s * sum.s / n;
  }
  ncc_evaluation out = {.numerator = sum.p, .ssd_window = inside > 0 ? inside : 0};
  if (n < area) {
    out.numerator += job->c * sum.u;
    out.ssd_window += ncc_ssd_beyond(sum.s, n, area, job->c);
  }
  return out;
}

ncc_evaluation ncc_evaluate(ncc_evaluator *evaluator, const ncc_prepared *image, const ncc_prepared *tmpl, int64_t y,
                            int64_t x) {
  const ncc_array *of = &image->pixels, *by = &tmpl->pixels;
  evaluate_job job = {.image = image, .tmpl = tmpl, .kernels = ncc_kernels_get(), .rows = evaluator->rows};
  job.template_y = ncc_overlap_first(by->rows, y);
  job.template_x = ncc_overlap_first(by->cols, x);
  job.image_y = y - (by->rows - 1) + job.template_y;
  job.image_x = x - (by->cols - 1) + job.template_x;
  job.n_rows = ncc_overlap(of->rows, by->rows, y);
  job.n_cols = ncc_overlap(of->cols, by->cols, x);
  const int64_t overlap = job.n_rows * job.n_cols, whole = by->rows * by->cols;
  const double n = (double)overlap, area = (double)whole;
  const bool overhangs = overlap < whole;
  if (evaluator->outside == NCC_OUTSIDE_IGNORE && (overhangs || image->valid || tmpl->valid))
    return ncc_evaluate_overlap(evaluator->pool, evaluator->overlap_rows, image, tmpl, y, x);

  job.c = image->mean;
  job.boost = 1;
  ncc_evaluation out = window_moments(evaluator, &job, n, area);
  out.ssd_tmpl = tmpl->ssd;
  // Only sums that small next to their rounding can belong to a flat window; ask the pixels.
  double level = job.c * job.c * n;
  if (out.ssd_window <= 1e-20 * level || out.ssd_window < 0x1p-900) {
    out.flat = window_is_flat(&job, overhangs);
    if (out.flat) {
      out.ssd_window = out.numerator = 0;
      return out;
    }
    if (out.ssd_window < 0x1p-900) {
      job.c *= BOOST;
      job.boost = BOOST;
      out = window_moments(evaluator, &job, n, area);
      out.ssd_tmpl = tmpl->ssd;
    }
  }
  double denominator = sqrt(out.ssd_window) * sqrt(tmpl->ssd);
  double value = denominator > 0 ? out.numerator / denominator : 0;
  out.ncc = value > 1 ? 1 : value < -1 ? -1 : value;
  out.numerator /= job.boost;
  out.ssd_window /= job.boost;
  out.ssd_window /= job.boost;
  return out;
}
