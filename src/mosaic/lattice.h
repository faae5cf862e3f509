/** Points on a regular grid, perhaps with holes, and predictions made of what was measured there. */
#ifndef NCC_LATTICE_H
#define NCC_LATTICE_H

#include "mpixcorr.h"

/** A regular grid, (y, x). */
typedef struct ncc_lattice {
  int64_t n[2];
  double origin[2], step[2]; /**< step 1 where n is 1 */
} ncc_lattice;

/** The widest grid that holds all points. Positions are multiples of half a pixel.
 *  @return NCC_OK; NCC_ERR_INPUT where they lie on none: it would have far more places than there are points. */
ncc_status ncc_lattice_find(int64_t n, const double (*at)[2], ncc_lattice *out);

/** The place of a point in [n[0]][n[1]]. */
int64_t ncc_lattice_place(const ncc_lattice *lattice, const double at[2]);

/** A field of displacements without holes. */
typedef struct ncc_prior {
  ncc_lattice lattice;
  double (*moved)[2]; /**< [n[0]][n[1]] (y, x); owned */
} ncc_prior;

/** Makes a field of measured displacements: what differs from the median of the 3 x 3 around it by more than
 *  `tolerance` gives way to that median, and holes are filled from their neighbours.
 *  @param[in] counts  [n] 0: not known.
 *  @return NCC_OK; NCC_ERR_INPUT where points lie on no grid, or none counts; NCC_ERR_NOMEM. */
ncc_status ncc_prior_create(int64_t n, const double (*at)[2], const double (*moved)[2], const uint8_t *counts,
                            double tolerance, ncc_prior *out);
void ncc_prior_clear(ncc_prior *prior);

/** The displacement at any place: linear between the points of the grid, and beyond them. */
void ncc_prior_at(const ncc_prior *prior, const double at[2], double moved[2]);

#endif
