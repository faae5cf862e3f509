/** exp, correctly rounded: libraries differ in its last bit, and filters are to give the same bytes on every machine.
 */
#ifndef NCC_FILTER_EXACT_H
#define NCC_FILTER_EXACT_H

/** e^x for -700 <= x <= 0, rounded to nearest from about 100 correct bits; additions and products of doubles alone. */
double ncc_exact_exp(double x);

#endif
