/** Thread pool; see pool.h. A loop is published by raising `generation`; items are taken from one atomic counter. */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"

enum { SPINS = 4000 };  // about 20 to 50 us of pausing before a thread sleeps

struct ncc_pool {
  int threads;
  pthread_t *handles;  // [started]
  int started;
  ncc_pool_fn fn;  // the current loop; written before `generation` is raised
  void *context;
  int64_t count;
  _Atomic int64_t next;
  atomic_uint generation;  // of the current loop
  atomic_int busy;         // helpers that have not left the current loop
  atomic_bool quit;
  atomic_int sleepers;  // helpers waiting on `wake`
  atomic_bool caller_sleeps;
  pthread_mutex_t mutex;
  pthread_cond_t wake, done;
};

typedef struct helper_arg {
  ncc_pool *pool;
  int thread;
} helper_arg;

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

static void work(ncc_pool *pool, int thread) {
  for (;;) {
    int64_t item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (item >= pool->count) return;
    pool->fn(pool->context, item, thread);
  }
}

static void wait_for_loop(ncc_pool *pool, unsigned seen) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (atomic_load(&pool->generation) != seen || atomic_load(&pool->quit)) return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->quit))
    pthread_cond_wait(&pool->wake, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void *helper(void *argument) {
  helper_arg arg = *(helper_arg *)argument;
  free(argument);
  ncc_pool *pool = arg.pool;
  unsigned seen = 0;
  for (;;) {
    wait_for_loop(pool, seen);
    if (atomic_load(&pool->quit)) return NULL;
    seen = atomic_load(&pool->generation);
    work(pool, arg.thread);
    if (atomic_fetch_sub(&pool->busy, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->done);
      pthread_mutex_unlock(&pool->mutex);
    }
  }
}

ncc_status ncc_pool_create(int threads, ncc_pool **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for a thread pool");
  pool->threads = threads;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->handles = calloc((size_t)threads, sizeof *pool->handles);
  NCC_CHECK(pool->handles, NCC_ERR_NOMEM, "out of memory for %d threads", threads);
  for (int t = 1; t < threads; t++) {
    helper_arg *arg = malloc(sizeof *arg);
    NCC_CHECK(arg, NCC_ERR_NOMEM, "out of memory for %d threads", threads);
    *arg = (helper_arg){pool, t};
    if (pthread_create(&pool->handles[pool->started], NULL, helper, arg) != 0) {
      free(arg);
      NCC_CHECK(false, NCC_ERR_NOMEM, "thread %d of %d could not be started", t + 1, threads);
    }
    pool->started++;
  }
  *out = pool;
  pool = NULL;

cleanup:
  ncc_pool_destroy(&pool);
  return status;
}

void ncc_pool_destroy(ncc_pool **pool_ptr) {
  ncc_pool *pool = *pool_ptr;
  if (!pool) return;
  *pool_ptr = NULL;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->quit, true);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; i < pool->started; i++) pthread_join(pool->handles[i], NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->handles);
  free(pool);
}

int ncc_pool_threads(const ncc_pool *pool) {
  return pool->threads;
}

void ncc_pool_run(ncc_pool *pool, int64_t count, ncc_pool_fn fn, void *context) {
  if (pool->started == 0 || count <= 1) {
    for (int64_t item = 0; item < count; item++) fn(context, item, 0);
    return;
  }
  pool->fn = fn;
  pool->context = context;
  pool->count = count;
  atomic_store(&pool->next, 0);
  atomic_store(&pool->busy, pool->started);
  atomic_fetch_add(&pool->generation, 1);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
  }
  work(pool, 0);
  for (int spin = 0; spin < SPINS; spin++) {
    if (atomic_load(&pool->busy) == 0) return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->caller_sleeps, true);
  while (atomic_load(&pool->busy) > 0) pthread_cond_wait(&pool->done, &pool->mutex);
  atomic_store(&pool->caller_sleeps, false);
  pthread_mutex_unlock(&pool->mutex);
}
