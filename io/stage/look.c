/** See look.h. */
#include "io/stage/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "io/import/raster.h"

/** malloc'd folder/name, or name where it is absolute; NULL without memory. */
static char *join(const char *folder, const char *name) {
  char *joined = NULL;
  if (name[0] == '/') return strdup(name);
  return asprintf(&joined, "%s/%s", folder, name) < 0 ? NULL : joined;
}

ncc_status ncc_look_at_sources(const char *path, const char *root, int64_t n, const char *const *names,
                               const int64_t *lines, int64_t (*shapes)[2], ncc_dtype *dtype) {
  ncc_status status = NCC_OK;
  ncc_raster *raster = NULL;
  char *name = NULL;
  *dtype = NCC_DTYPE_COUNT;
  for (int64_t i = 0; i < n; i++) {
    free(name);
    name = join(root, names[i]);
    NCC_CHECK(name, NCC_ERR_NOMEM, "%s: no memory", path);
    if (ncc_raster_open(name, &raster) != NCC_OK) {
      ncc_error_prefix("%s: line %" PRId64, path, lines[i]);
      status = NCC_ERR_UNREADABLE;
      goto cleanup;
    }
    shapes[i][0] = raster->rows;
    shapes[i][1] = raster->cols;
    if (i == 0)
      *dtype = raster->dtype;
    else if (*dtype != raster->dtype)
      *dtype = NCC_DTYPE_COUNT;
    ncc_raster_close(&raster);
  }
cleanup:
  free(name);
  ncc_raster_close(&raster);
  return status;
}

ncc_status ncc_source_root(const char *path, const char *named, const char *output, char **root, bool *beside) {
  ncc_status status = NCC_OK;
  char *folder = ncc_file_directory(path), *target = ncc_file_directory(output), *real = NULL, *whole = NULL;
  *root = NULL;
  NCC_CHECK(folder && target, NCC_ERR_NOMEM, "%s: no memory", path);
  whole = named ? join(folder, named) : strdup(folder);
  NCC_CHECK(whole, NCC_ERR_NOMEM, "%s: no memory", path);
  *root = realpath(whole, NULL);
  NCC_CHECK(*root, NCC_ERR_INPUT, "%s: folder %s, where names of files start, cannot be found; --root names another",
            path, whole);
  real = realpath(target, NULL);
  *beside = real && strcmp(real, *root) == 0;
cleanup:
  free(whole);
  free(real);
  free(target);
  free(folder);
  return status;
}
