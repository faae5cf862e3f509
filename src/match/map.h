/** The whole NCC map of one pair in float64, for looking at: the matcher itself never writes one. */
#ifndef NCC_MAP_H
#define NCC_MAP_H

#include "match/geometry.h"

typedef struct ncc_map {
  ncc_geometry geometry; /**< what was searched */
  int64_t rows, cols;    /**< of geometry.search */
  double *values;        /**< [rows, cols], owned: the NCC at full position (search.y0 + row, search.x0 + col);
                              NaN where not searched (min_overlap, masks) */
} ncc_map;

/** A pair's pixels, filtered already. Borrowed; `data` of masks NULL: nothing is masked, of pixels: never NULL. */
typedef struct ncc_pair_pixels {
  ncc_array image, tmpl, image_mask, tmpl_mask;
  ncc_margins around; /**< of template and mask, for turning */
} ncc_pair_pixels;

/** Computes the NCC at every searched position.
 *
 *  Numerators come from float64 FFTs and window sums from double-double arithmetic; where their bounds leave the NCC
 *  uncertain by more than 1e-9, the judge evaluates it directly (slow, but only pixels some 10^8 times above the rest
 *  bring that about in more than a few places). So every value agrees with the judge's within 1e-9, in practice 1e-14.
 *  Collective: no.  Deterministic.
 *  @param[in]  search   what is searched; `quality`, filters and angles are not looked at: pixels are as given.
 *  @param[in]  window   the pair's search window, or NULL.
 *  @param[in]  threads  that compute, at least 1.
 *  @param[out] out      freed by ncc_map_clear().
 *  @return NCC_OK; NCC_ERR_SHAPE where nothing is left to search; NCC_ERR_INPUT for NaN or Inf in the pixels;
 *          NCC_ERR_NOMEM. */
ncc_status ncc_map_create(const ncc_search *search, const ncc_rect *window, const ncc_pair_pixels *pixels, int threads,
                          ncc_map *out);
void ncc_map_clear(ncc_map *map);

/** The NCC at n positions of one pair, as the judge has it.
 *  @param[in]  positions  [n] (y, x), full coordinates; a position outside the full correlation gets NaN.
 *  @param[out] values     [n]; 0 where the window or the template is flat or the response is below eps.
 *  @return as ncc_map_create(). */
ncc_status ncc_map_evaluate(const ncc_search *search, const ncc_pair_pixels *pixels, int threads, int64_t n,
                            const int64_t (*positions)[2], double *values);

#endif
