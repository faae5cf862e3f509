/** Pixels by their place in a file: descriptors of our own, pread, and the machine's byte order; no HDF5.
 *
 *  Where the bytes of an object lie in one piece, any rank can read them without walking a file's metadata. Not
 *  thread-safe: one thread reads. Private to io/.
 */
#ifndef NCC_RAW_H
#define NCC_RAW_H

#include "base/error.h"

/** A file that pixels are read from. Opened at the first read, and closed again where very many are in use. */
typedef struct ncc_raw_file {
  char *path;         /**< owned */
  int64_t size_bytes; /**< when it was inspected; -1: it was not there */
  uint64_t digest;    /**< of a sample of its bytes; 0: not taken */
  int fd;             /**< or -1 */
} ncc_raw_file;

/** The first one is the input file itself and stays open. */
typedef struct ncc_raw_files {
  ncc_raw_file *items; /**< [count] */
  int32_t count, n_open, oldest;
  int64_t capacity;
  int64_t bytes_read;
} ncc_raw_files;

/** Index of the file of this name, which is added where the last ones are others. That there is none is told by
 * reading.
 *  @return NCC_OK; NCC_ERR_NOMEM; NCC_ERR_OUTPUT for a file that is to be written (base/target.h). */
ncc_status ncc_raw_files_add(ncc_raw_files *files, const char *path, int32_t *index);

/** The same of a file that the caller has open: it may be the output that is resumed. */
ncc_status ncc_raw_files_add_open(ncc_raw_files *files, const char *path, int32_t *index);

void ncc_raw_files_clear(ncc_raw_files *files);

/** Opens a file, if it is not open. @return NCC_OK; NCC_ERR_INPUT with path and reason. */
ncc_status ncc_raw_file_open(ncc_raw_files *files, int32_t index);

/** Size now, and a digest of a few blocks spread over the file: tells files apart cheaply, however large they are.
 *  @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_raw_file_glance(ncc_raw_files *files, int32_t index, int64_t *size_bytes, uint64_t *digest);

/** A rectangle of bytes in a file. */
typedef struct ncc_raw_rect {
  int32_t file;
  int64_t offset;                /**< of the first byte */
  int64_t rows, row_bytes, step; /**< from row to row, in bytes */
  int swap_bytes;                /**< size of the numbers whose byte order is the other one; 0 or 1: none */
} ncc_raw_rect;

/** Reads it into `out` without gaps, in the machine's byte order.
 *  @return NCC_OK; NCC_ERR_UNREADABLE with path and reason, also where the file ends too early. */
ncc_status ncc_raw_read(ncc_raw_files *files, const ncc_raw_rect *rect, void *out);

/** Tells the system that it will be read soon. */
void ncc_raw_hint(ncc_raw_files *files, const ncc_raw_rect *rect);

/** Reverses the bytes of n numbers of `size` bytes (1, 2, 4 or 8) in place; any alignment. */
void ncc_swap(void *numbers, int64_t n, size_t size);

#endif
