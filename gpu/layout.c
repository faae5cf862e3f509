/** What a geometry asks of the device: lengths of transforms, how many templates and batches at once, memory. */
#include "base/arithmetic.h"
#include "gpu/state.h"

#define BATCH_BYTES ((int64_t)1 << 30)       /* spectra of a batch: larger ones gain nothing */
#define MOST_SUMS_BYTES ((int64_t)256 << 20) /* window sums: 4000 x 4000 windows at once, which fill the device */
#define LEAST_SUMS_BYTES ((int64_t)16 << 20)

/** Columns are read and written four neighbouring ones at a time at least, 32 bytes: of so many points that is 32 KiB,
 *  which any multiprocessor holds of several blocks. Of more points cuFFT may need to pass over memory twice. */
enum { ONE_PASS = 1024 };

ncc_gpu_shape ncc_gpu_shape_of(const ncc_geometry *g) {
  return (ncc_gpu_shape){.image_rows = g->image_rows,
                         .image_cols = g->image_cols,
                         .tmpl_rows = g->template_rows,
                         .tmpl_cols = g->template_cols,
                         .y0 = g->search.y0,
                         .x0 = g->search.x0,
                         .rows = g->search.y1 - g->search.y0,
                         .cols = g->search.x1 - g->search.x0,
                         .lead = (g->search.x0 - g->trim.x0) % 4};
}

ncc_gpu_transform ncc_gpu_rows(const ncc_gpu_engine *e, cufftType type, int64_t count, int64_t rows) {
  return (ncc_gpu_transform){type, e->lengths.cols, 1, e->lengths.half, count * rows};
}

ncc_gpu_transform ncc_gpu_columns(const ncc_gpu_engine *e, int64_t count) {
  const int64_t together = e->lengths.radix * count * e->lengths.half;
  return (ncc_gpu_transform){CUFFT_C2C, e->lengths.rows / e->lengths.radix, together, 1, together};
}

void ncc_gpu_drain(ncc_gpu_engine *e) {
  for (int i = 0; i < e->streams; i++)
    if (e->slots[i].has_stream) cudaStreamSynchronize(e->slots[i].stream);
}

void ncc_gpu_release_all(ncc_gpu_engine *e) {
  ncc_gpu_drain(e);
  for (int i = 0; i < e->streams; i++) ncc_gpu_slot_release(&e->slots[i]);
  ncc_gpu_cache_release(&e->cache);
  ncc_gpu_image_release(&e->image);
}

static int64_t template_bytes(const ncc_geometry *g, const ncc_gpu_lengths *l) {
  const ncc_gpu_shape shape = ncc_gpu_shape_of(g);
  const int64_t spectra = 8 * l->rows * l->half;  // and as much for the work area of strided transforms
  return 2 * spectra + 8 * g->template_rows * g->template_cols + 8 * (g->template_rows + 1) * (g->template_cols + 1) +
         4 * ncc_gpu_tiles(&shape) + NCC_GPU_LIST * (int64_t)sizeof(ncc_gpu_item);
}

/** Bytes of the device that this matcher holds. */
static int64_t held(const ncc_gpu_engine *e) {
  int64_t bytes = e->image.pixels.bytes + e->image.spectrum.bytes + e->image.ssd.bytes + e->image.tables.bytes +
                  e->image.sums.bytes;
  for (int i = 0; i < e->streams; i++) {
    const ncc_gpu_slot *s = &e->slots[i];
    bytes +=
        s->staged.bytes + s->spectra.bytes + s->prefix.bytes + s->tiles.bytes + s->items.bytes + s->plans.work.bytes;
  }
  for (int i = 0; i < NCC_GPU_CACHED; i++) bytes += e->cache.entries[i].spectrum.bytes;
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

ncc_status ncc_gpu_configure(ncc_gpu_engine *e, const ncc_geometry *geometry, ncc_dtype dtype) {
  ncc_status status = NCC_OK;
  if (e->configured && ncc_geometry_equal(&e->geometry, geometry)) return NCC_OK;
  e->configured = false;
  e->image.serial = -1;
  e->image.has_tables = false;
  ncc_geometry g = *geometry;
  g.n_exclude = 0;
  const ncc_rect *trim = &g.trim, *search = &g.search;
  ncc_gpu_lengths l;
  const int64_t rows =
      ncc_geometry_min_fft(trim->y1 - trim->y0, g.template_rows, search->y0 - trim->y0, search->y1 - 1 - trim->y0);
  const int64_t cols =
      ncc_geometry_min_fft(trim->x1 - trim->x0, g.template_cols, search->x0 - trim->x0, search->x1 - 1 - trim->x0);
  l.radix = rows > 2 * ONE_PASS ? 4 : rows > ONE_PASS ? 2 : 1;
  l.rows = ncc_gpu_fft_length(ncc_max(2, rows), ncc_max(2, l.radix));
  l.cols = ncc_gpu_fft_length(ncc_max(2, cols), 2);
  l.half = ncc_round_up(l.cols / 2 + 1, 8);
  const int64_t each = template_bytes(&g, &l);
  int64_t image, budget = 0;
  e->geometry = g;
  e->lengths = l;
  NCC_TRY(find_budget(e, &budget));
  e->sums_bytes = MOST_SUMS_BYTES;
  while ((image = ncc_gpu_image_bytes(&g, &l, dtype, e->sums_bytes)) > budget / 2 && e->sums_bytes > LEAST_SUMS_BYTES)
    e->sums_bytes /= 2;
  e->active = e->streams;
  e->batch = NCC_GPU_MOST_BATCH;
  while (e->batch > 1 && (8 * l.rows * l.half * e->batch > BATCH_BYTES || e->active * e->batch * each + image > budget))
    e->batch /= 2;
  if (e->active * each + image > budget) e->active = 1;
  // A quarter of what is left is for spectra of templates that come again.
  const int64_t spare = budget - image - e->active * e->batch * each;
  e->cache.most = (int)ncc_clamp(spare / 4 / (8 * l.rows * l.half), 0, NCC_GPU_CACHED);
  e->configured = true;

cleanup:
  return status;
}

bool ncc_gpu_shrink(ncc_gpu_engine *e) {
  ncc_gpu_release_all(e);
  e->cache.most = 0;
  if (e->batch > 1)
    e->batch /= 2;
  else if (e->active > 1)
    e->active = 1;
  else
    return false;
  return true;
}
