#include "mpi/start/survey.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/array.h"
#include "match/geometry.h"
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

static int64_t first_row(const ncc_catalog *catalog, const int64_t (*indices)[2]) {
  int64_t row = 0;
  while (row < catalog->n_pairs && indices[row][0] < 0) row++;
  return row < catalog->n_pairs ? row : -1;
}

static ncc_status first_geometry(const ncc_catalog *catalog, const ncc_search *search, const int64_t (*indices)[2],
                                 int64_t row, ncc_geometry *out) {
  ncc_object image = ncc_objects_get(&catalog->images, indices[row][0]);
  ncc_object tmpl = ncc_objects_get(&catalog->templates, indices[row][1]);
  return ncc_geometry_create(search, catalog->windows ? &catalog->windows[row] : NULL, image.rows, image.cols,
                             tmpl.rows, tmpl.cols, out);
}

static bool shapes_vary(const ncc_objects *objects) {
  for (int64_t i = 1; objects->items && i < objects->count; i++)
    if (objects->items[i].rows != objects->items[0].rows || objects->items[i].cols != objects->items[0].cols)
      return true;
  return false;
}

void ncc_survey_area(const ncc_catalog *catalog, const ncc_search *search, const int64_t (*indices)[2],
                     ncc_job_header *header) {
  ncc_geometry geometry;
  int64_t row = first_row(catalog, indices);
  header->has_area = row >= 0 && first_geometry(catalog, search, indices, row, &geometry) == NCC_OK;
  if (!header->has_area) return;
  header->area = geometry.search;
  header->full_rows = geometry.image_rows + geometry.template_rows - 1;
  header->full_cols = geometry.image_cols + geometry.template_cols - 1;
  header->area_varies = catalog->windows || shapes_vary(&catalog->images) || shapes_vary(&catalog->templates);
}

static bool overhangs(const ncc_geometry *g) {
  return g->min_overlap < 1 && (g->search.y0 < g->template_rows - 1 || g->search.x0 < g->template_cols - 1 ||
                                g->search.y1 > g->image_rows || g->search.x1 > g->image_cols);
}

void ncc_survey_border(ncc_survey *survey, ncc_input *input, const ncc_search *search, const int64_t (*indices)[2]) {
  const ncc_catalog *catalog = ncc_input_catalog(input);
  ncc_geometry geometry;
  int64_t row = first_row(catalog, indices);
  if (search->normalize || row < 0 || first_geometry(catalog, search, indices, row, &geometry) != NCC_OK ||
      !overhangs(&geometry))
    return;
  ncc_object image = ncc_objects_get(&catalog->images, indices[row][0]);
  if (ncc_object_bytes(&image) > SAMPLE_BYTES_MAX) return;
  ncc_pixels *pixels = ncc_pixels_create(NULL, ncc_object_bytes(&image));
  if (pixels && ncc_input_read(input, NCC_IMAGE, indices[row][0], pixels->data) == NCC_OK) {
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
