/** Bounds of the NCC at a position from an engine's numerator and ssd(W), once for C and CUDA: in float64 on hosts; the
 *  device defines NCC_BOUNDS_REAL as float, and widens its slack by the rounding of that. */
#ifndef NCC_BOUNDS_H
#define NCC_BOUNDS_H

#include <stdbool.h>

#include "match/formulas.h"

#ifndef NCC_BOUNDS_REAL
#define NCC_BOUNDS_REAL double
#endif
typedef NCC_BOUNDS_REAL ncc_bounds_real;

/** Whether the judge surely makes it 0: W is flat, or ssd(W) surely below --eps. @param[in] ssd  in the code of
 *  formulas.h */
NCC_ANYWHERE bool ncc_bounds_zero(ncc_bounds_real ssd, ncc_bounds_real zero_lo) {
  return ssd == 0 || (ssd > 0 && ssd < zero_lo);
}

/** What rounding makes of it, of a `value` known within `radius`. */
NCC_ANYWHERE ncc_bounds_real ncc_bounds_rounding(ncc_bounds_real value, ncc_bounds_real radius,
                                                 ncc_bounds_real relative_slack, ncc_bounds_real absolute_slack) {
  return relative_slack * ((value < 0 ? -value : value) + radius) + absolute_slack;
}

/** How far the NCC may be from `value`. @param[in] radius  what the numerator's error comes to */
NCC_ANYWHERE ncc_bounds_real ncc_bounds_off(ncc_bounds_real value, ncc_bounds_real radius,
                                            ncc_bounds_real relative_slack, ncc_bounds_real absolute_slack) {
  return radius + ncc_bounds_rounding(value, radius, relative_slack, absolute_slack);
}

/** 1 for NaN, which an overflowing transform leaves: it may be anything. */
NCC_ANYWHERE ncc_bounds_real ncc_bounds_upper(ncc_bounds_real value, ncc_bounds_real off) {
  return value + off < 1 ? value + off : 1;
}

/** -1 for NaN. */
NCC_ANYWHERE ncc_bounds_real ncc_bounds_lower(ncc_bounds_real value, ncc_bounds_real off) {
  return value - off > -1 ? value - off : -1;
}

#endif
