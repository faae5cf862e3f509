/** See work.h. Made for 10^7 pairs in about a second: few kinds occur, and neighbours are mostly of the same. */
#include "plan/work.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "match/fft.h"
#include "match/turn.h"
#include "plan/parts.h"

/** What makes a kind. */
typedef struct kind_key {
  int64_t image_rows, image_cols, template_rows, template_cols;
  int64_t window_rows, window_cols; /* see size_class(); 0: no window */
  int64_t part_rows, part_cols;     /* likewise; 0: no part */
  int32_t image_dtype, template_dtype;
} kind_key;

/** The kinds while they are made: open addressing, slots hold an index plus 1. */
typedef struct kind_table {
  ncc_work *work;
  kind_key *keys;   /* [capacity] of the kinds */
  int32_t capacity; /* of `keys` and of work->kinds */
  int32_t *slots;   /* [n_slots], a power of two */
  int64_t n_slots;
  int32_t last; /* the kind of the last pair, or -1 */
} kind_table;

static uint64_t hash_key(const kind_key *key) {
  const int64_t parts[] = {key->image_rows,  key->image_cols,    key->template_rows, key->template_cols,
                           key->window_rows, key->window_cols,   key->part_rows,     key->part_cols,
                           key->image_dtype, key->template_dtype};
  uint64_t hash = 0;
  for (int i = 0; i < 10; i++) hash = (hash ^ (uint64_t)parts[i]) * 0x9E3779B97F4A7C15u + (hash >> 29);
  return hash ^ hash >> 32;
}

/** The slot of a kind, or the free one where it belongs. */
static int32_t *find_slot(const kind_table *table, const kind_key *key) {
  for (uint64_t at = hash_key(key);; at++) {
    int32_t *slot = &table->slots[at & (uint64_t)(table->n_slots - 1)];
    if (*slot == 0 || memcmp(&table->keys[*slot - 1], key, sizeof *key) == 0) return slot;
  }
}

/** Makes room for one kind more, keeping the slots half empty. */
static ncc_status grow(kind_table *table) {
  ncc_status status = NCC_OK;
  ncc_work *work = table->work;
  if (work->n_kinds < table->capacity) return NCC_OK;
  NCC_CHECK(table->capacity <= INT32_MAX / 4, NCC_ERR_NOMEM, "%s: more than %d shapes of pairs", work->catalog->path,
            table->capacity);
  int32_t capacity = table->capacity ? 4 * table->capacity : 64;
  ncc_work_kind *kinds = realloc(work->kinds, (size_t)capacity * sizeof *kinds);
  if (kinds) work->kinds = kinds;
  kind_key *keys = realloc(table->keys, (size_t)capacity * sizeof *keys);
  if (keys) table->keys = keys;
  int32_t *slots = calloc(2 * (size_t)capacity, sizeof *slots);
  if (slots) {
    free(table->slots);
    table->slots = slots;
  }
  NCC_CHECK(kinds && keys && slots, NCC_ERR_NOMEM, "%s: no memory for %d shapes of pairs", work->catalog->path,
            capacity);
  table->capacity = capacity;
  table->n_slots = 2 * (int64_t)capacity;
  for (int32_t i = 0; i < work->n_kinds; i++) *find_slot(table, &keys[i]) = i + 1;
cleanup:
  return status;
}

/** Lengths that differ by less than an eighth count as one, so that windows of any sizes make few kinds. */
static int64_t size_class(int64_t length) {
  int below = 60 - __builtin_clzll((uint64_t)length | 8); /* bits below the leading four */
  return length >> below << below;
}

/** At every angle a template costs what it costs. */
static ncc_cost predict(const ncc_search *search, const ncc_geometry *g, bool masked) {
  ncc_cost cost = ncc_cost_predict(g, masked);
  cost.pair_s *= (double)ncc_turns_count(search);
  return cost;
}

/** The kind of a pair, which is made where it is new. @return NCC_ERR_SHAPE for shapes that do not fit. */
static ncc_status find_kind(kind_table *table, const ncc_search *search, const ncc_object *image,
                            const ncc_object *tmpl, const ncc_rect *window, int32_t *index) {
  ncc_status status = NCC_OK;
  ncc_work *work = table->work;
  ncc_geometry g, matched;
  const bool masked = image->masked || tmpl->masked;
  kind_key key = {.image_rows = image->rows,
                  .image_cols = image->cols,
                  .template_rows = tmpl->rows,
                  .template_cols = tmpl->cols,
                  .image_dtype = image->dtype,
                  .template_dtype = tmpl->dtype};
  const bool part = ncc_object_in_parts(&work->catalog->images, image);
  int64_t image_bytes = ncc_object_bytes(image);
  if (window) { /* each is to be checked, known kind or not */
    NCC_TRY(ncc_geometry_create(search, window, image->rows, image->cols, tmpl->rows, tmpl->cols, &g));
    matched = g;
    if (part) {
      matched = ncc_image_part_geometry(search, &g);
      image_bytes = ncc_object_bytes_of(image, matched.image_rows * matched.image_cols);
      key.part_rows = size_class(matched.image_rows);
      key.part_cols = size_class(matched.image_cols);
    }
    key.window_rows = size_class(g.search.y1 - g.search.y0);
    key.window_cols = size_class(g.search.x1 - g.search.x0);
  }
  if (table->last < 0 || memcmp(&table->keys[table->last], &key, sizeof key) != 0) {
    int32_t known = table->n_slots ? *find_slot(table, &key) : 0;
    if (known == 0) {
      if (!window) NCC_TRY(ncc_geometry_create(search, NULL, image->rows, image->cols, tmpl->rows, tmpl->cols, &g));
      if (!window) matched = g;
      NCC_TRY(grow(table));
      const ncc_fft_shape fft = ncc_fft_shape_choose(&matched);
      work->kinds[work->n_kinds] = (ncc_work_kind){.geometry = g,
                                                   .matched = matched,
                                                   .image_dtype = image->dtype,
                                                   .template_dtype = tmpl->dtype,
                                                   .part = part,
                                                   .masked = masked,
                                                   .image_bytes = image_bytes,
                                                   .template_bytes = ncc_object_bytes(tmpl),
                                                   .fft_rows = fft.rows,
                                                   .fft_cols = fft.cols,
                                                   .cost = predict(search, &matched, masked)};
      table->keys[work->n_kinds] = key;
      *find_slot(table, &key) = known = ++work->n_kinds;
    }
    table->last = known - 1;
  }
  *index = table->last;
  ncc_work_kind *kind = &work->kinds[table->last];
  kind->pairs++;
  kind->image_bytes = kind->image_bytes > image_bytes ? kind->image_bytes : image_bytes;
  kind->windows_vary |= window && memcmp(&g.search, &kind->geometry.search, sizeof g.search) != 0;
cleanup:
  return status;
}

/** The index of one id (-1 for no pair), or an error that says which ids there are. */
static ncc_status find_id(const ncc_catalog *catalog, const ncc_objects *objects, const char *name, int64_t row,
                          int64_t id, int32_t *index) {
  *index = (int32_t)ncc_objects_find(objects, id);
  if (*index >= 0 || id == -1) return NCC_OK;
  const char *lost = ncc_objects_lost(objects, id);
  if (lost)
    return ncc_error_set(NCC_ERR_INPUT, "%s (needed by /pairs row %" PRId64 "; see --on-bad-pair skip)", lost, row);
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

/** A row with -1 holds no pair, but its other id must not be below that. */
static ncc_status resolve_row(kind_table *table, const ncc_search *search, int64_t row, ncc_work_row *out) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = table->work->catalog;
  const int64_t *pair = catalog->pairs[row];
  if ((pair[0] == -1 && pair[1] >= -1) || (pair[1] == -1 && pair[0] >= -1)) {
    *out = (ncc_work_row){-1, -1, NCC_WORK_NONE};
    return NCC_OK;
  }
  NCC_TRY(find_id(catalog, &catalog->images, "image", row, pair[0], &out->image));
  NCC_TRY(find_id(catalog, &catalog->templates, "template", row, pair[1], &out->tmpl));
  const ncc_object image = ncc_objects_get(&catalog->images, out->image);
  const ncc_object tmpl = ncc_template_get(catalog, out->tmpl);
  if (catalog->near)
    status = ncc_geometry_near(search, catalog->near[row], image.rows, image.cols, tmpl.rows, tmpl.cols,
                               &table->work->predicted[row]);
  if (status == NCC_OK) status = find_kind(table, search, &image, &tmpl, ncc_work_window(table->work, row), &out->kind);
  if (status != NCC_ERR_SHAPE) goto cleanup;
  status = NCC_ERR_INPUT;
  ncc_error_prefix("%s: /pairs row %" PRId64 " (image id %" PRId64 ", template id %" PRId64 ")", catalog->path, row,
                   pair[0], pair[1]);
cleanup:
  return status;
}

ncc_status ncc_work_create(const ncc_catalog *catalog, const ncc_search *search, bool skip_bad, ncc_work *out) {
  ncc_status status = NCC_OK;
  const int64_t n = catalog->n_pairs;
  const ncc_objects *sets[] = {&catalog->images, &catalog->templates};
  kind_table table = {.work = out, .last = -1};
  const ncc_search asked = ncc_catalog_search(catalog, search);
  *out = (ncc_work){.catalog = catalog, .turns = ncc_turns_count(search)};
  for (int i = 0; i < 2; i++)
    NCC_CHECK(sets[i]->count <= INT32_MAX, NCC_ERR_INPUT, "%s: %" PRId64 " %s found, expected at most %d",
              catalog->path, sets[i]->count, i ? "templates" : "images", INT32_MAX);
  out->rows = malloc((size_t)(n ? n : 1) * sizeof *out->rows);
  if (catalog->near) out->predicted = calloc((size_t)(n ? n : 1), sizeof *out->predicted);
  out->windows = catalog->near ? out->predicted : catalog->windows;
  NCC_CHECK(out->rows && (out->predicted || !catalog->near), NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs",
            catalog->path, n);
  for (int64_t row = 0; row < n; row++) {
    status = resolve_row(&table, &asked, row, &out->rows[row]);
    if (status == NCC_ERR_INPUT && skip_bad) {
      status = NCC_OK;
      out->rows[row] = (ncc_work_row){-1, -1, NCC_WORK_BAD};
    }
    if (status != NCC_OK) goto cleanup;
    out->n_none += out->rows[row].kind == NCC_WORK_NONE;
    out->n_bad += out->rows[row].kind == NCC_WORK_BAD;
  }
cleanup:
  free(table.keys);
  free(table.slots);
  if (status != NCC_OK) ncc_work_clear(out);
  return status;
}

void ncc_work_clear(ncc_work *work) {
  free(work->rows);
  free(work->kinds);
  free(work->predicted);
  *work = (ncc_work){0};
}

ncc_status ncc_work_part(const ncc_work *work, const ncc_search *search, int64_t row, ncc_image_part *out) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = work->catalog;
  const ncc_object image = ncc_objects_get(&catalog->images, work->rows[row].image);
  const ncc_object tmpl = ncc_objects_get(&catalog->templates, work->rows[row].tmpl);
  const ncc_search areas = ncc_catalog_search(catalog, search);
  ncc_geometry g;
  NCC_TRY(ncc_geometry_create(&areas, &work->windows[row], image.rows, image.cols, tmpl.rows, tmpl.cols, &g));
  *out = ncc_image_part_of(&g, ncc_object_in_parts(&catalog->images, &image));
cleanup:
  return status;
}
