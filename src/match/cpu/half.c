/** Proposals from a half grid: a quarter of the points, and what that leaves summed directly. docs/half-grid.md has the
 *  proof in full.
 *
 *  Let h = (1, 3, 3, 1) / 8 in either direction, A the image filtered by h at every other pixel, and a any array of
 *  mean 0. Then (A, a), correlated, is exactly the image correlated with the sum of a[q] h(. - 2q), at every other
 *  position. Interpolated by 3/4 and 1/4 it is so with T~_f at position 2k + f, f = 0 or 1, where a_f, interpolated
 *  likewise, stands for T~_f. So with d = T'(. - f) - T~_f, the window W, and any constant c,
 *
 *    N(2k + f) = (A, a) interpolated + <I - c, d>,   as d, too, is of mean 0,
 *    |<I - c, d>| <= ||W - c|| ||d|| + (hi - lo) * sum of |d| beyond W,   c being the mean of W,
 *
 *  where ||W - c|| is the root of ssd(W): that part of the bound is a constant in units of the NCC. Where that leaves
 * too much, the image's detail is looked at: for any array b on the half grid, I~ = sum of b[q] h(. - 2q), and D the
 * sums of d with each h(. - 2q),
 *
 *    <I - c, d> = <I - I~, d> + <b - 4c, D>,
 *
 *  which is small as both the image and d have little of what the other has. And where the template overhangs, what
 *  overlaps of it tells how large the NCC can be, whatever pixels are.
 *
 *  The best of the half grid is looked at by direct sums, and gives the lower bound; then whatever the bounds leave, if
 *  that is little. Else, and where it is known beforehand that it will not be little, proposals are made in full; after
 *  failures with a geometry more and more of its pairs go without an attempt.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "match/cpu/half.h"
#include "match/kernels/direct.h"

#define LEAST_PAIR_S 3e-4 /* cheaper pairs have no attempt */
#define MOST_DISTANCE 0.6 /* of T~ from T', over the template's norm */
#define LEAST_BEST 0.1    /* so that zeros cannot be the peak */
#define PART_OF_PAIR 0.25 /* what may be spent on direct sums */

enum { AROUND = 4, MOST_LEFT = 64, MOST_PASSED = 64 };

ncc_status ncc_cpu_half_create(const ncc_engine_context *context, ncc_cpu_half **out) {
  ncc_status status = NCC_OK;
  ncc_cpu_half *h = *out = calloc(1, sizeof *h);
  NCC_CHECK(h, NCC_ERR_NOMEM, "out of memory for the CPU engine");
  h->context = *context;
  h->context.counters = &h->counters;
  h->context.eps = 0;
  h->context.proposed = NULL;
  h->serial = -1;
  void *state = NULL;
  NCC_TRY(ncc_cpu_create(&h->context, NCC_CPU_ALWAYS_TRANSFORMED, &state));
  h->coarse = state;
  h->coarse->numerators_alone = true;
  NCC_TRY(ncc_cpu_create(&h->context, NCC_CPU_ALWAYS_DIRECT, &state));
  h->direct = state;
  h->direct->numerators_alone = true;

cleanup:
  return status;
}

void ncc_cpu_half_destroy(ncc_cpu_half *h) {
  if (!h) return;
  ncc_cpu_destroy(h->coarse);
  ncc_cpu_destroy(h->direct);
  ncc_buffer_free(&h->image_px);
  ncc_buffer_free(&h->tmpl_px);
  ncc_buffer_free(&h->map_px);
  ncc_buffer_free(&h->work);
  ncc_buffer_free(&h->blocks);
  ncc_buffer_free(&h->detail.buffer);
  ncc_buffer_free(&h->overlap.buffer);
  ncc_prepared_clear(&h->image);
  ncc_prepared_clear(&h->tmpl);
  free(h);
}

bool ncc_cpu_half_was_used(ncc_cpu_half *h) {
  const bool used = h && h->used;
  if (used) h->kind->asked++;
  if (used) h->used = false; /* what comes in full now serves when it is asked once more */
  return used;
}

static ncc_status half_geometry(const ncc_geometry *g, ncc_geometry *out) {
  const int64_t m = ncc_half_template(g->template_rows), n = ncc_half_template(g->template_cols);
  const int64_t y = g->template_rows - 1, x = g->template_cols - 1;
  const ncc_rect window = {((g->search.y0 - y) >> 1) + m - 2, ((g->search.x0 - x) >> 1) + n - 2,
                           ((g->search.y1 - 1 - y) >> 1) + m + 1, ((g->search.x1 - 1 - x) >> 1) + n + 1};
  return ncc_geometry_create(&(ncc_search){0}, &window, ncc_half_image(g->image_rows), ncc_half_image(g->image_cols), m,
                             n, out);
}

/** ssd of a window by the map. */
static const float *ssd_at(const ncc_stats *s, int64_t y, int64_t x) {
  const int64_t at = y - s->y0;
  return s->ssd + NCC_BLOCK_ROWS * (at / NCC_BLOCK_ROWS * s->stride + x - s->x0) + at % NCC_BLOCK_ROWS;
}

static double lower_at(const ncc_stats *s, int64_t y, int64_t x) {
  const int64_t blocks = s->stride / NCC_BLOCK_COLS;
  return (double)s->lower[(y - s->y0) / NCC_BLOCK_ROWS * blocks + (x - s->x0) / NCC_BLOCK_COLS];
}

static bool within(const ncc_rect *r, int64_t y, int64_t x) {
  return y >= r->y0 && y < r->y1 && x >= r->x0 && x < r->x1;
}

static void consider(ncc_cpu *e, ncc_proposal *out, int64_t y, int64_t x, double numerator) {
  ncc_cpu_search *s = &e->search;
  if (e->windows.known == NCC_CPU_MAPPED) {
    ncc_proposal_consider(out, &s->bounds, y, x, numerator, (double)*ssd_at(&e->windows.stats, y, x), &s->best);
    return;
  }
  const double lower = lower_at(&e->windows.stats, y, x);
  ncc_proposal_consider_between(out, &s->bounds, y, x, numerator, lower * lower,
                                ncc_cells_upper(&e->windows.cells, y, x), &s->best);
}

/** Considers what is searched of a rectangle, but not of `done`, by direct sums. */
static ncc_status sum_rectangle(ncc_cpu *e, ncc_cpu_half *h, const ncc_rect *rect, const ncc_rect *done,
                                ncc_proposal *out) {
  ncc_status status = NCC_OK;
  ncc_cpu *d = h->direct;
  ncc_geometry g;
  const ncc_geometry *of = e->task->geometry;
  NCC_TRY(ncc_geometry_create(&(ncc_search){0}, rect, of->image_rows, of->image_cols, of->template_rows,
                              of->template_cols, &g));
  ncc_task task = *e->task;
  task.geometry = &g;
  task.best = NULL;
  d->task = &task;
  d->image.form = NCC_CPU_NOTHING;
  NCC_TRY(ncc_stats_reserve_lower(&g, &d->windows.stats));
  NCC_TRY(ncc_cpu_image_prepare(d));
  NCC_TRY(ncc_cpu_product_make(d));
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  const double error = fmax(out->error, ncc_cpu_product_error(d) * sqrt(task.tmpl->ssd)), slack = 4e-7;
  const double rounding = d->image.centring.centre != 0 ? slack : 0;
  const ncc_units units = {d->image.centring.unit, d->tmpl.unit, 1, e->windows.stats.unit, NCC_SSD_UNKNOWN};
  e->search.bounds = ncc_bounds_create(task.image, task.tmpl, &units, e->context->eps, error, slack, rounding);
  for (int64_t strip = 0; strip < ncc_cpu_strips(d->layout.product_rows); strip++) {
    int64_t y0;
    const int rows = ncc_cpu_take_strip(d, &d->scratch[0], strip, &y0);
    for (int64_t y = ncc_max(y0, g.search.y0); y < ncc_min(y0 + rows, g.search.y1); y++) {
      int64_t segments[NCC_SEGMENTS_MOST][2];
      const int count = ncc_geometry_segments(of, y, segments), r = (int)(y - y0);
      const float *row = (const float *)(d->scratch[0].rows + r / 2 * d->layout.shape.row_stride - g.trim.x0) + r % 2;
      for (int i = 0; i < count; i++)
        for (int64_t x = ncc_max(segments[i][0], g.search.x0); x < ncc_min(segments[i][1], g.search.x1); x++)
          if (!done || !within(done, y, x)) {
            consider(e, out, y, x, (double)row[2 * x]);
            h->any = (ncc_candidate){y, x, (double)row[2 * x] * e->search.bounds.to_evaluation, -1, 1};
          }
    }
  }
  out->error = error; /* that of all so far, as one pair of bounds serves all */
  out->rounding = fmax(out->rounding, rounding);

cleanup:
  return status;
}

/** What bounds leave: the least that an upper bound must reach, in units of the map over the root of ssd. */
typedef struct thresholds {
  double best;    /* the lower bound that is known */
  double plain;   /* for the template's distance: less that */
  double refined; /* for the image's detail */
} thresholds;

static thresholds thresholds_now(const ncc_cpu *e, const ncc_cpu_half *h) {
  const double best = atomic_load(&e->search.best), rounding = 4 * h->bounds.relative_slack + 1e-5;
  return (thresholds){best - rounding, (best - rounding - h->bounds.absolute_slack) / h->bounds.inv_norm,
                      (best - rounding) / h->bounds.inv_norm};
}

/** Whether a numerator by the map may belong to what wins. @param[in] off  by how much the detail leaves it off */
static bool reaches(const ncc_cpu_half *h, const thresholds *t, double numerator, double off, double root) {
  return numerator + h->bounds.error >= t->plain * root && numerator + h->rounding + off >= t->refined * root;
}

/** Adds the positions of a block that may still win. @return how many. */
static int64_t left_of_block(const ncc_cpu *e, const ncc_cpu_half *h, const thresholds *t, const ncc_rect *r,
                             const ncc_rect *done, double off, double lower, ncc_rect *left) {
  const ncc_geometry *g = e->task->geometry;
  const ncc_stats *stats = &e->windows.stats;
  int64_t count = 0;
  for (int64_t y = r->y0; y < r->y1; y++)
    for (int64_t x = r->x0; x < r->x1; x++) {
      const double ssd = stats->ssd ? fabs((double)*ssd_at(stats, y, x)) : lower * lower;
      if (within(done, y, x) || (stats->ssd && ssd == 0)) continue; /* a flat window has an NCC of 0 */
      if (!reaches(h, t, ncc_half_map_at(h, g, y, x), off, sqrt(ssd))) continue;
      *left =
          (ncc_rect){ncc_min(left->y0, y), ncc_min(left->x0, x), ncc_max(left->y1, y + 1), ncc_max(left->x1, x + 1)};
      count++;
    }
  return count;
}

/** The rectangle of all positions that may still win, without `done`. @return how many; -1: direct sums would take more
 *  than that part of a pair in full */
static int64_t what_is_left(const ncc_cpu *e, const ncc_cpu_half *h, double part, const ncc_rect *done,
                            ncc_rect *left) {
  const ncc_stats *stats = &e->windows.stats;
  const ncc_geometry *g = e->task->geometry;
  const thresholds t = thresholds_now(e, h);
  int64_t count = 0;
  *left = (ncc_rect){INT64_MAX, INT64_MAX, INT64_MIN, INT64_MIN};
  for (int64_t b = 0; b < stats->strips * (stats->stride / NCC_BLOCK_COLS); b++) {
    ncc_rect r;
    const double lower = (double)stats->lower[b], largest = (double)h->largest[b];
    if (!ncc_half_block(e, b, &r) || !isfinite(lower)) continue;
    if (!reaches(h, &t, largest, INFINITY, lower) || ncc_half_overlap_most(e, h, &r) < t.best) continue;
    const double off = ncc_half_detail_most(e, h, &r);
    if (!reaches(h, &t, largest, off, lower)) continue;
    count += left_of_block(e, h, &t, &r, done, off, lower, left);
    if (count == 0) continue;
    const double products = (double)(g->template_rows * g->template_cols) * (double)(left->y1 - left->y0 + 7) *
                            (double)(left->x1 - left->x0 + 15);
    const bool dear =
        products * e->kernels->direct->product_s > part * NCC_TRANSFORMS_WITH_MOVES * e->layout.cost.pair_s;
    if (dear && e->way != NCC_CPU_ALWAYS_HALF) return -1;
  }
  return count;
}

/** Likewise; where that is too much, by the image's detail, which costs less for each of many templates. */
static ncc_status look_closely(ncc_cpu *e, ncc_cpu_half *h, const ncc_rect *done, ncc_rect *left, int64_t *count) {
  ncc_status status = NCC_OK;
  const bool known = h->cells_serial == h->serial;
  *count = what_is_left(e, h, e->task->image_stays && !known ? PART_OF_PAIR / 8 : PART_OF_PAIR, done, left);
  if (*count >= 0 || known) return NCC_OK;
  h->kind->wants_cells = true;
  NCC_TRY(ncc_half_take_detail(e, h));
  *count = what_is_left(e, h, PART_OF_PAIR, done, left);

cleanup:
  return status;
}

/** The position of a block that has most by the map. */
static void top_of_block(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *r, ncc_candidate *top) {
  *top = (ncc_candidate){.numerator = -INFINITY};
  for (int64_t y = r->y0; y < r->y1; y++)
    for (int64_t x = r->x0; x < r->x1; x++) {
      const double here = ncc_half_map_at(h, e->task->geometry, y, x);
      if (here > top->numerator) *top = (ncc_candidate){.y = y, .x = x, .numerator = here};
    }
}

/** By the maps: the most promising, then what is left. @param[out] done  false: too much is left */
static ncc_status search(ncc_cpu *e, ncc_cpu_half *h, ncc_proposal *out, bool *done) {
  ncc_status status = NCC_OK;
  const ncc_rect *s = &e->task->geometry->search;
  const int64_t best = ncc_half_look_at_blocks(e, h);
  ncc_rect r, left;
  ncc_candidate top;
  int64_t count;
  atomic_store(&e->search.best, ncc_task_floor(e->task));
  if (best < 0 || !ncc_half_block(e, best, &r)) return NCC_OK;
  top_of_block(e, h, &r, &top);
  const double reach = top.numerator / (double)e->windows.stats.lower[best] * h->bounds.inv_norm;
  const double hope = fmax(reach, atomic_load(&e->search.best)); /* less than the distance: all would be left */
  const bool hopeless = hope < h->bounds.absolute_slack && e->way != NCC_CPU_ALWAYS_HALF;
  if (hopeless || reach + h->bounds.absolute_slack < LEAST_BEST) return NCC_OK;
  if (!ncc_half_map_holds(e, h, top.y, top.x)) return NCC_OK;
  r = (ncc_rect){top.y, top.x, top.y + 1, top.x + 1}; /* whatever is summed, where nothing reaches what is asked for */
  if (atomic_load(&e->search.best) < LEAST_BEST || what_is_left(e, h, PART_OF_PAIR, &r, &left) != 0)
    r = (ncc_rect){ncc_max(s->y0, top.y - AROUND), ncc_max(s->x0, top.x - AROUND), ncc_min(s->y1, top.y + AROUND),
                   ncc_min(s->x1, top.x + AROUND)};
  NCC_TRY(sum_rectangle(e, h, &r, NULL, out));
  if (out->best < LEAST_BEST && atomic_load(&e->search.best) < LEAST_BEST) return NCC_OK;
  NCC_TRY(look_closely(e, h, &r, &left, &count));
  if (count < 0) return NCC_OK;
  if (count > 0) NCC_TRY(sum_rectangle(e, h, &left, &r, out));
  const double error = out->error, rounding = out->rounding;
  NCC_TRY(ncc_proposal_finish(out));
  if (out->count > MOST_LEFT || out->cut_y != INT64_MAX) return NCC_OK;
  if (e->windows.known == NCC_CPU_BY_CELLS && out->count > 0) NCC_TRY(ncc_cpu_settle_few(e, out));
  if (out->count == 0 && e->task->best) out->items[out->count++] = h->any;
  out->error = error;
  out->rounding = rounding;
  *done = out->count > 0;

cleanup:
  return status;
}

/** Whether an attempt may pay, by the geometry alone. */
static bool may_pay(const ncc_cpu *e) {
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t part = (g->trim.y1 - g->trim.y0) * (g->trim.x1 - g->trim.x0);
  if (e->way == NCC_CPU_ALWAYS_HALF) return !g->ignores_outside;
  return !g->ignores_outside && e->layout.cost.pair_s > LEAST_PAIR_S && !ncc_direct_pays(&e->layout.cost, false) &&
         2 * part > g->image_rows * g->image_cols;
}

/** What is known of attempts with tasks like that of e. */
static ncc_half_kind *find_kind(const ncc_cpu *e, ncc_cpu_half *h) {
  const bool has_floor = ncc_task_floor(e->task) >= LEAST_BEST;
  for (int i = 0; i < NCC_HALF_KINDS; i++)
    if (h->kinds[i].known && h->kinds[i].has_floor == has_floor &&
        ncc_geometry_equal(&h->kinds[i].geometry, &e->layout.geometry))
      return &h->kinds[i];
  ncc_half_kind *kind = &h->kinds[h->next_kind];
  h->next_kind = (h->next_kind + 1) % NCC_HALF_KINDS;
  *kind = (ncc_half_kind){.geometry = e->layout.geometry, .known = true, .has_floor = has_floor};
  return kind;
}

/** Whether it is this pair's turn, by how attempts went: after failures some go without, and where pairs are asked for
 *  again, as for further peaks, what they need then are proposals in full. */
static bool is_turn(const ncc_cpu *e, ncc_half_kind *kind) {
  if (e->way == NCC_CPU_ALWAYS_HALF) return true;
  if (kind->asked > 1 + kind->used / 4) return false;
  if (kind->pass == 0) return true;
  kind->pass--;
  return false;
}

static void learn(ncc_half_kind *kind, bool done) {
  kind->used += done;
  kind->vain = done ? ncc_max(0, kind->vain - 1) : ncc_min(kind->vain + 3, 16);
  kind->pass = done ? 0 : (int)ncc_min(MOST_PASSED, 2 + (1 << kind->vain));
}

/** Bounds of the map. */
static void make_bounds(const ncc_cpu *e, ncc_cpu_half *h) {
  const ncc_cpu *c = h->coarse;
  const ncc_prepared *image = e->task->image, *tmpl = e->task->tmpl;
  const ncc_units units = {h->image_unit * c->image.centring.unit, h->tmpl_unit * c->tmpl.unit, ncc_cpu_points(c),
                           e->windows.stats.unit, NCC_SSD_UNKNOWN};
  const double pixels = (double)image->pixels.rows * (double)image->pixels.cols;
  const double raw = sqrt(image->ssd + pixels * image->mean * image->mean), coarse = sqrt(h->tmpl.ssd) / h->tmpl_unit;
  const double range = fmax(image->hi, 0) - fmin(image->lo, 0);
  const double rounding = ncc_cpu_product_error(c) / h->image_unit * coarse + 0x1p-19 * raw * coarse;
  const double distance = h->distance / (h->tmpl_unit * sqrt(tmpl->ssd));
  h->bounds = ncc_bounds_create(image, tmpl, &units, e->context->eps, rounding + range * h->beyond / h->tmpl_unit, 4e-7,
                                distance + 1e-5 + 4e-7);
  h->rounding = rounding / h->bounds.to_evaluation;
  h->mapped = true;
}

static ncc_status attempt(ncc_cpu *e, ncc_cpu_half *h, ncc_proposal *out, bool *done) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_half_take_template(e, h));
  const double most = (e->way == NCC_CPU_ALWAYS_HALF ? 1.1 : MOST_DISTANCE) * sqrt(e->task->tmpl->ssd) * h->tmpl_unit;
  if (!(h->distance < most) || h->tmpl.flat || !h->tmpl.finite || h->tmpl.scale != 1) return NCC_OK;
  if (half_geometry(&e->layout.geometry, &h->geometry) != NCC_OK) return NCC_OK;
  if (h->serial != e->task->image_serial) NCC_TRY(ncc_half_take_image(e, h));
  if (!h->image.finite || h->image.flat || h->image.scale != 1) return NCC_OK;
  if (e->way == NCC_CPU_ALWAYS_HALF || h->kind->wants_cells)
    if (h->cells_serial != h->serial) NCC_TRY(ncc_half_take_detail(e, h));
  NCC_TRY(ncc_half_map_make(e, h));
  NCC_TRY(ncc_cpu_windows_prepare(e));
  const ncc_stats *stats = &e->windows.stats;
  make_bounds(e, h);
  if (e->windows.known == NCC_CPU_BY_CELLS && e->windows.cells.least <= h->bounds.zero_hi) return NCC_OK;
  NCC_TRY(ncc_buffer_reserve(&h->blocks, 4 * stats->strips * (stats->stride / NCC_BLOCK_COLS), "blocks of a search"));
  h->largest = h->blocks.data;
  NCC_TRY(search(e, h, out, done));

cleanup:
  return status;
}

ncc_status ncc_cpu_half_propose(ncc_cpu *e, ncc_proposal *out, bool *done) {
  ncc_status status = NCC_OK;
  ncc_cpu_half *h = e->half;
  const double t0 = ncc_clock_s();
  *done = false;
  if (!h) return NCC_OK;
  h->used = h->mapped = false;
  if (e->layout.made && !ncc_geometry_equal(&e->layout.geometry, e->task->geometry)) e->image.form = NCC_CPU_NOTHING;
  NCC_TRY(ncc_cpu_layout_make(e, e->task->geometry));
  if (!may_pay(e)) return NCC_OK;
  h->kind = find_kind(e, h);
  if (!is_turn(e, h->kind)) return NCC_OK;
  const bool fresh = h->serial != e->task->image_serial;
  NCC_TRY(attempt(e, h, out, done));
  learn(h->kind, *done);
  h->used = *done;
  if (*done) {
    const double floor_s = ncc_cpu_product_floor_s(&e->layout) + (fresh ? ncc_cpu_image_floor_s(&e->layout) : 0);
    e->context->counters->fft_floor_s += floor_s; /* that of proposals in full: what this goes below */
    e->context->counters->half_grid++;
  } else {
    ncc_proposal_reset(out);
  }
  e->context->counters->columns_s += ncc_clock_s() - t0;

cleanup:
  return status;
}

double ncc_cpu_half_upper(const ncc_cpu *e, int64_t y, int64_t x, double ssd) {
  const ncc_cpu_half *h = e->half;
  if (!h->mapped) return NAN;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS;
  ncc_rect r;
  ncc_half_block(e, (y - stats->y0) / NCC_BLOCK_ROWS * blocks + (x - stats->x0) / NCC_BLOCK_COLS, &r);
  const double here = ncc_half_map_at(h, e->task->geometry, y, x), off = ncc_half_detail_most(e, h, &r);
  const double unit = h->bounds.to_evaluation / sqrt(e->task->tmpl->ssd * ssd);
  const double plain = (here + h->bounds.error) * unit + h->bounds.absolute_slack;
  const double refined = (here + h->rounding + off) * unit + 1e-5;
  return fmin(fmin(plain, refined), ncc_half_overlap_most(e, h, &r) + 1e-5);
}
