#include "mpi/start/survey.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "mpi/rank/pixels.h"

#define SAMPLE_BYTES_MAX ((int64_t)256 << 20) /* a larger image is not read just to be warned about */
enum { SAMPLE_PIXELS = 65536 };

void ncc_survey_warn(ncc_survey *survey, const char *format, ...) {
  va_list args;
  if (survey->n_warnings == NCC_SURVEY_WARNINGS) return;
  va_start(args, format);
  vsnprintf(survey->text[survey->n_warnings], NCC_SURVEY_TEXT, format, args);
  va_end(args);
  survey->warnings[survey->n_warnings] = survey->text[survey->n_warnings];
  survey->n_warnings++;
}

void ncc_survey_area(const ncc_work *work, ncc_job_header *header) {
  header->has_area = work->n_kinds > 0;
  if (!header->has_area) return;
  const ncc_geometry *first = &work->kinds[0].geometry;
  header->area = first->search;
  header->full_rows = first->image_rows + first->template_rows - 1;
  header->full_cols = first->image_cols + first->template_cols - 1;
  for (int32_t i = 0; i < work->n_kinds; i++)
    header->area_varies |= work->kinds[i].windows_vary ||
                           memcmp(&work->kinds[i].geometry.search, &first->search, sizeof first->search) != 0;
}

static bool overhangs(const ncc_geometry *g) {
  return g->min_overlap < 1 && (g->search.y0 < g->template_rows - 1 || g->search.x0 < g->template_cols - 1 ||
                                g->search.y1 > g->image_rows || g->search.x1 > g->image_cols);
}

void ncc_survey_border(ncc_survey *survey, ncc_input *input, const ncc_search *search, const ncc_work *work) {
  int64_t row = 0;
  if (search->normalize || work->n_kinds == 0 || !overhangs(&work->kinds[0].geometry)) return;
  while (work->rows[row].kind < 0) row++;
  const int32_t index = work->rows[row].image;
  ncc_object image = ncc_objects_get(&work->catalog->images, index);
  if (ncc_object_bytes(&image) > SAMPLE_BYTES_MAX) return;
  ncc_pixels *pixels = ncc_pixels_create(NULL, ncc_object_bytes(&image));
  if (pixels && ncc_input_read(input, NCC_IMAGE, index, pixels->data) == NCC_OK) {
    ncc_array array = {pixels->data, image.dtype, image.rows, image.cols, image.cols};
    int64_t total = image.rows * image.cols, step = total / SAMPLE_PIXELS + 1, n = 0;
    double sum = 0, squares = 0, origin = ncc_array_value(&array, 0, 0);
    for (int64_t i = 0; i < total; i += step, n++) {
      double value = ncc_array_value(&array, i / image.cols, i % image.cols) - origin;
      sum += value;
      squares += value * value;
    }
    double mean = sum / (double)n + origin,
           deviation = sqrt(fmax(0, squares / (double)n - sum / (double)n * sum / (double)n));
    if (fabs(mean) > deviation)
      ncc_survey_warn(survey,
                      "image %lld has mean %.4g and standard deviation %.4g, and templates may overhang it: there they "
                      "are compared with the zeros outside, which can outweigh true peaks; see --normalize and "
                      "--min-overlap",
                      (long long)image.id, mean, deviation);
  }
  ncc_pixels_release(&pixels);
}
