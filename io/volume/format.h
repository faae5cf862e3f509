/** What a format has to offer to volume.c. Private to io/volume. */
#ifndef NCC_VOLUME_FORMAT_H
#define NCC_VOLUME_FORMAT_H

#include <stdatomic.h>

#include "io/codec/codec.h"
#include "io/volume/volume.h"

typedef struct ncc_volume ncc_volume;

/** Memory of a thread that loads chunks, used again. */
typedef struct ncc_volume_work {
  unsigned char *in; /**< what was read of a file */
  int64_t in_bytes, in_capacity;
  unsigned char *out; /**< elements of a chunk that is not kept */
  int64_t out_capacity;
  ncc_codec_scratch scratch;
  struct ncc_volume_work *next;
} ncc_volume_work;

/** A decoded chunk. */
typedef struct ncc_volume_chunk {
  bool absent;                /**< nothing is stored of it: it is all fill value */
  int64_t n[NCC_VOLUME_RANK]; /**< its extent along the stored axes; less than the grid's where it is cut short */
  unsigned char *data;        /**< room for a full chunk; elements in stored order of axes, native byte order */
} ncc_volume_chunk;

typedef struct ncc_volume_format {
  /** Decodes chunk `at` (indices along the stored axes); `chunk->n` is the grid's. Thread-safe.
   *  @return NCC_OK; NCC_ERR_UNREADABLE; NCC_ERR_NOMEM. */
  ncc_status (*load)(ncc_volume *volume, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk);
  /** NULL, or for what lies in one piece: reads a rectangle along an axis and the last one straight into `out`. */
  ncc_status (*read)(ncc_volume *volume, const int64_t *at, int row_axis, int64_t rows, int64_t cols, void *out);
  void (*close)(ncc_volume *volume); /**< frees `own`; also after a failed open */
} ncc_volume_format;

struct ncc_volume {
  const ncc_volume_format *format;
  char *path; /**< as messages call it */
  int rank;
  int64_t shape[NCC_VOLUME_RANK]; /**< by stored axis, the slowest first */
  int64_t chunk[NCC_VOLUME_RANK]; /**< of the grid */
  int axis[NCC_VOLUME_RANK];      /**< the stored axis that stands for each axis of the array */
  bool pages;                     /**< of rank 2, and [0] may be said of it all the same */
  ncc_dtype dtype;
  bool swapped; /**< numbers in the other byte order */
  unsigned char fill[8];
  ncc_codecs codecs;
  atomic_llong bytes_read;
  char *description; /**< file that describes an array whose chunks may be absent; owned; else NULL */
  int head_fd;       /**< of the file whose first bytes were looked at, until somebody takes it; else -1 */
  int64_t head_bytes;
  void *own; /**< the format's */
};

/** Opens by format. `path` is a file or folder that is there; `inner` goes on inside of a container, "" where not.
 *  Each fills all but `format`, `path` and `axis` of a zeroed volume, which the caller closes in any case. */
ncc_status ncc_tiff_volume(ncc_volume *volume, const char *path);
ncc_status ncc_png_volume(ncc_volume *volume, const char *path);
ncc_status ncc_jpeg_volume(ncc_volume *volume, const char *path);
ncc_status ncc_npy_volume(ncc_volume *volume, const char *path);
ncc_status ncc_mrc_volume(ncc_volume *volume, const char *path);
ncc_status ncc_hdf5_volume(ncc_volume *volume, const char *path, const char *inner);
ncc_status ncc_zarr_volume(ncc_volume *volume, const char *path);
ncc_status ncc_n5_volume(ncc_volume *volume, const char *path);

/** Bytes of a full chunk. */
int64_t ncc_volume_chunk_bytes(const ncc_volume *volume);

/** Room for what is read of a file. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_volume_work_in(ncc_volume_work *work, int64_t bytes);

/** Decodes what `work` has read by the volume's codecs into a chunk, whose `n` is set, in native byte order. */
ncc_status ncc_volume_decode(const ncc_volume *volume, ncc_volume_work *work, ncc_volume_chunk *chunk);

/** Opens a file of pixels that is read without a library, without waiting, and only if it is a regular file.
 *  @param[in]  witness  NULL: the file must be there. Else it may be absent if this one is there, in the same folder or
 *                       above, and no link on the way leads nowhere: where a file system went away, or files were not
 *                       fetched, nothing is absent.
 *  @param[out] fd       to be closed; -1 where the file is absent.
 *  @return NCC_OK; NCC_ERR_UNREADABLE; NCC_ERR_OUTPUT. */
ncc_status ncc_volume_file_open(const char *path, const char *witness, int *fd, int64_t *size_bytes);

/** The same of the file that a format is opened by, which is open already; a network's file system is asked once.
 *  @param[out] fd  to be closed. */
ncc_status ncc_volume_file_take(ncc_volume *volume, const char *path, int *fd, int64_t *size_bytes);

/** All n bytes from an offset on. @return NCC_OK; NCC_ERR_UNREADABLE, also where the file ends too early. */
ncc_status ncc_volume_file_read(ncc_volume *volume, const char *path, int fd, int64_t offset, int64_t n, void *out);

#endif
