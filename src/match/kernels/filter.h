/** Inner loops of filters; see src/filter. Exact bytes: each sum begins at the centre and goes on with pairs from the
 *  outermost in, s = a[0] w[0] + (a[-r] + a[r]) w[r] + ... + (a[-1] + a[1]) w[1]. */
#ifndef NCC_KERNELS_FILTER_H
#define NCC_KERNELS_FILTER_H

#include <stdint.h>

typedef struct ncc_filter_kernels {
  /** Down the columns: out[x] = s over rows[0 .. 2 radius][x]; with `v` also out_v, of the same pixels. */
  void (*down)(const double *const *rows, int radius, const double *w, double *out_w, const double *v, double *out_v,
               int64_t n);
  /** Along a line that has `radius` pixels more on both sides: out[x] = s over a[x .. x + 2 radius], with `b` plus that
   *  of b by weights v. */
  void (*across)(const double *a, const double *w, const double *b, const double *v, int radius, int64_t n,
                 double *out);
} ncc_filter_kernels;

#endif
