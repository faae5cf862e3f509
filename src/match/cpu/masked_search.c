/** What the sums of all positions propose; see masked.h. Blocks of rows that may hold the peak are found in float32;
 *  their positions are looked at one by one in float64, with the bounds of match/masked.c.
 *
 *  n is known within a bound too. Where that leaves open whether enough pixels overlap, they are counted; where it
 * leaves open almost all, the position is summed.
 */
#include <math.h>

#include "base/error.h"
#include "match/cpu/masked.h"
#include "match/evaluate_overlap.h"

enum { MOST_SINGLED = 1 << 14 };

/** Beyond that the roots of bounds are no longer nearly linear. */
#define MOST_SLACK 0.1

/** A search. */
typedef struct search {
  ncc_cpu_masked *m;
  ncc_masked_errors errors;
  ncc_bounds bounds;  // but for what depends on the position
  double eps2;        // in units of the sums
  int64_t x0, blocks;
  int first_sum;    // that is a product
  ncc_buffer rows;  // ncc_overlap_row [threads][template rows]
} search;

/** Two rows of positions. */
typedef struct row_pair {
  const float *sums[NCC_SUMS];  // from full column x0 on
  ncc_masked_windows windows;   // likewise
  int64_t y;                    // of the first of them
  int count;
} row_pair;

/** Whether a position that float32 leaves open may be looked at by itself; more than so many take too long. */
static bool may_single(ncc_cpu_masked *m) {
  return atomic_fetch_add_explicit(&m->singled, 1, memory_order_relaxed) < MOST_SINGLED;
}

/** A position of which too little is known: its value is the judge's own, but for --eps. */
static void consider_single(const search *s, ncc_proposal *found, int64_t y, int64_t x, int thread) {
  ncc_cpu_masked *m = s->m;
  const ncc_task *task = m->task;
  if (!may_single(m)) return;
  ncc_overlap_row *rows = (ncc_overlap_row *)s->rows.data + thread * task->geometry->template_rows;
  const ncc_evaluation v = ncc_evaluate_overlap(NULL, rows, task->image, task->tmpl, y, x);
  ncc_bounds b = s->bounds;
  b.inv_norm = v.ncc / v.numerator;  // NaN or infinite where the numerator underflows: then it may be anything
  b.to_evaluation = 1;
  ncc_proposal_consider(found, &b, y, x, v.numerator, v.flat ? 0 : -1, &m->best);
}

/** Whether enough pixels overlap, of which there are n within `error`. */
static bool is_searched(ncc_cpu_masked *m, double n, double error, int64_t y, int64_t x) {
  if (n + error < (double)m->need) return false;
  if (n - error > (double)m->need - 1) return true;
  if (!may_single(m)) return false;
  const double part = ncc_valid_overlap(m->task->image, m->task->tmpl, y, x);
  return part > 0 && part >= m->min_overlap;
}

/** What is known of the image's pixels at a position, and within what. */
typedef struct window {
  double inverse, inverse_error;  // 1 / n
  double mean, mean_error;        // s / n
  double ssd, ssd_error, least;
} window;

static window window_of_sums(const ncc_cpu_masked *m, const double sums[NCC_SUMS]) {
  const double *e = m->errors, n = sums[NCC_SUM_N], s = sums[NCC_SUM_S], q = sums[NCC_SUM_Q];
  const double inverse = 1 / (n - e[NCC_SUM_N]), mean = s / n, square = s * mean;
  window w = {.inverse = 1 / n, .inverse_error = e[NCC_SUM_N] * inverse / n, .mean = mean, .ssd = q - square};
  w.mean_error = (e[NCC_SUM_S] + fabs(mean) * e[NCC_SUM_N]) * inverse;
  w.ssd_error = e[NCC_SUM_Q] + ((2 * fabs(s) + e[NCC_SUM_S]) * e[NCC_SUM_S] + square * e[NCC_SUM_N]) * inverse +
                1e-14 * (fabs(q) + square);
  w.least = fmax(w.ssd - w.ssd_error, 0);
  return w;
}

/** @param[in] least  neither flat nor not searched */
static window window_of_map(double inverse, double mean, double least) {
  const double rounding = 0x1p-23, known = (double)NCC_MASKED_KNOWN;
  window w = {
      .inverse = inverse, .inverse_error = rounding * inverse, .mean = mean, .mean_error = rounding * fabs(mean)};
  w.least = fabs(least);
  w.ssd = least * (1 + known);
  w.ssd_error = least > 0 ? known * least : INFINITY;
  return w;
}

static void consider(const search *s, ncc_proposal *found, int64_t y, int64_t x, const window *w,
                     const double sums[NCC_SUMS]) {
  const double *e = s->m->errors, p = sums[NCC_SUM_P], u = sums[NCC_SUM_U], v = sums[NCC_SUM_V];
  const double square = u * u * w->inverse, t = v - square;
  const double t_error = e[NCC_SUM_V] + (2 * fabs(u) + e[NCC_SUM_U]) * e[NCC_SUM_U] * (w->inverse + w->inverse_error) +
                         u * u * w->inverse_error + 1e-14 * (fabs(v) + square);
  const double t_least = fmax(t - t_error, 0);
  ncc_bounds b = s->bounds;
  b.error = e[NCC_SUM_P] + fabs(w->mean) * e[NCC_SUM_U] + w->mean_error * (fabs(u) + e[NCC_SUM_U]) +
            1e-14 * (fabs(p) + fabs(w->mean * u));
  const double slack = w->least > 0 && t_least > 0 ? w->ssd_error / w->least + t_error / t_least + 1e-14 : INFINITY;
  const bool known = slack < MOST_SLACK;
  if (known) {
    b.relative_slack = slack;
    b.zero_lo = s->eps2 * (1 - 4 * slack);
    b.zero_hi = s->eps2 * (1 + 4 * slack);
  }
  found->error = fmax(found->error, b.error * b.to_evaluation);
  ncc_proposal_consider(found, &b, y, x, p - w->mean * u, known ? w->ssd * t : -fmax(w->least * t_least, 1e-300),
                        &s->m->best);
}

/** A position, by products. */
static void look_at_sums(const search *s, ncc_proposal *found, int64_t y, int64_t x, const double sums[NCC_SUMS],
                         int thread) {
  ncc_cpu_masked *m = s->m;
  const double n = sums[NCC_SUM_N], error = m->errors[NCC_SUM_N];
  if (!is_searched(m, n, error, y, x)) return;
  if (n > 2 * error) {
    const window w = window_of_sums(m, sums);
    consider(s, found, y, x, &w, sums);
  } else {
    consider_single(s, found, y, x, thread);
  }
}

/** A position, by the windows of a whole template. */
static void look_at_window(const search *s, ncc_proposal *found, int64_t y, int64_t x,
                           const ncc_masked_windows *windows, int64_t at, const double sums[NCC_SUMS]) {
  const float least = windows->least[at];
  if (least == NCC_MASKED_NOT_SEARCHED) return;
  const window w = window_of_map((double)windows->inverse[at], (double)windows->mean[at], (double)least);
  if (least == NCC_MASKED_FLAT)
    ncc_proposal_consider(found, &s->bounds, y, x, 0, 0, &s->m->best);
  else
    consider(s, found, y, x, &w, sums);
}

/** Looks at the positions of a block one by one. */
static void look_at_block(const search *s, ncc_proposal *found, const row_pair *pair, int64_t block, int thread) {
  const double scale = 1 / ncc_cpu_points(s->m->cpu);
  for (int r = 0; r < pair->count; r++) {
    int64_t segments[NCC_SEGMENTS_MOST][2];
    const int count = ncc_geometry_segments(s->m->task->geometry, pair->y + r, segments);
    const int64_t b0 = s->x0 + block * NCC_BLOCK_COLS, b1 = b0 + NCC_BLOCK_COLS;
    for (int i = 0; i < count; i++)
      for (int64_t x = ncc_max(b0, segments[i][0]); x < ncc_min(b1, segments[i][1]); x++) {
        double sums[NCC_SUMS];
        const int64_t at = 2 * (x - s->x0) + r;
        for (int k = s->first_sum; k < NCC_SUMS; k++) sums[k] = (double)pair->sums[k][at] * scale;
        if (s->m->rectangles)
          look_at_window(s, found, pair->y + r, x, &pair->windows, r * pair->windows.apart + x - s->x0, sums);
        else
          look_at_sums(s, found, pair->y + r, x, sums, thread);
      }
  }
}

static void look_at_pair(const search *s, ncc_proposal *found, const row_pair *pair, int thread) {
  const ncc_masked_kernels *kernels = s->m->cpu->kernels->masked;
  const float scale = (float)(1 / ncc_cpu_points(s->m->cpu));
  if (!s->m->rectangles)
    kernels->windows(pair->sums[NCC_SUM_N], pair->sums[NCC_SUM_S], pair->sums[NCC_SUM_Q], scale, &s->errors,
                     (float)s->m->need * 0.999999f, 2 * NCC_BLOCK_COLS * s->blocks, &pair->windows);
  for (int64_t b = 0; b < s->blocks; b++) {
    const double threshold = atomic_load_explicit(&s->m->best, memory_order_relaxed) - 1e-5;
    if (threshold > 0)
      b = kernels->next(pair->sums[NCC_SUM_P], pair->sums[NCC_SUM_U], pair->sums[NCC_SUM_V], scale, &pair->windows,
                        &s->errors, (float)(threshold * threshold), b, s->blocks);
    if (b < s->blocks) look_at_block(s, found, pair, b, thread);
  }
}

/** From the middle on, where most overlaps. */
static int64_t strip_of_turn(const ncc_cpu_layout *l, int64_t turn) {
  const int64_t strips = ncc_cpu_strips(l->product_rows);
  return (turn + strips / 2) % strips;
}

/** A sum over a whole image's part of the template, as transforms leave rows. */
static void take_template_rows(const search *s, int sum, int64_t y0, int rows, ncc_c32 *out) {
  const int which = sum == NCC_SUM_N ? 0 : sum == NCC_SUM_U ? 1 : 2;
  const ncc_cpu_layout *l = &s->m->cpu->layout;
  for (int r = 0; r < rows; r++)
    ncc_cpu_masked_template_row(s->m, which, y0 + r, s->x0, NCC_BLOCK_COLS * s->blocks,
                                (float *)(out + r / 2 * l->shape.row_stride + s->x0 - l->geometry.trim.x0) + r % 2);
}

static void look_at_strip(const search *s, int64_t strip, int thread) {
  ncc_cpu_masked *m = s->m;
  ncc_cpu *e = m->cpu;
  const ncc_cpu_layout *l = &e->layout;
  const ncc_geometry *g = &l->geometry;
  const int64_t first = strip * NCC_ROW_BATCH, y0 = g->trim.y0 + l->first_row + first;
  const int rows = (int)ncc_min(l->product_rows - first, NCC_ROW_BATCH);
  for (int i = s->first_sum; i < NCC_SUMS; i++) {
    ncc_cpu_scratch to = e->scratch[thread];
    to.rows = m->scratch[thread].rows[i];
    if (ncc_cpu_masked_wants(m, i))
      ncc_cpu_rows_inverse(e, &to, (const ncc_c32 *)m->sums[i].data + strip * l->strip_stride, (rows + 1) / 2);
    else
      take_template_rows(s, i, y0, rows, to.rows);
  }
  for (int r = 0; r < rows; r += 2) {
    row_pair pair = {.y = y0 + r, .count = rows - r < 2 ? 1 : 2};
    pair.windows = m->rectangles ? ncc_cpu_masked_windows_at(m, (first + r) / 2) : m->scratch[thread].windows;
    for (int i = s->first_sum; i < NCC_SUMS; i++)
      pair.sums[i] = (const float *)(m->scratch[thread].rows[i] + r / 2 * l->shape.row_stride + s->x0 - g->trim.x0);
    if (pair.y + pair.count > g->search.y0) look_at_pair(s, &e->scratch[thread].found, &pair, thread);
  }
}

static void strip_item(void *context, int64_t turn, int thread) {
  const search *s = context;
  if (!ncc_cpu_stopped(s->m->cpu) && s->m->singled <= MOST_SINGLED)
    look_at_strip(s, strip_of_turn(&s->m->cpu->layout, turn), thread);
}

static ncc_status gather(const ncc_cpu *e, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  for (int t = 0; t < e->threads; t++) NCC_TRY(ncc_proposal_merge(out, &e->scratch[t].found));
  NCC_TRY(ncc_proposal_finish(out));

cleanup:
  return status;
}

/** Where nothing can reach what is asked for: the best of a strip, by which the judge sees whether the sums are what
 * they are taken for. */
static ncc_status propose_any(const search *s, ncc_proposal *out) {
  ncc_cpu *e = s->m->cpu;
  const int64_t strips = ncc_cpu_strips(e->layout.product_rows);
  for (int64_t turn = 0; turn < strips && out->count == 0 && !ncc_cpu_stopped(e); turn++) {
    ncc_proposal_reset(out);
    for (int t = 0; t < e->threads; t++) ncc_proposal_reset(&e->scratch[t].found);
    s->m->best = -2;
    look_at_strip(s, strip_of_turn(&e->layout, turn), 0);
    const ncc_status status = gather(e, out);
    if (status != NCC_OK) return status;
  }
  return NCC_OK;
}

ncc_status ncc_cpu_masked_search(ncc_cpu_masked *m, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  ncc_cpu *e = m->cpu;
  const ncc_task *task = m->task;
  const ncc_geometry *g = &e->layout.geometry;
  const double units = m->image_unit * m->tmpl_unit, *of = m->errors;
  const double eps = e->context->eps * task->image->scale * task->tmpl->scale * units;
  search s = {.m = m,
              .errors = {(float)of[NCC_SUM_N], (float)of[NCC_SUM_S], (float)of[NCC_SUM_Q], (float)of[NCC_SUM_U],
                         (float)of[NCC_SUM_V], (float)of[NCC_SUM_P]},
              .bounds = {.inv_norm = 1, .absolute_slack = 1e-15, .to_evaluation = 1 / units},
              .eps2 = eps * eps};
  s.x0 = g->search.x0 - (g->search.x0 - g->trim.x0) % NCC_BLOCK_COLS;
  s.blocks = ncc_cpu_masked_blocks(g);
  s.first_sum = m->rectangles ? NCC_SUM_U : NCC_SUM_N;
  m->best = ncc_task_floor(task);
  m->singled = 0;
  m->nowhere = false;
  NCC_TRY(ncc_buffer_reserve(&s.rows, e->threads * g->template_rows * (int64_t)sizeof(ncc_overlap_row), "rows"));
  for (int t = 0; t < e->threads; t++) ncc_proposal_reset(&e->scratch[t].found);
  ncc_pool_run(e->context->pool, ncc_cpu_strips(e->layout.product_rows), strip_item, &s);
  NCC_CHECK(!ncc_cpu_stopped(e), NCC_ERR_STOPPED, "stopped");
  if (m->singled > MOST_SINGLED) goto cleanup;
  NCC_TRY(gather(e, out));
  if (out->count == 0 && m->best > -2) NCC_TRY(propose_any(&s, out));
  m->nowhere = out->count == 0 && m->singled <= MOST_SINGLED && !ncc_cpu_stopped(e);

cleanup:
  ncc_buffer_free(&s.rows);
  return status;
}
