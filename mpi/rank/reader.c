/** The thread that reads pixels: for this rank's batches, and on rank 0 for those of ranks that do not read. */
#include "base/clock.h"
#include "base/error.h"
#include "mpi/rank/stop.h"
#include "mpi/rank/threads.h"

#define PUBLISH_BYTES ((int64_t)8 << 20) /* the matcher is told after so many at the latest */
#define HINT_BYTES ((int64_t)32 << 20)   /* asked for ahead of reading, so that devices are never idle */
#define HINT_LEAST_BYTES 16384           /* smaller objects come with their neighbours */

/** One batch being loaded, and how far ahead the system has been asked for its objects. */
typedef struct loading {
  ncc_pipeline *pipeline;
  ncc_batch_task *task;
  ncc_batch *batch;
  const ncc_needs *had;     /* by the rank that computes it */
  int64_t piece, pair, end; /* the next to ask for; the end of that piece's pairs */
  int64_t ahead_bytes;      /* asked for and not yet passed */
  int64_t fresh_bytes;      /* passed since the matcher was told */
} loading;

static int64_t bytes_of(const loading *l, ncc_object_kind kind, int64_t index) {
  ncc_object object = ncc_catalog_object(l->pipeline->options.catalog, kind, index);
  return ncc_object_bytes(&object);
}

/* ---- asking ahead ----------------------------------------------------------------------------------------------- */

static void hint(loading *l, ncc_object_kind kind, int64_t index) {
  int64_t bytes = bytes_of(l, kind, index);
  l->ahead_bytes += bytes; /* whether it is to be read or not: all are passed once */
  if (bytes < HINT_LEAST_BYTES) return;
  if (ncc_needs_find(&l->batch->needs, kind, index)->state != NCC_NEED_OPEN || ncc_needs_find(l->had, kind, index))
    return;
  if (!ncc_store_has(l->pipeline->options.store, kind, index)) ncc_input_hint(l->pipeline->options.input, kind, index);
}

/** Asks the system for objects in the order of reading. */
static void hint_ahead(loading *l) {
  const ncc_batch *batch = l->batch;
  while (l->ahead_bytes < HINT_BYTES && l->pair < batch->n_pairs) {
    if (l->pair == l->end) {
      hint(l, NCC_IMAGE, batch->pieces[l->piece].image);
      l->end += batch->pieces[l->piece++].count;
    }
    hint(l, NCC_TEMPLATE, batch->templates[l->pair++]);
  }
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/** Waits until pixels fit, giving up what is only kept. What other batches hold will come free; where there are none,
 *  waiting would be for ever. */
static void make_room(ncc_pipeline *pipeline, int64_t bytes) {
  pthread_mutex_lock(&pipeline->mutex);
  while (!ncc_store_make_room(pipeline->options.store, bytes) && pipeline->in_flight > 1 && !pipeline->ending)
    pthread_cond_wait(&pipeline->may_load, &pipeline->mutex);
  pthread_mutex_unlock(&pipeline->mutex);
}

static ncc_status read_need(loading *l, ncc_need *need) {
  ncc_status status = NCC_OK;
  const ncc_pipeline_options *o = &l->pipeline->options;
  ncc_object_kind kind = (ncc_object_kind)need->kind;
  int64_t bytes = bytes_of(l, kind, need->index);
  make_room(l->pipeline, bytes);
  need->pixels = ncc_store_new(o->store, kind, need->index, bytes);
  NCC_CHECK(need->pixels, NCC_ERR_NOMEM, "out of memory for %lld bytes of %s %lld", (long long)bytes,
            kind == NCC_IMAGE ? "image" : "template", (long long)ncc_catalog_object(o->catalog, kind, need->index).id);
  ncc_status read = ncc_input_read(o->input, kind, need->index, need->pixels->data);
  if (read == NCC_ERR_UNREADABLE) { /* data is no error: the pairs will say so */
    need->state = NCC_NEED_MISSING;
    ncc_pixels_release(&need->pixels);
    return ncc_batch_note_unreadable(l->batch, kind, need->index);
  }
  NCC_TRY(read);
  need->state = NCC_NEED_SHIPPED;
  if (need->again) ncc_store_keep(o->store, need->pixels);
cleanup:
  return status;
}

/** One object of the batch, which may be there already. */
static ncc_status load_object(loading *l, ncc_object_kind kind, int64_t index) {
  ncc_need *need = ncc_needs_find(&l->batch->needs, kind, index);
  ncc_store *store = l->pipeline->options.store;
  ncc_rank_stats *stats = &l->pipeline->stats;
  int64_t bytes = bytes_of(l, kind, index);
  hint_ahead(l);
  l->ahead_bytes -= bytes;
  l->fresh_bytes += bytes;
  if (need->state != NCC_NEED_OPEN) return NCC_OK;
  if (ncc_needs_find(l->had, kind, index)) {
    need->state = NCC_NEED_KEPT;
    return NCC_OK;
  }
  need->pixels = ncc_store_find(store, kind, index);
  if (!need->pixels) return read_need(l, need);
  need->state = NCC_NEED_SHIPPED;
  stats->cache_hits++;
  stats->cache_bytes += bytes;
  if (!need->again) ncc_store_drop(store, kind, index);
  return NCC_OK;
}

/** Tells the matcher how many pairs it may compute. */
static void publish(loading *l, int64_t n_loaded) {
  pthread_mutex_lock(&l->pipeline->mutex);
  l->task->n_loaded = n_loaded;
  if (l->task->loading) pthread_cond_broadcast(&l->pipeline->may_compute);
  pthread_mutex_unlock(&l->pipeline->mutex);
  l->fresh_bytes = 0;
}

/** Loads a batch in the order of its pairs, so that the matcher can follow. */
static ncc_status load(ncc_pipeline *pipeline, ncc_batch_task *task) {
  ncc_status status = NCC_OK;
  ncc_batch *batch = task->done.batch;
  ncc_needs *had = &pipeline->had[task->done.rank];
  loading l = {.pipeline = pipeline, .task = task, .batch = batch, .had = had};
  ncc_input_lend_names(pipeline->options.input, ncc_batch_name_of, batch);
  for (int64_t i = 0, at = 0; i < batch->n_pieces; i++) {
    NCC_TRY(load_object(&l, NCC_IMAGE, batch->pieces[i].image));
    for (int64_t end = at + batch->pieces[i].count; at < end;) {
      if (ncc_stop_asked(pipeline->options.stop)) goto cleanup;
      NCC_TRY(load_object(&l, NCC_TEMPLATE, batch->templates[at]));
      if (++at == end || l.fresh_bytes >= PUBLISH_BYTES) publish(&l, at);
    }
  }
  if (task->done.rank != pipeline->options.rank) NCC_TRY(ncc_needs_remember(had, batch));
cleanup:
  return status;
}

/** Loads a batch; if it is for this rank, the matcher has it already in its queue. The mutex is held, but not
 * meanwhile.
 */
static void load_task(ncc_pipeline *pipeline, ncc_batch_task *task) {
  bool ship = task->done.rank != pipeline->options.rank;
  while (ship && pipeline->shipping_bytes > pipeline->options.ship_bytes && !pipeline->ending)
    pthread_cond_wait(&pipeline->may_load, &pipeline->mutex);
  pipeline->in_flight++;
  if (!ship) {
    task->loading = task->read_here = true;
    ncc_batch_queue_put(&pipeline->to_compute, task);
    pthread_cond_broadcast(&pipeline->may_compute);
  }
  pthread_mutex_unlock(&pipeline->mutex);
  double started_s = ncc_clock_s();
  ncc_status status = load(pipeline, task);
  pipeline->stats.read_s += ncc_clock_s() - started_s;
  pthread_mutex_lock(&pipeline->mutex);
  if (status != NCC_OK) ncc_batch_task_fail(task, status);
  if (ship) {
    int64_t bytes = ncc_batch_shipped_bytes(task->done.batch);
    pipeline->shipping_bytes += bytes;
    if (bytes == 0) pipeline->in_flight--;
    ncc_batch_queue_put(&pipeline->finished, task);
    pthread_cond_signal(&pipeline->finished_some);
  } else {
    task->loading = false;
    pthread_cond_broadcast(&pipeline->may_compute);
  }
}

void *ncc_reader_run(void *argument) {
  ncc_pipeline *pipeline = argument;
  pthread_mutex_lock(&pipeline->mutex);
  for (ncc_batch_task *task; (task = ncc_batch_queue_wait(pipeline, &pipeline->to_load, &pipeline->may_load));)
    load_task(pipeline, task);
  pthread_mutex_unlock(&pipeline->mutex);
  pipeline->stats.read_cpu_s = ncc_clock_thread_cpu_s();
  return NULL;
}
