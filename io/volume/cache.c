#include "io/volume/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"

enum { BUCKETS = 4096 };

/** A chunk that is kept. */
typedef struct kept {
  ncc_volume_chunk chunk; /* first: it is known by this address */
  const ncc_volume *volume;
  int64_t at[NCC_VOLUME_RANK];
  int64_t bytes;
  int users;
  bool loading;
  struct kept *next;          /* of its bucket */
  struct kept *older, *newer; /* by use */
} kept;

struct ncc_chunk_cache {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  kept *buckets[BUCKETS];
  kept *oldest, *newest;
  int64_t kept_bytes, limit_bytes;
};

ncc_status ncc_chunk_cache_create(int64_t limit_bytes, ncc_chunk_cache **out) {
  ncc_chunk_cache *cache = *out = calloc(1, sizeof *cache);
  if (!cache) return ncc_error_set(NCC_ERR_NOMEM, "no memory for chunks");
  pthread_mutex_init(&cache->mutex, NULL);
  pthread_cond_init(&cache->changed, NULL);
  cache->limit_bytes = limit_bytes;
  return NCC_OK;
}

static kept **bucket_of(ncc_chunk_cache *cache, const ncc_volume *volume, const int64_t *at) {
  uint64_t hash = (uint64_t)(uintptr_t)volume;
  for (int d = 0; d < volume->rank; d++) hash = (hash ^ (uint64_t)at[d]) * 0x9E3779B97F4A7C15U;
  return &cache->buckets[hash >> 52];
}

static void unlink_use(ncc_chunk_cache *cache, kept *k) {
  *(k->older ? &k->older->newer : &cache->oldest) = k->newer;
  *(k->newer ? &k->newer->older : &cache->newest) = k->older;
}

static void link_newest(ncc_chunk_cache *cache, kept *k) {
  k->older = cache->newest;
  k->newer = NULL;
  *(cache->newest ? &cache->newest->newer : &cache->oldest) = k;
  cache->newest = k;
}

static void drop(ncc_chunk_cache *cache, kept *k) {
  kept **at = bucket_of(cache, k->volume, k->at);
  while (*at != k) at = &(*at)->next;
  *at = k->next;
  unlink_use(cache, k);
  cache->kept_bytes -= k->bytes;
  free(k->chunk.data);
  free(k);
}

void ncc_chunk_cache_forget(ncc_chunk_cache *cache, const ncc_volume *volume) {
  pthread_mutex_lock(&cache->mutex);
  for (kept *k = cache->oldest, *next; k; k = next) {
    next = k->newer;
    if (k->volume == volume) drop(cache, k);
  }
  pthread_mutex_unlock(&cache->mutex);
}

void ncc_chunk_cache_destroy(ncc_chunk_cache **out) {
  ncc_chunk_cache *cache = *out;
  if (!cache) return;
  while (cache->oldest) drop(cache, cache->oldest);
  pthread_cond_destroy(&cache->changed);
  pthread_mutex_destroy(&cache->mutex);
  free(cache);
  *out = NULL;
}

/** Gives up what nobody uses, the least recently used first, until so many bytes more fit. */
static void make_room(ncc_chunk_cache *cache, int64_t bytes) {
  for (kept *k = cache->oldest; k && cache->kept_bytes + bytes > cache->limit_bytes;) {
    kept *next = k->newer;
    if (k->users == 0) drop(cache, k);
    k = next;
  }
}

void ncc_chunk_cache_limit(ncc_chunk_cache *cache, int64_t limit_bytes) {
  pthread_mutex_lock(&cache->mutex);
  cache->limit_bytes = ncc_min(cache->limit_bytes, limit_bytes);
  make_room(cache, 0);
  pthread_mutex_unlock(&cache->mutex);
}

/** The chunk where it is kept, once it is loaded. The mutex is held. */
static kept *find(ncc_chunk_cache *cache, const ncc_volume *volume, const int64_t *at) {
  for (kept *k = *bucket_of(cache, volume, at); k;) {
    if (k->volume != volume || memcmp(k->at, at, (size_t)volume->rank * sizeof *at) != 0) {
      k = k->next;
    } else if (k->loading) {
      pthread_cond_wait(&cache->changed, &cache->mutex);
      k = *bucket_of(cache, volume, at); /* it may have failed, and be gone */
    } else {
      return k;
    }
  }
  return NULL;
}

/** A new entry, to be loaded. The mutex is held. */
static kept *add(ncc_chunk_cache *cache, const ncc_volume *volume, const int64_t *at, int64_t bytes) {
  make_room(cache, bytes);
  if (cache->kept_bytes + bytes > cache->limit_bytes) return NULL;
  kept *k = calloc(1, sizeof *k);
  if (!k || !(k->chunk.data = malloc((size_t)bytes))) {
    free(k);
    return NULL;
  }
  k->volume = volume;
  memcpy(k->at, at, (size_t)volume->rank * sizeof *at);
  k->bytes = bytes;
  k->loading = true;
  kept **bucket = bucket_of(cache, volume, at);
  k->next = *bucket;
  *bucket = k;
  link_newest(cache, k);
  cache->kept_bytes += bytes;
  return k;
}

ncc_volume_chunk *ncc_chunk_cache_take(ncc_chunk_cache *cache, const ncc_volume *volume, const int64_t *at,
                                       int64_t bytes, bool *is_new) {
  pthread_mutex_lock(&cache->mutex);
  kept *k = find(cache, volume, at);
  *is_new = !k;
  if (k) {
    unlink_use(cache, k);
    link_newest(cache, k);
  } else {
    k = add(cache, volume, at, bytes);
  }
  if (k) k->users++;
  pthread_mutex_unlock(&cache->mutex);
  return (ncc_volume_chunk *)k;
}

void ncc_chunk_cache_give(ncc_chunk_cache *cache, ncc_volume_chunk *chunk, bool loaded, bool good) {
  kept *k = (kept *)chunk;
  pthread_mutex_lock(&cache->mutex);
  k->users--;
  if (loaded) {
    k->loading = false;
    if (!good) drop(cache, k);
    pthread_cond_broadcast(&cache->changed);
  }
  pthread_mutex_unlock(&cache->mutex);
}
