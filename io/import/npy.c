/** NumPy's .npy files of small tables. See table_file.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/target.h"
#include "io/base/npy.h"
#include "io/base/raw.h"
#include "io/base/table_file.h"

typedef struct npy_file {
  FILE *stream; /**< at the first value */
  ncc_npy_header header;
} npy_file;

/** Opens a file, reads its header and checks that all values are there. */
static ncc_status npy_start(const char *path, npy_file *out) {
  ncc_status status = NCC_OK;
  *out = (npy_file){0};
  NCC_TRY(ncc_target_spare(path, NULL));
  out->stream = fopen(path, "rbe");
  NCC_CHECK(out->stream, NCC_ERR_UNREADABLE, "%s: %s", path, strerror(errno));
  NCC_TRY(ncc_npy_header_read(path, fileno(out->stream), &out->header));
  NCC_CHECK(fseeko(out->stream, (off_t)out->header.offset, SEEK_SET) == 0, NCC_ERR_UNREADABLE, "%s: %s", path,
            strerror(errno));
cleanup:
  if (status != NCC_OK && out->stream) {
    fclose(out->stream);
    out->stream = NULL;
  }
  return status;
}

/** Reads n values in native byte order. */
static bool read_values(npy_file *file, int64_t n, void *values) {
  const size_t size = (size_t)file->header.size;
  if (fread(values, size, (size_t)n, file->stream) != (size_t)n) return false;
  if (file->header.swapped) ncc_swap(values, n, size);
  return true;
}

static double value_at(const ncc_npy_header *file, const void *values, int64_t i) {
  switch (file->kind == 'f' ? -file->size : file->kind == 'i' ? file->size : 8 + file->size) {
    case -2:
      return (double)ncc_half_to_float(((const uint16_t *)values)[i]);
    case -4:
      return (double)((const float *)values)[i];
    case -8:
      return ((const double *)values)[i];
    case 1:
      return (double)((const int8_t *)values)[i];
    case 2:
      return (double)((const int16_t *)values)[i];
    case 4:
      return (double)((const int32_t *)values)[i];
    case 8:
      return (double)((const int64_t *)values)[i];
    case 9:
      return (double)((const uint8_t *)values)[i];
    case 10:
      return (double)((const uint16_t *)values)[i];
    case 12:
      return (double)((const uint32_t *)values)[i];
    default:
      return (double)((const uint64_t *)values)[i];
  }
}

ncc_status ncc_npy_read(const char *path, ncc_matrix *out) {
  ncc_status status = NCC_OK;
  npy_file file;
  void *values = NULL;
  *out = (ncc_matrix){0};
  NCC_TRY(npy_start(path, &file));
  NCC_CHECK(file.header.rank <= 2, NCC_ERR_UNREADABLE, "%s: %d dimensions found, expected a table", path,
            file.header.rank);
  NCC_CHECK(file.header.kind != 'f' || file.header.size > 1, NCC_ERR_UNREADABLE,
            "%s: f8 values found, expected numbers", path);
  out->rows = file.header.shape[0];
  out->cols = file.header.rank == 2 ? file.header.shape[1] : 1;
  const int64_t n = out->rows * out->cols;
  values = malloc((size_t)(n ? n : 1) * (size_t)file.header.size);
  out->values = malloc((size_t)(n ? n : 1) * sizeof *out->values);
  NCC_CHECK(values && out->values, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " numbers", path, n);
  NCC_CHECK(read_values(&file, n, values), NCC_ERR_UNREADABLE, "%s: cannot be read", path);
  for (int64_t y = 0; y < out->rows; y++) {
    for (int64_t x = 0; x < out->cols; x++) {
      out->values[y * out->cols + x] =
          value_at(&file.header, values, file.header.fortran ? x * out->rows + y : y * out->cols + x);
    }
  }
cleanup:
  free(values);
  if (file.stream) fclose(file.stream);
  if (status == NCC_ERR_UNREADABLE) status = NCC_ERR_INPUT;
  if (status != NCC_OK) ncc_matrix_clear(out);
  return status;
}

ncc_status ncc_npy_rank(const char *path, int *rank) {
  npy_file file;
  const ncc_status status = npy_start(path, &file);
  *rank = file.header.rank;
  if (file.stream) fclose(file.stream);
  return status == NCC_ERR_UNREADABLE ? NCC_ERR_INPUT : status;
}
