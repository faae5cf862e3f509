/** What every engine and the judge need to know of an image or a template before matching: one pass over its pixels. */
#ifndef NCC_PREPARE_H
#define NCC_PREPARE_H

#include "base/pool.h"
#include "mpixcorr.h"

/** Pixels and their moments. All moments are of `scale * pixel` and have the same bits on every machine. */
typedef struct ncc_prepared {
  ncc_array pixels;   /**< as given, or the normalised copy; data NULL: missing */
  double *normalised; /**< the copy, owned; NULL without normalisation */
  uint8_t *valid;    /**< [rows, cols] 1: valid, 0: masked; owned; NULL: all are valid. Where it is there, masked pixels
                          may be anything, and what follows is of the valid ones alone */
  int64_t n_valid;   /**< valid pixels */
  ncc_rect box;      /**< the least that holds all of them; empty where there are none */
  bool finite;       /**< no NaN, no Inf */
  bool flat;         /**< all pixels equal */
  double scale;      /**< exact power of two; 1 unless float64 pixels are so extreme that squares would overflow */
  double lo, hi;     /**< smallest and largest */
  double mean, rest; /**< the mean is mean + rest: rest is what rounding to `mean` lost */
  double ssd;        /**< sum of squares about the mean */
} ncc_prepared;

/** Looks at the pixels once; with `normalize` makes the normalised copy.
 *  @param[in]  array  borrowed as long as `out` is used.
 *  @param[out] out    freed by ncc_prepared_clear(). Missing and non-finite pixels are no error: see the fields.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_prepared_create(ncc_pool *pool, const ncc_array *array, bool normalize, ncc_prepared *out);

/** Which pixels of an array a mask leaves. @param[in] mask  of the array's shape, not zero: valid; NULL, or data NULL:
 *  all are. @param[out] valid  malloc'd [rows, cols], 1: valid; NULL where all are. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_mask_take(const ncc_array *mask, const ncc_array *of, uint8_t **valid);

/** ncc_prepared_create() where pixels are masked. @param[in] mask  as for ncc_mask_take(). */
ncc_status ncc_prepared_create_masked(ncc_pool *pool, const ncc_array *array, const ncc_array *mask, bool normalize,
                                      ncc_prepared *out);
void ncc_prepared_clear(ncc_prepared *prepared);

/** Prefix sums in both directions of T' = (T - mean T) * unit, [rows + 1][cols + 1].
 *  @param[out] row  scratch for a row of the template */
void ncc_prepared_prefix(const ncc_prepared *tmpl, double unit, double *row, double *out);

/** The mean in units of the pixels, rounded to float32; of equal pixels exactly theirs. */
float ncc_prepared_mean_f32(const ncc_prepared *prepared);

/** n pixels of a row in float64, times scale. */
void ncc_prepared_row(const ncc_prepared *prepared, int64_t row, int64_t col, int64_t n, double *out);

#endif
