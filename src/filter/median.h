/** Running medians. */
#ifndef NCC_FILTER_MEDIAN_H
#define NCC_FILTER_MEDIAN_H

#include <stdint.h>

/** Doubles of scratch that a thread needs for windows of side n. */
int64_t ncc_median_scratch(int n);

/** Medians of the n x n windows around the pixels of one row.
 *  @param[in] rows     [n] rows of the image from above to below, [cols]
 *  @param[in] columns  [cols + n - 1] the column that stands where the window reaches, mirrored at the borders */
void ncc_median_row(const double *const *rows, const int64_t *columns, int n, int64_t cols, double *scratch,
                    double *out);

#endif
