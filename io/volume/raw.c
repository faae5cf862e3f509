/** Pixels behind a header, in one piece: NumPy's .npy and MRC. A rectangle along the last axis is read row by row;
 *  across it, and in Fortran's order, by chunks of one plane.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "io/base/npy.h"
#include "io/base/raw.h"
#include "io/codec/plain.h"
#include "io/volume/format.h"

typedef struct raw_file {
  char *path;
  int fd;
  int64_t offset;
} raw_file;

static void raw_close(ncc_volume *v) {
  raw_file *file = v->own;
  if (!file) return;
  if (file->fd >= 0) close(file->fd);
  free(file->path);
  free(file);
}

/** Byte of the element at some index along stored axes. */
static int64_t byte_of(const ncc_volume *v, const int64_t *at) {
  int64_t element = 0;
  for (int d = 0; d < v->rank; d++) element = element * v->shape[d] + at[d];
  return ((raw_file *)v->own)->offset + element * (int64_t)ncc_dtype_size(v->dtype);
}

static ncc_status raw_read(ncc_volume *v, const int64_t *at, int row_axis, int64_t rows, int64_t cols, void *out) {
  ncc_status status = NCC_OK;
  const raw_file *file = v->own;
  const int64_t size = (int64_t)ncc_dtype_size(v->dtype), row_bytes = cols * size;
  int64_t from = byte_of(v, at), step = size;
  for (int d = v->rank - 1; d > row_axis; d--) step *= v->shape[d];
  const bool whole = step == row_bytes; /* rows follow each other without gaps */
  for (int64_t y = 0; y < (whole ? 1 : rows); y++)
    NCC_TRY(ncc_volume_file_read(v, file->path, file->fd, from + y * step, whole ? rows * row_bytes : row_bytes,
                                 (char *)out + y * row_bytes));
  if (v->swapped) ncc_swap(out, rows * cols, (size_t)size);
cleanup:
  return status;
}

static ncc_status raw_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  const raw_file *file = v->own;
  int64_t first[NCC_VOLUME_RANK];
  (void)work;
  for (int d = 0; d < v->rank; d++) {
    first[d] = at[d] * v->chunk[d];
    chunk->n[d] = ncc_min(v->chunk[d], v->shape[d] - first[d]);
  }
  int64_t n = 1;
  for (int d = 0; d < v->rank; d++) n *= chunk->n[d];
  const int64_t size = (int64_t)ncc_dtype_size(v->dtype);
  const ncc_status status = ncc_volume_file_read(v, file->path, file->fd, byte_of(v, first), n * size, chunk->data);
  if (status == NCC_OK && v->swapped) ncc_swap(chunk->data, n, (size_t)size);
  return status;
}

static ncc_status raw_open(ncc_volume *v, const char *path, int64_t *size_bytes, raw_file **out) {
  static const ncc_volume_format format = {raw_load, raw_read, raw_close};
  ncc_status status = NCC_OK;
  v->format = &format;
  raw_file *file = *out = v->own = calloc(1, sizeof *file);
  NCC_CHECK(file, NCC_ERR_NOMEM, "%s: no memory", path);
  file->fd = -1;
  NCC_CHECK(file->path = strdup(path), NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(ncc_volume_file_take(v, path, &file->fd, size_bytes));
cleanup:
  return status;
}

/** Chunks of one index along the slowest axis, of at most 16 MB. */
static void cut(ncc_volume *v) {
  const int64_t most = 16 << 20;
  int64_t bytes = (int64_t)ncc_dtype_size(v->dtype);
  for (int d = v->rank - 1; d >= 0; d--) {
    const int64_t n = bytes < most ? ncc_max(1, most / bytes) : 1;
    v->chunk[d] = d == 0 && v->rank > 2 ? 1 : ncc_min(v->shape[d], n);
    if (v->shape[d] > 0) bytes = v->chunk[d] < v->shape[d] ? most : bytes * v->shape[d];
  }
}

ncc_status ncc_npy_volume(ncc_volume *v, const char *path) {
  ncc_status status = NCC_OK;
  raw_file *file;
  int64_t size_bytes;
  ncc_npy_header header;
  NCC_TRY(raw_open(v, path, &size_bytes, &file));
  NCC_TRY(ncc_npy_header_read(path, file->fd, &header));
  NCC_CHECK(ncc_npy_dtype(&header, &v->dtype), NCC_ERR_UNREADABLE,
            "%s: %c%d values found, expected pixels of 8, 16 or 32-bit integers or 16, 32 or 64-bit floats", path,
            header.kind, 8 * header.size);
  file->offset = header.offset;
  v->rank = header.rank;
  v->swapped = header.swapped;
  for (int d = 0; d < v->rank; d++) {
    v->axis[d] = header.fortran ? v->rank - 1 - d : d;
    v->shape[v->axis[d]] = header.shape[d];
  }
  cut(v);
cleanup:
  return status;
}

ncc_status ncc_mrc_volume(ncc_volume *v, const char *path) {
  enum { HEADER = 1024, IMOD = 1146047817 };
  static const struct {
    uint32_t mode;
    ncc_dtype dtype;
  } modes[] = {{0, NCC_I8}, {1, NCC_I16}, {2, NCC_F32}, {6, NCC_U16}, {12, NCC_F16}};
  ncc_status status = NCC_OK;
  unsigned char h[HEADER];
  raw_file *file;
  int64_t size_bytes;
  size_t i = 0;
  const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  NCC_TRY(raw_open(v, path, &size_bytes, &file));
  NCC_TRY(ncc_volume_file_read(v, path, file->fd, 0, HEADER, h));
  /* The stamp says in which order; where there is none, the mode does. */
  const bool big = h[212] == 0x11 || (h[212] != 0x44 && ncc_le32(h + 12) > 255);
#define WORD(n) (big ? ncc_be32(h + 4 * ((n)-1)) : ncc_le32(h + 4 * ((n)-1)))
  const uint32_t mode = WORD(4);
  while (i < sizeof modes / sizeof modes[0] && modes[i].mode != mode) i++;
  NCC_CHECK(i < sizeof modes / sizeof modes[0], NCC_ERR_UNREADABLE,
            "%s: MRC mode %u found, expected 0, 1, 2, 6 or 12 (real numbers of 8 to 32 bits)", path, mode);
  v->dtype = modes[i].dtype;
  /* IMOD's files of bytes are unsigned unless they say otherwise. */
  if (mode == 0 && WORD(39) == IMOD && !(WORD(40) & 1)) v->dtype = NCC_U8;
  v->swapped = big == little;
  v->rank = 3;
  for (int d = 0; d < 3; d++) v->shape[d] = (int32_t)WORD(3 - d);
  file->offset = HEADER + (int64_t)(int32_t)WORD(24);
#undef WORD
  NCC_CHECK(v->shape[0] > 0 && v->shape[1] > 0 && v->shape[2] > 0 && file->offset >= HEADER, NCC_ERR_UNREADABLE,
            "%s: no MRC file: %lld x %lld x %lld pixels found", path, (long long)v->shape[0], (long long)v->shape[1],
            (long long)v->shape[2]);
  const double bytes = (double)file->offset + (double)ncc_dtype_size(v->dtype) * (double)v->shape[0] *
                                                  (double)v->shape[1] * (double)v->shape[2];
  NCC_CHECK((double)size_bytes >= bytes, NCC_ERR_UNREADABLE, "%s: %lld bytes found, expected %.0f", path,
            (long long)size_bytes, bytes);
  cut(v);
cleanup:
  return status;
}
