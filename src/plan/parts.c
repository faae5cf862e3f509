#include "plan/parts.h"

#include "base/arithmetic.h"

/* Pixels of a block's side: many chunks, so that those at its rim hardly count; and a section has dozens of blocks. */
enum { BLOCK_BITS = 14 };

void ncc_catalog_choose_parts(ncc_catalog *catalog, const ncc_search *search) {
  ncc_objects *images = &catalog->images;
  images->in_parts = false;
  if ((!catalog->windows && !catalog->near) || search->normalize || search->n_filters > 0) return;
  const int64_t n = images->items ? images->count : ncc_min(images->count, 1);
  for (int64_t i = 0; i < n && !images->in_parts; i++) {
    const ncc_object image = ncc_objects_get(images, i);
    images->in_parts = image.rows * image.cols > NCC_WHOLE_IMAGE_PX;
  }
}

ncc_search ncc_parts_search(const ncc_search *search) {
  ncc_search uncropped = *search;
  uncropped.crop_y = uncropped.crop_x = 0;
  uncropped.crop_half = false;
  return uncropped;
}

/** Along one direction: what is reached, and what the rules of a search want of an image beside it. */
static void take_pixels(int64_t image, int64_t tmpl, int64_t *first, int64_t *end) {
  /* Beside a template of one pixel the correlation ends with the image, which would not be a border. */
  if (tmpl == 1) {
    *first = ncc_max(*first - 1, 0);
    *end = ncc_min(*end + 1, image);
  }
  /* At the image's rim a template may overhang so far that less is reached than it is large. */
  if (*first == 0) *end = ncc_max(*end, tmpl);
  *first = ncc_min(*first, *end - tmpl);
}

ncc_image_part ncc_image_part_of(const ncc_geometry *g, bool in_parts) {
  if (!in_parts) return (ncc_image_part){{0, 0, g->image_rows, g->image_cols}, g->permitted};
  ncc_rect t = g->trim;
  const ncc_rect *p = &g->permitted;
  take_pixels(g->image_rows, g->template_rows, &t.y0, &t.y1);
  take_pixels(g->image_cols, g->template_cols, &t.x0, &t.x1);
  return (ncc_image_part){t, {p->y0 - t.y0, p->x0 - t.x0, p->y1 - t.y0, p->x1 - t.x0}};
}

ncc_geometry ncc_image_part_geometry(const ncc_search *search, const ncc_geometry *g) {
  const ncc_image_part part = ncc_image_part_of(g, true);
  const ncc_search uncropped = ncc_parts_search(search);
  ncc_geometry out = *g; /* a pair that fits its image fits its part */
  ncc_geometry_create(&uncropped, &part.window, part.pixels.y1 - part.pixels.y0, part.pixels.x1 - part.pixels.x0,
                      g->template_rows, g->template_cols, &out);
  return out;
}

/** Whether the highest bit of a is below that of b. */
static bool lower_bit(uint64_t a, uint64_t b) {
  return a < b && a < (a ^ b);
}

int ncc_parts_compare(const ncc_rect *a, const ncc_rect *b) {
  const uint64_t y = (uint64_t)(a->y0 ^ b->y0), x = (uint64_t)(a->x0 ^ b->x0);
  if (y == 0 && x == 0) return 0;
  if (lower_bit(y, x)) return a->x0 < b->x0 ? -1 : 1; /* Z-order: the highest bit in which they differ decides */
  return a->y0 < b->y0 ? -1 : 1;
}

bool ncc_parts_together(const ncc_rect *a, const ncc_rect *b) {
  return a->y0 >> BLOCK_BITS == b->y0 >> BLOCK_BITS && a->x0 >> BLOCK_BITS == b->x0 >> BLOCK_BITS;
}
