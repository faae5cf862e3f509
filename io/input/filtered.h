/** Pixels filtered as they are read: images whole, boxes cut from their filtered image. Private to io/input. */
#ifndef NCC_INPUT_FILTERED_H
#define NCC_INPUT_FILTERED_H

#include "io/input/input.h"

typedef struct ncc_input_filters ncc_input_filters;

/** @param[in] search  whose filters are meant; copied. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_input_filters_create(const ncc_search *search, ncc_input_filters **out);

/** Before the first read. */
void ncc_input_filters_threads(ncc_input_filters *filters, int threads);
void ncc_input_filters_destroy(ncc_input_filters **filters);

/** How the whole of an object that is no box is read as it is stored. @param[out] valid  its mask; NULL: not wanted */
typedef ncc_status (*ncc_read_stored)(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels,
                                      uint8_t *valid);

/** Reads and filters one object. @param[out] pixels  [rows, cols] float32, and the mask where it is masked.
 *  @return as ncc_input_read(); NCC_ERR_NOMEM. */
ncc_status ncc_input_filters_read(ncc_input_filters *filters, ncc_input *input, ncc_read_stored read,
                                  ncc_object_kind kind, int64_t index, float *pixels);

#endif
