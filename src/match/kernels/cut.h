/** Inner loops of transforms that are cut into parts; compiled and chosen as kernels.h says.
 *
 *  `parts` transforms of `length` points, which FFTW does best where they fit the first cache, make one of parts *
 *  length points; the radix-`parts` step before or after them is done while columns move out of strips or back, which
 *  costs next to nothing. With n = n1 length + n2 and k = k1 + parts k2
 *
 *      X[k] = sum_n2 w_length^(n2 k2) ( w_points^(n2 k1) sum_n1 w_parts^(n1 k1) x[n] )
 *
 *  (Cooley and Tukey 1965). Spectra stay in the order [k1][k2], which a product does not mind. Where only the first
 *  `length` points are not zero, as those of a template often are, the sum over n1 is one term. parts = 1 is the plain
 *  transform.
 */
#ifndef NCC_KERNELS_CUT_H
#define NCC_KERNELS_CUT_H

#include "match/kernels/kernels.h"

/** Values of ncc_cut.parts. */
#define NCC_CUT_PARTS \
  { 1, 2, 3, 4, 5, 6, 8 }

/** How a column is cut, or a row, which is a strip of one column: strip_stride 8. */
typedef struct ncc_cut {
  int parts;
  int64_t length;          /**< a multiple of 8 unless parts is 1; points = parts * length */
  const ncc_c32 *twiddles; /**< [parts - 1][length]: w_points^(n2 k1) = exp(-2 pi i n2 k1 / points), k1 from 1 on */
  int64_t strip_stride;    /**< complex numbers from strip to strip */
  int64_t strip_step;      /**< and from column to column of a strip: 8 unless parts is 1 */
  int64_t column_stride;   /**< and from column to column: at least points rounded up to 8 */
} ncc_cut;

typedef struct ncc_cut_kernels {
  /** `columns` adjacent columns of `strips` strips, zeros below them, through the radix step, ready for `parts`
   *  forward transforms: out[j * column_stride + k1 * length + n2]. A row may be its own `out`. */
  void (*split_strips)(const ncc_cut *c, const ncc_c32 *strips_data, int64_t strips, int64_t columns, ncc_c32 *out);
  /** The way back from inverse transforms: rows 8 * first_strip on, `strips` strips of them. `in` is kept,
   *  unless a row is its own strip.
   *  @param past  write past the caches, which are too small for all that is written before it is read */
  void (*join_strips)(const ncc_cut *c, const ncc_c32 *in, int64_t columns, int64_t first_strip, int64_t strips,
                      ncc_c32 *strips_data, bool past);
  /** a[i] *= b[i], complex, n rounded up to 8. */
  void (*multiply)(ncc_c32 *a, const ncc_c32 *b, int64_t n);
} ncc_cut_kernels;

#endif
