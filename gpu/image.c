/** The image's state on the device: spectrum, window statistics, searched columns of each row. It stays for the group.
 */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/clock.h"
#include "gpu/state.h"

enum { COPY_BYTES = 8 << 20 };

#define PI 3.14159265358979323846

static int64_t trim_rows(const ncc_geometry *g) {
  return g->trim.y1 - g->trim.y0;
}
static int64_t trim_cols(const ncc_geometry *g) {
  return g->trim.x1 - g->trim.x0;
}

static int64_t ssd_stride(const ncc_geometry *g) {
  const ncc_gpu_shape shape = ncc_gpu_shape_of(g);
  return ncc_round_up(shape.lead + shape.cols, 32);
}

/** Rows that are summed at a time: blocks as high as the template, within reason, and many of them at once. */
static void choose_bands(const ncc_geometry *g, int64_t sums_bytes, ncc_gpu_stats *s) {
  int64_t rows = g->search.y1 - g->search.y0, width = g->search.x1 - g->search.x0 + g->template_cols - 1;
  s->block_rows = ncc_max(64, ncc_min(256, g->template_rows));
  s->band_rows = ncc_max(1, sums_bytes / (16 * width) / s->block_rows) * s->block_rows;
  s->band_rows = ncc_min(s->band_rows, ncc_round_up(rows, s->block_rows));
}

static int64_t turns_bytes(const ncc_gpu_lengths *lengths) {
  return 2 * (int64_t)sizeof(float) * lengths->rows;
}

int64_t ncc_gpu_image_bytes(const ncc_geometry *g, const ncc_gpu_lengths *lengths, ncc_dtype dtype,
                            int64_t sums_bytes) {
  ncc_gpu_stats s = {.shape = ncc_gpu_shape_of(g)};
  choose_bands(g, sums_bytes, &s);
  return 8 * lengths->rows * lengths->half + (int64_t)ncc_dtype_size(dtype) * trim_rows(g) * trim_cols(g) +
         4 * (g->search.y1 - g->search.y0) * ssd_stride(g) + 8 * ncc_gpu_stats_scratch(&s) + ncc_gpu_spans_bytes(g) +
         turns_bytes(lengths);
}

/** Rows [first, first + rows) of the trimmed image to pinned memory, by all threads. */
typedef struct copy_job {
  const ncc_array *pixels;
  const ncc_geometry *g;
  int64_t first, row_bytes;
  char *out;
} copy_job;

static void copy_row(void *context, int64_t item, int thread) {
  (void)thread;
  const copy_job *job = context;
  memcpy(job->out + item * job->row_bytes,
         ncc_array_at(job->pixels, job->g->trim.y0 + job->first + item, job->g->trim.x0), (size_t)job->row_bytes);
}

/** In pieces, so that one is on its way while the next is filled. Only an image larger than both chunks waits for what
 * is ahead of it; those before it have gone, since their batches have been collected. */
static ncc_status upload(ncc_gpu_engine *e, const ncc_prepared *image) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const ncc_geometry *g = &e->geometry;
  cudaStream_t stream = e->slots[0].stream;
  copy_job job = {.pixels = &image->pixels, .g = g};
  job.row_bytes = trim_cols(g) * (int64_t)ncc_dtype_size(image->pixels.dtype);
  const int64_t chunk_rows = ncc_clamp(NCC_GPU_PINNED_BYTES / 2 / job.row_bytes, 1, trim_rows(g));
  const int64_t copy_rows = ncc_max(1, COPY_BYTES / job.row_bytes);
  for (int64_t chunk = 0; job.first < trim_rows(g); chunk++) {
    const int turn = (int)(chunk % 2);
    const int64_t start = job.first, end = ncc_min(start + chunk_rows, trim_rows(g));
    if (chunk > 1) NCC_TRY_CUDA(place, cudaEventSynchronize(e->image.chunk_free[turn]));
    NCC_TRY(ncc_gpu_reserve(place, &e->image.chunks[turn], chunk_rows * job.row_bytes));
    for (int64_t rows; job.first < end; job.first += rows) {
      rows = ncc_min(copy_rows, end - job.first);
      job.out = (char *)e->image.chunks[turn].data + (job.first - start) * job.row_bytes;
      ncc_pool_run(e->context->pool, rows, copy_row, &job);
      NCC_TRY_CUDA(place, cudaMemcpyAsync((char *)e->image.pixels.data + job.first * job.row_bytes, job.out,
                                          (size_t)(rows * job.row_bytes), cudaMemcpyHostToDevice, stream));
    }
    NCC_TRY_CUDA(place, cudaEventRecord(e->image.chunk_free[turn], stream));
  }

cleanup:
  return status;
}

static ncc_status transform(ncc_gpu_engine *e, const ncc_prepared *image) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  ncc_gpu_slot *slot = &e->slots[0];
  const int64_t rows = trim_rows(&e->geometry), stride = 2 * e->lengths.half;
  double *planning_s = &e->context->counters->planning_s;
  ncc_gpu_task *task = e->image.host_task.data;
  *task = (ncc_gpu_task){.dtype = image->pixels.dtype,
                         .scale = image->scale,
                         .c = e->image.centring.centre,
                         .unit = e->image.centring.unit};
  NCC_TRY_CUDA(place, cudaMemcpyAsync(e->image.task.data, task, sizeof *task, cudaMemcpyHostToDevice, slot->stream));
  float *spectrum = e->image.spectrum.data;
  NCC_TRY_CUDA(place, ncc_gpu_pack(slot->stream, e->image.task.data, e->image.pixels.data, 1, rows,
                                   trim_cols(&e->geometry), 0, stride, spectrum));
  NCC_TRY_CUDA(place, cudaMemsetAsync(spectrum + rows * stride, 0,
                                      (size_t)((e->lengths.rows - rows) * stride) * sizeof(float), slot->stream));
  const ncc_gpu_transform along = ncc_gpu_rows(e, CUFFT_R2C, 1, rows), down = ncc_gpu_columns(e, 1);
  NCC_TRY(ncc_gpu_execute(place, slot->stream, &slot->plans, &along, CUFFT_FORWARD, spectrum, planning_s));
  NCC_TRY(ncc_gpu_execute(place, slot->stream, &slot->plans, &down, CUFFT_FORWARD, spectrum, planning_s));

cleanup:
  return status;
}

/** What depends on the geometry alone: searched columns of each row, and turns of products. */
static ncc_status make_tables(ncc_gpu_engine *e) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &e->geometry;
  const ncc_gpu_lengths *l = &e->lengths;
  if (e->image.has_tables) return NCC_OK;
  const int64_t bytes = ncc_gpu_spans_bytes(g) + turns_bytes(l);
  int64_t *spans = e->image.host_tables.data;
  for (int64_t y = g->search.y0; y < g->search.y1; y++) {
    int64_t x0, x1;
    ncc_geometry_span(g, y, &x0, &x1);
    *spans++ = x0 - g->search.x0;
    *spans++ = x1 - g->search.x0;
  }
  float *turns = (float *)spans;
  for (int64_t i = 0; i < l->rows; i++) {
    const double angle = -2 * PI * (double)(i / l->radix * (i % l->radix)) / (double)l->rows;
    *turns++ = (float)cos(angle);
    *turns++ = (float)sin(angle);
  }
  NCC_TRY_CUDA(&e->place, cudaMemcpyAsync(e->image.tables.data, e->image.host_tables.data, (size_t)bytes,
                                          cudaMemcpyHostToDevice, e->slots[0].stream));
  e->image.has_tables = true;

cleanup:
  return status;
}

static ncc_status survey(ncc_gpu_engine *e, const ncc_prepared *image) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const ncc_geometry *g = &e->geometry;
  cudaStream_t stream = e->slots[0].stream;
  ncc_gpu_stats s = {.shape = ncc_gpu_shape_of(g),
                     .pixels = e->image.pixels.data,
                     .dtype = image->pixels.dtype,
                     .trim_y0 = g->trim.y0,
                     .trim_x0 = g->trim.x0,
                     .trim_rows = trim_rows(g),
                     .trim_cols = trim_cols(g),
                     .scale = image->scale,
                     .sums = e->image.sums.data,
                     .unknown = e->image.unknown.data,
                     .ssd = (float *)e->image.ssd.data + ncc_gpu_shape_of(g).lead,
                     .ssd_stride = e->image.ssd_stride};
  choose_bands(g, e->sums_bytes, &s);
  const ncc_stats_centring c =
      ncc_stats_centring_choose(image, g->template_rows + 2 * s.block_rows, ncc_gpu_stats_segment(g->template_cols));
  s.c = c.c;
  s.unit = e->image.ssd_unit = c.unit;
  s.largest = c.largest;
  s.exact = c.exact;
  NCC_TRY_CUDA(place, cudaMemsetAsync(s.unknown, 0, sizeof *s.unknown, stream));
  NCC_TRY_CUDA(place, ncc_gpu_fill_stats(stream, &s));

cleanup:
  return status;
}

static ncc_status reserve(ncc_gpu_engine *e, ncc_dtype dtype) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const ncc_geometry *g = &e->geometry;
  const int64_t rows = g->search.y1 - g->search.y0;
  ncc_gpu_stats s = {.shape = ncc_gpu_shape_of(g)};
  choose_bands(g, e->sums_bytes, &s);
  e->image.ssd_stride = ssd_stride(g);
  NCC_TRY(ncc_gpu_reserve(place, &e->image.pixels, (int64_t)ncc_dtype_size(dtype) * trim_rows(g) * trim_cols(g)));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.spectrum, 8 * e->lengths.rows * e->lengths.half));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.ssd, 4 * rows * e->image.ssd_stride));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.tables, ncc_gpu_spans_bytes(g) + turns_bytes(&e->lengths)));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.sums, 8 * ncc_gpu_stats_scratch(&s)));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.unknown, sizeof(unsigned)));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.task, sizeof(ncc_gpu_task)));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.host_task, sizeof(ncc_gpu_task)));
  NCC_TRY(ncc_gpu_reserve(place, &e->image.host_tables, ncc_gpu_spans_bytes(g) + turns_bytes(&e->lengths)));

cleanup:
  return status;
}

void ncc_gpu_image_release(ncc_gpu_image *image) {
  ncc_gpu_buffer *buffers[] = {&image->chunks[0], &image->chunks[1], &image->host_task, &image->host_tables,
                               &image->pixels,    &image->spectrum,  &image->ssd,       &image->tables,
                               &image->sums,      &image->unknown,   &image->task};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) ncc_gpu_release(buffers[i]);
  image->serial = -1;
  image->has_tables = false;
}

ncc_status ncc_gpu_prepare_image(ncc_gpu_engine *e, const ncc_task *task) {
  ncc_status status = NCC_OK;
  if (e->image.serial == task->image_serial) return NCC_OK;
  ncc_counters *counters = e->context->counters;
  double t0 = ncc_clock_s(), planned_s = counters->planning_s;
  e->image.centring = ncc_centring_choose(task->image, false);
  NCC_TRY(reserve(e, task->image->pixels.dtype));
  NCC_TRY(upload(e, task->image));
  NCC_TRY(make_tables(e));
  NCC_TRY(transform(e, task->image));
  NCC_TRY(survey(e, task->image));
  NCC_TRY_CUDA(&e->place, cudaEventRecord(e->image.ready, e->slots[0].stream));
  e->image.serial = task->image_serial;
  counters->images++;
  counters->image_s += ncc_clock_s() - t0 - (counters->planning_s - planned_s);

cleanup:
  return status;
}
