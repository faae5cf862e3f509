/** Sizes beyond an engine's blocks, tiles and lists, chosen so that direct sums can still follow. */
#include "conformance.h"

static void long_and_thin(void) {
  static const int64_t sizes[][4] = {{2, 3000, 1, 5},    {3000, 2, 7, 1},    {5, 2300, 3, 1100}, {2300, 5, 1100, 2},
                                     {1, 5000, 1, 2500}, {1030, 9, 1028, 3}, {9, 2050, 2, 31},   {4100, 3, 2, 3}};
  ncc_search searches[] = {{.quality = true}, {.normalize = true, .min_overlap = 0.5}, {.crop_half = true}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
    const int64_t *s = sizes[i];
    conf_image image = conf_image_noise(s[0], s[1], i % 2 ? NCC_U8 : NCC_F32, 100, 30);
    conf_image tmpl = conf_image_cut(&image, s[0] - s[2], (s[1] - s[3]) / 2, s[2], s[3]);
    for (int64_t k = 0; k < s[2] * s[3]; ++k) tmpl.truth[k] += 20 * conf_normal();
    conf_store(&tmpl);
    for (int k = 0; k < 3; ++k) {
      conf_label("%lldx%lld / %lldx%lld search %d", (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[3],
                 k);
      conf_check(&searches[k], &image, &tmpl, NULL);
    }
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

/** Pictures with structure, larger than a few blocks. */
static conf_image picture(int kind, ncc_dtype dtype, int64_t rows, int64_t cols) {
  conf_image image = conf_image_create(rows, cols, dtype);
  for (int64_t i = 0; i < rows * cols; ++i) {
    int64_t y = i / cols, x = i % cols;
    double noise = conf_normal(), wave = sin(0.21 * (double)y) + cos(0.13 * (double)x);
    if (kind == 0) image.truth[i] = 128 + 25 * wave + 12 * noise;
    if (kind == 1) image.truth[i] = y < 30 || x > cols - 25 ? 0 : x < 60 ? 200 : 200 + 10 * noise;
    if (kind == 2) image.truth[i] = 10000 + wave + 0.2 * noise;
    if (kind == 3) image.truth[i] = (y / 8 + x / 16) % 2 ? 40 : 90;
    if (kind == 5) image.truth[i] = 128 + (x < 25 ? 40 : 10) * noise;
    if (kind == 4) image.truth[i] = y == 70 && x == 80 ? 60000 : noise > 2.5 ? 101 : 100;
  }
  conf_store(&image);
  return image;
}

static void structured_pictures(void) {
  static const ncc_dtype dtypes[] = {NCC_U16, NCC_F32, NCC_F64, NCC_I32};
  ncc_search searches[] = {{.quality = true}, {.normalize = true}, {.min_overlap = 1}};
  for (int kind = 0; kind < 5; ++kind) {
    for (int k = 0; k < 3; ++k) {
      ncc_dtype dtype = dtypes[(kind + k) % 4];
      conf_label("kind %d %s search %d", kind, ncc_dtype_name(dtype), k);
      conf_image image = picture(kind, dtype, 131, 117), tmpl = conf_image_cut(&image, 60, 50, 37, 29);
      for (int64_t i = 0; i < 37 * 29; ++i) tmpl.truth[i] += conf_integer(-3, 3);
      conf_store(&tmpl);
      conf_check(&searches[k], &image, &tmpl, NULL);
      conf_image_free(&image);
      conf_image_free(&tmpl);
    }
  }
}

static void many_thousands_of_ties_below_one(void) {
  // Random bits against three or four different weights: only a few values occur, the best of them below 1.
  static const double weights[] = {1, 2, 4, 9};
  static const int64_t shapes[][2] = {{1, 3}, {3, 1}, {2, 2}};
  for (int wide = 0; wide < 3; ++wide) {
    ncc_dtype dtype = wide == 0 ? NCC_U8 : wide == 1 ? NCC_F32 : NCC_F64;
    conf_image image = conf_image_create(700, 800, dtype);
    for (int64_t i = 0; i < 700 * 800; ++i) image.truth[i] = (conf_random() & 1) != 0 ? 0.7 * 90 : 21;
    conf_store(&image);
    for (int s = 0; s < 3; ++s) {
      conf_label("%s %lldx%lld", ncc_dtype_name(dtype), (long long)shapes[s][0], (long long)shapes[s][1]);
      conf_image tmpl = conf_image_create(shapes[s][0], shapes[s][1], NCC_U8);
      for (int64_t i = 0; i < tmpl.rows * tmpl.cols; ++i) tmpl.truth[i] = weights[i];
      conf_store(&tmpl);
      ncc_search valid = {.min_overlap = 1};
      ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
      CONF_EXPECT(r.status == NCC_PAIR_OK && r.peak < 0.99 && r.y < shapes[s][0] + 2, "status %d (%lld, %lld) %.17g",
                  r.status, (long long)r.y, (long long)r.x, r.peak);
      conf_check(NULL, &image, &tmpl, NULL);
      conf_image_free(&tmpl);
    }
    conf_image_free(&image);
  }
}

static void a_late_winner_among_near_ties(void) {
  // A stripe pattern matches everywhere equally, and better by little in one late place; all in float64.
  static const double advantages[] = {1e-3, 1e-6, 1e-9, 1e-11, 1e-13};
  for (size_t k = 0; k < sizeof advantages / sizeof advantages[0]; ++k) {
    conf_label("better by about %g", advantages[k]);
    conf_image image = conf_image_create(300, 260, NCC_F64), tmpl = conf_image_create(4, 7, NCC_F64);
    for (int64_t i = 0; i < 300 * 260; ++i) image.truth[i] = (double)((i % 260) % 7) + 0.5 * (double)((i / 260) % 4);
    for (int64_t i = 0; i < 28; ++i) tmpl.truth[i] = (double)(i % 7) + 0.5 * (double)(i / 7) + (i == 16 ? 2.5 : 0);
    // The pixel on the template's odd one, at (281 + 2, 203 + 2), rises towards it.
    image.truth[282 * 260 + 205] += 50 * advantages[k];
    conf_store(&image);
    conf_store(&tmpl);
    ncc_search valid = {.min_overlap = 1};
    ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
    CONF_EXPECT(advantages[k] < 1e-12 ? r.y < 10 : r.y > 250, "(%lld, %lld) %.17g", (long long)r.y, (long long)r.x,
                r.peak);
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

/** Kinds of picture(), one after the other on one matcher, each with one template: engines that then do less than for
 *  many, and give that up where it does not serve, must answer as before. */
static void one_template_an_image(void) {
  static const int kinds[] = {0, 2, 3, 1, 0, 4, 0, 0};
  enum { COUNT = sizeof kinds / sizeof kinds[0] };
  const ncc_search searches[] = {
      {.crop_half = true, .quality = true},
      {.crop_half = true, .normalize = true, .eps = 1e-7},
      {.crop_half = true, .eps = 1.8e6}};  // zeroes most of kind 5, where its templates are from
  for (int k = 0; k < 2; ++k) {
    const ncc_config config = {.engine = conf_engine, .threads = 1 + k % 2};
    ncc_matcher *matcher = NULL;
    CONF_EXPECT(ncc_matcher_create(&searches[k], &config, &matcher) == NCC_OK, "no matcher");
    for (int i = 0; i < COUNT && matcher; ++i) {
      const int64_t m = 48 + i / 2, n = 80 + i / 2;
      conf_label("picture %d of kind %d, search %d, template %lldx%lld", i, kinds[i], k, (long long)m, (long long)n);
      conf_image image = picture(kinds[i], i % 2 ? NCC_U16 : NCC_F32, 110 + i, 131);
      conf_image tmpl = conf_image_cut(&image, 20 + i, 30, m, n);
      for (int64_t j = 0; j < m * n; ++j) tmpl.truth[j] += 20 * conf_normal();
      conf_store(&tmpl);
      for (int turn = 0; turn < (i == 4 ? 2 : 1); ++turn) {  // the fifth is asked for again
        ncc_result r;
        CONF_EXPECT(ncc_matcher_match(matcher, i, &image.array, 1, &tmpl.array, NULL, &r) == NCC_OK, "no match");
        conf_compare(&searches[k], &image, &tmpl, NULL, &r);
      }
      conf_image_free(&image);
      conf_image_free(&tmpl);
    }
    ncc_matcher_destroy(&matcher);
  }
}

/** The template fits best where the image is so weak that --eps zeroes it: the answer is elsewhere. */
static void the_best_place_is_zeroed(void) {
  const ncc_search search = {.crop_half = true, .eps = 1.5e6};
  conf_image image = picture(5, NCC_F32, 120, 151), tmpl = conf_image_cut(&image, 40, 60, 48, 80);
  for (int64_t j = 0; j < 48 * 80; ++j) tmpl.truth[j] += 20 * conf_normal();
  conf_store(&tmpl);
  ncc_result r = conf_check(&search, &image, &tmpl, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_OK && r.peak < 0.3, "status %d (%lld, %lld) %g", r.status, (long long)r.y,
              (long long)r.x, r.peak);
  conf_image_free(&image);
  conf_image_free(&tmpl);
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(long_and_thin),
                                    CONF_TEST(structured_pictures),
                                    CONF_TEST(many_thousands_of_ties_below_one),
                                    CONF_TEST(a_late_winner_among_near_ties),
                                    CONF_TEST(one_template_an_image),
                                    CONF_TEST(the_best_place_is_zeroed)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
