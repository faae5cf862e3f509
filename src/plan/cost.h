/** What an image and a pair cost: a model of the CPU engine's stages, in seconds of one thread of the machine that
 *  ncc_cost_machine names. The plan needs the proportions; the run itself finds how much faster or slower it is here.
 */
#ifndef NCC_COST_H
#define NCC_COST_H

#include "match/geometry.h"

/** Where the model's constants were measured (bench/costs.c); for people. */
extern const char ncc_cost_machine[];

typedef struct ncc_cost {
  double image_s; /**< once for all templates of one geometry: transform and statistics of the image */
  double pair_s;  /**< for each of them */
} ncc_cost;

/** Predicts by the lengths and number of the transforms and the area searched.
 *  @param[in] masked  there may be masked pixels: what it costs where there are some. */
ncc_cost ncc_cost_predict(const ncc_geometry *geometry, bool masked);

#endif
