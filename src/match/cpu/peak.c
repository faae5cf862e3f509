/** What may be the peak of a product: rows are transformed back while in cache, compared block by block with lower
 *  bounds of the root of ssd(W), and what may win is looked at one by one. No map is ever written.
 *
 *  Error bound of the numerators, in units of ||I - c|| ||T'||, both norms being Euclidean. Write F for the transform
 *  of N = rows * cols points, computed with relative error e: ||F^a - Fa|| <= e ||Fa||. The spectra then multiply to
 *  an error of (2e + 2u) |Fa||Fb| per point, and summing N of them with the inverse's own e gives, by Cauchy-Schwarz,
 *  |error| <= (3e + 2u) ||a|| ||b|| for every output (u = 2^-24); rounding a and b themselves adds 2u. Higham
 *  (Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2) proves e <= log2(N) * (mu + gamma_4
 *  (sqrt 2 + mu)), some 7 u log2 N; rounding errors being nearly independent, e in practice grows as u sqrt(log2 N)
 *  (same, section 24.1; Schatzman 1996), measured 0.4 to 0.6 of that for FFTW. We take |error| <= (6 + log2(N) / 2)
 *  2^-23 ||a|| ||b||, at 2^20 points 32 u. That is no proof in the worst case, and need not be: the judge measures the
 *  error of every candidate, and a pair where one exceeds a quarter of the bound is done again in float64.
 *  tests/unit/match/test_bound.c measures the margin.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "match/cpu/state.h"

enum { MOST_SETTLED = 256 }; /* windows summed one by one */

/** What a numerator must reach, over the root of its ssd, to win. */
static double threshold_now(const ncc_cpu_search *s) {
  const double slack = s->bounds.relative_slack + s->bounds.absolute_slack;
  return (atomic_load_explicit(&s->best, memory_order_relaxed) - 4 * slack - NCC_MARGIN) / s->bounds.inv_norm;
}

/** Looks at positions [from, to) of full row y one by one, by the map. row[2 * x] is the numerator at full column x. */
static void look_at_map(ncc_cpu *e, ncc_proposal *found, int64_t y, int64_t from, int64_t to, const float *row) {
  ncc_cpu_search *s = &e->search;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t at = y - stats->y0;
  const float *strip = stats->ssd + NCC_BLOCK_ROWS * (at / NCC_BLOCK_ROWS * stats->stride - stats->x0);
  const float *ssd = strip + at % NCC_BLOCK_ROWS;  // value of full x: ssd[8 * x]
  const double threshold = threshold_now(s);
  const bool rim = e->layout.geometry.ignores_outside;
  for (int64_t x = from; x < to; x++) {
    double reach = (double)row[2 * x] + s->bounds.error, here = (double)ssd[NCC_BLOCK_ROWS * x];
    if (rim) here = ncc_cpu_rim_ssd(e, y, x, here);
    if (threshold > 0 && (reach < 0 || reach * reach < threshold * threshold * fabs(here))) continue;
    ncc_proposal_consider(found, &s->bounds, y, x, (double)row[2 * x], here, &s->best);
  }
}

/** The same within one block, of whose ssd bounds are known; `lower` is that of its root. */
static void look_by_cells(ncc_cpu *e, ncc_proposal *found, int64_t y, int64_t from, int64_t to, const float *row,
                          double lower) {
  ncc_cpu_search *s = &e->search;
  double threshold = threshold_now(s), most = -1;
  for (int64_t x = from; x < to; x++) {
    if (threshold > 0 && (double)row[2 * x] + s->bounds.error < threshold * lower) continue;
    if (most < 0) most = ncc_cells_upper(&e->windows.cells, y, x);
    if (lower * lower > s->bounds.zero_hi)
      ncc_proposal_consider_between(found, &s->bounds, y, x, (double)row[2 * x], lower * lower, most, &s->best);
    else  // what overlaps of the template is flat, or nearly so
      ncc_proposal_consider(found, &s->bounds, y, x, (double)row[2 * x], -fmax(lower * lower, 1e-37), &s->best);
    threshold = threshold_now(s);
  }
}

/** The blocks of a strip whose largest numerator over their smallest denominator can reach the best lower bound.
 *  @return how many. */
static int64_t blocks_that_reach(const ncc_cpu *e, const float *maxima, const float *lower, int32_t *blocks) {
  const int64_t count = e->windows.stats.stride / NCC_BLOCK_COLS;
  const double threshold = threshold_now(&e->search);
  int64_t reached = 0;
  for (int64_t b = 0; b < count; b++) {
    blocks[reached] = (int32_t)b;
    reached += !(threshold > 0 && (double)maxima[b] + e->search.bounds.error < threshold * (double)lower[b]);
  }
  return reached;
}

/** What a strip may have at most, whatever is left out of it: when the product is searched again, most strips need not
 *  be transformed once more. */
static double most_in_strip(const ncc_cpu *e, const float *maxima, const float *lower) {
  const int64_t count = e->windows.stats.stride / NCC_BLOCK_COLS;
  double most = 0;
  for (int64_t b = 0; b < count; b++) {
    const double here = ((double)maxima[b] + e->search.bounds.error) / (double)lower[b];
    most = lower[b] > 0 && !isnan(here) ? fmax(most, here) : INFINITY;  // windows may be flat, a transform may overflow
    if (most == INFINITY) break;
  }
  return most;
}

/** Looks at what is searched of some blocks in full row y. */
static void look_at_row(ncc_cpu *e, ncc_proposal *found, int64_t y, const float *row, const float *lower,
                        const int32_t *blocks, int64_t count) {
  int64_t segments[NCC_SEGMENTS_MOST][2];
  const int segment_count = ncc_geometry_segments(e->task->geometry, y, segments);
  for (int64_t h = 0; h < count; h++) {
    const int64_t b0 = e->windows.stats.x0 + blocks[h] * NCC_BLOCK_COLS, b1 = b0 + NCC_BLOCK_COLS;
    for (int i = 0; i < segment_count; i++) {
      const int64_t from = b0 > segments[i][0] ? b0 : segments[i][0], to = b1 < segments[i][1] ? b1 : segments[i][1];
      if (from >= to) continue;
      if (e->windows.known == NCC_CPU_BY_CELLS)
        look_by_cells(e, found, y, from, to, row, (double)lower[blocks[h]]);
      else
        look_at_map(e, found, y, from, to, row);
    }
  }
}

/** First full row of a strip of the product. */
static int64_t first_row(const ncc_cpu_layout *l, int64_t strip) {
  return l->geometry.trim.y0 + l->first_row + strip * NCC_ROW_BATCH;
}

int ncc_cpu_take_strip(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip, int64_t *y) {
  const ncc_cpu_layout *l = &e->layout;
  const int64_t left = l->product_rows - strip * NCC_ROW_BATCH, y0 = first_row(l, strip);
  const int rows = left < NCC_ROW_BATCH ? (int)left : NCC_ROW_BATCH;
  ncc_cpu_product_rows(e, s, strip, y0, rows);
  if (e->image.centring.centre != 0 || l->geometry.ignores_outside)
    for (int r = 0; r < rows; r++)
      if (y0 + r >= l->geometry.search.y0)
        ncc_cpu_product_add_overhang(e, y0 + r, (float *)(s->rows + r / 2 * l->shape.row_stride) + r % 2);
  *y = y0;
  return rows;
}

/** Of some blocks the one that may have most, as far as their windows are known not to be flat; -1: none is. */
static int32_t most_promising(const float *maxima, const float *lower, const int32_t *blocks, int64_t count) {
  int32_t at = -1;
  float most = 0;
  for (int64_t h = 0; h < count; h++) {
    const int32_t b = blocks[h];
    if (!(lower[b] > 0 && maxima[b] > most * lower[b])) continue;
    most = maxima[b] / lower[b];
    at = b;
  }
  return at;
}

/** Looks at what is searched of some blocks in all rows of a strip. */
static void look_at_strip(ncc_cpu *e, ncc_cpu_scratch *s, int64_t y0, int rows, const float *numerators,
                          const float *lower, const int32_t *blocks, int64_t count) {
  const int64_t stride = 2 * e->layout.shape.row_stride;
  for (int r = 0; r < rows && count > 0; r++)
    look_at_row(e, &s->found, y0 + r, numerators + r / 2 * stride + r % 2, lower, blocks, count);
}

static void strip_item(void *context, int64_t turn, int thread) {
  ncc_cpu *e = context;
  if (ncc_cpu_stopped(e)) return;
  ncc_cpu_scratch *s = &e->scratch[thread];
  const ncc_cpu_layout *l = &e->layout;
  const ncc_stats *stats = &e->windows.stats;
  const ncc_rect *trim = &l->geometry.trim;
  ncc_cpu_reach *reach = &e->search.reach[turn];
  const double threshold = threshold_now(&e->search);
  if (threshold > 0 && reach->most < threshold) return;
  const int64_t stride = l->shape.row_stride;
  int64_t y0;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS;
  const int rows = ncc_cpu_take_strip(e, s, reach->strip, &y0), packed = (rows + 1) / 2;
  e->kernels->spectra->block_max((const ncc_c32 *)s->rows + (stats->x0 - trim->x0), stride, packed, stats->stride,
                                 s->maxima);

  const float *lower = stats->lower + (y0 - stats->y0) / NCC_BLOCK_ROWS * blocks;
  if (l->geometry.ignores_outside) {
    ncc_cpu_rim_lower(e, y0, lower, s->maxima + stride / 2);
    lower = s->maxima + stride / 2;
  }
  if (e->search.again) reach->most = most_in_strip(e, s->maxima, lower);
  int32_t *reached = (int32_t *)(s->maxima + stride);
  int64_t count = blocks_that_reach(e, s->maxima, lower, reached);
  const int32_t first = count > 1 ? most_promising(s->maxima, lower, reached, count) : -1;
  const float *numerators = (const float *)(s->rows - trim->x0);
  if (first >= 0) {  // most of the others then reach no more
    look_at_strip(e, s, y0, rows, numerators, lower, &first, 1);
    s->maxima[first] = -INFINITY;
    count = blocks_that_reach(e, s->maxima, lower, reached);
  }
  look_at_strip(e, s, y0, rows, numerators, lower, reached, count);
}

static int compare_reach(const void *a, const void *b) {
  const ncc_cpu_reach *p = a, *q = b;
  if (p->most != q->most) return p->most > q->most ? -1 : 1;
  return (p->strip > q->strip) - (p->strip < q->strip);
}

/** The order of strips. */
static ncc_status order_strips(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const int64_t strips = ncc_cpu_strips(e->layout.product_rows);
  if (e->search.again) {
    qsort(e->search.reach, (size_t)strips, sizeof *e->search.reach, compare_reach);
    return NCC_OK;
  }
  NCC_TRY(ncc_buffer_reserve(&e->search.reach_buf, strips * (int64_t)sizeof *e->search.reach, "strips of a search"));
  e->search.reach = e->search.reach_buf.data;
  // From the middle outwards: a good lower bound comes early there, while bounds are wide at the rims.
  for (int64_t i = 0; i < strips; i++) {
    const int64_t away = (i + 1) / 2, strip = strips / 2 + (i % 2 ? -away : away);
    e->search.reach[i] = (ncc_cpu_reach){strip, INFINITY};
  }

cleanup:
  return status;
}

static ncc_status search(ncc_cpu *e, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  e->search.best = ncc_task_floor(e->task);
  NCC_TRY(order_strips(e));
  for (int t = 0; t < e->threads; t++) ncc_proposal_reset(&e->scratch[t].found);
  ncc_pool_run(e->context->pool, ncc_cpu_strips(e->layout.product_rows), strip_item, e);
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  for (int t = 0; t < e->threads; t++) NCC_TRY(ncc_proposal_merge(out, &e->scratch[t].found));
  NCC_TRY(ncc_proposal_finish(out));

cleanup:
  return status;
}

typedef struct settle_job {
  const ncc_cpu *e;
  const ncc_candidate *items;
  double ssd[MOST_SETTLED];
} settle_job;

static void settle_item(void *context, int64_t item, int thread) {
  (void)thread;
  settle_job *job = context;
  const int64_t y = job->items[item].y, x = job->items[item].x;
  const double ssd = ncc_cells_ssd(&job->e->windows.cells, y, x);
  job->ssd[item] = job->e->layout.geometry.ignores_outside ? ncc_cpu_rim_ssd(job->e, y, x, ssd) : ssd;
}

/** More windows than that are summed together sooner than one by one. */
static int64_t most_settled(const ncc_cpu_layout *l) {
  const int64_t area = l->geometry.template_rows * l->geometry.template_cols;
  const int64_t count = 4 * l->image_rows * l->image_cols / area;
  return count < MOST_SETTLED ? count : MOST_SETTLED;
}

ncc_status ncc_cpu_settle_few(ncc_cpu *e, ncc_proposal *p) {
  ncc_status status = NCC_OK;
  const ncc_bounds *bounds = &e->search.bounds;
  settle_job job = {.e = e, .items = p->items};
  const int64_t count = p->count;
  ncc_pool_run(e->context->pool, count, settle_item, &job);
  ncc_proposal_reset(p);
  for (int64_t i = 0; i < count; i++) {
    const ncc_candidate c = p->items[i];  // before its place is taken
    ncc_proposal_consider(p, bounds, c.y, c.x, c.numerator / bounds->to_evaluation, job.ssd[i], &e->search.best);
  }
  NCC_TRY(ncc_proposal_finish(p));

cleanup:
  return status;
}

/** Settles what bounds by cells have left, by ssd of these few windows; where they are many, by that of all. One that
 *  is sure is for the judge, whatever its ssd. */
static ncc_status settle(ncc_cpu *e, ncc_proposal *p) {
  ncc_status status = NCC_OK;
  if (p->count == 1 && p->any_sure && p->cut_y == INT64_MAX) return NCC_OK;
  if (p->count <= most_settled(&e->layout) && p->cut_y == INT64_MAX) return ncc_cpu_settle_few(e, p);
  NCC_TRY(ncc_cpu_windows_give_bounds_up(e));
  ncc_proposal_reset(p);
  return search(e, p);

cleanup:
  return status;
}

/** Where nothing can reach what is asked for: a position in the middle, by which the judge sees whether the product is
 *  what it is taken for. */
static void propose_any(ncc_cpu *e, ncc_proposal *p) {
  const ncc_cpu_layout *l = &e->layout;
  ncc_cpu_scratch *s = &e->scratch[0];
  int64_t x0, x1, y0;
  const int64_t y = (l->geometry.search.y0 + l->geometry.search.y1) / 2;
  ncc_geometry_span(&l->geometry, y, &x0, &x1);
  const int64_t x = (x0 + x1) / 2;
  const int64_t strip = (y - first_row(l, 0)) / NCC_ROW_BATCH;
  ncc_cpu_take_strip(e, s, strip, &y0);
  const int64_t r = y - y0;
  const float *row = (const float *)(s->rows + r / 2 * l->shape.row_stride - l->geometry.trim.x0) + r % 2;
  p->items[p->count++] = (ncc_candidate){y, x, (double)row[2 * x] * e->search.bounds.to_evaluation, -1, 1};
}

ncc_status ncc_cpu_search_run(ncc_cpu *e, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  const ncc_task *task = e->task;
  const ncc_centring *image = &e->image.centring;
  const double t0 = ncc_clock_s();
  const ncc_units units = {image->unit, e->tmpl.unit, ncc_cpu_points(e), e->windows.stats.unit, NCC_SSD_UNKNOWN};
  const double error = ncc_cpu_product_error(e) * sqrt(task->tmpl->ssd);
  const double slack = 4e-7;  // ssd, numerator and its correction are rounded to float32
  const double rounding = image->centre != 0 ? slack : 0;
  ncc_bounds *bounds = &e->search.bounds;
  *bounds = ncc_bounds_create(task->image, task->tmpl, &units, e->context->eps, error, slack, rounding);
  if (e->windows.known == NCC_CPU_BY_CELLS && e->windows.cells.least <= bounds->zero_hi)  // some windows may be zeroed
    NCC_TRY(ncc_cpu_windows_give_bounds_up(e));
  NCC_TRY(search(e, out));
  if (e->windows.known == NCC_CPU_BY_CELLS) NCC_TRY(settle(e, out));
  if (out->count == 0 && task->best) propose_any(e, out);
  out->error = error;
  out->rounding = rounding;
  e->context->counters->peak_s += ncc_clock_s() - t0;

cleanup:
  return status;
}
