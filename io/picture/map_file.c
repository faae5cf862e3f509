/** See map_file.h. */
#include "io/picture/map_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/target.h"
#include "base/text.h"
#include "io/base/h5.h"

static ncc_status put_text(hid_t object, const char *path, const char *name, const char *value) {
  char *text = ncc_text_utf8(value);
  if (!text) return ncc_error_set(NCC_ERR_NOMEM, "%s: no memory", path);
  ncc_status status = ncc_h5_put_text(object, path, name, text);
  free(text);
  return status;
}

static ncc_status put_result(hid_t file, const char *path, const ncc_map *map, const ncc_result *r) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &map->geometry;
  const int64_t coords[2] = {r->y, r->x}, second[2] = {r->second_y, r->second_x};
  const int64_t offset[2] = {r->y - g->template_rows + 1, r->x - g->template_cols + 1};
  const double subpixel[2] = {r->subpixel_y, r->subpixel_x}, curvature[2] = {r->curvature_y, r->curvature_x};
  const double between[2] = {subpixel[0] - (double)(g->template_rows - 1),
                             subpixel[1] - (double)(g->template_cols - 1)};
  NCC_TRY(put_text(file, path, "status", ncc_pair_status_name((ncc_pair_status)r->status)));
  NCC_TRY(ncc_h5_put(file, path, "coords", H5T_NATIVE_INT64, 2, coords));
  NCC_TRY(ncc_h5_put(file, path, "offset", H5T_NATIVE_INT64, 2, offset));
  NCC_TRY(ncc_h5_put(file, path, "peak", H5T_NATIVE_DOUBLE, 0, &r->peak));
  if (!isnan(r->angle)) NCC_TRY(ncc_h5_put(file, path, "angle", H5T_NATIVE_DOUBLE, 0, &r->angle));
  NCC_TRY(ncc_h5_put(file, path, "subpixel", H5T_NATIVE_DOUBLE, 2, subpixel));
  NCC_TRY(ncc_h5_put(file, path, "subpixel_offset", H5T_NATIVE_DOUBLE, 2, between));
  NCC_TRY(ncc_h5_put(file, path, "curvature", H5T_NATIVE_DOUBLE, 2, curvature));
  NCC_TRY(ncc_h5_put(file, path, "second_coords", H5T_NATIVE_INT64, 2, second));
  NCC_TRY(ncc_h5_put(file, path, "second_peak", H5T_NATIVE_DOUBLE, 0, &r->second_peak));

cleanup:
  return status;
}

/** Writes a dataset of float64 or int64. */
static ncc_status put_set(hid_t file, const char *path, const char *name, int rank, const hsize_t *shape, hid_t type,
                          const void *values) {
  ncc_status status = NCC_OK;
  hid_t space = H5Screate_simple(rank, shape, NULL);
  hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  NCC_CHECK_H5(set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, NCC_ERR_OUTPUT,
               "%s: %s cannot be written", path, name);

cleanup:
  ncc_h5_close(&set);
  ncc_h5_close(&space);
  return status;
}

static ncc_status put_peaks(hid_t file, const char *path, int n, const ncc_peak *peaks) {
  ncc_status status = NCC_OK;
  int64_t coords[NCC_PEAKS_MOST][2];
  double values[NCC_PEAKS_MOST];
  if (n == 0) return NCC_OK;
  for (int k = 0; k < n; k++) {
    coords[k][0] = peaks[k].y;
    coords[k][1] = peaks[k].x;
    values[k] = peaks[k].value;
  }
  NCC_TRY(put_set(file, path, "/top_coords", 2, (hsize_t[2]){(hsize_t)n, 2}, H5T_NATIVE_INT64, coords));
  NCC_TRY(put_set(file, path, "/top_peaks", 1, (hsize_t[1]){(hsize_t)n}, H5T_NATIVE_DOUBLE, values));

cleanup:
  return status;
}

ncc_status ncc_map_file_write(const char *path, const ncc_map *map, const ncc_result *result, int n_peaks,
                              const ncc_peak *peaks, const int64_t pair[3], const char *input, const char *options) {
  ncc_status status = NCC_OK;
  hid_t file = -1, set = -1;
  ncc_target target = {0};
  const ncc_rect *search = &map->geometry.search;
  const int64_t origin[2] = {search->y0, search->x0};
  NCC_TRY(ncc_target_begin(path, "OUT", &target));
  NCC_TRY(ncc_h5_create_file(target.temporary, &file));
  NCC_TRY(put_set(file, path, "/ncc", 2, (hsize_t[2]){(hsize_t)map->rows, (hsize_t)map->cols}, H5T_NATIVE_DOUBLE,
                  map->values));
  NCC_TRY(put_peaks(file, path, n_peaks, peaks));
  set = H5Dopen2(file, "/ncc", H5P_DEFAULT);
  NCC_CHECK_H5(set >= 0, NCC_ERR_OUTPUT, "%s: /ncc cannot be opened", path);
  NCC_TRY(ncc_h5_put(set, path, "origin", H5T_NATIVE_INT64, 2, origin));
  NCC_TRY(ncc_h5_put(file, path, "row", H5T_NATIVE_INT64, 0, &pair[0]));
  NCC_TRY(ncc_h5_put(file, path, "image", H5T_NATIVE_INT64, 0, &pair[1]));
  NCC_TRY(ncc_h5_put(file, path, "template", H5T_NATIVE_INT64, 0, &pair[2]));
  NCC_TRY(put_result(file, path, map, result));
  NCC_TRY(put_text(file, path, "options", options));
  NCC_TRY(put_text(file, path, "input_path", input));
  NCC_TRY(put_text(file, path, "program_version", ncc_version()));
  ncc_h5_close(&set);
  const bool closed = H5Fclose(file) >= 0;
  file = -1;
  NCC_CHECK_H5(closed, NCC_ERR_OUTPUT, "%s: cannot be written", path);
  NCC_TRY(ncc_target_commit(&target));

cleanup:
  ncc_h5_close(&set);
  ncc_h5_close(&file);
  ncc_target_end(&target);
  return status;
}
