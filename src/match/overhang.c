/** Whether zeros outside an image may outweigh true peaks; one decision for the program and for callers. */
#include <math.h>
#include <stdio.h>

#include "base/array.h"
#include "match/arguments.h"
#include "match/geometry.h"

enum { SAMPLE_SIDE = 64 };

bool ncc_geometry_overhangs(const ncc_geometry *g) {
  return g->min_overlap < 1 && (g->search.y0 < g->template_rows - 1 || g->search.x0 < g->template_cols - 1 ||
                                g->search.y1 > g->image_rows || g->search.x1 > g->image_cols);
}

bool ncc_overhang_misleads(const ncc_search *search, const ncc_rect *window, const ncc_array *image,
                           int64_t template_rows, int64_t template_cols, int64_t image_id, char *text, size_t bytes) {
  ncc_geometry g;
  if (ncc_check_search(search) != NCC_OK || ncc_check_pointer(image, "image") != NCC_OK ||
      ncc_check_array(image, -1) != NCC_OK || (bytes > 0 && ncc_check_pointer(text, "text") != NCC_OK))
    return false;
  if (bytes > 0) text[0] = '\0';
  if (search->normalize || search->outside == NCC_OUTSIDE_IGNORE || !image->data ||
      ncc_geometry_create(search, window, image->rows, image->cols, template_rows, template_cols, &g) != NCC_OK ||
      !ncc_geometry_overhangs(&g))
    return false;
  // Pixels of a grid tell enough of mean and deviation.
  const int64_t step_y = image->rows / SAMPLE_SIDE + 1, step_x = image->cols / SAMPLE_SIDE + 1;
  int64_t n = 0;
  double sum = 0, squares = 0, origin = ncc_array_value(image, 0, 0);
  for (int64_t y = 0; y < image->rows; y += step_y)
    for (int64_t x = 0; x < image->cols; x += step_x, n++) {
      double value = ncc_array_value(image, y, x) - origin;
      sum += value;
      squares += value * value;
    }
  const double mean = sum / (double)n + origin;
  const double deviation = sqrt(fmax(0, squares / (double)n - sum / (double)n * sum / (double)n));
  if (!(fabs(mean) > deviation)) return false;
  snprintf(text, bytes,
           "image %lld has mean %.4g and standard deviation %.4g, and templates may overhang it: there they are "
           "compared with the zeros outside, which can outweigh true peaks",
           (long long)image_id, mean, deviation);
  return true;
}
