/** See filtered.h. The last filtered image is kept: boxes of one image mostly follow each other. */
#include "io/input/filtered.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "filter/masking.h"

struct ncc_input_filters {
  ncc_search search;
  int threads;
  ncc_pool *pool; /* made at the first read */
  ncc_filter_scratch scratch;
  ncc_buffer stored, image;
  int64_t image_index; /* of `image`; -1: none */
};

ncc_status ncc_input_filters_create(const ncc_search *search, ncc_input_filters **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_input_filters *filters = calloc(1, sizeof *filters);
  NCC_CHECK(filters, NCC_ERR_NOMEM, "out of memory for filters");
  filters->search = *search;
  filters->image_index = -1;
  filters->threads = 1;
  *out = filters;
cleanup:
  return status;
}

void ncc_input_filters_threads(ncc_input_filters *filters, int threads) {
  filters->threads = threads;
}

void ncc_input_filters_destroy(ncc_input_filters **out) {
  ncc_input_filters *filters = *out;
  if (!filters) return;
  ncc_pool_destroy(&filters->pool);
  ncc_filter_scratch_free(&filters->scratch);
  ncc_buffer_free(&filters->stored);
  ncc_buffer_free(&filters->image);
  free(filters);
  *out = NULL;
}

/** A whole object that is no box. @param[out] out  [rows, cols] float32, and its mask behind it where it has one */
static ncc_status filter_whole(ncc_input_filters *f, ncc_input *input, ncc_read_stored read, ncc_object_kind kind,
                               int64_t index, const ncc_object *object, float *out) {
  ncc_status status = NCC_OK;
  const int64_t pixels = object->rows * object->cols;
  const ncc_filter *filters = f->search.filters;
  uint8_t *valid = (uint8_t *)(out + pixels);
  if (!f->pool) NCC_TRY(ncc_pool_create(f->threads, &f->pool));
  NCC_TRY(ncc_buffer_reserve(&f->stored, pixels * (int64_t)ncc_dtype_size(object->stored), "pixels to be filtered"));
  NCC_TRY(read(input, kind, index, f->stored.data, object->masked ? valid : NULL));
  const ncc_array array = {f->stored.data, object->stored, object->rows, object->cols, object->cols};
  if (object->masked && memchr(valid, 0, (size_t)pixels))
    NCC_TRY(ncc_filter_apply_masked(f->pool, filters, f->search.n_filters, &array, valid, &f->scratch, out));
  else
    NCC_TRY(ncc_filter_apply(f->pool, filters, f->search.n_filters, &array, &f->scratch, out));
cleanup:
  return status;
}

ncc_status ncc_input_filters_read(ncc_input_filters *f, ncc_input *input, ncc_read_stored read, ncc_object_kind kind,
                                  int64_t index, float *pixels) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = ncc_input_catalog(input);
  const ncc_object object = ncc_input_object(input, kind, index);
  const ncc_rect rect = ncc_object_rect(&object);
  const bool box = object.box_image >= 0;
  const int64_t image_index = box ? object.box_image : index;
  if (kind == NCC_TEMPLATE && !box) return filter_whole(f, input, read, kind, index, &object, pixels);
  const ncc_object image = ncc_objects_get(&catalog->images, image_index);
  if (f->image_index != image_index) {
    f->image_index = -1;
    NCC_TRY(ncc_buffer_reserve(&f->image, ncc_object_bytes(&image), "a filtered image"));
    NCC_TRY(filter_whole(f, input, read, NCC_IMAGE, image_index, &image, f->image.data));
    f->image_index = image_index;
  }
  const int64_t first = box ? object.box_y * image.cols + object.box_x : 0, cols = rect.x1 - rect.x0;
  const float *from = (const float *)f->image.data + first;
  const uint8_t *valid = (const uint8_t *)((const float *)f->image.data + image.rows * image.cols) + first;
  uint8_t *to = (uint8_t *)(pixels + (rect.y1 - rect.y0) * cols);
  for (int64_t y = rect.y0; y < rect.y1; y++, pixels += cols, to += cols) {
    memcpy(pixels, from + y * image.cols + rect.x0, (size_t)cols * sizeof *pixels);
    if (object.masked) memcpy(to, valid + y * image.cols + rect.x0, (size_t)cols);
  }
cleanup:
  return status;
}
