#include "mpi/rank/pixels.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/error.h"

#define SMALL_BYTES ((int64_t)64 << 10) /* malloc is good at these */
#define LARGE_BYTES ((int64_t)1 << 30)  /* too large to be kept */
#define HUGE_PAGE_BYTES ((int64_t)2 << 20)
enum { ALIGNMENT = 64, PAGE_BYTES = 4096, CLASSES = 8 * 15 };

/** Free buffers by class: eight sizes from each power of two to the next. */
struct ncc_pixels_pool {
  pthread_mutex_t mutex;
  int64_t limit_bytes, used_bytes, free_bytes, peak_bytes;
  ncc_pixels *free[CLASSES];
};

/** Class of a size between the bounds, and the size of its buffers. */
static int class_of(int64_t bytes, int64_t *capacity) {
  int power = 63 - __builtin_clzll((unsigned long long)bytes);
  int64_t step = (int64_t)1 << (power - 3), eighths = (bytes - ((int64_t)1 << power) + step - 1) / step;
  *capacity = ((int64_t)1 << power) + eighths * step;
  return 8 * (power - 16) + (int)eighths; /* eight eighths are the next power's first */
}

static bool is_pooled(int64_t capacity) {
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

/** Gives kept buffers back to the system until `bytes` more fit the limit. The mutex is held. */
static void trim(ncc_pixels_pool *pool, int64_t bytes) {
  for (int i = CLASSES - 1; i >= 0; i--) {
    while (pool->free[i] && pool->used_bytes + pool->free_bytes + bytes > pool->limit_bytes) {
      ncc_pixels *pixels = pool->free[i];
      pool->free[i] = pixels->next;
      pool->free_bytes -= pixels->capacity;
      free_buffer(pixels);
    }
  }
}

ncc_status ncc_pixels_pool_create(int64_t limit_bytes, ncc_pixels_pool **out) {
  ncc_pixels_pool *pool = *out = calloc(1, sizeof *pool);
  if (!pool) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for pixels");
  pool->limit_bytes = limit_bytes;
  pthread_mutex_init(&pool->mutex, NULL);
  return NCC_OK;
}

void ncc_pixels_pool_destroy(ncc_pixels_pool **out) {
  ncc_pixels_pool *pool = *out;
  if (!pool) return;
  pool->limit_bytes = -1;
  trim(pool, 0);
  pthread_mutex_destroy(&pool->mutex);
  free(pool);
  *out = NULL;
}

int64_t ncc_pixels_pool_used(ncc_pixels_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  int64_t bytes = pool->used_bytes;
  pthread_mutex_unlock(&pool->mutex);
  return bytes;
}

int64_t ncc_pixels_pool_peak(ncc_pixels_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  int64_t bytes = pool->peak_bytes;
  pthread_mutex_unlock(&pool->mutex);
  return bytes;
}

static ncc_pixels *create_in_pool(ncc_pixels_pool *pool, int64_t bytes) {
  int64_t capacity = bytes;
  int class = is_pooled(bytes) ? class_of(bytes, &capacity) : -1;
  pthread_mutex_lock(&pool->mutex);
  ncc_pixels *pixels = class >= 0 ? pool->free[class] : NULL;
  if (pixels) {
    pool->free[class] = pixels->next;
    pool->free_bytes -= pixels->capacity;
  } else {
    trim(pool, capacity);
    pixels = new_buffer(capacity);
  }
  if (pixels) pool->used_bytes += pixels->capacity;
  int64_t all_bytes = pool->used_bytes + pool->free_bytes;
  if (all_bytes > pool->peak_bytes) pool->peak_bytes = all_bytes;
  pthread_mutex_unlock(&pool->mutex);
  return pixels;
}

ncc_pixels *ncc_pixels_create(ncc_pixels_pool *pool, int64_t bytes) {
  ncc_pixels *pixels = pool ? create_in_pool(pool, bytes) : new_buffer(bytes);
  if (!pixels) return NULL;
  atomic_init(&pixels->refs, 1);
  pixels->bytes = bytes;
  pixels->pool = pool;
  pixels->next = NULL;
  return pixels;
}

ncc_pixels *ncc_pixels_share(ncc_pixels *pixels) {
  if (pixels) atomic_fetch_add_explicit(&pixels->refs, 1, memory_order_relaxed);
  return pixels;
}

static void give_back(ncc_pixels *pixels) {
  ncc_pixels_pool *pool = pixels->pool;
  int64_t capacity;
  if (!pool) {
    free_buffer(pixels);
    return;
  }
  pthread_mutex_lock(&pool->mutex);
  pool->used_bytes -= pixels->capacity;
  bool keep =
      is_pooled(pixels->capacity) && pool->used_bytes + pool->free_bytes + pixels->capacity <= pool->limit_bytes;
  if (keep) {
    int class = class_of(pixels->capacity, &capacity);
    pixels->next = pool->free[class];
    pool->free[class] = pixels;
    pool->free_bytes += pixels->capacity;
  }
  pthread_mutex_unlock(&pool->mutex);
  if (!keep) free_buffer(pixels);
}

void ncc_pixels_release(ncc_pixels **pixels) {
  if (!*pixels) return;
  if (atomic_fetch_sub_explicit(&(*pixels)->refs, 1, memory_order_acq_rel) == 1) give_back(*pixels);
  *pixels = NULL;
}
