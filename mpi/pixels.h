/** Pixels of one image or template in memory, shared by hand-outs, the matcher's thread and messages under way. */
#ifndef NCC_PIXELS_H
#define NCC_PIXELS_H

#include <stdatomic.h>

#include "catalog.h"

typedef struct ncc_pixels {
  atomic_int refs;
  int64_t bytes;
  unsigned char *data; /**< [bytes], 64-byte aligned */
} ncc_pixels;

/** Room for an object's pixels, one reference. @return NULL without memory. */
ncc_pixels *ncc_pixels_create(int64_t bytes);

/** One reference more. */
ncc_pixels *ncc_pixels_share(ncc_pixels *pixels);

/** One reference less; the last one frees. Sets *pixels to NULL; accepts NULL. */
void ncc_pixels_release(ncc_pixels **pixels);

/** Bytes of an object's pixels. */
int64_t ncc_object_bytes(const ncc_object *object);

#endif
