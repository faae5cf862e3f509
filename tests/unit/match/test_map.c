/** The float64 map agrees with direct sums in long double at every position, for every kind of image that makes FFTs or
 *  running sums lose digits, and its maximum is the matcher's peak. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "match/map.h"
#include "random.h"

enum { ROWS = 61, COLS = 53, T_ROWS = 17, T_COLS = 14 };

typedef struct pixels {
  const char *name;
  double image[ROWS][COLS], tmpl[T_ROWS][T_COLS];
} pixels;

static void fill(pixels *p, const char *name, double offset, double scale) {
  p->name = name;
  for (int y = 0; y < ROWS; y++)
    for (int x = 0; x < COLS; x++) p->image[y][x] = offset + scale * floor(256 * uniform());
  for (int y = 0; y < T_ROWS; y++)
    for (int x = 0; x < T_COLS; x++) p->tmpl[y][x] = p->image[20 + y][30 + x] + scale * (floor(100 * uniform()) - 50);
}

/** The definition of mpixcorr.h. */
static double direct(const pixels *p, const ncc_search *search, int64_t y, int64_t x) {
  long double w[T_ROWS][T_COLS], sum_w = 0, sum_t = 0;
  bool flat = true;
  for (int i = 0; i < T_ROWS; i++)
    for (int j = 0; j < T_COLS; j++) {
      const int64_t iy = y - T_ROWS + 1 + i, ix = x - T_COLS + 1 + j;
      w[i][j] = iy < 0 || iy >= ROWS || ix < 0 || ix >= COLS ? 0 : p->image[iy][ix];
      flat &= w[i][j] == w[0][0];
      sum_w += w[i][j];
      sum_t += p->tmpl[i][j];
    }
  if (flat) return 0;
  long double n = T_ROWS * T_COLS, num = 0, ssd_w = 0, ssd_t = 0;
  for (int i = 0; i < T_ROWS; i++)
    for (int j = 0; j < T_COLS; j++) {
      const long double dw = w[i][j] - sum_w / n, dt = p->tmpl[i][j] - sum_t / n;
      num += dw * dt;
      ssd_w += dw * dw;
      ssd_t += dt * dt;
    }
  const long double denominator = sqrtl(ssd_w) * sqrtl(ssd_t);
  return search->eps > 0 && denominator <= search->eps ? 0 : (double)(num / denominator);
}

static ncc_pair_pixels pair_of(const pixels *p) {
  return (ncc_pair_pixels){.image = {p->image, NCC_F64, ROWS, COLS, COLS},
                           .tmpl = {p->tmpl, NCC_F64, T_ROWS, T_COLS, T_COLS}};
}

static void check(const pixels *p, const ncc_search *search, const ncc_rect *window, int threads) {
  const ncc_pair_pixels pair = pair_of(p);
  ncc_map map;
  CHECK(ncc_map_create(search, window, &pair, threads, &map) == NCC_OK, "%s: %s", p->name, ncc_error_message());
  double best = -2, worst = 0;
  int64_t best_y = -1, best_x = -1;
  for (int64_t row = 0; row < map.rows; row++)
    for (int64_t col = 0; col < map.cols; col++) {
      const int64_t y = map.geometry.search.y0 + row, x = map.geometry.search.x0 + col;
      const double value = map.values[row * map.cols + col];
      const bool searched =
          (double)ncc_geometry_overlap_px(&map.geometry, y, x) / (T_ROWS * T_COLS) >= search->min_overlap;
      CHECK(searched == !isnan(value), "%s (%lld, %lld)", p->name, (long long)y, (long long)x);
      if (!searched) continue;
      const double truth = direct(p, search, y, x);
      worst = fmax(worst, fabs(value - truth));
      CHECK(fabs(value - truth) <= 1e-9, "%s (%lld, %lld): %.17g, expected %.17g", p->name, (long long)y, (long long)x,
            value, truth);
      if (value > best + 1e-12) best = value, best_y = y, best_x = x;
      double again;
      CHECK(ncc_map_evaluate(search, &pair, 1, 1, &(const int64_t[2]){y, x}, &again) == NCC_OK, "%s",
            ncc_error_message());
      CHECK(fabs(again - value) <= 1e-9, "%s (%lld, %lld): %.17g, the judge has %.17g", p->name, (long long)y,
            (long long)x, value, again);
    }
  printf("%s: within %.1e\n", p->name, worst);
  ncc_matcher *matcher = NULL;
  ncc_result r;
  CHECK(ncc_matcher_create(search, NULL, &matcher) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_matcher_match(matcher, -1, &pair.image, 1, &pair.tmpl, window, &r) == NCC_OK, "%s", ncc_error_message());
  CHECK(r.y == best_y && r.x == best_x, "%s: the map's peak lies at (%lld, %lld), the matcher's at (%lld, %lld)",
        p->name, (long long)best_y, (long long)best_x, (long long)r.y, (long long)r.x);
  ncc_matcher_destroy(&matcher);
  ncc_map_clear(&map);
}

/** Sums over the pixels that are valid in both; NAN where these are fewer than min_overlap of the template's. */
static double direct_masked(const pixels *p, const unsigned char valid[ROWS][COLS],
                            const unsigned char t_valid[T_ROWS][T_COLS], const ncc_search *search, int64_t y,
                            int64_t x) {
  long double n = 0, n_tmpl = 0, sums[5] = {0}; /* w, t, ww, tt, wt, about the middles of their ranges */
  for (int i = 0; i < T_ROWS; i++)
    for (int j = 0; j < T_COLS; j++) {
      const int64_t row = y - (T_ROWS - 1) + i, col = x - (T_COLS - 1) + j;
      n_tmpl += t_valid[i][j];
      if (!t_valid[i][j] || row < 0 || col < 0 || row >= ROWS || col >= COLS || !valid[row][col]) continue;
      const long double w = p->image[row][col], t = p->tmpl[i][j];
      n++, sums[0] += w, sums[1] += t, sums[2] += w * w, sums[3] += t * t, sums[4] += w * t;
    }
  if (n == 0 || n / n_tmpl < search->min_overlap) return NAN;
  const long double ssd_w = sums[2] - sums[0] * sums[0] / n, ssd_t = sums[3] - sums[1] * sums[1] / n;
  return ssd_w <= 0 || ssd_t <= 0 ? 0 : (double)((sums[4] - sums[0] * sums[1] / n) / sqrtl(ssd_w * ssd_t));
}

/** Maps of masked pixels. @param[in] which  1: the image, 2: the template, 3: both */
static void check_masked(const pixels *p, int which, double min_overlap) {
  unsigned char valid[ROWS][COLS], t_valid[T_ROWS][T_COLS];
  const ncc_search search = {.outside = NCC_OUTSIDE_IGNORE, .min_overlap = min_overlap};
  ncc_pair_pixels pair = pair_of(p);
  ncc_map map;
  for (int i = 0; i < ROWS * COLS; i++) valid[i / COLS][i % COLS] = !(which & 1) || i * 7 % 11 > 3;
  for (int i = 0; i < T_ROWS * T_COLS; i++) t_valid[i / T_COLS][i % T_COLS] = !(which & 2) || i * 5 % 7 > 2;
  if (which & 1) pair.image_mask = (ncc_array){valid, NCC_U8, ROWS, COLS, COLS};
  if (which & 2) pair.tmpl_mask = (ncc_array){t_valid, NCC_U8, T_ROWS, T_COLS, T_COLS};
  CHECK(ncc_map_create(&search, NULL, &pair, 1, &map) == NCC_OK, "%s", ncc_error_message());
  CHECK(map.rows == ROWS + T_ROWS - 1 && map.cols == COLS + T_COLS - 1, "masks %d: the shape", which);
  int searched = 0;
  for (int64_t y = 0; y < map.rows; y++)
    for (int64_t x = 0; x < map.cols; x++) {
      const double value = map.values[y * map.cols + x], truth = direct_masked(p, valid, t_valid, &search, y, x);
      CHECK(isnan(value) == isnan(truth) && (isnan(truth) || fabs(value - truth) <= 1e-9),
            "masks %d (%lld, %lld): %.17g, expected %.17g", which, (long long)y, (long long)x, value, truth);
      searched += !isnan(value);
    }
  CHECK(searched > 0 && (min_overlap == 0 || searched < map.rows * map.cols), "masks %d: %d", which, searched);
  ncc_map_clear(&map);
}

int main(void) {
  static pixels p;
  const ncc_search everywhere = {0};
  fill(&p, "grey", 0, 1);
  check(&p, &everywhere, NULL, 2);
  check(&p, &(ncc_search){.crop_y = 5, .crop_x = 9}, &(ncc_rect){10, 20, 44, 61}, 1);
  check(&p, &(ncc_search){.min_overlap = 0.6}, NULL, 1);
  check(&p, &(ncc_search){.eps = 1.9e4}, NULL, 1);
  for (int which = 1; which <= 3; which++) {
    check_masked(&p, which, 0.2);
    check_masked(&p, which, 0.5);
  }
  fill(&p, "large offset", 1e9, 1);
  check(&p, &everywhere, NULL, 1);
  fill(&p, "tiny", 1e-170, 1e-170);
  check(&p, &everywhere, NULL, 1);
  fill(&p, "huge", 0, 1e160);
  check(&p, &everywhere, NULL, 1);
  fill(&p, "hot pixel", 0, 1);
  p.image[7][9] = 1e13;
  check(&p, &everywhere, NULL, 1);
  fill(&p, "black half", 0, 1);
  memset(p.image, 0, sizeof p.image / 2);
  check(&p, &everywhere, NULL, 1);
  fill(&p, "flat template", 0, 1);
  memset(p.tmpl, 0, sizeof p.tmpl);
  ncc_map map;
  const ncc_pair_pixels pair = pair_of(&p);
  CHECK(ncc_map_create(&everywhere, NULL, &pair, 1, &map) == NCC_OK, "%s", ncc_error_message());
  for (int64_t i = 0; i < map.rows * map.cols; i++) CHECK(map.values[i] == 0, "flat template: %g", map.values[i]);
  ncc_map_clear(&map);
  p.image[3][3] = NAN;
  CHECK(ncc_map_create(&everywhere, NULL, &pair, 1, &map) == NCC_ERR_INPUT, "a NaN was not found");
  return 0;
}
