/** Results as displacements between images: pairs of images, their templates, and whether these agree. */
#ifndef NCC_TILES_H
#define NCC_TILES_H

#include "app/pair_source.h"

/* how far displacements that agree may differ, unless said otherwise: pixels, and per cent of their distance */
#define NCC_TILES_AGREE_PX 3
#define NCC_TILES_AGREE_PERCENT 1
#define NCC_TILES_WORDS(px, percent) #px "," #percent
#define NCC_TILES_DEFAULT(px, percent) NCC_TILES_WORDS(px, percent)
#define NCC_TILES_AGREE NCC_TILES_DEFAULT(NCC_TILES_AGREE_PX, NCC_TILES_AGREE_PERCENT)

/** A template of a pair of images. Positions are (y, x) in pixels of the full resolution. */
typedef struct ncc_tile_point {
  int64_t row;     /**< of /pairs */
  double at[2];    /**< its centre in the image that it was cut from */
  double found[2]; /**< its centre in the image, sub-pixel where that was asked for; NaN without an answer */
  double moved[2]; /**< found - at */
  bool counts, agrees;
} ncc_tile_point;

/** A pair of images. */
typedef struct ncc_tile_edge {
  int64_t image, other; /**< ids: templates of `other` were sought in `image` */
  int64_t first, n;     /**< its points */
  int64_t n_agree;
  ncc_verdict verdict;
  double moved[2], spread; /**< median of those that agree, and the greatest distance from it; NaN without any */
} ncc_tile_edge;

typedef struct ncc_tiles {
  const ncc_output_data *data;   /**< borrowed */
  const ncc_pair_source *source; /**< borrowed */
  int64_t n_points, n_edges;
  ncc_tile_point *points; /**< [n_points] by edge, then by row; owned */
  ncc_tile_edge *edges;   /**< [n_edges] by image, then by the other; owned */
} ncc_tiles;

/** Gathers results whose templates are boxes of images. Rows without a pair are left out.
 *  @return NCC_OK; NCC_ERR_INPUT where templates are no boxes; NCC_ERR_NOMEM. */
ncc_status ncc_tiles_create(const ncc_output_data *data, const ncc_pair_source *source, ncc_tiles *out);

/** Judges every edge. @param[in] px, percent  see ncc_displacements_judge().
 *  @return NCC_OK; NCC_ERR_INPUT for an edge of too many templates; NCC_ERR_NOMEM. */
ncc_status ncc_tiles_judge(ncc_tiles *tiles, double px, double percent);

void ncc_tiles_clear(ncc_tiles *tiles);

/** Edges as they are shown: worst first. @param[out] order  [n_edges] indices, malloc'd. */
ncc_status ncc_tiles_order(const ncc_tiles *tiles, int64_t **order);

/* What edges look like; `order` is of ncc_tiles_order(). */
void ncc_tiles_print_text(const ncc_tiles *tiles, const int64_t *order);
void ncc_tiles_print_csv(const ncc_tiles *tiles, const int64_t *order);
void ncc_tiles_print_json(const ncc_tiles *tiles, const int64_t *order);
/** Point matches of the render web services: of good edges, what agrees. */
void ncc_tiles_print_render(const ncc_tiles *tiles);

/** Writes float32 [edges, 4, ny, nx]: dx, dy, peak, peak over second; NaN unless ok. Says what was written.
 *  @return NCC_OK; NCC_ERR_INPUT where templates lie on no regular grid; as ncc_field_create(). */
ncc_status ncc_tiles_write_field(const ncc_tiles *tiles, const char *path);

#endif
