#include "mpi/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/rank/message.h"
#include "mpi/rank/stop.h"
#include "mpi/shipping.h"

enum { MAX_ARRIVALS = 4 }; /* rank 0 hands out so many at a time at most */

typedef struct worker {
  const ncc_comm *comm;
  const ncc_catalog *catalog;
  ncc_lane *lane;
  ncc_pixels_pool *pool; /* where pixels are shipped */
  volatile int *stop;
  ncc_outbox outbox;
  ncc_inbox inbox;
  ncc_arrival arrivals[MAX_ARRIVALS]; /* in order; the matcher gets them in that order */
  int n_arrivals;
  ncc_kept kept; /* the previous hand-out's pixels, where pixels are shipped */
  bool ended;
  bool told_signal;
} worker;

static ncc_status take_work(worker *w, const void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  ncc_handout *handout = NULL;
  NCC_TRY(ncc_message_read_work(bytes, n_bytes, w->catalog, &handout));
  handout->dest = w->comm->rank;
  if (!w->pool) {
    ncc_lane_load(w->lane, handout);
    handout = NULL;
    goto cleanup;
  }
  for (int64_t i = 0; i < handout->n_needs; i++) {
    ncc_need *need = &handout->needs[i];
    if (need->state != NCC_NEED_KEPT) continue;
    const ncc_need *known = ncc_kept_find(&w->kept, need);
    NCC_CHECK(known && known->pixels, NCC_ERR_COMM, "rank 0 takes %s number %lld for kept, but it is not",
              need->kind == NCC_IMAGE ? "image" : "template", (long long)need->index);
    need->pixels = ncc_pixels_share(known->pixels);
  }
  NCC_CHECK(w->n_arrivals < MAX_ARRIVALS, NCC_ERR_COMM, "rank 0 hands out more than %d at a time", MAX_ARRIVALS);
  ncc_arrival *arrival = &w->arrivals[w->n_arrivals++];
  NCC_TRY(ncc_arrival_start(w->comm, w->catalog, w->pool, handout, arrival));
  handout = NULL; /* the arrival's now */
  NCC_TRY(ncc_kept_replace(&w->kept, arrival->handout, true));
cleanup:
  if (status != NCC_OK && w->n_arrivals > 0 && w->arrivals[w->n_arrivals - 1].handout == handout) handout = NULL;
  ncc_handout_release(handout);
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

/** Passes hand-outs whose pixels have arrived to the matcher, in order. */
static ncc_status take_arrivals(worker *w, bool *progress) {
  ncc_status status = NCC_OK;
  while (w->n_arrivals > 0) {
    bool complete = false;
    NCC_TRY(ncc_arrival_poll(&w->arrivals[0], &complete));
    if (!complete) break;
    *progress = true;
    ncc_lane_compute(w->lane, w->arrivals[0].handout);
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
  ncc_handout *handout;
  while ((handout = ncc_lane_take(w->lane))) {
    void *bytes = NULL;
    int64_t n_bytes;
    char text[NCC_MESSAGE_TEXT];
    *progress = true;
    NCC_TRY(tell_signal(w));
    if (handout->status != NCC_OK) {
      ncc_stop_ask(w->stop);
      snprintf(text, sizeof text, "%s: %.400s", w->comm->host, handout->message);
      NCC_TRY(ncc_message_problem(handout->status, text, &bytes, &n_bytes));
      NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
    }
    NCC_TRY(ncc_message_results(handout, &bytes, &n_bytes));
    NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
    ncc_handout_release(handout);
  }
cleanup:
  ncc_handout_release(handout);
  return status;
}

static ncc_status say_goodbye(worker *w) {
  ncc_status status = NCC_OK;
  ncc_rank_stats stats;
  void *bytes;
  int64_t n_bytes;
  bool progress = false;
  ncc_lane_finish(w->lane, &stats);
  NCC_TRY(ncc_message_stats(&stats, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&w->outbox, w->comm, 0, bytes, n_bytes));
  for (int step = 0; w->outbox.n > 0;) {
    NCC_TRY(ncc_outbox_poll(&w->outbox, &progress));
    if (w->outbox.n > 0) ncc_lane_wait(w->lane, ncc_backoff_us(&step, false));
  }
cleanup:
  return status;
}

ncc_status ncc_worker_run(const ncc_comm *comm, const ncc_catalog *catalog, ncc_lane *lane, ncc_pixels_pool *pool,
                          volatile int *stop) {
  ncc_status status = NCC_OK;
  worker w = {.comm = comm, .catalog = catalog, .lane = lane, .pool = pool, .stop = stop};
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
      ncc_lane_wait(lane, ncc_backoff_us(&step, w.n_arrivals > 0 || w.outbox.n > 0));
  }
  NCC_TRY(say_goodbye(&w));
cleanup:
  while (w.n_arrivals > 0) {
    ncc_handout_release(w.arrivals[--w.n_arrivals].handout);
    ncc_arrival_clear(&w.arrivals[w.n_arrivals]);
  }
  ncc_kept_clear(&w.kept);
  ncc_inbox_clear(&w.inbox);
  ncc_outbox_clear(&w.outbox);
  return status;
}
