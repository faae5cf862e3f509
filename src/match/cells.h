/** Bounds of ssd(W) from sums over cells of 8 x 16 pixels, in a sixth of the time that ssd(W) itself takes.
 *
 *  ssd grows with the set of pixels: that of a window is at least that of the whole cells in it, and at most that of
 *  the cells that it touches. Positions come in blocks as large as a cell, and the cells that lie in every window of a
 *  block, and those that some window of it touches, are two rectangles; sums over rectangles come from prefix sums.
 *  Zeros outside the image, if there are any, are pixels as others are; outside the trimmed image, too, of which no
 *  searched window sees more than that. Where an image has one template only, few blocks can hold the
 *  peak, and only there ssd(W) is wanted.
 */
#ifndef NCC_CELLS_H
#define NCC_CELLS_H

#include "match/stats.h"

typedef struct ncc_cells {
  const ncc_prepared *image;
  ncc_geometry geometry;
  ncc_stats_centring centring;
  int64_t rows, cols;     /**< cells on the trimmed image, from its first pixel on */
  double *sums, *squares; /**< [rows + 1][cols + 1] prefix sums of I - c and its square; along rows only, at first */
  double error;           /**< rounding bound of a rectangle's ssd, of scaled pixels */
  double unit2;           /**< times this: in units of ncc_stats */
  double least;           /**< the smallest lower bound, in units of ncc_stats */
  ncc_buffer buffer;
} ncc_cells;

/** Whether bounds are worth trying: cells are small next to the template, and no window lies on the image by a rim. */
bool ncc_cells_serve(const ncc_geometry *g);

/** @param[in,out] cells  zero-initialised or used before. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_cells_begin(const ncc_prepared *image, const ncc_geometry *g, ncc_cells *cells);

/** Sums the cells of a row, 0 .. cells->rows - 1; each is wanted once, in any order, by any thread. */
void ncc_cells_add(ncc_cells *cells, int64_t row);

/** After all rows: fills the lower bounds of stats, whose ssd becomes NULL.
 *  @param[out] sure  false: some bound does not lie well above its rounding, and none is to be used
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_cells_bounds(ncc_cells *cells, ncc_pool *pool, ncc_stats *stats, bool *sure);

/** Upper bound of ssd of what is searched in the block of full position (y, x), in units of ncc_stats. */
double ncc_cells_upper(const ncc_cells *cells, int64_t y, int64_t x);

/** ssd of the window at full position (y, x), from its pixels, in units of ncc_stats. */
double ncc_cells_ssd(const ncc_cells *cells, int64_t y, int64_t x);

void ncc_cells_clear(ncc_cells *cells);

/** Bytes for a geometry. */
int64_t ncc_cells_bytes(const ncc_geometry *g);

#endif
