#include "lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "stop.h"

typedef struct queue {
  ncc_handout *first, **last;
} queue;

struct ncc_lane {
  ncc_lane_options options;
  pthread_mutex_t mutex;
  pthread_cond_t may_load, may_compute, finished_some;
  queue to_load, to_compute, finished;
  int64_t shipping_bytes; /* loaded for other ranks and not yet sent */
  bool ending;
  bool reader_started, matcher_started;
  pthread_t reader, matcher;
  ncc_kept *kept;       /* [ranks] what each has from its previous hand-out; the reader's alone */
  ncc_rank_stats stats; /* each field written by one thread, read after joining */
  char unreadable[NCC_MESSAGE_TEXT];
};

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static void queue_init(queue *q) {
  q->first = NULL;
  q->last = &q->first;
}

static void queue_put(queue *q, ncc_handout *handout) {
  handout->next = NULL;
  *q->last = handout;
  q->last = &handout->next;
}

static ncc_handout *queue_take(queue *q) {
  ncc_handout *handout = q->first;
  if (!handout) return NULL;
  q->first = handout->next;
  if (!q->first) q->last = &q->first;
  handout->next = NULL;
  return handout;
}

static void queue_clear(queue *q) {
  for (ncc_handout *handout; (handout = queue_take(q));) ncc_handout_release(handout);
}

/** Waits for a hand-out in a queue; NULL at the end. The mutex is held. */
static ncc_handout *queue_wait(ncc_lane *lane, queue *q, pthread_cond_t *filled) {
  while (!q->first && !lane->ending) pthread_cond_wait(filled, &lane->mutex);
  return queue_take(q);
}

static void put_and_wake(ncc_lane *lane, queue *q, ncc_handout *handout, pthread_cond_t *filled) {
  pthread_mutex_lock(&lane->mutex);
  queue_put(q, handout);
  pthread_cond_signal(filled);
  pthread_mutex_unlock(&lane->mutex);
}

static void fail(ncc_handout *handout, ncc_status status) {
  handout->status = status;
  snprintf(handout->message, sizeof handout->message, "%.*s", NCC_MESSAGE_TEXT - 1, ncc_error_message());
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

int64_t ncc_handout_shipped_bytes(const ncc_handout *handout) {
  int64_t bytes = 0;
  for (int64_t i = 0; i < handout->n_needs; i++)
    if (handout->needs[i].state == NCC_NEED_SHIPPED && handout->needs[i].pixels)
      bytes += handout->needs[i].pixels->bytes;
  return bytes;
}

static ncc_status load_need(ncc_lane *lane, ncc_need *need, const ncc_kept *kept) {
  ncc_status status = NCC_OK;
  const ncc_need *known = ncc_kept_find(kept, need);
  if (known) {
    need->state = NCC_NEED_KEPT;
    need->pixels = ncc_pixels_share(known->pixels);
    return NCC_OK;
  }
  const ncc_objects *objects =
      need->kind == NCC_IMAGE ? &lane->options.catalog->images : &lane->options.catalog->templates;
  ncc_object object = ncc_objects_get(objects, need->index);
  int64_t bytes = ncc_object_bytes(&object);
  need->pixels = ncc_pixels_create(bytes);
  NCC_CHECK(need->pixels, NCC_ERR_NOMEM, "out of memory for %lld bytes of %s %lld", (long long)bytes,
            need->kind == NCC_IMAGE ? "image" : "template", (long long)object.id);
  ncc_status read = ncc_input_read(lane->options.input, (ncc_object_kind)need->kind, need->index, need->pixels->data);
  if (read == NCC_ERR_UNREADABLE) { /* data is no error: the pairs will say so */
    need->state = NCC_NEED_MISSING;
    ncc_pixels_release(&need->pixels);
    if (lane->stats.unreadable++ == 0)
      snprintf(lane->unreadable, sizeof lane->unreadable, "%.500s", ncc_error_message());
    return NCC_OK;
  }
  NCC_TRY(read);
  need->state = NCC_NEED_SHIPPED;
  lane->stats.bytes_read += bytes;
cleanup:
  return status;
}

static ncc_status load(ncc_lane *lane, ncc_handout *handout) {
  ncc_status status = NCC_OK;
  ncc_kept *kept = &lane->kept[handout->dest];
  for (int64_t i = 0; i < handout->n_needs && !ncc_stop_asked(lane->options.stop); i++)
    NCC_TRY(load_need(lane, &handout->needs[i], kept));
  NCC_TRY(ncc_kept_replace(kept, handout, handout->dest == lane->options.rank));
cleanup:
  return status;
}

static void *run_reader(void *argument) {
  ncc_lane *lane = argument;
  pthread_mutex_lock(&lane->mutex);
  for (ncc_handout *handout; (handout = queue_wait(lane, &lane->to_load, &lane->may_load));) {
    bool ship = handout->dest != lane->options.rank;
    while (ship && lane->shipping_bytes > lane->options.ship_bytes && !lane->ending)
      pthread_cond_wait(&lane->may_load, &lane->mutex);
    pthread_mutex_unlock(&lane->mutex);
    double started_s = ncc_clock_s();
    ncc_status status = load(lane, handout);
    if (status != NCC_OK) fail(handout, status);
    lane->stats.read_s += ncc_clock_s() - started_s;
    pthread_mutex_lock(&lane->mutex);
    if (ship) lane->shipping_bytes += ncc_handout_shipped_bytes(handout);
    bool finished = ship || status != NCC_OK;
    queue_put(finished ? &lane->finished : &lane->to_compute, handout);
    pthread_cond_signal(finished ? &lane->finished_some : &lane->may_compute);
  }
  pthread_mutex_unlock(&lane->mutex);
  return NULL;
}

/* ---- computing -------------------------------------------------------------------------------------------------- */

static ncc_array make_array(const ncc_objects *objects, int64_t index, const ncc_pixels *pixels) {
  ncc_object object = ncc_objects_get(objects, index);
  return (ncc_array){.data = pixels ? pixels->data : NULL,
                     .dtype = object.dtype,
                     .rows = object.rows,
                     .cols = object.cols,
                     .row_stride = object.cols};
}

static ncc_status compute(ncc_lane *lane, ncc_handout *handout) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = lane->options.catalog;
  ncc_array *templates = malloc((size_t)handout->n_pairs * sizeof *templates);
  NCC_CHECK(templates, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)handout->n_pairs);
  for (int64_t i = 0; i < handout->n_pairs; i++) {
    int64_t index = handout->templates[i];
    templates[i] = make_array(&catalog->templates, index, ncc_handout_pixels(handout, NCC_TEMPLATE, index));
  }
  for (int64_t i = 0, at = 0; i < handout->n_pieces; at += handout->pieces[i++].count) {
    const ncc_piece *piece = &handout->pieces[i];
    const ncc_pixels *pixels = ncc_handout_pixels(handout, NCC_IMAGE, piece->image);
    ncc_array image = make_array(&catalog->images, piece->image, pixels);
    NCC_TRY(ncc_matcher_match(lane->options.matcher, pixels ? piece->image : -1, &image, piece->count, templates + at,
                              handout->windows ? handout->windows + at : NULL, handout->results + at));
    if (ncc_stop_asked(lane->options.stop)) break;
  }
cleanup:
  free(templates);
  return status;
}

static void *run_matcher(void *argument) {
  ncc_lane *lane = argument;
  double idle_since_s = ncc_clock_s();
  pthread_mutex_lock(&lane->mutex);
  for (ncc_handout *handout; (handout = queue_wait(lane, &lane->to_compute, &lane->may_compute));) {
    pthread_mutex_unlock(&lane->mutex);
    double started_s = ncc_clock_s();
    lane->stats.wait_s += started_s - idle_since_s;
    double planned_s = ncc_matcher_counters(lane->options.matcher)->planning_s;
    ncc_status status = ncc_stop_asked(lane->options.stop) ? NCC_OK : compute(lane, handout);
    planned_s = ncc_matcher_counters(lane->options.matcher)->planning_s - planned_s;
    if (status != NCC_OK && status != NCC_ERR_STOPPED) fail(handout, status);
    ncc_handout_drop_pixels(handout);
    idle_since_s = ncc_clock_s();
    handout->elapsed_s = idle_since_s - started_s - planned_s; /* planning FFTs happens once, and predicts nothing */
    lane->stats.compute_s += handout->elapsed_s;
    pthread_mutex_lock(&lane->mutex);
    queue_put(&lane->finished, handout);
    pthread_cond_signal(&lane->finished_some);
  }
  pthread_mutex_unlock(&lane->mutex);
  lane->stats.wait_s += ncc_clock_s() - idle_since_s;
  return NULL;
}

/* ---- the caller's side ------------------------------------------------------------------------------------------ */

ncc_status ncc_lane_create(const ncc_lane_options *options, ncc_lane **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_lane *lane = calloc(1, sizeof *lane);
  NCC_CHECK(lane, NCC_ERR_NOMEM, "out of memory for a rank's queues");
  lane->options = *options;
  queue_init(&lane->to_load);
  queue_init(&lane->to_compute);
  queue_init(&lane->finished);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&lane->mutex, NULL);
  pthread_cond_init(&lane->may_load, NULL);
  pthread_cond_init(&lane->may_compute, NULL);
  pthread_cond_init(&lane->finished_some, &monotonic);
  pthread_condattr_destroy(&monotonic);
  lane->kept = calloc((size_t)options->ranks, sizeof *lane->kept);
  NCC_CHECK(lane->kept, NCC_ERR_NOMEM, "out of memory for %d ranks", options->ranks);
  if (options->input) {
    int code = pthread_create(&lane->reader, NULL, run_reader, lane);
    NCC_CHECK(code == 0, NCC_ERR_INTERNAL, "no thread for reading: %s", strerror(code));
    lane->reader_started = true;
  }
  int code = pthread_create(&lane->matcher, NULL, run_matcher, lane);
  NCC_CHECK(code == 0, NCC_ERR_INTERNAL, "no thread for computing: %s", strerror(code));
  lane->matcher_started = true;
  *out = lane;
  lane = NULL;
cleanup:
  ncc_lane_destroy(&lane);
  return status;
}

static void join(ncc_lane *lane) {
  pthread_mutex_lock(&lane->mutex);
  lane->ending = true;
  pthread_cond_broadcast(&lane->may_load);
  pthread_mutex_unlock(&lane->mutex);
  if (lane->reader_started) pthread_join(lane->reader, NULL);
  lane->reader_started = false;
  pthread_mutex_lock(&lane->mutex);
  pthread_cond_broadcast(&lane->may_compute);
  pthread_mutex_unlock(&lane->mutex);
  if (lane->matcher_started) pthread_join(lane->matcher, NULL);
  lane->matcher_started = false;
}

void ncc_lane_destroy(ncc_lane **out) {
  if (!out || !*out) return;
  ncc_lane *lane = *out;
  join(lane);
  queue_clear(&lane->to_load);
  queue_clear(&lane->to_compute);
  queue_clear(&lane->finished);
  for (int rank = 0; lane->kept && rank < lane->options.ranks; rank++) ncc_kept_clear(&lane->kept[rank]);
  free(lane->kept);
  pthread_cond_destroy(&lane->may_load);
  pthread_cond_destroy(&lane->may_compute);
  pthread_cond_destroy(&lane->finished_some);
  pthread_mutex_destroy(&lane->mutex);
  free(lane);
  *out = NULL;
}

void ncc_lane_load(ncc_lane *lane, ncc_handout *handout) {
  put_and_wake(lane, &lane->to_load, handout, &lane->may_load);
}

void ncc_lane_compute(ncc_lane *lane, ncc_handout *handout) {
  put_and_wake(lane, &lane->to_compute, handout, &lane->may_compute);
}

ncc_handout *ncc_lane_take(ncc_lane *lane) {
  pthread_mutex_lock(&lane->mutex);
  ncc_handout *handout = queue_take(&lane->finished);
  pthread_mutex_unlock(&lane->mutex);
  return handout;
}

void ncc_lane_wait(ncc_lane *lane, int timeout_us) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 1000L * timeout_us;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&lane->mutex);
  if (!lane->finished.first) pthread_cond_timedwait(&lane->finished_some, &lane->mutex, &until);
  pthread_mutex_unlock(&lane->mutex);
}

void ncc_lane_shipped(ncc_lane *lane, int64_t bytes) {
  pthread_mutex_lock(&lane->mutex);
  lane->shipping_bytes -= bytes;
  pthread_cond_signal(&lane->may_load);
  pthread_mutex_unlock(&lane->mutex);
}

void ncc_lane_finish(ncc_lane *lane, ncc_rank_stats *stats) {
  join(lane);
  *stats = lane->stats;
  stats->counters = *ncc_matcher_counters(lane->options.matcher);
  stats->plan_s = stats->counters.planning_s;
}

const char *ncc_lane_unreadable(const ncc_lane *lane) {
  return lane->unreadable;
}
