/** Masks: what /image_masks and /template_masks hold, and which pixels are valid. See input.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "io/input/h5_input.h"

/** Every mask is of an object that exists, and has its shape; one alone fits all. */
static ncc_status check_shapes(const ncc_input *input, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = &input->catalog;
  const ncc_objects *objects = ncc_input_objects(input, kind), *masks = &catalog->masks[kind];
  const char *label = ncc_input_names_of_kinds[NCC_MASK_OF(kind)], *of = ncc_input_names_of_kinds[kind];
  const bool one = catalog->one_mask[kind];
  const int64_t n = one ? objects->count : masks->count;
  const ncc_input_set *set = &input->sets[NCC_MASK_OF(kind)];
  const bool group = !one && !set->stack && !set->named.used; /* may leave some out */
  NCC_CHECK(one || group || masks->count == objects->count, NCC_ERR_INPUT,
            "%s: %s: %" PRId64 " found, expected one for each of the %" PRId64 " of %s", catalog->path, label,
            masks->count, objects->count, of);
  for (int64_t i = 0; i < n; i++) {
    const ncc_object mask = ncc_objects_get(masks, one ? 0 : i);
    const int64_t index = one ? i : ncc_objects_find(objects, mask.id);
    NCC_CHECK(index >= 0, NCC_ERR_INPUT, "%s: %s: id %" PRId64 " found, expected one of %s", catalog->path, label,
              mask.id, of);
    const ncc_object object = ncc_objects_get(objects, index);
    NCC_CHECK(mask.rows == object.rows && mask.cols == object.cols, NCC_ERR_INPUT,
              "%s: %s: a mask of %" PRId64 " x %" PRId64 " found, expected %" PRId64 " x %" PRId64 " as id %" PRId64
              " of %s",
              catalog->path, label, mask.rows, mask.cols, object.rows, object.cols, object.id, of);
    if (!objects->items && !masks->items) break; /* all are alike */
  }
cleanup:
  return status;
}

ncc_status ncc_input_inspect_masks(ncc_input *input) {
  ncc_status status = NCC_OK;
  ncc_catalog *catalog = &input->catalog;
  ncc_objects *objects[2] = {&catalog->images, &catalog->templates};
  const bool boxes = catalog->templates.count > 0 && ncc_objects_get(&catalog->templates, 0).box_image >= 0;
  for (int kind = 0; kind < 2; kind++) {
    const ncc_object_kind of = NCC_MASK_OF(kind);
    const char *label = ncc_input_names_of_kinds[of];
    if (H5Lexists(input->sources.input, label, H5P_DEFAULT) <= 0) continue;
    NCC_CHECK(kind == NCC_IMAGE || !boxes, NCC_ERR_INPUT,
              "%s: %s found beside templates that are boxes, expected none: boxes have the masks of their images",
              catalog->path, label);
    NCC_TRY(ncc_input_inspect_kind(input, of));
    const ncc_objects *masks = &catalog->masks[kind];
    NCC_CHECK(masks->n_lost == 0, NCC_ERR_INPUT, "%s: %s: %s", catalog->path, label, masks->lost[0].reason);
    objects[kind]->masked = masks->count > 0;
    if (!input->tables_alone) NCC_TRY(check_shapes(input, (ncc_object_kind)kind));
  }
  if (boxes) catalog->templates.masked = catalog->images.masked;
cleanup:
  return status;
}

int64_t ncc_input_mask_index(const ncc_input *input, ncc_object_kind *kind, int64_t index) {
  ncc_object object = ncc_objects_get(ncc_input_objects(input, *kind), index);
  ncc_rect rect = {0};
  ncc_input_resolve_box(input, kind, &index, &object, &rect);
  const bool one = input->catalog.one_mask[*kind];
  const ncc_objects *masks = &input->catalog.masks[*kind];
  *kind = NCC_MASK_OF(*kind);
  return one ? 0 : ncc_objects_find(masks, object.id);
}

ncc_status ncc_input_read_mask(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               const void *pixels, uint8_t *valid) {
  ncc_status status = NCC_OK;
  ncc_object_kind of = kind;
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  const int64_t rows = rect->y1 - rect->y0, cols = rect->x1 - rect->x0;
  const int64_t mask_index = ncc_input_mask_index(input, &of, index);
  const ncc_array array = {pixels, object.stored, rows, cols, cols};
  ncc_rect in_mask = *rect;
  void *stored = NULL;
  if (mask_index < 0) {
    memset(valid, 1, (size_t)(rows * cols));
  } else {
    const ncc_dtype type = ncc_objects_get(&input->catalog.masks[of - NCC_IMAGE_MASK], mask_index).stored;
    const ncc_array mask = {stored = malloc((size_t)(rows * cols) * ncc_dtype_size(type)), type, rows, cols, cols};
    NCC_CHECK(stored, NCC_ERR_NOMEM, "no memory for a mask of %" PRId64 " x %" PRId64 " pixels", rows, cols);
    ncc_input_resolve_box(input, &kind, &index, &object, &in_mask);
    NCC_TRY(ncc_input_read_rect(input, of, mask_index, &in_mask, stored));
    ncc_mask_read(&mask, valid);
  }
  if (input->mask_values.n > 0) ncc_mask_by_values(&array, &input->mask_values, valid);
cleanup:
  free(stored);
  return status;
}
