/** Rows of results as pictures show them. */
#ifndef NCC_SHOWN_H
#define NCC_SHOWN_H

#include "app/pair_source.h"

/** How bad a status is: 0 without an answer, 1 uncertain, 2 answered. */
int ncc_shown_rank(uint8_t status);

/** The rows that hold pairs, worst first: by rank, then by peak, then by row.
 *  @param[out] rows  [n], malloc'd, caller frees; NULL on failure.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_shown_order(const ncc_output_data *data, int64_t **rows, int64_t *n);

/** The result of a row. */
ncc_result ncc_shown_result(const ncc_output_data *data, int64_t row);

/** The NCC map of a row, where the row is searched; of a template that was turned when it has been turned.
 *  @param[in]  place  of ncc_pair_source_read_reached(), as are pixels.
 *  @param[out] out    its `search` is in the frame of the whole image.
 *  @return as ncc_map_create(), with file and row in the message. */
ncc_status ncc_shown_map(const ncc_pair_place *place, const ncc_catalog *catalog, int64_t row,
                         const ncc_pair_pixels *pixels, ncc_map *out);

#endif
