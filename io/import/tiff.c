/** TIFF and BigTIFF through libtiff: strips or tiles, any compression that libtiff knows, any byte order.
 *
 *  The file is read, not mapped, so that its pages do not count as this process's memory. Memory: one strip, or one row
 *  of tiles (libtiff cuts a single uncompressed strip, however long, into short ones). A file is one image: one that
 *  has several pages is refused, but reduced copies of the first page, as pyramids have them, are passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "io/import/raster.h"

#ifdef NCC_HAVE_TIFF
#include <inttypes.h>
#include <stdio.h>
#include "io/base/libtiff.h"
#include "lazy_tiff.h"

typedef struct tiff_file {
  TIFF *tiff;
  uint8_t *band;    /**< of a tiled file: the row of tiles last read, [tile_rows, band_bytes], else NULL */
  uint8_t *tile;    /**< one tile */
  int64_t band_row; /**< its first row in the image, or -1 */
  int64_t tile_rows, tile_cols;
  size_t row_bytes;
} tiff_file;

static const char *photometric_name(int photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      return "a picture whose 0 is white";
    case PHOTOMETRIC_RGB:
      return "an RGB picture";
    case PHOTOMETRIC_PALETTE:
      return "a picture with a colour palette";
    default:
      return "a colour picture";
  }
}

static ncc_status check_pages(ncc_raster *raster, TIFF *tiff) {
  ncc_status status = NCC_OK;
  int pages = 1;
  while (TIFFReadDirectory(tiff)) {
    uint32_t kind = 0;
    TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind);
    pages += !(kind & FILETYPE_REDUCEDIMAGE);
  }
  NCC_CHECK(pages == 1, NCC_ERR_UNREADABLE, "%s: %d pages found, expected one image a file", raster->path, pages);
  NCC_CHECK(TIFFSetDirectory(tiff, 0), NCC_ERR_UNREADABLE, "%s: %s", raster->path, ncc_libtiff_reason());
cleanup:
  return status;
}

/** Stacks whose planes lie behind each other, with a directory for the first alone: ImageJ's beyond 4 GB, MetaMorph's.
 */
static ncc_status check_planes(ncc_raster *raster, TIFF *tiff) {
  enum { METAMORPH_PLANES = 33629 };
  ncc_status status = NCC_OK;
  const char *words = NULL;
  void *values;
  uint32_t planes = 0;
  NCC_CHECK(!TIFFGetField(tiff, METAMORPH_PLANES, &planes, &values) || planes <= 1, NCC_ERR_UNREADABLE,
            "%s: a MetaMorph stack of %u planes found, expected one image a file", raster->path, planes);
  if (!TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &words) || strncmp(words, "ImageJ=", 7) != 0) goto cleanup;
  words = strstr(words, "\nimages=");
  const long long images = words ? strtoll(words + strlen("\nimages="), NULL, 10) : 1;
  NCC_CHECK(images <= 1, NCC_ERR_UNREADABLE,
            "%s: an ImageJ stack of %lld images found, expected one image a file (in ImageJ: Save As, Image Sequence)",
            raster->path, images);
cleanup:
  return status;
}

static ncc_status open_tiles(ncc_raster *raster, tiff_file *file) {
  ncc_status status = NCC_OK;
  uint32_t cols = 0, rows = 0;
  TIFFGetField(file->tiff, TIFFTAG_TILEWIDTH, &cols);
  TIFFGetField(file->tiff, TIFFTAG_TILELENGTH, &rows);
  const int64_t most = (int64_t)1 << 28;
  const tmsize_t bytes = TIFFTileSize(file->tiff);
  NCC_CHECK(rows > 0 && cols > 0 && bytes > 0 && bytes <= most && rows * (int64_t)file->row_bytes <= 4 * most,
            NCC_ERR_UNREADABLE, "%s: tiles of %u x %u pixels found, expected tiles of at most 256 MiB", raster->path,
            rows, cols);
  file->tile_rows = rows;
  file->tile_cols = cols;
  file->band_row = -1;
  file->tile = malloc((size_t)bytes);
  file->band = malloc((size_t)rows * file->row_bytes);
  NCC_CHECK(file->tile && file->band, NCC_ERR_NOMEM, "%s: no memory for tiles of %u x %u pixels", raster->path, rows,
            cols);
cleanup:
  return status;
}

static ncc_status tiff_open(ncc_raster *raster) {
  ncc_status status = NCC_OK;
  tiff_file *file = NULL;
  uint32_t rows = 0, cols = 0;
  uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
  NCC_TRY(ncc_libtiff_begin());
  file = raster->file = calloc(1, sizeof *file);
  NCC_CHECK(file, NCC_ERR_NOMEM, "%s: no memory", raster->path);
  file->tiff = TIFFOpen(raster->path, "rm"); /* m: not mapped */
  NCC_CHECK(file->tiff, NCC_ERR_UNREADABLE, "%s: %s", raster->path, ncc_libtiff_reason());
  NCC_TRY(check_pages(raster, file->tiff));
  NCC_TRY(check_planes(raster, file->tiff));
  TIFFGetField(file->tiff, TIFFTAG_IMAGELENGTH, &rows);
  TIFFGetField(file->tiff, TIFFTAG_IMAGEWIDTH, &cols);
  TIFFGetFieldDefaulted(file->tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(file->tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(file->tiff, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetField(file->tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  NCC_CHECK(photometric == PHOTOMETRIC_MINISBLACK, NCC_ERR_UNREADABLE, "%s: %s found, expected grey whose 0 is black",
            raster->path, photometric_name(photometric));
  NCC_CHECK(samples == 1, NCC_ERR_UNREADABLE, "%s: %d channels found, expected one grey channel", raster->path,
            samples);
  NCC_CHECK(ncc_libtiff_dtype(format, bits, &raster->dtype), NCC_ERR_UNREADABLE,
            "%s: pixels of %d bits in TIFF's sample format %d found, expected 8, 16 or 32-bit integers or 16, 32 or "
            "64-bit floats",
            raster->path, bits, format);
  raster->rows = rows;
  raster->cols = cols;
  file->row_bytes = (size_t)cols * ncc_dtype_size(raster->dtype);
  if (TIFFIsTiled(file->tiff)) {
    NCC_TRY(open_tiles(raster, file));
  } else {
    NCC_CHECK((size_t)TIFFScanlineSize(file->tiff) == file->row_bytes, NCC_ERR_UNREADABLE,
              "%s: rows of %lld bytes found, expected %zu", raster->path, (long long)TIFFScanlineSize(file->tiff),
              file->row_bytes);
  }
cleanup:
  return status;
}

/** Reads the row of tiles that begins at `row` into the band. */
static ncc_status read_band(ncc_raster *raster, int64_t row) {
  ncc_status status = NCC_OK;
  tiff_file *file = raster->file;
  const int64_t rows = raster->rows - row < file->tile_rows ? raster->rows - row : file->tile_rows;
  const size_t size = ncc_dtype_size(raster->dtype), tile_row = (size_t)file->tile_cols * size;
  file->band_row = -1;
  for (int64_t col = 0; col < raster->cols; col += file->tile_cols) {
    const int64_t cols = raster->cols - col < file->tile_cols ? raster->cols - col : file->tile_cols;
    NCC_CHECK(TIFFReadTile(file->tiff, file->tile, (uint32_t)col, (uint32_t)row, 0, 0) >= 0, NCC_ERR_UNREADABLE,
              "%s: tile at row %" PRId64 ", column %" PRId64 ": %s", raster->path, row, col, ncc_libtiff_reason());
    for (int64_t y = 0; y < rows; y++) {
      memcpy(file->band + (size_t)y * file->row_bytes + (size_t)col * size, file->tile + (size_t)y * tile_row,
             (size_t)cols * size);
    }
  }
  file->band_row = row;
cleanup:
  return status;
}

static ncc_status tiff_read(ncc_raster *raster, int64_t n, void *pixels) {
  ncc_status status = NCC_OK;
  tiff_file *file = raster->file;
  uint8_t *out = pixels;
  ncc_libtiff_forget();
  for (int64_t i = 0; i < n; i++, out += file->row_bytes) {
    const int64_t row = raster->next + i;
    if (file->band) {
      const int64_t in_band = row % file->tile_rows;
      if (file->band_row != row - in_band) NCC_TRY(read_band(raster, row - in_band));
      memcpy(out, file->band + (size_t)in_band * file->row_bytes, file->row_bytes);
    } else {
      NCC_CHECK(TIFFReadScanline(file->tiff, out, (uint32_t)row, 0) > 0, NCC_ERR_UNREADABLE, "%s: row %" PRId64 ": %s",
                raster->path, row, ncc_libtiff_reason());
    }
  }
cleanup:
  return status;
}

static void tiff_close(ncc_raster *raster) {
  tiff_file *file = raster->file;
  if (!file) return;
  if (file->tiff) TIFFClose(file->tiff);
  free(file->tile);
  free(file->band);
  free(file);
}

#else

static ncc_status tiff_open(ncc_raster *raster) {
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a TIFF file, but this program was built without libtiff", raster->path);
}

static ncc_status tiff_read(ncc_raster *raster, int64_t n, void *pixels) {
  (void)n;
  (void)pixels;
  return tiff_open(raster);
}

static void tiff_close(ncc_raster *raster) {
  (void)raster;
}

#endif

const ncc_raster_format ncc_tiff_format = {tiff_open, tiff_read, tiff_close};
