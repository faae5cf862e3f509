/** Pixels of images and templates in memory: shared by hand-outs, the matcher's thread and messages under way, counted,
 *  and their buffers used again, because fresh pages are dear.
 */
#ifndef NCC_PIXELS_H
#define NCC_PIXELS_H

#include <stdatomic.h>

#include "plan/catalog.h"

/** A rank's buffers. Thread-safe. */
typedef struct ncc_pixels_pool ncc_pixels_pool;

/** @param[in] limit_bytes  buffers are kept for reuse as long as all together have no more; it refuses none.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_pixels_pool_create(int64_t limit_bytes, ncc_pixels_pool **out);

/** To be called when all its pixels are released. Accepts NULL. */
void ncc_pixels_pool_destroy(ncc_pixels_pool **pool);

/** Bytes of the buffers in use; and the most that buffers took, used and kept. */
int64_t ncc_pixels_pool_used(ncc_pixels_pool *pool);
int64_t ncc_pixels_pool_peak(ncc_pixels_pool *pool);

/** Pixels of one object. */
typedef struct ncc_pixels {
  atomic_int refs;
  int64_t bytes;
  unsigned char *data; /**< [bytes], 64-byte aligned */
  int64_t capacity;
  ncc_pixels_pool *pool;   /**< or NULL */
  struct ncc_pixels *next; /**< in the pool */
} ncc_pixels;

/** Room for an object's pixels, one reference. @param[in] pool  or NULL. @return NULL without memory. */
ncc_pixels *ncc_pixels_create(ncc_pixels_pool *pool, int64_t bytes);

/** One reference more. */
ncc_pixels *ncc_pixels_share(ncc_pixels *pixels);

/** One reference less; the last one gives the buffer back. Sets *pixels to NULL; accepts NULL. */
void ncc_pixels_release(ncc_pixels **pixels);

#endif
