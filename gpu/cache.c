/** Spectra of templates that come again: known by a hash of pixels, kept on the device from the second time on. */
#include <string.h>

#include "base/array.h"
#include "gpu/state.h"

void ncc_gpu_cache_release(ncc_gpu_cache *cache) {
  for (int i = 0; i < NCC_GPU_CACHED; i++) {
    ncc_gpu_release(&cache->entries[i].spectrum);
    cache->entries[i].hash = 0;
  }
}

/** Of the stored pixels and their shape; not 0. */
static uint64_t hash_pixels(const ncc_prepared *tmpl) {
  const ncc_array *a = &tmpl->pixels;
  uint64_t h = 0x9e3779b97f4a7c15u ^ (uint64_t)a->rows << 32 ^ (uint64_t)a->cols ^ (uint64_t)a->dtype << 60;
  const size_t row_bytes = (size_t)a->cols * ncc_dtype_size(a->dtype);
  for (int64_t r = 0; r < a->rows; r++) {
    const unsigned char *p = ncc_array_at(a, r, 0);
    size_t i = 0;
    for (uint64_t word; i < row_bytes; i += sizeof word) {
      word = 0;
      memcpy(&word, p + i, row_bytes - i < sizeof word ? row_bytes - i : sizeof word);
      h = (h ^ word) * 0xff51afd7ed558ccdu;
      h ^= h >> 29;
    }
  }
  return h ? h : 1;
}

static bool same_lengths(const ncc_gpu_lengths *a, const ncc_gpu_lengths *b) {
  return a->rows == b->rows && a->cols == b->cols && a->half == b->half && a->radix == b->radix;
}

/** The kept spectrum of a template, made by a batch that is done; NULL: none. A wrong one (equal hashes) would be found
 *  by the judge: numerators would be far off. */
static ncc_gpu_cached *find_cached(ncc_gpu_engine *e, uint64_t hash) {
  for (int i = 0; i < e->cache.most; i++) {
    ncc_gpu_cached *c = &e->cache.entries[i];
    if (c->hash == hash && c->made <= e->collected && same_lengths(&c->lengths, &e->lengths)) return c;
  }
  return NULL;
}

/** Where to keep the spectrum of a template that has come a second time; NULL: nowhere. */
static ncc_gpu_cached *place_to_keep(ncc_gpu_engine *e, uint64_t hash) {
  uint64_t *seen = &e->cache.seen[hash % NCC_GPU_SEEN];
  const bool again = *seen == hash;
  ncc_gpu_cached *oldest = NULL;
  *seen = hash;
  if (!again) return NULL;
  for (int i = 0; i < e->cache.most; i++) {
    ncc_gpu_cached *c = &e->cache.entries[i];
    if (c->hash == hash && c->made > e->collected) return NULL;  // on its way
    if (c->used <= e->collected && (!oldest || c->used < oldest->used)) oldest = c;
  }
  if (!oldest) return NULL;
  oldest->hash = 0;
  if (ncc_gpu_reserve(&e->place, &oldest->spectrum, 8 * e->lengths.rows * e->lengths.half) != NCC_OK) {
    e->cache.most = 0;  // no memory to spare; an error that sticks will show at the next call
    return NULL;
  }
  oldest->hash = hash;
  oldest->lengths = e->lengths;
  oldest->made = oldest->used = e->submitted;
  return oldest;
}

bool ncc_gpu_cache_use(ncc_gpu_engine *e, const ncc_task *tasks, int64_t count, ncc_gpu_task *staged) {
  uint64_t hashes[NCC_GPU_MOST_BATCH];
  bool all = e->cache.most > 0;
  for (int64_t t = 0; t < count && e->cache.most > 0; t++) {
    hashes[t] = hash_pixels(tasks[t].tmpl);
    ncc_gpu_cached *c = find_cached(e, hashes[t]);
    all = all && c;
    if (c) {
      c->used = e->submitted;
      staged[t].kept.cached = c->spectrum.data;
    }
  }
  for (int64_t t = 0; t < count && !all; t++) {
    // The forward transform of the whole batch is made: what is cached needs not be looked up.
    bool had = staged[t].kept.cached;
    staged[t].kept.cached = NULL;
    ncc_gpu_cached *c = had || e->cache.most == 0 ? NULL : place_to_keep(e, hashes[t]);
    if (c) staged[t].kept.keep = c->spectrum.data;
  }
  return all;
}
