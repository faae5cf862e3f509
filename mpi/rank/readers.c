#include "mpi/rank/readers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/error.h"

enum { MOST_HELPERS = 64, AHEAD = 3 /* objects a thread */ };
enum { WAITING = 0, BEGUN, READ };

struct ncc_readers {
  ncc_read_item read;
  void *context;
  pthread_t threads[MOST_HELPERS];
  int n_threads;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  ncc_reading_item *items;
  int64_t n, at; /* of the list; where the reader is */
  int busy;      /* helpers that read */
  bool ending;
  double cpu_s;
};

/** The next object that may be begun, or -1. The mutex is held. */
static int64_t next_item(const ncc_readers *r) {
  const int64_t end = ncc_min(r->n, r->at + 1 + (int64_t)AHEAD * (r->n_threads + 1));
  for (int64_t k = r->at; k < end; k++)
    if (r->items[k].state == WAITING) return k;
  return -1;
}

/** Reads an item that was begun; the mutex is held, but not meanwhile. */
static void read_begun(ncc_readers *r, ncc_reading_item *item) {
  item->state = BEGUN;
  pthread_mutex_unlock(&r->mutex);
  r->read(r->context, item);
  pthread_mutex_lock(&r->mutex);
  item->state = READ;
  pthread_cond_broadcast(&r->changed);
}

static void *help(void *argument) {
  ncc_readers *r = argument;
  pthread_mutex_lock(&r->mutex);
  while (!r->ending) {
    const int64_t k = next_item(r);
    if (k < 0) {
      pthread_cond_wait(&r->changed, &r->mutex);
      continue;
    }
    r->busy++;
    read_begun(r, &r->items[k]);
    r->busy--;
    pthread_cond_broadcast(&r->changed);
  }
  r->cpu_s += ncc_clock_thread_cpu_s();
  pthread_mutex_unlock(&r->mutex);
  return NULL;
}

ncc_status ncc_readers_create(int helpers, ncc_read_item read, void *context, ncc_readers **out) {
  *out = NULL;
  ncc_readers *r = calloc(1, sizeof *r);
  if (!r) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for threads that read");
  r->read = read;
  r->context = context;
  pthread_mutex_init(&r->mutex, NULL);
  pthread_cond_init(&r->changed, NULL);
  while (r->n_threads < ncc_min(helpers, MOST_HELPERS) && pthread_create(&r->threads[r->n_threads], NULL, help, r) == 0)
    r->n_threads++;
  *out = r;
  return NCC_OK;
}

double ncc_readers_destroy(ncc_readers **out) {
  ncc_readers *r = *out;
  if (!r) return 0;
  pthread_mutex_lock(&r->mutex);
  r->ending = true;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->mutex);
  for (int i = 0; i < r->n_threads; i++) pthread_join(r->threads[i], NULL);
  const double cpu_s = r->cpu_s;
  pthread_cond_destroy(&r->changed);
  pthread_mutex_destroy(&r->mutex);
  free(r);
  *out = NULL;
  return cpu_s;
}

void ncc_readers_begin(ncc_readers *r, ncc_reading_item *items, int64_t n) {
  pthread_mutex_lock(&r->mutex);
  r->items = items;
  r->n = n;
  r->at = 0;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->mutex);
}

void ncc_readers_wait(ncc_readers *r, int64_t k) {
  ncc_reading_item *item = &r->items[k];
  pthread_mutex_lock(&r->mutex);
  r->at = k;
  pthread_cond_broadcast(&r->changed);
  if (item->state == WAITING) read_begun(r, item);
  while (item->state != READ) pthread_cond_wait(&r->changed, &r->mutex);
  pthread_mutex_unlock(&r->mutex);
}

void ncc_readers_end(ncc_readers *r) {
  pthread_mutex_lock(&r->mutex);
  const int64_t n = r->n;
  r->n = 0;
  while (r->busy > 0) pthread_cond_wait(&r->changed, &r->mutex);
  pthread_mutex_unlock(&r->mutex);
  for (int64_t k = 0; k < n; k++) {
    ncc_pixels_release(&r->items[k].pixels);
    free(r->items[k].message);
  }
  r->items = NULL;
}
