/** What a path is, by its first bytes and not by its name, and what all formats have in common. */
#include "io/volume/open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/target.h"
#include "io/base/h5.h"
#include "io/base/raw.h"

enum { HEAD_BYTES = 1024 };
static const int64_t most_chunk_bytes = (int64_t)1 << 31;

/* ---- for formats ---------------------------------------------------------------------------------------------------
 */

/** Of what was not found: whether nothing is there indeed. */
static ncc_status check_absence(const char *path, const char *witness) {
  ncc_status status = NCC_OK;
  struct stat info;
  char *at = strdup(path), *slash;
  NCC_CHECK(at, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_CHECK(stat(witness, &info) == 0, NCC_ERR_UNREADABLE, "%s: cannot be opened, and %s: %s", path, witness,
            strerror(errno));
  while (lstat(at, &info) != 0 && (slash = strrchr(at, '/')) && slash > at) *slash = '\0';
  NCC_CHECK(stat(at, &info) == 0, NCC_ERR_UNREADABLE, "%s: a link that leads nowhere found, expected a file or none",
            at);
cleanup:
  free(at);
  return status;
}

ncc_status ncc_volume_file_open(const char *path, const char *witness, int *fd, int64_t *size_bytes) {
  ncc_status status = NCC_OK;
  struct stat info;
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for a writer */
  if (*fd < 0 && witness && errno == ENOENT) return check_absence(path, witness);
  NCC_CHECK(*fd >= 0, NCC_ERR_UNREADABLE, "%s: cannot be opened: %s", path, strerror(errno));
  NCC_CHECK(fstat(*fd, &info) == 0, NCC_ERR_UNREADABLE, "%s: cannot be inspected: %s", path, strerror(errno));
  NCC_CHECK(S_ISREG(info.st_mode), NCC_ERR_UNREADABLE, "%s: %s found, expected a file", path,
            S_ISDIR(info.st_mode) ? "a folder" : "no regular file");
  NCC_TRY(ncc_target_spare(path, &info));
  *size_bytes = info.st_size;
cleanup:
  if (status != NCC_OK && *fd >= 0) {
    close(*fd);
    *fd = -1;
  }
  return status;
}

ncc_status ncc_volume_file_take(ncc_volume *volume, const char *path, int *fd, int64_t *size_bytes) {
  if (volume->head_fd < 0) return ncc_volume_file_open(path, NULL, fd, size_bytes); /* by several threads */
  *fd = volume->head_fd;
  *size_bytes = volume->head_bytes;
  volume->head_fd = -1;
  return NCC_OK;
}

ncc_status ncc_volume_file_read(ncc_volume *volume, const char *path, int fd, int64_t offset, int64_t n, void *out) {
  ncc_status status = NCC_OK;
  char *to = out;
  while (n > 0) {
    const ssize_t got = pread(fd, to, (size_t)n, offset);
    if (got < 0 && errno == EINTR) continue;
    NCC_CHECK(got >= 0, NCC_ERR_UNREADABLE, "%s: byte %" PRId64 ": %s", path, offset, strerror(errno));
    NCC_CHECK(got > 0, NCC_ERR_UNREADABLE, "%s: ends at byte %" PRId64 ", expected %" PRId64, path, offset, offset + n);
    volume->bytes_read += got;
    offset += got;
    to += got;
    n -= got;
  }
cleanup:
  return status;
}

ncc_status ncc_volume_work_in(ncc_volume_work *work, int64_t bytes) {
  work->in_bytes = bytes;
  if (work->in_capacity >= bytes) return NCC_OK;
  free(work->in);
  work->in = malloc((size_t)bytes);
  work->in_capacity = work->in ? bytes : 0;
  return work->in ? NCC_OK : ncc_error_set(NCC_ERR_NOMEM, "no memory for %" PRId64 " bytes of a chunk", bytes);
}

int64_t ncc_volume_chunk_bytes(const ncc_volume *volume) {
  int64_t bytes = (int64_t)ncc_dtype_size(volume->dtype);
  for (int d = 0; d < volume->rank; d++) bytes *= volume->chunk[d];
  return bytes;
}

ncc_status ncc_volume_decode(const ncc_volume *volume, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  const size_t size = ncc_dtype_size(volume->dtype);
  int64_t n = 1;
  for (int d = 0; d < volume->rank; d++) n *= chunk->n[d];
  const ncc_status status =
      ncc_codecs_decode(&volume->codecs, work->in, work->in_bytes, &work->scratch, chunk->data, n * (int64_t)size);
  if (status == NCC_OK && volume->swapped) ncc_swap(chunk->data, n, size);
  return status;
}

bool ncc_volume_dtype(const char *name, ncc_dtype *dtype) {
  static const struct {
    const char *name, *brief;
    ncc_dtype dtype;
  } known[] = {{"uint8", "u1", NCC_U8},    {"int8", "i1", NCC_I8},     {"uint16", "u2", NCC_U16},
               {"int16", "i2", NCC_I16},   {"uint32", "u4", NCC_U32},  {"int32", "i4", NCC_I32},
               {"float16", "f2", NCC_F16}, {"float32", "f4", NCC_F32}, {"float64", "f8", NCC_F64}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(name, known[i].name) != 0 && strcmp(name, known[i].brief) != 0) continue;
    *dtype = known[i].dtype;
    return true;
  }
  return false;
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

static bool exists_in(const char *folder, const char *name) {
  struct stat info;
  char *path = NULL;
  const bool there = asprintf(&path, "%s/%s", folder, name) >= 0 && stat(path, &info) == 0;
  free(path);
  return there;
}

static ncc_status open_folder(ncc_volume *v, const char *path) {
  if (exists_in(path, ".zarray") || exists_in(path, "zarr.json") || exists_in(path, ".zgroup") ||
      exists_in(path, ".zattrs"))
    return ncc_zarr_volume(v, path);
  if (exists_in(path, "attributes.json")) return ncc_n5_volume(v, path);
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a folder found without Zarr's or N5's description of an array", path);
}

static bool ends_with_one_of(const char *path, const char *ends) {
  const char *dot = strrchr(path, '.');
  const char *at = dot ? strcasestr(ends, dot) : NULL;
  return at && at[strlen(dot)] == ' ';
}

/** Opens a file; `inner` is what follows its name. */
static ncc_status open_file(ncc_volume *v, const char *path, const char *inner) {
  ncc_status status = NCC_OK;
  unsigned char head[HEAD_BYTES] = {0};
  NCC_TRY(ncc_volume_file_open(path, NULL, &v->head_fd, &v->head_bytes));
  NCC_CHECK(v->head_bytes > 0, NCC_ERR_UNREADABLE, "%s: the file is empty", path);
  const ssize_t n = pread(v->head_fd, head, sizeof head, 0);
  NCC_CHECK(n >= 0, NCC_ERR_UNREADABLE, "%s: %s", path, strerror(errno));
  const bool is_hdf5 = memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0 || memcmp(head + 512, "\x89HDF\r\n\x1a\n", 8) == 0;
  if (is_hdf5) {
    status = ncc_hdf5_volume(v, path, inner);
    goto cleanup;
  }
  NCC_CHECK(!inner[0], NCC_ERR_UNREADABLE, "%s: no HDF5 file, but '%s' is sought in it", path, inner);
  if (memcmp(head, "II*\0", 4) == 0 || memcmp(head, "MM\0*", 4) == 0 || memcmp(head, "II+\0", 4) == 0 ||
      memcmp(head, "MM\0+", 4) == 0)
    status = ncc_tiff_volume(v, path);
  else if (memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0)
    status = ncc_png_volume(v, path);
  else if (memcmp(head, "\xFF\xD8\xFF", 3) == 0)
    status = ncc_jpeg_volume(v, path);
  else if (memcmp(head, "\x93NUMPY", 6) == 0)
    status = ncc_npy_volume(v, path);
  else if (memcmp(head + 208, "MAP", 3) == 0 || ends_with_one_of(path, ".mrc .mrcs .st .ali .rec .map .preali "))
    status = ncc_mrc_volume(v, path);
  else
    status = ncc_error_set(NCC_ERR_UNREADABLE,
                           "%s: none of TIFF, PNG, JPEG, NumPy, MRC and HDF5 (a Zarr or N5 array is a folder)", path);
cleanup:
  if (v->head_fd >= 0) close(v->head_fd);
  v->head_fd = -1;
  return status;
}

/** Finds the file that a path goes on inside of. */
static ncc_status open_path(ncc_volume *v, const char *path) {
  ncc_status status = NCC_OK;
  struct stat info;
  char *file = NULL;
  if (stat(path, &info) == 0) {
    NCC_TRY(S_ISDIR(info.st_mode) ? open_folder(v, path) : open_file(v, path, ""));
    goto cleanup;
  }
  const int reason = errno;
  file = strdup(path);
  NCC_CHECK(file, NCC_ERR_NOMEM, "%s: no memory", path);
  for (char *slash; (slash = strrchr(file, '/')) && slash > file;) {
    *slash = '\0';
    if (stat(file, &info) != 0) continue;
    if (!S_ISDIR(info.st_mode)) {
      NCC_TRY(open_file(v, file, path + (slash - file)));
      goto cleanup;
    }
    break;
  }
  NCC_CHECK(false, NCC_ERR_UNREADABLE, "%s: cannot be opened: %s", path, strerror(reason));
cleanup:
  free(file);
  return status;
}

/** Whatever a file says of itself, byte counts must not overflow. */
static ncc_status check_sides(const ncc_volume *v) {
  ncc_status status = NCC_OK;
  double bytes = (double)ncc_dtype_size(v->dtype);
  NCC_CHECK(v->rank >= 2 && v->rank <= NCC_VOLUME_RANK, NCC_ERR_UNREADABLE, "%s: %d dimensions found, expected 2 to %d",
            v->path, v->rank, NCC_VOLUME_RANK);
  for (int d = 0; d < v->rank; d++) {
    NCC_CHECK(v->shape[d] > 0 && v->shape[d] <= (int64_t)NCC_H5_MAX_SIDE, NCC_ERR_UNREADABLE,
              "%s: a side of %" PRId64 " found, expected 1 to %" PRId64, v->path, v->shape[d],
              (int64_t)NCC_H5_MAX_SIDE);
    NCC_CHECK(v->chunk[d] > 0, NCC_ERR_UNREADABLE, "%s: a chunk's side of %" PRId64 " found, expected at least 1",
              v->path, v->chunk[d]);
    bytes *= (double)v->chunk[d];
  }
  NCC_CHECK(bytes <= (double)most_chunk_bytes, NCC_ERR_UNREADABLE,
            "%s: chunks of %.3g bytes found, expected at most 2 GiB", v->path, bytes);
cleanup:
  return status;
}

ncc_status ncc_volume_open(const char *path, ncc_volume **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_volume *v = calloc(1, sizeof *v);
  NCC_CHECK(v && (v->path = strdup(path)), NCC_ERR_NOMEM, "%s: no memory", path);
  for (int d = 0; d < NCC_VOLUME_RANK; d++) v->axis[d] = d;
  v->head_fd = -1;
  NCC_TRY(open_path(v, path));
  NCC_TRY(check_sides(v));
  *out = v;
  v = NULL;
cleanup:
  ncc_volume_close(&v);
  return status;
}

void ncc_volume_close(ncc_volume **out) {
  ncc_volume *v = *out;
  if (!v) return;
  if (v->format) v->format->close(v);
  free(v->description);
  free(v->path);
  free(v);
  *out = NULL;
}
