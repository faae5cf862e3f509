/** A rank's pixels: counted, shared by batches, the matcher and messages under way, and kept by object where they will
 * be needed again, the least recently used given up first.
 *
 *  Thread-safe. Buffers are used again, because fresh pages are dear.
 */
#ifndef NCC_STORE_H
#define NCC_STORE_H

#include <stdatomic.h>

#include "io/input/input.h"

typedef struct ncc_store ncc_store;

/** Pixels of one object. Whoever has a reference may look; who made it writes them before anyone else has one. */
typedef struct ncc_pixels {
  int64_t bytes;
  unsigned char *data; /**< [bytes], 64-byte aligned */
  /* the store's own */
  ncc_store *store;
  atomic_int refs;
  int64_t capacity, index;
  ncc_object_kind kind;
  struct ncc_pixels *next;          /* free buffers of a size, or kept objects of a bucket */
  struct ncc_pixels *older, *newer; /* kept objects by use */
} ncc_pixels;

/** @param[in] limit_bytes  for all buffers; pixels that must be had are never refused.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_store_create(int64_t limit_bytes, ncc_store **out);

/** To be called when nobody else has a reference. Accepts NULL. */
void ncc_store_destroy(ncc_store **store);

/** The most that buffers took, used and free. */
int64_t ncc_store_peak_bytes(ncc_store *store);

/** Gives up kept objects that nobody uses until so many bytes more fit the limit. @return whether they fit. */
bool ncc_store_make_room(ncc_store *store, int64_t bytes);

/** A buffer for an object's pixels, with one reference. @return NULL without memory. */
ncc_pixels *ncc_store_new(ncc_store *store, ncc_object_kind kind, int64_t index, int64_t bytes);

/** Keeps pixels, with a reference of its own. What is kept already stays. */
void ncc_store_keep(ncc_store *store, ncc_pixels *pixels);

/** A reference to the pixels that are kept of an object, which is then the most recently used; or NULL. */
ncc_pixels *ncc_store_find(ncc_store *store, ncc_object_kind kind, int64_t index);

/** Whether an object is kept. */
bool ncc_store_has(ncc_store *store, ncc_object_kind kind, int64_t index);

/** Keeps an object no longer, if it is kept. */
void ncc_store_drop(ncc_store *store, ncc_object_kind kind, int64_t index);

/** One reference more. */
ncc_pixels *ncc_pixels_retain(ncc_pixels *pixels);

/** One reference less; the last one gives the buffer back. Sets *pixels to NULL; accepts NULL. */
void ncc_pixels_release(ncc_pixels **pixels);

#endif
