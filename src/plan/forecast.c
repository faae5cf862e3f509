/** Counts and sums over the pairs; see forecast.h. */
#include "plan/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "match/fft.h"

/* ---- geometries ------------------------------------------------------------------------------------------------- */

/** Open addressing over the geometries: slots hold an index plus 1. */
typedef struct geometry_table {
  ncc_forecast *forecast;
  int64_t capacity; /* of forecast->geometries */
  int64_t *slots;   /* [n_slots], a power of two */
  int64_t n_slots;
} geometry_table;

static uint64_t hash_shapes(const ncc_object *image, const ncc_object *tmpl) {
  const int64_t parts[] = {image->rows, image->cols, image->dtype, tmpl->rows, tmpl->cols, tmpl->dtype};
  uint64_t hash = 0;
  for (int i = 0; i < 6; i++) hash = (hash ^ (uint64_t)parts[i]) * 0x9E3779B97F4A7C15u + (hash >> 29);
  return hash ^ hash >> 32;
}

static bool same_shape(const ncc_object *a, const ncc_object *b) {
  return a->rows == b->rows && a->cols == b->cols && a->dtype == b->dtype;
}

/** The slot of a geometry, or the free one where it belongs. */
static int64_t *find_slot(const geometry_table *table, const ncc_object *image, const ncc_object *tmpl) {
  uint64_t at = hash_shapes(image, tmpl);
  for (;; at++) {
    int64_t *slot = &table->slots[at & (uint64_t)(table->n_slots - 1)];
    if (*slot == 0) return slot;
    const ncc_forecast_geometry *known = &table->forecast->geometries[*slot - 1];
    if (same_shape(&known->image, image) && same_shape(&known->tmpl, tmpl)) return slot;
  }
}

/** Makes room for one geometry more, keeping the slots half empty. */
static ncc_status grow(geometry_table *table) {
  ncc_status status = NCC_OK;
  ncc_forecast *f = table->forecast;
  if (f->n_geometries < table->capacity) return NCC_OK;
  int64_t capacity = table->capacity ? 4 * table->capacity : 64;
  ncc_forecast_geometry *grown = realloc(f->geometries, (size_t)capacity * sizeof *grown);
  if (grown) f->geometries = grown;
  int64_t *slots = calloc((size_t)(2 * capacity), sizeof *slots);
  if (slots) {
    free(table->slots);
    table->slots = slots;
  }
  NCC_CHECK(grown && slots, NCC_ERR_NOMEM, "out of memory for %lld geometries", (long long)capacity);
  table->capacity = capacity;
  table->n_slots = 2 * capacity;
  for (int64_t i = 0; i < f->n_geometries; i++) *find_slot(table, &grown[i].image, &grown[i].tmpl) = i + 1;
cleanup:
  return status;
}

static ncc_status add_geometry(geometry_table *table, const ncc_catalog *catalog, const ncc_search *search, int64_t row,
                               const ncc_object *image, const ncc_object *tmpl) {
  ncc_status status = NCC_OK;
  const ncc_rect *window = catalog->windows ? &catalog->windows[row] : NULL;
  NCC_TRY(grow(table));
  ncc_forecast_geometry g = {.image = *image, .tmpl = *tmpl};
  NCC_TRY(ncc_geometry_create(search, window, image->rows, image->cols, tmpl->rows, tmpl->cols, &g.geometry));
  ncc_fft_shape fft = ncc_fft_shape_choose(&g.geometry);
  g.fft_rows = fft.rows;
  g.fft_cols = fft.cols;
  NCC_TRY(ncc_cost_predict(search, window, image->rows, image->cols, tmpl->rows, tmpl->cols, &g.cost));
  table->forecast->geometries[table->forecast->n_geometries++] = g;
  *find_slot(table, image, tmpl) = table->forecast->n_geometries;
cleanup:
  return status;
}

static ncc_status count_pair(geometry_table *table, const ncc_catalog *catalog, const ncc_search *search, int64_t row,
                             const ncc_object *image, const ncc_object *tmpl) {
  ncc_status status = NCC_OK;
  if (table->n_slots == 0 || *find_slot(table, image, tmpl) == 0)
    NCC_TRY(add_geometry(table, catalog, search, row, image, tmpl));
  ncc_forecast_geometry *g = &table->forecast->geometries[*find_slot(table, image, tmpl) - 1];
  g->pairs++;
  table->forecast->pairs++;
  const ncc_rect *w = catalog->windows ? &catalog->windows[row] : NULL, *s = &g->geometry.search;
  g->windows_vary = g->windows_vary || (w && memcmp(w, s, sizeof *w) != 0);
cleanup:
  return status;
}

static int compare_costs(const void *left, const void *right) {
  const ncc_forecast_geometry *a = left, *b = right;
  double cost_a = (double)a->pairs * a->cost.pair_s, cost_b = (double)b->pairs * b->cost.pair_s;
  if (cost_a != cost_b) return cost_a > cost_b ? -1 : 1;
  return (a->pairs < b->pairs) - (a->pairs > b->pairs);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static int64_t pixel_bytes(const ncc_object *object) {
  return object->rows * object->cols * (int64_t)ncc_dtype_size(object->dtype);
}

/** An object that `uses` pairs or groups want is read once where it is kept: by rank 0, or by each rank that wants it.
 */
static void count_object(ncc_forecast *forecast, int64_t bytes, int64_t uses, int ranks) {
  int64_t readers = uses < ranks ? uses : ranks;
  if (uses == 0) return;
  forecast->distinct_bytes += bytes;
  forecast->root.total_bytes += bytes;
  forecast->all.total_bytes += readers * bytes;
}

static ncc_status count_reading(const ncc_catalog *catalog, const int64_t (*indices)[2], const uint8_t *done, int ranks,
                                ncc_forecast *out) {
  ncc_status status = NCC_OK;
  int64_t n_images = catalog->images.count, n_templates = catalog->templates.count;
  uint8_t *wanted = calloc((size_t)n_images + 1, sizeof *wanted);
  int32_t *uses = calloc((size_t)n_templates + 1, sizeof *uses);
  NCC_CHECK(wanted && uses, NCC_ERR_NOMEM, "out of memory for %lld templates", (long long)n_templates);
  for (int64_t row = 0; row < catalog->n_pairs; row++) {
    if (indices[row][0] < 0 || (done && done[row])) continue;
    wanted[indices[row][0]] = 1;
    if (uses[indices[row][1]] < ranks) uses[indices[row][1]]++;
  }
  for (int64_t i = 0; i < n_images; i++) {
    ncc_object object = ncc_objects_get(&catalog->images, i);
    count_object(out, pixel_bytes(&object), wanted[i], ranks);
  }
  for (int64_t i = 0; i < n_templates; i++) {
    ncc_object object = ncc_objects_get(&catalog->templates, i);
    count_object(out, pixel_bytes(&object), uses[i], ranks);
  }
  out->root.rank_bytes = out->root.total_bytes;
  out->root.shipped_bytes = out->all.total_bytes - out->all.total_bytes / ranks;
  out->all.rank_bytes = out->all.total_bytes / ranks;
cleanup:
  free(wanted);
  free(uses);
  return status;
}

/** More stripes than this serve no file of its size; about what supercomputing centres advise. */
static ncc_forecast_stripes choose_stripes(const ncc_forecast_options *options, int64_t largest_object_bytes) {
  const int64_t gib = (int64_t)1 << 30;
  ncc_forecast_stripes stripes = {.count = options->file_bytes < gib         ? 1
                                           : options->file_bytes < 10 * gib  ? 8
                                           : options->file_bytes < 100 * gib ? 24
                                                                             : 72,
                                  .size_bytes = (int64_t)1 << 20};
  int readers = options->root_reads ? 8 : 4 * options->ranks; /* one reader alone keeps no more busy */
  if (stripes.count > readers) stripes.count = readers;
  while (stripes.size_bytes < largest_object_bytes && stripes.size_bytes < (int64_t)16 << 20) stripes.size_bytes *= 2;
  return stripes;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

ncc_status ncc_forecast_create(const ncc_catalog *catalog, const ncc_search *search, const int64_t (*indices)[2],
                               const uint8_t *done, ncc_plan *plan, const ncc_forecast_options *options,
                               ncc_forecast *out) {
  ncc_status status = NCC_OK;
  geometry_table table = {.forecast = out};
  int64_t largest_bytes = 0;
  memset(out, 0, sizeof *out);
  for (int64_t row = 0; row < catalog->n_pairs; row++) {
    if (indices[row][0] < 0 || (done && done[row])) continue;
    ncc_object image = ncc_objects_get(&catalog->images, indices[row][0]);
    ncc_object tmpl = ncc_objects_get(&catalog->templates, indices[row][1]);
    NCC_TRY(count_pair(&table, catalog, search, row, &image, &tmpl));
    if (pixel_bytes(&image) > largest_bytes) largest_bytes = pixel_bytes(&image);
  }
  if (out->n_geometries > 1) qsort(out->geometries, (size_t)out->n_geometries, sizeof *out->geometries, compare_costs);
  NCC_TRY(count_reading(catalog, indices, done, options->ranks, out));
  out->stripes = choose_stripes(options, largest_bytes);
  ncc_simulation how = ncc_simulation_measured();
  ncc_simulated result;
  how.ranks = options->ranks;
  how.threads = options->threads;
  how.speed = options->crowding;
  NCC_TRY(ncc_simulate(plan, &how, &result));
  out->estimated_s = result.elapsed_s;
  out->n_handouts = result.handouts;
cleanup:
  free(table.slots);
  return status;
}

void ncc_forecast_clear(ncc_forecast *forecast) {
  free(forecast->geometries);
  memset(forecast, 0, sizeof *forecast);
}

int64_t ncc_forecast_rank_bytes(const ncc_forecast *forecast) {
  const ncc_forecast_memory *m = &forecast->memory;
  return m->program_bytes + m->matcher_bytes + m->pixel_bytes + m->table_bytes;
}
