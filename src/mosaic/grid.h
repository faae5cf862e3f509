/** A regular grid of patches of one image, each sought in another around where it is expected. */
#ifndef NCC_GRID_H
#define NCC_GRID_H

#include "mosaic/lattice.h"

/** In pixels of the file that is written, (y, x). */
typedef struct ncc_grid_spec {
  int64_t patch[2], step[2];
  int64_t radius;
  int64_t bin; /**< pixels of the full resolution that one of these averages, in y and x each */
} ncc_grid_spec;

/** Two images. Shapes in pixels of the file; predictions in those of the full resolution. */
typedef struct ncc_grid_pair {
  int64_t image, other; /**< patches of `other` are sought in `image` */
  int64_t image_shape[2], other_shape[2];
  double moved[2];        /**< where there is no prior: (y, x) of other is expected at (y, x) + moved of image */
  const ncc_prior *prior; /**< or NULL */
} ncc_grid_pair;

typedef struct ncc_grid {
  int64_t n, capacity;
  int64_t outside;     /**< patches left out: they cannot lie inside the image anywhere near where they are expected */
  int64_t (*boxes)[5]; /**< [n] (other, y, x, rows, cols); owned, as the next two */
  int64_t (*pairs)[2]; /**< [n] (image, template) */
  int64_t (*near)[4];  /**< [n] (y, x, radius, radius) */
} ncc_grid;

/** Adds the patches of a pair: as many as fit, in the middle of `other`.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_grid_add(ncc_grid *grid, const ncc_grid_spec *spec, const ncc_grid_pair *pair);
void ncc_grid_clear(ncc_grid *grid);

/** Averages bin x bin pixels: integers are rounded to the nearest, float16 becomes float32. What is left over at the
 *  right and below is dropped. @param[in] in  [bin * rows, at least bin * cols]. @param[in] out  [rows, cols], of
 * ncc_bin_dtype(); its pixels are written. */
void ncc_bin_pixels(const ncc_array *in, int64_t bin, const ncc_array *out);

/** The type that averages have. */
ncc_dtype ncc_bin_dtype(ncc_dtype dtype);

#endif
