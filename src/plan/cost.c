#include "plan/cost.h"

#include "match/direct.h"

/* Fitted to bench/costs.c: its table in docs/scaling.md says how well. */
#define IMAGE_S 5.2e-6 /* fixed */
#define IMAGE_S_PER_PIXEL 2.1e-9
#define IMAGE_S_PER_POSITION 0.8e-9
#define PAIR_S 4e-6
#define PAIR_S_PER_POSITION 0.7e-9
#define MASKED_TIMES 20 /* where all is done by float64 transforms */

const char ncc_cost_machine[] = "one core of a 2-core AMD EPYC (Zen 4) server";

ncc_cost ncc_cost_predict(const ncc_geometry *g, bool masked) {
  const ncc_numerators_cost numerators = ncc_numerators_cost_of(g);
  const bool direct = ncc_direct_pays(&numerators, false);
  const double image_fft_s = direct ? 0 : numerators.image_s;
  const double numerators_s = direct ? numerators.direct_s : numerators.pair_s;
  const double pixels = (double)(g->trim.y1 - g->trim.y0) * (double)(g->trim.x1 - g->trim.x0);
  const double positions = (double)(g->search.y1 - g->search.y0) * (double)(g->search.x1 - g->search.x0);
  const double times = masked ? MASKED_TIMES : 1;
  return (ncc_cost){
      .image_s = times * (IMAGE_S + image_fft_s + IMAGE_S_PER_PIXEL * pixels + IMAGE_S_PER_POSITION * positions),
      .pair_s = times * (PAIR_S + numerators_s + PAIR_S_PER_POSITION * positions)};
}
