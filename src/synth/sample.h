/** A synthetic series held in memory, for benchmarks and the self-test: images, their templates, where these belong. */
#ifndef NCC_SYNTH_SAMPLE_H
#define NCC_SYNTH_SAMPLE_H

#include "synth/series.h"

typedef struct ncc_synth_sample {
  ncc_synth_shape shape;
  ncc_array *images;         /**< [images], with their pixels owned */
  ncc_array *templates;      /**< [images * templates], likewise */
  ncc_synth_answer *answers; /**< [images * templates], owned */
} ncc_synth_sample;

/** Makes the whole series.
 *  @param[out] out  cleared by ncc_synth_sample_clear(), also after a failure.
 *  @return NCC_OK; NCC_ERR_USAGE; NCC_ERR_NOMEM. */
ncc_status ncc_synth_sample_make(const ncc_synth_options *options, ncc_synth_sample *out);

void ncc_synth_sample_clear(ncc_synth_sample *sample);

/** Matches every template on its image.
 *  @param[out] results  [images * templates], the caller's.
 *  @param[out] wrong    templates that were not found at their known place.
 *  @return as ncc_matcher_match(). */
ncc_status ncc_synth_sample_match(const ncc_synth_sample *sample, ncc_matcher *matcher, ncc_result *results,
                                  int64_t *wrong);

#endif
