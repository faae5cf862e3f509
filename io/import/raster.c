/** See raster.h: which format a file is, and what all formats have in common. */
#include "io/import/raster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/target.h"
#include "io/base/h5.h"

typedef struct signature {
  const char *bytes;
  size_t n;
  const ncc_raster_format *format;
} signature;

static const signature signatures[] = {
    {"II*\0", 4, &ncc_tiff_format},
    {"MM\0*", 4, &ncc_tiff_format},
    {"II+\0", 4, &ncc_tiff_format},
    {"MM\0+", 4, &ncc_tiff_format},
    {"\x89PNG\r\n\x1a\n", 8, &ncc_png_format},
    {"\x93NUMPY", 6, &ncc_npy_format},
};

static ncc_status recognise(const char *path, const ncc_raster_format **format) {
  ncc_status status = NCC_OK;
  char bytes[8] = {0};
  FILE *file = NULL;
  NCC_TRY(ncc_target_spare(path, NULL));
  file = fopen(path, "rbe");
  NCC_CHECK(file, NCC_ERR_UNREADABLE, "%s: %s", path, strerror(errno));
  const size_t n = fread(bytes, 1, sizeof bytes, file);
  NCC_CHECK(!ferror(file), NCC_ERR_UNREADABLE, "%s: %s", path, strerror(errno));
  NCC_CHECK(n > 0, NCC_ERR_UNREADABLE, "%s: the file is empty", path);
  for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
    const signature *s = &signatures[i];
    if (n >= s->n && memcmp(bytes, s->bytes, s->n) == 0) *format = s->format;
  }
  NCC_CHECK(*format, NCC_ERR_UNREADABLE, "%s: neither a TIFF, a PNG nor a NumPy file", path);
cleanup:
  if (file) fclose(file);
  return status;
}

ncc_status ncc_raster_open(const char *path, ncc_raster **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_raster *raster = calloc(1, sizeof *raster);
  NCC_CHECK(raster && (raster->path = strdup(path)), NCC_ERR_NOMEM, "%s: no memory", path);
  raster->planes = 1;
  NCC_TRY(recognise(path, &raster->format));
  NCC_TRY(raster->format->open(raster));
  const int64_t most = (int64_t)NCC_H5_MAX_SIDE;
  NCC_CHECK(raster->rows > 0 && raster->cols > 0 && raster->rows <= most && raster->cols <= most, NCC_ERR_UNREADABLE,
            "%s: %" PRId64 " x %" PRId64 " pixels found, expected 1 to %" PRId64 " rows and columns", path,
            raster->rows, raster->cols, most);
cleanup:
  if (status != NCC_OK) {
    ncc_raster_close(&raster);
  } else {
    *out = raster;
  }
  return status;
}

ncc_status ncc_raster_read(ncc_raster *raster, int64_t n, void *pixels) {
  ncc_status status = NCC_OK;
  NCC_CHECK(n <= raster->planes * raster->rows - raster->next, NCC_ERR_INTERNAL,
            "%s: %" PRId64 " rows asked for from row %" PRId64, raster->path, n, raster->next);
  NCC_TRY(raster->format->read(raster, n, pixels));
  raster->next += n;
cleanup:
  return status;
}

void ncc_raster_close(ncc_raster **raster) {
  if (!*raster) return;
  if ((*raster)->format) (*raster)->format->close(*raster);
  free((*raster)->path);
  free(*raster);
  *raster = NULL;
}
