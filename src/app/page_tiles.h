/** Displacements between images, for the page of `report`: a map of tiles, and fields of arrows. */
#ifndef NCC_PAGE_TILES_H
#define NCC_PAGE_TILES_H

#include "app/pair_source.h"

struct json_t;

/** Tiles where predictions put them, edges with their verdicts, and what was found beyond what was predicted.
 *  @param[out] out     a new reference; null where templates are no boxes of images; NULL on failure.
 *  @param[out] astray  [n_pairs] whether a pair's displacement disagrees with those of its pair of images; malloc'd,
 *                      caller frees; NULL where nothing was judged.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_page_tiles(const ncc_output_data *data, const ncc_pair_source *source, struct json_t **out,
                          bool **astray);

#endif
