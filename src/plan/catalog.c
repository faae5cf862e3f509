/** Looking objects up. Ids are mostly dense, so that one is found by guessing first. */
#include "plan/catalog.h"

#include <stdlib.h>

ncc_object ncc_objects_get(const ncc_objects *objects, int64_t index) {
  if (objects->items) return objects->items[index];
  ncc_object object = objects->stack;
  object.id = index;
  object.box_image = -1;
  return object;
}

int64_t ncc_object_bytes(const ncc_object *object) {
  return object->rows * object->cols * (int64_t)ncc_dtype_size(object->dtype);
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
