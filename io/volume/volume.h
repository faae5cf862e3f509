/** Arrays of pixels in files of other formats: each is a grid of chunks, each chunk a range of bytes with a chain of
 *  codecs, or what a library decodes.
 *
 *  A source is a path, continuing into containers, with an optional NumPy index: "stack.tif[17]", "vol.h5/path/data",
 *  "vol.zarr/s0[0,0,17]", "sec.npy[3,0:512,0:512]". Axes are numbered from 0, the slowest first; N5's are reversed.
 *  What is opened stays open while there is room, and chunks that were decoded and not used up are kept, so that
 *  neighbours find them. Thread-safe but for creation and destruction; no MPI.
 */
#ifndef NCC_VOLUME_H
#define NCC_VOLUME_H

#include "base/error.h"

typedef struct ncc_volumes ncc_volumes;

/** @param[in] root  where relative names start; copied. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_volumes_create(const char *root, ncc_volumes **out);
void ncc_volumes_destroy(ncc_volumes **volumes);

/** Bounds what is kept of decoded chunks. */
void ncc_volumes_limit(ncc_volumes *volumes, int64_t chunk_bytes);

/** Bytes that a thread takes at most to decode chunks of what was looked at so far, beside those that are kept. */
int64_t ncc_volumes_thread_bytes(ncc_volumes *volumes);

/** Bytes that reading took from files. */
int64_t ncc_volumes_bytes_read(ncc_volumes *volumes);

/** What a source is, without reading pixels.
 *  @return NCC_OK; NCC_ERR_UNREADABLE naming the file, what was found and what was expected; NCC_ERR_NOMEM;
 *          NCC_ERR_OUTPUT for a file that is to be written (base/target.h). */
ncc_status ncc_volumes_look(ncc_volumes *volumes, const char *source, int64_t *rows, int64_t *cols, ncc_dtype *dtype);

enum { NCC_VOLUME_RANK = 8 };

/** An array that a source is a part of. */
typedef struct ncc_source_array {
  char *path; /**< without an index; malloc'd, the caller frees */
  int rank;
  int64_t shape[NCC_VOLUME_RANK]; /**< without the index, slowest first */
  int64_t chunk_rows;             /**< along the last axis but one */
  bool pages;                     /**< of rank 2, and its only page may be named by [0] */
  ncc_dtype dtype;
} ncc_source_array;

/** What array a source is in. @return as ncc_volumes_look(). */
ncc_status ncc_volumes_describe(ncc_volumes *volumes, const char *source, ncc_source_array *out);

/** Reads a rectangle of a source, reaching no chunk but those that it needs.
 *  @param[in]  rows, cols, dtype  what the source was; another shape or type is an error.
 *  @param[out] pixels             [y1 - y0, x1 - x0], native byte order.
 *  @return as ncc_volumes_look(). */
ncc_status ncc_volumes_read(ncc_volumes *volumes, const char *source, int64_t rows, int64_t cols, ncc_dtype dtype,
                            const ncc_rect *rect, void *pixels);

/** A chunk that a rectangle of a source meets. */
typedef struct ncc_source_chunk {
  uint64_t array; /**< a hash of the array's path; not 0 */
  int64_t number; /**< of the chunk in its array, along stored axes */
  int64_t bytes;  /**< decoded */
  bool all;       /**< the rectangle has all of it */
} ncc_source_chunk;

typedef ncc_status (*ncc_source_chunk_seen)(void *context, const ncc_source_chunk *chunk);

/** Tells which chunks ncc_volumes_read() would load, and reads none; what it reads straight from a file has none.
 *  @return as ncc_volumes_look(), or what `seen` returned. */
ncc_status ncc_volumes_reach(ncc_volumes *volumes, const char *source, const ncc_rect *rect, ncc_source_chunk_seen seen,
                             void *context);

/** The pixel type of "uint16" or, as NumPy has it in brief, "u2". @return false where it is none of ours. */
bool ncc_volume_dtype(const char *name, ncc_dtype *dtype);

#endif
