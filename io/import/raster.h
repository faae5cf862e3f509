/** One source of pixels (io/volume/volume.h), read from its first row to its last. Private to io/import.
 *
 *  Rows are read a block at a time, so that a file of any size passes through little memory. Pixels come as stored, in
 *  native byte order; scale, orientation and resolution tags are not looked at.
 */
#ifndef NCC_RASTER_H
#define NCC_RASTER_H

#include "io/volume/volume.h"

typedef struct ncc_raster {
  ncc_volumes *volumes; /**< borrowed */
  char *source;         /**< owned */
  char *path;           /**< of its file, for messages; owned */
  bool stack;
  int64_t planes;     /**< 1 but for a stack, whose planes follow each other */
  int64_t rows, cols; /**< of a plane */
  int64_t chunk_rows; /**< that are decoded at a time */
  ncc_dtype dtype;
  int64_t next; /**< row that comes next, counted over all planes */
} ncc_raster;

/** Opens a source. @param[in] stack  it is [n, rows, cols], pages or slices; else one plane.
 *  @return NCC_OK; NCC_ERR_UNREADABLE naming the file, what was found and what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_raster_open(ncc_volumes *volumes, const char *source, bool stack, ncc_raster **out);

/** A plane as a source; malloc'd, NULL without memory. */
char *ncc_raster_plane(const ncc_raster *raster, int64_t plane);

/** Reads the next n rows, which lie in one plane, [n, cols] without gaps. @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_raster_read(ncc_raster *raster, int64_t n, void *pixels);

/** Frees *raster and sets it to NULL; accepts NULL. */
void ncc_raster_close(ncc_raster **raster);

#endif
