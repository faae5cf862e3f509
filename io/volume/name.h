/** The grammar of sources. Private to io/volume. */
#ifndef NCC_VOLUME_NAME_H
#define NCC_VOLUME_NAME_H

#include "io/volume/volume.h"

/** What an index says of an axis. */
typedef struct ncc_name_index {
  bool single;        /**< one index, and the axis goes */
  int64_t start, end; /**< a half-open range; INT64_MIN: not said. Negative ones count from the end. */
} ncc_name_index;

typedef struct ncc_name {
  char *path; /**< without the index, behind the root where it is relative; owned */
  int n;      /**< -1: there is no index */
  ncc_name_index items[NCC_VOLUME_RANK];
} ncc_name;

/** Takes a source apart. A file or folder of exactly that name wins over an index.
 *  @return NCC_OK; NCC_ERR_UNREADABLE saying what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_name_parse(const char *root, const char *source, ncc_name *out);
void ncc_name_clear(ncc_name *name);

/** A part of an array: what an index leaves of it. */
typedef struct ncc_name_part {
  int64_t at[NCC_VOLUME_RANK]; /**< first index along each axis */
  int64_t n[NCC_VOLUME_RANK];
  int row_axis, col_axis;
} ncc_name_part;

/** Applies the index to an array; two axes must be left, but for axes of length 1 before them.
 *  @param[in] pages  see ncc_volume. @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_name_apply(const ncc_name *name, int rank, const int64_t *shape, bool pages, ncc_name_part *part);

#endif
