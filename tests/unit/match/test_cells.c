/** Bounds of ssd by cells against direct sums: every block's lower bound, some windows' upper bound and sum, for images
 * of several kinds and types, templates of all sizes modulo a cell, and searches that cut the image. */
#include "match/cells.h"

#include <math.h>
#include <stdint.h>

#include "base/error.h"
#include "check.h"
#include "random.h"

enum { ROWS = 203, COLS = 251 };

static float pixels_f32[ROWS * COLS];
static uint8_t pixels_u8[ROWS * COLS];

/** Noise about an offset, weaker to the right. */
static void make_pixels(double offset) {
  for (int i = 0; i < ROWS * COLS; i++) {
    double v = offset + (uniform() - 0.5) * (i % COLS > COLS / 2 ? 20 : 80);
    pixels_f32[i] = (float)v;
    pixels_u8[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
  }
}

static double value(bool bytes, int64_t y, int64_t x) {
  if (y < 0 || y >= ROWS || x < 0 || x >= COLS) return 0;
  return bytes ? pixels_u8[y * COLS + x] : (double)pixels_f32[y * COLS + x];
}

/** Direct sums in long double over the whole window, zeros outside the image included. */
static double direct_ssd(const ncc_geometry *g, bool bytes, int64_t y, int64_t x) {
  const int64_t m = g->template_rows, n = g->template_cols;
  long double s = 0, q = 0, mean;
  for (int64_t r = y - m + 1; r <= y; r++)
    for (int64_t c = x - n + 1; c <= x; c++) s += value(bytes, r, c);
  mean = s / (long double)(m * n);
  for (int64_t r = y - m + 1; r <= y; r++)
    for (int64_t c = x - n + 1; c <= x; c++) q += (value(bytes, r, c) - mean) * (value(bytes, r, c) - mean);
  return (double)q;
}

/** Checks the corners of every block, where bounds are least far off. */
static void check_block(const ncc_cells *cells, const ncc_stats *stats, bool bytes, int64_t strip, int64_t block) {
  const ncc_geometry *g = &cells->geometry;
  int64_t y0 = stats->y0 + strip * NCC_BLOCK_ROWS, y1 = y0 + NCC_BLOCK_ROWS - 1;
  int64_t x0 = stats->x0 + block * NCC_BLOCK_COLS, x1 = x0 + NCC_BLOCK_COLS - 1;
  if (y0 < g->search.y0) y0 = g->search.y0;
  if (y1 >= g->search.y1) y1 = g->search.y1 - 1;
  if (x0 < g->search.x0) x0 = g->search.x0;
  if (x1 >= g->search.x1) x1 = g->search.x1 - 1;
  const double unit2 = stats->unit * stats->unit;
  const double lower = (double)stats->lower[strip * (stats->stride / NCC_BLOCK_COLS) + block];
  for (int corner = 0; corner < 4; corner++) {
    const int64_t y = corner / 2 ? y1 : y0, x = corner % 2 ? x1 : x0;
    const double ssd = direct_ssd(g, bytes, y, x) * unit2, found = ncc_cells_ssd(cells, y, x);
    CHECK(lower > 0 && lower * lower <= ssd, "(%lld, %lld): lower bound squared %.17g, ssd %.17g", (long long)y,
          (long long)x, lower * lower, ssd);
    CHECK(ncc_cells_upper(cells, y, x) >= ssd, "(%lld, %lld): upper bound %.17g, ssd %.17g", (long long)y, (long long)x,
          ncc_cells_upper(cells, y, x), ssd);
    CHECK(fabs(found - ssd) <= 1e-9 * ssd, "(%lld, %lld): ssd %.17g, expected %.17g", (long long)y, (long long)x, found,
          ssd);
  }
}

/** @return whether bounds serve for this geometry. */
static bool check_geometry(ncc_pool *pool, const ncc_search *search, const ncc_rect *window, bool bytes, int64_t m,
                           int64_t n) {
  const ncc_array array = {bytes ? (void *)pixels_u8 : (void *)pixels_f32, bytes ? NCC_U8 : NCC_F32, ROWS, COLS, COLS};
  ncc_geometry g;
  ncc_prepared image;
  ncc_cells cells = {0};
  ncc_stats stats = {0};
  bool sure = false;
  CHECK(ncc_geometry_create(search, window, ROWS, COLS, m, n, &g) == NCC_OK, "%s", ncc_error_message());
  if (!ncc_cells_serve(&g)) return false;
  CHECK(ncc_prepared_create(pool, &array, false, &image) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_cells_begin(&image, &g, &cells) == NCC_OK, "%s", ncc_error_message());
  for (int64_t row = cells.rows - 1; row >= 0; row--) ncc_cells_add(&cells, row);
  CHECK(ncc_cells_bounds(&cells, pool, &stats, &sure) == NCC_OK, "%s", ncc_error_message());
  CHECK(sure, "%lld x %lld: noise was not found to be well above rounding", (long long)m, (long long)n);
  double least = INFINITY, lower;
  for (int64_t strip = 0; strip < stats.strips; strip++)
    for (int64_t block = 0; block < stats.stride / NCC_BLOCK_COLS; block++) {
      check_block(&cells, &stats, bytes, strip, block);
      lower = (double)stats.lower[strip * (stats.stride / NCC_BLOCK_COLS) + block];
      least = lower < least ? lower : least;
    }
  CHECK(cells.least >= least * least && cells.least <= 1.00001 * least * least, "least %.9g, of lower bounds %.9g",
        cells.least, least * least);
  ncc_cells_clear(&cells);
  ncc_stats_clear(&stats);
  ncc_prepared_clear(&image);
  return true;
}

/** One dead pixel and noise that is far below the rounding of its square: no bound is sure. */
static void check_doubt(ncc_pool *pool) {
  const ncc_array array = {pixels_f32, NCC_F32, ROWS, COLS, COLS};
  const ncc_search half = {.crop_half = true};
  ncc_geometry g;
  ncc_prepared image;
  ncc_cells cells = {0};
  ncc_stats stats = {0};
  bool sure = true;
  make_pixels(0);
  pixels_f32[5 * COLS + 9] = 3e9f;
  CHECK(ncc_geometry_create(&half, NULL, ROWS, COLS, 64, 80, &g) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_prepared_create(pool, &array, false, &image) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_cells_begin(&image, &g, &cells) == NCC_OK, "%s", ncc_error_message());
  for (int64_t row = 0; row < cells.rows; row++) ncc_cells_add(&cells, row);
  CHECK(ncc_cells_bounds(&cells, pool, &stats, &sure) == NCC_OK, "%s", ncc_error_message());
  CHECK(!sure, "bounds next to a hot pixel of 3e9 were taken as sure");
  ncc_cells_clear(&cells);
  ncc_stats_clear(&stats);
  ncc_prepared_clear(&image);
}

int main(void) {
  static const ncc_search searches[] = {
      {.crop_half = true}, {.min_overlap = 1}, {.crop_y = 50, .crop_x = 61}, {.crop_y = 80, .crop_x = 77}, {0}, {0}};
  int served = 0, of = 0;
  ncc_pool *pool;
  CHECK(ncc_pool_create(2, &pool) == NCC_OK, "%s", ncc_error_message());
  for (int which = 0; which < 6; which++)
    for (int i = 0; i < 16; i++) {
      make_pixels(i % 3 == 0 ? 0 : i % 3 == 1 ? 128 : 3000);
      const int64_t m = 64 + 5 * i, n = 128 + 7 * i;
      const ncc_rect window = {m + 10, n + 5, ROWS - 9, COLS - 2};  // the first rows and columns are out of reach
      bool serves = check_geometry(pool, &searches[which], which == 5 ? &window : NULL, i % 3 == 1, m, n);
      CHECK(serves || (which > 1 && which < 5), "%lld x %lld: bounds are not tried", (long long)m, (long long)n);
      served += serves;
      of++;
    }
  check_doubt(pool);
  ncc_pool_destroy(&pool);
  printf("bounds served %d of %d geometries\n", served, of);
  return 0;
}
