/** Patches lie regularly in the middle of their image and are sought where they are expected; fields of predictions are
 *  exact on planes, heal holes and what stands out; averages are those of the pixels.
 */
#include "mosaic/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define OK(call) CHECK((call) == NCC_OK, "%s", ncc_error_message())

static void check_patches(void) {
  const ncc_grid_spec spec = {.patch = {30, 40}, .step = {10, 20}, .radius = 7, .bin = 1};
  const ncc_grid_pair pair = {
      .image = 4, .other = 9, .image_shape = {300, 300}, .other_shape = {106, 200}, .moved = {50.4, -12.6}};
  ncc_grid grid = {0};
  OK(ncc_grid_add(&grid, &spec, &pair));
  /* 8 x 9 places; the columns from 0 on are expected at -13, and with the radius end at -6: left out */
  CHECK(grid.n == 8 * 8 && grid.outside == 8, "%lld patches, %lld outside", (long long)grid.n, (long long)grid.outside);
  for (int64_t i = 0; i < grid.n; i++) {
    const int64_t *box = grid.boxes[i], *near = grid.near[i];
    CHECK(box[0] == 9 && box[1] == 3 + 10 * (i / 8) && box[2] == 20 * (i % 8 + 1) && box[3] == 30 && box[4] == 40,
          "box %lld", (long long)i);
    CHECK(grid.pairs[i][0] == 4 && grid.pairs[i][1] == i && near[0] == box[1] + 50 && near[1] == box[2] - 13 &&
              near[2] == 7 && near[3] == 7,
          "prediction %lld", (long long)i);
  }
  const ncc_grid_pair small = {.image_shape = {300, 300}, .other_shape = {29, 200}};
  OK(ncc_grid_add(&grid, &spec, &small));
  CHECK(grid.n == 64, "an image smaller than a patch");
  ncc_grid_clear(&grid);
}

enum { NY = 9, NX = 7, N = NY * NX };

static void check_prior(void) {
  static double at[N][2], moved[N][2];
  static uint8_t counts[N];
  ncc_prior prior;
  for (int i = 0; i < N; i++) {
    at[i][0] = 100.5 + 40 * (i / NX);
    at[i][1] = 20 + 60 * (i % NX);
    moved[i][0] = 5 + 0.01 * at[i][0] - 0.02 * at[i][1];
    moved[i][1] = -9 + 0.03 * at[i][0];
    counts[i] = 1;
  }
  double exact[N][2];
  memcpy(exact, moved, sizeof exact);
  counts[24] = 0; /* a hole, and two that stand out, all in the middle of known ones */
  moved[24][0] = NAN;
  moved[12][0] += 80;
  moved[45][1] -= 60;
  OK(ncc_prior_create(N, (const double(*)[2])at, (const double(*)[2])moved, counts, 6, &prior));
  CHECK(prior.lattice.n[0] == NY && prior.lattice.n[1] == NX && prior.lattice.step[0] == 40, "lattice");
  for (int i = 0; i < N; i++) {
    double found[2];
    ncc_prior_at(&prior, at[i], found);
    const double slack = i == 24 ? 1.3 : i == 12 || i == 45 ? 1.3 : 1e-9; /* a median of neighbours */
    CHECK(fabs(found[0] - exact[i][0]) <= slack && fabs(found[1] - exact[i][1]) <= slack, "place %d: %g, %g", i,
          found[0] - exact[i][0], found[1] - exact[i][1]);
  }
  /* linear between the points, and beyond them */
  const double places[][2] = {{130, 50}, {90, 0}, {460, 400}, {100.5, 20}};
  for (int i = 0; i < 4; i++) {
    double found[2];
    ncc_prior_at(&prior, places[i], found);
    CHECK(fabs(found[0] - (5 + 0.01 * places[i][0] - 0.02 * places[i][1])) < 1e-9 &&
              fabs(found[1] - (-9 + 0.03 * places[i][0])) < 1e-9,
          "between and beyond: %d", i);
  }
  ncc_prior_clear(&prior);
  /* one point alone is a constant; none is an error */
  OK(ncc_prior_create(1, (const double(*)[2])at, (const double(*)[2])exact, counts, 6, &prior));
  double found[2];
  ncc_prior_at(&prior, places[2], found);
  CHECK(found[0] == exact[0][0] && found[1] == exact[0][1], "one point");
  ncc_prior_clear(&prior);
  memset(counts, 0, sizeof counts);
  CHECK(ncc_prior_create(N, (const double(*)[2])at, (const double(*)[2])exact, counts, 6, &prior) == NCC_ERR_INPUT,
        "none counts");
}

static void check_lattice(void) {
  ncc_lattice lattice;
  const double holes[][2] = {{0.5, 3}, {0.5, 11}, {12.5, 7}};
  OK(ncc_lattice_find(3, holes, &lattice));
  CHECK(lattice.n[0] == 2 && lattice.n[1] == 3 && lattice.step[1] == 4 && ncc_lattice_place(&lattice, holes[2]) == 4,
        "holes");
  OK(ncc_lattice_find(0, holes, &lattice));
  CHECK(lattice.n[0] == 0, "nothing");
  static double any[200][2];
  srand(1);
  for (int i = 0; i < 200; i++) any[i][0] = rand() % 5000, any[i][1] = rand() % 5000;
  CHECK(ncc_lattice_find(200, (const double(*)[2])any, &lattice) == NCC_ERR_INPUT, "no grid");
}

static void check_bin(void) {
  const uint8_t in[4][5] = {{1, 2, 255, 255, 9}, {3, 4, 255, 254, 9}, {0, 0, 7, 8, 9}, {0, 1, 9, 10, 9}};
  uint8_t out[2][2];
  const ncc_array from = {in, NCC_U8, 4, 5, 5}, to = {out, NCC_U8, 2, 2, 2};
  ncc_bin_pixels(&from, 2, &to);
  CHECK(out[0][0] == 2 && out[0][1] == 255 && out[1][0] == 0 && out[1][1] == 8, "rounded to the nearest, ties to even");
  const float real[2][2] = {{1, 2}, {3, 5}};
  float mean;
  ncc_bin_pixels(&(ncc_array){real, NCC_F32, 2, 2, 2}, 2, &(ncc_array){&mean, NCC_F32, 1, 1, 1});
  CHECK(mean == 2.75F, "%g", (double)mean);
  CHECK(ncc_bin_dtype(NCC_F16) == NCC_F32 && ncc_bin_dtype(NCC_U16) == NCC_U16, "types");
}

int main(void) {
  check_patches();
  check_lattice();
  check_prior();
  check_bin();
  return 0;
}
