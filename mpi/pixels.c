#include "pixels.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

ncc_pixels *ncc_pixels_create(int64_t bytes) {
  size_t header = (sizeof(ncc_pixels) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t total = header + ((size_t)bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  ncc_pixels *pixels = aligned_alloc(ALIGNMENT, total);
  if (!pixels) return NULL;
  atomic_init(&pixels->refs, 1);
  pixels->bytes = bytes;
  pixels->data = (unsigned char *)pixels + header;
  return pixels;
}

ncc_pixels *ncc_pixels_share(ncc_pixels *pixels) {
  if (pixels) atomic_fetch_add_explicit(&pixels->refs, 1, memory_order_relaxed);
  return pixels;
}

void ncc_pixels_release(ncc_pixels **pixels) {
  if (!*pixels) return;
  if (atomic_fetch_sub_explicit(&(*pixels)->refs, 1, memory_order_acq_rel) == 1) free(*pixels);
  *pixels = NULL;
}

int64_t ncc_object_bytes(const ncc_object *object) {
  return object->rows * object->cols * (int64_t)ncc_dtype_size(object->dtype);
}
