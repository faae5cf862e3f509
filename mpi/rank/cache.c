#include "mpi/rank/cache.h"

#include <stdlib.h>

#include "base/error.h"

enum { FIRST_BUCKETS = 1024 };

typedef struct entry {
  int64_t index;
  ncc_object_kind kind;
  ncc_pixels *pixels;
  struct entry *chain;         /* in its bucket */
  struct entry *older, *newer; /* by use */
} entry;

struct ncc_cache {
  entry **buckets;
  int64_t n_buckets, n_entries; /* buckets: a power of two */
  entry *oldest, *newest;
};

static int64_t bucket_of(const ncc_cache *cache, ncc_object_kind kind, int64_t index) {
  uint64_t key = (uint64_t)index * 2 + (uint64_t)kind;
  return (int64_t)((key * 0x9E3779B97F4A7C15u) >> 20) & (cache->n_buckets - 1);
}

static entry **slot_of(const ncc_cache *cache, ncc_object_kind kind, int64_t index) {
  entry **slot = &cache->buckets[bucket_of(cache, kind, index)];
  while (*slot && ((*slot)->index != index || (*slot)->kind != kind)) slot = &(*slot)->chain;
  return slot;
}

ncc_status ncc_cache_create(ncc_cache **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_cache *cache = calloc(1, sizeof *cache);
  NCC_CHECK(cache, NCC_ERR_NOMEM, "out of memory for a cache");
  cache->n_buckets = FIRST_BUCKETS;
  cache->buckets = calloc(FIRST_BUCKETS, sizeof(entry *));
  NCC_CHECK(cache->buckets, NCC_ERR_NOMEM, "out of memory for a cache");
  *out = cache;
  cache = NULL;
cleanup:
  free(cache);
  return status;
}

/** Takes an entry out of the order of use. */
static void unlink_entry(ncc_cache *cache, entry *e) {
  *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
  *(e->newer ? &e->newer->older : &cache->newest) = e->older;
}

static void append(ncc_cache *cache, entry *e) {
  e->newer = NULL;
  e->older = cache->newest;
  *(e->older ? &e->older->newer : &cache->oldest) = e;
  cache->newest = e;
}

static void forget(ncc_cache *cache, entry *e) {
  *slot_of(cache, e->kind, e->index) = e->chain;
  unlink_entry(cache, e);
  ncc_pixels_release(&e->pixels);
  free(e);
  cache->n_entries--;
}

void ncc_cache_destroy(ncc_cache **out) {
  ncc_cache *cache = *out;
  if (!cache) return;
  while (cache->oldest) forget(cache, cache->oldest);
  free(cache->buckets);
  free(cache);
  *out = NULL;
}

ncc_pixels *ncc_cache_find(ncc_cache *cache, ncc_object_kind kind, int64_t index) {
  entry *e = *slot_of(cache, kind, index);
  if (!e) return NULL;
  unlink_entry(cache, e);
  append(cache, e);
  return e->pixels;
}

bool ncc_cache_has(const ncc_cache *cache, ncc_object_kind kind, int64_t index) {
  return *slot_of(cache, kind, index) != NULL;
}

/** Twice as many buckets; without memory it goes on with longer chains. */
static void grow(ncc_cache *cache) {
  entry **buckets = calloc((size_t)cache->n_buckets * 2, sizeof(entry *));
  if (!buckets) return;
  free(cache->buckets);
  cache->buckets = buckets;
  cache->n_buckets *= 2;
  for (entry *e = cache->oldest; e; e = e->newer) {
    entry **first = &cache->buckets[bucket_of(cache, e->kind, e->index)];
    e->chain = *first;
    *first = e;
  }
}

ncc_status ncc_cache_put(ncc_cache *cache, ncc_object_kind kind, int64_t index, ncc_pixels *pixels) {
  ncc_status status = NCC_OK;
  if (ncc_cache_find(cache, kind, index)) return NCC_OK;
  if (cache->n_entries >= cache->n_buckets) grow(cache);
  entry *e = malloc(sizeof *e);
  NCC_CHECK(e, NCC_ERR_NOMEM, "out of memory for a cache of %lld objects", (long long)cache->n_entries);
  entry **slot = slot_of(cache, kind, index);
  *e = (entry){.index = index, .kind = kind, .pixels = ncc_pixels_share(pixels)};
  *slot = e;
  append(cache, e);
  cache->n_entries++;
cleanup:
  return status;
}

void ncc_cache_drop(ncc_cache *cache, ncc_object_kind kind, int64_t index) {
  entry *e = *slot_of(cache, kind, index);
  if (e) forget(cache, e);
}

bool ncc_cache_evict(ncc_cache *cache) {
  for (entry *e = cache->oldest; e; e = e->newer) {
    if (atomic_load_explicit(&e->pixels->refs, memory_order_acquire) > 1) continue;
    forget(cache, e);
    return true;
  }
  return false;
}
