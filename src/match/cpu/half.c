/** Proposals from a half grid: a quarter of the points, and what that leaves summed directly.
 *
 *  Let h = (1, 3, 3, 1) / 8 in either direction, A the image filtered by h at every other pixel, and a any array of
 * mean 0. Then (A, a), correlated, is exactly the image correlated with T~ = sum of a[q] h(. - 2q), at every other
 * position 2k. So for the template T' shifted by f = 0 or 1 in either direction, its window W, and any constant c,
 *
 *    N(2k + f) = (A, a)(k) + <I - c, d>,   d = T'(. - f) - T~,   as d, too, is of mean 0;
 *    |<I - c, d>| <= ||W - c|| ||d in W|| + (hi - lo) * sum of |d| beyond W,   c being the mean of W,
 *
 *  where ||W - c|| is the root of ssd(W): that part of the bound is a constant in units of the NCC. Both norms of d are
 *  summed for the template at hand, so that a need not be good for the bound to hold; it is (-1, 2, 6, 2, -1) / 4 of
 *  T', which makes T~ nearly the mean of the four shifts. hi and lo include 0, as there are zeros outside.
 *
 *  The best of the half grid is looked at by direct sums, and gives the lower bound; then whatever the bound leaves,
 *  if that is little. Else, and where it is known beforehand that it will not be little, proposals are made in full;
 *  after vain attempts in a row more and more pairs go without one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "match/cpu/half.h"
#include "match/kernels/direct.h"
#include "match/kernels/half.h"

#define LEAST_PAIR_S 3e-4 /* cheaper pairs have no attempt */
#define MOST_DISTANCE 0.5 /* of T~ from T', of templates that have one */
#define LEAST_BEST 0.1    /* so that zeros cannot be the peak */
#define PART_OF_PAIR 0.25 /* what may be spent on direct sums */

enum { AROUND_Y = 4, AROUND_X = 8, MOST_LEFT = 64, MOST_PASSED = 64 };

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
  ncc_buffer_free(&h->map);
  ncc_buffer_free(&h->work);
  ncc_prepared_clear(&h->image);
  ncc_prepared_clear(&h->tmpl);
  free(h);
}

bool ncc_cpu_half_was_used(ncc_cpu_half *h) {
  const bool used = h && h->used;
  if (used) h->off = true; /* whoever asks again does so of every pair */
  return used;
}

static ncc_status half_geometry(const ncc_geometry *g, ncc_geometry *out) {
  const int64_t m = ncc_half_template(g->template_rows), n = ncc_half_template(g->template_cols);
  const int64_t y = g->template_rows - 1, x = g->template_cols - 1;
  const ncc_rect window = {((g->search.y0 - y) >> 1) + m - 1, ((g->search.x0 - x) >> 1) + n - 1,
                           ((g->search.y1 - 1 - y) >> 1) + m, ((g->search.x1 - 1 - x) >> 1) + n};
  return ncc_geometry_create(&(ncc_search){0}, &window, ncc_half_image(g->image_rows), ncc_half_image(g->image_cols), m,
                             n, out);
}

/** Numerators of the half grid, in the coarse engine's units. */
static ncc_status make_map(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  ncc_cpu *c = h->coarse;
  const ncc_task task = {.image = &h->image,
                         .image_serial = h->serial,
                         .image_stays = e->task->image_stays,
                         .tmpl = &h->tmpl,
                         .geometry = &h->geometry};
  const ncc_rect *search = &h->geometry.search, *trim = &h->geometry.trim;
  const int64_t width = search->x1 - search->x0;
  c->task = &task;
  NCC_TRY(ncc_cpu_image_prepare(c));
  NCC_TRY(ncc_cpu_product_make(c));
  NCC_TRY(ncc_buffer_reserve(&h->map, 4 * (search->y1 - search->y0 + 1) * width, "numerators of the half grid"));
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  for (int64_t strip = 0; strip < ncc_cpu_strips(c->layout.product_rows); strip++) {
    int64_t y0;
    const int rows = ncc_cpu_take_strip(c, &c->scratch[0], strip, &y0);
    for (int r = 0; r < rows; r++) {
      if (y0 + r < search->y0 || y0 + r >= search->y1) continue;
      float *out = (float *)h->map.data + (y0 + r - search->y0) * width;
      const float *in = (const float *)(c->scratch[0].rows + r / 2 * c->layout.shape.row_stride) + r % 2;
      for (int64_t x = search->x0; x < search->x1; x++) out[x - search->x0] = in[2 * (x - trim->x0)];
    }
  }

cleanup:
  return status;
}

/** Where a full row lies in the map, and a full column. */
static int64_t map_row(const ncc_geometry *g, int64_t y) {
  const int64_t m = g->template_rows - 1;
  return ((y - m) >> 1) - ((g->search.y0 - m) >> 1);
}

static int64_t map_col(const ncc_geometry *g, int64_t x) {
  const int64_t n = g->template_cols - 1;
  return ((x - n) >> 1) - ((g->search.x0 - n) >> 1);
}

/** Whether the transform of the half grid is what it is taken for: its numerator at a position once more, in float64.
 *  As of all transforms, a quarter of its bound is asked for. */
static bool map_holds(const ncc_cpu *e, const ncc_cpu_half *h, int64_t y, int64_t x) {
  const ncc_cpu *c = h->coarse;
  const ncc_geometry *g = e->task->geometry;
  const ncc_array *image = &h->image.pixels, *tmpl = &h->tmpl.pixels;
  const int64_t down = (y - g->template_rows + 1) >> 1, right = (x - g->template_cols + 1) >> 1;
  const int64_t from = ncc_max(0, -right), to = ncc_min(tmpl->cols, image->cols - right);
  const int64_t width = h->geometry.search.x1 - h->geometry.search.x0;
  double sum = 0;
  for (int64_t q = ncc_max(0, -down); q < ncc_min(tmpl->rows, image->rows - down); q++) {
    const float *I = (const float *)image->data + (down + q) * image->cols + right;
    const float *T = (const float *)tmpl->data + q * tmpl->cols;
    double sums[8] = {0};
    int64_t p = from;
    for (; p + 8 <= to; p += 8)
      for (int k = 0; k < 8; k++) sums[k] += (double)I[p + k] * ((double)T[p + k] - h->tmpl.mean);
    for (; p < to; p++) sum += (double)I[p] * ((double)T[p] - h->tmpl.mean);
    for (int k = 0; k < 8; k++) sum += sums[k];
  }
  const double unit = c->image.centring.unit * c->tmpl.unit * ncc_cpu_points(c);
  const double here = (double)((const float *)h->map.data)[map_row(g, y) * width + map_col(g, x)] / unit;
  return fabs(here - sum) <= ncc_cpu_product_error(c) * sqrt(h->tmpl.ssd) / 4 + 0x1p-21 * fabs(sum);
}

/** What a block of stats holds of the search. @return false: nothing. */
static bool block_of(const ncc_cpu *e, int64_t strip, int64_t block, ncc_rect *out) {
  const ncc_rect *s = &e->layout.geometry.search;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t y = stats->y0 + strip * NCC_BLOCK_ROWS, x = stats->x0 + block * NCC_BLOCK_COLS;
  *out = (ncc_rect){ncc_max(y, s->y0), ncc_max(x, s->x0), ncc_min(y + NCC_BLOCK_ROWS, s->y1),
                    ncc_min(x + NCC_BLOCK_COLS, s->x1)};
  return out->y0 < out->y1 && out->x0 < out->x1;
}

/** The most that each block may have. @return the block with the most, -1 where numerators are not finite */
static int64_t look_at_blocks(const ncc_cpu *e, ncc_cpu_half *h) {
  const ncc_stats *stats = &e->windows.stats;
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS, width = h->geometry.search.x1 - h->geometry.search.x0;
  float *column = (float *)h->map.data + (h->geometry.search.y1 - h->geometry.search.y0) * width;
  int64_t best = -1;
  double most = -INFINITY;
  for (int64_t s = 0; s < stats->strips; s++)
    for (int64_t b = 0; b < blocks; b++) {
      ncc_rect r;
      h->most[s * blocks + b] = -INFINITY;
      if (!block_of(e, s, b, &r)) continue;
      if (b == 0 || r.x0 == g->search.x0) {
        const float *map = h->map.data;
        const int64_t first = map_row(g, r.y0), last = map_row(g, r.y1 - 1);
        memcpy(column, map + first * width, (size_t)width * sizeof *column);
        for (int64_t y = first + 1; y <= last; y++) e->kernels->half->larger(map + y * width, width, column);
      }
      float largest = -INFINITY;
      for (int64_t x = map_col(g, r.x0); x <= map_col(g, r.x1 - 1); x++)
        largest = column[x] > largest ? column[x] : largest;
      if (!isfinite(largest)) return -1;
      const double lower = (double)stats->lower[s * blocks + b], here = (double)largest + h->bounds.error;
      h->most[s * blocks + b] = lower > 0 ? here / lower : INFINITY;
      if (lower > 0 && (double)largest / lower > most) {
        most = (double)largest / lower;
        best = s * blocks + b;
      }
    }
  return best;
}

/** ssd of a window by the map, NULL where bounds are all that is known. */
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

/** The rectangle of all positions that may still win, without `done`. @return how many; -1: too many to be worth it */
static int64_t what_is_left(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *done, ncc_rect *left) {
  const ncc_stats *stats = &e->windows.stats;
  const ncc_geometry *g = e->task->geometry;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS, width = h->geometry.search.x1 - h->geometry.search.x0;
  const double slack = h->bounds.absolute_slack + 4 * h->bounds.relative_slack + 1e-5;
  const double threshold = (atomic_load(&e->search.best) - slack) / h->bounds.inv_norm;
  const float *map = h->map.data;
  int64_t count = 0;
  *left = (ncc_rect){INT64_MAX, INT64_MAX, -1, -1};
  if (!(threshold > 0)) return -1;
  for (int64_t b = 0; b < stats->strips * blocks; b++) {
    ncc_rect r;
    if (h->most[b] < threshold || !block_of(e, b / blocks, b % blocks, &r)) continue;
    const double lower = (double)stats->lower[b];
    for (int64_t y = r.y0; y < r.y1; y++)
      for (int64_t x = r.x0; x < r.x1; x++) {
        const double reach = (double)map[map_row(g, y) * width + map_col(g, x)] + h->bounds.error;
        const double ssd = stats->ssd ? fabs((double)*ssd_at(stats, y, x)) : lower * lower;
        const bool flat = stats->ssd && ssd == 0;
        if (within(done, y, x) || flat || reach < 0 || reach * reach < threshold * threshold * ssd) continue;
        *left =
            (ncc_rect){ncc_min(left->y0, y), ncc_min(left->x0, x), ncc_max(left->y1, y + 1), ncc_max(left->x1, x + 1)};
        count++;
      }
    const double products = (double)(g->template_rows * g->template_cols) * (double)(left->y1 - left->y0 + 7) *
                            (double)(left->x1 - left->x0 + 15);
    const bool dear = products * e->kernels->direct->product_s > PART_OF_PAIR * 1.5 * e->layout.cost.pair_s;
    if (count > 0 && dear && e->way != NCC_CPU_ALWAYS_HALF) return -1;
  }
  return count;
}

/** By the maps: the most promising, then what is left. @param[out] done  false: too much is left */
static ncc_status search(ncc_cpu *e, ncc_cpu_half *h, ncc_proposal *out, bool *done) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = e->task->geometry;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS, width = h->geometry.search.x1 - h->geometry.search.x0;
  const int64_t best = look_at_blocks(e, h);
  ncc_rect r, left;
  atomic_store(&e->search.best, ncc_task_floor(e->task));
  if (best < 0 || !block_of(e, best / blocks, best % blocks, &r)) return NCC_OK;
  int64_t top_y = r.y0, top_x = r.x0;
  float top = -INFINITY;
  for (int64_t y = r.y0; y < r.y1; y++)
    for (int64_t x = r.x0; x < r.x1; x++) {
      const float here = ((const float *)h->map.data)[map_row(g, y) * width + map_col(g, x)];
      if (here <= top) continue;
      top = here;
      top_y = y;
      top_x = x;
    }
  const double reach = (double)top / (double)stats->lower[best] * h->bounds.inv_norm + h->bounds.absolute_slack;
  if (reach < LEAST_BEST || !map_holds(e, h, top_y, top_x)) return NCC_OK;
  const ncc_rect *s = &g->search;
  r = (ncc_rect){top_y, top_x, top_y + 1, top_x + 1};  // whatever is summed, where nothing reaches what is asked for
  if (atomic_load(&e->search.best) < LEAST_BEST || what_is_left(e, h, &r, &left) != 0)
    r = (ncc_rect){ncc_max(s->y0, top_y - AROUND_Y), ncc_max(s->x0, top_x - AROUND_X), ncc_min(s->y1, top_y + AROUND_Y),
                   ncc_min(s->x1, top_x + AROUND_X)};
  NCC_TRY(sum_rectangle(e, h, &r, NULL, out));
  if (out->best < LEAST_BEST && atomic_load(&e->search.best) < LEAST_BEST) return NCC_OK;
  const int64_t count = what_is_left(e, h, &r, &left);
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
static bool may_pay(const ncc_cpu *e, const ncc_cpu_half *h) {
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t part = (g->trim.y1 - g->trim.y0) * (g->trim.x1 - g->trim.x0);
  if (e->way == NCC_CPU_ALWAYS_HALF) return !g->ignores_outside;
  return !h->off && !g->ignores_outside && e->layout.cost.pair_s > LEAST_PAIR_S &&
         !ncc_direct_pays(&e->layout.cost, false) && 2 * part > g->image_rows * g->image_cols;
}

static void in_vain(int *vain, int *pass) {
  ++*vain;
  *pass = *vain < 5 ? 2 << *vain : MOST_PASSED;
}

static ncc_status attempt(ncc_cpu *e, ncc_cpu_half *h, ncc_proposal *out, bool *done) {
  ncc_status status = NCC_OK;
  const ncc_prepared *image = e->task->image, *tmpl = e->task->tmpl;
  const double norm = sqrt(tmpl->ssd);
  NCC_TRY(ncc_half_take_template(e, h));
  const double most = e->way == NCC_CPU_ALWAYS_HALF ? 1 : MOST_DISTANCE;
  if (!(h->distance < most * norm) || h->tmpl.flat || !h->tmpl.finite || h->tmpl.scale != 1) return NCC_OK;
  if (half_geometry(&e->layout.geometry, &h->geometry) != NCC_OK) return NCC_OK;
  if (h->serial != e->task->image_serial) NCC_TRY(ncc_half_take_image(e, h));
  if (!h->image.finite || h->image.flat || h->image.scale != 1) return NCC_OK;
  NCC_TRY(make_map(e, h));
  NCC_TRY(ncc_cpu_windows_prepare(e));
  const ncc_stats *stats = &e->windows.stats;
  const ncc_cpu *c = h->coarse;
  const ncc_units units = {h->image_unit * c->image.centring.unit, h->tmpl_unit * c->tmpl.unit, ncc_cpu_points(c),
                           stats->unit, NCC_SSD_UNKNOWN};
  const double pixels = (double)image->pixels.rows * (double)image->pixels.cols;
  const double raw = sqrt(image->ssd + pixels * image->mean * image->mean), coarse = sqrt(h->tmpl.ssd) / h->tmpl_unit;
  const double range = fmax(image->hi, 0) - fmin(image->lo, 0);
  const double error = ncc_cpu_product_error(c) / h->image_unit * coarse + 0x1p-19 * raw * coarse + range * h->beyond;
  h->bounds = ncc_bounds_create(image, tmpl, &units, e->context->eps, error, 4e-7, h->distance / norm + 1e-5 + 4e-7);
  h->mapped = true;
  if (e->windows.known == NCC_CPU_BY_CELLS && e->windows.cells.least <= h->bounds.zero_hi) return NCC_OK;
  NCC_TRY(ncc_buffer_reserve(&h->work, 8 * stats->strips * (stats->stride / NCC_BLOCK_COLS), "blocks of a search"));
  h->most = h->work.data;
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
  if (!may_pay(e, h)) return NCC_OK;
  const int kind = ncc_task_floor(e->task) >= LEAST_BEST;
  int *vain = &h->tries[kind].vain, *pass = &h->tries[kind].pass;
  if (*pass > 0 && e->way != NCC_CPU_ALWAYS_HALF) {
    --*pass;
    return NCC_OK;
  }
  const bool fresh = h->serial != e->task->image_serial;
  NCC_TRY(attempt(e, h, out, done));
  if (*done) {
    const double floor_s = ncc_cpu_product_floor_s(&e->layout) + (fresh ? ncc_cpu_image_floor_s(&e->layout) : 0);
    e->context->counters->fft_floor_s += floor_s; /* that of proposals in full: what this goes below */
    h->used = true;
    *vain = 0;
    e->context->counters->half_grid++;
  } else {
    in_vain(vain, pass);
    ncc_proposal_reset(out);
  }
  e->context->counters->columns_s += ncc_clock_s() - t0;

cleanup:
  return status;
}

double ncc_cpu_half_upper(const ncc_cpu *e, int64_t y, int64_t x, double ssd) {
  const ncc_cpu_half *h = e->half;
  if (!h->mapped) return NAN;
  const ncc_geometry *g = e->task->geometry;
  const int64_t width = h->geometry.search.x1 - h->geometry.search.x0;
  const double here = (double)((const float *)h->map.data)[map_row(g, y) * width + map_col(g, x)];
  return (here + h->bounds.error) * h->bounds.to_evaluation / sqrt(e->task->tmpl->ssd * ssd) + h->bounds.absolute_slack;
}
