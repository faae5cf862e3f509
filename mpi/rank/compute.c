/** The threads that drive the matchers: each takes a piece of a batch at a time, so that batches of several images, and
 *  several batches, are under way at once. Batches are finished in the order in which they came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "mpi/rank/stop.h"
#include "mpi/rank/threads.h"

static ncc_array make_array(const ncc_catalog *catalog, ncc_object_kind kind, int64_t index, const ncc_pixels *pixels) {
  ncc_object object = ncc_catalog_object(catalog, kind, index);
  return (ncc_array){.data = pixels ? pixels->data : NULL,
                     .dtype = object.dtype,
                     .rows = object.rows,
                     .cols = object.cols,
                     .row_stride = object.cols};
}

/** Waits for pixels of pairs from `at` on. @return the first pair that is not loaded; `at` if none will come. */
static int64_t wait_for_pixels(ncc_pipeline *pipeline, const ncc_batch_task *task, int64_t at, double *waited_s) {
  pthread_mutex_lock(&pipeline->mutex);
  double started_s = task->n_loaded > at ? 0 : ncc_clock_s();
  while (task->n_loaded <= at && task->loading && !pipeline->ending)
    pthread_cond_wait(&pipeline->may_compute, &pipeline->mutex);
  int64_t loaded = task->n_loaded;
  bool failed = task->done.status != NCC_OK;
  pthread_mutex_unlock(&pipeline->mutex);
  if (started_s > 0) *waited_s += ncc_clock_s() - started_s;
  return failed || ncc_stop_asked(pipeline->options.stop) ? at : loaded;
}

/** What a thread computes at a time. */
typedef struct claim {
  ncc_batch_task *task;
  int64_t piece, first; /* its first pair */
} claim;

static ncc_status compute(ncc_computer *computer, const claim *c, double *waited_s) {
  ncc_status status = NCC_OK;
  ncc_pipeline *pipeline = computer->pipeline;
  const ncc_catalog *catalog = pipeline->options.catalog;
  const ncc_batch *batch = c->task->done.batch;
  const ncc_piece *piece = &batch->pieces[c->piece];
  const ncc_pixels *pixels = NULL;
  ncc_array *templates = malloc((size_t)piece->count * sizeof *templates);
  NCC_CHECK(templates, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)piece->count);
  for (int64_t at = c->first, end = c->first + piece->count; at < end;) {
    const int64_t loaded = wait_for_pixels(pipeline, c->task, at, waited_s), next = loaded < end ? loaded : end;
    if (next == at) goto cleanup; /* the rest stays pending */
    for (int64_t k = at; k < next; k++) {
      const int64_t index = batch->templates[k];
      templates[k - at] = make_array(catalog, NCC_TEMPLATE, index, ncc_batch_pixels(batch, NCC_TEMPLATE, index));
    }
    pixels = ncc_batch_pixels(batch, NCC_IMAGE, piece->image);
    const ncc_array image = make_array(catalog, NCC_IMAGE, piece->image, pixels);
    const ncc_status matched =
        ncc_matcher_match(computer->matcher, pixels ? piece->image : -1, &image, next - at, templates,
                          batch->windows ? batch->windows + at : NULL, batch->results + at);
    if (batch->peaks && (matched == NCC_OK || matched == NCC_ERR_STOPPED)) /* some are done before a stop */
      memcpy(batch->peaks + at * batch->n_peaks, ncc_matcher_peaks(computer->matcher),
             (size_t)((next - at) * batch->n_peaks) * sizeof *batch->peaks);
    NCC_TRY(matched);
    at = next;
  }
cleanup:
  free(templates);
  return status;
}

/** Results are the same, but the rank is slower than it should be: says why, once for each kind of reason, which ends
 * at a colon. The mutex is held. */
static void tell_device_trouble(const ncc_computer *computer) {
  ncc_pipeline *pipeline = computer->pipeline;
  const char *why = ncc_matcher_device_trouble(computer->matcher);
  if (!why || strncmp(why, pipeline->told_trouble, strcspn(why, ":")) == 0) return;
  snprintf(pipeline->told_trouble, sizeof pipeline->told_trouble, "%s", why);
  fprintf(stderr, "mpixcorr: warning: rank %d: %s; the CPU engine does it\n", pipeline->options.rank, why);
}

/** Computes a piece, and takes down how long it took; of several threads at work each counts for its part. The mutex is
 *  held, but not meanwhile. */
static void compute_claim(ncc_computer *computer, const claim *c) {
  ncc_pipeline *pipeline = computer->pipeline;
  ncc_batch *batch = c->task->done.batch;
  const double part = 1.0 / pipeline->options.n_matchers;
  pthread_mutex_unlock(&pipeline->mutex);
  double waited_s = 0;
  const double started_s = ncc_clock_s();
  const ncc_counters before = *ncc_matcher_counters(computer->matcher);
  const ncc_status status = ncc_stop_asked(pipeline->options.stop) ? NCC_OK : compute(computer, c, &waited_s);
  const ncc_counters *after = ncc_matcher_counters(computer->matcher);
  const double planned_s = after->planning_s - before.planning_s; /* happens once, and predicts nothing */
  const double computed_s = part * (ncc_clock_s() - started_s - waited_s - planned_s);
  pthread_mutex_lock(&pipeline->mutex);
  batch->image_s += part * (after->image_s - before.image_s);
  batch->elapsed_s += computed_s;
  pipeline->stats.compute_s += computed_s;
  pipeline->stats.wait_s += part * waited_s;
  tell_device_trouble(computer);
  if (status != NCC_OK && status != NCC_ERR_STOPPED) ncc_batch_task_fail(c->task, status);
  c->task->n_computed++;
}

/** How well a piece of that image suits a thread. */
static int suits(const ncc_computer *computer, int64_t image) {
  const ncc_pipeline *pipeline = computer->pipeline;
  if (computer->image == image) return 2;
  for (int i = 0; i < pipeline->options.n_matchers; i++)
    if (pipeline->computers[i].image == image) return 0; /* it would be prepared twice */
  return 1;
}

/** The next piece of one of the batches: the first batch's, unless a later one suits better whose pixels are there;
 * where they are not, waiting for them might be waiting for the first batch. @return false if there is none now. */
static bool claim_piece(ncc_computer *computer, claim *out) {
  int best = -1;
  for (ncc_batch_task *task = computer->pipeline->to_compute.first; task && best < 2; task = task->next) {
    const ncc_batch *batch = task->done.batch;
    if (task->n_claimed == batch->n_pieces) continue;
    const ncc_piece *piece = &batch->pieces[task->n_claimed];
    if (best >= 0 && task->n_loaded < task->first_pair + piece->count) break;
    const int fit = suits(computer, piece->image);
    if (fit > best) *out = (claim){task, task->n_claimed, task->first_pair};
    best = fit > best ? fit : best;
    if (computer->pipeline->options.n_matchers == 1) break;
  }
  if (best < 0) return false;
  const ncc_piece *piece = &out->task->done.batch->pieces[out->task->n_claimed++];
  out->task->first_pair += piece->count;
  computer->image = piece->image;
  return true;
}

/** Hands over the first batches as far as they are computed. */
static void finish_batches(ncc_pipeline *pipeline) {
  for (ncc_batch_task *task; (task = pipeline->to_compute.first);) {
    if (task->loading || task->n_computed < task->done.batch->n_pieces) return;
    ncc_batch_queue_take(&pipeline->to_compute);
    ncc_batch_drop_pixels(task->done.batch);
    pipeline->in_flight -= task->read_here;
    pthread_cond_broadcast(&pipeline->may_load);
    ncc_batch_queue_put(&pipeline->finished, task);
    pthread_cond_signal(&pipeline->finished_some);
  }
}

void *ncc_compute_run(void *argument) {
  ncc_computer *computer = argument;
  ncc_pipeline *pipeline = computer->pipeline;
  const double part = 1.0 / pipeline->options.n_matchers;
  double idle_since_s = ncc_clock_s();
  pthread_mutex_lock(&pipeline->mutex);
  for (;;) {
    claim c;
    finish_batches(pipeline);
    if (claim_piece(computer, &c)) {
      pipeline->stats.wait_s += part * (ncc_clock_s() - idle_since_s);
      compute_claim(computer, &c);
      idle_since_s = ncc_clock_s();
    } else if (pipeline->ending) {
      break;
    } else {
      pthread_cond_wait(&pipeline->may_compute, &pipeline->mutex);
    }
  }
  pipeline->stats.wait_s += part * (ncc_clock_s() - idle_since_s);
  pthread_mutex_unlock(&pipeline->mutex);
  return NULL;
}
