/** One file of pixels, read from its first row to its last: TIFF, PNG or a NumPy stack. Private to io/.
 *
 *  What a file is comes from its first bytes, not from its name. A file of any size passes through little memory: rows
 *  are read a block at a time. Pixels come as stored, in native byte order; scale, orientation and resolution tags are
 *  not looked at. Only one grey channel is taken: anything else is refused by name. Where a library was absent when the
 *  program was built, its files are refused and told so.
 */
#ifndef NCC_RASTER_H
#define NCC_RASTER_H

#include "base/error.h"

typedef struct ncc_raster ncc_raster;

/** What a format has to do. All arguments are those of the functions below. */
typedef struct ncc_raster_format {
  ncc_status (*open)(ncc_raster *raster); /**< sets shape, type and `file` */
  ncc_status (*read)(ncc_raster *raster, int64_t n, void *pixels);
  void (*close)(ncc_raster *raster); /**< also after a failed open; `file` may be NULL */
} ncc_raster_format;

struct ncc_raster {
  const ncc_raster_format *format;
  char *path;
  int64_t planes;     /**< 1 but for a NumPy stack, whose planes follow each other */
  int64_t rows, cols; /**< of a plane */
  ncc_dtype dtype;
  int64_t next; /**< row that comes next, counted over all planes */
  void *file;   /**< the format's own */
};

/** Opens a file. @return NCC_OK; NCC_ERR_UNREADABLE naming the file, what was found and what was expected;
 *  NCC_ERR_NOMEM. */
ncc_status ncc_raster_open(const char *path, ncc_raster **out);

/** Reads the next n rows, [n, cols] without gaps. @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_raster_read(ncc_raster *raster, int64_t n, void *pixels);

/** Closes and frees *raster and sets it to NULL; accepts NULL. */
void ncc_raster_close(ncc_raster **raster);

extern const ncc_raster_format ncc_tiff_format, ncc_png_format, ncc_npy_format;

#endif
