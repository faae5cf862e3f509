#include "mpi/start/survey.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/geometry.h"

#define SAMPLE_BYTES_MAX ((int64_t)256 << 20) /* a larger image is not read just to be warned about */

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

void ncc_survey_input(ncc_survey *survey, const ncc_input *input) {
  const char *const *texts;
  const int n = ncc_input_warnings(input, &texts);
  for (int i = 0; i < n; i++) ncc_survey_warn(survey, "%s", texts[i]);
}

void ncc_survey_border(ncc_survey *survey, ncc_input *input, const ncc_search *search, const ncc_work *work) {
  int64_t row = 0;
  char why[NCC_SURVEY_TEXT];
  if (search->normalize || work->n_kinds == 0 || !ncc_geometry_overhangs(&work->kinds[0].geometry)) return;
  while (work->rows[row].kind < 0) row++;
  const ncc_geometry *g = &work->kinds[0].geometry;
  const int32_t index = work->rows[row].image;
  ncc_object image = ncc_objects_get(&work->catalog->images, index);
  if (ncc_object_bytes(&image) > SAMPLE_BYTES_MAX) return;
  void *pixels = malloc((size_t)ncc_object_bytes(&image));
  if (pixels && ncc_input_read(input, NCC_IMAGE, index, pixels) == NCC_OK) {
    ncc_array array = {pixels, image.dtype, image.rows, image.cols, image.cols};
    if (ncc_overhang_misleads(search, ncc_work_window(work, row), &array, g->template_rows, g->template_cols, image.id,
                              why, sizeof why))
      ncc_survey_warn(survey, "%s; see --normalize and --min-overlap", why);
  }
  free(pixels);
}
