/** A continuous picture that looks like a section of neural tissue in an electron microscope.
 *
 *  Cells with dark membranes, mitochondria with cristae, vesicles, granular cytoplasm and a contrast drift, as a
 * function of real coordinates: it can be sampled on the grid of an image, on one moved by a fraction of a pixel, or on
 * a rotated one. Camera noise and pixel types belong to series.c.
 *
 *  Only integer hashing and the IEEE operations + - * / sqrt are used, none of libm's, and the project is built without
 *  contraction: the same seed gives the same bits on every machine.
 */
#ifndef NCC_SYNTH_SCENE_H
#define NCC_SYNTH_SCENE_H

#include "base/error.h"

/** A counter of random numbers (splitmix64). Copying it copies the sequence. */
typedef struct ncc_random {
  uint64_t state;
} ncc_random;

/** A sequence of its own for every (seed, a, b). */
ncc_random ncc_random_seeded(uint64_t seed, uint64_t a, uint64_t b);

/** The next 64 bits. */
uint64_t ncc_random_bits(ncc_random *random);

/** The next number in [0, 1), a multiple of 2^-24. */
float ncc_random_unit(ncc_random *random);

/** The next whole number in [0, n), n at least 1. */
int64_t ncc_random_below(ncc_random *random, int64_t n);

typedef struct ncc_scene ncc_scene;

/** Invents a scene that covers [0, rows) x [0, cols) and some margin.
 *  @param[in]  scale  size of its features: at 1 a cell is about 100 pixels wide.
 *  @param[out] out    owned by the caller, freed by ncc_scene_destroy(); NULL on failure.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_scene_create(uint64_t seed, int64_t rows, int64_t cols, double scale, ncc_scene **out);

void ncc_scene_destroy(ncc_scene **scene);

/** A grid of sample points: pixel (i, j) lies in the scene at
 *  centre + R (i - (rows - 1) / 2, j - (cols - 1) / 2), R the rotation with the given cosine and sine. */
typedef struct ncc_scene_grid {
  int64_t rows, cols;
  double centre_y, centre_x; /**< pixels of the scene */
  double cosine, sine;       /**< 1 and 0: not rotated */
} ncc_scene_grid;

/** Where pixel (i, j) of a grid lies in the scene. */
void ncc_scene_locate(const ncc_scene_grid *grid, double i, double j, double *y, double *x);

/** Samples the scene.
 *  @param[out] pixels  [grid->rows, grid->cols]; grey levels, 0 black, 255 white, most of them between 30 and 220. */
void ncc_scene_render(const ncc_scene *scene, const ncc_scene_grid *grid, float *pixels);

#endif
