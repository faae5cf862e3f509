#include "io/base/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/target.h"

#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define NCC_CLONES __attribute__((target_clones("avx2", "default")))
#else /* clang 14 gives the clones a name that is not found; sanitizers are not ready when a clone is chosen */
#define NCC_CLONES
#endif

enum {
  MOST_OPEN = 64,         /* files beside the first */
  LOOK_BACK = 8,          /* files come in runs */
  BLOCK_BYTES = 1 << 20,  /* read and swapped at a time, so that it is still in cache */
  HINT_BYTES = 128 << 10, /* Linux cuts longer wishes short */
  GLANCE_BYTES = 4096,
  GLANCES = 18
};

/* ---- byte order ---------------------------------------------------------------------------------------------------
 */

/* Plain loops, which compilers vectorise. */
#define SWAP(type, swapped)                                        \
  for (int64_t i = 0; i < n; i++) {                                \
    type x;                                                        \
    memcpy(&x, (char *)numbers + i * (int64_t)sizeof x, sizeof x); \
    x = swapped(x);                                                \
    memcpy((char *)numbers + i * (int64_t)sizeof x, &x, sizeof x); \
  }

NCC_CLONES void ncc_swap(void *numbers, int64_t n, size_t size) {
  if (size == 2) {
    SWAP(uint16_t, __builtin_bswap16)
  } else if (size == 4) {
    SWAP(uint32_t, __builtin_bswap32)
  } else if (size == 8) {
    SWAP(uint64_t, __builtin_bswap64)
  }
}

/* ---- files --------------------------------------------------------------------------------------------------------
 */

ncc_status ncc_raw_files_add_open(ncc_raw_files *files, const char *path, int32_t *index) {
  ncc_status status = NCC_OK;
  struct stat info;
  for (int32_t i = files->count - 1; i >= 0 && i >= files->count - LOOK_BACK; i--) {
    if (strcmp(files->items[i].path, path) != 0) continue;
    *index = i;
    return NCC_OK;
  }
  const int64_t size_bytes = stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
  NCC_TRY(ncc_list_grow(&files->items, files->count + 1, &files->capacity, sizeof *files->items, "files"));
  ncc_raw_file *file = &files->items[files->count];
  *file = (ncc_raw_file){.path = strdup(path), .size_bytes = size_bytes, .fd = -1};
  NCC_CHECK(file->path, NCC_ERR_NOMEM, "%s: no memory", path);
  *index = files->count++;
cleanup:
  return status;
}

ncc_status ncc_raw_files_add(ncc_raw_files *files, const char *path, int32_t *index) {
  struct stat info;
  const int32_t before = files->count;
  ncc_status status = ncc_raw_files_add_open(files, path, index);
  if (status == NCC_OK && files->count > before && stat(path, &info) == 0) status = ncc_target_spare(path, &info);
  return status;
}

void ncc_raw_files_clear(ncc_raw_files *files) {
  for (int32_t i = 0; i < files->count; i++) {
    if (files->items[i].fd >= 0) close(files->items[i].fd);
    free(files->items[i].path);
  }
  free(files->items);
  *files = (ncc_raw_files){0};
}

/** Closes the next open file but the first, going round. */
static void close_one(ncc_raw_files *files) {
  for (;;) {
    files->oldest = files->oldest + 1 < files->count ? files->oldest + 1 : 1;
    ncc_raw_file *file = &files->items[files->oldest];
    if (file->fd < 0) continue;
    close(file->fd);
    file->fd = -1;
    files->n_open--;
    return;
  }
}

ncc_status ncc_raw_file_open(ncc_raw_files *files, int32_t index) {
  ncc_status status = NCC_OK;
  ncc_raw_file *file = &files->items[index];
  if (file->fd >= 0) return NCC_OK;
  if (index > 0 && files->n_open >= MOST_OPEN) close_one(files);
  file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe of that name would wait
  NCC_CHECK(file->fd >= 0, NCC_ERR_INPUT, "%s: cannot be opened: %s", file->path, strerror(errno));
  files->n_open += index > 0;
cleanup:
  return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/** All n bytes, or an error. */
static ncc_status read_all(ncc_raw_files *files, int32_t index, int64_t offset, int64_t n, char *out) {
  ncc_status status = NCC_OK;
  const ncc_raw_file *file = &files->items[index];
  while (n > 0) {
    ssize_t got = pread(file->fd, out, (size_t)n, offset);
    if (got < 0 && errno == EINTR) continue;
    NCC_CHECK(got >= 0, NCC_ERR_UNREADABLE, "%s: byte %lld: %s", file->path, (long long)offset, strerror(errno));
    NCC_CHECK(got > 0, NCC_ERR_UNREADABLE, "%s: ends at byte %lld, expected %lld", file->path, (long long)offset,
              (long long)(offset + n));
    files->bytes_read += got;
    offset += got;
    out += got;
    n -= got;
  }
cleanup:
  return status;
}

ncc_status ncc_raw_read(ncc_raw_files *files, const ncc_raw_rect *rect, void *out) {
  ncc_status status = NCC_OK;
  char *at = out;
  bool whole = rect->row_bytes == rect->step;  // rows follow each other without gaps
  int64_t runs = whole ? 1 : rect->rows, run_bytes = whole ? rect->rows * rect->row_bytes : rect->row_bytes;
  if (ncc_raw_file_open(files, rect->file) != NCC_OK) return NCC_ERR_UNREADABLE;
  for (int64_t run = 0; run < runs; run++) {
    for (int64_t done = 0; done < run_bytes;) {
      int64_t n = run_bytes - done < BLOCK_BYTES ? run_bytes - done : BLOCK_BYTES;
      NCC_TRY(read_all(files, rect->file, rect->offset + run * rect->step + done, n, at));
      if (rect->swap_bytes > 1) ncc_swap(at, n / rect->swap_bytes, (size_t)rect->swap_bytes);
      at += n;
      done += n;
    }
  }
cleanup:
  return status;
}

/** Whether the system has the byte in memory; false where it does not tell. */
static bool is_cached(int fd, int64_t at) {
  char byte;
  struct iovec one = {&byte, 1};
  return preadv2(fd, &one, 1, at, RWF_NOWAIT) == 1;
}

void ncc_raw_hint(ncc_raw_files *files, const ncc_raw_rect *rect) {
  if (ncc_raw_file_open(files, rect->file) != NCC_OK) return;  // reading will say why
  const int fd = files->items[rect->file].fd;
  int64_t n = (rect->rows - 1) * rect->step + rect->row_bytes;
  // For an object of 50 MB that is there already these three calls save four hundred.
  if (is_cached(fd, rect->offset) && is_cached(fd, rect->offset + n / 2) && is_cached(fd, rect->offset + n - 1)) return;
  for (int64_t at = 0; at < n; at += HINT_BYTES)
    posix_fadvise(fd, rect->offset + at, n - at < HINT_BYTES ? n - at : HINT_BYTES, POSIX_FADV_WILLNEED);
}

ncc_status ncc_raw_file_glance(ncc_raw_files *files, int32_t index, int64_t *size_bytes, uint64_t *digest) {
  ncc_status status = NCC_OK;
  char block[GLANCE_BYTES];
  unsigned char sum[EVP_MAX_MD_SIZE];
  struct stat info;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const char *path = files->items[index].path;
  NCC_CHECK(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1, NCC_ERR_INTERNAL,
            "%s: SHA-256 cannot be computed", path);
  NCC_TRY(ncc_raw_file_open(files, index));
  NCC_CHECK(fstat(files->items[index].fd, &info) == 0, NCC_ERR_INPUT, "%s: cannot be inspected: %s", path,
            strerror(errno));
  *size_bytes = info.st_size;
  // First, last and evenly between. What cannot be read counts as such: it may be read when its turn comes.
  for (int i = 0; i < GLANCES; i++) {
    int64_t last = info.st_size > GLANCE_BYTES ? info.st_size - GLANCE_BYTES : 0;
    ssize_t n = pread(files->items[index].fd, block, sizeof block, (off_t)((__int128)last * i / (GLANCES - 1)));
    EVP_DigestUpdate(context, &n, sizeof n);
    if (n > 0) EVP_DigestUpdate(context, block, (size_t)n);
  }
  NCC_CHECK(EVP_DigestFinal_ex(context, sum, NULL) == 1, NCC_ERR_INTERNAL, "%s: SHA-256 cannot be computed", path);
  memcpy(digest, sum, sizeof *digest);
  if (*digest == 0) *digest = 1;
cleanup:
  EVP_MD_CTX_free(context);
  return status;
}
