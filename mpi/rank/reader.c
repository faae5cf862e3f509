/** The thread that reads pixels: for this rank's batches, and on rank 0 for those of ranks that do not read. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "mpi/rank/readers.h"
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
  ncc_readers *readers;
  ncc_reading_item *items; /* [n_items] what has to be read, in that order */
  int64_t n_items;
  int64_t *item_of; /* [batch->needs.n] a need's item, or -1 */
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

/** Makes room and reads an object; an ncc_read_item. @param[in] context  the pipeline */
static void read_item(void *context, ncc_reading_item *item) {
  ncc_pipeline *pipeline = context;
  const ncc_pipeline_options *o = &pipeline->options;
  pthread_mutex_lock(&pipeline->room_mutex); /* room is for the one that asked for it */
  make_room(pipeline, item->bytes);
  item->pixels = ncc_store_new(o->store, item->kind, item->index, item->bytes);
  pthread_mutex_unlock(&pipeline->room_mutex);
  item->status = item->pixels ? ncc_input_read(o->input, item->kind, item->index, item->pixels->data)
                              : ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld bytes of %s %lld",
                                              (long long)item->bytes, item->kind == NCC_IMAGE ? "image" : "template",
                                              (long long)ncc_catalog_object(o->catalog, item->kind, item->index).id);
  if (item->status != NCC_OK) item->message = strdup(ncc_error_message());
}

/** Lists what has to be read of a batch, each object once, in the order of its pairs. */
static ncc_status list_items(loading *l) {
  ncc_status status = NCC_OK;
  const ncc_batch *batch = l->batch;
  const int64_t n = batch->needs.n;
  l->items = calloc((size_t)n + 1, sizeof *l->items);
  l->item_of = malloc(((size_t)n + 1) * sizeof *l->item_of);
  NCC_CHECK(l->items && l->item_of, NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)n);
  for (int64_t i = 0; i < n; i++) l->item_of[i] = -1;
  for (int64_t i = 0, at = 0; i < batch->n_pieces; i++)
    for (int64_t k = -1; k < batch->pieces[i].count; k++) { /* the image first */
      const ncc_object_kind kind = k < 0 ? NCC_IMAGE : NCC_TEMPLATE;
      const int64_t index = k < 0 ? batch->pieces[i].image : batch->templates[at++];
      const ncc_need *need = ncc_needs_find(&batch->needs, kind, index);
      int64_t *item = &l->item_of[need - batch->needs.items];
      if (*item >= 0 || need->state != NCC_NEED_OPEN || ncc_needs_find(l->had, kind, index) ||
          ncc_store_has(l->pipeline->options.store, kind, index))
        continue;
      *item = l->n_items;
      l->items[l->n_items++] = (ncc_reading_item){.kind = kind, .index = index, .bytes = bytes_of(l, kind, index)};
    }
cleanup:
  return status;
}

/** Takes what was read of an object. */
static ncc_status settle(loading *l, ncc_need *need, ncc_reading_item *item) {
  need->pixels = item->pixels;
  item->pixels = NULL;
  if (item->status != NCC_OK) ncc_error_set(item->status, "%s", item->message ? item->message : "out of memory");
  free(item->message);
  item->message = NULL;
  if (item->status == NCC_ERR_UNREADABLE) { /* data is no error: the pairs will say so */
    need->state = NCC_NEED_MISSING;
    ncc_pixels_release(&need->pixels);
    return ncc_batch_note_unreadable(l->batch, item->kind, item->index);
  }
  if (item->status != NCC_OK) return item->status;
  need->state = NCC_NEED_SHIPPED;
  if (need->again) ncc_store_keep(l->pipeline->options.store, need->pixels);
  return NCC_OK;
}

static ncc_status read_need(loading *l, ncc_need *need) {
  const int64_t k = l->item_of[need - l->batch->needs.items];
  ncc_reading_item own = {.kind = (ncc_object_kind)need->kind, .index = need->index};
  if (k >= 0) {
    ncc_readers_wait(l->readers, k);
    return settle(l, need, &l->items[k]);
  }
  own.bytes = bytes_of(l, own.kind, own.index); /* it was kept as the batch was begun */
  read_item(l->pipeline, &own);
  return settle(l, need, &own);
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
static ncc_status load(ncc_pipeline *pipeline, ncc_readers *readers, ncc_batch_task *task) {
  ncc_status status = NCC_OK;
  ncc_batch *batch = task->done.batch;
  ncc_needs *had = &pipeline->had[task->done.rank];
  loading l = {.pipeline = pipeline, .task = task, .batch = batch, .had = had, .readers = readers};
  ncc_input_lend_names(pipeline->options.input, ncc_batch_name_of, batch);
  NCC_TRY(list_items(&l));
  ncc_readers_begin(readers, l.items, l.n_items);
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
  ncc_readers_end(readers);
  free(l.items);
  free(l.item_of);
  return status;
}

/** Loads a batch; if it is for this rank, the matcher has it already in its queue. The mutex is held, but not
 * meanwhile.
 */
static void load_task(ncc_pipeline *pipeline, ncc_readers *readers, ncc_batch_task *task) {
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
  ncc_status status = load(pipeline, readers, task);
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

ncc_status ncc_reader_prepare(ncc_pipeline *pipeline) {
  return ncc_readers_create(pipeline->options.read_threads - 1, read_item, pipeline, &pipeline->readers);
}

void *ncc_reader_run(void *argument) {
  ncc_pipeline *pipeline = argument;
  ncc_readers *readers = pipeline->readers;
  pthread_mutex_lock(&pipeline->mutex);
  for (ncc_batch_task *task; (task = ncc_batch_queue_wait(pipeline, &pipeline->to_load, &pipeline->may_load));)
    load_task(pipeline, readers, task);
  pthread_mutex_unlock(&pipeline->mutex);
  pipeline->stats.read_cpu_s = ncc_readers_destroy(&pipeline->readers) + ncc_clock_thread_cpu_s();
  return NULL;
}
