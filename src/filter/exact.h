/** exp, sine and cosine, correctly rounded: libraries differ in their last bits, and filters and turned templates are
 * to have the same bytes on every machine.
 */
#ifndef NCC_FILTER_EXACT_H
#define NCC_FILTER_EXACT_H

#include <stdint.h>

/** e^x for -700 <= x <= 0, rounded to nearest from about 100 correct bits; additions and products of doubles alone. */
double ncc_exact_exp(double x);

/** Sine and cosine of an angle in 1e-6 degree, at most 2^62. */
double ncc_exact_sin_degrees(int64_t micro);
double ncc_exact_cos_degrees(int64_t micro);

#endif
