/** Templates lie inside their tile, and inside the other one wherever it really is within the stage error; neighbours
 *  are found as by comparing all with all; corners and overlaps too small are left out.
 */
#include "mosaic/mosaic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define OK(call) CHECK((call) == NCC_OK, "%s", ncc_error_message())

static const ncc_mosaic_options defaults = {.stage_error = -1, .per_edge = NCC_MOSAIC_PER_EDGE};

static void check_inside(const ncc_tile *tiles, const ncc_mosaic *m) {
  for (int64_t i = 0; i < m->n; i++) {
    const int64_t *box = m->boxes[i], *near = m->near[i];
    const ncc_tile *image = &tiles[m->pairs[i][0]], *other = &tiles[box[0]];
    CHECK(m->pairs[i][1] == i && m->pairs[i][0] < box[0], "pair %lld", (long long)i);
    CHECK(box[1] >= 0 && box[2] >= 0 && box[1] + box[3] <= other->rows && box[2] + box[4] <= other->cols,
          "box %lld leaves its tile", (long long)i);
    CHECK(near[0] == llround(other->y - image->y + (double)box[1]) &&
              near[1] == llround(other->x - image->x + (double)box[2]) && (double)near[2] >= m->stage_error &&
              near[2] == near[3],
          "prediction of %lld", (long long)i);
  }
}

/** Two by two tiles of 1000 x 800, overlapping by 100 in x and 80 in y. */
static void check_four(void) {
  const ncc_tile tiles[] = {
      {0, 0, 1000, 800, 0}, {700.2, 3.4, 1000, 800, 0}, {-2.5, 920, 1000, 800, 0}, {701, 922, 1000, 800, 0}};
  ncc_mosaic m;
  OK(ncc_mosaic_plan(4, tiles, &defaults, &m));
  CHECK(m.overlapping == 6 && m.edges == 4 && m.alone == 0 && m.n == 20, "%lld edges, %lld templates",
        (long long)m.edges, (long long)m.n);
  CHECK(m.overlap > 80 && m.overlap < 100 && m.stage_error == floor(m.overlap / 2), "overlap %g", m.overlap);
  check_inside(tiles, &m);
  for (int64_t i = 0; i < m.n; i++) {
    const ncc_tile *image = &tiles[m.pairs[i][0]], *other = &tiles[m.boxes[i][0]];
    const bool side = other->x - image->x > 100;
    const int64_t across = m.boxes[i][side ? 4 : 3], along = m.boxes[i][side ? 3 : 4];
    CHECK(across >= 48 && along <= 512 && (along == (int64_t)(2.5 * (double)across)), "template of %lld x %lld",
          (long long)across, (long long)along);
  }
  ncc_mosaic_clear(&m);
  /* the same with sections: no neighbours between them */
  ncc_tile apart[4];
  memcpy(apart, tiles, sizeof apart);
  apart[2].section = apart[3].section = 7;
  OK(ncc_mosaic_plan(4, apart, &defaults, &m));
  CHECK(m.edges == 2, "%lld edges", (long long)m.edges);
  ncc_mosaic_clear(&m);
}

/** Wherever the second tile really is, as far as the stage error goes, templates are inside the first one. */
static void check_error(void) {
  srand(3);
  for (int trial = 0; trial < 2000; trial++) {
    const ncc_tile tiles[] = {
        {0, 0, 300 + rand() % 900, 300 + rand() % 900, 0},
        {rand() % 1200 - 600 + 0.25 * (rand() % 4), rand() % 1200 - 600, 300 + rand() % 900, 300 + rand() % 900, 0}};
    ncc_mosaic_options options = {.stage_error = rand() % 60, .per_edge = 3 + rand() % 5};
    if (trial % 3 == 0) options.across = 20 + rand() % 80, options.along = 20 + rand() % 200;
    ncc_mosaic m;
    if (ncc_mosaic_plan(2, tiles, &options, &m) != NCC_OK) continue;
    check_inside(tiles, &m);
    for (int64_t i = 0; i < m.n; i++) {
      const int64_t *box = m.boxes[i];
      const bool side = box[4] == m.across[0] && box[3] == m.along[0];
      /* along the edge always; across it where the template is not wider than what is safe */
      for (int axis = 0; axis < 2; axis++) {
        const double at = axis ? tiles[1].x + (double)box[2] : tiles[1].y + (double)box[1];
        const double end = at + (double)(axis ? box[4] : box[3]), size = (double)(axis ? tiles[0].cols : tiles[0].rows);
        const double slack =
            (m.across[0] <= NCC_MOSAIC_SMALLEST || options.across) && axis == (side ? 1 : 0) ? 0 : options.stage_error;
        if (m.across[0] == m.along[0] && slack == options.stage_error) continue; /* which axis is which? */
        CHECK(at - slack >= -1e-9 && end + slack <= size + 1e-9, "trial %d axis %d: %g to %g of %g, error %g", trial,
              axis, at, end, size, options.stage_error);
      }
      for (int64_t k = 0; k < i; k++)
        CHECK(labs(box[1] - m.boxes[k][1]) >= box[3] || labs(box[2] - m.boxes[k][2]) >= box[4],
              "trial %d: templates overlap", trial);
    }
    ncc_mosaic_clear(&m);
  }
}

static void check_neighbours(void) {
  enum { N = 700 };
  static ncc_tile tiles[N];
  srand(4);
  for (int i = 0; i < N; i++)
    tiles[i] =
        (ncc_tile){rand() % 9000 - 4000, rand() % 9000 - 4000, 400 + rand() % 300, 400 + rand() % 300, rand() % 3};
  int64_t overlapping = 0;
  for (int a = 0; a < N; a++)
    for (int b = 0; b < a; b++)
      overlapping += tiles[a].section == tiles[b].section &&
                     fmin(tiles[a].x + (double)tiles[a].cols, tiles[b].x + (double)tiles[b].cols) >=
                         fmax(tiles[a].x, tiles[b].x) + 1 &&
                     fmin(tiles[a].y + (double)tiles[a].rows, tiles[b].y + (double)tiles[b].rows) >=
                         fmax(tiles[a].y, tiles[b].y) + 1;
  ncc_mosaic m;
  OK(ncc_mosaic_plan(N, tiles, &defaults, &m));
  CHECK(m.overlapping == overlapping, "%lld pairs found of %lld", (long long)m.overlapping, (long long)overlapping);
  ncc_mosaic_clear(&m);
}

static void check_none(void) {
  ncc_tile tiles[] = {{0, 0, 500, 500, 0}, {500, 0, 500, 500, 0}};
  ncc_mosaic m;
  CHECK(ncc_mosaic_plan(2, tiles, &defaults, &m) == NCC_ERR_INPUT && strstr(ncc_error_message(), "--pixel-size"),
        "tiles that only touch");
  tiles[1].x = 470;
  CHECK(ncc_mosaic_plan(2, tiles, &defaults, &m) == NCC_ERR_INPUT && strstr(ncc_error_message(), "30 px"), "%s",
        ncc_error_message());
  CHECK(ncc_mosaic_plan(1, tiles, &defaults, &m) == NCC_ERR_INPUT, "one tile");
}

int main(void) {
  check_four();
  check_error();
  check_neighbours();
  check_none();
  return 0;
}
