/** See map.h. */
#include "match/map.h"

#include <stdlib.h>

#include "base/error.h"
#include "match/judge.h"
#include "match/masked.h"
#include "match/second_tier.h"

/** Where bounds leave more than this open, the judge is asked. */
#define OPEN 1e-9

/** A pair, prepared as the matcher does it. */
typedef struct judged_pair {
  ncc_config config;
  ncc_counters counters;
  ncc_pool *pool;
  ncc_evaluator *evaluator;
  ncc_prepared image, tmpl;
  ncc_case judge;
} judged_pair;

static void pair_clear(judged_pair *p) {
  ncc_prepared_clear(&p->image);
  ncc_prepared_clear(&p->tmpl);
  ncc_evaluator_destroy(&p->evaluator);
  ncc_pool_destroy(&p->pool);
}

/** @param[out] p  stays where it is until cleared: it points into itself. */
static ncc_status pair_create(const ncc_search *search, const ncc_geometry *g, const ncc_pair_pixels *pixels,
                              int threads, judged_pair *p) {
  ncc_status status = NCC_OK;
  *p = (judged_pair){.config.threads = threads};
  NCC_TRY(ncc_pool_create(threads, &p->pool));
  NCC_TRY(ncc_evaluator_create(p->pool, search->outside, &p->evaluator));
  NCC_TRY(ncc_evaluator_reserve(p->evaluator, pixels->tmpl.rows));
  NCC_TRY(ncc_prepared_create_masked(p->pool, &pixels->image, &pixels->image_mask, search->normalize, &p->image));
  NCC_TRY(ncc_prepared_create_masked(p->pool, &pixels->tmpl, &pixels->tmpl_mask, search->normalize, &p->tmpl));
  NCC_CHECK(p->image.finite, NCC_ERR_INPUT, "NaN or Inf found in the image's pixels, expected numbers");
  NCC_CHECK(p->tmpl.finite, NCC_ERR_INPUT, "NaN or Inf found in the template's pixels, expected numbers");
  p->judge = (ncc_case){p->evaluator, &p->image, &p->tmpl, g, search->eps, search->min_overlap, 0, &p->counters, -2};

cleanup:
  if (status != NCC_OK) pair_clear(p);
  return status;
}

/** Writes what the second tier shows to the map. */
typedef struct map_writer {
  ncc_map *map;
  const judged_pair *pair;
  double error;  // of numerators in this tile
  double eps;    // in units of ncc_evaluation
} map_writer;

static ncc_status begin_tile(void *context, double error) {
  map_writer *w = context;
  w->error = error;
  return NCC_OK;
}

static void write_position(void *context, int64_t y, int64_t x, double numerator, double ssd) {
  const map_writer *w = context;
  const ncc_rect *search = &w->map->geometry.search;
  double *out = &w->map->values[(y - search->y0) * w->map->cols + (x - search->x0)];
  const double response = sqrt(fabs(ssd)) * sqrt(w->pair->tmpl.ssd);
  const bool near_eps = w->eps > 0 && fabs(response - w->eps) <= 1e-9 * w->eps;
  if (ssd == 0) {
    *out = 0;
  } else if (ssd < 0 || near_eps || !(w->error <= OPEN * response)) {
    *out = ncc_case_value(&w->pair->judge, y, x, NULL, NULL);
  } else if (response < w->eps) {
    *out = 0;
  } else {
    *out = fmin(1, fmax(-1, numerator / response));
  }
}

static void show_masked(void *context, int64_t y, int64_t x, double ncc) {
  const map_writer *w = context;
  const ncc_rect *search = &w->map->geometry.search;
  w->map->values[(y - search->y0) * w->map->cols + (x - search->x0)] =
      isnan(ncc) ? ncc_case_value(&w->pair->judge, y, x, NULL, NULL) : ncc;
}

/** Values of all positions, which are 0 where they are searched as far as geometry goes. */
static ncc_status fill_map(const ncc_search *search, judged_pair *pair, ncc_map *map) {
  ncc_status status = NCC_OK;
  ncc_second_tier *tier = NULL;
  ncc_masked *masked = NULL;
  const ncc_engine_context engine = {
      .config = &pair->config, .pool = pair->pool, .counters = &pair->counters, .eps = search->eps};
  const ncc_task task = {.image = &pair->image, .tmpl = &pair->tmpl, .geometry = &map->geometry};
  map_writer writer = {map, pair, 0, search->eps * pair->image.scale * pair->tmpl.scale};
  if (pair->image.valid || pair->tmpl.valid) {
    const ncc_masked_viewer viewer = {OPEN, show_masked, &writer};
    for (int64_t i = 0; i < map->rows * map->cols; i++) map->values[i] = NAN;
    NCC_TRY(ncc_masked_create(&engine, &masked));
    NCC_TRY(ncc_masked_view(masked, &task, search->min_overlap, &viewer));
  } else if (!pair->tmpl.flat) {
    const ncc_tier_visitor visitor = {&writer, begin_tile, write_position};
    NCC_TRY(ncc_second_tier_create(&engine, &tier));
    NCC_TRY(ncc_second_tier_visit(tier, &task, &visitor));
  }

cleanup:
  ncc_masked_destroy(&masked);
  ncc_second_tier_destroy(&tier);
  return status;
}

ncc_status ncc_map_create(const ncc_search *search, const ncc_rect *window, const ncc_pair_pixels *pixels, int threads,
                          ncc_map *out) {
  ncc_status status = NCC_OK;
  judged_pair pair = {0};
  const ncc_array *image = &pixels->image, *tmpl = &pixels->tmpl;
  ncc_search asked = *search;
  *out = (ncc_map){0};
  const ncc_geometry *g = &out->geometry;
  NCC_TRY(pair_create(search, g, pixels, threads, &pair));
  if (pair.image.valid || pair.tmpl.valid) asked.min_overlap = 0; /* valid pixels count, not areas */
  NCC_TRY(ncc_geometry_create(&asked, window, image->rows, image->cols, tmpl->rows, tmpl->cols, &out->geometry));
  out->rows = g->search.y1 - g->search.y0;
  out->cols = g->search.x1 - g->search.x0;
  out->values = malloc((size_t)(out->rows * out->cols) * sizeof *out->values);
  NCC_CHECK(out->values, NCC_ERR_NOMEM, "out of memory for a map of %lldx%lld", (long long)out->rows,
            (long long)out->cols);
  for (int64_t row = 0; row < out->rows; row++) {
    int64_t x0, x1;
    ncc_geometry_span(g, g->search.y0 + row, &x0, &x1);
    for (int64_t col = 0; col < out->cols; col++) {
      const int64_t x = g->search.x0 + col;
      out->values[row * out->cols + col] = x >= x0 && x < x1 ? 0 : NAN;
    }
  }
  NCC_TRY(fill_map(search, &pair, out));

cleanup:
  pair_clear(&pair);
  if (status != NCC_OK) ncc_map_clear(out);
  return status;
}

void ncc_map_clear(ncc_map *map) {
  free(map->values);
  *map = (ncc_map){0};
}

ncc_status ncc_map_evaluate(const ncc_search *search, const ncc_pair_pixels *pixels, int threads, int64_t n,
                            const int64_t (*positions)[2], double *values) {
  ncc_status status = NCC_OK;
  const ncc_array *image = &pixels->image, *tmpl = &pixels->tmpl;
  judged_pair pair = {0};
  ncc_geometry g;
  const ncc_search everywhere = {.normalize = search->normalize, .eps = search->eps, .outside = search->outside};
  NCC_TRY(ncc_geometry_create(&everywhere, NULL, image->rows, image->cols, tmpl->rows, tmpl->cols, &g));
  NCC_TRY(pair_create(search, &g, pixels, threads, &pair));
  for (int64_t i = 0; i < n; i++) {
    const int64_t y = positions[i][0], x = positions[i][1];
    const bool inside = y >= g.search.y0 && y < g.search.y1 && x >= g.search.x0 && x < g.search.x1;
    values[i] = !inside ? NAN : pair.tmpl.flat ? 0 : ncc_case_value(&pair.judge, y, x, NULL, NULL);
  }

cleanup:
  pair_clear(&pair);
  return status;
}
