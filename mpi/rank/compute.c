/** The thread that drives the matcher. */
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

static ncc_status compute(ncc_pipeline *pipeline, const ncc_batch_task *task, double *waited_s) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = pipeline->options.catalog;
  ncc_batch *batch = task->done.batch;
  ncc_array *templates = malloc((size_t)batch->n_pairs * sizeof *templates);
  NCC_CHECK(templates, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)batch->n_pairs);
  int64_t at = 0;
  for (int64_t i = 0, end = 0; i < batch->n_pieces; i++) {
    const ncc_piece *piece = &batch->pieces[i];
    for (end += piece->count; at < end;) {
      int64_t loaded = wait_for_pixels(pipeline, task, at, waited_s), next = loaded < end ? loaded : end;
      if (next == at) goto cleanup; /* the rest stays pending */
      for (int64_t k = at; k < next; k++) {
        int64_t index = batch->templates[k];
        templates[k] = make_array(catalog, NCC_TEMPLATE, index, ncc_batch_pixels(batch, NCC_TEMPLATE, index));
      }
      const ncc_pixels *pixels = ncc_batch_pixels(batch, NCC_IMAGE, piece->image);
      ncc_array image = make_array(catalog, NCC_IMAGE, piece->image, pixels);
      NCC_TRY(ncc_matcher_match(pipeline->options.matcher, pixels ? piece->image : -1, &image, next - at,
                                templates + at, batch->windows ? batch->windows + at : NULL, batch->results + at));
      at = next;
    }
  }
cleanup:
  free(templates);
  return status;
}

/** Results are the same, but the rank is slower than it should be: say why, once for each reason. */
static void tell_device_trouble(ncc_pipeline *pipeline) {
  const char *why = ncc_matcher_device_trouble(pipeline->options.matcher);
  if (!why || strcmp(why, pipeline->told_trouble) == 0) return;
  snprintf(pipeline->told_trouble, sizeof pipeline->told_trouble, "%s", why);
  fprintf(stderr, "mpixcorr: warning: rank %d: %s; the CPU engine does it\n", pipeline->options.rank, why);
}

/** Computes a batch and measures how long it took. */
static ncc_status compute_timed(ncc_pipeline *pipeline, const ncc_batch_task *task) {
  ncc_batch *batch = task->done.batch;
  double started_s = ncc_clock_s(), waited_s = 0;
  const ncc_counters before = *ncc_matcher_counters(pipeline->options.matcher);
  ncc_status status = ncc_stop_asked(pipeline->options.stop) ? NCC_OK : compute(pipeline, task, &waited_s);
  const ncc_counters *after = ncc_matcher_counters(pipeline->options.matcher);
  tell_device_trouble(pipeline);
  batch->image_s = after->image_s - before.image_s;
  batch->elapsed_s = ncc_clock_s() - started_s - waited_s;
  batch->elapsed_s -= after->planning_s - before.planning_s; /* happens once, and predicts nothing */
  pipeline->stats.compute_s += batch->elapsed_s;
  pipeline->stats.wait_s += waited_s;
  return status;
}

void *ncc_compute_run(void *argument) {
  ncc_pipeline *pipeline = argument;
  double idle_since_s = ncc_clock_s();
  pthread_mutex_lock(&pipeline->mutex);
  for (ncc_batch_task *task; (task = ncc_batch_queue_wait(pipeline, &pipeline->to_compute, &pipeline->may_compute));) {
    pthread_mutex_unlock(&pipeline->mutex);
    pipeline->stats.wait_s += ncc_clock_s() - idle_since_s;
    ncc_status status = compute_timed(pipeline, task);
    idle_since_s = ncc_clock_s();
    pthread_mutex_lock(&pipeline->mutex);
    while (task->loading) pthread_cond_wait(&pipeline->may_compute, &pipeline->mutex);
    if (status != NCC_OK && status != NCC_ERR_STOPPED) ncc_batch_task_fail(task, status);
    ncc_batch_drop_pixels(task->done.batch);
    pipeline->in_flight -= task->read_here;
    pthread_cond_signal(&pipeline->may_load);
    ncc_batch_queue_put(&pipeline->finished, task);
    pthread_cond_signal(&pipeline->finished_some);
  }
  pthread_mutex_unlock(&pipeline->mutex);
  pipeline->stats.wait_s += ncc_clock_s() - idle_since_s;
  return NULL;
}
