/** See direct.h. */
#include "match/direct.h"

#include "base/arithmetic.h"
#include "match/fft.h"
#include "match/kernels/direct.h"

ncc_numerators_cost ncc_numerators_cost_of(const ncc_geometry *g) {
  const ncc_fft_shape fft = ncc_fft_shape_choose(g);
  const double row_s = ncc_fft_cut_cost_s(fft.cols) / 2, column_s = ncc_fft_cut_cost_s(fft.rows);
  const double half = (double)fft.half, trim_rows = (double)(g->trim.y1 - g->trim.y0);
  const int64_t rows = g->search.y1 - g->search.y0, cols = g->search.x1 - g->search.x0;
  const double sums = (double)ncc_round_up(rows, NCC_DIRECT_ROWS) * (double)ncc_round_up(cols, 8);
  return (ncc_numerators_cost){
      .image_s = trim_rows * row_s + half * column_s,
      .pair_s = (double)(g->template_rows + rows) * row_s + 2 * half * column_s,
      .direct_s = sums * (double)((g->template_rows + 5) * g->template_cols) * ncc_kernels_get()->direct->product_s};
}
