/** From stage positions of tiles to what is to be correlated: neighbours, templates in their overlaps, predictions.
 *
 *  Geometry alone: no pixel and no file. A template of one tile of an edge is sought in the other, and lies so that it
 *  is inside that one as long as the prediction is wrong by no more than the stage error.
 */
#ifndef NCC_MOSAIC_H
#define NCC_MOSAIC_H

#include "mpixcorr.h"

/** A tile: its top-left pixel, x right and y down, in pixels of a frame that its section has in common. */
typedef struct ncc_tile {
  double x, y;
  int64_t rows, cols;
  int64_t section; /**< neighbours are of one section */
} ncc_tile;

enum {
  NCC_MOSAIC_PER_EDGE = 5,
  NCC_MOSAIC_FEWEST = 3,            /**< templates an edge, that a verdict can be good */
  NCC_MOSAIC_SMALLEST = 48,         /**< side of a template, pixels */
  NCC_MOSAIC_LONGEST = 512,         /**< side of a template along an edge, pixels */
  NCC_MOSAIC_MAX_POSITION = 1 << 30 /**< of a tile, pixels from the frame's origin */
};
#define NCC_MOSAIC_ASPECT 2.5 /**< of a template, along an edge to across it */

typedef struct ncc_mosaic_options {
  double stage_error;    /**< pixels, in y and x each; negative: half of the median overlap */
  int64_t across, along; /**< sides of a template, pixels; 0: chosen for each edge */
  int64_t per_edge;      /**< at least NCC_MOSAIC_FEWEST */
} ncc_mosaic_options;

typedef struct ncc_mosaic {
  double stage_error, overlap; /**< in effect; the median overlap across edges, pixels */
  int64_t overlapping;         /**< pairs of tiles that overlap by their positions */
  int64_t edges;               /**< of these, the ones with templates; the others are corners or too small */
  int64_t alone;               /**< tiles without an edge */
  int64_t across[2], along[2]; /**< least and greatest side of templates */
  int64_t n;                   /**< templates, and pairs, by image and template's image */
  int64_t (*boxes)[5];         /**< [n] (tile, y, x, rows, cols); owned */
  int64_t (*pairs)[2];         /**< [n] (tile, template); owned */
  int64_t (*near)[4];          /**< [n] predicted offset and radii (y, x, radius_y, radius_x); owned */
} ncc_mosaic;

/** Finds edges and places templates. Positions must not exceed NCC_MOSAIC_MAX_POSITION.
 *  @param[in] tiles  [n_tiles], borrowed. @param[out] out  its counts are filled in also on failure.
 *  @return NCC_OK; NCC_ERR_INPUT where no two tiles overlap, or none enough; NCC_ERR_NOMEM. */
ncc_status ncc_mosaic_plan(int64_t n_tiles, const ncc_tile *tiles, const ncc_mosaic_options *options, ncc_mosaic *out);

void ncc_mosaic_clear(ncc_mosaic *mosaic);

#endif
