/** TIFF and BigTIFF through libtiff: chunks are strips or tiles, whatever compression and byte order libtiff knows.
 *
 *  A handle serves one thread at a time: each thread takes one that is idle, or opens one. Pages are those of the
 *  chain of directories, but for reduced copies, as pyramids have them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "io/volume/format.h"

#ifdef NCC_HAVE_TIFF
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include "io/base/libtiff.h"
#include "lazy_tiff.h"

enum { MOST_PAGES = 1 << 24, METAMORPH_PLANES = 33629 };

typedef struct idle_handle {
  TIFF *tiff;
  struct idle_handle *next;
} idle_handle;

typedef struct tiff_file {
  char *path;
  uint64_t *pages; /**< offsets of directories */
  int64_t n_pages, capacity;
  bool tiled;
  struct stat info; /**< of the file as it was opened first */
  pthread_mutex_t mutex;
  idle_handle *idle;
} tiff_file;

/** What a page is. */
typedef struct tiff_page {
  uint32_t rows, cols, chunk_rows, chunk_cols;
  bool tiled;
  ncc_dtype dtype;
} tiff_page;

static const char *photometric_name(int photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      return "a picture whose 0 is white";
    case PHOTOMETRIC_RGB:
      return "an RGB picture";
    case PHOTOMETRIC_PALETTE:
      return "a picture with a colour palette";
    default:
      return "a picture in colours";
  }
}

/** The page that a handle is at. */
static ncc_status describe(const char *path, TIFF *tiff, tiff_page *out) {
  ncc_status status = NCC_OK;
  uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
  int64_t most;
  *out = (tiff_page){.tiled = TIFFIsTiled(tiff)};
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &out->rows);
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &out->cols);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  NCC_CHECK(photometric == PHOTOMETRIC_MINISBLACK, NCC_ERR_UNREADABLE, "%s: %s found, expected grey whose 0 is black",
            path, photometric_name(photometric));
  NCC_CHECK(samples == 1, NCC_ERR_UNREADABLE, "%s: %d channels found, expected one grey channel", path, samples);
  NCC_CHECK(ncc_libtiff_dtype(format, bits, &out->dtype), NCC_ERR_UNREADABLE,
            "%s: pixels of %d bits in TIFF's sample format %d found, expected 8, 16 or 32-bit integers or 16, 32 or "
            "64-bit floats",
            path, bits, format);
  if (out->tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &out->chunk_cols);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &out->chunk_rows);
    most = TIFFTileSize(tiff);
  } else {
    out->chunk_cols = out->cols;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &out->chunk_rows);
    if (out->chunk_rows > out->rows) out->chunk_rows = out->rows;
    most = TIFFStripSize(tiff);
  }
  const int64_t bytes = (int64_t)out->chunk_rows * out->chunk_cols * (int64_t)ncc_dtype_size(out->dtype);
  NCC_CHECK(most == bytes, NCC_ERR_UNREADABLE, "%s: %ss of %" PRId64 " bytes found, expected %" PRId64, path,
            out->tiled ? "tile" : "strip", most, bytes);
cleanup:
  return status;
}

/** Stacks whose planes lie behind each other, with a directory for the first alone: ImageJ's beyond 4 GB, MetaMorph's.
 */
static ncc_status check_planes(const char *path, TIFF *tiff, int64_t n_pages) {
  ncc_status status = NCC_OK;
  const char *words = NULL;
  void *values;
  uint32_t planes = 0;
  if (n_pages > 1) return NCC_OK;
  NCC_CHECK(!TIFFGetField(tiff, METAMORPH_PLANES, &planes, &values) || planes <= 1, NCC_ERR_UNREADABLE,
            "%s: a MetaMorph stack of %u planes found, expected a page for each", path, planes);
  if (!TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &words) || strncmp(words, "ImageJ=", 7) != 0) goto cleanup;
  words = strstr(words, "\nimages=");
  const long long images = words ? strtoll(words + strlen("\nimages="), NULL, 10) : 1;
  NCC_CHECK(images <= 1, NCC_ERR_UNREADABLE,
            "%s: an ImageJ stack of %lld images found, expected a page for each (in ImageJ: Save As, Image Sequence)",
            path, images);
cleanup:
  return status;
}

/** All pages; they must be alike. */
static ncc_status find_pages(tiff_file *file, TIFF *tiff, tiff_page *first) {
  ncc_status status = NCC_OK;
  tiff_page page;
  do {
    uint32_t kind = 0;
    TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind);
    if (kind & FILETYPE_REDUCEDIMAGE && file->n_pages > 0) continue;
    NCC_TRY(describe(file->path, tiff, &page));
    if (file->n_pages == 0) *first = page;
    NCC_CHECK(page.rows == first->rows && page.cols == first->cols && page.dtype == first->dtype, NCC_ERR_UNREADABLE,
              "%s: page %" PRId64 " is %u x %u of %s, page 0 %u x %u of %s; expected pages that are alike", file->path,
              file->n_pages, page.rows, page.cols, ncc_dtype_name(page.dtype), first->rows, first->cols,
              ncc_dtype_name(first->dtype));
    NCC_CHECK(
        page.chunk_rows == first->chunk_rows && page.chunk_cols == first->chunk_cols && page.tiled == first->tiled,
        NCC_ERR_UNREADABLE, "%s: page %" PRId64 " is cut otherwise than page 0, expected pages that are alike",
        file->path, file->n_pages);
    NCC_TRY(ncc_list_grow(&file->pages, file->n_pages + 1, &file->capacity, sizeof *file->pages, "pages"));
    NCC_CHECK(file->n_pages < MOST_PAGES, NCC_ERR_UNREADABLE, "%s: more than %d pages", file->path, MOST_PAGES);
    file->pages[file->n_pages++] = TIFFCurrentDirOffset(tiff);
  } while (TIFFReadDirectory(tiff));
cleanup:
  return status;
}

/** Pages are where they were when the file was opened first. */
static ncc_status check_same(tiff_file *file, int fd) {
  ncc_status status = NCC_OK;
  struct stat info;
  NCC_CHECK(fstat(fd, &info) == 0, NCC_ERR_UNREADABLE, "%s: %s", file->path, strerror(errno));
  if (file->n_pages == 0) file->info = info;
  NCC_CHECK(info.st_ino == file->info.st_ino && info.st_size == file->info.st_size &&
                info.st_mtim.tv_sec == file->info.st_mtim.tv_sec && info.st_mtim.tv_nsec == file->info.st_mtim.tv_nsec,
            NCC_ERR_UNREADABLE, "%s: has changed since it was opened", file->path);
cleanup:
  return status;
}

static ncc_status take_handle(ncc_volume *v, idle_handle **out) {
  ncc_status status = NCC_OK;
  tiff_file *file = v->own;
  int fd = -1;
  int64_t size_bytes;
  pthread_mutex_lock(&file->mutex);
  idle_handle *handle = file->idle;
  if (handle) file->idle = handle->next;
  pthread_mutex_unlock(&file->mutex);
  *out = handle;
  if (handle) return NCC_OK;
  handle = calloc(1, sizeof *handle);
  NCC_CHECK(handle, NCC_ERR_NOMEM, "%s: no memory", file->path);
  NCC_TRY(ncc_volume_file_take(v, file->path, &fd, &size_bytes));
  NCC_TRY(check_same(file, fd));
  handle->tiff = TIFFFdOpen(fd, file->path, "rm"); /* m: not mapped */
  NCC_CHECK(handle->tiff, NCC_ERR_UNREADABLE, "%s: %s", file->path, ncc_libtiff_reason());
  fd = -1;
  *out = handle;
  handle = NULL;
cleanup:
  if (fd >= 0) close(fd);
  free(handle);
  return status;
}

static void give_handle(tiff_file *file, idle_handle *handle) {
  pthread_mutex_lock(&file->mutex);
  handle->next = file->idle;
  file->idle = handle;
  pthread_mutex_unlock(&file->mutex);
}

static ncc_status tiff_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  tiff_file *file = v->own;
  idle_handle *handle;
  const int row = v->rank - 2, col = v->rank - 1;
  const int64_t page = row ? at[0] : 0;
  (void)work;
  ncc_libtiff_forget();
  NCC_TRY(take_handle(v, &handle));
  TIFF *tiff = handle->tiff;
  const int64_t across = (v->shape[col] + v->chunk[col] - 1) / v->chunk[col];
  const int64_t down = (v->shape[row] + v->chunk[row] - 1) / v->chunk[row];
  const uint32_t index = (uint32_t)(at[row] * (file->tiled ? across : 1) + at[col]);
  if (!file->tiled && at[row] == down - 1) chunk->n[row] = v->shape[row] - at[row] * v->chunk[row];
  int64_t bytes = (int64_t)ncc_dtype_size(v->dtype) * chunk->n[row] * chunk->n[col], got = -1;
  const bool there = TIFFCurrentDirOffset(tiff) == file->pages[page] || TIFFSetSubDirectory(tiff, file->pages[page]);
  if (there) {
    ncc_libtiff_forget();
    got = file->tiled ? TIFFReadEncodedTile(tiff, index, chunk->data, bytes)
                      : TIFFReadEncodedStrip(tiff, index, chunk->data, bytes);
    if (ncc_libtiff_complained()) got = -1;
  }
  if (got >= 0) v->bytes_read += (int64_t)TIFFRawStripSize64(tiff, index);
  give_handle(file, handle);
  NCC_CHECK(got == bytes, NCC_ERR_UNREADABLE, "%s: page %" PRId64 ", %s %u: %s", file->path, page,
            file->tiled ? "tile" : "strip", index, got < 0 ? ncc_libtiff_reason() : "it is too short");
cleanup:
  return status;
}

static void tiff_close(ncc_volume *v) {
  tiff_file *file = v->own;
  if (!file) return;
  for (idle_handle *handle; (handle = file->idle);) {
    file->idle = handle->next;
    TIFFClose(handle->tiff);
    free(handle);
  }
  pthread_mutex_destroy(&file->mutex);
  free(file->pages);
  free(file->path);
  free(file);
}

ncc_status ncc_tiff_volume(ncc_volume *v, const char *path) {
  static const ncc_volume_format format = {tiff_load, NULL, tiff_close};
  ncc_status status = NCC_OK;
  idle_handle *handle = NULL;
  tiff_page page = {0};
  v->format = &format;
  if (ncc_libtiff_begin() != NCC_OK) return NCC_ERR_UNREADABLE;
  tiff_file *file = v->own = calloc(1, sizeof *file);
  NCC_CHECK(file, NCC_ERR_NOMEM, "%s: no memory", path);
  pthread_mutex_init(&file->mutex, NULL);
  NCC_CHECK(file->path = strdup(path), NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(take_handle(v, &handle));
  NCC_TRY(find_pages(file, handle->tiff, &page));
  NCC_CHECK(TIFFSetSubDirectory(handle->tiff, file->pages[0]), NCC_ERR_UNREADABLE, "%s: %s", path,
            ncc_libtiff_reason());
  NCC_TRY(check_planes(path, handle->tiff, file->n_pages));
  file->tiled = page.tiled;
  v->dtype = page.dtype;
  v->pages = file->n_pages == 1;
  v->rank = v->pages ? 2 : 3;
  v->shape[0] = file->n_pages;
  v->chunk[0] = 1;
  v->shape[v->rank - 2] = page.rows;
  v->shape[v->rank - 1] = page.cols;
  v->chunk[v->rank - 2] = page.chunk_rows;
  v->chunk[v->rank - 1] = page.chunk_cols;
cleanup:
  if (handle) give_handle(file, handle);
  return status;
}

#else

ncc_status ncc_tiff_volume(ncc_volume *v, const char *path) {
  (void)v;
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a TIFF file, but this program was built without libtiff", path);
}

#endif
