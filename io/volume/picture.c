/** PNG and grey JPEG: a chunk is the whole picture, decoded from memory. The libraries report errors by longjmp, and
 *  each decoder catches its own. Shapes are read from the first bytes, without the libraries.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "io/codec/plain.h"
#include "io/volume/format.h"

#ifdef NCC_HAVE_PNG
#include "lazy_png.h"
#endif
#ifdef NCC_HAVE_JPEG
#include "lazy_jpeg.h"
#endif

static void picture_close(ncc_volume *v) {
  free(v->own);
}

/** The file's bytes. */
static ncc_status read_whole(ncc_volume *v, ncc_volume_work *work) {
  ncc_status status = NCC_OK;
  int fd = -1;
  int64_t size_bytes;
  NCC_TRY(ncc_volume_file_open(v->own, NULL, &fd, &size_bytes));
  NCC_TRY(ncc_volume_work_in(work, size_bytes));
  NCC_TRY(ncc_volume_file_read(v, v->own, fd, 0, size_bytes, work->in));
cleanup:
  if (fd >= 0) close(fd);
  return status;
}

static ncc_status set_picture(ncc_volume *v, const ncc_volume_format *format, const char *path, int64_t rows,
                              int64_t cols, ncc_dtype dtype) {
  v->format = format;
  v->rank = 2;
  v->pages = true;
  v->dtype = dtype;
  v->shape[0] = v->chunk[0] = rows;
  v->shape[1] = v->chunk[1] = cols;
  v->own = strdup(path);
  return v->own ? NCC_OK : ncc_error_set(NCC_ERR_NOMEM, "%s: no memory", path);
}

static ncc_status read_head(ncc_volume *v, const char *path, int64_t n, unsigned char *out) {
  ncc_status status = NCC_OK;
  int fd = -1;
  int64_t size_bytes;
  NCC_TRY(ncc_volume_file_take(v, path, &fd, &size_bytes));
  NCC_TRY(ncc_volume_file_read(v, path, fd, 0, n, out));
cleanup:
  if (fd >= 0) close(fd);
  return status;
}

/* ---- PNG -----------------------------------------------------------------------------------------------------------
 */

#ifdef NCC_HAVE_PNG
typedef struct png_bytes {
  const unsigned char *at;
  int64_t left;
  char reason[256];
} png_bytes;

static void png_fail(png_structp png, png_const_charp words) {
  png_bytes *from = png_get_error_ptr(png);
  snprintf(from->reason, sizeof from->reason, "%s", words);
  png_longjmp(png, 1);
}

static void png_ignore(png_structp png, png_const_charp words) {
  (void)png;
  (void)words;
}

static void png_more(png_structp png, png_bytep out, size_t n) {
  png_bytes *from = png_get_io_ptr(png);
  if ((int64_t)n > from->left) png_error(png, "the file ends too early");
  memcpy(out, from->at, n);
  from->at += n;
  from->left -= (int64_t)n;
}

/** @return whether all rows were decoded; from->reason says why not. */
static bool png_decode(png_structp png, png_infop info, png_bytes *from, int64_t rows, int64_t row_bytes,
                       unsigned char *out) {
  if (setjmp(*png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf)))) return false;
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_read_fn(png, from, png_more);
  png_read_info(png, info);
  if (png_get_valid(png, info, PNG_INFO_tRNS))
    png_error(png, "grey with a value that is transparent found, expected one grey channel without");
  if (png_get_bit_depth(png, info) == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) png_set_swap(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if ((int64_t)png_get_rowbytes(png, info) != row_bytes || (int64_t)png_get_image_height(png, info) != rows)
    png_error(png, "the picture has changed");
  for (int pass = 0; pass < passes; pass++)
    for (int64_t y = 0; y < rows; y++) png_read_row(png, out + y * row_bytes, NULL);
  return true;
}

static ncc_status png_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  png_bytes from = {.reason = "no reason given by libpng"};
  png_structp png = NULL;
  png_infop info = NULL;
  (void)at;
  NCC_TRY(read_whole(v, work));
  from.at = work->in;
  from.left = work->in_bytes;
  png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &from, png_fail, png_ignore);
  if (png) info = png_create_info_struct(png);
  NCC_CHECK(info, NCC_ERR_NOMEM, "%s: no memory", v->path);
  NCC_CHECK(png_decode(png, info, &from, v->shape[0], v->shape[1] * (int64_t)ncc_dtype_size(v->dtype), chunk->data),
            NCC_ERR_UNREADABLE, "%s: %s", v->path, from.reason);
cleanup:
  if (png) png_destroy_read_struct(&png, &info, NULL);
  return status;
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

ncc_status ncc_png_volume(ncc_volume *v, const char *path) {
  static const ncc_volume_format format = {png_load, NULL, picture_close};
  ncc_status status = NCC_OK;
  unsigned char head[29];
  if (ncc_png_load() != NCC_OK) return NCC_ERR_UNREADABLE;
  NCC_TRY(read_head(v, path, sizeof head, head));
  NCC_CHECK(memcmp(head + 12, "IHDR", 4) == 0, NCC_ERR_UNREADABLE, "%s: a PNG file without a header", path);
  const int bits = head[24], colour = head[25];
  NCC_CHECK(colour == 0 && (bits == 8 || bits == 16), NCC_ERR_UNREADABLE,
            "%s: %s of %d bits found, expected one grey channel of 8 or 16 bits", path, colour_name(colour), bits);
  NCC_TRY(set_picture(v, &format, path, ncc_be32(head + 20), ncc_be32(head + 16), bits == 8 ? NCC_U8 : NCC_U16));
cleanup:
  return status;
}
#else
ncc_status ncc_png_volume(ncc_volume *v, const char *path) {
  (void)v;
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a PNG file, but this program was built without libpng", path);
}
#endif

/* ---- JPEG ----------------------------------------------------------------------------------------------------------
 */

#ifdef NCC_HAVE_JPEG
typedef struct jpeg_errors {
  struct jpeg_error_mgr manager; /* first: libjpeg knows it by this address */
  jmp_buf back;
  char reason[JMSG_LENGTH_MAX];
} jpeg_errors;

static void jpeg_fail(j_common_ptr common) {
  jpeg_errors *errors = (jpeg_errors *)common->err;
  errors->manager.format_message(common, errors->reason);
  longjmp(errors->back, 1);
}

/** A warning is told of damage: what was lost is made up. */
static void jpeg_warn(j_common_ptr common, int level) {
  if (level < 0) jpeg_fail(common);
}

static bool jpeg_decode(struct jpeg_decompress_struct *jpeg, jpeg_errors *errors, const ncc_volume_work *work,
                        int64_t rows, int64_t cols, unsigned char *out) {
  if (setjmp(errors->back)) return false;
  jpeg_CreateDecompress(jpeg, JPEG_LIB_VERSION, sizeof *jpeg);
  jpeg_mem_src(jpeg, work->in, (unsigned long)work->in_bytes);
  jpeg_read_header(jpeg, TRUE);
  if ((int64_t)jpeg->image_height != rows || (int64_t)jpeg->image_width != cols || jpeg->num_components != 1) {
    snprintf(errors->reason, sizeof errors->reason, "the picture has changed");
    return false;
  }
  jpeg_start_decompress(jpeg);
  while ((int64_t)jpeg->output_scanline < rows) {
    JSAMPROW row = out + (int64_t)jpeg->output_scanline * cols;
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_decompress(jpeg);
  return true;
}

static ncc_status jpeg_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  struct jpeg_decompress_struct jpeg = {0};
  jpeg_errors errors = {.reason = "no reason given by libjpeg"};
  (void)at;
  NCC_TRY(read_whole(v, work));
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jpeg_fail;
  errors.manager.emit_message = jpeg_warn;
  const bool good = jpeg_decode(&jpeg, &errors, work, v->shape[0], v->shape[1], chunk->data);
  jpeg_destroy_decompress(&jpeg);
  NCC_CHECK(good, NCC_ERR_UNREADABLE, "%s: %s", v->path, errors.reason);
cleanup:
  return status;
}

/** Finds the frame's header among the segments. */
static ncc_status find_frame(ncc_volume *v, const char *path, unsigned char frame[10]) {
  ncc_status status = NCC_OK;
  int fd = -1;
  int64_t size_bytes, at = 2;
  NCC_TRY(ncc_volume_file_take(v, path, &fd, &size_bytes));
  for (int i = 0; i < 10000; i++) {
    NCC_TRY(ncc_volume_file_read(v, path, fd, at, 4, frame));
    NCC_CHECK(frame[0] == 0xFF, NCC_ERR_UNREADABLE, "%s: no JPEG segment at byte %" PRId64, path, at);
    const int marker = frame[1];
    if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
      NCC_TRY(ncc_volume_file_read(v, path, fd, at, 10, frame));
      goto cleanup;
    }
    at += marker == 0xFF ? 1 : 2 + (frame[2] << 8 | frame[3]);
  }
  NCC_CHECK(false, NCC_ERR_UNREADABLE, "%s: a JPEG file without a frame", path);
cleanup:
  if (fd >= 0) close(fd);
  return status;
}

ncc_status ncc_jpeg_volume(ncc_volume *v, const char *path) {
  static const ncc_volume_format format = {jpeg_load, NULL, picture_close};
  ncc_status status = NCC_OK;
  unsigned char frame[10];
  if (ncc_jpeg_load() != NCC_OK) return NCC_ERR_UNREADABLE;
  NCC_TRY(find_frame(v, path, frame));
  NCC_CHECK(frame[9] == 1 && frame[4] == 8, NCC_ERR_UNREADABLE,
            "%s: %d channels of %d bits found, expected one grey channel of 8", path, frame[9], frame[4]);
  NCC_TRY(set_picture(v, &format, path, frame[5] << 8 | frame[6], frame[7] << 8 | frame[8], NCC_U8));
cleanup:
  return status;
}
#else
ncc_status ncc_jpeg_volume(ncc_volume *v, const char *path) {
  (void)v;
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a JPEG file, but this program was built without libjpeg", path);
}
#endif
