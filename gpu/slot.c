/** One batch on one stream: upload, transform, multiply, transform back, find peaks, send candidates home. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "gpu/state.h"

static int64_t pixel_bytes(const ncc_prepared *p) {
  return p->pixels.rows * p->pixels.cols * (int64_t)ncc_dtype_size(p->pixels.dtype);
}

static int64_t prefix_count(const ncc_geometry *g) {
  return (g->template_rows + 1) * (g->template_cols + 1);
}

static int64_t search_rows(const ncc_geometry *g) {
  return g->search.y1 - g->search.y0;
}

void ncc_gpu_slot_release(ncc_gpu_slot *slot) {
  ncc_gpu_buffer *buffers[] = {&slot->staging, &slot->results,  &slot->rest,    &slot->exclude,
                               &slot->staged,  &slot->excluded, &slot->spectra, &slot->prefix,
                               &slot->tiles,   &slot->heads,    &slot->items};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) ncc_gpu_release(buffers[i]);
  ncc_gpu_plans_clear(&slot->plans);
  slot->count = 0;
}

ncc_status ncc_gpu_slot_reserve(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t count) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const ncc_geometry *g = &e->geometry;
  const ncc_gpu_shape shape = ncc_gpu_shape_of(g);
  const int64_t tasks = ncc_round_up(count * (int64_t)sizeof(ncc_gpu_task), 256);
  const int64_t item = (int64_t)sizeof(ncc_gpu_item), head = (int64_t)sizeof(ncc_gpu_head);
  double *planning_s = &e->context->counters->planning_s;
  cufftHandle plan;
  NCC_TRY(ncc_gpu_reserve(place, &slot->staging, tasks));
  NCC_TRY(ncc_gpu_reserve(place, &slot->results, count * (head + NCC_GPU_FIRST_ITEMS * item)));
  NCC_TRY(ncc_gpu_reserve(place, &slot->staged, tasks));
  NCC_TRY(ncc_gpu_reserve(place, &slot->spectra, 8 * e->lengths.rows * e->lengths.half * count));
  NCC_TRY(ncc_gpu_reserve(place, &slot->tiles, 4 * ncc_gpu_tiles(&shape) * count));
  NCC_TRY(ncc_gpu_reserve(place, &slot->heads, count * head));
  NCC_TRY(ncc_gpu_reserve(place, &slot->items, count * NCC_GPU_LIST * item));
  const ncc_gpu_transform transforms[] = {ncc_gpu_rows(e, CUFFT_R2C, count, g->template_rows),
                                          ncc_gpu_columns(e, count), ncc_gpu_rows(e, CUFFT_C2R, count, search_rows(g))};
  for (int i = 0; i < 3; i++)
    NCC_TRY(ncc_gpu_plan(place, slot->stream, &slot->plans, &transforms[i], planning_s, &plan));

cleanup:
  return status;
}

typedef struct copy_job {
  const ncc_task *tasks;
  const ncc_gpu_task *staged;
  char *out;
} copy_job;

static void copy_template(void *context, int64_t t, int thread) {
  (void)thread;
  const copy_job *job = context;
  const ncc_array *a = &job->tasks[t].tmpl->pixels;
  const int64_t row_bytes = a->cols * (int64_t)ncc_dtype_size(a->dtype);
  char *out = job->out + job->staged[t].offset;
  for (int64_t r = 0; r < a->rows; r++) memcpy(out + r * row_bytes, ncc_array_at(a, r, 0), (size_t)row_bytes);
}

/** Bounds in the engine's units. The constant for cuFFT is twice the CPU engine's (see match/cpu/peak.c): no bound of
 * its transforms has been published, nor measured yet. The judge measures every candidate's error. */
static void set_bounds(ncc_gpu_engine *e, const ncc_task *task, ncc_gpu_slot *slot, int64_t t) {
  // The inverse transform is not divided by the number of points.
  const double points = (double)e->lengths.rows * (double)e->lengths.cols, slack = 4e-7;
  const ncc_units units = {e->image.centring.unit, ncc_template_unit(task->tmpl), points, e->image.ssd_unit,
                           NCC_SSD_UNKNOWN};
  slot->errors[t] = (12 + log2(points)) * 0x1p-23 * e->image.centring.norm * sqrt(task->tmpl->ssd);
  slot->bounds[t] = ncc_bounds_create(task->image, task->tmpl, &units, e->context->eps, slot->errors[t], slack,
                                      e->image.centring.centre != 0 ? slack : 0);
}

/** The smallest float >= value, so that floats compare with it as with value itself; and the largest <= value. */
static float float_above(double value) {
  float f = (float)value;
  return (double)f < value ? nextafterf(f, INFINITY) : f;
}
static float float_below(double value) {
  float f = (float)value;
  return (double)f > value ? nextafterf(f, -INFINITY) : f;
}

static ncc_gpu_task make_task(const ncc_gpu_engine *e, const ncc_task *task, const ncc_bounds *b, int64_t offset) {
  const ncc_prepared *tmpl = task->tmpl;
  const double points = (double)e->lengths.rows * (double)e->lengths.cols;
  return (ncc_gpu_task){.offset = offset,
                        .dtype = tmpl->pixels.dtype,
                        .scale = tmpl->scale,
                        .c = tmpl->mean,
                        .rest = tmpl->rest,
                        .unit = ncc_template_unit(tmpl),
                        .overhang = e->image.centring.centre * e->image.centring.unit * points,
                        .inv_norm = (float)b->inv_norm,
                        .error = float_above(b->error),
                        .slack = (float)b->relative_slack + 2e-6f,  // float32 arithmetic of some ten operations
                        .absolute_slack = (float)b->absolute_slack + 1e-6f,
                        .zero_lo = float_above(b->zero_lo),
                        .zero_hi = float_below(b->zero_hi)};
}

/** Peaks of templates [first, after), and their way home. @param[in] excluded  rectangles in slot->excluded */
static ncc_status find_peaks(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t first, int64_t after, int64_t excluded) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const ncc_geometry *g = &e->geometry;
  const int64_t stride = 2 * e->lengths.half, row = g->search.y0 - g->trim.y0, n = after - first;
  const ncc_gpu_shape shape = ncc_gpu_shape_of(g);
  const ncc_gpu_peaks peaks = {
      .shape = shape,
      .count = slot->count,
      .first = first,
      .after = after,
      .tasks = slot->staged.data,
      .numerators = (const float *)slot->spectra.data + row * slot->count * stride + (g->search.x0 - g->trim.x0),
      .stride = stride,
      .ssd = (const float *)e->image.ssd.data + shape.lead,
      .ssd_stride = e->image.ssd_stride,
      .spans = e->image.tables.data,
      .excluded = slot->excluded.data,
      .n_excluded = excluded,
      .prefix = e->image.centring.centre != 0 ? slot->prefix.data : NULL,
      .tiles = slot->tiles.data,
      .heads = slot->heads.data,
      .items = slot->items.data,
      .capacity = NCC_GPU_LIST};
  ncc_gpu_head *heads = slot->results.data;
  ncc_gpu_item *items = (ncc_gpu_item *)(heads + slot->count);
  const size_t item = sizeof *items, some = NCC_GPU_FIRST_ITEMS * item, all = NCC_GPU_LIST * item;
  NCC_TRY_CUDA(place, cudaMemsetAsync(peaks.heads + first, 0, (size_t)n * sizeof *heads, slot->stream));
  NCC_TRY_CUDA(place, ncc_gpu_find_peaks(slot->stream, &peaks));
  NCC_TRY_CUDA(place, cudaMemcpyAsync(heads + first, peaks.heads + first, (size_t)n * sizeof *heads,
                                      cudaMemcpyDeviceToHost, slot->stream));
  NCC_TRY_CUDA(place, cudaMemcpy2DAsync(items + first * NCC_GPU_FIRST_ITEMS, some, peaks.items + first * NCC_GPU_LIST,
                                        all, some, (size_t)n, cudaMemcpyDeviceToHost, slot->stream));
  NCC_TRY_CUDA(place, cudaEventRecord(slot->done, slot->stream));

cleanup:
  return status;
}

/** Tasks and pixels to the device, by way of pinned memory. @param[in] pixels  they are wanted */
static ncc_status upload(ncc_gpu_engine *e, ncc_gpu_slot *slot, const ncc_task *tasks, int64_t count, bool *cached) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const int64_t head = ncc_round_up(count * (int64_t)sizeof(ncc_gpu_task), 256);
  int64_t bytes = head;
  for (int64_t t = 0; t < count; t++) bytes += ncc_round_up(pixel_bytes(tasks[t].tmpl), 256);
  NCC_TRY(ncc_gpu_reserve(place, &slot->staging, bytes));
  NCC_TRY(ncc_gpu_reserve(place, &slot->staged, bytes));
  ncc_gpu_task *staged = slot->staging.data;
  int64_t offset = head;
  for (int64_t t = 0; t < count; t++) {
    set_bounds(e, &tasks[t], slot, t);
    staged[t] = make_task(e, &tasks[t], &slot->bounds[t], offset);
    slot->tmpls[t] = tasks[t].tmpl;
    offset += ncc_round_up(pixel_bytes(tasks[t].tmpl), 256);
  }
  *cached = ncc_gpu_cache_use(e, tasks, count, staged);
  if (*cached && e->image.centring.centre == 0) {
    bytes = head;
  } else {
    copy_job job = {tasks, staged, slot->staging.data};
    ncc_pool_run(e->context->pool, count, copy_template, &job);
  }
  NCC_TRY_CUDA(place, cudaMemcpyAsync(slot->staged.data, slot->staging.data, (size_t)bytes, cudaMemcpyHostToDevice,
                                      slot->stream));

cleanup:
  return status;
}

ncc_status ncc_gpu_submit(ncc_gpu_engine *e, ncc_gpu_slot *slot, const ncc_task *tasks, int64_t count) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &e->geometry;
  const ncc_gpu_place *place = &e->place;
  const int64_t rows = g->template_rows, stride = 2 * e->lengths.half, row = g->search.y0 - g->trim.y0;
  double *planning_s = &e->context->counters->planning_s;
  bool cached;
  slot->count = 0;
  slot->batch = ++e->submitted;
  e->place.batch = slot->batch;
  snprintf(e->place.work, sizeof e->place.work, "%lld template%s of %lldx%lld on %lldx%lld", (long long)count,
           count == 1 ? "" : "s", (long long)rows, (long long)g->template_cols, (long long)g->image_rows,
           (long long)g->image_cols);
  NCC_TRY(ncc_gpu_slot_reserve(e, slot, count));
  NCC_TRY(upload(e, slot, tasks, count, &cached));
  slot->count = count;
  slot->tasks = tasks;
  const ncc_gpu_transform along = ncc_gpu_rows(e, CUFFT_R2C, count, rows), columns = ncc_gpu_columns(e, count);
  const ncc_gpu_transform back = ncc_gpu_rows(e, CUFFT_C2R, count, search_rows(g));
  float *spectra = slot->spectra.data;
  const float *turns = (const float *)((const char *)e->image.tables.data + ncc_gpu_spans_bytes(g));
  if (!cached) {
    NCC_TRY_CUDA(place, ncc_gpu_pack(slot->stream, slot->staged.data, slot->staged.data, (int)count, rows,
                                     g->template_cols, 1, stride, spectra));
    NCC_TRY_CUDA(place,
                 cudaMemsetAsync(spectra + rows * count * stride, 0,
                                 (size_t)((e->lengths.rows - rows) * count * stride) * sizeof *spectra, slot->stream));
    NCC_TRY(ncc_gpu_execute(place, slot->stream, &slot->plans, &along, CUFFT_FORWARD, spectra, planning_s));
    NCC_TRY(ncc_gpu_execute(place, slot->stream, &slot->plans, &columns, CUFFT_FORWARD, spectra, planning_s));
  }
  NCC_TRY_CUDA(place, cudaStreamWaitEvent(slot->stream, e->image.ready, 0));
  NCC_TRY_CUDA(place, ncc_gpu_multiply(slot->stream, slot->staged.data, e->image.spectrum.data, turns, e->lengths.radix,
                                       (int)count, e->lengths.rows, e->lengths.half, spectra));
  NCC_TRY(ncc_gpu_execute(place, slot->stream, &slot->plans, &columns, CUFFT_INVERSE, spectra, planning_s));
  NCC_TRY(ncc_gpu_execute(place, slot->stream, &slot->plans, &back, 0, spectra + row * count * stride, planning_s));
  if (e->image.centring.centre != 0) {
    NCC_TRY(ncc_gpu_reserve(place, &slot->prefix, 8 * prefix_count(g) * count));
    NCC_TRY_CUDA(place, ncc_gpu_prefix(slot->stream, slot->staged.data, slot->staged.data, (int)count, rows,
                                       g->template_cols, slot->prefix.data));
  }
  NCC_TRY(find_peaks(e, slot, 0, count, 0));

cleanup:
  if (status != NCC_OK) slot->count = 0;
  return status;
}

ncc_status ncc_gpu_search_again(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t t, const ncc_task *task) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = task->geometry;
  const int64_t bytes = g->n_exclude * (int64_t)sizeof(ncc_rect);
  NCC_TRY(ncc_gpu_reserve(&e->place, &slot->exclude, bytes));
  NCC_TRY(ncc_gpu_reserve(&e->place, &slot->excluded, bytes));
  ncc_rect *relative = slot->exclude.data;
  for (int64_t i = 0; i < g->n_exclude; i++) {
    const ncc_rect *r = &g->exclude[i];
    relative[i] = (ncc_rect){r->y0 - g->search.y0, r->x0 - g->search.x0, r->y1 - g->search.y0, r->x1 - g->search.x0};
  }
  NCC_TRY_CUDA(&e->place,
               cudaMemcpyAsync(slot->excluded.data, relative, (size_t)bytes, cudaMemcpyHostToDevice, slot->stream));
  NCC_TRY(find_peaks(e, slot, t, t + 1, g->n_exclude));

cleanup:
  return status;
}
