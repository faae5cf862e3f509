/** Float64 proposals; see second_tier.h.
 *
 *  A tile is a rectangle of the search. Its numerators come from one padded 2-D FFT, its window sums from column sums
 * in double-double arithmetic (about 106 bits; Dekker 1971) that slide without ever rounding noticeably.
 */
#include "match/second_tier.h"

#include <fftw3.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/error.h"
#include "match/fft.h"
#include "match/stats.h"
#include "match/template_overlap.h"

/** Least side of a tile; larger templates have tiles of their own size. */
enum { TILE = 1024, CANDIDATES = 1 << 20 };

/** ssd of what overlaps of a template is known within one in so many, or doubtful. */
#define PART_WELL_ABOVE 0x1p36

/** A number as an unevaluated sum. */
typedef struct dd {
  double hi, lo;
} dd;

static inline dd two_sum(double a, double b) {
  double s = a + b, t = s - a;
  return (dd){s, (a - (s - t)) + (b - t)};
}

static inline dd dd_add(dd a, dd b) {
  dd s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
  s.lo += t.hi;
  dd r = two_sum(s.hi, s.lo);
  r.lo += t.lo;
  return two_sum(r.hi, r.lo);
}

static inline dd dd_negate(dd a) {
  return (dd){-a.hi, -a.lo};
}

/** Exact product by Veltkamp's splitting: no need of a fused multiply-add in hardware. */
static inline dd two_product(double a, double b) {
  const double split = 134217729.0;
  double p = a * b, x = split * a, y = split * b;
  double ah = x - (x - a), bh = y - (y - b), al = a - ah, bl = b - bh;
  return (dd){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static inline dd dd_multiply(dd a, dd b) {
  dd p = two_product(a.hi, b.hi);
  return two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static inline dd dd_divide(dd a, double b) {
  double q = a.hi / b;
  dd r = dd_add(a, dd_negate(two_product(q, b)));
  return two_sum(q, r.hi / b);
}

struct ncc_second_tier {
  const ncc_engine_context *context;
  ncc_buffer image, tmpl, prefix, sums;
  ncc_template_overlap parts;  // where nothing is outside the image, in place of prefix
  const ncc_task *task;
  ncc_geometry tile;           // geometry with the tile as its search
  int64_t rows, cols, stride;  // of the transform; stride in doubles
  const ncc_tier_visitor *visitor;
  dd *s, *q;    // [width] column sums over the window's rows
  double mass;  // sum of squares about the mean of all that the tile sees
};

ncc_status ncc_second_tier_create(const ncc_engine_context *context, ncc_second_tier **out) {
  *out = calloc(1, sizeof **out);
  if (!*out) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for the second tier");
  (*out)->context = context;
  return NCC_OK;
}

static void release(ncc_second_tier *t) {
  ncc_buffer_free(&t->image);
  ncc_buffer_free(&t->tmpl);
  ncc_buffer_free(&t->prefix);
  ncc_template_overlap_clear(&t->parts);
  ncc_buffer_free(&t->sums);
}

void ncc_second_tier_destroy(ncc_second_tier **tier) {
  if (!*tier) return;
  release(*tier);
  free(*tier);
  *tier = NULL;
}

static int64_t tile_side(int64_t tmpl) {
  return tmpl > TILE ? tmpl : TILE;
}
int64_t ncc_second_tier_bytes(const ncc_geometry *g) {
  int64_t rows = ncc_min(tile_side(g->template_rows), g->search.y1 - g->search.y0) + 2 * g->template_rows;
  int64_t cols = ncc_min(tile_side(g->template_cols), g->search.x1 - g->search.x0) + 2 * g->template_cols;
  int64_t transform = 8 * (rows + rows / 8 + 16) * (cols + cols / 8 + 32);
  const int64_t parts = g->ignores_outside ? ncc_template_overlap_bytes(g->template_rows, g->template_cols) : 0;
  const int64_t positions = (g->search.y1 - g->search.y0) * (g->search.x1 - g->search.x0);
  return parts + 2 * transform + 8 * (g->template_rows + 1) * (g->template_cols + 1) + 32 * cols +
         ncc_min(CANDIDATES, positions) * (int64_t)sizeof(ncc_candidate);
}

/** The pair's geometry, searched in one tile only. */
static ncc_geometry tile_geometry(const ncc_geometry *g, const ncc_rect *tile) {
  ncc_geometry t = *g;
  t.search = *tile;
  t.trim.y0 = ncc_max(0, tile->y0 - g->template_rows + 1);
  t.trim.x0 = ncc_max(0, tile->x0 - g->template_cols + 1);
  t.trim.y1 = ncc_min(g->image_rows, tile->y1);
  t.trim.x1 = ncc_min(g->image_cols, tile->x1);
  return t;
}

static ncc_status make_prefix(ncc_second_tier *t) {
  const ncc_prepared *tmpl = t->task->tmpl;
  const int64_t m = tmpl->pixels.rows, n = tmpl->pixels.cols, stride = n + 1;
  if (t->task->geometry->ignores_outside) return ncc_template_overlap_create(tmpl, 1, &t->parts);
  ncc_status status = ncc_buffer_reserve(&t->prefix, 8 * ((m + 1) * stride + n), "prefix sums of a template");
  if (status != NCC_OK) return status;
  double *prefix = t->prefix.data;
  ncc_prepared_prefix(tmpl, 1, prefix + (m + 1) * stride, prefix);
  return NCC_OK;
}

/** Sum of T' over the overlap at (y, x). */
static double overlap_sum(const ncc_second_tier *t, int64_t y, int64_t x) {
  const ncc_geometry *g = &t->tile;
  const int64_t m = g->template_rows, n = g->template_cols;
  const int64_t top = ncc_overlap_first(m, y), bottom = ncc_overlap_end(g->image_rows, m, y);
  const int64_t left = ncc_overlap_first(n, x), right = ncc_overlap_end(g->image_cols, n, x);
  if (top == 0 && left == 0 && bottom == m && right == n) return 0;
  return ncc_prefix_sum(t->prefix.data, n, top, bottom, left, right);
}

/** Numerators of the tile about the mean, undivided by the number of points: t->image, rows of `stride` doubles. */
static ncc_status transform(ncc_second_tier *t, double *norm) {
  ncc_status status = NCC_OK;
  const ncc_prepared *image = t->task->image, *tmpl = t->task->tmpl;
  const ncc_geometry *g = &t->tile;
  const ncc_rect *trim = &g->trim;
  const int64_t m = g->template_rows, n = g->template_cols;
  fftw_plan forward = NULL, inverse = NULL;
  t->rows = ncc_fft_length(
      ncc_max(2, ncc_geometry_min_fft(trim->y1 - trim->y0, m, g->search.y0 - trim->y0, g->search.y1 - 1 - trim->y0)));
  t->cols = ncc_fft_length(
      ncc_max(2, ncc_geometry_min_fft(trim->x1 - trim->x0, n, g->search.x0 - trim->x0, g->search.x1 - 1 - trim->x0)));
  t->stride = 2 * (t->cols / 2 + 1);
  NCC_TRY(ncc_buffer_reserve(&t->image, 8 * t->rows * t->stride, "the second tier"));
  NCC_TRY(ncc_buffer_reserve(&t->tmpl, 8 * t->rows * t->stride, "the second tier"));
  double *a = t->image.data, *b = t->tmpl.data;
  ncc_fft_lock();
  forward = fftw_plan_dft_r2c_2d((int)t->rows, (int)t->cols, a, (fftw_complex *)a, FFTW_ESTIMATE);
  inverse = fftw_plan_dft_c2r_2d((int)t->rows, (int)t->cols, (fftw_complex *)a, a, FFTW_ESTIMATE);
  ncc_fft_unlock();
  NCC_CHECK(forward && inverse, NCC_ERR_INTERNAL, "no float64 FFT plan for %lldx%lld", (long long)t->rows,
            (long long)t->cols);
  memset(a, 0, (size_t)(t->rows * t->stride) * sizeof *a);
  memset(b, 0, (size_t)(t->rows * t->stride) * sizeof *b);
  double squares = 0;
  for (int64_t y = trim->y0; y < trim->y1; y++) {
    double *row = a + (y - trim->y0) * t->stride;
    ncc_prepared_row(image, y, trim->x0, trim->x1 - trim->x0, row);
    for (int64_t x = 0; x < trim->x1 - trim->x0; x++) {
      row[x] -= image->mean;
      squares += row[x] * row[x];
    }
  }
  *norm = sqrt(squares);
  for (int64_t r = 0; r < m; r++) {
    double *row = b + (m - 1 - r) * t->stride;
    ncc_prepared_row(tmpl, r, 0, n, row);
    for (int64_t c = 0; c < n; c++) row[c] = (row[c] - tmpl->mean) - tmpl->rest;
    for (int64_t c = 0; c < n / 2; c++) {
      double swap = row[c];
      row[c] = row[n - 1 - c];
      row[n - 1 - c] = swap;
    }
  }
  fftw_execute_dft_r2c(forward, a, (fftw_complex *)a);
  fftw_execute_dft_r2c(forward, b, (fftw_complex *)b);
  for (int64_t i = 0; i < t->rows * t->stride; i += 2) {
    double re = a[i] * b[i] - a[i + 1] * b[i + 1], im = a[i] * b[i + 1] + a[i + 1] * b[i];
    a[i] = re;
    a[i + 1] = im;
  }
  fftw_execute_dft_c2r(inverse, (fftw_complex *)a, a);

cleanup:
  ncc_fft_lock();
  if (forward) fftw_destroy_plan(forward);
  if (inverse) fftw_destroy_plan(inverse);
  ncc_fft_unlock();
  return status;
}

/** Adds or takes away an image row from the column sums. */
static void slide(ncc_second_tier *t, int64_t image_row, bool add, double *pixels) {
  const ncc_rect *trim = &t->tile.trim;
  const ncc_prepared *image = t->task->image;
  if (image_row < 0 || image_row >= image->pixels.rows) return;
  ncc_prepared_row(image, image_row, trim->x0, trim->x1 - trim->x0, pixels);
  for (int64_t i = 0; i < trim->x1 - trim->x0; i++) {
    const dd d = two_sum(pixels[i], -image->mean); /* exactly: windows may vary by less than a unit of the mean */
    const dd square = dd_multiply(d, d);
    if (add) t->mass += square.hi;
    t->s[i] = dd_add(t->s[i], add ? d : dd_negate(d));
    t->q[i] = dd_add(t->q[i], add ? square : dd_negate(square));
  }
}

/** Where nothing is outside the image: means and ssd are of what overlaps of the template, too.
 *  @param[in] s  sum of I - mean over the overlap of n pixels */
static void take_part(const ncc_second_tier *t, int64_t y, int64_t x, double s, double n, double *numerator,
                      double *ssd) {
  const ncc_geometry *g = &t->tile;
  const ncc_template_part part =
      ncc_template_part_at(g->image_rows, g->image_cols, g->template_rows, g->template_cols, y, x);
  *numerator -= s * ncc_template_overlap_sum(&t->parts, &part) / n;
  *ssd = ncc_template_overlap_times(*ssd, ncc_template_overlap_ssd(&t->parts, &part, PART_WELL_ABOVE));
}

/** Visits the searched positions of full row y; called in increasing order of rows. */
static void visit_row(void *context, int64_t y, const uint8_t *flat) {
  ncc_second_tier *t = context;
  const ncc_geometry *g = &t->tile;
  const ncc_rect *trim = &g->trim;
  const int64_t m = g->template_rows, n = g->template_cols;
  const double area = (double)(m * n), mean = t->task->image->mean;
  const double points = (double)t->rows * (double)t->cols;
  double *pixels = (double *)(t->q + (trim->x1 - trim->x0));
  if (y == g->search.y0) {
    for (int64_t row = y - m + 1; row <= y; row++) slide(t, row, true, pixels);
  } else {
    slide(t, y, true, pixels);
    slide(t, y - m, false, pixels);
  }
  int64_t segments[NCC_SEGMENTS_MOST][2];
  int segment = 0, count = ncc_geometry_segments(g, y, segments);
  const double *numerators = (double *)t->image.data + (y - trim->y0) * t->stride - trim->x0;
  const int64_t rows_overlap = ncc_overlap(g->image_rows, m, y);
  dd s = {0, 0}, q = {0, 0};
  int64_t left = trim->x0, right = trim->x0 - 1;  // columns in the sums: [left, right]
  for (int64_t x = g->search.x0; x < g->search.x1; x++) {
    int64_t want_left = ncc_max(x - n + 1, 0), want_right = ncc_min(x, g->image_cols - 1);
    for (; right < want_right; right++) {
      s = dd_add(s, t->s[right + 1 - trim->x0]);
      q = dd_add(q, t->q[right + 1 - trim->x0]);
    }
    for (; left < want_left; left++) {
      s = dd_add(s, dd_negate(t->s[left - trim->x0]));
      q = dd_add(q, dd_negate(t->q[left - trim->x0]));
    }
    while (segment < count && x >= segments[segment][1]) segment++;
    if (segment == count || x < segments[segment][0]) continue;
    double overlap = (double)(rows_overlap * (want_right - want_left + 1));
    dd inside = dd_add(q, dd_negate(dd_divide(dd_multiply(s, s), overlap)));
    double ssd = inside.hi;
    if (overlap < area && !g->ignores_outside) ssd += ncc_ssd_beyond(s.hi, overlap, area, mean);
    // Double-double sums err by less than 2^-90 of all they have seen.
    double error = 0x1p-90 * t->mass;
    if (flat[x - g->search.x0])
      ssd = 0;
    else if (ssd < 0x1p45 * error)
      ssd = ssd > 2 * error ? -(ssd - error) : (double)NCC_SSD_UNKNOWN * 1e-200;
    double numerator = numerators[x] / points;
    if (!g->ignores_outside)
      numerator += mean * overlap_sum(t, y, x);
    else if (overlap < area)
      take_part(t, y, x, s.hi, overlap, &numerator, &ssd);
    t->visitor->position(t->visitor->context, y, x, numerator, ssd);
  }
}

static ncc_status visit_tile(ncc_second_tier *t, const ncc_rect *tile) {
  ncc_status status = NCC_OK;
  const ncc_task *task = t->task;
  double norm = 0;
  t->tile = tile_geometry(task->geometry, tile);
  NCC_TRY(transform(t, &norm));
  int64_t width = t->tile.trim.x1 - t->tile.trim.x0;
  NCC_TRY(ncc_buffer_reserve(&t->sums, (2 * (int64_t)sizeof(dd) + 8) * width, "the second tier"));
  memset(t->sums.data, 0, (size_t)(2 * width) * sizeof(dd));
  t->s = t->sums.data;
  t->q = t->s + width;
  t->mass = 0;
  const double area = (double)(t->tile.template_rows * t->tile.template_cols), norm_t = sqrt(task->tmpl->ssd);
  const double points = (double)t->rows * (double)t->cols;
  // As cpu/peak.c with float64's unit, and the rounding of mean * S from prefix sums.
  double error = (10 + log2(points) / 2) * 0x1p-52 * norm * norm_t;
  double sides = (double)(t->tile.template_rows + t->tile.template_cols);
  error += fabs(task->image->mean) * 4 * sides * 0x1p-53 * sqrt(area) * norm_t;
  NCC_TRY(t->visitor->tile(t->visitor->context, error));
  NCC_TRY(ncc_flat_rows(task->image, &t->tile, visit_row, t));

cleanup:
  return status;
}

ncc_status ncc_second_tier_visit(ncc_second_tier *t, const ncc_task *task, const ncc_tier_visitor *visitor) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = task->geometry;
  t->task = task;
  t->visitor = visitor;
  NCC_TRY(make_prefix(t));
  const int64_t height = tile_side(g->template_rows), width = tile_side(g->template_cols);
  for (int64_t y = g->search.y0; y < g->search.y1; y += height)
    for (int64_t x = g->search.x0; x < g->search.x1; x += width) {
      NCC_CHECK(!ncc_stop_came(t->context->config), NCC_ERR_STOPPED, "stopped");
      ncc_rect tile = {y, x, ncc_min(y + height, g->search.y1), ncc_min(x + width, g->search.x1)};
      NCC_TRY(visit_tile(t, &tile));
    }

cleanup:
  // Rare work should not hold memory.
  release(t);
  return status;
}

/** Proposing: each tile has a list of its own, because positions of one list come in row-major order. */
typedef struct proposer {
  const ncc_second_tier *tier;
  ncc_bounds bounds;
  ncc_proposal tile, *out;
  _Atomic double best;
} proposer;

static ncc_status begin_list(void *context, double error) {
  ncc_status status = NCC_OK;
  proposer *p = context;
  const ncc_task *task = p->tier->task;
  const ncc_units units = {1, 1, 1, 1, 0};
  NCC_TRY(ncc_proposal_merge(p->out, &p->tile));
  ncc_proposal_reset(&p->tile);
  p->tile.error = error;
  const double slack = task->geometry->ignores_outside ? 1e-10 : 1e-14;
  p->bounds = ncc_bounds_create(task->image, task->tmpl, &units, p->tier->context->eps, error, slack, 1e-15);

cleanup:
  return status;
}

static void consider(void *context, int64_t y, int64_t x, double numerator, double ssd) {
  proposer *p = context;
  ncc_proposal_consider(&p->tile, &p->bounds, y, x, numerator, ssd, &p->best);
}

ncc_status ncc_second_tier_propose(ncc_second_tier *t, const ncc_task *task, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  proposer p = {.tier = t, .out = out, .best = -2};
  const ncc_tier_visitor visitor = {&p, begin_list, consider};
  ncc_proposal_reset(out);
  NCC_TRY(ncc_proposal_create(CANDIDATES, &p.tile));
  NCC_TRY(ncc_second_tier_visit(t, task, &visitor));
  NCC_TRY(ncc_proposal_merge(out, &p.tile));
  NCC_TRY(ncc_proposal_finish(out));

cleanup:
  ncc_proposal_clear(&p.tile);
  return status;
}
