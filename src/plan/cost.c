#include "plan/cost.h"

#include "match/fft.h"

/* Fitted to bench/costs.c: its table in docs/scaling.md says how well. */
#define IMAGE_S 5.2e-6 /* fixed */
#define IMAGE_S_PER_PIXEL 2.1e-9
#define IMAGE_S_PER_POSITION 0.8e-9
#define PAIR_S 4e-6
#define PAIR_S_PER_POSITION 0.7e-9
#define MASKED_TIMES 20 /* where all is done by float64 transforms */

const char ncc_cost_machine[] = "one core of a 2-core AMD EPYC (Zen 4) server";

ncc_cost ncc_cost_predict(const ncc_geometry *g, bool masked) {
  const ncc_fft_shape fft = ncc_fft_shape_choose(g);
  const double trim_rows = (double)(g->trim.y1 - g->trim.y0), search_rows = (double)(g->search.y1 - g->search.y0);
  const double row_s = ncc_fft_cut_cost_s(fft.cols) / 2, column_s = ncc_fft_cut_cost_s(fft.rows);
  const double half = (double)fft.half;
  const double image_fft_s = trim_rows * row_s + half * column_s;
  const double pair_fft_s = ((double)g->template_rows + search_rows) * row_s + 2 * half * column_s;
  const double pixels = trim_rows * (double)(g->trim.x1 - g->trim.x0);
  const double positions = search_rows * (double)(g->search.x1 - g->search.x0);
  const double times = masked ? MASKED_TIMES : 1;
  return (ncc_cost){
      .image_s = times * (IMAGE_S + image_fft_s + IMAGE_S_PER_PIXEL * pixels + IMAGE_S_PER_POSITION * positions),
      .pair_s = times * (PAIR_S + pair_fft_s + PAIR_S_PER_POSITION * positions)};
}
