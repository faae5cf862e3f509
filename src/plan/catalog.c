/** Looking objects up. Ids are mostly dense, so that one is found by guessing first. */
#include "plan/catalog.h"

#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/error.h"
#include "match/turn.h"

ncc_status ncc_objects_reserve(ncc_objects *objects, int64_t capacity) {
  objects->items = malloc((size_t)(capacity ? capacity : 1) * sizeof *objects->items);
  objects->capacity = capacity;
  return objects->items ? NCC_OK : ncc_error_set(NCC_ERR_NOMEM, "no memory for %lld objects", (long long)capacity);
}

ncc_status ncc_objects_add(ncc_objects *objects, const ncc_object *object) {
  const int64_t index = objects->count++;
  objects->items[index] = (ncc_item){.rows = (int32_t)object->rows,
                                     .cols = (int32_t)object->cols,
                                     .dtype = (int32_t)object->stored,
                                     .box_image = (int32_t)object->box_image,
                                     .box_y = (int32_t)object->box_y,
                                     .box_x = (int32_t)object->box_x};
  if (!objects->ids && object->id == index) return NCC_OK;
  if (!objects->ids) { /* the first gap */
    objects->ids = malloc((size_t)objects->capacity * sizeof *objects->ids);
    if (!objects->ids) return ncc_error_set(NCC_ERR_NOMEM, "no memory for %lld objects", (long long)objects->capacity);
    for (int64_t i = 0; i < index; i++) objects->ids[i] = i;
  }
  objects->ids[index] = object->id;
  return NCC_OK;
}

ncc_object ncc_objects_get(const ncc_objects *objects, int64_t index) {
  ncc_object object = objects->stack;
  object.box_image = -1;
  if (objects->items) {
    const ncc_item *item = &objects->items[index];
    object = (ncc_object){.rows = item->rows,
                          .cols = item->cols,
                          .stored = (ncc_dtype)item->dtype,
                          .box_image = item->box_image,
                          .box_y = item->box_y,
                          .box_x = item->box_x};
  }
  object.dtype = objects->filtered ? NCC_F32 : object.stored;
  object.masked = objects->masked;
  object.id = objects->ids ? objects->ids[index] : index;
  return object;
}

ncc_search ncc_catalog_search(const ncc_catalog *catalog, const ncc_search *search) {
  ncc_search out = *search;
  if (ncc_catalog_masked(catalog)) out.min_overlap = 0;
  return out;
}

void ncc_catalog_choose_turn(ncc_catalog *catalog, const ncc_search *search) {
  catalog->templates.turn = ncc_turns_most(search);
}

ncc_object ncc_template_get(const ncc_catalog *catalog, int64_t index) {
  ncc_object tmpl = ncc_objects_get(&catalog->templates, index);
  int64_t y, x;
  if (tmpl.box_image < 0 || catalog->templates.turn == 0) return tmpl;
  const ncc_object image = ncc_objects_get(&catalog->images, tmpl.box_image);
  ncc_turns_margin(catalog->templates.turn, tmpl.rows, tmpl.cols, &y, &x);
  tmpl.around.above = ncc_min(y, tmpl.box_y);
  tmpl.around.left = ncc_min(x, tmpl.box_x);
  tmpl.around.below = ncc_min(y, image.rows - tmpl.box_y - tmpl.rows);
  tmpl.around.right = ncc_min(x, image.cols - tmpl.box_x - tmpl.cols);
  return tmpl;
}

ncc_rect ncc_object_rect(const ncc_object *object) {
  const ncc_margins *a = &object->around;
  return (ncc_rect){-a->above, -a->left, object->rows + a->below, object->cols + a->right};
}

int64_t ncc_object_bytes_of(const ncc_object *object, int64_t pixels) {
  return pixels * ((int64_t)ncc_dtype_size(object->dtype) + object->masked);
}

int64_t ncc_object_bytes(const ncc_object *object) {
  const ncc_rect r = ncc_object_rect(object);
  return ncc_object_bytes_of(object, (r.y1 - r.y0) * (r.x1 - r.x0));
}

int64_t ncc_objects_find(const ncc_objects *objects, int64_t id) {
  const int64_t *ids = objects->ids;
  if (objects->count == 0 || id < 0) return -1;
  if (!ids) return id < objects->count ? id : -1;
  if (id < ids[0] || id > ids[objects->count - 1]) return -1;
  // Ids increase strictly: an object never lies behind the place that it has where there are no gaps.
  int64_t low = 0, high = id - ids[0] < objects->count ? id - ids[0] : objects->count - 1;
  if (ids[high] == id) return high;
  while (low <= high) {
    int64_t middle = low + (high - low) / 2;
    if (ids[middle] == id) return middle;
    if (ids[middle] < id) {
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return -1;
}

const char *ncc_objects_lost(const ncc_objects *objects, int64_t id) {
  int64_t low = 0, high = objects->n_lost;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (objects->lost[middle].id < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < objects->n_lost && objects->lost[low].id == id ? objects->lost[low].reason : NULL;
}

void ncc_objects_clear(ncc_objects *objects) {
  for (int64_t i = 0; i < objects->n_lost; i++) free(objects->lost[i].reason);
  free(objects->lost);
  free(objects->items);
  free(objects->ids);
  *objects = (ncc_objects){0};
}

void ncc_catalog_clear(ncc_catalog *catalog) {
  free(catalog->path);
  ncc_objects_clear(&catalog->images);
  ncc_objects_clear(&catalog->templates);
  for (int i = 0; i < 2; i++) ncc_objects_clear(&catalog->masks[i]);
  free(catalog->pairs);
  free(catalog->windows);
  free(catalog->near);
  *catalog = (ncc_catalog){0};
}
