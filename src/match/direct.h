/** What the numerators of a pair cost, by transforms or summed directly, which the CPU engine does where templates or
 *  search windows are tiny. Seconds of one thread on the machine of the costs of transforms (fft.h); proportions count.
 */
#ifndef NCC_MATCH_DIRECT_H
#define NCC_MATCH_DIRECT_H

#include "match/geometry.h"

typedef struct ncc_numerators_cost {
  double image_s;  /**< transforms of the image, once for all its templates */
  double pair_s;   /**< transforms of the template and of the product */
  double direct_s; /**< summed directly, for each template */
} ncc_numerators_cost;

/** What transforms take with moving, packing and unpacking what is transformed, by their own time. */
#define NCC_TRANSFORMS_WITH_MOVES 1.5

ncc_numerators_cost ncc_numerators_cost_of(const ncc_geometry *g);

/** Whether it is cheaper to sum directly. @param[in] lone  one template is expected on the image */
static inline bool ncc_direct_pays(const ncc_numerators_cost *c, bool lone) {
  return c->direct_s < NCC_TRANSFORMS_WITH_MOVES * (c->pair_s + (lone ? c->image_s : 0));
}

#endif
