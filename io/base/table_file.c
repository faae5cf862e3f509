/** See table_file.h: matrices. */
#include "io/base/table_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void ncc_matrix_clear(ncc_matrix *matrix) {
  free(matrix->values);
  *matrix = (ncc_matrix){0};
}

ncc_status ncc_matrix_integers(const ncc_matrix *matrix, const char *path, const char *name, int64_t **out) {
  ncc_status status = NCC_OK;
  const int64_t n = matrix->rows * matrix->cols;
  int64_t *integers = *out = malloc((size_t)(n ? n : 1) * sizeof *integers);
  NCC_CHECK(integers, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " numbers", path, n);
  for (int64_t i = 0; i < n; i++) {
    const double value = matrix->values[i];
    NCC_CHECK(fabs(value) <= 0x1p53 && value == floor(value), NCC_ERR_INPUT,
              "%s: %s: row %" PRId64 ": %g found, expected an integer", path, name, i / matrix->cols, value);
    integers[i] = (int64_t)value;
  }
cleanup:
  if (status != NCC_OK) {
    free(*out);
    *out = NULL;
  }
  return status;
}
