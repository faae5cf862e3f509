/** The GPU engine: the CPU engine's stages on batches of templates, with cuFFT. docs/gpu.md has the whole story.
 *
 *  A call of propose() cuts its tasks into batches, keeps one in flight on every stream, and while the device computes,
 *  the caller decides what has come home. The image's state is shared by all streams. Here: devices, memory and turns;
 *  image.c prepares an image, slot.c does a batch.
 */
#include "gpu/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/clock.h"
#include "gpu/state.h"

enum { DEFAULT_STREAMS = 3, MOST_TASKS = 256 };

#define BATCH_BYTES ((int64_t)1 << 30)       /* spectra of a batch: larger ones gain nothing */
#define TASK_PIXELS_BYTES ((int64_t)1 << 28) /* float64 copies that --normalize makes of a call's templates */

ncc_gpu_shape ncc_gpu_shape_of(const ncc_geometry *g) {
  return (ncc_gpu_shape){.image_rows = g->image_rows,
                         .image_cols = g->image_cols,
                         .tmpl_rows = g->template_rows,
                         .tmpl_cols = g->template_cols,
                         .y0 = g->search.y0,
                         .x0 = g->search.x0,
                         .rows = g->search.y1 - g->search.y0,
                         .cols = g->search.x1 - g->search.x0};
}

ncc_gpu_transform ncc_gpu_rows(const ncc_gpu_engine *e, cufftType type, int64_t count, int64_t rows) {
  return (ncc_gpu_transform){type, e->lengths.cols, 1, e->lengths.half, count * rows};
}

ncc_gpu_transform ncc_gpu_columns(const ncc_gpu_engine *e, int64_t count) {
  return (ncc_gpu_transform){CUFFT_C2C, e->lengths.rows, count * e->lengths.half, 1, count * e->lengths.half};
}

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
  e->serial = -1;
  e->cached = NCC_GPU_CACHED;
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
  NCC_TRY(make_event(e, &e->image_ready, &e->has_image_ready));
  e->host_spans.pinned = true;
  for (int i = 0; i < 2; i++) {
    e->chunks[i].pinned = true;
    NCC_TRY(make_event(e, &e->chunk_free[i], &e->has_chunk_free[i]));
  }
  for (int i = 0; i < e->streams; i++) {
    ncc_gpu_slot *slot = &e->slots[i];
    slot->staging.pinned = slot->results.pinned = slot->rest.pinned = true;
    NCC_TRY_CUDA(&e->place, cudaStreamCreateWithFlags(&slot->stream, cudaStreamNonBlocking));
    slot->has_stream = true;
    NCC_TRY(make_event(e, &slot->done, &slot->has_event));
  }

cleanup:
  return status == NCC_ERR_MEMORY_LIMIT ? NCC_ERR_DEVICE : status;
}

/** Waits until the device has left all memory alone. Errors are those that brought us here. */
static void drain(ncc_gpu_engine *e) {
  for (int i = 0; i < e->streams; i++)
    if (e->slots[i].has_stream) cudaStreamSynchronize(e->slots[i].stream);
}

static void release_slot(ncc_gpu_slot *slot) {
  ncc_gpu_buffer *buffers[] = {&slot->staging, &slot->results, &slot->rest,  &slot->staged, &slot->spectra,
                               &slot->prefix,  &slot->tiles,   &slot->heads, &slot->items};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) ncc_gpu_release(buffers[i]);
  ncc_gpu_plans_clear(&slot->plans);
  slot->count = 0;
}

static void release_cache(ncc_gpu_engine *e) {
  for (int i = 0; i < NCC_GPU_CACHED; i++) {
    ncc_gpu_release(&e->cache[i].spectrum);
    e->cache[i].hash = 0;
  }
}

static void release_image(ncc_gpu_engine *e) {
  ncc_gpu_buffer *buffers[] = {&e->chunks[0], &e->chunks[1], &e->host_spans, &e->pixels,  &e->spectrum,
                               &e->ssd,       &e->spans,     &e->sums,       &e->unknown, &e->image_task};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) ncc_gpu_release(buffers[i]);
  e->serial = -1;
}

static void gpu_destroy(void *state) {
  ncc_gpu_engine *e = state;
  if (!e) return;
  if (e->streams > 0) {
    cudaSetDevice(e->place.device);
    drain(e);
  }
  for (int i = 0; i < e->streams; i++) {
    ncc_gpu_slot *slot = &e->slots[i];
    release_slot(slot);
    if (slot->has_event) cudaEventDestroy(slot->done);
    if (slot->has_stream) cudaStreamDestroy(slot->stream);
  }
  release_cache(e);
  release_image(e);
  if (e->has_image_ready) cudaEventDestroy(e->image_ready);
  for (int i = 0; i < 2; i++)
    if (e->has_chunk_free[i]) cudaEventDestroy(e->chunk_free[i]);
  free(e);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static int64_t template_bytes(const ncc_geometry *g, const ncc_gpu_lengths *l) {
  const ncc_gpu_shape shape = ncc_gpu_shape_of(g);
  const int64_t spectra = 8 * l->rows * l->half;  // and as much for the work area of strided transforms
  return 2 * spectra + 8 * g->template_rows * g->template_cols + 8 * (g->template_rows + 1) * (g->template_cols + 1) +
         4 * ncc_gpu_tiles(&shape) + NCC_GPU_LIST * (int64_t)sizeof(ncc_gpu_item);
}

static void release_all(ncc_gpu_engine *e) {
  drain(e);
  for (int i = 0; i < e->streams; i++) release_slot(&e->slots[i]);
  release_cache(e);
  release_image(e);
}

/** Bytes of the device that this matcher holds. */
static int64_t held(const ncc_gpu_engine *e) {
  int64_t bytes = e->pixels.bytes + e->spectrum.bytes + e->ssd.bytes + e->spans.bytes + e->sums.bytes;
  for (int i = 0; i < e->streams; i++) {
    const ncc_gpu_slot *s = &e->slots[i];
    bytes +=
        s->staged.bytes + s->spectra.bytes + s->prefix.bytes + s->tiles.bytes + s->items.bytes + s->plans.work.bytes;
  }
  for (int i = 0; i < NCC_GPU_CACHED; i++) bytes += e->cache[i].spectrum.bytes;
  return bytes;
}

/** Bytes of the device that this matcher may take: buffers of earlier geometries are used again. */
static ncc_status find_budget(ncc_gpu_engine *e, int64_t *bytes) {
  ncc_status status = NCC_OK;
  const ncc_config *config = e->context->config;
  size_t of_device = 0, total = 0;
  NCC_TRY_CUDA(&e->place, cudaMemGetInfo(&of_device, &total));
  *bytes = (int64_t)(0.9 * (double)of_device) / (config->sharers > 0 ? config->sharers : 1) + held(e);
  if (config->memory_bytes > 0 && config->memory_bytes < *bytes) *bytes = config->memory_bytes;

cleanup:
  return status;
}

/** Lengths, batch and memory for a geometry. What does not fit is halved, then the streams, then given up. */
static ncc_status configure(ncc_gpu_engine *e, const ncc_geometry *geometry, ncc_dtype dtype) {
  ncc_status status = NCC_OK;
  if (e->configured && ncc_geometry_equal(&e->geometry, geometry)) return NCC_OK;
  e->configured = false;
  e->serial = -1;
  ncc_geometry g = *geometry;
  g.exclude = (ncc_rect){0};
  const ncc_rect *trim = &g.trim, *search = &g.search;
  ncc_gpu_lengths l;
  l.rows = ncc_gpu_fft_length(ncc_max(
      2, ncc_geometry_min_fft(trim->y1 - trim->y0, g.template_rows, search->y0 - trim->y0, search->y1 - 1 - trim->y0)));
  l.cols = ncc_gpu_fft_length(ncc_max(
      2, ncc_geometry_min_fft(trim->x1 - trim->x0, g.template_cols, search->x0 - trim->x0, search->x1 - 1 - trim->x0)));
  l.half = ncc_round_up(l.cols / 2 + 1, 8);
  const int64_t each = template_bytes(&g, &l), image = ncc_gpu_image_bytes(&g, &l, dtype);
  int64_t budget = 0;
  e->geometry = g;
  e->lengths = l;
  NCC_TRY(find_budget(e, &budget));
  e->active = e->streams;
  e->batch = NCC_GPU_MOST_BATCH;
  while (e->batch > 1 && (8 * l.rows * l.half * e->batch > BATCH_BYTES || e->active * e->batch * each + image > budget))
    e->batch /= 2;
  if (e->active * each + image > budget) e->active = 1;
  // A quarter of what is left is for spectra of templates that come again.
  const int64_t spare = budget - image - e->active * e->batch * each;
  e->cached = (int)ncc_clamp(spare / 4 / (8 * l.rows * l.half), 0, NCC_GPU_CACHED);
  e->configured = true;

cleanup:
  return status;
}

/** After an allocation failed: less at a time. @return false if there is no less. */
static bool shrink(ncc_gpu_engine *e) {
  release_all(e);
  e->cached = 0;
  if (e->batch > 1)
    e->batch /= 2;
  else if (e->active > 1)
    e->active = 1;
  else
    return false;
  return true;
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
      int64_t count = e->batch;
      while (count > n - next) count /= 2;
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
  if (!e->configured || e->serial != task->image_serial || !ncc_geometry_equal(&e->geometry, task->geometry))
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
  if (n == 1 && tasks[0].again) {
    bool found;
    NCC_TRY(search_again(e, tasks, proposals, &found));
    if (found) return NCC_OK;
  }
  NCC_TRY(configure(e, tasks[0].geometry, tasks[0].image->pixels.dtype));
  do {
    status = run_batches(e, n, tasks, proposals, &done);
    if (status != NCC_OK) drain(e);
  } while (status == NCC_ERR_MEMORY_LIMIT && shrink(e));

cleanup:
  return status;
}

static int gpu_batch(void *state, const ncc_geometry *geometry) {
  ncc_gpu_engine *e = state;
  // An error will come up again in propose(), which reports it.
  if (cudaSetDevice(e->place.device) != cudaSuccess || configure(e, geometry, NCC_F64) != NCC_OK) return 1;
  int64_t tasks = ncc_min(2 * (int64_t)e->active * e->batch, MOST_TASKS);
  while (tasks > 1 && 8 * tasks * geometry->template_rows * geometry->template_cols > TASK_PIXELS_BYTES) tasks /= 2;
  return (int)tasks;
}

/** On the host: what the CPU engine needs, which may have to stand in, and pinned memory. */
static int64_t gpu_bytes(const ncc_geometry *g, int threads) {
  return ncc_engine_cpu()->bytes(g, threads) + ((int64_t)24 << 20);
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
