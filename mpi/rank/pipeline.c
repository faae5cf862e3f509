#include "mpi/rank/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

/* ---- batches in and out ----------------------------------------------------------------------------------------- */

static ncc_status submit(ncc_pipeline *pipeline, ncc_batch_queue *queue, pthread_cond_t *filled,
                         const ncc_batch_task *fields) {
  ncc_batch_task *task = malloc(sizeof *task);
  if (!task) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for a batch");
  *task = *fields;
  pthread_mutex_lock(&pipeline->mutex);
  ncc_batch_queue_put(queue, task);
  pthread_cond_broadcast(filled);
  pthread_mutex_unlock(&pipeline->mutex);
  return NCC_OK;
}

ncc_status ncc_pipeline_load(ncc_pipeline *pipeline, ncc_batch *batch, int rank) {
  const ncc_batch_task task = {.done = {.batch = batch, .rank = rank}};
  return submit(pipeline, &pipeline->to_load, &pipeline->may_load, &task);
}

ncc_status ncc_pipeline_compute(ncc_pipeline *pipeline, ncc_batch *batch) {
  const ncc_batch_task task = {.done = {.batch = batch, .rank = pipeline->options.rank}, .n_loaded = batch->n_pairs};
  return submit(pipeline, &pipeline->to_compute, &pipeline->may_compute, &task);
}

bool ncc_pipeline_take(ncc_pipeline *pipeline, ncc_finished *out) {
  pthread_mutex_lock(&pipeline->mutex);
  ncc_batch_task *task = ncc_batch_queue_take(&pipeline->finished);
  pthread_mutex_unlock(&pipeline->mutex);
  if (!task) return false;
  *out = task->done;
  free(task);
  return true;
}

void ncc_pipeline_wait(ncc_pipeline *pipeline, int timeout_us) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 1000L * timeout_us;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&pipeline->mutex);
  if (!pipeline->finished.first) pthread_cond_timedwait(&pipeline->finished_some, &pipeline->mutex, &until);
  pthread_mutex_unlock(&pipeline->mutex);
}

void ncc_pipeline_shipped(ncc_pipeline *pipeline, int64_t bytes) {
  pthread_mutex_lock(&pipeline->mutex);
  pipeline->shipping_bytes -= bytes;
  if (bytes > 0) pipeline->in_flight--;
  pthread_cond_broadcast(&pipeline->may_load);
  pthread_mutex_unlock(&pipeline->mutex);
}

/* ---- begin and end ---------------------------------------------------------------------------------------------- */

static ncc_status start_thread(pthread_t *thread, void *(*run)(void *), void *argument, const char *what) {
  int code = pthread_create(thread, NULL, run, argument);
  if (code == 0) return NCC_OK;
  return ncc_error_set(NCC_ERR_INTERNAL, "no thread for %s: %s (a limit on memory or processes?)", what,
                       strerror(code));
}

ncc_status ncc_pipeline_create(const ncc_pipeline_options *options, ncc_pipeline **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_pipeline *pipeline = calloc(1, sizeof *pipeline);
  NCC_CHECK(pipeline, NCC_ERR_NOMEM, "out of memory for a rank's queues");
  pipeline->options = *options;
  ncc_batch_queue_init(&pipeline->to_load);
  ncc_batch_queue_init(&pipeline->to_compute);
  ncc_batch_queue_init(&pipeline->finished);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&pipeline->mutex, NULL);
  pthread_mutex_init(&pipeline->room_mutex, NULL);
  pthread_cond_init(&pipeline->may_load, NULL);
  pthread_cond_init(&pipeline->may_compute, NULL);
  pthread_cond_init(&pipeline->finished_some, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pipeline->had = calloc((size_t)options->ranks, sizeof *pipeline->had);
  NCC_CHECK(pipeline->had, NCC_ERR_NOMEM, "out of memory for %d ranks", options->ranks);
  pipeline->computers = calloc((size_t)options->n_matchers, sizeof *pipeline->computers);
  NCC_CHECK(pipeline->computers, NCC_ERR_NOMEM, "out of memory for %d matchers", options->n_matchers);
  if (options->input) pipeline->bytes_read_before = ncc_input_bytes_read(options->input);
  pipeline->process_cpu_s = ncc_clock_process_cpu_s();
  pipeline->caller_cpu_s = ncc_clock_thread_cpu_s();
  if (options->input) NCC_TRY(ncc_reader_prepare(pipeline));
  if (options->input) NCC_TRY(start_thread(&pipeline->reader, ncc_reader_run, pipeline, "reading"));
  pipeline->reader_started = options->input != NULL;
  for (int i = 0; i < options->n_matchers; i++)
    pipeline->computers[i] = (ncc_computer){.pipeline = pipeline, .matcher = options->matchers[i], .image = -1};
  for (int i = 0; i < options->n_matchers; i++) {
    NCC_TRY(start_thread(&pipeline->computers[i].thread, ncc_compute_run, &pipeline->computers[i], "computing"));
    pipeline->computers[i].started = true;
  }
  *out = pipeline;
  pipeline = NULL;
cleanup:
  ncc_pipeline_destroy(&pipeline);
  return status;
}

static void queue_clear(ncc_batch_queue *queue) {
  for (ncc_batch_task *task; (task = ncc_batch_queue_take(queue));) {
    ncc_batch_destroy(&task->done.batch);
    free(task);
  }
}

static void join(ncc_pipeline *pipeline) {
  pthread_mutex_lock(&pipeline->mutex);
  pipeline->ending = true;
  pthread_cond_broadcast(&pipeline->may_load);
  pthread_cond_broadcast(&pipeline->may_compute);
  pthread_mutex_unlock(&pipeline->mutex);
  if (pipeline->reader_started) pthread_join(pipeline->reader, NULL);
  pipeline->reader_started = false;
  for (int i = 0; pipeline->computers && i < pipeline->options.n_matchers; i++) {
    if (pipeline->computers[i].started) pthread_join(pipeline->computers[i].thread, NULL);
    pipeline->computers[i].started = false;
  }
}

void ncc_pipeline_destroy(ncc_pipeline **out) {
  ncc_pipeline *pipeline = *out;
  if (!pipeline) return;
  join(pipeline);
  queue_clear(&pipeline->to_load);
  queue_clear(&pipeline->to_compute);
  queue_clear(&pipeline->finished);
  for (int rank = 0; pipeline->had && rank < pipeline->options.ranks; rank++) free(pipeline->had[rank].items);
  free(pipeline->had);
  free(pipeline->computers);
  pthread_cond_destroy(&pipeline->may_load);
  pthread_cond_destroy(&pipeline->may_compute);
  pthread_cond_destroy(&pipeline->finished_some);
  pthread_mutex_destroy(&pipeline->mutex);
  pthread_mutex_destroy(&pipeline->room_mutex);
  ncc_readers_destroy(&pipeline->readers);
  free(pipeline);
  *out = NULL;
}

void ncc_pipeline_finish(ncc_pipeline *pipeline, ncc_rank_stats *stats) {
  const ncc_pipeline_options *o = &pipeline->options;
  join(pipeline);
  *stats = pipeline->stats;
  stats->talk_cpu_s = ncc_clock_thread_cpu_s() - pipeline->caller_cpu_s;
  stats->compute_cpu_s = ncc_clock_process_cpu_s() - pipeline->process_cpu_s - stats->talk_cpu_s - stats->read_cpu_s;
  stats->bytes_read = o->input ? ncc_input_bytes_read(o->input) - pipeline->bytes_read_before : 0;
  stats->pixel_bytes_peak = ncc_store_peak_bytes(o->store);
  for (int i = 0; i < o->n_matchers; i++) ncc_counters_add(&stats->counters, ncc_matcher_counters(o->matchers[i]));
  stats->plan_s = stats->counters.planning_s;
}
