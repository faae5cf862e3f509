/** See tiles.h. */
#include "app/tiles.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/** A row as it is sorted. */
typedef struct entry {
  int64_t image, other, row;
} entry;

static int compare_entries(const void *a, const void *b) {
  const entry *p = a, *q = b;
  if (p->image != q->image) return p->image < q->image ? -1 : 1;
  if (p->other != q->other) return p->other < q->other ? -1 : 1;
  return (p->row > q->row) - (p->row < q->row);
}

static void fill_point(const ncc_output_data *data, const ncc_object *box, double bin, ncc_tile_point *point) {
  const int64_t row = point->row, sides[2] = {box->rows, box->cols}, corner[2] = {box->box_y, box->box_x};
  const bool answered = data->coords[row][0] != -1;
  for (int k = 0; k < 2; k++) {
    const bool fine = answered && data->subpixel && !isnan(data->subpixel[row][k]);
    const double shift = fine ? data->subpixel[row][k] - (double)data->coords[row][k] : 0;
    const double half = (double)(sides[k] - 1) / 2;
    const double moved = answered ? (double)(data->offsets[row][k] - corner[k]) + shift : NAN;
    point->at[k] = bin * ((double)corner[k] + half + 0.5) - 0.5;
    point->moved[k] = bin * moved;
    point->found[k] = point->at[k] + point->moved[k];
  }
  point->counts = data->status[row] == NCC_PAIR_OK && !data->at_border[row];
}

ncc_status ncc_tiles_create(const ncc_output_data *data, const ncc_pair_source *source, ncc_tiles *out) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = ncc_pair_source_catalog(source);
  const double bin = (double)ncc_pair_source_bin(source);
  entry *entries = malloc((size_t)(data->n_pairs + 1) * sizeof *entries);
  int64_t n = 0;
  *out = (ncc_tiles){.data = data, .source = source};
  NCC_CHECK(entries, NCC_ERR_NOMEM, "no memory for %" PRId64 " pairs", data->n_pairs);
  for (int64_t row = 0; row < data->n_pairs; row++) {
    const int64_t *pair = data->pairs[row], index = ncc_objects_find(&catalog->templates, pair[1]);
    if (pair[0] == -1 || pair[1] == -1 || index < 0) continue;
    const int64_t other = ncc_objects_get(&catalog->templates, index).box_image;
    NCC_CHECK(other >= 0, NCC_ERR_INPUT,
              "%s: /templates: pixels found, expected boxes [n, 5] of images: displacements are between two images",
              catalog->path);
    entries[n++] = (entry){pair[0], ncc_objects_get(&catalog->images, other).id, row};
  }
  qsort(entries, (size_t)n, sizeof *entries, compare_entries);
  for (int64_t i = 0; i < n; i++)
    out->n_edges += i == 0 || entries[i].image != entries[i - 1].image || entries[i].other != entries[i - 1].other;
  out->points = calloc((size_t)(n + 1), sizeof *out->points);
  out->edges = calloc((size_t)(out->n_edges + 1), sizeof *out->edges);
  NCC_CHECK(out->points && out->edges, NCC_ERR_NOMEM, "no memory for %" PRId64 " templates", n);
  out->n_points = n;
  out->n_edges = 0;
  for (int64_t i = 0; i < n; i++) {
    if (i == 0 || entries[i].image != entries[i - 1].image || entries[i].other != entries[i - 1].other)
      out->edges[out->n_edges++] = (ncc_tile_edge){.image = entries[i].image, .other = entries[i].other, .first = i};
    out->edges[out->n_edges - 1].n++;
    const int64_t tmpl = ncc_objects_find(&catalog->templates, data->pairs[entries[i].row][1]);
    const ncc_object box = ncc_objects_get(&catalog->templates, tmpl);
    out->points[i].row = entries[i].row;
    fill_point(data, &box, bin, &out->points[i]);
  }
cleanup:
  free(entries);
  if (status != NCC_OK) ncc_tiles_clear(out);
  return status;
}

ncc_status ncc_tiles_judge(ncc_tiles *tiles, double px, double percent) {
  ncc_status status = NCC_OK;
  int64_t most = 1;
  for (int64_t e = 0; e < tiles->n_edges; e++) most = tiles->edges[e].n > most ? tiles->edges[e].n : most;
  double(*at)[2] = malloc((size_t)most * sizeof *at), (*moved)[2] = malloc((size_t)most * sizeof *moved);
  uint8_t *counts = malloc((size_t)most), *agrees = malloc((size_t)most);
  NCC_CHECK(at && moved && counts && agrees, NCC_ERR_NOMEM, "no memory for %" PRId64 " templates", most);
  for (int64_t e = 0; e < tiles->n_edges; e++) {
    ncc_tile_edge *edge = &tiles->edges[e];
    ncc_tile_point *points = &tiles->points[edge->first];
    for (int64_t i = 0; i < edge->n; i++) {
      for (int k = 0; k < 2; k++) at[i][k] = points[i].at[k], moved[i][k] = points[i].moved[k];
      counts[i] = points[i].counts;
    }
    if (ncc_displacements_judge(edge->n, (const double(*)[2])at, (const double(*)[2])moved, counts, px, percent / 100,
                                agrees, &edge->verdict, edge->moved, &edge->spread) != NCC_OK) {
      ncc_error_prefix("images %" PRId64 " and %" PRId64, edge->image, edge->other);
      status = NCC_ERR_INPUT;
      goto cleanup;
    }
    for (int64_t i = 0; i < edge->n; i++) edge->n_agree += points[i].agrees = agrees[i];
  }
cleanup:
  free(at);
  free(moved);
  free(counts);
  free(agrees);
  return status;
}

void ncc_tiles_clear(ncc_tiles *tiles) {
  free(tiles->points);
  free(tiles->edges);
  *tiles = (ncc_tiles){0};
}

static int compare_edges(const void *a, const void *b, void *context) {
  const ncc_tiles *tiles = context;
  const int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;
  const ncc_tile_edge *p = &tiles->edges[i], *q = &tiles->edges[k];
  if (p->verdict != q->verdict) return p->verdict < q->verdict ? -1 : 1;
  const double part = (double)p->n_agree / (double)p->n - (double)q->n_agree / (double)q->n;
  if (part != 0) return part < 0 ? -1 : 1;
  if (p->spread != q->spread && !isnan(p->spread)) return p->spread > q->spread ? -1 : 1; /* NaN: nothing agrees */
  return (i > k) - (i < k);
}

ncc_status ncc_tiles_order(const ncc_tiles *tiles, int64_t **out) {
  int64_t *order = *out = malloc((size_t)(tiles->n_edges + 1) * sizeof *order);
  if (!order) return ncc_error_set(NCC_ERR_NOMEM, "no memory for %" PRId64 " pairs of images", tiles->n_edges);
  for (int64_t i = 0; i < tiles->n_edges; i++) order[i] = i;
  qsort_r(order, (size_t)tiles->n_edges, sizeof *order, compare_edges, (void *)tiles);
  return NCC_OK;
}
