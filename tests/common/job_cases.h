/** Jobs on made-up input, for tests of the distribution with the fake matcher. */
#ifndef NCC_TESTS_JOB_CASES_H
#define NCC_TESTS_JOB_CASES_H

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fake_matcher.h"
#include "io/input/writer.h"
#include "io/output/load.h"
#include "io/output/output.h"
#include "mpi/job.h"

#define MUST(call) CHECK((call) == NCC_OK, "%s", ncc_error_message())

/** Shape of a case: image i is (rows + i % 3) x cols, template i is (4 + i % 5) x 6, their pixels follow from i. */
typedef struct job_case {
  const char *name;
  int64_t images, templates, pairs;
  int64_t rows, cols;
  bool windows;
  int64_t (*image_of)(int64_t row), (*template_of)(int64_t row);
} job_case;

/** Pixels of an object: malloc'd u16, in order. */
static inline ncc_array job_pixels(bool image, int64_t index, const job_case *c) {
  ncc_array a = {.dtype = NCC_U16, .rows = image ? c->rows + index % 3 : 4 + index % 5, .cols = image ? c->cols : 6};
  a.row_stride = a.cols;
  uint16_t *data = malloc((size_t)(a.rows * a.cols) * sizeof *data);
  CHECK(data, "out of memory");
  for (int64_t i = 0; i < a.rows * a.cols; i++) data[i] = (uint16_t)(i * 7 + index * 131 + image * 17);
  a.data = data;
  return a;
}

static inline void job_write_input(const char *path, const job_case *c) {
  ncc_input_writer *writer = NULL;
  MUST(ncc_input_writer_create(path, true, &writer));
  MUST(ncc_input_writer_group(writer, NCC_IMAGE, NULL));
  MUST(ncc_input_writer_group(writer, NCC_TEMPLATE, NULL));
  for (int kind = 0; kind < 2; kind++)
    for (int64_t i = 0; i < (kind == NCC_IMAGE ? c->images : c->templates); i++) {
      ncc_array a = job_pixels(kind == NCC_IMAGE, i, c);
      MUST(ncc_input_writer_put(writer, (ncc_object_kind)kind, i, &a));
      free((void *)a.data);
    }
  int64_t(*pairs)[2] = malloc((size_t)(c->pairs + 1) * sizeof *pairs);
  ncc_rect *windows = malloc((size_t)(c->pairs + 1) * sizeof *windows);
  CHECK(pairs && windows, "out of memory");
  for (int64_t row = 0; row < c->pairs; row++) {
    pairs[row][0] = c->image_of(row);
    pairs[row][1] = c->template_of(row);
    windows[row] = (ncc_rect){0, row % 5, 4, 7 + row % 5};
  }
  MUST(ncc_input_writer_pairs(writer, c->pairs, (const int64_t(*)[2])pairs));
  if (c->windows) MUST(ncc_input_writer_search(writer, c->pairs, windows));
  MUST(ncc_input_writer_finish(&writer));
  free(pairs);
  free(windows);
}

/** Every row of the output holds the answer for its pair. */
static inline void job_check_output(const char *path, const job_case *c) {
  ncc_output_data data;
  MUST(ncc_output_load(path, &data));
  CHECK(data.complete && data.n_pairs == c->pairs, "%s: %lld rows", c->name, (long long)data.n_pairs);
  for (int64_t row = 0; row < c->pairs; row++) {
    if (c->image_of(row) < 0) {
      CHECK(data.status[row] == NCC_PAIR_INVALID, "%s: row %lld", c->name, (long long)row);
      continue;
    }
    ncc_array image = job_pixels(true, c->image_of(row), c), tmpl = job_pixels(false, c->template_of(row), c);
    ncc_rect window = {0, row % 5, 4, 7 + row % 5};
    ncc_result expected = fake_answer(&image, &tmpl, c->windows ? &window : NULL);
    CHECK(data.status[row] == NCC_PAIR_OK && data.coords[row][0] == expected.y && data.coords[row][1] == expected.x &&
              data.peaks[row] == expected.peak,
          "%s: row %lld is (%lld, %lld), expected (%lld, %lld)", c->name, (long long)row,
          (long long)data.coords[row][0], (long long)data.coords[row][1], (long long)expected.y, (long long)expected.x);
    free((void *)image.data);
    free((void *)tmpl.data);
  }
  ncc_output_data_clear(&data);
}

static inline ncc_run_options job_options(const char *input, const char *output) {
  return (ncc_run_options){
      .input = input, .output = output, .threads = 1, .group = true, .overwrite = true, .command_line = (char *)"test"};
}

/** Names of files for this run of the test, the same on all ranks: in the folder where the test runs. */
static inline void job_path(char *path, size_t bytes, const char *test, const char *what, int ranks) {
  snprintf(path, bytes, "%s_np%d_%s.h5", test, ranks, what);
}

#endif
