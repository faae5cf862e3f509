/** Pixels and names of single pairs, for commands that look at results: an input file, read a pair at a time. */
#ifndef NCC_PAIR_SOURCE_H
#define NCC_PAIR_SOURCE_H

#include "io/input/input.h"
#include "io/output/load.h"
#include "match/map.h"

typedef struct ncc_pair_source ncc_pair_source;

/** How a row is searched in the pixels that were read for it. */
typedef struct ncc_pair_place {
  ncc_search search; /**< without the crop where the window has it */
  bool windowed;
  ncc_rect window; /**< in the full correlation of these pixels */
  int64_t y0, x0;  /**< where in the image its pixels begin: not at 0 where a part of it was read */
} ncc_pair_place;

/** Opens an input file. @param[in] root  where names of sources start; NULL: as the file says. @param[out] out  freed
 * by ncc_pair_source_close(); NULL on failure.
 *  @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_pair_source_open(const char *path, const char *root, ncc_pair_source **out);
void ncc_pair_source_close(ncc_pair_source **source);

/** Opens the input that results were made from, and makes sure that it is that one.
 *  @param[in] path    where it is now; NULL: where it was.
 *  @param[in] pixels  false: only names are asked for, and no source is looked at.
 *  @return as ncc_pair_source_open(); NCC_ERR_INPUT where the content is another. */
ncc_status ncc_pair_source_of_results(const ncc_output_data *results, const char *path, const char *root, bool pixels,
                                      ncc_pair_source **out);

/** Pixels are masked by their values and filtered from now on. @param[in,out] search  settled; its filters are meant
 *  @return NCC_OK; NCC_ERR_USAGE where search and masks do not agree; NCC_ERR_NOMEM. */
ncc_status ncc_pair_source_filter(ncc_pair_source *source, ncc_search *search, const ncc_mask_values *values);

const ncc_catalog *ncc_pair_source_catalog(const ncc_pair_source *source);

/** Reads image and template of a row of /pairs; an image that was read for the last row is kept.
 *  @param[out] pixels  with masks where there are some; valid until the next call.
 *  @return NCC_OK; NCC_ERR_INPUT for a row without a pair or with unknown ids; NCC_ERR_UNREADABLE; NCC_ERR_NOMEM. */
ncc_status ncc_pair_source_read(ncc_pair_source *source, int64_t row, ncc_pair_pixels *pixels);

/** The same for searching: of a huge image only what the row's window reaches is read (plan/parts.h), as `run` does it.
 *  To be called after ncc_pair_source_filter(), with the same search.
 *  @return likewise; NCC_ERR_SHAPE, with file and row, where nothing is left to search: pixels are valid then, but for
 *          a huge image, where `data` is NULL. */
ncc_status ncc_pair_source_read_reached(ncc_pair_source *source, const ncc_search *search, int64_t row,
                                        ncc_pair_pixels *pixels, ncc_pair_place *place);

/** Turns the template that was read last, and its mask, as a match has turned it.
 *  @param[in]     degrees  ncc_result.angle; NaN: it stays as it is
 *  @param[in,out] pixels   of ncc_pair_source_read(); valid until the next call of either
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_pair_source_turn(ncc_pair_source *source, double degrees, ncc_pair_pixels *pixels);

/** The name of an image or template; "" where it has none. Borrowed. */
const char *ncc_pair_source_name(const ncc_pair_source *source, ncc_object_kind kind, int64_t id);

/** The group (section) of an image; "" where it has none. Borrowed. */
const char *ncc_pair_source_group(const ncc_pair_source *source, int64_t id);

/** Pixels of the full resolution that a pixel of this input averages, in y and x each: 1, but for coarse levels. */
int64_t ncc_pair_source_bin(const ncc_pair_source *source);

/** The search options that results were made with, and the values of pixels that were masked.
 *  @return NCC_OK; NCC_ERR_INPUT where they are not understood. */
ncc_status ncc_search_of_results(const char *path, const ncc_output_data *results, ncc_search *out,
                                 ncc_mask_values *values);

/** Cores that this process may use, from 1 to 16: commands that look at single pairs have no use for more. */
int ncc_few_threads(void);

#endif
