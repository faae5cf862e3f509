/** Filters before matching, as scipy.ndimage has them, but the same bytes on every machine.
 *
 *  A chain runs in float64 and is rounded to float32 once, at its end. Gaussians have radius int(4 S + 0.5) and weights
 *  from a correctly rounded exp, and go down the columns first; each sum begins at the centre and goes on with pairs
 *  from the outermost in. Beyond the border an image is its mirror image, d c b a | a b c d | d c b a.
 */
#ifndef NCC_FILTER_H
#define NCC_FILTER_H

#include "base/buffer.h"
#include "base/pool.h"

/** Memory that filtering uses again. Zero-initialised; freed by ncc_filter_scratch_free(). */
typedef struct ncc_filter_scratch {
  ncc_buffer images[2]; /**< float64 before and after a step */
  ncc_buffer lines;     /**< of each thread */
} ncc_filter_scratch;

void ncc_filter_scratch_free(ncc_filter_scratch *scratch);

/** Checks the numbers of a chain. @return NCC_OK; NCC_ERR_USAGE naming the filter, what was found and expected. */
ncc_status ncc_filter_check(const ncc_filter *filters, int n);

/** The chain as one would type it, "median:3,dog:1,2.5". */
void ncc_filter_format(const ncc_filter *filters, int n, char *text, size_t text_bytes);

/** Bytes that ncc_filter_apply() takes for an image, its result included. */
int64_t ncc_filter_bytes(int64_t rows, int64_t cols);

/** Applies a chain of n >= 1 filters.
 *  @param[in]  in   borrowed; pixels of any type.
 *  @param[out] out  [rows, cols] float32, dense, the caller's: all NaN where a pixel is NaN or Inf, for what is cut
 * from it is no better; Inf where float32 overflows.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_filter_apply(ncc_pool *pool, const ncc_filter *filters, int n, const ncc_array *in,
                            ncc_filter_scratch *scratch, float *out);

#endif
