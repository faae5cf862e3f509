/** ssd(W) of every searched window, for one image and one template shape.
 *
 *  Sums over windows come from column sums that slide down the rows and are built anew for every block of rows, and
 * from prefix sums along a row that restart every template width: nothing ever runs across the image, so that one hot
 * pixel cannot spoil windows far from it. For 8- and 16-bit pixels all sums are integers below 2^53 and so exact in
 * float64; for other types every window has a rounding bound, and those whose ssd is not well above it are marked
 * doubtful. *Flat* is exact: by integers for exact sums, else by comparing neighbouring stored pixels.
 */
#ifndef NCC_STATS_H
#define NCC_STATS_H

#include "base/buffer.h"
#include "base/pool.h"
#include "match/formulas.h"
#include "match/geometry.h"
#include "match/prepare.h"

enum { NCC_BLOCK_ROWS = 8, NCC_BLOCK_COLS = 16 };

/** About what window sums are taken. */
typedef struct ncc_stats_centring {
  double c;       /**< the centre, of scaled pixels; an integer where sums are exact */
  double largest; /**< |I - c| */
  double unit;    /**< pixels times image.scale times this (a power of two) are of order 1 */
  bool exact;     /**< sums are of integers below 2^52, and so exact in float64 */
} ncc_stats_centring;

/** @param[in] rows, cols  the most that enter one sum */
ncc_stats_centring ncc_stats_centring_choose(const ncc_prepared *image, int64_t rows, int64_t cols);

typedef struct ncc_stats {
  /** [strips][stride][8]: ssd(W) times unit^2, in the code of formulas.h, a strip of eight rows column by column; its
   *  first row is full row y0 + 8 * strip, its first column full column x0; 0 where not searched. NULL: bounds are
   *  all that is known (cells.h). */
  float *ssd;
  int64_t y0, x0, strips, stride;
  /** [strips][stride / 16]: lower bound of sqrt(ssd) in blocks of 8 x 16; infinite where nothing is searched. */
  float *lower;
  double unit; /**< pixels times image.scale times this (a power of two) are of order 1 */
  ncc_buffer ssd_buffer, lower_buffer, scratch;
} ncc_stats;

/** Fills the map for a geometry. Rows and columns start at multiples of the block size in trimmed coordinates.
 *  @param[in,out] stats  zero-initialised or used before: buffers are reused where they are large enough.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_stats_create(ncc_pool *pool, const ncc_prepared *image, const ncc_geometry *g, ncc_stats *stats);
void ncc_stats_clear(ncc_stats *stats);

/** Lays the map out and makes room for the lower bounds alone. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_stats_reserve_lower(const ncc_geometry *g, ncc_stats *stats);

/** Bytes that the maps of a geometry take. */
int64_t ncc_stats_bytes(const ncc_geometry *g);

/** Exact flatness, row by row: calls `row(context, y, flat)` for every searched full row in increasing order;
 *  flat[x - g->search.x0] is 1 where the window at (y, x) is flat. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_flat_rows(const ncc_prepared *image, const ncc_geometry *g,
                         void (*row)(void *context, int64_t y, const uint8_t *flat), void *context);

#endif
