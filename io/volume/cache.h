/** Decoded chunks of which something is left to read: kept for whoever needs them next, the least recently used given
 * up first. Thread-safe; a chunk that one thread loads is waited for by the others. Private to io/volume.
 */
#ifndef NCC_VOLUME_CACHE_H
#define NCC_VOLUME_CACHE_H

#include "io/volume/format.h"

typedef struct ncc_chunk_cache ncc_chunk_cache;

/** @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_chunk_cache_create(int64_t limit_bytes, ncc_chunk_cache **out);
void ncc_chunk_cache_destroy(ncc_chunk_cache **cache);

/** Lowers the bound. */
void ncc_chunk_cache_limit(ncc_chunk_cache *cache, int64_t limit_bytes);

/** The chunk at some indices, with room for so many bytes.
 *  @param[out] is_new  the caller is to load it.
 *  @return to be given back; NULL where it cannot be kept. */
ncc_volume_chunk *ncc_chunk_cache_take(ncc_chunk_cache *cache, const ncc_volume *volume, const int64_t *at,
                                       int64_t bytes, bool *is_new);

/** @param[in] loaded  the caller was to load it. @param[in] good  it was loaded; else it is dropped. */
void ncc_chunk_cache_give(ncc_chunk_cache *cache, ncc_volume_chunk *chunk, bool loaded, bool good);

/** Drops the chunks of a volume, which nobody uses. */
void ncc_chunk_cache_forget(ncc_chunk_cache *cache, const ncc_volume *volume);

#endif
