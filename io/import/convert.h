/** Pixels of one type as another. Private to io/. */
#ifndef NCC_CONVERT_H
#define NCC_CONVERT_H

#include "mpixcorr.h"

/** Converts n pixels: to floats with one rounding, to integers rounded to the nearest (ties to even).
 *  @param[out] bad  index of the first pixel that the new type cannot hold (out of range, or NaN or Inf where that is
 * an integer), or -1; `out` is unspecified from there on.
 *  @param[out] value  that pixel's value. */
void ncc_convert_pixels(ncc_dtype from, const void *in, int64_t n, ncc_dtype to, void *out, int64_t *bad,
                        double *value);

#endif
