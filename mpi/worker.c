#include "mpi/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/rank/message.h"
#include "mpi/rank/stop.h"
#include "mpi/shipping.h"
#include "plan/schedule.h"

typedef struct worker {
  const ncc_comm *comm;
  const ncc_catalog *catalog;
  ncc_pipeline *pipeline;
  ncc_store *store; /* where pixels are shipped */
  volatile int *stop;
  ncc_outbox outbox;
  ncc_inbox inbox;
  ncc_arrival arrivals[NCC_SCHEDULE_AHEAD]; /* in order; the matcher gets them in that order */
  int n_arrivals;
  ncc_needs had; /* what the previous batch left in the store, where pixels are shipped */
  bool ended;
  bool told_signal;
} worker;

/** Keeps what the batch has, and no longer what only the previous one had: just so rank 0 counts on it. */
static ncc_status keep_pixels(worker *w, const ncc_batch *batch) {
  for (int64_t i = 0; i < w->had.n; i++) {
    ncc_object_kind kind = (ncc_object_kind)w->had.items[i].kind;
    const ncc_need *need = ncc_needs_find(&batch->needs, kind, w->had.items[i].index, NCC_WHOLE);
    if (!need || !need->pixels) ncc_store_drop(w->store, kind, w->had.items[i].index);
  }
  for (int64_t i = 0; i < batch->needs.n; i++)
    if (batch->needs.items[i].pixels && batch->needs.items[i].piece == NCC_WHOLE)
      ncc_store_keep(w->store, batch->needs.items[i].pixels);
  return ncc_needs_remember(&w->had, batch);
}

static ncc_status take_work(worker *w, const void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  ncc_batch *batch = NULL;
  NCC_TRY(ncc_message_read_work(bytes, n_bytes, w->catalog, &batch));
  if (!w->store) {
    NCC_TRY(ncc_pipeline_load(w->pipeline, batch, w->comm->rank));
    batch = NULL;
    goto cleanup;
  }
  for (int64_t i = 0; i < batch->needs.n; i++) {
    ncc_need *need = &batch->needs.items[i];
    if (need->state != NCC_NEED_KEPT) continue;
    need->pixels = ncc_store_find(w->store, (ncc_object_kind)need->kind, need->index);
    NCC_CHECK(need->pixels, NCC_ERR_COMM, "rank 0 takes %s number %lld for kept, but it is not",
              need->kind == NCC_IMAGE ? "image" : "template", (long long)need->index);
  }
  NCC_CHECK(w->n_arrivals < NCC_SCHEDULE_AHEAD, NCC_ERR_COMM, "rank 0 hands out more than %d at a time",
            NCC_SCHEDULE_AHEAD);
  ncc_arrival *arrival = &w->arrivals[w->n_arrivals++];
  ncc_batch *own = batch;
  batch = NULL; /* the arrival's from here on */
  NCC_TRY(ncc_arrival_start(w->comm, w->catalog, w->store, own, arrival));
  NCC_TRY(keep_pixels(w, own));
cleanup:
  ncc_batch_destroy(&batch);
  return status;
}

static ncc_status take_messages(worker *w, bool *progress) {
  ncc_status status = NCC_OK;
  void *bytes = NULL;
  int64_t n_bytes;
  for (int source; !w->ended;) {
    ncc_message_type type;
    NCC_TRY(ncc_inbox_poll(&w->inbox, w->comm, &source, &bytes, &n_bytes));
    if (!bytes) break;
    *progress = true;
    NCC_TRY(ncc_message_check(bytes, n_bytes, &type));
    switch (type) {
      case NCC_MESSAGE_WORK:
        NCC_TRY(take_work(w, bytes, n_bytes));
        break;
      case NCC_MESSAGE_STOP:
        ncc_stop_ask(w->stop);
        break;
      case NCC_MESSAGE_END:
        w->ended = true;
        break;
      default:
        NCC_CHECK(false, NCC_ERR_COMM, "a worker got a message of type %d, expected work", type);
    }
    free(bytes);
    bytes = NULL;
  }
cleanup:
  free(bytes);
  return status;
}

/** Passes batches whose pixels have arrived to the matcher, in order. */
static ncc_status take_arrivals(worker *w, bool *progress) {
  ncc_status status = NCC_OK;
  while (w->n_arrivals > 0) {
    bool complete = false;
    NCC_TRY(ncc_arrival_poll(&w->arrivals[0], &complete));
    if (!complete) break;
    *progress = true;
    NCC_TRY(ncc_pipeline_compute(w->pipeline, w->arrivals[0].batch));
    ncc_arrival_clear(&w->arrivals[0]);
    memmove(&w->arrivals[0], &w->arrivals[1], (size_t)--w->n_arrivals * sizeof w->arrivals[0]);
  }
cleanup:
  return status;
}

/** A signal came to this rank: rank 0 is to end the job. Said before any result that the signal cut short. */
static ncc_status tell_signal(worker *w) {
  ncc_status status = NCC_OK;
  void *bytes;
  int64_t n_bytes;
  char text[NCC_MESSAGE_TEXT];
  if (w->told_signal || !ncc_stop_signal()) return NCC_OK;
  w->told_signal = true;
  snprintf(text, sizeof text, "%s: %s came", w->comm->host, ncc_stop_signal());
  NCC_TRY(ncc_message_problem(NCC_ERR_STOPPED, text, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
cleanup:
  return status;
}

static ncc_status send_results(worker *w, bool *progress) {
  ncc_status status = NCC_OK;
  ncc_finished done = {0};
  while (ncc_pipeline_take(w->pipeline, &done)) {
    void *bytes = NULL;
    int64_t n_bytes;
    char text[NCC_MESSAGE_TEXT];
    *progress = true;
    NCC_TRY(tell_signal(w));
    if (done.status != NCC_OK) {
      ncc_stop_ask(w->stop);
      snprintf(text, sizeof text, "%s: %.400s", w->comm->host, done.message);
      NCC_TRY(ncc_message_problem(done.status, text, &bytes, &n_bytes));
      NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
    }
    NCC_TRY(ncc_message_results(done.batch, &bytes, &n_bytes));
    NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
    ncc_batch_destroy(&done.batch);
  }
cleanup:
  ncc_batch_destroy(&done.batch);
  return status;
}

static ncc_status say_goodbye(worker *w) {
  ncc_status status = NCC_OK;
  ncc_rank_stats stats;
  void *bytes;
  int64_t n_bytes;
  bool progress = false;
  ncc_pipeline_finish(w->pipeline, &stats);
  NCC_TRY(ncc_message_stats(&stats, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
  for (int step = 0; w->outbox.n > 0;) {
    NCC_TRY(ncc_outbox_poll(&w->outbox, &progress));
    if (w->outbox.n > 0) ncc_pipeline_wait(w->pipeline, ncc_backoff_us(&step, false));
  }
cleanup:
  return status;
}

ncc_status ncc_worker_run(const ncc_comm *comm, const ncc_catalog *catalog, ncc_pipeline *pipeline, ncc_store *store,
                          volatile int *stop) {
  ncc_status status = NCC_OK;
  worker w = {.comm = comm, .catalog = catalog, .pipeline = pipeline, .store = store, .stop = stop};
  NCC_TRY(ncc_inbox_create(&w.inbox, 1));
  for (int step = 0; !w.ended;) {
    bool progress = false;
    NCC_TRY(ncc_outbox_poll(&w.outbox, &progress));
    NCC_TRY(take_messages(&w, &progress));
    NCC_TRY(take_arrivals(&w, &progress));
    NCC_TRY(tell_signal(&w));
    NCC_TRY(send_results(&w, &progress));
    if (progress)
      step = 0;
    else
      ncc_pipeline_wait(pipeline, ncc_backoff_us(&step, w.n_arrivals > 0 || w.outbox.n > 0));
  }
  NCC_TRY(say_goodbye(&w));
cleanup:
  while (w.n_arrivals > 0) {
    ncc_batch_destroy(&w.arrivals[--w.n_arrivals].batch);
    ncc_arrival_clear(&w.arrivals[w.n_arrivals]);
  }
  for (int64_t i = 0; i < w.had.n; i++)
    ncc_store_drop(store, (ncc_object_kind)w.had.items[i].kind, w.had.items[i].index);
  free(w.had.items);
  ncc_inbox_clear(&w.inbox);
  ncc_outbox_clear(&w.outbox);
  return status;
}
