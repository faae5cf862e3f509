/** Counts and sums over the pairs; see forecast.h. */
#include "plan/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int compare_costs(const void *left, const void *right) {
  const ncc_forecast_kind *a = left, *b = right;
  double cost_a = (double)a->pairs * a->kind->cost.pair_s, cost_b = (double)b->pairs * b->kind->cost.pair_s;
  if (cost_a != cost_b) return cost_a > cost_b ? -1 : 1;
  return (a->pairs < b->pairs) - (a->pairs > b->pairs);
}

/** The kinds of what is left to do, costliest first. */
static ncc_status count_kinds(const ncc_work *work, const uint8_t *done, ncc_forecast *out) {
  ncc_status status = NCC_OK;
  int32_t n = 0;
  out->kinds = calloc((size_t)work->n_kinds + 1, sizeof *out->kinds);
  NCC_CHECK(out->kinds, NCC_ERR_NOMEM, "out of memory for %d kinds of pairs", work->n_kinds);
  for (int32_t i = 0; i < work->n_kinds; i++) out->kinds[i].kind = &work->kinds[i];
  for (int64_t row = 0; row < work->catalog->n_pairs; row++) {
    if (work->rows[row].kind < 0 || (done && done[row])) continue;
    out->kinds[work->rows[row].kind].pairs++;
    out->pairs++;
  }
  for (int32_t i = 0; i < work->n_kinds; i++)
    if (out->kinds[i].pairs > 0) out->kinds[n++] = out->kinds[i];
  out->n_kinds = n;
  qsort(out->kinds, (size_t)n, sizeof *out->kinds, compare_costs);
cleanup:
  return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/** An object that `uses` pairs or groups want is read once where it is kept: by rank 0, or by each rank that wants it.
 */
static void count_object(ncc_forecast *forecast, int64_t bytes, int64_t uses, int ranks) {
  int64_t readers = uses < ranks ? uses : ranks;
  if (uses == 0) return;
  forecast->distinct_bytes += bytes;
  forecast->root.total_bytes += bytes;
  forecast->all.total_bytes += readers * bytes;
}

static ncc_status count_reading(const ncc_work *work, const uint8_t *done, int ranks, ncc_forecast *out) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = work->catalog;
  const int64_t n_images = catalog->images.count, n_templates = catalog->templates.count;
  int64_t *reached = calloc((size_t)n_images + 1, sizeof *reached); /* bytes, of an image in parts all together */
  int32_t *uses = calloc((size_t)n_templates + 1, sizeof *uses);
  NCC_CHECK(reached && uses, NCC_ERR_NOMEM, "out of memory for %lld templates", (long long)n_templates);
  for (int64_t row = 0; row < catalog->n_pairs; row++) {
    const ncc_work_row *r = &work->rows[row];
    if (r->kind < 0 || (done && done[row])) continue;
    const ncc_work_kind *kind = &work->kinds[r->kind];
    reached[r->image] = kind->image_bytes + (kind->part ? reached[r->image] : 0);
    if (uses[r->tmpl] < ranks) uses[r->tmpl]++;
  }
  for (int64_t i = 0; i < n_images; i++) {
    ncc_object object = ncc_objects_get(&catalog->images, i);
    const int64_t bytes = ncc_object_bytes(&object);
    count_object(out, reached[i] < bytes ? reached[i] : bytes, reached[i] > 0, ranks);
  }
  for (int64_t i = 0; i < n_templates; i++) {
    ncc_object object = ncc_template_get(catalog, i);
    count_object(out, ncc_object_bytes(&object), uses[i], ranks);
  }
  out->root.rank_bytes = out->root.total_bytes;
  out->root.shipped_bytes = out->all.total_bytes - out->all.total_bytes / ranks;
  out->all.rank_bytes = out->all.total_bytes / ranks;
cleanup:
  free(reached);
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

ncc_status ncc_forecast_create(const ncc_work *work, const uint8_t *done, ncc_schedule *schedule,
                               const ncc_forecast_options *options, ncc_forecast *out) {
  ncc_status status = NCC_OK;
  int64_t largest_bytes = 0;
  memset(out, 0, sizeof *out);
  NCC_TRY(count_kinds(work, done, out));
  NCC_TRY(count_reading(work, done, options->ranks, out));
  for (int32_t i = 0; i < out->n_kinds; i++)
    if (out->kinds[i].kind->image_bytes > largest_bytes) largest_bytes = out->kinds[i].kind->image_bytes;
  out->stripes = choose_stripes(options, largest_bytes);
  ncc_simulation how = ncc_simulation_measured();
  ncc_simulated result;
  how.ranks = options->ranks;
  how.threads = options->threads;
  how.speed = options->crowding;
  NCC_TRY(ncc_simulate(schedule, &how, &result));
  out->estimated_s = result.elapsed_s;
  out->n_handouts = result.handouts;
cleanup:
  return status;
}

void ncc_forecast_clear(ncc_forecast *forecast) {
  free(forecast->kinds);
  ncc_rereads_clear(&forecast->rereads);
  memset(forecast, 0, sizeof *forecast);
}

int64_t ncc_forecast_rank_bytes(const ncc_forecast *forecast) {
  const ncc_forecast_memory *m = &forecast->memory;
  return m->program_bytes + m->matcher_bytes + m->pixel_bytes + m->table_bytes;
}
