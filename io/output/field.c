/** See field.h. */
#include "io/output/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/target.h"
#include "io/base/h5.h"

struct ncc_field_writer {
  ncc_target target;
  int64_t next, n;
  hsize_t shape[2];
  FILE *npy; /**< or */
  hid_t file, set;
};

/** NumPy's header, filled up to 128 bytes: format version 1.0. */
static ncc_status begin_npy(ncc_field_writer *w) {
  ncc_status status = NCC_OK;
  const uint16_t one = 1;
  char header[128] = "\x93NUMPY\x01\x00\x76"; /* the last two bytes: 118 more follow, least first */
  const int used = snprintf(header + 10, sizeof header - 10,
                            "{'descr': '%cf4', 'fortran_order': False, 'shape': (%" PRId64 ", %d, %llu, %llu), }",
                            *(const char *)&one ? '<' : '>', w->n, NCC_FIELD_LAYERS, (unsigned long long)w->shape[0],
                            (unsigned long long)w->shape[1]);
  memset(header + 10 + used, ' ', sizeof header - 11 - (size_t)used);
  header[sizeof header - 1] = '\n';
  w->npy = fopen(w->target.temporary, "wb");
  NCC_CHECK(w->npy && fwrite(header, sizeof header, 1, w->npy) == 1, NCC_ERR_OUTPUT, "%s: cannot be written: %s",
            w->target.path, ncc_error_words(errno));
cleanup:
  return status;
}

/** A dataset that is written whole at once. */
static bool write_table(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *shape,
                        const void *data) {
  hid_t space = H5Screate_simple(rank, shape, NULL), set = -1;
  set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const bool good = set >= 0 && (shape[0] == 0 || H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  ncc_h5_close(&set);
  ncc_h5_close(&space);
  return good;
}

static ncc_status begin_h5(ncc_field_writer *w, const int64_t (*pairs)[2], const double origin[2],
                           const double step[2]) {
  ncc_status status = NCC_OK;
  const hsize_t shape[4] = {(hsize_t)w->n, NCC_FIELD_LAYERS, w->shape[0], w->shape[1]};
  const hsize_t table[2] = {(hsize_t)w->n, 2};
  hid_t space = -1;
  double *places = malloc((size_t)(w->shape[0] + w->shape[1] + 1) * sizeof *places);
  NCC_CHECK(places, NCC_ERR_NOMEM, "%s: no memory", w->target.path);
  NCC_TRY(ncc_h5_create_file(w->target.temporary, &w->file));
  space = H5Screate_simple(4, shape, NULL);
  w->set = H5Dcreate2(w->file, "/field", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  bool good = w->set >= 0 && write_table(w->file, "/pairs", H5T_STD_I64LE, H5T_NATIVE_INT64, 2, table, pairs);
  for (int k = 0; k < 2; k++) {
    for (hsize_t i = 0; i < w->shape[k]; i++) places[i] = origin[k] + (double)i * step[k];
    good = good && write_table(w->file, k ? "/x" : "/y", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, &w->shape[k], places);
  }
  NCC_CHECK_H5(good, NCC_ERR_OUTPUT, "%s: cannot be written", w->target.path);
cleanup:
  ncc_h5_close(&space);
  free(places);
  return status;
}

ncc_status ncc_field_create(const char *path, int64_t n, const int64_t (*pairs)[2], const int64_t shape[2],
                            const double origin[2], const double step[2], ncc_field_writer **out) {
  ncc_status status = NCC_OK;
  const char *extension = strrchr(path, '.');
  const bool npy = extension && strcmp(extension, ".npy") == 0;
  *out = NULL;
  ncc_h5_silence();
  ncc_field_writer *w = calloc(1, sizeof *w);
  NCC_CHECK(w, NCC_ERR_NOMEM, "%s: no memory", path);
  w->file = w->set = -1;
  w->n = n;
  for (int k = 0; k < 2; k++) w->shape[k] = (hsize_t)shape[k];
  NCC_CHECK(npy || (extension && strcmp(extension, ".h5") == 0), NCC_ERR_USAGE,
            "--field: %s found, expected a name that ends in .h5 or .npy", path);
  NCC_TRY(ncc_target_begin(path, "--field", &w->target));
  NCC_TRY(npy ? begin_npy(w) : begin_h5(w, pairs, origin, step));
  *out = w;
  w = NULL;
cleanup:
  ncc_field_destroy(&w);
  return status;
}

ncc_status ncc_field_put(ncc_field_writer *w, const float *layers) {
  ncc_status status = NCC_OK;
  const hsize_t at[4] = {(hsize_t)w->next, 0, 0, 0}, count[4] = {1, NCC_FIELD_LAYERS, w->shape[0], w->shape[1]};
  const size_t values = (size_t)(NCC_FIELD_LAYERS * w->shape[0] * w->shape[1]);
  hid_t space = -1, memory = -1;
  w->next++;
  if (w->npy) {
    NCC_CHECK(fwrite(layers, sizeof *layers, values, w->npy) == values, NCC_ERR_OUTPUT, "%s: cannot be written: %s",
              w->target.path, ncc_error_words(errno));
    return NCC_OK;
  }
  space = H5Dget_space(w->set);
  memory = H5Screate_simple(4, count, NULL);
  NCC_CHECK_H5(H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, count, NULL) >= 0 &&
                   H5Dwrite(w->set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, layers) >= 0,
               NCC_ERR_OUTPUT, "%s: /field cannot be written", w->target.path);
cleanup:
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  return status;
}

ncc_status ncc_field_finish(ncc_field_writer **writer) {
  ncc_status status = NCC_OK;
  ncc_field_writer *w = *writer;
  if (w->npy) {
    const int error = ncc_file_close(w->npy, 0);
    w->npy = NULL;
    NCC_CHECK(error == 0, NCC_ERR_OUTPUT, "%s: cannot be written: %s", w->target.path, ncc_error_words(error));
  } else {
    const bool closed = H5Dclose(w->set) >= 0, whole = H5Fclose(w->file) >= 0;
    w->set = w->file = -1;
    NCC_CHECK_H5(closed && whole, NCC_ERR_OUTPUT, "%s: cannot be completed", w->target.path);
  }
  NCC_TRY(ncc_target_commit(&w->target));
cleanup:
  ncc_field_destroy(writer);
  return status;
}

void ncc_field_destroy(ncc_field_writer **writer) {
  ncc_field_writer *w = *writer;
  if (!w) return;
  if (w->npy) fclose(w->npy);
  ncc_h5_close(&w->set);
  if (w->file >= 0) H5Fclose(w->file);
  ncc_target_end(&w->target);
  free(w);
  *writer = NULL;
}
