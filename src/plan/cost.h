/** What an image and a pair cost: a model of the CPU engine's stages, in seconds of one thread of the machine that
 *  ncc_cost_machine names. The plan needs the proportions; the run itself finds how much faster or slower it is here.
 */
#ifndef NCC_COST_H
#define NCC_COST_H

#include "mpixcorr.h"

/** Where the model's constants were measured (bench/costs.c); for people. */
extern const char ncc_cost_machine[];

typedef struct ncc_cost {
  double image_s; /**< once for all templates of one geometry: transform and statistics of the image */
  double pair_s;  /**< for each of them */
} ncc_cost;

/** Predicts by the lengths and number of the transforms and the area searched.
 *  @param[in] window  the pair's search window, or NULL
 *  @return NCC_OK; NCC_ERR_SHAPE as ncc_geometry_create(). */
ncc_status ncc_cost_predict(const ncc_search *search, const ncc_rect *window, int64_t image_rows, int64_t image_cols,
                            int64_t template_rows, int64_t template_cols, ncc_cost *out);

#endif
