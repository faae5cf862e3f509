/** The open input file as the files of this folder see it. Private to io/; users include input.h. */
#ifndef NCC_H5_INPUT_H
#define NCC_H5_INPUT_H

#include "io/base/h5.h"
#include "io/input/input.h"
#include "io/input/raw.h"

/** Where an object's pixels lie. Travels between ranks as it is. */
typedef struct ncc_place {
  int64_t offset; /**< of its first byte; -1: HDF5 has to read it (chunked, compact, virtual, never written, ...) */
  int32_t file;   /**< index into the input's files */
  int32_t order;  /**< an ncc_stored_order */
} ncc_place;

/** /images or /templates as stored. Boxes have no places. */
typedef struct ncc_input_set {
  bool stack;         /**< one dataset [n, rows, cols]; else a group of 2-D datasets, or boxes */
  int64_t n_places;   /**< 1 for a stack, [count] for a group, 0 for boxes */
  ncc_place *places;  /**< [n_places] */
  char **names;       /**< [count] of a group: names in it; NULL for those that other ranks need not know */
  bool by_hdf5;       /**< some places have no offset */
  hid_t group;        /**< of a group: opened when needed, or -1 */
  hid_t open;         /**< the dataset that HDF5 read last, or -1 */
  int64_t open_index; /**< its index; 0 for a stack */
} ncc_input_set;

struct ncc_input {
  hid_t file; /**< or -1 as long as HDF5 is not needed */
  ncc_catalog catalog;
  bool borrowed; /**< the catalog belongs to somebody else, but for its path */
  ncc_raw_files files;
  ncc_input_set sets[2]; /**< by ncc_object_kind */
  int64_t chunk_bytes;   /**< that HDF5 may keep of chunks */
  int64_t size_bytes, modified_s;
  int64_t hdf5_bytes_read; /**< pixels that HDF5 read */
};

/** "/images", "/templates". */
extern const char *const ncc_input_names_of_kinds[2];

/** An input without anything opened. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_input_create(const char *path, ncc_input **out);

/** Fills catalog and sets from the open file. @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_input_inspect(ncc_input *input);

/** HDF5 reads a missing source of a virtual dataset as zeros without a word, so look for the files.
 *  @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_input_check_virtual(const ncc_input *input, const char *label, hid_t dataset);

/** The dataset that HDF5 reads an object from, opened if need be; borrowed. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_input_find_dataset(ncc_input *input, ncc_object_kind kind, int64_t index, hid_t *out);

/** Reads a rectangle of one object's pixels, without gaps between rows; of boxes too.
 *  @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_input_read_rect(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               void *pixels);

static inline const ncc_objects *ncc_input_objects(const ncc_input *input, ncc_object_kind kind) {
  return kind == NCC_IMAGE ? &input->catalog.images : &input->catalog.templates;
}

#endif
