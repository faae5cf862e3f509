/** What the answer for a pair is where there is none. */
#ifndef NCC_RESULT_H
#define NCC_RESULT_H

#include <math.h>

#include "mpixcorr.h"

/** Values within this of the maximum count as ties. */
#define NCC_TIE 1e-12

/** The result of a pair without a position and a peak: pending, nonfinite, unreadable or invalid. */
static inline ncc_result ncc_result_none(ncc_pair_status status) {
  return (ncc_result){.y = -1,
                      .x = -1,
                      .peak = NAN,
                      .subpixel_y = NAN,
                      .subpixel_x = NAN,
                      .curvature_y = NAN,
                      .curvature_x = NAN,
                      .second_y = -1,
                      .second_x = -1,
                      .second_peak = NAN,
                      .angle = NAN,
                      .overlap = NAN,
                      .status = (uint8_t)status};
}

static inline ncc_peak ncc_peak_none(void) {
  return (ncc_peak){-1, -1, NAN};
}

/** What peaks are apart. Unit: pixels. */
static inline int64_t ncc_separation_px(const ncc_search *search) {
  return search->separation > 0 ? search->separation : NCC_SEPARATION_PX;
}

/** Whether results of this status have a position and a peak. */
static inline bool ncc_result_has_peak(uint8_t status) {
  return status == NCC_PAIR_OK || status == NCC_PAIR_FLAT || status == NCC_PAIR_UNCERTAIN;
}

/** From the frame of a part of an image, which begins at (dy, dx), to the image's. */
static inline void ncc_result_move(ncc_result *result, int64_t dy, int64_t dx) {
  if (result->y < 0 || !ncc_result_has_peak(result->status)) return;
  result->y += dy;
  result->x += dx;
  result->subpixel_y += (double)dy; /* NaN stays what it is */
  result->subpixel_x += (double)dx;
  if (result->second_y < 0) return;
  result->second_y += dy;
  result->second_x += dx;
}

/** The same of peaks, of which there may be fewer than n. */
static inline void ncc_peaks_move(ncc_peak *peaks, int64_t n, int64_t dy, int64_t dx) {
  for (ncc_peak *p = peaks; p < peaks + n; p++) {
    if (p->y < 0) continue;
    p->y += dy;
    p->x += dx;
  }
}

#endif
