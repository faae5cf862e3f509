/** The judge; see judge.h. */
#include "match/judge.h"

#include "match/masked.h"

int64_t ncc_certify_limit(const ncc_geometry *geometry, int tier) {
  // First tier: about the time that the second would take. Second: some seconds.
  int64_t area = geometry->template_rows * geometry->template_cols;
  return tier == 1 ? 64 * area + (1 << 24) : 64 * area + ((int64_t)1 << 34);
}

double ncc_case_value(const ncc_case *c, int64_t y, int64_t x, bool *zeroed, double *numerator) {
  ncc_evaluation e = ncc_evaluate(c->evaluator, c->image, c->tmpl, y, x);
  c->counters->candidate_px += ncc_geometry_overlap_px(c->geometry, y, x);
  bool zero = e.flat;
  if (c->eps > 0) {
    double response = sqrt(e.ssd_window) * sqrt(e.ssd_tmpl);
    zero |= response <= c->eps * c->image->scale * c->tmpl->scale;
  }
  if (zeroed) *zeroed = zero;
  if (numerator) *numerator = e.numerator;
  return zero ? 0 : e.ncc;
}

/** One candidate, judged. */
typedef struct verdict {
  double value;
  bool zeroed, breach;
} verdict;

static verdict judge(const ncc_case *c, const ncc_proposal *proposal, const ncc_candidate *candidate) {
  verdict v;
  double numerator;
  v.value = ncc_case_value(c, candidate->y, candidate->x, &v.zeroed, &numerator);
  // Written so that a NaN from an overflowing transform is a breach, while sure zeros carry no numerator.
  bool proposed = candidate->lower != 0 || candidate->upper != 0 || !isnan(candidate->numerator);
  double allowed = proposal->error / 4 + proposal->rounding * fabs(numerator);
  v.breach = proposed && !(fabs(candidate->numerator - numerator) <= allowed);
  return v;
}

static int64_t most_promising(const ncc_proposal *p) {
  int64_t best = 0;
  for (int64_t i = 1; i < p->count; i++)
    if (p->items[i].lower + p->items[i].upper > p->items[best].lower + p->items[best].upper) best = i;
  return best;
}

bool ncc_certify(const ncc_case *c, ncc_proposal *p, ncc_result *result) {
  c->counters->candidates += p->count;
  *result = (ncc_result){.y = -1, .x = -1, .peak = -2, .status = NCC_PAIR_UNCERTAIN};
  if (p->count == 0) return false;
  int64_t start_px = c->counters->candidate_px;
  bool holds = true, any_nonzero = p->any_sure, decided = false;

  // The most promising first: its value settles most others. Its turn in row-major order comes below.
  const ncc_candidate top = p->items[most_promising(p)];
  const verdict top_verdict = judge(c, p, &top);
  holds &= !top_verdict.breach;
  const double reach = fmax(top_verdict.value, c->floor) - NCC_MARGIN;
  double best = top_verdict.value;
  int64_t kept = 0;
  for (int64_t i = 0; i < p->count; i++)
    if (p->items[i].upper >= reach) p->items[kept++] = p->items[i];
  p->count = kept;

  // `lower` now takes the value.
  int64_t evaluated = 0;
  for (; evaluated < p->count && holds && !decided; evaluated++) {
    ncc_candidate *candidate = &p->items[evaluated];
    // From where the list was cut, an earlier candidate may be missing.
    if (candidate->y > p->cut_y || (candidate->y == p->cut_y && candidate->x >= p->cut_x)) break;
    bool is_top = candidate->y == top.y && candidate->x == top.x;
    verdict v = is_top ? top_verdict : judge(c, p, candidate);
    holds &= !v.breach && c->counters->candidate_px - start_px <= c->most_px;
    any_nonzero |= !v.zeroed;
    candidate->lower = v.value;
    best = fmax(best, v.value);
    decided = v.value >= 1 - NCC_TIE;
  }
  if (!decided && p->cut_y != INT64_MAX) holds = false;
  // Where it was decided early, only what lies before counts, and `best` may be the most promising, further on.
  if (decided) best = p->items[evaluated - 1].lower;
  for (int64_t i = 0; i < evaluated; i++)
    if (p->items[i].lower >= best - NCC_TIE) {
      *result = (ncc_result){p->items[i].y, p->items[i].x, p->items[i].lower, .status = NCC_PAIR_OK};
      break;
    }
  if (result->y < 0) *result = (ncc_result){top.y, top.x, top_verdict.value, .status = NCC_PAIR_OK};
  if (!holds) {
    result->status = NCC_PAIR_UNCERTAIN;
  } else if (!any_nonzero) {
    result->status = NCC_PAIR_FLAT;
    ncc_geometry_first(c->geometry, &result->y, &result->x);
  }
  return holds;
}

static bool searched(const ncc_case *c, int64_t y, int64_t x) {
  int64_t x0, x1;
  ncc_geometry_span(c->geometry, y, &x0, &x1);
  if (x < x0 || x >= x1) return false;
  if (!c->image->valid && !c->tmpl->valid) return true;
  const double n = ncc_evaluate(c->evaluator, c->image, c->tmpl, y, x).n;
  return ncc_masked_enough(n, (double)c->tmpl->n_valid, c->min_valid);
}

/** Along one direction: a parabola through the values before, at and after the peak.
 *  @param[out] curvature  their second difference; NaN where a neighbour is not searched
 *  @return the vertex, as a shift of at most half a pixel. */
static double vertex(const ncc_case *c, const ncc_result *r, int64_t dy, int64_t dx, double *curvature) {
  *curvature = NAN;
  if (!searched(c, r->y - dy, r->x - dx) || !searched(c, r->y + dy, r->x + dx)) return 0;
  const double before = ncc_case_value(c, r->y - dy, r->x - dx, NULL, NULL);
  const double after = ncc_case_value(c, r->y + dy, r->x + dx, NULL, NULL);
  *curvature = before - 2 * r->peak + after;
  if (!(*curvature < 0)) return 0;
  return fmin(0.5, fmax(-0.5, (before - after) / (2 * *curvature)));
}

void ncc_subpixel(const ncc_case *c, ncc_result *r) {
  r->subpixel_y = (double)r->y + vertex(c, r, 1, 0, &r->curvature_y);
  r->subpixel_x = (double)r->x + vertex(c, r, 0, 1, &r->curvature_x);
}
