/** The GPU engine: the CPU engine's stages on batches of templates, with cuFFT. docs/gpu.md has the whole story.
 *
 *  A call of propose() cuts its tasks into batches, keeps one in flight on every stream, and while the device computes,
 *  the caller decides what has come home. The image's state is shared by all streams. Here: devices and turns; layout.c
 *  says how much at once, image.c prepares an image, slot.c has a batch computed, candidates.c takes what comes of it.
 */
#include "gpu/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "gpu/state.h"

enum { DEFAULT_STREAMS = 3, MOST_TASKS = 256 };

#define TASK_PIXELS_BYTES ((int64_t)1 << 28) /* float64 copies that --normalize makes of a call's templates */

/* ---- beginning and end ------------------------------------------------------------------------------------------ */

static ncc_status make_event(ncc_gpu_engine *e, cudaEvent_t *event, bool *has) {
  ncc_status status = NCC_OK;
  NCC_TRY_CUDA(&e->place, cudaEventCreateWithFlags(event, cudaEventDisableTiming | cudaEventBlockingSync));
  *has = true;

cleanup:
  return status;
}

static ncc_status gpu_create(const ncc_engine_context *context, void **state) {
  ncc_status status = NCC_OK;
  ncc_gpu_info info;
  char reason[160];
  *state = NULL;
  ncc_gpu_engine *e = calloc(1, sizeof *e);
  NCC_CHECK(e, NCC_ERR_NOMEM, "out of memory for the GPU engine");
  *state = e;
  e->context = context;
  e->image.serial = -1;
  e->cache.most = NCC_GPU_CACHED;
  const int devices = ncc_gpu_count(reason, sizeof reason);
  NCC_CHECK(devices > 0, NCC_ERR_DEVICE, "%s", reason);
  NCC_CHECK(context->config->device >= 0 && context->config->device < devices, NCC_ERR_DEVICE,
            "GPU %d: %d found, expected a number below that", context->config->device, devices);
  e->place.device = context->config->device;
  NCC_TRY(ncc_gpu_describe(e->place.device, &info));
  memcpy(e->place.name, info.name, sizeof e->place.name);
  NCC_TRY_CUDA(&e->place, cudaSetDevice(e->place.device));
  e->streams = context->config->streams > 0 ? context->config->streams : DEFAULT_STREAMS;
  if (e->streams > NCC_GPU_MOST_STREAMS) e->streams = NCC_GPU_MOST_STREAMS;
  NCC_TRY(make_event(e, &e->image.ready, &e->image.has_ready));
  e->image.host_task.pinned = e->image.host_tables.pinned = true;
  for (int i = 0; i < 2; i++) {
    e->image.chunks[i].pinned = true;
    NCC_TRY(make_event(e, &e->image.chunk_free[i], &e->image.has_chunk_free[i]));
  }
  for (int i = 0; i < e->streams; i++) {
    ncc_gpu_slot *slot = &e->slots[i];
    slot->staging.pinned = slot->results.pinned = slot->rest.pinned = slot->exclude.pinned = true;
    NCC_TRY_CUDA(&e->place, cudaStreamCreateWithFlags(&slot->stream, cudaStreamNonBlocking));
    slot->has_stream = true;
    NCC_TRY(make_event(e, &slot->done, &slot->has_event));
  }

cleanup:
  return status == NCC_ERR_MEMORY_LIMIT ? NCC_ERR_DEVICE : status;
}

static void gpu_destroy(void *state) {
  ncc_gpu_engine *e = state;
  if (!e) return;
  if (e->streams > 0) cudaSetDevice(e->place.device);
  ncc_gpu_release_all(e);
  for (int i = 0; i < e->streams; i++) {
    if (e->slots[i].has_event) cudaEventDestroy(e->slots[i].done);
    if (e->slots[i].has_stream) cudaStreamDestroy(e->slots[i].stream);
  }
  if (e->image.has_ready) cudaEventDestroy(e->image.ready);
  for (int i = 0; i < 2; i++)
    if (e->image.has_chunk_free[i]) cudaEventDestroy(e->image.chunk_free[i]);
  free(e);
}

/* ---- proposing -------------------------------------------------------------------------------------------------- */

/** Tells the caller of n proposals from `first` on. */
static ncc_status tell(ncc_gpu_engine *e, int64_t first, int64_t n, const ncc_task *tasks) {
  ncc_status status = NCC_OK;
  for (int64_t i = first; e->context->proposed && i < first + n; i++)
    if (!tasks[i].again) NCC_TRY(e->context->proposed(e->context->user, i));

cleanup:
  return status;
}

/** All tasks from *done on, which follows those that the caller has been told of. */
static ncc_status run_batches(ncc_gpu_engine *e, int64_t n, const ncc_task *tasks, ncc_proposal *proposals,
                              int64_t *done) {
  ncc_status status = NCC_OK;
  int64_t next = *done;
  for (int i = 0; i < e->streams; i++) e->slots[i].count = 0;
  NCC_TRY(ncc_gpu_prepare_image(e, tasks));
  e->collected = e->submitted;
  const int64_t origin = e->submitted;
  while (*done < n) {
    while (next < n && e->submitted - e->collected < e->active) {
      if (ncc_stop_came(e->context->config)) return NCC_ERR_STOPPED;
      const int64_t count = ncc_gpu_batch_count(ncc_min(e->batch, n - next));
      double t0 = ncc_clock_s();
      NCC_TRY(ncc_gpu_submit(e, &e->slots[(e->submitted - origin) % e->active], tasks + next, count));
      e->context->counters->template_s += ncc_clock_s() - t0;
      next += count;
    }
    ncc_gpu_slot *slot = &e->slots[(e->collected - origin) % e->active];
    if (ncc_stop_came(e->context->config)) return NCC_ERR_STOPPED;
    NCC_TRY(ncc_gpu_collect(e, slot, 0, slot->count, proposals + *done));
    NCC_TRY(tell(e, *done, slot->count, tasks));
    *done += slot->count;
    e->collected++;
  }

cleanup:
  return status;
}

/** The slot that still holds a task's product; NULL: none. */
static ncc_gpu_slot *find_product(ncc_gpu_engine *e, const ncc_task *task, int64_t *t) {
  if (!e->configured || e->image.serial != task->image_serial || !ncc_geometry_equal(&e->geometry, task->geometry))
    return NULL;
  for (int i = 0; i < e->streams; i++)
    for (*t = 0; *t < e->slots[i].count; ++*t)
      if (e->slots[i].tmpls[*t] == task->tmpl) return &e->slots[i];
  return NULL;
}

static ncc_status search_again(ncc_gpu_engine *e, const ncc_task *task, ncc_proposal *proposal, bool *found) {
  ncc_status status = NCC_OK;
  int64_t t;
  ncc_gpu_slot *slot = find_product(e, task, &t);
  *found = slot;
  if (!slot) return NCC_OK;
  NCC_TRY(ncc_gpu_search_again(e, slot, t, task));
  NCC_TRY(ncc_gpu_collect(e, slot, t, 1, proposal));

cleanup:
  return status;
}

static ncc_status gpu_propose(void *state, int64_t n, const ncc_task *tasks, ncc_proposal *proposals) {
  ncc_status status = NCC_OK;
  ncc_gpu_engine *e = state;
  int64_t done = 0;
  NCC_TRY_CUDA(&e->place, cudaSetDevice(e->place.device));
  bool again = n == 1 && tasks[0].again, found = false;
  if (again) NCC_TRY(search_again(e, tasks, proposals, &found));
  if (found) return NCC_OK;
  NCC_TRY(ncc_gpu_configure(e, tasks[0].geometry, tasks[0].image->pixels.dtype));
  do {
    status = run_batches(e, n, tasks, proposals, &done);
    if (status != NCC_OK) ncc_gpu_drain(e);
  } while (status == NCC_ERR_MEMORY_LIMIT && ncc_gpu_shrink(e));
  if (status == NCC_OK && again) {
    ncc_proposal_reset(proposals);
    NCC_TRY(search_again(e, tasks, proposals, &found));
    NCC_CHECK(found, NCC_ERR_INTERNAL, "a product that has just been made is not there");
  }

cleanup:
  return status;
}

static int gpu_batch(void *state, const ncc_geometry *geometry) {
  ncc_gpu_engine *e = state;
  // An error will come up again in propose(), which reports it.
  if (cudaSetDevice(e->place.device) != cudaSuccess || ncc_gpu_configure(e, geometry, NCC_F64) != NCC_OK) return 1;
  int64_t tasks = ncc_min(2 * (int64_t)e->active * e->batch, MOST_TASKS);
  while (tasks > 1 && 8 * tasks * geometry->template_rows * geometry->template_cols > TASK_PIXELS_BYTES) tasks /= 2;
  return (int)tasks;
}

/** On the host: what the CPU engine needs, which may have to stand in, and pinned memory. */
static int64_t gpu_bytes(const ncc_geometry *g, int threads) {
  return ncc_engine_cpu()->bytes(g, threads) + ncc_min(NCC_GPU_PINNED_BYTES, 8 * g->image_rows * g->image_cols) +
         ((int64_t)16 << 20);
}

const ncc_engine_ops *ncc_engine_gpu(void) {
  static const ncc_engine_ops ops = {.name = "gpu",
                                     .create = gpu_create,
                                     .destroy = gpu_destroy,
                                     .propose = gpu_propose,
                                     .batch = gpu_batch,
                                     .bytes = gpu_bytes};
  return &ops;
}
