/** The open input file as the files of this folder see it. Private to io/; users include input.h. */
#ifndef NCC_H5_INPUT_H
#define NCC_H5_INPUT_H

#include "h5.h"
#include "input.h"

/** /images or /templates as stored. Boxes have neither a stack nor a group. */
typedef struct ncc_input_set {
  hid_t stack;        /**< the dataset [n, rows, cols], or -1 */
  hid_t group;        /**< the group of 2-D datasets, or -1 */
  char **names;       /**< [count] names in the group, by index */
  hid_t open;         /**< the dataset of the group that was read last, or -1: boxes of one image come together */
  int64_t open_index; /**< its index */
} ncc_input_set;

struct ncc_input {
  hid_t file;
  ncc_catalog catalog;
  ncc_input_set sets[2]; /**< by ncc_object_kind */
  int64_t size_bytes, modified_s;
};

/** "/images", "/templates". */
extern const char *const ncc_input_names_of_kinds[2];

/** Fills catalog and sets from the open file. @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_input_inspect(ncc_input *input);

/** Reads a rectangle of one object's pixels, without gaps between rows; of boxes too.
 *  @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_input_read_rect(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               void *pixels);

#endif
