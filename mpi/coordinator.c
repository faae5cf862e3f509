#include "mpi/coordinator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mpi/rank/message.h"
#include "mpi/rank/stop.h"
#include "mpi/rank/watchdog.h"
#include "mpi/shipping.h"

enum { INBOX_LETTERS = 64 };
#define PROGRESS_S 0.1
#define TURN_S 0.002   /* then something else is looked at */
#define SILENCE_S 0.05 /* all ranks are looked at so seldom: there may be thousands */

typedef struct peer {
  ncc_handout *out[NCC_SCHEDULE_AHEAD]; /* outstanding, oldest first */
  int n_out;
  int64_t n_given;
  double heard_s; /* on the watchdog's clock, when it last gave something back */
  bool said_goodbye;
} peer;

typedef struct coordinator {
  ncc_coordinator_options o;
  ncc_outbox outbox;
  ncc_inbox inbox;
  peer *peers;               /* [ranks] */
  int64_t outstanding;       /* hand-outs of all peers */
  ncc_assignment assignment; /* of the hand-out being made */
  uint32_t *uses[2];         /* by ncc_object_kind, [count]: pairs that are not handed out yet */
  int64_t next_id, total;
  bool stopping;
  ncc_status problem;
  char *message; /* [NCC_MESSAGE_TEXT] */
  ncc_rank_stats *stats;
  int goodbyes;
  double write_s, progress_s, silence_s;
  double time_up_s; /* by ncc_clock_s() */
  char time_reason[96];
  int64_t failed; /* pairs */
  ncc_watchdog watchdog;
  bool ended;
  double ended_s;
  double loaded_s; /* on the watchdog's clock, when this rank's reader last finished something */
  ncc_job_totals *totals;
} coordinator;

static ncc_status send_plain(coordinator *c, int dest, ncc_message_type type) {
  ncc_status status = NCC_OK;
  void *bytes;
  int64_t n_bytes;
  NCC_TRY(ncc_message_plain(type, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&c->outbox, c->o.comm, dest, bytes, n_bytes));
cleanup:
  return status;
}

/** Something must end the job early; the first such thing is what it ends with. */
static ncc_status stop(coordinator *c, ncc_status problem, int rank, const char *text) {
  ncc_status status = NCC_OK;
  if (c->stopping) return NCC_OK;
  c->stopping = true;
  c->problem = problem;
  if (rank == 0)
    snprintf(c->message, NCC_MESSAGE_TEXT, "%.*s", NCC_MESSAGE_TEXT - 1, text);
  else /* a worker's text begins with its host */
    snprintf(c->message, NCC_MESSAGE_TEXT, "rank %d on %.*s", rank, NCC_MESSAGE_TEXT - 32, text);
  ncc_stop_ask(c->o.stop);
  for (int dest = 1; dest < c->o.comm->ranks; dest++) NCC_TRY(send_plain(c, dest, NCC_MESSAGE_STOP));
  ncc_output_sync(c->o.output); /* a launcher that sent a signal will soon kill; a failure shows at the end */
cleanup:
  return status;
}

/** Signals and limits of this rank. */
static ncc_status check_limits(coordinator *c) {
  char text[NCC_MESSAGE_TEXT];
  if (c->stopping) return NCC_OK;
  if (ncc_stop_asked(c->o.stop)) {
    const char *name = ncc_stop_signal();
    snprintf(text, sizeof text, "%s came", name ? name : "a request to stop");
  } else if (ncc_clock_s() > c->time_up_s) {
    snprintf(text, sizeof text, "%s is reached", c->time_reason);
  } else if (c->failed > c->o.max_failed) {
    snprintf(text, sizeof text, "%lld pairs failed, more than --max-failed %lld", (long long)c->failed,
             (long long)c->o.max_failed);
  } else {
    return NCC_OK;
  }
  return stop(c, NCC_ERR_STOPPED, 0, text);
}

/* ---- handing out ------------------------------------------------------------------------------------------------ */

/** Counts the pairs that need each object; a count that does not fit stays at its most. */
static ncc_status count_uses(coordinator *c) {
  ncc_status status = NCC_OK;
  const ncc_objects *objects[2] = {&c->o.catalog->images, &c->o.catalog->templates};
  for (int kind = 0; kind < 2; kind++) {
    c->uses[kind] = calloc((size_t)objects[kind]->count + 1, sizeof *c->uses[kind]);
    NCC_CHECK(c->uses[kind], NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)objects[kind]->count);
  }
  for (int64_t i = 0; i < c->total; i++) {
    const ncc_work_row *row = &c->o.work->rows[ncc_schedule_row(c->o.schedule, i)];
    uint32_t *uses[2] = {&c->uses[NCC_IMAGE][row->image], &c->uses[NCC_TEMPLATE][row->tmpl]};
    for (int kind = 0; kind < 2; kind++) *uses[kind] += *uses[kind] < UINT32_MAX;
  }
cleanup:
  return status;
}

/** Counts a hand-out's pairs as handed out, and marks what others will need again. */
static void take_uses(coordinator *c, ncc_handout *handout) {
  for (int64_t i = 0; i < handout->n_pairs; i++) {
    const ncc_work_row *row = &c->o.work->rows[handout->rows[i]];
    uint32_t *uses[2] = {&c->uses[NCC_IMAGE][row->image], &c->uses[NCC_TEMPLATE][row->tmpl]};
    for (int kind = 0; kind < 2; kind++) *uses[kind] -= *uses[kind] < UINT32_MAX;
  }
  for (int64_t i = 0; i < handout->n_needs; i++) {
    ncc_need *need = &handout->needs[i];
    need->again = c->uses[need->kind][need->index] > 0;
    ncc_object object =
        ncc_objects_get(need->kind == NCC_IMAGE ? &c->o.catalog->images : &c->o.catalog->templates, need->index);
    handout->pixel_bytes += ncc_object_bytes(&object);
  }
}

/** The next hand-out for a rank, or NULL. */
static ncc_status make_handout(coordinator *c, int rank, ncc_handout **out) {
  ncc_status status = NCC_OK;
  ncc_handout *handout = NULL;
  ncc_assignment *assignment = &c->assignment;
  int64_t at = 0;
  *out = NULL;
  NCC_TRY(ncc_schedule_take(c->o.schedule, rank, c->peers[rank].n_given, assignment));
  if (assignment->n_chunks == 0) return NCC_OK;
  NCC_TRY(ncc_handout_create(assignment->n_chunks, assignment->n_pairs, c->o.catalog->windows != NULL, true, &handout));
  handout->id = c->next_id++;
  handout->dest = rank;
  handout->cost = assignment->cost;
  c->totals->chunks += assignment->n_chunks;
  for (int64_t i = 0; i < assignment->n_chunks; i++) {
    const ncc_chunk *chunk = &assignment->chunks[i];
    handout->pieces[i].image = c->o.work->rows[ncc_schedule_row(c->o.schedule, chunk->first)].image;
    handout->pieces[i].count = chunk->count;
    for (int64_t k = 0; k < chunk->count; k++, at++) {
      int64_t row = ncc_schedule_row(c->o.schedule, chunk->first + k);
      handout->rows[at] = row;
      handout->templates[at] = c->o.work->rows[row].tmpl;
      if (handout->windows) handout->windows[at] = c->o.catalog->windows[row];
    }
  }
  NCC_TRY(ncc_handout_find_needs(handout));
  take_uses(c, handout);
  *out = handout;
  handout = NULL;
cleanup:
  ncc_handout_release(handout);
  return status;
}

/** A message with pixels of a hand-out is sent. */
static void pixels_sent(void *object) {
  ncc_handout *handout = object;
  if (--handout->unsent == 0) {
    ncc_handout_drop_pixels(handout); /* first: the reader may be waiting for their memory */
    ncc_lane_shipped(handout->lane, handout->shipped_bytes);
  }
  ncc_handout_release(handout);
}

static ncc_status send_work(coordinator *c, ncc_handout *handout) {
  ncc_status status = NCC_OK;
  void *bytes;
  int64_t n_bytes;
  NCC_TRY(ncc_message_work(handout, &bytes, &n_bytes));
  NCC_TRY(ncc_outbox_send(&c->outbox, c->o.comm, handout->dest, bytes, n_bytes));
  handout->sent_s = c->watchdog.awake_s;
  if (!c->o.ship) goto cleanup;
  handout->lane = c->o.lane;
  handout->shipped_bytes = ncc_handout_shipped_bytes(handout);
  NCC_TRY(ncc_pixels_send(c->o.comm, &c->outbox, handout, pixels_sent, &handout->unsent));
  handout->refs += handout->unsent;
  c->totals->bytes_shipped += handout->shipped_bytes;
cleanup:
  return status;
}

static bool may_have_more(const coordinator *c, const peer *p) {
  double cost_s = 0;
  int64_t bytes = 0;
  for (int i = 0; i < p->n_out; i++) {
    cost_s += p->out[i]->cost.seconds;
    bytes += p->out[i]->pixel_bytes;
  }
  return !c->stopping && ncc_schedule_may_have_more(c->o.schedule, p->n_out, cost_s, bytes);
}

/** Gives a rank one hand-out more, if it may have one and there is any. @param[out] given  or NULL. */
static ncc_status give(coordinator *c, int rank, bool *given) {
  ncc_status status = NCC_OK;
  ncc_handout *handout = NULL;
  peer *p = &c->peers[rank];
  if (given) *given = false;
  if (!may_have_more(c, p)) return NCC_OK;
  NCC_TRY(make_handout(c, rank, &handout));
  if (!handout) return NCC_OK;
  if (given) *given = true;
  p->out[p->n_out++] = handout;
  p->n_given++;
  c->outstanding++;
  c->totals->handouts++;
  if (rank == 0) handout->sent_s = c->watchdog.awake_s;
  if (rank == 0 || c->o.ship)
    ncc_lane_load(c->o.lane, handout);
  else
    NCC_TRY(send_work(c, handout));
cleanup:
  return status;
}

/* ---- taking back ------------------------------------------------------------------------------------------------ */

/** Takes a hand-out off the list of what its rank holds; the list's reference passes to the caller. */
static void take_off(coordinator *c, const ncc_handout *handout) {
  peer *p = &c->peers[handout->dest];
  int slot = 0;
  while (p->out[slot] != handout) slot++;
  memmove(&p->out[slot], &p->out[slot + 1], (size_t)(--p->n_out - slot) * sizeof *p->out);
  c->outstanding--;
}

/** Writes what a hand-out has brought; after a stop some of it may be pending still. */
static ncc_status write_results(coordinator *c, ncc_handout *handout) {
  double started_s = ncc_clock_s();
  int64_t n = 0;
  for (int64_t i = 0; i < handout->n_pairs; i++) {
    const uint8_t found = handout->results[i].status;
    if (found == NCC_PAIR_PENDING) continue;
    c->failed += found == NCC_PAIR_NONFINITE || found == NCC_PAIR_UNREADABLE || found == NCC_PAIR_UNCERTAIN;
    handout->rows[n] = handout->rows[i];
    handout->results[n++] = handout->results[i];
  }
  ncc_status status = NCC_OK;
  if (n < handout->n_pairs && !c->stopping)
    status = ncc_error_set(NCC_ERR_INTERNAL, "%lld of %lld results of a hand-out are missing",
                           (long long)(handout->n_pairs - n), (long long)handout->n_pairs);
  if (status == NCC_OK && n > 0) status = ncc_output_write(c->o.output, n, handout->rows, handout->results);
  if (status == NCC_OK) c->totals->pairs += n;
  c->write_s += ncc_clock_s() - started_s;
  return status == NCC_OK ? NCC_OK : stop(c, status, 0, ncc_error_message());
}

/** Takes a hand-out that is done: gives the rank its next first, so that it need not wait for the disk. */
static ncc_status finish(coordinator *c, ncc_handout *handout) {
  ncc_status status = NCC_OK;
  if (!c->stopping)
    ncc_schedule_observe(c->o.schedule, &handout->cost, handout->elapsed_s, handout->image_s, c->o.threads);
  ncc_watchdog_learn(&c->watchdog, handout->cost.seconds, handout->elapsed_s);
  c->peers[handout->dest].heard_s = c->watchdog.awake_s;
  take_off(c, handout);
  for (bool given = true; given;) NCC_TRY(give(c, handout->dest, &given));
  NCC_TRY(write_results(c, handout));
  ncc_handout_release(handout);
cleanup:
  return status;
}

/** Hand-outs that this rank's own threads are done with: computed, or loaded for another rank. */
static ncc_status take_own(coordinator *c, bool *progress) {
  ncc_status status = NCC_OK;
  ncc_handout *handout;
  const double until_s = ncc_clock_s() + TURN_S;
  while (ncc_clock_s() < until_s && (handout = ncc_lane_take(c->o.lane))) {
    *progress = true;
    c->loaded_s = c->watchdog.awake_s;
    NCC_TRY(check_limits(c)); /* what was cut short by a signal must not go out */
    if (handout->status != NCC_OK) NCC_TRY(stop(c, handout->status, 0, handout->message));
    if (handout->dest == c->o.comm->rank) {
      NCC_TRY(finish(c, handout));
    } else if (c->stopping) { /* never sent, so never to come back */
      int64_t bytes = ncc_handout_shipped_bytes(handout);
      ncc_handout_drop_pixels(handout);
      ncc_lane_shipped(c->o.lane, bytes);
      take_off(c, handout);
      ncc_handout_release(handout);
    } else {
      NCC_TRY(send_work(c, handout));
    }
  }
cleanup:
  return status;
}

static ncc_status take_results(coordinator *c, int source, const void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  int64_t id;
  int slot = 0;
  peer *p = &c->peers[source];
  NCC_TRY(ncc_message_results_id(bytes, n_bytes, &id));
  while (slot < p->n_out && p->out[slot]->id != id) slot++;
  NCC_CHECK(slot < p->n_out, NCC_ERR_COMM, "rank %d sent results for hand-out %lld, which it does not have", source,
            (long long)id);
  NCC_TRY(ncc_message_read_results(bytes, n_bytes, p->out[slot]));
  NCC_TRY(finish(c, p->out[slot]));
cleanup:
  return status;
}

static ncc_status take_message(coordinator *c, int source, const void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  ncc_message_type type;
  ncc_status problem;
  char text[NCC_MESSAGE_TEXT];
  NCC_TRY(ncc_message_check(bytes, n_bytes, &type));
  switch (type) {
    case NCC_MESSAGE_RESULTS:
      NCC_TRY(take_results(c, source, bytes, n_bytes));
      break;
    case NCC_MESSAGE_PROBLEM:
      NCC_TRY(ncc_message_read_problem(bytes, n_bytes, &problem, text));
      NCC_TRY(stop(c, problem, source, text));
      break;
    case NCC_MESSAGE_STATS:
      NCC_CHECK(!c->peers[source].said_goodbye, NCC_ERR_COMM, "rank %d ended twice", source);
      NCC_TRY(ncc_message_read_stats(bytes, n_bytes, &c->stats[source]));
      c->peers[source].said_goodbye = true;
      c->goodbyes++;
      break;
    default:
      NCC_CHECK(false, NCC_ERR_COMM, "rank %d sent a message of type %d, expected results", source, type);
  }
cleanup:
  return status;
}

static ncc_status take_messages(coordinator *c, bool *progress) {
  ncc_status status = NCC_OK;
  void *bytes = NULL;
  int64_t n_bytes;
  const double until_s = ncc_clock_s() + TURN_S;
  for (int source; ncc_clock_s() < until_s;) { /* others are to have their turn, however many messages come */
    NCC_TRY(ncc_inbox_poll(&c->inbox, c->o.comm, &source, &bytes, &n_bytes));
    if (!bytes) break;
    *progress = true;
    NCC_TRY(take_message(c, source, bytes, n_bytes));
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
static ncc_status give_up(coordinator *c, int rank, const ncc_handout *handout, double silent_s) {
  char what[160] = "ending";
  if (handout)
    snprintf(what, sizeof what, "hand-out %lld: %lld pairs from row %lld on, image id %lld, predicted to take %.3g s",
             (long long)handout->id, (long long)handout->n_pairs, (long long)handout->rows[0],
             (long long)ncc_objects_get(&c->o.catalog->images, handout->pieces[0].image).id, handout->cost.seconds);
  ncc_status synced = ncc_output_sync(c->o.output);
  return ncc_error_set(NCC_ERR_STOPPED, "rank %d on %s has not answered for %.0f s (%s%s); %s", rank, c->o.hosts[rank],
                       silent_s, handout && handout->sent_s == 0 ? "reading the pixels of " : "", what,
                       synced == NCC_OK ? "what is done is kept: go on with --resume" : ncc_error_message());
}

static ncc_status check_silence(coordinator *c) {
  c->silence_s = ncc_clock_s();
  double now_s = ncc_watchdog_look(&c->watchdog, c->silence_s);
  for (int rank = 0; rank < c->o.comm->ranks; rank++) {
    const peer *p = &c->peers[rank];
    const ncc_handout *handout = p->n_out > 0 ? p->out[0] : NULL;
    if (!handout && (!c->ended || rank == 0 || p->said_goodbye)) continue;
    bool loading = handout && handout->sent_s == 0; /* then it is this rank's reader that is waited for */
    double since_s = loading ? c->loaded_s : p->heard_s;
    if (handout && handout->sent_s > since_s) since_s = handout->sent_s;
    if (handout && rank == 0 && c->loaded_s > since_s) since_s = c->loaded_s; /* it may wait for others' pixels */
    if (!handout && since_s < c->ended_s) since_s = c->ended_s;
    if (now_s - since_s > ncc_watchdog_limit_s(&c->watchdog, handout ? handout->cost.seconds : 0))
      return give_up(c, loading ? 0 : rank, handout, now_s - since_s);
  }
  return NCC_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void report_progress(coordinator *c) {
  double now_s = ncc_clock_s();
  const ncc_job_observer *observer = c->o.observer;
  if (!observer || !observer->progressed || now_s - c->progress_s < PROGRESS_S) return;
  c->progress_s = now_s;
  observer->progressed(observer->context, c->totals->pairs, c->total);
}

/** One round of everything, then a rest if nothing happened. */
static ncc_status turn(coordinator *c, int *step) {
  ncc_status status = NCC_OK;
  bool progress = false;
  double cpu_s = ncc_clock_thread_cpu_s();
  NCC_TRY(check_limits(c));
  if (ncc_clock_s() - c->silence_s > SILENCE_S) NCC_TRY(check_silence(c));
  NCC_TRY(ncc_outbox_poll(&c->outbox, &progress));
  NCC_TRY(take_messages(c, &progress));
  NCC_TRY(take_own(c, &progress));
  report_progress(c);
  if (progress) c->totals->turn_cpu_s = fmax(c->totals->turn_cpu_s, ncc_clock_thread_cpu_s() - cpu_s);
  if (progress)
    *step = 0;
  else
    ncc_lane_wait(c->o.lane, ncc_backoff_us(step, c->outbox.n > 0 || c->inbox.n > 0));
cleanup:
  return status;
}

ncc_status ncc_coordinator_run(const ncc_coordinator_options *options, ncc_rank_stats *stats, ncc_job_totals *totals,
                               ncc_status *problem, char *message) {
  ncc_status status = NCC_OK;
  coordinator c = {.o = *options, .stats = stats, .totals = totals, .message = message, .problem = NCC_OK};
  int ranks = options->comm->ranks, step = 0;
  c.total = ncc_schedule_pairs(options->schedule);
  ncc_watchdog_start(&c.watchdog, ncc_clock_s());
  c.time_up_s = ncc_clock_s() + ncc_stop_time_left_s(options->time_limit_s, ncc_clock_s() - options->started_s,
                                                     c.time_reason, sizeof c.time_reason);
  c.peers = calloc((size_t)ranks, sizeof *c.peers);
  NCC_CHECK(c.peers, NCC_ERR_NOMEM, "out of memory for %d ranks", ranks);
  NCC_TRY(ncc_inbox_create(&c.inbox, INBOX_LETTERS));
  NCC_TRY(count_uses(&c));
  NCC_TRY(check_limits(&c));
  double first_s = ncc_clock_s();
  for (int round = 0; round < NCC_SCHEDULE_AHEAD; round++)
    for (int rank = 0; rank < ranks; rank++) NCC_TRY(give(&c, rank, NULL));
  while (c.outstanding > 0) NCC_TRY(turn(&c, &step));
  totals->dispatch_s = ncc_clock_s() - first_s;
  for (int rank = 1; rank < ranks; rank++) NCC_TRY(send_plain(&c, rank, NCC_MESSAGE_END));
  c.ended = true;
  c.ended_s = c.watchdog.awake_s;
  step = 0;
  while (c.goodbyes < ranks - 1 || c.outbox.n > 0) NCC_TRY(turn(&c, &step));
  ncc_lane_finish(options->lane, &stats[0]);
  stats[0].write_s = c.write_s;
  *problem = c.problem;
cleanup:
  free(c.peers); /* after a failure hand-outs are left to the threads that still use them: the process is to end */
  ncc_assignment_clear(&c.assignment);
  for (int kind = 0; kind < 2; kind++) free(c.uses[kind]);
  ncc_inbox_clear(&c.inbox);
  ncc_outbox_clear(&c.outbox);
  return status;
}
