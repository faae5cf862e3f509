/** What parts of a template come to that overlap the image: sums, ssd, flatness. Where nothing is outside the image,
 *  the template's moments change with the position as the window's do. A template is no larger than its image, so what
 *  overlaps always has one of its corners.
 */
#ifndef NCC_TEMPLATE_OVERLAP_H
#define NCC_TEMPLATE_OVERLAP_H

#include "base/buffer.h"
#include "match/prepare.h"

/** Rows [top, bottom) and columns [left, right) of a template. */
typedef struct ncc_template_part {
  int64_t top, bottom, left, right;
} ncc_template_part;

typedef struct ncc_template_overlap {
  int64_t rows, cols;
  double *sums, *squares; /**< [rows + 1][cols + 1] prefix sums of T' = (T - mean T) * unit and of its square */
  double inverse_ssd;     /**< 1 / ssd of the whole */
  int32_t *flat[4];       /**< [rows + 1] for each corner: the most columns with which so many rows from there are flat;
                               corners: top left, top right, bottom left, bottom right */
  ncc_buffer buffer;
} ncc_template_overlap;

/** @param[in,out] out  zero-initialised or used before. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_template_overlap_create(const ncc_prepared *tmpl, double unit, ncc_template_overlap *out);
void ncc_template_overlap_clear(ncc_template_overlap *overlap);

/** Bytes for a template. */
int64_t ncc_template_overlap_bytes(int64_t rows, int64_t cols);

/** The part that overlaps an image at full position (y, x). */
ncc_template_part ncc_template_part_at(int64_t image_rows, int64_t image_cols, int64_t rows, int64_t cols, int64_t y,
                                       int64_t x);

/** Sum of T' over a part. */
double ncc_template_overlap_sum(const ncc_template_overlap *overlap, const ncc_template_part *part);

/** ssd of a part over that of the whole: > 0: known within 1 / `well_above` of itself; 0: the part is flat; < 0:
 *  doubtful, and minus this is a lower bound. Not for empty parts. */
double ncc_template_overlap_ssd(const ncc_template_overlap *overlap, const ncc_template_part *part, double well_above);

/** A lower bound of the same, for any part; 0 for an empty one. */
double ncc_template_overlap_least(const ncc_template_overlap *overlap, const ncc_template_part *part);

/** The code of a product of ssd of a window, in the code of formulas.h, and that of a part. */
static inline double ncc_template_overlap_times(double ssd, double part) {
  if (ssd == 0 || part == 0) return 0;
  if (ssd > 0 && part > 0) return ssd * part;
  const double least = (ssd < 0 ? -ssd : ssd) * (part < 0 ? -part : part);
  return least > 1e-300 ? -least : -1e-300;
}

#endif
