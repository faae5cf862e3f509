/** What datasets are made of, resolved once: pieces of files, what HDF5 has to read, and parts of other datasets.
 *
 *  HDF5 fills in for what it cannot open of a virtual dataset, and for what a file is too short for, without a word.
 *  So it is never asked to: virtual datasets are taken apart here, their sources opened one after the other, and of
 *  external files, and of files that HDF5 reads, it is checked that they are as long as they have to be. What cannot be
 *  read is an error with file and reason. What a writer left out is its fill value: chunks and data never written, and
 *  regions of a virtual dataset that are mapped to nothing. Not thread-safe. Private to io/.
 */
#ifndef NCC_SOURCES_H
#define NCC_SOURCES_H

#include "io/base/h5.h"
#include "io/base/raw.h"

enum { NCC_SOURCE_RANK = 6, NCC_VIRTUAL_RANK = 3 };

typedef enum ncc_source_kind {
  NCC_SOURCE_HDF5 = 0, /**< HDF5 reads it: chunked, compact, converted, never written */
  NCC_SOURCE_RAW,      /**< its elements lie in pieces of files as they are */
  NCC_SOURCE_VIRTUAL,  /**< made of parts of other sources */
  NCC_SOURCE_LOST      /**< cannot be read */
} ncc_source_kind;

/** A dataset. Travels between ranks as it is, but for `text`. */
typedef struct ncc_source {
  int32_t kind, rank;
  int64_t shape[NCC_SOURCE_RANK];
  int32_t file;         /**< that HDF5 opens: index into the files */
  int32_t holder;       /**< that the dataset lies in, which links may lead to */
  int32_t size;         /**< bytes of an element in memory */
  int32_t order;        /**< an ncc_stored_order */
  int64_t first, count; /**< parts of a virtual one; else pieces, which of HDF5's are only checked */
  uint8_t fill[8];      /**< of a virtual one: where nothing is mapped */
  char *text;           /**< HDF5: its path in the file; LOST: file and reason; owned */
} ncc_source;

/** Bytes [start, end) of a dataset's elements, from `offset` of a file on. */
typedef struct ncc_piece {
  int64_t start, end, offset;
  int32_t file;
} ncc_piece;

/** Indices along a direction: the k-th is start + k / block * step + k % block. */
typedef struct ncc_indices {
  int64_t start, step, block;
} ncc_indices;

/** A product of indices of a virtual dataset, and those of a source that stand there. Travels as it is. */
typedef struct ncc_part {
  int64_t n[NCC_VIRTUAL_RANK]; /**< of the last directions of three; 1 before them */
  ncc_indices to[NCC_VIRTUAL_RANK], from[NCC_VIRTUAL_RANK];
  int32_t axis[NCC_VIRTUAL_RANK]; /**< direction of the source; -1: none, n is 1 */
  int64_t base[NCC_SOURCE_RANK];  /**< index in directions of the source that are no axis */
  int64_t reach;                  /**< end along the first direction, of this part and all before */
  int32_t source;
} ncc_part;

enum { NCC_OPEN_DATASETS = 8 };

/** A dataset that HDF5 has open. */
typedef struct ncc_open_dataset {
  int32_t source;
  hid_t file, id;
  int64_t used;
} ncc_open_dataset;

typedef struct ncc_sources {
  ncc_raw_files files;
  ncc_source *items; /**< [count] */
  int64_t count, capacity;
  ncc_part *parts; /**< [n_parts], of one source together, by their start along the first direction */
  int64_t n_parts, parts_capacity;
  ncc_piece *pieces;
  int64_t n_pieces, pieces_capacity;
  hid_t input;         /**< the first file, or -1 as long as HDF5 is not needed; owned */
  int64_t chunk_bytes; /**< that HDF5 may keep of chunks */
  bool in_parts;       /**< images are read in parts, neighbours one after the other */
  int64_t hdf5_bytes_read;
  ncc_open_dataset open[NCC_OPEN_DATASETS];
  int64_t clock;
} ncc_sources;

/** How elements come out. */
typedef struct ncc_element {
  hid_t type; /**< in memory; borrowed */
  int32_t size;
  bool pixels; /**< read without HDF5 where they are stored as `dtype` */
  ncc_dtype dtype;
} ncc_element;

/** A box of elements. */
typedef struct ncc_box {
  int64_t at[NCC_SOURCE_RANK], n[NCC_SOURCE_RANK];
} ncc_box;

void ncc_sources_init(ncc_sources *sources);
void ncc_sources_clear(ncc_sources *sources);

/** Closes what HDF5 has open of datasets, so that a new limit on chunks holds. */
void ncc_sources_close_datasets(ncc_sources *sources);

/** Adds an open dataset and all that it is made of.
 *  @param[in] file  index of the file that it was opened in; `name` its path there.
 *  @param[out] index  of the source, which is NCC_SOURCE_LOST where nothing of it can be read.
 *  @return NCC_OK, also for what is lost; NCC_ERR_INPUT where its own metadata cannot be read; NCC_ERR_NOMEM. */
ncc_status ncc_sources_add(ncc_sources *sources, const ncc_h5_dataset *set, int32_t file, const char *name,
                           const ncc_element *element, int32_t *index);

/** The parts of virtual datasets that are lost. @param[out] first  the first one's file and reason, borrowed, or NULL.
 *  @return how many. */
int64_t ncc_sources_lost(const ncc_sources *sources, const char **first);

/** Reads a box into `out` [n...], C order, in the machine's byte order.
 *  @return NCC_OK; NCC_ERR_UNREADABLE with file and reason; NCC_ERR_NOMEM. */
ncc_status ncc_sources_read(ncc_sources *sources, int32_t index, const ncc_element *element, const ncc_box *box,
                            void *out);

/** Opens the dataset of a source that HDF5 reads: are filters, and what links lead to, there?
 *  @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_sources_try(ncc_sources *sources, int32_t index);

/** Records what cannot be read. @param[out] index  of the new source. */
ncc_status ncc_sources_add_lost(ncc_sources *sources, const char *reason, int32_t *index);

#endif
