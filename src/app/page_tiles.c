/** See page_tiles.h. */
#include "app/page_tiles.h"

#include <math.h>
#include <stdlib.h>

#include "app/tiles.h"
#include "app/words.h"

enum {
  MOST_EDGES = 20000, /* on a page; the worst ones */
  MOST_POINTS = 40000,
  FIELD_POINTS = 13 /* an edge of so many templates is shown as a field of arrows, too */
};

/** Where images lie, as far as edges connect them. */
typedef struct layout {
  int64_t n;         /**< images */
  double (*at)[2];   /**< [n] top-left pixels, (y, x) */
  int64_t *part;     /**< [n] which connected part an image is of; -1: of none */
  int64_t *first;    /**< [n] its first half edge, or -1 */
  int64_t *next;     /**< [2 n_edges] half edges: 2 e leads from the image, 2 e + 1 from the other */
  int64_t *end[2];   /**< [n_edges] indices of image and other */
  double (*move)[2]; /**< [n_edges] predicted: from the image's top-left pixel to the other's */
  int64_t *queue;    /**< [n] */
} layout;

/** What a row was predicted to be moved by; NaN where nothing was predicted. */
static void predicted(const ncc_tiles *tiles, int64_t row, double move[2]) {
  const ncc_catalog *catalog = ncc_pair_source_catalog(tiles->source);
  const double bin = (double)ncc_pair_source_bin(tiles->source);
  const ncc_object box =
      ncc_objects_get(&catalog->templates, ncc_objects_find(&catalog->templates, tiles->data->pairs[row][1]));
  move[0] = catalog->near ? bin * (double)(catalog->near[row][0] - box.box_y) : NAN;
  move[1] = catalog->near ? bin * (double)(catalog->near[row][1] - box.box_x) : NAN;
}

static void layout_clear(layout *l) {
  free(l->at);
  free(l->part);
  free(l->first);
  free(l->next);
  free(l->end[0]);
  free(l->end[1]);
  free(l->move);
  free(l->queue);
}

static ncc_status layout_begin(const ncc_tiles *tiles, layout *l) {
  ncc_status status = NCC_OK;
  const ncc_objects *images = &ncc_pair_source_catalog(tiles->source)->images;
  const size_t n = (size_t)images->count + 1, edges = (size_t)tiles->n_edges + 1;
  *l = (layout){.n = images->count,
                .at = calloc(n, sizeof *l->at),
                .part = malloc(n * sizeof *l->part),
                .first = malloc(n * sizeof *l->first),
                .next = malloc(2 * edges * sizeof *l->next),
                .end = {malloc(edges * sizeof **l->end), malloc(edges * sizeof **l->end)},
                .move = malloc(edges * sizeof *l->move),
                .queue = malloc(n * sizeof *l->queue)};
  NCC_CHECK(l->at && l->part && l->first && l->next && l->end[0] && l->end[1] && l->move && l->queue, NCC_ERR_NOMEM,
            "no memory for the places of %zu images", n);
  for (int64_t i = 0; i < l->n; i++) l->part[i] = l->first[i] = -1;
  for (int64_t e = 0; e < tiles->n_edges; e++) {
    const ncc_tile_edge *edge = &tiles->edges[e];
    const int64_t ids[2] = {edge->image, edge->other};
    predicted(tiles, tiles->points[edge->first].row, l->move[e]);
    for (int k = 0; k < 2; k++)
      if (isnan(l->move[e][k])) l->move[e][k] = isnan(edge->moved[k]) ? 0 : edge->moved[k];
    for (int k = 0; k < 2; k++) {
      const int64_t at = l->end[k][e] = ncc_objects_find(images, ids[k]);
      if (at < 0 || l->end[0][e] < 0) continue; /* of no image */
      l->next[2 * e + k] = l->first[at];
      l->first[at] = 2 * e + k;
    }
  }
cleanup:
  return status;
}

/** Goes from image to image along the edges. */
static void layout_place(layout *l) {
  int64_t parts = 0;
  for (int64_t start = 0; start < l->n; start++) {
    if (l->part[start] >= 0 || l->first[start] < 0) continue;
    int64_t done = 0, n = 0;
    l->part[start] = parts;
    l->queue[n++] = start;
    while (done < n) {
      const int64_t here = l->queue[done++];
      for (int64_t half = l->first[here]; half >= 0; half = l->next[half]) {
        const int64_t e = half / 2, side = half % 2, there = l->end[1 - side][e];
        if (there < 0 || l->part[there] >= 0) continue;
        for (int k = 0; k < 2; k++) l->at[there][k] = l->at[here][k] + (side ? -1 : 1) * l->move[e][k];
        l->part[there] = parts;
        l->queue[n++] = there;
      }
    }
    parts++;
  }
}

static json_t *rounded(double value) {
  return isfinite(value) ? json_real(round(1000 * value) / 1000) : json_null();
}

/** In the order that page.html takes them apart: id, name, group, part, y, x, rows, columns. */
static json_t *nodes_json(const ncc_pair_source *source, const layout *l) {
  const ncc_objects *images = &ncc_pair_source_catalog(source)->images;
  const int64_t bin = ncc_pair_source_bin(source);
  json_t *nodes = json_object();
  for (int64_t i = 0; i < l->n; i++) {
    char key[32];
    const ncc_object o = ncc_objects_get(images, i);
    if (l->queue[i] != 1) continue;
    snprintf(key, sizeof key, "%lld", (long long)o.id);
    json_object_set_new(
        nodes, key,
        json_pack("[o, o, I, o, o, I, I]", ncc_json_words(ncc_pair_source_name(source, NCC_IMAGE, o.id)),
                  ncc_json_words(ncc_pair_source_group(source, o.id)), (json_int_t)l->part[i], rounded(l->at[i][0]),
                  rounded(l->at[i][1]), (json_int_t)(o.rows * bin), (json_int_t)(o.cols * bin)));
  }
  return nodes;
}

/** image, other, verdict, agreeing, templates, moved y, x, spread, moved beyond the prediction y, x. */
static json_t *edge_json(const ncc_tile_edge *edge, const double move[2]) {
  return json_pack("[I, I, i, I, I, o, o, o, o, o]", (json_int_t)edge->image, (json_int_t)edge->other,
                   (int)edge->verdict, (json_int_t)edge->n_agree, (json_int_t)edge->n, rounded(edge->moved[0]),
                   rounded(edge->moved[1]), rounded(edge->spread), rounded(edge->moved[0] - move[0]),
                   rounded(edge->moved[1] - move[1]));
}

/** Arrows of an edge: y, x of the template, found beyond the prediction y, x; 2 agrees, 1 does not, 0 does not count.
 */
static json_t *field_json(const ncc_tiles *tiles, const ncc_tile_edge *edge, bool judged, int64_t *room) {
  json_t *points = json_array();
  const int64_t every = 1 + edge->n / 4000; /* as many as one can see */
  for (int64_t i = 0; i<edge->n && * room> 0; i += every) {
    const ncc_tile_point *p = &tiles->points[edge->first + i];
    double move[2];
    predicted(tiles, p->row, move);
    for (int k = 0; k < 2; k++)
      if (isnan(move[k])) move[k] = isnan(edge->moved[k]) ? 0 : edge->moved[k];
    json_array_append_new(points, json_pack("[o, o, o, o, i]", rounded(p->at[0]), rounded(p->at[1]),
                                            rounded(p->moved[0] - move[0]), rounded(p->moved[1] - move[1]),
                                            !p->counts             ? 0
                                            : !judged || p->agrees ? 2
                                                                   : 1));
    --*room;
  }
  return json_pack("{s:I, s:I, s:b, s:o}", "image", (json_int_t)edge->image, "other", (json_int_t)edge->other, "all",
                   every == 1, "points", points);
}

static json_t *tiles_json(const ncc_tiles *tiles, const int64_t *order, bool judged, layout *l) {
  int64_t counts[3] = {0}, room = MOST_POINTS;
  json_t *edges = json_array(), *fields = json_array();
  for (int64_t i = 0; i < l->n; i++) l->queue[i] = 0; /* from now on: whether it is shown */
  for (int64_t i = 0; i < tiles->n_edges; i++) {
    const int64_t e = order[i];
    const ncc_tile_edge *edge = &tiles->edges[e];
    counts[edge->verdict]++;
    if (i >= MOST_EDGES || l->end[0][e] < 0 || l->end[1][e] < 0) continue;
    json_array_append_new(edges, edge_json(edge, l->move[e]));
    l->queue[l->end[0][e]] = l->queue[l->end[1][e]] = 1;
    if (edge->n >= FIELD_POINTS && room > 0) json_array_append_new(fields, field_json(tiles, edge, judged, &room));
  }
  return json_pack("{s:b, s:[III], s:I, s:b, s:o, s:o, s:o}", "judged", judged, "counts", (json_int_t)counts[0],
                   (json_int_t)counts[1], (json_int_t)counts[2], "n", (json_int_t)tiles->n_edges, "predicted",
                   ncc_pair_source_catalog(tiles->source)->near != NULL, "edges", edges, "fields", fields, "nodes",
                   nodes_json(tiles->source, l));
}

static ncc_status mark_astray(const ncc_tiles *tiles, bool **astray) {
  *astray = calloc((size_t)tiles->data->n_pairs + 1, sizeof **astray);
  if (!*astray) return ncc_error_set(NCC_ERR_NOMEM, "no memory for %lld pairs", (long long)tiles->data->n_pairs);
  for (int64_t e = 0; e < tiles->n_edges; e++)
    for (int64_t i = 0; i < tiles->edges[e].n && tiles->edges[e].n > 1; i++) {
      const ncc_tile_point *p = &tiles->points[tiles->edges[e].first + i];
      (*astray)[p->row] = p->counts && !p->agrees;
    }
  return NCC_OK;
}

ncc_status ncc_page_tiles(const ncc_output_data *data, const ncc_pair_source *source, json_t **out, bool **astray) {
  ncc_status status = NCC_OK;
  ncc_tiles tiles = {0};
  layout l = {0};
  int64_t *order = NULL;
  const ncc_objects *templates = &ncc_pair_source_catalog(source)->templates;
  *out = NULL;
  *astray = NULL;
  if (data->n_pairs != ncc_pair_source_catalog(source)->n_pairs || templates->count == 0 ||
      ncc_objects_get(templates, 0).box_image < 0) {
    *out = json_null();
    return NCC_OK;
  }
  NCC_TRY(ncc_tiles_create(data, source, &tiles));
  /* an edge of very many templates is not judged, but shown */
  const bool judged = ncc_tiles_judge(&tiles, NCC_TILES_AGREE_PX, NCC_TILES_AGREE_PERCENT) == NCC_OK;
  if (judged) NCC_TRY(mark_astray(&tiles, astray));
  NCC_TRY(ncc_tiles_order(&tiles, &order));
  NCC_TRY(layout_begin(&tiles, &l));
  layout_place(&l);
  *out = tiles_json(&tiles, order, judged, &l);
  NCC_CHECK(*out, NCC_ERR_NOMEM, "no memory for the displacements of %lld pairs of images", (long long)tiles.n_edges);
cleanup:
  layout_clear(&l);
  free(order);
  ncc_tiles_clear(&tiles);
  return status;
}
