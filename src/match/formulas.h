/** What a window comes to, once for the engines and the judge, in C and CUDA. (The reference engine shares none of it
 * on purpose; kernels/windows.c has ssd_of() in vectors, with reciprocals for quotients.)
 *
 *  Over the overlap of n pixels, `area` being those of the template, about a centre c:
 *
 *      s = sum(I - c), q = sum((I - c)^2)
 *      ssd(W) = q - s^2/n + (s + c n)^2 (area - n) / (area n)
 */
#ifndef NCC_FORMULAS_H
#define NCC_FORMULAS_H

#include <math.h>

#include "base/arithmetic.h"

/* ---- overlap: in one direction, at full coordinate p --------------------------------------------------------- */

/** The template's first pixel that lies on the image. */
NCC_ANYWHERE int64_t ncc_overlap_first(int64_t tmpl, int64_t p) {
  return ncc_max(tmpl - 1 - p, 0);
}

/** One beyond its last. */
NCC_ANYWHERE int64_t ncc_overlap_end(int64_t image, int64_t tmpl, int64_t p) {
  return ncc_min(tmpl, image - 1 - p + tmpl);
}

/** How many do. */
NCC_ANYWHERE int64_t ncc_overlap(int64_t image, int64_t tmpl, int64_t p) {
  return ncc_overlap_end(image, tmpl, p) - ncc_overlap_first(tmpl, p);
}

/* ---- sums of T' ---------------------------------------------------------------------------------------------- */

/** Sum over the template's rows [top, bottom) and columns [left, right). @param[in] prefix  [rows + 1][cols + 1] */
NCC_ANYWHERE double ncc_prefix_sum(const double *prefix, int64_t cols, int64_t top, int64_t bottom, int64_t left,
                                   int64_t right) {
  const double *upper = prefix + top * (cols + 1), *lower = prefix + bottom * (cols + 1);
  return (lower[right] - upper[right]) - (lower[left] - upper[left]);
}

/* ---- ssd(W) -------------------------------------------------------------------------------------------------- */

/** What the zeros outside the image add to ssd. */
NCC_ANYWHERE double ncc_ssd_beyond(double s, double n, double area, double c) {
  const double total = s + c * n;
  return total * total * ((area - n) / (area * n));
}

NCC_ANYWHERE double ncc_ssd_of(double s, double q, double n, double area, double c) {
  return (q - s * s / n) + ncc_ssd_beyond(s, n, area, c);
}

/** Rounding bound of ssd over n pixels. s and q come from sums that have seen at most `ops` additions; each partial sum
 *  was one of at most `pixels` pixels, whose (I - c)^2 add up to `mass`. With u = 2^-53, |dq| <= ops u mass and |ds| <=
 *  ops u sqrt(pixels mass) by Cauchy-Schwarz. */
NCC_ANYWHERE double ncc_ssd_rounding(double ops, double pixels, double mass, double n, double c) {
  const double u = 0x1p-53, ds = ops * u * sqrt(pixels * mass);
  return ops * u * mass + 2 * ds * (2 * sqrt(mass / n) + fabs(c));
}

/** ssd in the float32 maps of all engines: > 0: known up to relative slack; 0: W is flat; < 0: doubtful, and minus this
 *  is a lower bound. This one: nothing is known, W may be flat, or its ssd less (ncc_units). */
#define NCC_SSD_UNKNOWN (-1e-37f)

/** ssd is known well enough for float32 bounds where it exceeds its error by this. */
#define NCC_SSD_WELL_ABOVE 0x1p21

/** Smaller ones would lose digits in float32. */
#define NCC_SSD_LEAST 1e-30f

/** The code of an ssd that is known within `error`. */
NCC_ANYWHERE float ncc_ssd_coded(float ssd, double error) {
  if ((double)ssd >= NCC_SSD_WELL_ABOVE * error && ssd > NCC_SSD_LEAST) return ssd;
  const float least = (float)((double)ssd - error) * 0.999999f;
  return least > NCC_SSD_LEAST ? -least : NCC_SSD_UNKNOWN;
}

/** Of exact sums (integers below 2^52): ssd below this is lost in what float64 rounds on the way.
 *  @param[in] largest  |I - c|  @param[in] scale  of ssd in the map */
NCC_ANYWHERE float ncc_ssd_exact_limit(double area, double largest, double scale) {
  return (float)(NCC_SSD_WELL_ABOVE * 0x1p-49 * area * largest * largest * scale);
}

/** ncc_ssd_of() where all are integers, without rounding on the way. */
NCC_ANYWHERE double ncc_ssd_exact(double s, double q, double n, double area, double c) {
  const __int128 N = (int64_t)n, C = (int64_t)c, S = (int64_t)s, A = (int64_t)area;
  const __int128 sum = S + N * C, squares = (int64_t)q + 2 * C * S + N * C * C;
  const __int128 ssd = A * squares - sum * sum;  // times area; not negative
  return ((double)(uint64_t)(ssd >> 64) * 0x1p64 + (double)(uint64_t)ssd) / area;
}

#endif
