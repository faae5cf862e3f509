#include "mpi/rank/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/error.h"

#define SMALL_BYTES ((int64_t)64 << 10) /* malloc is good at these */
#define LARGE_BYTES ((int64_t)1 << 30)  /* too large to be used again */
#define HUGE_PAGE_BYTES ((int64_t)2 << 20)
enum { ALIGNMENT = 64, PAGE_BYTES = 4096, CLASSES = 8 * 15, FIRST_BUCKETS = 1024 };

struct ncc_store {
  pthread_mutex_t mutex;
  int64_t limit_bytes, used_bytes, free_bytes, peak_bytes;
  ncc_pixels *free[CLASSES]; /* by class: eight sizes from each power of two to the next */
  ncc_pixels **buckets;      /* [n_buckets] kept objects; a power of two */
  int64_t n_buckets, n_kept;
  ncc_pixels *oldest, *newest;
};

/* ---- buffers ---------------------------------------------------------------------------------------------------- */

/** Class of a size between the bounds, and the size of its buffers. */
static int class_of(int64_t bytes, int64_t *capacity) {
  int power = 63 - __builtin_clzll((unsigned long long)bytes);
  int64_t step = (int64_t)1 << (power - 3), eighths = (bytes - ((int64_t)1 << power) + step - 1) / step;
  *capacity = ((int64_t)1 << power) + eighths * step;
  return 8 * (power - 16) + (int)eighths; /* eight eighths are the next power's first */
}

static bool is_reused(int64_t capacity) {
  return capacity >= SMALL_BYTES && capacity < LARGE_BYTES;
}

static bool is_huge(int64_t capacity) {
  return capacity >= HUGE_PAGE_BYTES;
}

/** Pages of their own, so aligned that huge ones fit; NULL without memory. */
static void *map_pages(int64_t bytes) {
  size_t n = (size_t)(bytes + HUGE_PAGE_BYTES);
  char *pages = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return NULL;
  size_t before = (size_t)(-(uintptr_t)pages % HUGE_PAGE_BYTES), after = n - before - (size_t)bytes;
  if (before) munmap(pages, before);
  if (after) munmap(pages + before + bytes, after);
#ifdef MADV_HUGEPAGE
  madvise(pages + before, (size_t)bytes, MADV_HUGEPAGE); /* only a wish */
#endif
  return pages + before;
}

static void free_buffer(ncc_pixels *pixels) {
  if (is_huge(pixels->capacity))
    munmap(pixels->data, (size_t)pixels->capacity);
  else
    free(pixels->data);
  free(pixels);
}

static ncc_pixels *new_buffer(int64_t capacity) {
  int64_t unit = is_huge(capacity) ? PAGE_BYTES : ALIGNMENT;
  capacity = (capacity + unit - 1) / unit * unit;
  ncc_pixels *pixels = malloc(sizeof *pixels);
  void *data = !pixels ? NULL : is_huge(capacity) ? map_pages(capacity) : aligned_alloc(ALIGNMENT, (size_t)capacity);
  if (!data) {
    free(pixels);
    return NULL;
  }
  pixels->data = data;
  pixels->capacity = capacity;
  return pixels;
}

/** Gives free buffers back to the system until `bytes` more fit the limit. The mutex is held. */
static void trim(ncc_store *store, int64_t bytes) {
  for (int i = CLASSES - 1; i >= 0; i--) {
    while (store->free[i] && store->used_bytes + store->free_bytes + bytes > store->limit_bytes) {
      ncc_pixels *pixels = store->free[i];
      store->free[i] = pixels->next;
      store->free_bytes -= pixels->capacity;
      free_buffer(pixels);
    }
  }
}

ncc_pixels *ncc_store_new(ncc_store *store, ncc_object_kind kind, int64_t index, int64_t bytes) {
  int64_t capacity = bytes;
  int class = is_reused(bytes) ? class_of(bytes, &capacity) : -1;
  pthread_mutex_lock(&store->mutex);
  ncc_pixels *pixels = class >= 0 ? store->free[class] : NULL;
  if (pixels) {
    store->free[class] = pixels->next;
    store->free_bytes -= pixels->capacity;
  } else {
    trim(store, capacity);
    pixels = new_buffer(capacity);
  }
  if (pixels) store->used_bytes += pixels->capacity;
  int64_t all_bytes = store->used_bytes + store->free_bytes;
  if (all_bytes > store->peak_bytes) store->peak_bytes = all_bytes;
  pthread_mutex_unlock(&store->mutex);
  if (!pixels) return NULL;
  *pixels = (ncc_pixels){.bytes = bytes,
                         .data = pixels->data,
                         .store = store,
                         .refs = 1,
                         .capacity = pixels->capacity,
                         .index = index,
                         .kind = kind};
  return pixels;
}

/** Takes back a buffer that nobody refers to. The mutex is held. */
static void take_back(ncc_store *store, ncc_pixels *pixels) {
  int64_t capacity = pixels->capacity;
  store->used_bytes -= capacity;
  if (!is_reused(capacity) || store->used_bytes + store->free_bytes + capacity > store->limit_bytes) {
    free_buffer(pixels);
    return;
  }
  int class = class_of(capacity, &capacity);
  pixels->next = store->free[class];
  store->free[class] = pixels;
  store->free_bytes += pixels->capacity;
}

ncc_pixels *ncc_pixels_retain(ncc_pixels *pixels) {
  if (pixels) atomic_fetch_add_explicit(&pixels->refs, 1, memory_order_relaxed);
  return pixels;
}

static bool is_last(ncc_pixels *pixels) {
  return atomic_fetch_sub_explicit(&pixels->refs, 1, memory_order_acq_rel) == 1;
}

void ncc_pixels_release(ncc_pixels **out) {
  ncc_pixels *pixels = *out;
  *out = NULL;
  if (!pixels || !is_last(pixels)) return;
  ncc_store *store = pixels->store;
  pthread_mutex_lock(&store->mutex);
  take_back(store, pixels);
  pthread_mutex_unlock(&store->mutex);
}

/* ---- kept objects; the mutex is held ---------------------------------------------------------------------------- */

static ncc_pixels **bucket_of(const ncc_store *store, ncc_object_kind kind, int64_t index) {
  uint64_t key = (uint64_t)index * 2 + (uint64_t)kind;
  return &store->buckets[(int64_t)((key * 0x9E3779B97F4A7C15u) >> 20) & (store->n_buckets - 1)];
}

/** Where the object is referred to, or would be. */
static ncc_pixels **slot_of(const ncc_store *store, ncc_object_kind kind, int64_t index) {
  ncc_pixels **slot = bucket_of(store, kind, index);
  while (*slot && ((*slot)->index != index || (*slot)->kind != kind)) slot = &(*slot)->next;
  return slot;
}

static void take_out_of_order(ncc_store *store, ncc_pixels *pixels) {
  *(pixels->older ? &pixels->older->newer : &store->oldest) = pixels->newer;
  *(pixels->newer ? &pixels->newer->older : &store->newest) = pixels->older;
}

static void append(ncc_store *store, ncc_pixels *pixels) {
  pixels->newer = NULL;
  pixels->older = store->newest;
  *(pixels->older ? &pixels->older->newer : &store->oldest) = pixels;
  store->newest = pixels;
}

static void forget(ncc_store *store, ncc_pixels **slot) {
  ncc_pixels *pixels = *slot;
  *slot = pixels->next;
  take_out_of_order(store, pixels);
  store->n_kept--;
  if (is_last(pixels)) take_back(store, pixels);
}

/** Twice as many buckets; without memory it goes on with longer chains. */
static void grow(ncc_store *store) {
  ncc_pixels **buckets = calloc((size_t)store->n_buckets * 2, sizeof *buckets);
  if (!buckets) return;
  free(store->buckets);
  store->buckets = buckets;
  store->n_buckets *= 2;
  for (ncc_pixels *p = store->oldest; p; p = p->newer) {
    ncc_pixels **first = bucket_of(store, p->kind, p->index);
    p->next = *first;
    *first = p;
  }
}

/* ---- kept objects ----------------------------------------------------------------------------------------------- */

bool ncc_store_make_room(ncc_store *store, int64_t bytes) {
  pthread_mutex_lock(&store->mutex);
  for (ncc_pixels *p = store->oldest; p && store->used_bytes + bytes > store->limit_bytes;) {
    ncc_pixels *newer = p->newer; /* a reference is the store's own; others only become fewer meanwhile */
    if (atomic_load_explicit(&p->refs, memory_order_acquire) == 1) forget(store, slot_of(store, p->kind, p->index));
    p = newer;
  }
  bool fits = store->used_bytes + bytes <= store->limit_bytes;
  pthread_mutex_unlock(&store->mutex);
  return fits;
}

void ncc_store_keep(ncc_store *store, ncc_pixels *pixels) {
  pthread_mutex_lock(&store->mutex);
  if (store->n_kept >= store->n_buckets) grow(store);
  ncc_pixels **slot = slot_of(store, pixels->kind, pixels->index);
  if (!*slot) {
    *slot = ncc_pixels_retain(pixels);
    pixels->next = NULL;
    append(store, pixels);
    store->n_kept++;
  }
  pthread_mutex_unlock(&store->mutex);
}

ncc_pixels *ncc_store_find(ncc_store *store, ncc_object_kind kind, int64_t index) {
  pthread_mutex_lock(&store->mutex);
  ncc_pixels *pixels = ncc_pixels_retain(*slot_of(store, kind, index));
  if (pixels) {
    take_out_of_order(store, pixels);
    append(store, pixels);
  }
  pthread_mutex_unlock(&store->mutex);
  return pixels;
}

bool ncc_store_has(ncc_store *store, ncc_object_kind kind, int64_t index) {
  pthread_mutex_lock(&store->mutex);
  bool has = *slot_of(store, kind, index) != NULL;
  pthread_mutex_unlock(&store->mutex);
  return has;
}

void ncc_store_drop(ncc_store *store, ncc_object_kind kind, int64_t index) {
  pthread_mutex_lock(&store->mutex);
  ncc_pixels **slot = slot_of(store, kind, index);
  if (*slot) forget(store, slot);
  pthread_mutex_unlock(&store->mutex);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

ncc_status ncc_store_create(int64_t limit_bytes, ncc_store **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_store *store = calloc(1, sizeof *store);
  NCC_CHECK(store, NCC_ERR_NOMEM, "out of memory for pixels");
  store->limit_bytes = limit_bytes;
  store->n_buckets = FIRST_BUCKETS;
  store->buckets = calloc(FIRST_BUCKETS, sizeof *store->buckets);
  NCC_CHECK(store->buckets, NCC_ERR_NOMEM, "out of memory for pixels");
  pthread_mutex_init(&store->mutex, NULL);
  *out = store;
  store = NULL;
cleanup:
  free(store);
  return status;
}

void ncc_store_destroy(ncc_store **out) {
  ncc_store *store = *out;
  if (!store) return;
  while (store->oldest) forget(store, slot_of(store, store->oldest->kind, store->oldest->index));
  store->limit_bytes = -1;
  trim(store, 0);
  pthread_mutex_destroy(&store->mutex);
  free(store->buckets);
  free(store);
  *out = NULL;
}

int64_t ncc_store_peak_bytes(ncc_store *store) {
  pthread_mutex_lock(&store->mutex);
  int64_t bytes = store->peak_bytes;
  pthread_mutex_unlock(&store->mutex);
  return bytes;
}
