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

static int64_t bytes_of(const loading *l, const ncc_need *need) {
  ncc_rect part;
  return ncc_need_bytes(l->batch, need, l->pipeline->options.catalog, &part);
}

/** Whether the rank that computes the batch has it from the batch before. */
static bool had(const loading *l, const ncc_need *need) {
  return need->piece == NCC_WHOLE && ncc_needs_find(l->had, (ncc_object_kind)need->kind, need->index, NCC_WHOLE);
}

static bool is_stored(const loading *l, const ncc_need *need) {
  return need->piece == NCC_WHOLE &&
         ncc_store_has(l->pipeline->options.store, (ncc_object_kind)need->kind, need->index);
}

/* ---- asking ahead ----------------------------------------------------------------------------------------------- */

static void hint(loading *l, const ncc_need *need) {
  int64_t bytes = bytes_of(l, need);
  l->ahead_bytes += bytes; /* whether it is to be read or not: all are passed once */
  if (bytes < HINT_LEAST_BYTES || need->piece != NCC_WHOLE || need->state != NCC_NEED_OPEN || had(l, need)) return;
  if (!is_stored(l, need)) ncc_input_hint(l->pipeline->options.input, (ncc_object_kind)need->kind, need->index);
}

/** Asks the system for objects in the order of reading. */
static void hint_ahead(loading *l) {
  const ncc_batch *batch = l->batch;
  while (l->ahead_bytes < HINT_BYTES && l->pair < batch->n_pairs) {
    if (l->pair == l->end) {
      hint(l, ncc_batch_image(batch, l->piece));
      l->end += batch->pieces[l->piece++].count;
    }
    hint(l, ncc_batch_template(batch, l->pair++));
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
  const ncc_object_kind kind = (ncc_object_kind)item->need->kind;
  const int64_t index = item->need->index;
  pthread_mutex_lock(&pipeline->room_mutex); /* room is for the one that asked for it */
  make_room(pipeline, item->bytes);
  item->pixels = ncc_store_new(o->store, kind, index, item->bytes);
  pthread_mutex_unlock(&pipeline->room_mutex);
  if (!item->pixels)
    item->status = ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld bytes of %s %lld", (long long)item->bytes,
                                 kind == NCC_IMAGE ? "image" : "template",
                                 (long long)ncc_catalog_object(o->catalog, kind, index).id);
  else if (item->need->piece == NCC_WHOLE)
    item->status = ncc_input_read(o->input, kind, index, item->pixels->data);
  else
    item->status = ncc_input_read_part(o->input, kind, index, &item->part, item->pixels->data);
  if (item->status != NCC_OK) item->message = strdup(ncc_error_message());
}

static ncc_reading_item make_item(const loading *l, ncc_need *need) {
  ncc_reading_item item = {.need = need};
  item.bytes = ncc_need_bytes(l->batch, need, l->pipeline->options.catalog, &item.part);
  return item;
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
      ncc_need *need = k < 0 ? ncc_batch_image(batch, i) : ncc_batch_template(batch, at++);
      int64_t *item = &l->item_of[need - batch->needs.items];
      if (*item >= 0 || need->state != NCC_NEED_OPEN || had(l, need) || is_stored(l, need)) continue;
      *item = l->n_items;
      l->items[l->n_items++] = make_item(l, need);
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
    return ncc_batch_note_unreadable(l->batch, (ncc_object_kind)need->kind, need->index);
  }
  if (item->status != NCC_OK) return item->status;
  need->state = NCC_NEED_SHIPPED;
  if (need->again) ncc_store_keep(l->pipeline->options.store, need->pixels);
  return NCC_OK;
}

static ncc_status read_need(loading *l, ncc_need *need) {
  const int64_t k = l->item_of[need - l->batch->needs.items];
  if (k >= 0) {
    ncc_readers_wait(l->readers, k);
    return settle(l, need, &l->items[k]);
  }
  ncc_reading_item own = make_item(l, need); /* it was kept as the batch was begun */
  read_item(l->pipeline, &own);
  return settle(l, need, &own);
}

/** One object of the batch, which may be there already. */
static ncc_status load_object(loading *l, ncc_need *need) {
  const ncc_object_kind kind = (ncc_object_kind)need->kind;
  ncc_store *store = l->pipeline->options.store;
  ncc_rank_stats *stats = &l->pipeline->stats;
  int64_t bytes = bytes_of(l, need);
  hint_ahead(l);
  l->ahead_bytes -= bytes;
  l->fresh_bytes += bytes;
  if (need->state != NCC_NEED_OPEN) return NCC_OK;
  if (had(l, need)) {
    need->state = NCC_NEED_KEPT;
    return NCC_OK;
  }
  if (need->piece == NCC_WHOLE) need->pixels = ncc_store_find(store, kind, need->index);
  if (!need->pixels) return read_need(l, need);
  need->state = NCC_NEED_SHIPPED;
  stats->cache_hits++;
  stats->cache_bytes += bytes;
  if (!need->again) ncc_store_drop(store, kind, need->index);
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
  ncc_needs *left = &pipeline->had[task->done.rank];
  loading l = {.pipeline = pipeline, .task = task, .batch = batch, .had = left, .readers = readers};
  ncc_input_lend_names(pipeline->options.input, ncc_batch_name_of, batch);
  NCC_TRY(list_items(&l));
  ncc_readers_begin(readers, l.items, l.n_items);
  for (int64_t i = 0, at = 0; i < batch->n_pieces; i++) {
    NCC_TRY(load_object(&l, ncc_batch_image(batch, i)));
    for (int64_t end = at + batch->pieces[i].count; at < end;) {
      if (ncc_stop_asked(pipeline->options.stop)) goto cleanup;
      NCC_TRY(load_object(&l, ncc_batch_template(batch, at)));
      if (++at == end || l.fresh_bytes >= PUBLISH_BYTES) publish(&l, at);
    }
  }
  if (task->done.rank != pipeline->options.rank) NCC_TRY(ncc_needs_remember(left, batch));
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
