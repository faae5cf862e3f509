/** Looking objects up by id, and checking every pair before any work. See catalog.h.
 *
 *  Pure memory: knows neither files nor ranks. Made for 10^7 pairs in a couple of seconds: ids are mostly dense, and
 *  few shapes occur, so that an id is found by guessing first and a geometry is worked out once per pair of shapes.
 */
#include "plan/catalog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "match/geometry.h"

ncc_object ncc_objects_get(const ncc_objects *objects, int64_t index) {
  if (objects->items) return objects->items[index];
  ncc_object object = objects->stack;
  object.id = index;
  object.box_image = -1;
  return object;
}

int64_t ncc_objects_find(const ncc_objects *objects, int64_t id) {
  const ncc_object *items = objects->items;
  if (objects->count == 0 || id < 0) return -1;
  if (!items) return id < objects->count ? id : -1;
  if (id < items[0].id || id > items[objects->count - 1].id) return -1;
  // Ids increase strictly: an object never lies behind the place that it has where there are no gaps.
  int64_t low = 0, high = id - items[0].id < objects->count ? id - items[0].id : objects->count - 1;
  if (items[high].id == id) return high;
  while (low <= high) {
    int64_t middle = low + (high - low) / 2;
    if (items[middle].id == id) return middle;
    if (items[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return -1;
}

void ncc_catalog_clear(ncc_catalog *catalog) {
  free(catalog->path);
  free(catalog->images.items);
  free(catalog->templates.items);
  free(catalog->pairs);
  free(catalog->windows);
  *catalog = (ncc_catalog){0};
}

/** Shapes whose geometry was found possible, by hash; a collision only costs time. */
enum { CACHE_SIZE = 4096 };
typedef struct shapes {
  int64_t image_rows, image_cols, template_rows, template_cols;
} shapes;

static size_t cache_slot(const shapes *s) {
  uint64_t hash = (uint64_t)s->image_rows;
  hash = hash * 0x9E3779B97F4A7C15u + (uint64_t)s->image_cols;
  hash = hash * 0x9E3779B97F4A7C15u + (uint64_t)s->template_rows;
  hash = hash * 0x9E3779B97F4A7C15u + (uint64_t)s->template_cols;
  return (size_t)(hash * 0x9E3779B97F4A7C15u >> 52) % CACHE_SIZE;
}

/** The index of one id (-1 for no pair), or an error that says which ids there are. */
static ncc_status resolve_id(const ncc_catalog *catalog, const ncc_objects *objects, const char *name, int64_t row,
                             int64_t id, int64_t *index) {
  *index = ncc_objects_find(objects, id);
  if (*index >= 0 || id == -1) return NCC_OK;
  if (objects->count == 0) {
    return ncc_error_set(NCC_ERR_INPUT, "%s: /pairs row %" PRId64 ": %s id %" PRId64 " found, but /%ss is empty",
                         catalog->path, row, name, id, name);
  }
  int64_t first = ncc_objects_get(objects, 0).id, last = ncc_objects_get(objects, objects->count - 1).id;
  bool gaps = last - first + 1 != objects->count;
  return ncc_error_set(NCC_ERR_INPUT,
                       "%s: /pairs row %" PRId64 ": %s id %" PRId64 " found, expected %s%" PRId64 " to %" PRId64
                       " (or -1 for no pair)",
                       catalog->path, row, name, id, gaps ? "one of those in the file, from " : "", first, last);
}

/** Checks one row; a row with -1 holds no pair, but its other id must not be below that. */
static ncc_status resolve_pair(const ncc_catalog *catalog, const ncc_search *search, int64_t row, shapes *cache,
                               int64_t index[2]) {
  ncc_status status = NCC_OK;
  const int64_t *pair = catalog->pairs[row];
  if ((pair[0] == -1 && pair[1] >= -1) || (pair[1] == -1 && pair[0] >= -1)) {
    index[0] = index[1] = -1;
    return NCC_OK;
  }
  NCC_TRY(resolve_id(catalog, &catalog->images, "image", row, pair[0], &index[0]));
  NCC_TRY(resolve_id(catalog, &catalog->templates, "template", row, pair[1], &index[1]));
  ncc_object image = ncc_objects_get(&catalog->images, index[0]);
  ncc_object tmpl = ncc_objects_get(&catalog->templates, index[1]);
  shapes s = {image.rows, image.cols, tmpl.rows, tmpl.cols};
  shapes *known = &cache[cache_slot(&s)];
  bool cached = !catalog->windows && memcmp(known, &s, sizeof s) == 0;
  if (!cached) {
    ncc_geometry geometry;
    status = ncc_geometry_create(search, catalog->windows ? &catalog->windows[row] : NULL, s.image_rows, s.image_cols,
                                 s.template_rows, s.template_cols, &geometry);
    if (status != NCC_OK) {
      ncc_error_prefix("%s: /pairs row %" PRId64 " (image id %" PRId64 ", template id %" PRId64 ")", catalog->path, row,
                       pair[0], pair[1]);
      return status == NCC_ERR_SHAPE ? NCC_ERR_INPUT : status;
    }
    *known = s;
  }
cleanup:
  return status;
}

ncc_status ncc_catalog_resolve(const ncc_catalog *catalog, const ncc_search *search, bool skip_bad,
                               int64_t (**indices)[2], int64_t *n_bad) {
  ncc_status status = NCC_OK;
  int64_t n = catalog->n_pairs;
  shapes *cache = calloc(CACHE_SIZE, sizeof *cache);
  *indices = malloc((size_t)(n ? n : 1) * sizeof **indices);
  *n_bad = 0;
  NCC_CHECK(cache && *indices, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs", catalog->path, n);
  for (int64_t row = 0; row < n; row++) {
    int64_t *index = (*indices)[row];
    status = resolve_pair(catalog, search, row, cache, index);
    if (status == NCC_ERR_INPUT && skip_bad) {
      status = NCC_OK;
      index[0] = index[1] = -1;
      ++*n_bad;
    }
    if (status != NCC_OK) goto cleanup;
  }
cleanup:
  free(cache);
  if (status != NCC_OK) free(*indices), *indices = NULL;
  return status;
}
