/** Rows of results as pictures show them. */
#ifndef NCC_SHOWN_H
#define NCC_SHOWN_H

#include "io/input/input.h"
#include "io/output/load.h"
#include "match/map.h"

/** How bad a status is: 0 without an answer, 1 uncertain, 2 answered. */
int ncc_shown_rank(uint8_t status);

/** The rows that hold pairs, worst first: by rank, then by peak, then by row.
 *  @param[out] rows  [n], malloc'd, caller frees; NULL on failure.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_shown_order(const ncc_output_data *data, int64_t **rows, int64_t *n);

/** The result of a row. */
ncc_result ncc_shown_result(const ncc_output_data *data, int64_t row);

/** Where a row is searched.
 *  @param[out] predicted  what `window` points to where the input has predictions.
 *  @param[out] window     `predicted`, one of the catalog's, or NULL.
 *  @return NCC_OK; NCC_ERR_SHAPE, with file and row in the message. */
ncc_status ncc_shown_window(const ncc_search *search, const ncc_catalog *catalog, int64_t row,
                            const ncc_pair_pixels *pixels, ncc_rect *predicted, const ncc_rect **window);

/** The NCC map of a row, where the row was searched; of a template that was turned when it has been turned.
 *  @return as ncc_map_create(), with file and row in the message. */
ncc_status ncc_shown_map(const ncc_search *search, const ncc_catalog *catalog, int64_t row,
                         const ncc_pair_pixels *pixels, ncc_map *out);

#endif
