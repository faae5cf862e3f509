/** What a rank has read and will need again: pixels by object, the least recently used given up first.
 *
 *  One thread uses it. It has no size of its own: its owner gives up entries as it needs their memory.
 */
#ifndef NCC_CACHE_H
#define NCC_CACHE_H

#include "io/input/input.h"
#include "mpi/rank/pixels.h"

typedef struct ncc_cache ncc_cache;

/** @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_cache_create(ncc_cache **out);
void ncc_cache_destroy(ncc_cache **cache);

/** The pixels of an object, borrowed, which is then the most recently used; NULL where they are not known. */
ncc_pixels *ncc_cache_find(ncc_cache *cache, ncc_object_kind kind, int64_t index);

/** Whether they are known. */
bool ncc_cache_has(const ncc_cache *cache, ncc_object_kind kind, int64_t index);

/** Remembers pixels, with a reference of its own. What is known already stays. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_cache_put(ncc_cache *cache, ncc_object_kind kind, int64_t index, ncc_pixels *pixels);

/** Forgets an object, if it is known. */
void ncc_cache_drop(ncc_cache *cache, ncc_object_kind kind, int64_t index);

/** Gives up the least recently used entry that nobody else uses. @return false where there is none. */
bool ncc_cache_evict(ncc_cache *cache);

#endif
