/** Variables of MAT files. See table_file.h.
 *
 *  v7.3 is HDF5 and is read by the HDF5 that the program has, whichever other one matio may bring along; matio is given
 *  the older formats alone, which have no HDF5 in them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/target.h"
#include "io/base/h5.h"
#include "io/base/table_file.h"

#ifdef NCC_HAVE_MATIO
#include "lazy_mat.h"

/** A matrix of MATLAB's, column-major, to row-major. */
#define COPY(mat_type, type)                                                                        \
  case mat_type:                                                                                    \
    for (int64_t y = 0; y < out->rows; y++)                                                         \
      for (int64_t x = 0; x < out->cols; x++)                                                       \
        out->values[y * out->cols + x] = (double)((const type *)variable->data)[x * out->rows + y]; \
    break;

static ncc_status read_old(const char *path, const char *name, ncc_matrix *out) {
  ncc_status status = ncc_mat_load();
  if (status != NCC_OK) return status;
  matvar_t *variable = NULL;
  mat_t *file = Mat_Open(path, MAT_ACC_RDONLY);
  NCC_CHECK(file, NCC_ERR_INPUT, "%s: cannot be read, expected a MAT file", path);
  variable = Mat_VarReadInfo(file, name);
  if (!variable) goto cleanup;
  NCC_CHECK(variable->class_type >= MAT_C_DOUBLE && variable->class_type <= MAT_C_UINT64 && !variable->isComplex &&
                variable->rank == 2,
            NCC_ERR_INPUT, "%s: %s: expected a real matrix of numbers in two dimensions", path, name);
  Mat_VarFree(variable);
  variable = Mat_VarRead(file, name);
  NCC_CHECK(variable, NCC_ERR_INPUT, "%s: %s: cannot be read", path, name);
  out->rows = (int64_t)variable->dims[0];
  out->cols = (int64_t)variable->dims[1];
  const size_t n = (size_t)(out->rows * out->cols);
  NCC_CHECK(n == 0 || variable->data, NCC_ERR_INPUT, "%s: %s: cannot be read", path, name);
  out->values = malloc((n ? n : 1) * sizeof *out->values);
  NCC_CHECK(out->values, NCC_ERR_NOMEM, "%s: %s: no memory for %zu numbers", path, name, n);
  switch (variable->data_type) {
    COPY(MAT_T_INT8, int8_t)
    COPY(MAT_T_UINT8, uint8_t)
    COPY(MAT_T_INT16, int16_t)
    COPY(MAT_T_UINT16, uint16_t)
    COPY(MAT_T_INT32, int32_t)
    COPY(MAT_T_UINT32, uint32_t)
    COPY(MAT_T_INT64, int64_t)
    COPY(MAT_T_UINT64, uint64_t)
    COPY(MAT_T_SINGLE, float)
    COPY(MAT_T_DOUBLE, double)
    default:
      status = ncc_error_set(NCC_ERR_INPUT, "%s: %s: matio's data type %d found, expected numbers", path, name,
                             (int)variable->data_type);
  }
cleanup:
  if (variable) Mat_VarFree(variable);
  if (file) Mat_Close(file);
  return status;
}

#else

static ncc_status read_old(const char *path, const char *name, ncc_matrix *out) {
  (void)name;
  (void)out;
  return ncc_error_set(NCC_ERR_INPUT,
                       "%s: a MAT file before v7.3, or none, but this program was built without matio (in MATLAB: "
                       "save with '-v7.3')",
                       path);
}

#endif

/** MATLAB's [rows, cols] is HDF5's [cols, rows]. */
static ncc_status read_hdf5(const char *path, const char *name, ncc_matrix *out) {
  ncc_status status = NCC_OK;
  hid_t file = -1;
  ncc_h5_dataset set = {.id = -1, .type = -1};
  double *stored = NULL;
  NCC_TRY(ncc_h5_open_file(path, &file));
  if (H5Lexists(file, name, H5P_DEFAULT) <= 0) goto cleanup;
  NCC_TRY(ncc_h5_dataset_open(file, name, path, name, &set));
  const H5T_class_t class = H5Tget_class(set.type);
  NCC_CHECK((class == H5T_INTEGER || class == H5T_FLOAT) && set.rank == 2, NCC_ERR_INPUT,
            "%s: %s: %s of shape %s found, expected a real matrix of numbers in two dimensions", path, name,
            set.type_text, set.shape_text);
  out->rows = (int64_t)set.shape[1];
  out->cols = (int64_t)set.shape[0];
  const size_t n = (size_t)(out->rows * out->cols);
  stored = malloc((n ? n : 1) * sizeof *stored);
  out->values = malloc((n ? n : 1) * sizeof *out->values);
  NCC_CHECK(stored && out->values, NCC_ERR_NOMEM, "%s: %s: no memory for %zu numbers", path, name, n);
  NCC_TRY(ncc_h5_read_all(&set, path, name, H5T_NATIVE_DOUBLE, sizeof *stored, stored));
  for (int64_t y = 0; y < out->rows; y++) {
    for (int64_t x = 0; x < out->cols; x++) out->values[y * out->cols + x] = stored[x * out->rows + y];
  }
cleanup:
  free(stored);
  ncc_h5_dataset_close(&set);
  ncc_h5_close(&file);
  return status;
}

ncc_status ncc_mat_read(const char *path, const char *name, ncc_matrix *out) {
  *out = (ncc_matrix){0};
  ncc_h5_silence();
  ncc_status status = ncc_target_spare(path, NULL);
  if (status == NCC_OK) status = (H5Fis_hdf5(path) > 0 ? read_hdf5 : read_old)(path, name, out);
  if (status != NCC_OK) ncc_matrix_clear(out);
  return status;
}
