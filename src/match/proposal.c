/** Candidate lists and bounds; see proposal.h. */
#include "match/proposal.h"

#include <stdlib.h>

#include "base/error.h"

enum { MOST_CANDIDATES = 1 << 18 }; /* of one list, while it is filled */

ncc_status ncc_proposal_create(int64_t capacity, ncc_proposal *out) {
  *out = (ncc_proposal){.capacity = capacity};
  out->items = malloc((size_t)capacity * sizeof *out->items);
  if (!out->items) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld candidates", (long long)capacity);
  ncc_proposal_reset(out);
  return NCC_OK;
}

void ncc_proposal_clear(ncc_proposal *proposal) {
  free(proposal->items);
  *proposal = (ncc_proposal){0};
}

void ncc_proposal_reset(ncc_proposal *proposal) {
  proposal->count = 0;
  proposal->any_sure = false;
  proposal->best = -2;
  proposal->zero_y = proposal->zero_x = -1;
  proposal->cut_y = proposal->cut_x = INT64_MAX;
  proposal->error = proposal->rounding = 0;
}

static bool before(int64_t y0, int64_t x0, int64_t y1, int64_t x1) {
  return y0 < y1 || (y0 == y1 && x0 < x1);
}

static ncc_status reserve(ncc_proposal *p, int64_t count) {
  if (count <= p->capacity) return NCC_OK;
  int64_t capacity = count > 2 * p->capacity ? count : 2 * p->capacity;
  ncc_candidate *items = realloc(p->items, (size_t)capacity * sizeof *items);
  if (!items) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld candidates", (long long)capacity);
  p->items = items;
  p->capacity = capacity;
  return NCC_OK;
}

/** Keeps what may still win; order stays. */
static void prune(ncc_proposal *p) {
  int64_t kept = 0;
  for (int64_t i = 0; i < p->count; i++)
    if (p->items[i].upper >= p->best - NCC_MARGIN) p->items[kept++] = p->items[i];
  p->count = kept;
}

ncc_status ncc_proposal_merge(ncc_proposal *into, const ncc_proposal *from) {
  ncc_status status = NCC_OK;
  NCC_TRY(reserve(into, into->count + from->count));
  for (int64_t i = 0; i < from->count; i++) into->items[into->count++] = from->items[i];
  into->any_sure |= from->any_sure;
  into->best = fmax(into->best, from->best);
  into->error = fmax(into->error, from->error);
  into->rounding = fmax(into->rounding, from->rounding);
  if (from->zero_y >= 0 && (into->zero_y < 0 || before(from->zero_y, from->zero_x, into->zero_y, into->zero_x))) {
    into->zero_y = from->zero_y;
    into->zero_x = from->zero_x;
  }
  if (before(from->cut_y, from->cut_x, into->cut_y, into->cut_x)) {
    into->cut_y = from->cut_y;
    into->cut_x = from->cut_x;
  }

cleanup:
  return status;
}

static int compare_position(const void *a, const void *b) {
  const ncc_candidate *p = a, *q = b;
  if (p->y != q->y) return p->y < q->y ? -1 : 1;
  return (p->x > q->x) - (p->x < q->x);
}

ncc_status ncc_proposal_finish(ncc_proposal *p) {
  ncc_status status = NCC_OK;
  if (p->zero_y >= 0) p->best = fmax(p->best, 0);
  prune(p);
  if (p->zero_y >= 0 && p->best - NCC_MARGIN <= 0) {
    NCC_TRY(reserve(p, p->count + 1));
    p->items[p->count++] = (ncc_candidate){.y = p->zero_y, .x = p->zero_x, .numerator = NAN};
  }
  qsort(p->items, (size_t)p->count, sizeof *p->items, compare_position);

cleanup:
  return status;
}

/** Makes a full list shorter or longer. Before the peak is found, much may win; if it is too much, the earliest stay.
 */
static void make_room(ncc_proposal *p) {
  prune(p);
  if (p->count <= p->capacity / 2) return;
  if (p->capacity < MOST_CANDIDATES && reserve(p, 2 * p->capacity) == NCC_OK) return;
  qsort(p->items, (size_t)p->count, sizeof *p->items, compare_position);
  p->count /= 2;
  p->cut_y = p->items[p->count].y;
  p->cut_x = p->items[p->count].x;
}

/** Adds a position with its bounds, if it may win. */
static void keep(ncc_proposal *p, const ncc_candidate *candidate, _Atomic double *shared) {
  double best = atomic_load_explicit(shared, memory_order_relaxed);
  if (best > p->best) p->best = best;
  if (candidate->upper < p->best - NCC_MARGIN) return;
  if (p->count == p->capacity) make_room(p);
  if (!before(candidate->y, candidate->x, p->cut_y, p->cut_x)) return;
  p->items[p->count++] = *candidate;
}

/** The NCC of a numerator with this ssd, and how far off it may be. */
static double value_of(const ncc_bounds *b, double numerator, double ssd, double *off) {
  double inv = b->inv_norm / sqrt(fabs(ssd)), value = numerator * inv;
  *off = ncc_bounds_off(value, b->error * inv, b->relative_slack, b->absolute_slack);
  return value;
}

static void raise_best(ncc_proposal *p, double lower, _Atomic double *shared) {
  if (lower <= p->best) return;
  p->best = lower;
  ncc_best_raise(shared, lower);
}

void ncc_proposal_consider(ncc_proposal *p, const ncc_bounds *b, int64_t y, int64_t x, double numerator, double ssd,
                           _Atomic double *shared) {
  if (ncc_bounds_zero(ssd, b->zero_lo)) {
    if (p->zero_y < 0 || before(y, x, p->zero_y, p->zero_x)) {
      p->zero_y = y;
      p->zero_x = x;
    }
    if (p->best < 0) raise_best(p, 0, shared);
    return;
  }
  double off, value = value_of(b, numerator, ssd, &off);
  ncc_candidate candidate = {y, x, numerator * b->to_evaluation, -1, ncc_bounds_upper(value, off)};
  if (ssd > b->zero_hi) {  // the judge cannot zero it
    p->any_sure = true;
    candidate.lower = ncc_bounds_lower(value, off);
    raise_best(p, candidate.lower, shared);
  } else {
    candidate.upper = fmax(0, candidate.upper);
  }
  keep(p, &candidate, shared);
}

void ncc_proposal_consider_between(ncc_proposal *p, const ncc_bounds *b, int64_t y, int64_t x, double numerator,
                                   double least, double most, _Atomic double *shared) {
  double off_least, off_most;
  double at_least = value_of(b, numerator, least, &off_least), at_most = value_of(b, numerator, most, &off_most);
  ncc_candidate candidate = {.y = y, .x = x, .numerator = numerator * b->to_evaluation};
  candidate.lower = fmin(ncc_bounds_lower(at_least, off_least), ncc_bounds_lower(at_most, off_most));
  candidate.upper = fmax(ncc_bounds_upper(at_least, off_least), ncc_bounds_upper(at_most, off_most));
  p->any_sure = true;
  raise_best(p, candidate.lower, shared);
  keep(p, &candidate, shared);
}

/** The power of two that brings `largest` into [1, 2); 1 for 0. */
static double unit_of(double largest) {
  return largest > 0 ? ldexp(1.0, -ilogb(largest)) : 1.0;
}

double ncc_image_unit(const ncc_prepared *image, double c) {
  const double least = fabs(c) * 0x1p-40; /* what lies outside is -c, and float32 holds its square */
  return unit_of(fmax(least, fmax(fabs(image->lo - c), fabs(image->hi - c))));
}

double ncc_template_unit(const ncc_prepared *tmpl) {
  return unit_of(fmax(tmpl->hi - tmpl->mean, tmpl->mean - tmpl->lo));
}

ncc_centring ncc_centring_choose(const ncc_prepared *image, bool ignores_outside) {
  double pixels = (double)image->pixels.rows * (double)image->pixels.cols;
  double squares = image->ssd + pixels * image->mean * image->mean;
  bool keep = !ignores_outside && squares <= 32.0 * 32.0 * image->ssd;
  ncc_centring c = {.centre = keep ? 0 : image->mean, .norm = sqrt(keep ? squares : image->ssd)};
  c.unit = ncc_image_unit(image, c.centre);
  return c;
}

ncc_bounds ncc_bounds_create(const ncc_prepared *image, const ncc_prepared *tmpl, const ncc_units *units, double eps,
                             double error, double relative_slack, double absolute_slack) {
  const double numerator_unit = units->image * units->tmpl * units->points;
  const double inv_norm = 1 / sqrt(tmpl->ssd) * (units->ssd / numerator_unit);
  const double any = 4 * sqrt(-units->unknown) / inv_norm; /* a window of which nothing is known may have any NCC */
  ncc_bounds b = {.error = fmax(error * numerator_unit, any),
                  .inv_norm = inv_norm,
                  .relative_slack = relative_slack,
                  .absolute_slack = absolute_slack,
                  .to_evaluation = 1 / numerator_unit};
  if (eps > 0) {
    // sqrt(ssd(W) ssd(T)) <= eps in pixel units; ssd(W) here is scaled by (image.scale * units.ssd)^2.
    double root = eps * image->scale * tmpl->scale / sqrt(tmpl->ssd) * units->ssd;
    double threshold = root * root;
    b.zero_lo = threshold * (1 - 4 * relative_slack);
    b.zero_hi = threshold * (1 + 4 * relative_slack);
  }
  return b;
}
