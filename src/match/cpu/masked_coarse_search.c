/** What the product p and bounds of the other sums propose; see masked_coarse.c. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "match/cpu/masked.h"
#include "match/evaluate_overlap.h"

#define LEAST_BEST 0.1   /* so that zeros cannot be the peak */
#define SUMMED_PX_S 1e-9 /* about what a pixel of a direct sum takes */
#define PART_OF_PAIR 1.5 /* what may be spent on direct sums, of an unmasked pair */

enum { LEAST_SUMMED = 8, MOST_SUMMED = 512, MOST_GATHERED = 1024, MOST_PASSED = 64 };

typedef struct search {
  ncc_cpu_masked *m;
  int64_t x0, strips, blocks;
  double scale, to_evaluation;
  double *most;  // [strips][blocks] of the NCC; INFINITY: anything, -INFINITY: nothing is searched
  ncc_buffer most_buf, rows;
  ncc_proposal *out;
  double best;
  int64_t summed;
} search;

/** p of a strip as packed rows, of which `scratch->rows[NCC_SUM_P]` has the first. @return how many rows */
static int take_strip(const search *s, int64_t strip, int thread, const ncc_c32 **packed) {
  ncc_cpu_masked *m = s->m;
  const ncc_cpu_layout *l = &m->cpu->layout;
  ncc_cpu_scratch to = m->cpu->scratch[thread];
  const int rows = (int)ncc_min(l->product_rows - strip * NCC_ROW_BATCH, NCC_ROW_BATCH);
  to.rows = m->scratch[thread].rows[NCC_SUM_P];
  ncc_cpu_rows_inverse(m->cpu, &to, (const ncc_c32 *)m->sums[NCC_SUM_P].data + strip * l->strip_stride, (rows + 1) / 2);
  *packed = to.rows + (s->x0 - l->geometry.trim.x0);
  return rows;
}

/** The most that the NCC may be where p is at most that. */
static double reach(const search *s, const ncc_coarse_block *b, float p) {
  const double numerator = (double)p * s->scale + s->m->errors[NCC_SUM_P] + b->add;
  if (b->inverse < 0) return -INFINITY;
  return numerator <= 0 ? 0 : isinf(b->inverse) || isnan(numerator) ? INFINITY : numerator * b->inverse;
}

static void most_item(void *context, int64_t strip, int thread) {
  const search *s = context;
  const ncc_cpu *e = s->m->cpu;
  const ncc_coarse_block *blocks = (const ncc_coarse_block *)s->m->coarse.blocks.data + strip * s->blocks;
  const ncc_c32 *packed;
  float *maxima = e->scratch[thread].maxima;
  if (ncc_cpu_stopped(e)) return;
  const int rows = take_strip(s, strip, thread, &packed);
  e->kernels->spectra->block_max(packed, e->layout.shape.row_stride, (rows + 1) / 2, s->blocks * NCC_BLOCK_COLS,
                                 maxima);
  for (int64_t b = 0; b < s->blocks; b++) s->most[strip * s->blocks + b] = reach(s, &blocks[b], maxima[b]);
}

/** Sums a position, and adds it where it is searched and not flat. */
static void sum_position(search *s, const ncc_candidate *at) {
  const ncc_cpu_masked *m = s->m;
  const ncc_evaluation v =
      ncc_evaluate_overlap(m->cpu->context->pool, s->rows.data, m->task->image, m->task->tmpl, at->y, at->x);
  s->summed++;
  if (v.n < (double)m->need || v.flat) return;
  // The judge, who sums as this does, holds p to its error.
  const double numerator = v.numerator + (at->numerator * s->to_evaluation - v.product);
  s->out->items[s->out->count++] = (ncc_candidate){at->y, at->x, numerator, v.ncc, v.ncc};
  s->best = fmax(s->best, v.ncc);
  s->out->best = fmax(s->out->best, v.ncc);
  s->out->any_sure = true;
}

/** Positions that are gathered, with their p as numerators. */
typedef struct gathered {
  ncc_candidate items[MOST_GATHERED];
  int64_t count;
  bool overflows;
} gathered;

/** Takes what may reach `least` of a block of a strip, in packed rows. */
static void gather_block(const search *s, int64_t strip, int64_t block, const ncc_c32 *packed, int rows, double least,
                         gathered *to) {
  const ncc_cpu_layout *l = &s->m->cpu->layout;
  const ncc_coarse_block *bounds = (const ncc_coarse_block *)s->m->coarse.blocks.data + strip * s->blocks + block;
  const int64_t first = block * NCC_BLOCK_COLS, end = first + NCC_BLOCK_COLS;
  for (int r = 0; r < rows; r++) {
    const int64_t y = l->geometry.trim.y0 + l->first_row + strip * NCC_ROW_BATCH + r;
    const float *row = (const float *)(packed + r / 2 * l->shape.row_stride) + r % 2;
    int64_t segments[NCC_SEGMENTS_MOST][2];
    if (y < l->geometry.search.y0) continue;
    const int count = ncc_geometry_segments(s->m->task->geometry, y, segments);
    for (int i = 0; i < count; i++)
      for (int64_t x = ncc_max(first, segments[i][0] - s->x0); x < ncc_min(end, segments[i][1] - s->x0); x++) {
        const double most = reach(s, bounds, row[2 * x]);
        if (most < least) continue;
        to->overflows |= to->count == MOST_GATHERED;
        if (to->overflows) return;
        to->items[to->count++] = (ncc_candidate){y, s->x0 + x, (double)row[2 * x] * s->scale, -1, most};
      }
  }
}

/** Likewise of all blocks. */
static void gather(const search *s, double least, gathered *to) {
  to->count = 0;
  for (int64_t strip = 0; strip < s->strips && !to->overflows; strip++) {
    const ncc_c32 *packed = NULL;
    int rows = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
      if (s->most[strip * s->blocks + b] < least) continue;
      if (!packed) rows = take_strip(s, strip, 0, &packed);
      gather_block(s, strip, b, packed, rows, least, to);
    }
  }
}

static int compare_most(const void *a, const void *b) {
  const ncc_candidate *p = a, *q = b;
  if (p->upper != q->upper) return p->upper > q->upper ? -1 : 1;
  if (p->y != q->y) return p->y < q->y ? -1 : 1;
  return (p->x > q->x) - (p->x < q->x);
}

/** How many positions may be summed. */
static int64_t most_summed(const search *s) {
  const ncc_cpu_layout *l = &s->m->cpu->layout;
  const double area = (double)(l->geometry.template_rows * l->geometry.template_cols);
  return LEAST_SUMMED + (int64_t)fmin(PART_OF_PAIR * l->cost.pair_s / (area * SUMMED_PX_S), MOST_SUMMED);
}

/** The best block first, then what may reach that. @param[out] done  false: much may */
static ncc_status find_candidates(search *s, bool *done) {
  ncc_status status = NCC_OK;
  const int64_t count = s->strips * s->blocks;
  const ncc_c32 *packed;
  int64_t top = 0;
  gathered *g = malloc(sizeof *g);
  NCC_CHECK(g, NCC_ERR_NOMEM, "out of memory for candidates");
  g->count = 0;
  g->overflows = false;
  for (int64_t i = 1; i < count; i++)
    if (isfinite(s->most[i]) && !(isfinite(s->most[top]) && s->most[i] <= s->most[top])) top = i;
  if (!isfinite(s->most[top]) || fmax(s->most[top], s->best) < LEAST_BEST) goto cleanup;
  const int rows = take_strip(s, top / s->blocks, 0, &packed);
  gather_block(s, top / s->blocks, top % s->blocks, packed, rows, 0, g);
  if (g->count == 0) goto cleanup;
  qsort(g->items, (size_t)g->count, sizeof *g->items, compare_most);
  const ncc_candidate first = g->items[0];
  sum_position(s, &first);
  if (s->best < LEAST_BEST) goto cleanup;
  gather(s, s->best - NCC_MARGIN, g);
  if (g->overflows || ncc_cpu_stopped(s->m->cpu)) goto cleanup;
  qsort(g->items, (size_t)g->count, sizeof *g->items, compare_most);
  for (int64_t i = 0; i < g->count && g->items[i].upper >= s->best - NCC_MARGIN; i++) {
    if (g->items[i].y == first.y && g->items[i].x == first.x) continue;
    if (s->summed >= most_summed(s)) goto cleanup;
    sum_position(s, &g->items[i]);
  }
  *done = s->out->count > 0;

cleanup:
  free(g);
  return status;
}

bool ncc_masked_coarse_may_pay(ncc_cpu_masked *m) {
  ncc_masked_coarse *c = &m->coarse;
  c->off |= m->task->again;
  if (m->cpu->context->eps > 0 || (c->off && !m->task->best)) return false;
  return c->pass == 0 || c->pass-- == 0;
}

ncc_status ncc_masked_coarse_propose(ncc_cpu_masked *m, ncc_proposal *out, bool *done) {
  ncc_status status = NCC_OK;
  ncc_masked_coarse *c = &m->coarse;
  const ncc_cpu_layout *l = &m->cpu->layout;
  const ncc_geometry *g = &l->geometry;
  search s = {.m = m, .out = out, .best = fmax(ncc_task_floor(m->task), -2), .scale = 1 / ncc_cpu_points(m->cpu)};
  *done = false;
  s.to_evaluation = 1 / (m->image_unit * m->tmpl_unit);
  s.x0 = g->search.x0 - (g->search.x0 - g->trim.x0) % NCC_BLOCK_COLS;
  s.strips = ncc_cpu_strips(l->product_rows);
  s.blocks = ncc_cpu_masked_blocks(g);
  NCC_TRY(ncc_buffer_reserve(&s.most_buf, s.strips * s.blocks * (int64_t)sizeof *s.most, "blocks of a search"));
  NCC_TRY(ncc_buffer_reserve(&s.rows, g->template_rows * (int64_t)sizeof(ncc_overlap_row), "rows"));
  s.most = s.most_buf.data;
  ncc_proposal_reset(out);
  ncc_pool_run(m->cpu->context->pool, s.strips, most_item, &s);
  NCC_CHECK(!ncc_cpu_stopped(m->cpu), NCC_ERR_STOPPED, "stopped");
  NCC_TRY(find_candidates(&s, done));
  out->error = m->errors[NCC_SUM_P] * s.to_evaluation;
  NCC_TRY(ncc_proposal_finish(out));
  if (*done) {
    c->vain = 0;
  } else {
    c->vain++;
    c->pass = c->vain < 5 ? 2 << c->vain : MOST_PASSED;
    ncc_proposal_reset(out);
  }

cleanup:
  ncc_buffer_free(&s.most_buf);
  ncc_buffer_free(&s.rows);
  return status;
}
