/** Turned templates: sines and cosines against long double, pixels and masks against the definition written out, with
 *  and without pixels around; and the matcher's choice among angles against one match an angle. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "match/turn.h"
#include "random.h"

enum { SIDE = 48, MOST = 24 };

static void sines(void) {
  const long double pi = 3.14159265358979323846264338327950288L;
  for (int i = 0; i < 200000; i++) {
    const int64_t micro = i < 1000 ? i * (int64_t)720000 : below(1 << 30) % 720000001 - 360000000;
    const long double x = (long double)micro / 180000000 * pi;
    const double s = ncc_turn_of(micro).sin, c = ncc_turn_of(micro).cos;
    // Half a unit of double, and a long double's own error.
    CHECK(fabsl((long double)s - sinl(x)) <= fabsl(sinl(x)) * 0x1p-53L + 0x1p-60L, "sine of %lld", (long long)micro);
    CHECK(fabsl((long double)c - cosl(x)) <= fabsl(cosl(x)) * 0x1p-53L + 0x1p-60L, "cosine of %lld", (long long)micro);
  }
  const int right[4][2] = {{0, 1}, {1, 0}, {0, -1}, {-1, 0}};
  for (int k = -4; k <= 4; k++) {
    const ncc_turn turn = ncc_turn_of(k * (int64_t)90000000);
    CHECK(turn.sin == right[k & 3][0] && turn.cos == right[k & 3][1], "%d right angles", k);
  }
}

/** An image, a template cut from it with what is around, and which pixels are valid. */
typedef struct scene {
  float image[SIDE][SIDE];
  uint8_t valid[SIDE][SIDE];
  int64_t y, x, rows, cols;
  ncc_margins around;
  bool masked, has_mask;
} scene;

static void fill(scene *s) {
  s->rows = 1 + below(MOST);
  s->cols = 2 + below(MOST);
  s->y = below((int)(SIDE - s->rows + 1));
  s->x = below((int)(SIDE - s->cols + 1));
  const bool box = below(2);
  s->around = (ncc_margins){0};
  if (box) s->around = (ncc_margins){s->y, s->x, SIDE - s->y - s->rows, SIDE - s->x - s->cols};
  s->masked = below(2);
  s->has_mask = s->masked && below(3) > 0;
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      s->image[i][j] = (float)(below(1000) + 20 * (i % 7) * (j % 5));
      s->valid[i][j] = below(12) > 0;
    }
}

/** The definition, pixel by pixel. */
static void turn(const scene *s, double sine, double cosine, float mean, float *out, uint8_t *valid) {
  const double cy = (double)(s->rows - 1) / 2, cx = (double)(s->cols - 1) / 2;
  for (int64_t y = 0; y < s->rows; y++)
    for (int64_t x = 0; x < s->cols; x++) {
      const double sy = cy + ((double)y - cy) * cosine + ((double)x - cx) * sine;
      const double sx = cx + ((double)x - cx) * cosine - ((double)y - cy) * sine;
      double part[2] = {0}, v[2] = {0}, fy = sy - floor(sy), fx = sx - floor(sx);
      bool there = true;
      for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
          const int64_t r = (int64_t)floor(sy) + i, c = (int64_t)floor(sx) + j;
          if ((i == 1 && fy == 0) || (j == 1 && fx == 0)) continue;
          const bool inside = r >= -s->around.above && r < s->rows + s->around.below && c >= -s->around.left &&
                              c < s->cols + s->around.right;
          there &= inside && (!s->has_mask || s->valid[s->y + r][s->x + c]);
          v[j] = inside ? (double)s->image[s->y + r][s->x + c] : 0;
        }
        if (i == 0 || fy != 0) part[i] = fx == 0 ? v[0] : v[0] + fx * (v[1] - v[0]);
      }
      out[y * s->cols + x] = !there ? mean : (float)(fy == 0 ? part[0] : part[0] + fy * (part[1] - part[0]));
      valid[y * s->cols + x] = there;
    }
}

static void pixels_of(const scene *s, ncc_array *tmpl, ncc_array *mask) {
  *tmpl = (ncc_array){&s->image[s->y][s->x], NCC_F32, s->rows, s->cols, SIDE};
  *mask = (ncc_array){s->has_mask ? &s->valid[s->y][s->x] : NULL, NCC_U8, s->rows, s->cols, SIDE};
}

static float mean_of(const scene *s) {
  double sum = 0;
  for (int64_t y = 0; y < s->rows; y++)
    for (int64_t x = 0; x < s->cols; x++) sum += (double)s->image[s->y + y][s->x + x];
  return (float)(sum / (double)(s->rows * s->cols));
}

static void pixels(void) {
  float expected[MOST * (MOST + 1)], out[MOST * (MOST + 1)];
  uint8_t valid[MOST * (MOST + 1)], out_valid[MOST * (MOST + 1)];
  ncc_turner turner = {0};
  ncc_pool *pool = NULL;
  CHECK(ncc_pool_create(2, &pool) == NCC_OK, "pool");
  for (int i = 0; i < 400; i++) {
    scene s;
    ncc_array tmpl, mask;
    fill(&s);
    pixels_of(&s, &tmpl, &mask);
    const ncc_turn by = ncc_turn_of(i % 4 ? below(720000000) - 360000000 : (i / 4 % 9 - 4) * 90000000);
    turn(&s, by.sin, by.cos, 5.5F, expected, valid);
    CHECK(ncc_turner_take(&turner, &tmpl, &s.around, s.masked, &mask, 5.5F) == NCC_OK, "%s", ncc_error_message());
    ncc_turner_turn(&turner, pool, &by, out, out_valid);
    const size_t n = (size_t)(s.rows * s.cols);
    CHECK(memcmp(out, expected, n * sizeof *out) == 0 && memcmp(out_valid, valid, n) == 0, "case %d, by %lld", i,
          (long long)by.micro);
    int64_t y, x;
    ncc_turns_margin(llabs(by.micro), s.rows, s.cols, &y, &x);
    for (int64_t p = 0; !s.has_mask && s.around.above >= y && s.around.below >= y && s.around.left >= x &&
                        s.around.right >= x && p < s.rows * s.cols;
         p++)
      CHECK(out_valid[p], "case %d: more is read than the margin", i);
  }
  ncc_turner_clear(&turner);
  ncc_pool_destroy(&pool);
}

static bool same(const ncc_result *a, const ncc_result *b) {
  return a->y == b->y && a->x == b->x && memcmp(&a->peak, &b->peak, sizeof a->peak) == 0 && a->status == b->status &&
         a->at_border == b->at_border && a->second_y == b->second_y && a->second_x == b->second_x &&
         (isnan(a->subpixel_y) ? isnan(b->subpixel_y) : a->subpixel_y == b->subpixel_y);
}

/** Matches at each angle by itself, and chooses. */
static ncc_result best_of(const scene *s, const ncc_search *search, const ncc_config *config, const ncc_array *image,
                          const ncc_array *image_mask) {
  float turned[MOST * (MOST + 1)];
  uint8_t valid[MOST * (MOST + 1)];
  ncc_result results[9], best = {.status = NCC_PAIR_MASKED};
  int64_t angles[9], at = -1;
  int n = 0;
  double greatest = -2;
  ncc_search upright = *search;
  upright.rotate_from = upright.rotate_to = upright.rotate_step = 0;
  ncc_matcher *matcher = NULL;
  CHECK(ncc_matcher_create(&upright, config, &matcher) == NCC_OK, "%s", ncc_error_message());
  for (int64_t micro = search->rotate_from; micro <= search->rotate_to; micro += search->rotate_step, n++) {
    const ncc_turn by = ncc_turn_of(micro);
    turn(s, by.sin, by.cos, mean_of(s), turned, valid);
    const ncc_array tmpl = {turned, NCC_F32, s->rows, s->cols, s->cols},
                    mask = {valid, NCC_U8, s->rows, s->cols, s->cols};
    CHECK(ncc_matcher_match_masked(matcher, 1, image, image_mask, 1, &tmpl, s->masked ? &mask : NULL, NULL,
                                   &results[n]) == NCC_OK,
          "%s", ncc_error_message());
    angles[n] = micro;
    if (results[n].y >= 0) greatest = fmax(greatest, results[n].peak);
    if (results[n].status == NCC_PAIR_OK || best.status == NCC_PAIR_MASKED) best.status = results[n].status;
  }
  ncc_matcher_destroy(&matcher);
  for (int k = 0; k < n; k++)
    if (results[k].y >= 0 && results[k].peak >= greatest - 1e-12 &&
        (at < 0 || llabs(angles[k]) < llabs(angles[at]) || angles[k] == -llabs(angles[at])))
      at = k;
  if (at < 0) return results[0];
  const uint8_t status = best.status;
  best = results[at];
  best.status = status;
  best.angle = ncc_turn_degrees(angles[at]);
  return best;
}

static void choices(void) {
  int settled = 0;
  for (int i = 0; i < 120; i++) {
    scene s;
    ncc_array tmpl, mask;
    fill(&s);
    pixels_of(&s, &tmpl, &mask);
    const int64_t step = 1 + below(20000000), count = 1 + below(6);
    ncc_search search = {.rotate_from = below(9) * -1000000,
                         .rotate_step = step,
                         .quality = i % 2,
                         .outside = s.masked ? NCC_OUTSIDE_IGNORE : NCC_OUTSIDE_ZERO,
                         .min_overlap = below(3) / 3.0};
    search.rotate_to = search.rotate_from + count * step;
    const ncc_config config = {.engine = i % 5 ? ncc_engine_cpu() : ncc_engine_reference(),
                               .threads = 1 + i % 2,
                               .fft_effort = NCC_FFT_ESTIMATE};
    const ncc_array image = {s.image, NCC_F32, SIDE, SIDE, SIDE}, image_mask = {s.valid, NCC_U8, SIDE, SIDE, SIDE};
    const ncc_array *of_image = s.masked && i % 3 ? &image_mask : NULL;
    const ncc_result expected = best_of(&s, &search, &config, &image, of_image);
    ncc_result result;
    ncc_matcher *matcher = NULL;
    const ncc_group group = {-1,        &image, of_image, 1,    &tmpl, s.masked ? &mask : NULL,
                             &s.around, NULL,   &result,  NULL, NULL};
    CHECK(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
    CHECK(ncc_matcher_match_groups(matcher, 1, &group) == NCC_OK, "%s", ncc_error_message());
    CHECK(ncc_matcher_counters(matcher)->pairs == 1, "one pair is counted once");
    ncc_matcher_destroy(&matcher);
    CHECK(same(&result, &expected) && (result.y < 0 ? isnan(result.angle) : result.angle == expected.angle),
          "case %d: (%lld, %lld) %.17g at %g, status %d, expected (%lld, %lld) %.17g at %g, status %d", i,
          (long long)result.y, (long long)result.x, result.peak, result.angle, result.status, (long long)expected.y,
          (long long)expected.x, expected.peak, expected.angle, expected.status);
    settled += result.status == NCC_PAIR_OK;
  }
  CHECK(settled > 60, "%d pairs with a peak", settled);
}

/** A lone pair's angles are done side by side by threads that each prepare the image, with the same answer. */
static void shared_by_threads(void) {
  enum { BIG = 160, CUT = 48 };
  static float pixels[BIG * BIG];
  for (int i = 0; i < BIG * BIG; i++) pixels[i] = (float)(below(1000) + 40 * (i / 3 % 11));
  const ncc_array image = {pixels, NCC_F32, BIG, BIG, BIG}, tmpl = {pixels + 50 * BIG + 60, NCC_F32, CUT, CUT, BIG};
  const ncc_search search = {.rotate_from = -90000000, .rotate_to = 90000000, .rotate_step = 1000000};
  ncc_result alone, result;
  int64_t images = 0;
  for (int threads = 1; threads <= 2; threads++) {
    const ncc_config config = {.threads = threads, .fft_effort = NCC_FFT_ESTIMATE};
    ncc_matcher *matcher = NULL;
    CHECK(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
    // A thread that is long in waking may find all done.
    for (int tries = 0; tries < 200 && images < threads; tries++) {
      const int64_t before = ncc_matcher_counters(matcher)->images;
      CHECK(ncc_matcher_match(matcher, tries, &image, 1, &tmpl, NULL, &result) == NCC_OK, "%s", ncc_error_message());
      images = ncc_matcher_counters(matcher)->images - before;
      if (threads == 1) alone = result;
      CHECK(same(&result, &alone) && result.angle == 0 && result.peak > 1 - 1e-12, "%d threads: %.17g at %g", threads,
            result.peak, result.angle);
      CHECK(ncc_matcher_counters(matcher)->pairs == tries + 1, "one pair is counted once");
    }
    CHECK(images == threads, "%d threads: %lld images prepared", threads, (long long)images);
    ncc_matcher_destroy(&matcher);
  }
}

static void refused(void) {
  const ncc_search bad[] = {{.rotate_step = -1},
                            {.rotate_to = 5, .rotate_step = 2},
                            {.rotate_from = 1},
                            {.rotate_from = 2, .rotate_to = 1, .rotate_step = 1},
                            {.rotate_to = 360000001, .rotate_step = 1},
                            {.rotate_to = 100000, .rotate_step = 1}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ncc_matcher *matcher = NULL;
    CHECK(ncc_matcher_create(&bad[i], NULL, &matcher) == NCC_ERR_USAGE, "rotation %zu is refused", i);
  }
  const ncc_search search = {.rotate_to = 1000000, .rotate_step = 1000000};
  const float pixels[9] = {1, 2, 3};
  const ncc_array image = {pixels, NCC_F32, 3, 3, 3}, tmpl = {pixels, NCC_F32, 2, 2, 3};
  const ncc_margins negative = {.left = -1}, wide = {.right = 2};
  ncc_result result;
  ncc_matcher *matcher = NULL;
  CHECK(ncc_matcher_create(&search, NULL, &matcher) == NCC_OK, "%s", ncc_error_message());
  for (int i = 0; i < 2; i++) {
    const ncc_group group = {-1, &image, NULL, 1, &tmpl, NULL, i ? &wide : &negative, NULL, &result, NULL, NULL};
    CHECK(ncc_matcher_match_groups(matcher, 1, &group) == NCC_ERR_USAGE, "margins are checked");
  }
  ncc_matcher_destroy(&matcher);
}

int main(void) {
  sines();
  pixels();
  choices();
  shared_by_threads();
  refused();
  return 0;
}
