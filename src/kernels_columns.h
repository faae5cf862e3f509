/** Inner loops of the column transforms; compiled and chosen as kernels.h says.
 *
 *  A column of parts * length points is transformed by `parts` transforms of `length` points, which FFTW does best
 * where they fit the first cache; the radix-`parts` step before or after them is done while columns move out of strips
 * or back, which costs next to nothing. With n = n1 length + n2 and k = k1 + parts k2
 *
 *      X[k] = sum_n2 w_length^(n2 k2) ( w_rows^(n2 k1) sum_n1 w_parts^(n1 k1) x[n] )
 *
 *  (Cooley and Tukey 1965). The spectrum stays in the order [k1][k2], which a product does not mind. Where only the
 * first `length` rows are not zero, as those of a template often are, the sum over n1 is one term. parts = 1 is the
 * plain transform.
 */
#ifndef NCC_KERNELS_COLUMNS_H
#define NCC_KERNELS_COLUMNS_H

#include "kernels.h"

/** Values of ncc_columns.parts. */
#define NCC_COLUMN_PARTS \
  { 1, 2, 3, 4, 5, 6, 8 }

typedef struct ncc_columns {
  int parts;
  int64_t length;          /**< a multiple of 8 unless parts is 1; rows = parts * length */
  const ncc_c32 *twiddles; /**< [parts - 1][length]: w_rows^(n2 k1) = exp(-2 pi i n2 k1 / rows), k1 = 1 .. parts - 1 */
  int64_t strip_stride;    /**< complex numbers from strip to strip */
  int64_t column_stride;   /**< and from column to column: at least rows rounded up to 8 */
} ncc_columns;

typedef struct ncc_column_kernels {
  /** `columns` adjacent columns of `strips` strips, zeros below them, through the radix step, ready for `parts`
   *  forward transforms: out[j * column_stride + k1 * length + n2]. */
  void (*split_strips)(const ncc_columns *c, const ncc_c32 *strips_data, int64_t strips, int64_t columns, ncc_c32 *out);
  /** The way back from inverse transforms: rows 8 * first_strip on, `strips` strips of them. `in` is kept.
   *  @param past  write past the caches, which are too small for all that is written before it is read */
  void (*join_strips)(const ncc_columns *c, const ncc_c32 *in, int64_t columns, int64_t first_strip, int64_t strips,
                      ncc_c32 *strips_data, bool past);
  /** Has n numbers brought to the second cache, while others are being transformed. */
  void (*fetch)(const ncc_c32 *from, int64_t n);
  /** a[i] *= b[i], complex, n rounded up to 8. */
  void (*multiply)(ncc_c32 *a, const ncc_c32 *b, int64_t n);
} ncc_column_kernels;

#endif
