/** Huge images in parts: of an image that is searched through windows, what the window of a pair reaches is read,
 *  prepared and transformed, and nothing else.
 *
 *  The part is an image of its own to all that follows; its results are moved back in the end. It depends on the pair
 *  alone, so that results do not depend on ranks or memory. Pairs that lie side by side come one after the other, so
 *  that they find the same chunks of the file.
 */
#ifndef NCC_PARTS_H
#define NCC_PARTS_H

#include "match/geometry.h"
#include "plan/catalog.h"

/** Where a pair is searched, in pixels of what is read of its image. */
typedef struct ncc_image_part {
  ncc_rect pixels; /**< of the image */
  ncc_rect window; /**< searched positions of the full correlation of these pixels; crop is done with */
} ncc_image_part;

/** Sets `in_parts` of a catalog's images: there are windows and images large enough, and nothing needs whole ones. To
 * be called before anything is planned by the catalog. */
void ncc_catalog_choose_parts(ncc_catalog *catalog, const ncc_search *search);

/** The search of parts, for their windows have the crop in them. */
ncc_search ncc_parts_search(const ncc_search *search);

/** What a pair reaches of its image, which may be matched whole. @param[in] g  of the whole image */
ncc_image_part ncc_image_part_of(const ncc_geometry *g, bool in_parts);

/** The geometry of a pair on its part. */
ncc_geometry ncc_image_part_geometry(const ncc_search *search, const ncc_geometry *g);

/** Orders the windows of two pairs of an image along a curve that keeps neighbours together.
 *  @return below, at or above 0. */
int ncc_parts_compare(const ncc_rect *a, const ncc_rect *b);

/** Whether two pairs lie in one block of an image: blocks are handed out apart, so that ranks do not read the same. */
bool ncc_parts_together(const ncc_rect *a, const ncc_rect *b);

#endif
