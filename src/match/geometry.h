/** Full-mode geometry: where a template may lie on an image, and which part of the image matters for that.
 *
 *  Pure integer arithmetic; the one place that decides which positions are searched. All engines and the reference ask
 *  here.
 */
#ifndef NCC_GEOMETRY_H
#define NCC_GEOMETRY_H

#include "mpixcorr.h"

/** Everything that follows from the shapes and the search options of one pair. */
typedef struct ncc_geometry {
  int64_t image_rows, image_cols;       /**< M, N */
  int64_t template_rows, template_cols; /**< m, n */
  ncc_rect permitted;                   /**< what crop and window leave of the full correlation */
  ncc_rect search;                      /**< searched positions, full coordinates; never empty: `permitted` without
                                             rows and columns at its rim where too little overlaps */
  double min_overlap;                   /**< fraction of m * n that must overlap */
  bool ignores_outside;    /**< templates may overhang the image, outside of which is nothing (NCC_OUTSIDE_IGNORE) */
  const ncc_rect *exclude; /**< [n_exclude] positions left out of the search (around better peaks) */
  int64_t n_exclude;       /**< at most NCC_PEAKS_MOST */
  ncc_rect trim;           /**< the part of the image that can reach the search, image coordinates */
} ncc_geometry;

/** Works out the geometry of a pair.
 *  @param[in] window  the pair's search window, or NULL.
 *  @return NCC_OK; NCC_ERR_SHAPE with a message if the template is larger than the image in a direction, or crop,
 *          window and overlap leave no position. */
ncc_status ncc_geometry_create(const ncc_search *search, const ncc_rect *window, int64_t image_rows, int64_t image_cols,
                               int64_t template_rows, int64_t template_cols, ncc_geometry *out);

/** The search window of a prediction: offsets (of the template's top-left pixel in the image) that differ from (y, x)
 * by at most the radii, as far as the full correlation and then the crop reach. Any numbers may be given.
 *  @param[in]  near  (y, x, radius_y, radius_x), a row of /near; a negative radius: no prediction, all is searched
 *  @param[out] window  full coordinates; empty where an error is returned
 *  @return NCC_OK; NCC_ERR_SHAPE with a message if nothing is left, or as ncc_geometry_create(). */
ncc_status ncc_geometry_near(const ncc_search *search, const int64_t near[4], int64_t image_rows, int64_t image_cols,
                             int64_t template_rows, int64_t template_cols, ncc_rect *window);

/** Whether a template may lie beyond the image at a searched position. */
bool ncc_geometry_overhangs(const ncc_geometry *g);

/** Whether crop or window left out one of the eight neighbours of a searched position: a better one may lie beyond. */
bool ncc_geometry_at_border(const ncc_geometry *g, int64_t y, int64_t x);

/** The searched columns of full row y: [*x0, *x1), empty if *x0 >= *x1; `exclude` is not looked at. */
void ncc_geometry_span(const ncc_geometry *g, int64_t y, int64_t *x0, int64_t *x1);

enum { NCC_SEGMENTS_MOST = NCC_PEAKS_MOST + 1 };

/** The searched columns of full row y without the excluded ones: half-open segments, left to right, apart from each
 *  other. @return how many, at most n_exclude + 1. */
int ncc_geometry_segments(const ncc_geometry *g, int64_t y, int64_t segments[NCC_SEGMENTS_MOST][2]);

/** Pixels of the template that overlap the image at full position (y, x). */
int64_t ncc_geometry_overlap_px(const ncc_geometry *g, int64_t y, int64_t x);

/** The first searched position in row-major order. @return false if all are excluded. */
bool ncc_geometry_first(const ncc_geometry *g, int64_t *y, int64_t *x);

/** Same shapes, search area and overlap rule; `exclude` may differ. */
bool ncc_geometry_equal(const ncc_geometry *a, const ncc_geometry *b);

/** Shortest cyclic transform of one direction whose wrap-around stays out of the search.
 *  @param[in] image, tmpl  trimmed image and template extents; [first, last] searched positions in trimmed coordinates
 */
int64_t ncc_geometry_min_fft(int64_t image, int64_t tmpl, int64_t first, int64_t last);

#endif
