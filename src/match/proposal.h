/** What an engine proposes to the judge: positions whose NCC may be the maximum, with bounds.
 *
 *  An engine computes the numerator of every searched position within `error`, and ssd(W) within a bound of its own.
 * From these follow a lower and an upper bound of the NCC. Kept is every position whose upper bound reaches the best
 * lower bound less NCC_MARGIN. Bounds need not be the same on two machines; what the judge makes of them is.
 */
#ifndef NCC_PROPOSAL_H
#define NCC_PROPOSAL_H

#include <math.h>
#include <stdatomic.h>

#include "match/bounds.h"
#include "match/geometry.h"
#include "match/prepare.h"
#include "match/result.h"

/** Proposals reach further than ties, so that every engine proposes all that can decide which tie comes first. */
#define NCC_MARGIN 4e-12

typedef struct ncc_candidate {
  int64_t y, x;        /**< full coordinates */
  double numerator;    /**< the engine's, in units of ncc_evaluation */
  double lower, upper; /**< bounds of the NCC */
} ncc_candidate;

/** Candidates in the order they were found, by one thread or of all. */
typedef struct ncc_proposal {
  ncc_candidate *items; /**< [capacity], owned */
  int64_t count, capacity;
  bool any_sure;          /**< some position surely is neither flat nor below --eps */
  double best;            /**< largest lower bound seen; -2 before any */
  int64_t zero_y, zero_x; /**< first position whose NCC is surely 0 without a numerator; zero_y = -1: none */
  int64_t cut_y,
      cut_x;       /**< where the list was full, this and later positions may be missing; cut_y = INT64_MAX: nowhere */
  double error;    /**< bound of the numerators' error, in units of ncc_evaluation */
  double rounding; /**< beyond that they are rounded by this, relative to themselves */
} ncc_proposal;

/** Turns a numerator and ssd(W) into bounds. Units are the engine's own, see ncc_units. */
typedef struct ncc_bounds {
  double error;            /**< of numerators */
  double inv_norm;         /**< numerator times this over the root of ssd(W) is the NCC */
  double relative_slack;   /**< rounding of numerator, ssd and this arithmetic, relative to the NCC */
  double absolute_slack;   /**< likewise, absolute */
  double zero_lo, zero_hi; /**< ssd(W) below zero_lo is surely below --eps, above zero_hi surely not; 0, 0: no eps */
  double to_evaluation;    /**< numerator times this is in units of ncc_evaluation */
} ncc_bounds;

/** Raises what threads have in common. */
static inline void ncc_best_raise(_Atomic double *best, double value) {
  double seen = atomic_load_explicit(best, memory_order_relaxed);
  while (value > seen &&
         !atomic_compare_exchange_weak_explicit(best, &seen, value, memory_order_relaxed, memory_order_relaxed)) {
  }
}

ncc_status ncc_proposal_create(int64_t capacity, ncc_proposal *out);
void ncc_proposal_clear(ncc_proposal *proposal);

/** Empties the list for a new search. */
void ncc_proposal_reset(ncc_proposal *proposal);

/** Adds the candidates of `from`, which covers other positions of the same search. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_proposal_merge(ncc_proposal *into, const ncc_proposal *from);

/** Drops what cannot win any more, adds the first sure zero if it can, and sorts in row-major order.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_proposal_finish(ncc_proposal *proposal);

/** Considers a position; each is considered once, in any order.
 *  @param[in,out] shared  best lower bound over all threads; raised here. */
void ncc_proposal_consider(ncc_proposal *proposal, const ncc_bounds *bounds, int64_t y, int64_t x, double numerator,
                           double ssd, _Atomic double *shared);

/** The same where ssd lies between `least` and `most`, and is known to be above zero_hi. */
void ncc_proposal_consider_between(ncc_proposal *proposal, const ncc_bounds *bounds, int64_t y, int64_t x,
                                   double numerator, double least, double most, _Atomic double *shared);

/** How an engine centres and scales an image before its float32 transform. */
typedef struct ncc_centring {
  double centre; /**< subtracted from scaled pixels; 0 where that serves */
  double norm;   /**< ||I - centre||, of scaled pixels */
  double unit;   /**< power of two: (I - centre) * unit is of order 1 */
} ncc_centring;

/** Subtracting the mean shrinks the error bound, but costs a correction at every overhang. Up to a bound 32 times as
 *  large (raw 8-bit tiles: about 5 times) no more candidates come up in practice: then the image stays as it is.
 *  @param[in] ignores_outside  overhangs are corrected in any case */
ncc_centring ncc_centring_choose(const ncc_prepared *image, bool ignores_outside);

/** The unit of an image about c: the power of two that brings the largest deviation, outside the image too, to where
 *  float32 holds its square. */
double ncc_image_unit(const ncc_prepared *image, double c);

/** The unit of a template about its mean. */
double ncc_template_unit(const ncc_prepared *tmpl);

/** What an engine measures in: pixels times prepared scale times these powers of two. */
typedef struct ncc_units {
  double image, tmpl; /**< of numerators */
  double points;      /**< numerators are too large by this besides: no power of two */
  double ssd;         /**< of window statistics, its root */
  double unknown; /**< ssd's code of windows of which nothing is known, in those units: theirs may be less; 0: none */
} ncc_units;

/** Bounds for a pair. @param[in] error  of numerators, in units of ncc_evaluation */
ncc_bounds ncc_bounds_create(const ncc_prepared *image, const ncc_prepared *tmpl, const ncc_units *units, double eps,
                             double error, double relative_slack, double absolute_slack);

#endif
