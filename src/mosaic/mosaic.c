/** See mosaic.h. Edges are found by bands of y, each sorted by x, so that 10^6 tiles take a second. */
#include "mosaic/mosaic.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/error.h"

/** Two tiles that overlap, first < second. */
typedef struct edge {
  int64_t first, second;
} edge;

typedef struct edges {
  edge *items;
  int64_t n, capacity;
} edges;

/** A tile as it is sorted. */
typedef struct entry {
  int64_t section, band, tile;
  double x;
} entry;

/** Half-open range of pixels along a direction. */
typedef struct range {
  int64_t from, to;
} range;

static int64_t length(range r) {
  return r.to - r.from;
}

/* ---- edges --------------------------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b) {
  const entry *p = a, *q = b;
  if (p->section != q->section) return p->section < q->section ? -1 : 1;
  if (p->band != q->band) return p->band < q->band ? -1 : 1;
  if (p->x != q->x) return p->x < q->x ? -1 : 1;
  return (p->tile > q->tile) - (p->tile < q->tile);
}

static int compare_edges(const void *a, const void *b) {
  const edge *p = a, *q = b;
  if (p->first != q->first) return p->first < q->first ? -1 : 1;
  return (p->second > q->second) - (p->second < q->second);
}

/** Pixels by which two tiles overlap along y (axis 0) or x. */
static double overlap_of(const ncc_tile *a, const ncc_tile *b, int axis) {
  const double start = axis ? fmax(a->x, b->x) : fmax(a->y, b->y);
  const double end = axis ? fmin(a->x + (double)a->cols, b->x + (double)b->cols)
                          : fmin(a->y + (double)a->rows, b->y + (double)b->rows);
  return end - start;
}

/** Whether an overlap is no corner: it is as long as a third of a tile. */
static bool is_edge(const ncc_tile *a, const ncc_tile *b) {
  const double y = overlap_of(a, b, 0), x = overlap_of(a, b, 1);
  return 3 * fmax(y, x) >= (double)(x <= y ? ncc_min(a->rows, b->rows) : ncc_min(a->cols, b->cols));
}

static ncc_status add_edge(edges *list, const ncc_tile *tiles, int64_t a, int64_t b) {
  ncc_status status = NCC_OK;
  if (overlap_of(&tiles[a], &tiles[b], 0) < 1 || overlap_of(&tiles[a], &tiles[b], 1) < 1) return NCC_OK;
  NCC_TRY(ncc_list_grow(&list->items, list->n + 1, &list->capacity, sizeof *list->items, "pairs of tiles"));
  list->items[list->n++] = (edge){ncc_min(a, b), ncc_max(a, b)};
cleanup:
  return status;
}

/** The first entry of a band from x on, and beyond all where there is none. */
static int64_t find_entry(const entry *entries, int64_t n, entry key) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (compare_entries(&entries[middle], &key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static ncc_status find_edges(int64_t n, const ncc_tile *tiles, edges *list) {
  ncc_status status = NCC_OK;
  int64_t rows = 1, cols = 1;
  entry *entries = malloc((size_t)(n ? n : 1) * sizeof *entries);
  NCC_CHECK(entries, NCC_ERR_NOMEM, "no memory for %" PRId64 " tiles", n);
  for (int64_t i = 0; i < n; i++) {
    rows = ncc_max(rows, tiles[i].rows);
    cols = ncc_max(cols, tiles[i].cols);
  }
  for (int64_t i = 0; i < n; i++)
    entries[i] = (entry){tiles[i].section, (int64_t)floor(tiles[i].y / (double)rows), i, tiles[i].x};
  qsort(entries, (size_t)n, sizeof *entries, compare_entries);
  for (int64_t i = 0; i < n; i++) {
    const entry *e = &entries[i];
    const double end = e->x + (double)cols;
    /* no tile is higher than a band: what overlaps lies in this one or in the next one, or has been met from there */
    for (int64_t k = i + 1; k < n && entries[k].section == e->section && entries[k].band == e->band; k++) {
      if (entries[k].x >= end) break;
      NCC_TRY(add_edge(list, tiles, e->tile, entries[k].tile));
    }
    const entry below = {e->section, e->band + 1, -1, e->x - (double)cols};
    for (int64_t k = find_entry(entries, n, below); k < n && entries[k].section == e->section; k++) {
      if (entries[k].band != below.band || entries[k].x >= end) break;
      NCC_TRY(add_edge(list, tiles, e->tile, entries[k].tile));
    }
  }
  if (list->n > 0) qsort(list->items, (size_t)list->n, sizeof *list->items, compare_edges);
cleanup:
  free(entries);
  return status;
}

/* ---- the stage error ----------------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
  const double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

/** The median overlap across edges; corners count only where there is nothing else. */
static ncc_status find_overlap(const ncc_tile *tiles, const edges *list, double *out) {
  ncc_status status = NCC_OK;
  int64_t n = 0;
  double *widths = malloc((size_t)list->n * sizeof *widths);
  NCC_CHECK(widths, NCC_ERR_NOMEM, "no memory for %" PRId64 " pairs of tiles", list->n);
  for (int corners = 0; n == 0; corners++)
    for (int64_t i = 0; i < list->n; i++) {
      const ncc_tile *a = &tiles[list->items[i].first], *b = &tiles[list->items[i].second];
      if (corners || is_edge(a, b)) widths[n++] = fmin(overlap_of(a, b, 0), overlap_of(a, b, 1));
    }
  qsort(widths, (size_t)n, sizeof *widths, compare_numbers);
  *out = widths[n / 2];
cleanup:
  free(widths);
  return status;
}

/* ---- templates ----------------------------------------------------------------------------------------------- */

/** Pixels of the second tile that lie inside the first one wherever the second really is.
 *  @param[in] distance  of their first pixels; `error` by which it may be wrong. */
static range inside(int64_t first, int64_t second, double distance, double error) {
  return (range){ncc_max(0, (int64_t)ceil(error - distance)),
                 ncc_min(second, (int64_t)floor((double)first - error - distance))};
}

/** At least `wanted` pixels of the overlap: what is safe, or more of what is next to it. Shorter where the overlap is.
 */
static range widen(range safe, range overlap, int64_t wanted) {
  if (length(safe) >= wanted) return safe;
  if (length(overlap) < wanted) return overlap;
  const int64_t middle = safe.from == overlap.from ? overlap.from
                         : safe.to == overlap.to   ? overlap.to - wanted
                                                   : (overlap.from + overlap.to - wanted) / 2;
  return (range){middle, middle + wanted};
}

/** Templates of an edge. */
typedef struct placing {
  int64_t n, across, along;
  int64_t across_at, along_from, along_room;
  bool side_by_side; /**< across is x */
} placing;

/** @return false where the overlap is too small. */
static bool place(const ncc_tile *a, const ncc_tile *b, const ncc_mosaic_options *options, double error, placing *out) {
  placing p = {.side_by_side = overlap_of(a, b, 1) <= overlap_of(a, b, 0)};
  const double dy = b->y - a->y, dx = b->x - a->x;
  const range safe[2] = {inside(a->rows, b->rows, dy, error), inside(a->cols, b->cols, dx, error)};
  const range both[2] = {inside(a->rows, b->rows, dy, 0), inside(a->cols, b->cols, dx, 0)};
  const int across = p.side_by_side ? 1 : 0, along = 1 - across;
  const int64_t wanted = options->across ? options->across : NCC_MOSAIC_SMALLEST;
  const range r = widen(safe[across], both[across], wanted);
  const int64_t room = length(safe[along]);
  if (length(r) < wanted || !is_edge(a, b)) return false;
  p.across = options->across ? options->across : length(r);
  p.across_at = r.from + (length(r) - p.across) / 2;
  p.along =
      options->along ? options->along : ncc_min(NCC_MOSAIC_LONGEST, (int64_t)(NCC_MOSAIC_ASPECT * (double)p.across));
  if (!options->along) p.along = ncc_min(p.along, room / NCC_MOSAIC_FEWEST);
  if (p.along < 1 || (!options->along && p.along < NCC_MOSAIC_SMALLEST)) return false;
  p.n = ncc_min(options->per_edge, room / p.along); /* apart from each other: overlapping ones agree by themselves */
  p.along_from = safe[along].from;
  p.along_room = room;
  *out = p;
  return p.n >= NCC_MOSAIC_FEWEST;
}

static void widen_bounds(int64_t bounds[2], int64_t value) {
  bounds[0] = bounds[0] ? ncc_min(bounds[0], value) : value;
  bounds[1] = ncc_max(bounds[1], value);
}

static void add_templates(const ncc_tile *tiles, const edge *e, const placing *p, ncc_mosaic *out) {
  const ncc_tile *a = &tiles[e->first], *b = &tiles[e->second];
  const int64_t radius = (int64_t)ceil(out->stage_error);
  for (int64_t k = 0; k < p->n; k++) {
    /* each in the middle of its part of the edge: away from corners, where tiles are worst */
    const int64_t along = p->along_from + ((2 * k + 1) * p->along_room / p->n - p->along) / 2;
    const int64_t y = p->side_by_side ? along : p->across_at, x = p->side_by_side ? p->across_at : along;
    const int64_t box[5] = {e->second, y, x, p->side_by_side ? p->along : p->across,
                            p->side_by_side ? p->across : p->along};
    for (int i = 0; i < 5; i++) out->boxes[out->n][i] = box[i];
    out->pairs[out->n][0] = e->first;
    out->pairs[out->n][1] = out->n;
    out->near[out->n][0] = llround(b->y - a->y + (double)y);
    out->near[out->n][1] = llround(b->x - a->x + (double)x);
    out->near[out->n][2] = out->near[out->n][3] = radius;
    out->n++;
  }
  out->edges++;
  widen_bounds(out->across, p->across);
  widen_bounds(out->along, p->along);
}

static ncc_status place_all(int64_t n_tiles, const ncc_tile *tiles, const ncc_mosaic_options *options,
                            const edges *list, ncc_mosaic *out) {
  ncc_status status = NCC_OK;
  placing p;
  int64_t n = 0;
  bool *met = calloc((size_t)n_tiles, sizeof *met);
  for (int64_t i = 0; i < list->n; i++)
    if (place(&tiles[list->items[i].first], &tiles[list->items[i].second], options, out->stage_error, &p)) n += p.n;
  NCC_CHECK(n > 0, NCC_ERR_INPUT,
            "%" PRId64
            " pairs of tiles overlap, by %.0f px in the middle of them, and none has room for %d templates "
            "of at least %d px that stay inside when positions are wrong by %.0f px; a smaller --stage-error or "
            "--template may serve",
            list->n, out->overlap, NCC_MOSAIC_FEWEST, NCC_MOSAIC_SMALLEST, out->stage_error);
  out->boxes = malloc((size_t)n * sizeof *out->boxes);
  out->pairs = malloc((size_t)n * sizeof *out->pairs);
  out->near = malloc((size_t)n * sizeof *out->near);
  NCC_CHECK(met && out->boxes && out->pairs && out->near, NCC_ERR_NOMEM, "no memory for %" PRId64 " templates", n);
  for (int64_t i = 0; i < list->n; i++) {
    const edge *e = &list->items[i];
    if (!place(&tiles[e->first], &tiles[e->second], options, out->stage_error, &p)) continue;
    add_templates(tiles, e, &p, out);
    met[e->first] = met[e->second] = true;
  }
  for (int64_t i = 0; i < n_tiles; i++) out->alone += !met[i];
cleanup:
  free(met);
  return status;
}

ncc_status ncc_mosaic_plan(int64_t n_tiles, const ncc_tile *tiles, const ncc_mosaic_options *options, ncc_mosaic *out) {
  ncc_status status = NCC_OK;
  edges list = {0};
  *out = (ncc_mosaic){0};
  NCC_TRY(find_edges(n_tiles, tiles, &list));
  out->overlapping = list.n;
  NCC_CHECK(list.n > 0, NCC_ERR_INPUT,
            "no two of %" PRId64
            " tiles overlap; are positions in pixels (--pixel-size), x to the right and y down "
            "(--flip)?",
            n_tiles);
  NCC_TRY(find_overlap(tiles, &list, &out->overlap));
  out->stage_error = options->stage_error < 0 ? floor(out->overlap / 2) : options->stage_error;
  NCC_TRY(place_all(n_tiles, tiles, options, &list, out));
cleanup:
  free(list.items);
  if (status != NCC_OK) ncc_mosaic_clear(out);
  return status;
}

void ncc_mosaic_clear(ncc_mosaic *mosaic) {
  free(mosaic->boxes);
  free(mosaic->pairs);
  free(mosaic->near);
  mosaic->boxes = NULL;
  mosaic->pairs = NULL;
  mosaic->near = NULL;
  mosaic->n = 0;
}
