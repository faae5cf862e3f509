/** What a matcher allocates for a pair, by whom it is done; see also ncc_matcher_memory() in mpixcorr.h. */
#ifndef NCC_MATCH_MEMORY_H
#define NCC_MATCH_MEMORY_H

#include "match/geometry.h"

/** Bytes for a pair that so many threads do together. @param[in] masked  it may have masked pixels; the geometry then
 *  has no minimum overlap */
int64_t ncc_pair_bytes(const ncc_search *search, const ncc_engine_ops *engine, int threads, bool masked,
                       const ncc_geometry *g);

/** Bytes of a crew (crew.h) of so many that does such pairs; 0: a pair is too large for one thread. */
int64_t ncc_crew_pair_bytes(const ncc_search *search, int threads, bool masked, const ncc_geometry *g);

/** ncc_matcher_memory() of mpixcorr.h. @param[in] masked  pairs may have masked pixels */
ncc_status ncc_matcher_memory_masked(const ncc_search *search, const ncc_config *config, int64_t image_rows,
                                     int64_t image_cols, int64_t template_rows, int64_t template_cols, bool masked,
                                     int64_t *bytes);

#endif
