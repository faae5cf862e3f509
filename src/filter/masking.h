/** Masked pixels: which ones they are by their value, and what is put in their place before filters see them. */
#ifndef NCC_MASKING_H
#define NCC_MASKING_H

#include "filter/filter.h"

#define NCC_MASK_VALUES_MOST 16

/** Values that mask the pixels which have them; NaN masks NaN. Zero-initialised there are none. */
typedef struct ncc_mask_values {
  int n;
  double values[NCC_MASK_VALUES_MOST];
} ncc_mask_values;

/** Moments of valid pixels; all of `scale * pixel`, an exact power of two (1 unless squares would overflow). */
typedef struct ncc_valid_moments {
  int64_t n;
  bool finite, flat;
  double scale, lo, hi;
  double mean, rest; /**< the mean is mean + rest: rest is what rounding to `mean` lost */
  double ssd;        /**< sum of squares about the mean */
} ncc_valid_moments;

/** A power of two that brings extreme float64 pixels to where squares and their sums are safe; 1 otherwise.
 *  They are real: pictures computed or filtered in float64 fall off like a Gaussian, whose tail is 1e-170 28 sigma out.
 *  A template cut there is not flat, though its squares are 0 in float64. It costs nothing, being one of the factors
 *  that pixels are multiplied with anyway. */
double ncc_safe_scale(double lo, double hi);

/** The moments of those pixels that are valid, [rows, cols]; those of the masked ones may be anything. The mean has the
 *  same bits on every machine, and those of ncc_masked_fill(); `rest` and `ssd` are only near theirs. */
ncc_valid_moments ncc_masked_moments(const ncc_array *pixels, const uint8_t *valid);

/** Finds the moments of those of n pixels that are valid, in order, and sets the others to their mean. */
ncc_valid_moments ncc_masked_fill(int64_t n, double *pixels, const uint8_t *valid);

/** Writes 1 for pixels that are valid by a mask, 0 for the others. @param[in] mask  any pixel type; not zero: valid
 *  @param[out] valid  [rows, cols]. @return how many are. */
int64_t ncc_mask_read(const ncc_array *mask, uint8_t *valid);

/** Writes 0 for pixels that have one of the values. @param[in,out] valid  [rows, cols] */
void ncc_mask_by_values(const ncc_array *pixels, const ncc_mask_values *values, uint8_t *valid);

/** ncc_filter_apply() where pixels are masked: those are first set to the mean of the valid ones. Where a valid pixel
 *  is NaN or Inf, all of `out` is NaN. @param[in] valid  [rows, cols] 1: valid, 0: masked */
ncc_status ncc_filter_apply_masked(ncc_pool *pool, const ncc_filter *filters, int n, const ncc_array *in,
                                   const uint8_t *valid, ncc_filter_scratch *scratch, float *out);

#endif
