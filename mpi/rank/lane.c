#include "mpi/rank/lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "mpi/rank/cache.h"
#include "mpi/rank/stop.h"

#define PUBLISH_BYTES ((int64_t)8 << 20) /* the matcher is told after so many at the latest */
#define HINT_BYTES ((int64_t)32 << 20)   /* asked for ahead of reading, so that devices are never idle */
#define HINT_LEAST_BYTES 16384           /* smaller objects come with their neighbours */

typedef struct queue {
  ncc_handout *first, **last;
} queue;

struct ncc_lane {
  ncc_lane_options options;
  pthread_mutex_t mutex;
  pthread_cond_t may_load, may_compute, finished_some;
  queue to_load, to_compute, finished;
  int64_t shipping_bytes; /* loaded for other ranks and not yet sent */
  int in_flight;          /* hand-outs that hold pixels which this rank's reader read */
  bool ending;
  bool reader_started, matcher_started;
  pthread_t reader, matcher;
  ncc_kept *kept;                     /* [ranks] what each other has from its previous hand-out; the reader's alone */
  ncc_cache *cache;                   /* likewise */
  double process_cpu_s, caller_cpu_s; /* when the lane was made */
  int64_t bytes_read_before;          /* likewise */
  char told_trouble[640];             /* the matcher's thread alone */
  ncc_rank_stats stats;               /* each field written by one thread, read after joining */
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

/** Waits until pixels fit, giving up what is only kept. What other hand-outs hold will come free; where there are none,
 *  waiting would be for ever. */
static void make_room(ncc_lane *lane, int64_t bytes) {
  pthread_mutex_lock(&lane->mutex);
  while (ncc_pixels_pool_used(lane->options.pool) + bytes > lane->options.pixel_bytes && !lane->ending) {
    if (ncc_cache_evict(lane->cache)) continue;
    if (lane->in_flight <= 1) break;
    pthread_cond_wait(&lane->may_load, &lane->mutex);
  }
  pthread_mutex_unlock(&lane->mutex);
}

static ncc_status read_need(ncc_lane *lane, ncc_need *need) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = lane->options.catalog;
  ncc_object object = ncc_objects_get(need->kind == NCC_IMAGE ? &catalog->images : &catalog->templates, need->index);
  int64_t bytes = ncc_object_bytes(&object);
  make_room(lane, bytes);
  need->pixels = ncc_pixels_create(lane->options.pool, bytes);
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
  if (need->again) NCC_TRY(ncc_cache_put(lane->cache, (ncc_object_kind)need->kind, need->index, need->pixels));
cleanup:
  return status;
}

static ncc_status load_need(ncc_lane *lane, ncc_need *need, const ncc_kept *kept) {
  ncc_object_kind kind = (ncc_object_kind)need->kind;
  if (need->state != NCC_NEED_OPEN) return NCC_OK;
  if (ncc_kept_find(kept, need)) {
    need->state = NCC_NEED_KEPT;
    return NCC_OK;
  }
  ncc_pixels *known = ncc_cache_find(lane->cache, kind, need->index);
  if (!known) return read_need(lane, need);
  need->state = NCC_NEED_SHIPPED;
  need->pixels = ncc_pixels_share(known);
  lane->stats.cache_hits++;
  lane->stats.cache_bytes += known->bytes;
  if (!need->again) ncc_cache_drop(lane->cache, kind, need->index);
  return NCC_OK;
}

/** Asks the system for the objects of a hand-out in the order of reading, some way ahead of it. */
typedef struct hinter {
  int64_t piece, pair; /* the next to look at */
  int64_t ahead_bytes; /* asked for and not yet read */
} hinter;

static void hint(ncc_lane *lane, hinter *h, const ncc_handout *handout, ncc_object_kind kind, int64_t index) {
  const ncc_catalog *catalog = lane->options.catalog;
  ncc_object object = ncc_objects_get(kind == NCC_IMAGE ? &catalog->images : &catalog->templates, index);
  int64_t bytes = ncc_object_bytes(&object);
  h->ahead_bytes += bytes; /* whether it is to be read or not: all are passed once */
  if (bytes < HINT_LEAST_BYTES) return;
  const ncc_need *need = ncc_handout_need(handout, kind, index);
  if (need->state != NCC_NEED_OPEN || ncc_kept_find(&lane->kept[handout->dest], need)) return;
  if (!ncc_cache_has(lane->cache, kind, index)) ncc_input_hint(lane->options.input, kind, index);
}

/** @param[in,out] end  of the pairs of `h->piece`. */
static void hint_ahead(ncc_lane *lane, hinter *h, const ncc_handout *handout, int64_t *end) {
  while (h->ahead_bytes < HINT_BYTES && h->pair < handout->n_pairs) {
    if (h->pair == *end) {
      hint(lane, h, handout, NCC_IMAGE, handout->pieces[h->piece].image);
      *end += handout->pieces[h->piece++].count;
    }
    hint(lane, h, handout, NCC_TEMPLATE, handout->templates[h->pair++]);
  }
}

/** Tells the matcher how many pairs it may compute. */
static void publish(ncc_lane *lane, ncc_handout *handout, int64_t n_loaded) {
  pthread_mutex_lock(&lane->mutex);
  handout->n_loaded = n_loaded;
  if (handout->loading) pthread_cond_signal(&lane->may_compute);
  pthread_mutex_unlock(&lane->mutex);
}

/** One object of a hand-out; the bytes that were asked for ahead and are passed now are counted. */
static ncc_status load_object(ncc_lane *lane, ncc_handout *handout, hinter *h, ncc_object_kind kind, int64_t index,
                              int64_t *fresh_bytes) {
  const ncc_catalog *catalog = lane->options.catalog;
  ncc_object object = ncc_objects_get(kind == NCC_IMAGE ? &catalog->images : &catalog->templates, index);
  int64_t bytes = ncc_object_bytes(&object);
  h->ahead_bytes -= bytes;
  *fresh_bytes += bytes;
  return load_need(lane, ncc_handout_need(handout, kind, index), &lane->kept[handout->dest]);
}

/** Loads in the order of the pairs, so that the matcher can follow. */
static ncc_status load(ncc_lane *lane, ncc_handout *handout) {
  ncc_status status = NCC_OK;
  hinter h = {0};
  int64_t at = 0, hinted_end = 0, fresh_bytes = 0;
  for (int64_t i = 0; i < handout->n_pieces; i++) {
    const ncc_piece *piece = &handout->pieces[i];
    hint_ahead(lane, &h, handout, &hinted_end);
    NCC_TRY(load_object(lane, handout, &h, NCC_IMAGE, piece->image, &fresh_bytes));
    for (int64_t end = at + piece->count; at < end;) {
      if (ncc_stop_asked(lane->options.stop)) goto cleanup;
      hint_ahead(lane, &h, handout, &hinted_end);
      NCC_TRY(load_object(lane, handout, &h, NCC_TEMPLATE, handout->templates[at], &fresh_bytes));
      if (++at < end && fresh_bytes < PUBLISH_BYTES) continue;
      publish(lane, handout, at);
      fresh_bytes = 0;
    }
  }
  if (handout->dest != lane->options.rank) NCC_TRY(ncc_kept_replace(&lane->kept[handout->dest], handout, false));
cleanup:
  return status;
}

/** Loads one hand-out, which the matcher has already in its queue, if it is for this rank. The mutex is held, but not
 *  meanwhile. */
static void load_one(ncc_lane *lane, ncc_handout *handout) {
  bool ship = handout->dest != lane->options.rank;
  while (ship && lane->shipping_bytes > lane->options.ship_bytes && !lane->ending)
    pthread_cond_wait(&lane->may_load, &lane->mutex);
  lane->in_flight++;
  if (!ship) {
    handout->loading = handout->read_here = true;
    queue_put(&lane->to_compute, handout);
    pthread_cond_signal(&lane->may_compute);
  }
  pthread_mutex_unlock(&lane->mutex);
  double started_s = ncc_clock_s();
  ncc_status status = load(lane, handout);
  lane->stats.read_s += ncc_clock_s() - started_s;
  pthread_mutex_lock(&lane->mutex);
  if (status != NCC_OK) fail(handout, status);
  if (ship) {
    int64_t bytes = ncc_handout_shipped_bytes(handout);
    lane->shipping_bytes += bytes;
    if (bytes == 0) lane->in_flight--;
    queue_put(&lane->finished, handout);
    pthread_cond_signal(&lane->finished_some);
  } else {
    handout->loading = false;
    pthread_cond_signal(&lane->may_compute);
  }
}

static void *run_reader(void *argument) {
  ncc_lane *lane = argument;
  pthread_mutex_lock(&lane->mutex);
  for (ncc_handout *handout; (handout = queue_wait(lane, &lane->to_load, &lane->may_load));) load_one(lane, handout);
  pthread_mutex_unlock(&lane->mutex);
  lane->stats.read_cpu_s = ncc_clock_thread_cpu_s();
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

/** Waits for pixels of pairs from `at` on. @return the first pair that is not loaded; `at` if none will come. */
static int64_t wait_for_pixels(ncc_lane *lane, const ncc_handout *handout, int64_t at, double *waited_s) {
  pthread_mutex_lock(&lane->mutex);
  double started_s = handout->n_loaded > at ? 0 : ncc_clock_s();
  while (handout->n_loaded <= at && handout->loading && !lane->ending)
    pthread_cond_wait(&lane->may_compute, &lane->mutex);
  int64_t loaded = handout->n_loaded;
  bool failed = handout->status != NCC_OK;
  pthread_mutex_unlock(&lane->mutex);
  if (started_s > 0) *waited_s += ncc_clock_s() - started_s;
  return failed || ncc_stop_asked(lane->options.stop) ? at : loaded;
}

static ncc_status compute(ncc_lane *lane, ncc_handout *handout, double *waited_s) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = lane->options.catalog;
  ncc_array *templates = malloc((size_t)handout->n_pairs * sizeof *templates);
  NCC_CHECK(templates, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)handout->n_pairs);
  int64_t at = 0;
  for (int64_t i = 0, end = 0; i < handout->n_pieces; i++) {
    const ncc_piece *piece = &handout->pieces[i];
    for (end += piece->count; at < end;) {
      int64_t loaded = wait_for_pixels(lane, handout, at, waited_s), next = loaded < end ? loaded : end;
      if (next == at) goto cleanup; /* the rest stays pending */
      for (int64_t k = at; k < next; k++) {
        int64_t index = handout->templates[k];
        templates[k] = make_array(&catalog->templates, index, ncc_handout_pixels(handout, NCC_TEMPLATE, index));
      }
      const ncc_pixels *pixels = ncc_handout_pixels(handout, NCC_IMAGE, piece->image);
      ncc_array image = make_array(&catalog->images, piece->image, pixels);
      NCC_TRY(ncc_matcher_match(lane->options.matcher, pixels ? piece->image : -1, &image, next - at, templates + at,
                                handout->windows ? handout->windows + at : NULL, handout->results + at));
      at = next;
    }
  }
cleanup:
  free(templates);
  return status;
}

/** Until the reader is done with a hand-out too; the mutex is held. */
static void wait_for_reader(ncc_lane *lane, const ncc_handout *handout) {
  while (handout->loading && !lane->ending) pthread_cond_wait(&lane->may_compute, &lane->mutex);
}

/** Results are the same, but the rank is slower than it should be: say why, once for each reason. */
static void tell_device_trouble(ncc_lane *lane) {
  const char *why = ncc_matcher_device_trouble(lane->options.matcher);
  if (!why || strcmp(why, lane->told_trouble) == 0) return;
  snprintf(lane->told_trouble, sizeof lane->told_trouble, "%s", why);
  fprintf(stderr, "mpixcorr: warning: rank %d: %s; the CPU engine does it\n", lane->options.rank, why);
}

static void *run_matcher(void *argument) {
  ncc_lane *lane = argument;
  double idle_since_s = ncc_clock_s();
  pthread_mutex_lock(&lane->mutex);
  for (ncc_handout *handout; (handout = queue_wait(lane, &lane->to_compute, &lane->may_compute));) {
    pthread_mutex_unlock(&lane->mutex);
    double started_s = ncc_clock_s(), waited_s = 0;
    lane->stats.wait_s += started_s - idle_since_s;
    const ncc_counters before = *ncc_matcher_counters(lane->options.matcher);
    ncc_status status = ncc_stop_asked(lane->options.stop) ? NCC_OK : compute(lane, handout, &waited_s);
    const ncc_counters *after = ncc_matcher_counters(lane->options.matcher);
    tell_device_trouble(lane);
    handout->image_s = after->image_s - before.image_s;
    handout->elapsed_s = ncc_clock_s() - started_s - waited_s;
    handout->elapsed_s -= after->planning_s - before.planning_s; /* happens once, and predicts nothing */
    lane->stats.compute_s += handout->elapsed_s;
    lane->stats.wait_s += waited_s;
    idle_since_s = ncc_clock_s();
    pthread_mutex_lock(&lane->mutex);
    wait_for_reader(lane, handout);
    if (status != NCC_OK && status != NCC_ERR_STOPPED) fail(handout, status);
    ncc_handout_drop_pixels(handout);
    lane->in_flight -= handout->read_here;
    pthread_cond_signal(&lane->may_load);
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
  NCC_TRY(ncc_cache_create(&lane->cache));
  if (options->input) lane->bytes_read_before = ncc_input_bytes_read(options->input);
  lane->process_cpu_s = ncc_clock_process_cpu_s();
  lane->caller_cpu_s = ncc_clock_thread_cpu_s();
  if (options->input) {
    int code = pthread_create(&lane->reader, NULL, run_reader, lane);
    NCC_CHECK(code == 0, NCC_ERR_INTERNAL, "no thread for reading: %s (a limit on memory or processes?)",
              strerror(code));
    lane->reader_started = true;
  }
  int code = pthread_create(&lane->matcher, NULL, run_matcher, lane);
  NCC_CHECK(code == 0, NCC_ERR_INTERNAL, "no thread for computing: %s (a limit on memory or processes?)",
            strerror(code));
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
  ncc_cache_destroy(&lane->cache);
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
  handout->n_loaded = handout->n_pairs;
  put_and_wake(lane, &lane->to_compute, handout, &lane->may_compute);
}

ncc_handout *ncc_lane_take(ncc_lane *lane) {
  pthread_mutex_lock(&lane->mutex);
  ncc_handout *handout = queue_take(&lane->finished);
  pthread_mutex_unlock(&lane->mutex);
  return handout;
}

void ncc_lane_wait(ncc_lane *lane, int timeout_us) {
  const struct timespec until = ncc_clock_after(1e-6 * timeout_us);
  pthread_mutex_lock(&lane->mutex);
  if (!lane->finished.first) pthread_cond_timedwait(&lane->finished_some, &lane->mutex, &until);
  pthread_mutex_unlock(&lane->mutex);
}

void ncc_lane_shipped(ncc_lane *lane, int64_t bytes) {
  pthread_mutex_lock(&lane->mutex);
  lane->shipping_bytes -= bytes;
  if (bytes > 0) lane->in_flight--;
  pthread_cond_signal(&lane->may_load);
  pthread_mutex_unlock(&lane->mutex);
}

void ncc_lane_finish(ncc_lane *lane, ncc_rank_stats *stats) {
  join(lane);
  *stats = lane->stats;
  stats->talk_cpu_s = ncc_clock_thread_cpu_s() - lane->caller_cpu_s;
  stats->compute_cpu_s = ncc_clock_process_cpu_s() - lane->process_cpu_s - stats->talk_cpu_s - stats->read_cpu_s;
  stats->bytes_read = lane->options.input ? ncc_input_bytes_read(lane->options.input) - lane->bytes_read_before : 0;
  stats->pixel_bytes_peak = ncc_pixels_pool_peak(lane->options.pool);
  stats->counters = *ncc_matcher_counters(lane->options.matcher);
  stats->plan_s = stats->counters.planning_s;
}

const char *ncc_lane_unreadable(const ncc_lane *lane) {
  return lane->unreadable;
}
