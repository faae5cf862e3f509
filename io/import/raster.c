#include "io/import/raster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/** A stack's shape: three axes, or one page. */
static ncc_status take_stack(ncc_raster *raster, const ncc_source_array *array) {
  ncc_status status = NCC_OK;
  const int64_t *n = array->shape + array->rank - 3;
  if (array->pages) {
    raster->planes = 1;
  } else {
    NCC_CHECK(array->rank == 3, NCC_ERR_UNREADABLE, "%s: %d dimensions found, expected [n, rows, cols]", array->path,
              array->rank);
    NCC_CHECK(!ncc_shape_is_colour(n[1], n[2]), NCC_ERR_UNREADABLE,
              "%s: shape [%" PRId64 ", %" PRId64 ", %" PRId64
              "] found, one picture in colours, expected grey [n, rows, cols]",
              array->path, n[0], n[1], n[2]);
    raster->planes = n[0];
  }
  raster->rows = array->shape[array->rank - 2];
  raster->cols = array->shape[array->rank - 1];
cleanup:
  return status;
}

ncc_status ncc_raster_open(ncc_volumes *volumes, const char *source, bool stack, ncc_raster **out) {
  ncc_status status = NCC_OK;
  ncc_source_array array = {0};
  *out = NULL;
  ncc_raster *raster = calloc(1, sizeof *raster);
  NCC_CHECK(raster && (raster->source = strdup(source)), NCC_ERR_NOMEM, "%s: no memory", source);
  raster->volumes = volumes;
  raster->stack = stack;
  raster->planes = 1;
  NCC_TRY(ncc_volumes_describe(volumes, source, &array));
  if (stack)
    NCC_TRY(take_stack(raster, &array));
  else
    NCC_TRY(ncc_volumes_look(volumes, source, &raster->rows, &raster->cols, &raster->dtype));
  raster->path = array.path;
  array.path = NULL;
  raster->dtype = array.dtype;
  raster->chunk_rows = array.chunk_rows < raster->rows ? array.chunk_rows : raster->rows;
  *out = raster;
  raster = NULL;
cleanup:
  free(array.path);
  ncc_raster_close(&raster);
  return status;
}

char *ncc_raster_plane(const ncc_raster *raster, int64_t plane) {
  char *name = NULL;
  if (!raster->stack) return strdup(raster->source);
  return asprintf(&name, "%s[%" PRId64 "]", raster->source, plane) < 0 ? NULL : name;
}

ncc_status ncc_raster_read(ncc_raster *raster, int64_t n, void *pixels) {
  ncc_status status = NCC_OK;
  const int64_t row = raster->next % raster->rows;
  const ncc_rect rect = {row, 0, row + n, raster->cols};
  char *plane = ncc_raster_plane(raster, raster->next / raster->rows);
  NCC_CHECK(plane, NCC_ERR_NOMEM, "%s: no memory", raster->source);
  NCC_TRY(ncc_volumes_read(raster->volumes, plane, raster->rows, raster->cols, raster->dtype, &rect, pixels));
  raster->next += n;
cleanup:
  free(plane);
  return status;
}

void ncc_raster_close(ncc_raster **raster) {
  if (!*raster) return;
  free((*raster)->source);
  free((*raster)->path);
  free(*raster);
  *raster = NULL;
}
