#include "mpi/dispatcher.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mpi/rank/gather.h"
#include "mpi/rank/message.h"
#include "mpi/rank/stop.h"
#include "mpi/rank/supply.h"
#include "mpi/rank/watchdog.h"
#include "mpi/shipping.h"

enum { INBOX_LETTERS = 64 };
#define PROGRESS_S 0.1
#define TURN_S 0.002                       /* then something else is looked at */
#define SILENCE_S 0.05                     /* all ranks are looked at so seldom: there may be thousands */
#define MOST_UNWRITTEN ((int64_t)32 << 20) /* bytes: nothing more is handed out while the disk is so far behind */

typedef struct peer {
  ncc_supplied out[NCC_SCHEDULE_AHEAD]; /* outstanding, oldest first */
  int n_out;
  int64_t n_given;
  double heard_s; /* on the watchdog's clock, when it last gave something back */
  bool said_goodbye;
} peer;

typedef struct dispatcher {
  ncc_dispatcher_options o;
  ncc_outbox outbox;
  ncc_inbox inbox;
  ncc_supply supply;
  ncc_gatherer gatherer;
  peer *peers;         /* [ranks] */
  int64_t outstanding; /* batches of all peers */
  bool held_back;      /* a rank got nothing because the disk is behind */
  int64_t total;       /* pairs */
  int64_t failed;      /* likewise */
  bool stopping;
  ncc_status problem;
  char *message; /* [NCC_MESSAGE_TEXT] */
  ncc_rank_stats *stats;
  int goodbyes;
  double write_s, progress_s, silence_s;
  double time_up_s; /* by ncc_clock_s() */
  char time_reason[96];
  ncc_watchdog watchdog;
  bool ended;
  double ended_s;
  double loaded_s;  /* on the watchdog's clock, when this rank's reader last finished something */
  uint8_t *told[2]; /* by ncc_object_kind, [count]: already known to be unreadable; NULL until there is one */
  ncc_job_totals *totals;
} dispatcher;

static ncc_status send_plain(dispatcher *d, int dest, ncc_message_type type) {
  ncc_status status = NCC_OK;
  void *bytes;
  int64_t n_bytes;
  NCC_TRY(ncc_message_plain(type, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&d->outbox, d->o.comm, dest, bytes, n_bytes));
cleanup:
  return status;
}

/** Something must end the job early; the first such thing is what it ends with. */
static ncc_status stop(dispatcher *d, ncc_status problem, int rank, const char *text) {
  ncc_status status = NCC_OK;
  if (d->stopping) return NCC_OK;
  d->stopping = true;
  d->problem = problem;
  if (rank == 0)
    snprintf(d->message, NCC_MESSAGE_TEXT, "%.*s", NCC_MESSAGE_TEXT - 1, text);
  else /* a worker's text begins with its host */
    snprintf(d->message, NCC_MESSAGE_TEXT, "rank %d on %.*s", rank, NCC_MESSAGE_TEXT - 32, text);
  ncc_stop_ask(d->o.stop);
  for (int dest = 1; dest < d->o.comm->ranks; dest++) NCC_TRY(send_plain(d, dest, NCC_MESSAGE_STOP));
  ncc_output_sync(d->o.output); /* a launcher that sent a signal will soon kill; a failure shows at the end */
cleanup:
  return status;
}

/** Signals and limits of this rank. */
static ncc_status check_limits(dispatcher *d) {
  char text[NCC_MESSAGE_TEXT];
  if (d->stopping) return NCC_OK;
  if (ncc_stop_asked(d->o.stop)) {
    const char *name = ncc_stop_signal();
    snprintf(text, sizeof text, "%s came", name ? name : "a request to stop");
  } else if (ncc_clock_s() > d->time_up_s) {
    snprintf(text, sizeof text, "%s is reached", d->time_reason);
  } else if (d->failed > d->o.max_failed) {
    snprintf(text, sizeof text, "%lld pairs failed, more than --max-failed %lld", (long long)d->failed,
             (long long)d->o.max_failed);
  } else {
    return NCC_OK;
  }
  return stop(d, NCC_ERR_STOPPED, 0, text);
}

/* ---- handing out ------------------------------------------------------------------------------------------------ */

/** Pixels of a batch are sent and released. */
static void pixels_sent(void *pipeline, int64_t bytes) {
  ncc_pipeline_shipped(pipeline, bytes);
}

static ncc_status send_work(dispatcher *d, int rank, ncc_supplied *given) {
  ncc_status status = NCC_OK;
  void *bytes;
  int64_t n_bytes;
  NCC_TRY(ncc_message_work(given->batch, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&d->outbox, d->o.comm, rank, bytes, n_bytes));
  given->sent_s = d->watchdog.awake_s;
  if (!d->o.ship) goto cleanup;
  d->totals->bytes_shipped += ncc_batch_shipped_bytes(given->batch);
  NCC_TRY(ncc_pixels_send(d->o.comm, &d->outbox, rank, given->batch, pixels_sent, d->o.pipeline));
cleanup:
  return status;
}

/** Rows that may wait for the disk. */
static int64_t most_unwritten(const dispatcher *d) {
  return MOST_UNWRITTEN / NCC_WAITING_ROW_BYTES(d->o.search->peaks);
}

/** Whether a rank may have one batch more. */
static bool may_have_more(dispatcher *d, const peer *p) {
  double cost_s = 0;
  int64_t bytes = 0;
  for (int i = 0; i < p->n_out; i++) {
    cost_s += p->out[i].cost.seconds;
    bytes += p->out[i].pixel_bytes;
  }
  if (d->stopping || !ncc_schedule_may_have_more(d->o.schedule, p->n_out, cost_s, bytes)) return false;
  if (ncc_output_unwritten(d->o.output) < most_unwritten(d)) return true;
  d->held_back = true;
  return false;
}

/** Gives a rank one batch more, if it may have one and there is any. @param[out] given  or NULL. */
static ncc_status give(dispatcher *d, int rank, bool *given) {
  ncc_status status = NCC_OK;
  peer *p = &d->peers[rank];
  ncc_supplied *next = &p->out[p->n_out];
  if (given) *given = false;
  if (!may_have_more(d, p)) return NCC_OK;
  NCC_TRY(ncc_supply_next(&d->supply, rank, p->n_given, next));
  if (!next->batch) return NCC_OK;
  if (given) *given = true;
  p->n_out++;
  p->n_given++;
  d->outstanding++;
  if (rank == 0) next->sent_s = d->watchdog.awake_s;
  if (rank == 0 || d->o.ship)
    NCC_TRY(ncc_pipeline_load(d->o.pipeline, next->batch, rank));
  else
    NCC_TRY(send_work(d, rank, next));
cleanup:
  return status;
}

/** Goes on handing out once the disk has caught up. */
static ncc_status go_on(dispatcher *d) {
  ncc_status status = NCC_OK;
  if (d->stopping) d->held_back = false;
  if (!d->held_back || ncc_output_unwritten(d->o.output) > most_unwritten(d) / 2) return NCC_OK;
  d->held_back = false;
  for (int rank = 0; rank < d->o.comm->ranks; rank++)
    for (bool given = true; given;) NCC_TRY(give(d, rank, &given));
cleanup:
  return status;
}

/* ---- taking back ------------------------------------------------------------------------------------------------ */

/** Where a rank's list has a batch; n_out where it has not. */
static int slot_of(const peer *p, int64_t id) {
  int slot = 0;
  while (slot < p->n_out && p->out[slot].batch->id != id) slot++;
  return slot;
}

/** Takes a batch off the list of what its rank holds. */
static ncc_supplied take_off(dispatcher *d, int rank, int slot) {
  peer *p = &d->peers[rank];
  ncc_supplied off = p->out[slot];
  memmove(&p->out[slot], &p->out[slot + 1], (size_t)(--p->n_out - slot) * sizeof *p->out);
  d->outstanding--;
  return off;
}

/** Keeps the first reasons, each once: many objects may lie in one file. */
static void note_reason(ncc_job_totals *totals, const char *reason) {
  int i = 0;
  while (i < totals->n_reasons && strcmp(totals->reasons[i], reason) != 0) i++;
  if (i == NCC_JOB_REASONS) return;
  if (i == totals->n_reasons) memcpy(totals->reasons[totals->n_reasons++], reason, NCC_MESSAGE_TEXT);
  totals->unreadable_told++;
}

/** Notes what could not be read: each object once, whichever ranks have tried. */
static ncc_status note_unreadable(dispatcher *d, const ncc_batch *batch) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = d->o.work->catalog;
  for (int64_t i = 0; i < batch->n_unreadable; i++) {
    const ncc_unreadable *u = &batch->unreadable[i];
    uint8_t **told = &d->told[u->kind];
    int64_t count = u->kind == NCC_IMAGE ? catalog->images.count : catalog->templates.count;
    if (!*told) *told = calloc((size_t)count, 1);
    NCC_CHECK(*told, NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)count);
    if ((*told)[u->index]) continue;
    (*told)[u->index] = 1;
    d->totals->unreadable++;
    note_reason(d->totals, u->reason);
  }
cleanup:
  return status;
}

/** Passes a result of a piece on: of angles that ranks share the row's, once all are there.
 *  @param[in] i  in the piece. @param[out] final  it is a row's */
static ncc_status gather(dispatcher *d, const ncc_piece *piece, int64_t i, int64_t row, ncc_result *result,
                         bool *final) {
  ncc_status status = NCC_OK;
  ncc_gathering what = NCC_GATHER_DONE;
  int64_t turn = piece->turn - 1 + i;
  if (piece->tried)
    NCC_TRY(ncc_gatherer_take(&d->gatherer, row, &turn, result, &what));
  else if (piece->turn > 0)
    ncc_gatherer_answered(&d->gatherer, row, result);
  if (what == NCC_GATHER_AGAIN) NCC_TRY(ncc_supply_again(&d->supply, row, turn));
  *final = what == NCC_GATHER_DONE;
cleanup:
  return status;
}

/** Puts the rows that a batch has brought to its begin. @param[out] n  of them. @param[out] missing  results */
static ncc_status collect(dispatcher *d, const ncc_supplied *done, int64_t *n, int64_t *missing) {
  ncc_status status = NCC_OK;
  const ncc_batch *batch = done->batch;
  const ncc_piece *piece = batch->pieces;
  *n = *missing = 0;
  for (int64_t i = 0, first = 0; i < batch->n_pairs; i++) {
    ncc_result *result = &batch->results[i];
    bool final = result->status != NCC_PAIR_PENDING;
    if (i == first + piece->count) {
      first = i;
      piece++;
    }
    *missing += !final;
    if (final) NCC_TRY(gather(d, piece, i - first, done->rows[i], result, &final));
    if (!final) continue;
    d->failed += result->status == NCC_PAIR_NONFINITE || result->status == NCC_PAIR_UNREADABLE ||
                 result->status == NCC_PAIR_UNCERTAIN;
    done->rows[*n] = done->rows[i];
    if (batch->peaks)
      memmove(batch->peaks + *n * batch->n_peaks, batch->peaks + i * batch->n_peaks,
              (size_t)batch->n_peaks * sizeof *batch->peaks);
    batch->results[(*n)++] = *result;
  }
cleanup:
  return status;
}

/** Writes what a batch has brought; after a stop some of it may be pending still. */
static ncc_status write_results(dispatcher *d, const ncc_supplied *done) {
  double started_s = ncc_clock_s();
  const ncc_batch *batch = done->batch;
  int64_t n, missing;
  ncc_status status = collect(d, done, &n, &missing);
  if (status == NCC_OK && missing > 0 && !d->stopping)
    status = ncc_error_set(NCC_ERR_INTERNAL, "%lld of %lld results of a hand-out are missing", (long long)missing,
                           (long long)batch->n_pairs);
  if (status == NCC_OK && n > 0) status = ncc_output_write(d->o.output, n, done->rows, batch->results, batch->peaks);
  if (status == NCC_OK) d->totals->pairs += n;
  d->write_s += ncc_clock_s() - started_s;
  return status == NCC_OK ? NCC_OK : stop(d, status, 0, ncc_error_message());
}

/** Takes a batch that is done: gives the rank its next first, so that it need not wait for the rest of this. */
static ncc_status finish(dispatcher *d, int rank, int slot) {
  ncc_status status = NCC_OK;
  ncc_supplied done = take_off(d, rank, slot);
  ncc_batch *batch = done.batch;
  if (!d->stopping) ncc_schedule_observe(d->o.schedule, &done.cost, batch->elapsed_s, batch->image_s, d->o.threads);
  ncc_watchdog_learn(&d->watchdog, done.cost.seconds, batch->elapsed_s);
  d->peers[rank].heard_s = d->watchdog.awake_s;
  for (bool given = true; given;) NCC_TRY(give(d, rank, &given));
  NCC_TRY(note_unreadable(d, batch));
  NCC_TRY(write_results(d, &done));
  for (bool given = d->supply.n_again > 0; given;) NCC_TRY(give(d, rank, &given));
cleanup:
  ncc_supplied_clear(&done);
  return status;
}

/** Batches that this rank's own threads are done with: computed, or loaded for another rank. */
static ncc_status take_own(dispatcher *d, bool *progress) {
  ncc_status status = NCC_OK;
  ncc_finished done;
  const double until_s = ncc_clock_s() + TURN_S;
  while (ncc_clock_s() < until_s && ncc_pipeline_take(d->o.pipeline, &done)) {
    peer *p = &d->peers[done.rank];
    int slot = slot_of(p, done.batch->id);
    *progress = true;
    d->loaded_s = d->watchdog.awake_s;
    NCC_TRY(check_limits(d)); /* what was cut short by a signal must not go out */
    if (done.status != NCC_OK) NCC_TRY(stop(d, done.status, 0, done.message));
    if (done.rank == d->o.comm->rank) {
      NCC_TRY(finish(d, done.rank, slot));
    } else if (d->stopping) { /* never sent, so never to come back */
      int64_t bytes = ncc_batch_shipped_bytes(done.batch);
      ncc_supplied off = take_off(d, done.rank, slot);
      ncc_supplied_clear(&off);
      ncc_pipeline_shipped(d->o.pipeline, bytes);
    } else {
      NCC_TRY(send_work(d, done.rank, &p->out[slot]));
    }
  }
cleanup:
  return status;
}

static ncc_status take_results(dispatcher *d, int source, const void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  int64_t id;
  peer *p = &d->peers[source];
  NCC_TRY(ncc_message_results_id(bytes, n_bytes, &id));
  int slot = slot_of(p, id);
  NCC_CHECK(slot < p->n_out, NCC_ERR_COMM, "rank %d sent results for batch %lld, which it does not have", source,
            (long long)id);
  NCC_TRY(ncc_message_read_results(bytes, n_bytes, p->out[slot].batch));
  NCC_TRY(finish(d, source, slot));
cleanup:
  return status;
}

static ncc_status take_message(dispatcher *d, int source, const void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  ncc_message_type type;
  ncc_status problem;
  char text[NCC_MESSAGE_TEXT];
  NCC_TRY(ncc_message_check(bytes, n_bytes, &type));
  switch (type) {
    case NCC_MESSAGE_RESULTS:
      NCC_TRY(take_results(d, source, bytes, n_bytes));
      break;
    case NCC_MESSAGE_PROBLEM:
      NCC_TRY(ncc_message_read_problem(bytes, n_bytes, &problem, text));
      NCC_TRY(stop(d, problem, source, text));
      break;
    case NCC_MESSAGE_STATS:
      NCC_CHECK(!d->peers[source].said_goodbye, NCC_ERR_COMM, "rank %d ended twice", source);
      NCC_TRY(ncc_message_read_stats(bytes, n_bytes, &d->stats[source]));
      d->peers[source].said_goodbye = true;
      d->goodbyes++;
      break;
    default:
      NCC_CHECK(false, NCC_ERR_COMM, "rank %d sent a message of type %d, expected results", source, type);
  }
cleanup:
  return status;
}

static ncc_status take_messages(dispatcher *d, bool *progress) {
  ncc_status status = NCC_OK;
  void *bytes = NULL;
  int64_t n_bytes;
  const double until_s = ncc_clock_s() + TURN_S;
  for (int source; ncc_clock_s() < until_s;) { /* others are to have their turn, however many messages come */
    NCC_TRY(ncc_inbox_poll(&d->inbox, d->o.comm, &source, &bytes, &n_bytes));
    if (!bytes) break;
    *progress = true;
    NCC_TRY(take_message(d, source, bytes, n_bytes));
    free(bytes);
    bytes = NULL;
  }
cleanup:
  free(bytes);
  return status;
}

/* ---- ranks that hang ------------------------------------------------------------------------------------------- */

/** Nobody can wake a rank that hangs, nor end the job in order without it: what is done is made durable, and the
 *  process that returns from here with this error aborts all. */
static ncc_status give_up(dispatcher *d, int rank, const ncc_supplied *held, double silent_s) {
  char what[160] = "ending";
  if (held)
    snprintf(what, sizeof what, "hand-out %lld: %lld pairs from row %lld on, image id %lld, predicted to take %.3g s",
             (long long)held->batch->id, (long long)held->batch->n_pairs, (long long)held->rows[0],
             (long long)ncc_objects_get(&d->o.work->catalog->images, held->batch->pieces[0].image).id,
             held->cost.seconds);
  ncc_status synced = ncc_output_sync(d->o.output);
  return ncc_error_set(NCC_ERR_STOPPED, "rank %d on %s has not answered for %.0f s (%s%s); %s", rank,
                       d->o.facts[rank].host, silent_s, held && held->sent_s == 0 ? "reading the pixels of " : "", what,
                       synced == NCC_OK ? "what is done is kept: go on with --resume" : ncc_error_message());
}

static ncc_status check_silence(dispatcher *d) {
  d->silence_s = ncc_clock_s();
  double now_s = ncc_watchdog_look(&d->watchdog, d->silence_s);
  for (int rank = 0; rank < d->o.comm->ranks; rank++) {
    const peer *p = &d->peers[rank];
    const ncc_supplied *held = p->n_out > 0 ? &p->out[0] : NULL;
    if (!held && (!d->ended || rank == 0 || p->said_goodbye)) continue;
    bool loading = held && held->sent_s == 0; /* then it is this rank's reader that is waited for */
    double since_s = loading ? d->loaded_s : p->heard_s;
    if (held) since_s = fmax(since_s, held->sent_s);
    if (held && rank == 0) since_s = fmax(since_s, d->loaded_s); /* it may wait for others' pixels */
    if (!held) since_s = fmax(since_s, d->ended_s);
    if (now_s - since_s > ncc_watchdog_limit_s(&d->watchdog, held ? held->cost.seconds : 0))
      return give_up(d, loading ? 0 : rank, held, now_s - since_s);
  }
  return NCC_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void report_progress(dispatcher *d) {
  double now_s = ncc_clock_s();
  const ncc_job_observer *observer = d->o.observer;
  if (!observer || !observer->progressed || now_s - d->progress_s < PROGRESS_S) return;
  d->progress_s = now_s;
  observer->progressed(observer->context, d->totals->pairs, d->total);
}

/** One round of everything, then a rest if nothing happened. */
static ncc_status turn(dispatcher *d, int *step) {
  ncc_status status = NCC_OK;
  bool progress = false;
  double cpu_s = ncc_clock_thread_cpu_s();
  NCC_TRY(check_limits(d));
  if (ncc_clock_s() - d->silence_s > SILENCE_S) NCC_TRY(check_silence(d));
  NCC_TRY(ncc_outbox_poll(&d->outbox, &progress));
  NCC_TRY(take_messages(d, &progress));
  NCC_TRY(take_own(d, &progress));
  NCC_TRY(go_on(d));
  report_progress(d);
  if (progress) d->totals->turn_cpu_s = fmax(d->totals->turn_cpu_s, ncc_clock_thread_cpu_s() - cpu_s);
  if (progress)
    *step = 0;
  else
    ncc_pipeline_wait(d->o.pipeline, ncc_backoff_us(step, d->outbox.n > 0 || d->inbox.n > 0));
cleanup:
  return status;
}

ncc_status ncc_dispatcher_run(const ncc_dispatcher_options *options, ncc_rank_stats *stats, ncc_job_totals *totals,
                              ncc_status *problem, char *message) {
  ncc_status status = NCC_OK;
  dispatcher d = {.o = *options, .stats = stats, .totals = totals, .message = message, .problem = NCC_OK};
  int ranks = options->comm->ranks, step = 0;
  d.total = ncc_schedule_pairs(options->schedule);
  ncc_watchdog_start(&d.watchdog, ncc_clock_s());
  d.time_up_s = ncc_clock_s() + ncc_stop_time_left_s(options->time_limit_s, ncc_clock_s() - options->started_s,
                                                     d.time_reason, sizeof d.time_reason);
  d.peers = calloc((size_t)ranks, sizeof *d.peers);
  NCC_CHECK(d.peers, NCC_ERR_NOMEM, "out of memory for %d ranks", ranks);
  NCC_TRY(ncc_inbox_create(&d.inbox, INBOX_LETTERS));
  NCC_TRY(ncc_supply_create(options->work, options->schedule, options->search, options->ship ? NULL : options->input,
                            &d.supply));
  d.gatherer = (ncc_gatherer){.search = options->search, .turns = options->work->turns};
  NCC_TRY(check_limits(&d));
  double first_s = ncc_clock_s();
  for (int round = 0; round < NCC_SCHEDULE_AHEAD; round++)
    for (int rank = 0; rank < ranks; rank++) NCC_TRY(give(&d, rank, NULL));
  while (d.outstanding > 0 || d.held_back) NCC_TRY(turn(&d, &step));
  totals->dispatch_s = ncc_clock_s() - first_s;
  totals->handouts = d.supply.n_batches;
  totals->chunks = d.supply.n_chunks;
  for (int rank = 1; rank < ranks; rank++) NCC_TRY(send_plain(&d, rank, NCC_MESSAGE_END));
  d.ended = true;
  d.ended_s = d.watchdog.awake_s;
  step = 0;
  while (d.goodbyes < ranks - 1 || d.outbox.n > 0) NCC_TRY(turn(&d, &step));
  ncc_pipeline_finish(options->pipeline, &stats[0]);
  stats[0].write_s = d.write_s;
  *problem = d.problem;
cleanup:
  free(d.peers); /* after a failure batches are left to the threads that still use them: the process is to end */
  ncc_supply_clear(&d.supply);
  ncc_gatherer_clear(&d.gatherer);
  for (int kind = 0; kind < 2; kind++) free(d.told[kind]);
  ncc_inbox_clear(&d.inbox);
  ncc_outbox_clear(&d.outbox);
  return status;
}
