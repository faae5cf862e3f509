/** PNG through libpng: one grey channel of 8 or 16 bits.
 *
 *  Rows are decoded as they are asked for. An interlaced picture comes in passes over all rows, so it is decoded whole
 *  when it is opened. libpng reports errors by longjmp; each function here catches its own.
 */
#include <stdlib.h>
#include <string.h>

#include "io/import/raster.h"

#ifdef NCC_HAVE_PNG
#include <errno.h>
#include <stdio.h>
#include "lazy_png.h"

typedef struct png_file {
  FILE *stream;
  png_structp png;
  png_infop info;
  uint8_t *whole; /**< all rows of an interlaced picture, else NULL */
  size_t row_bytes;
  char reason[256];
} png_file;

static void keep_reason(png_structp png, png_const_charp words) {
  png_file *file = png_get_error_ptr(png);
  snprintf(file->reason, sizeof file->reason, "%s", words);
  png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp words) {
  (void)png;
  (void)words;
}

static const char *colour_name(int colour) {
  switch (colour) {
    case PNG_COLOR_TYPE_GRAY:
      return "grey";
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      return "grey with transparency";
    case PNG_COLOR_TYPE_PALETTE:
      return "a colour palette";
    case PNG_COLOR_TYPE_RGB:
      return "RGB";
    default:
      return "RGB with transparency";
  }
}

/** Reads the header. @return false after a libpng error. */
static bool read_header(png_file *file) {
  if (setjmp(png_jmpbuf(file->png))) return false;
  png_init_io(file->png, file->stream);
  png_read_info(file->png, file->info);
  return true;
}

/** Gets ready to read rows in native byte order. @return false after a libpng error. */
static bool begin_rows(png_file *file) {
  if (setjmp(png_jmpbuf(file->png))) return false;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  png_set_swap(file->png);
#endif
  png_set_interlace_handling(file->png);
  png_read_update_info(file->png, file->info);
  file->row_bytes = png_get_rowbytes(file->png, file->info);
  return true;
}

/** Reads n rows, `passes` times over. @return false after a libpng error. */
static bool read_rows(png_file *file, int64_t n, int passes, uint8_t *pixels) {
  if (setjmp(png_jmpbuf(file->png))) return false;
  for (int pass = 0; pass < passes; pass++) {
    for (int64_t y = 0; y < n; y++) png_read_row(file->png, pixels + (size_t)y * file->row_bytes, NULL);
  }
  return true;
}

static ncc_status png_open(ncc_raster *raster) {
  ncc_status status = ncc_png_load();
  if (status != NCC_OK) return status;
  png_file *file = raster->file = calloc(1, sizeof *file);
  NCC_CHECK(file, NCC_ERR_NOMEM, "%s: no memory", raster->path);
  file->stream = fopen(raster->path, "rbe");
  NCC_CHECK(file->stream, NCC_ERR_UNREADABLE, "%s: %s", raster->path, strerror(errno));
  file->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, file, keep_reason, ignore_warning);
  file->info = file->png ? png_create_info_struct(file->png) : NULL;
  NCC_CHECK(file->info, NCC_ERR_NOMEM, "%s: no memory", raster->path);
  png_set_user_limits(file->png, 1 << 29, 1 << 29);
  NCC_CHECK(read_header(file), NCC_ERR_UNREADABLE, "%s: %s", raster->path, file->reason);

  const int colour = png_get_color_type(file->png, file->info), bits = png_get_bit_depth(file->png, file->info);
  NCC_CHECK(colour == PNG_COLOR_TYPE_GRAY && (bits == 8 || bits == 16), NCC_ERR_UNREADABLE,
            "%s: %s of %d bits found, expected one grey channel of 8 or 16 bits", raster->path, colour_name(colour),
            bits);
  NCC_CHECK(!png_get_valid(file->png, file->info, PNG_INFO_tRNS), NCC_ERR_UNREADABLE,
            "%s: grey with a value that is transparent found, expected one grey channel without", raster->path);
  raster->dtype = bits == 8 ? NCC_U8 : NCC_U16;
  raster->rows = png_get_image_height(file->png, file->info);
  raster->cols = png_get_image_width(file->png, file->info);
  NCC_CHECK(begin_rows(file), NCC_ERR_UNREADABLE, "%s: %s", raster->path, file->reason);
  NCC_CHECK(file->row_bytes == (size_t)raster->cols * ncc_dtype_size(raster->dtype), NCC_ERR_INTERNAL,
            "%s: rows of %zu bytes found", raster->path, file->row_bytes);
  if (png_get_interlace_type(file->png, file->info) != PNG_INTERLACE_NONE) {
    file->whole = malloc((size_t)raster->rows * file->row_bytes);
    NCC_CHECK(file->whole, NCC_ERR_NOMEM, "%s: no memory for an interlaced picture", raster->path);
    NCC_CHECK(read_rows(file, raster->rows, PNG_INTERLACE_ADAM7_PASSES, file->whole), NCC_ERR_UNREADABLE, "%s: %s",
              raster->path, file->reason);
  }
cleanup:
  return status;
}

static ncc_status png_read(ncc_raster *raster, int64_t n, void *pixels) {
  ncc_status status = NCC_OK;
  png_file *file = raster->file;
  if (file->whole) {
    memcpy(pixels, file->whole + (size_t)raster->next * file->row_bytes, (size_t)n * file->row_bytes);
  } else {
    NCC_CHECK(read_rows(file, n, 1, pixels), NCC_ERR_UNREADABLE, "%s: %s", raster->path, file->reason);
  }
cleanup:
  return status;
}

static void png_close(ncc_raster *raster) {
  png_file *file = raster->file;
  if (!file) return;
  if (file->png) png_destroy_read_struct(&file->png, &file->info, NULL);
  if (file->stream) fclose(file->stream);
  free(file->whole);
  free(file);
}

#else

static ncc_status png_open(ncc_raster *raster) {
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a PNG file, but this program was built without libpng", raster->path);
}

static ncc_status png_read(ncc_raster *raster, int64_t n, void *pixels) {
  (void)n;
  (void)pixels;
  return png_open(raster);
}

static void png_close(ncc_raster *raster) {
  (void)raster;
}

#endif

const ncc_raster_format ncc_png_format = {png_open, png_read, png_close};
