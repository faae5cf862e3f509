/** What must hold of any NCC, whatever computes it: invariances, perfect matches, degenerate shapes. */
#include "conformance.h"

/** The peak is where the template was cut, and is 1. */
static void expect_at(const ncc_result *r, int64_t y, int64_t x) {
  CONF_EXPECT(r->status == NCC_PAIR_OK && r->y == y && r->x == x && r->peak >= 1 - CONF_TOLERANCE,
              "status %d (%lld, %lld) %.17g, expected a 1 at (%lld, %lld)", r->status, (long long)r->y, (long long)r->x,
              r->peak, (long long)y, (long long)x);
}

static void self_match_is_one(void) {
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; ++dtype) {
    conf_label("%s", ncc_dtype_name((ncc_dtype)dtype));
    conf_image image = conf_image_noise(61, 48, (ncc_dtype)dtype, 50, 20);
    conf_image cut = conf_image_cut(&image, 17, 5, 23, 30);
    ncc_result r = conf_check(NULL, &image, &cut, NULL);
    expect_at(&r, 17 + 22, 5 + 29);
    r = conf_check(NULL, &image, &image, NULL);
    expect_at(&r, 60, 47);
    conf_image_free(&cut);
    conf_image_free(&image);
  }
}

static void realistic_size_finds_the_cut(void) {
  if (conf_is_reference) return;
  conf_image image = conf_image_noise(681, 782, NCC_U8, 128, 30);
  conf_image cut = conf_image_cut(&image, 301, 77, 340, 391);
  ncc_result r = conf_match(conf_engine, 2, NULL, &image, &cut, NULL);
  expect_at(&r, 301 + 339, 77 + 390);
  // With noise the peak is below 1, and still the NCC there.
  for (int64_t i = 0; i < cut.rows * cut.cols; ++i) cut.truth[i] = 0.3 * cut.truth[i] + 60 + 20 * conf_normal();
  conf_store(&cut);
  r = conf_match(conf_engine, 2, NULL, &image, &cut, NULL);
  double value = conf_value_at(NULL, &image, &cut, 640, 467, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_OK && r.y == 640 && r.x == 467 && fabs(r.peak - value) <= CONF_TOLERANCE,
              "(%lld, %lld) %.17g, expected %.17g", (long long)r.y, (long long)r.x, r.peak, value);
  conf_image_free(&cut);
  conf_image_free(&image);
}

static void template_gain_and_offset_change_nothing(void) {
  static const double gains[] = {2, 1000, 0.125, 3.7, 1e-5}, offsets[] = {5, -1000, 0, 1.1, 100};
  conf_image image = conf_image_noise(40, 50, NCC_F64, 3, 1);
  conf_image tmpl = conf_image_cut(&image, 8, 20, 11, 13);
  for (int64_t i = 0; i < tmpl.rows * tmpl.cols; ++i) tmpl.truth[i] += conf_normal();
  conf_store(&tmpl);
  ncc_result plain = conf_check(NULL, &image, &tmpl, NULL);
  for (size_t i = 0; i < sizeof gains / sizeof gains[0]; ++i) {
    conf_label("gain %g offset %g", gains[i], offsets[i]);
    conf_image changed = conf_image_convert(&tmpl, NCC_F64);
    conf_image_scale(&changed, gains[i], offsets[i]);
    ncc_result r = conf_check(NULL, &image, &changed, NULL);
    // Rounding the changed pixels moves the NCC itself: up to 1e-16 * 100 / 1e-5 of a deviation.
    CONF_EXPECT(r.y == plain.y && r.x == plain.x && fabs(r.peak - plain.peak) <= 1e-9, "%.17g, was %.17g", r.peak,
                plain.peak);
    conf_image_free(&changed);
  }
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void image_gain_and_offset_change_nothing_in_valid_mode(void) {
  ncc_search valid = {.min_overlap = 1};
  conf_image image = conf_image_noise(40, 50, NCC_U16, 500, 100);
  conf_image tmpl = conf_image_noise(11, 13, NCC_U16, 500, 100);
  ncc_result plain = conf_check(&valid, &image, &tmpl, NULL);
  conf_image_scale(&image, 7, 2000);
  ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
  CONF_EXPECT(r.y == plain.y && r.x == plain.x && fabs(r.peak - plain.peak) <= CONF_TOLERANCE, "%.17g, was %.17g",
              r.peak, plain.peak);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void negated_template_negates_values(void) {
  // The maximum of the one map is minus the minimum of the other: both are checked against direct sums.
  conf_image image = conf_image_noise(30, 31, NCC_F32, 0, 1);
  conf_image tmpl = conf_image_cut(&image, 10, 10, 9, 8);
  conf_image_scale(&tmpl, -1, 0);
  ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
  CONF_EXPECT(r.y != 18 || r.x != 17, "the worst position is called the best");
  CONF_EXPECT(conf_value_at(NULL, &image, &tmpl, 18, 17, NULL) < -1 + CONF_TOLERANCE, "self-match of a negative");
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void shifted_content_shifts_the_peak(void) {
  conf_image block = conf_image_noise(20, 20, NCC_F32, 4, 1), tmpl = conf_image_cut(&block, 3, 4, 9, 10);
  for (int64_t i = 0; i < 90; ++i) tmpl.truth[i] += 0.5 * conf_normal();
  conf_store(&tmpl);
  ncc_result first = {0};
  static const int64_t shifts[][2] = {{0, 0}, {1, 0}, {0, 1}, {13, 29}, {30, 30}};
  for (size_t k = 0; k < sizeof shifts / sizeof shifts[0]; ++k) {
    conf_image image = conf_image_create(50, 50, NCC_F32);
    for (int64_t i = 0; i < 400; ++i) {
      image.truth[(shifts[k][0] + i / 20) * 50 + shifts[k][1] + i % 20] = block.truth[i];
    }
    conf_store(&image);
    ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
    if (k == 0) first = r;
    CONF_EXPECT(
        r.y - first.y == shifts[k][0] && r.x - first.x == shifts[k][1] && fabs(r.peak - first.peak) <= CONF_TOLERANCE,
        "(%lld, %lld) %.17g", (long long)r.y, (long long)r.x, r.peak);
    conf_image_free(&image);
  }
  conf_image_free(&tmpl);
  conf_image_free(&block);
}

static void expect_flat(const ncc_result *r, int64_t y, int64_t x) {
  CONF_EXPECT(r->status == NCC_PAIR_FLAT && r->y == y && r->x == x && r->peak == 0,
              "status %d (%lld, %lld) %.17g, expected flat at (%lld, %lld)", r->status, (long long)r->y,
              (long long)r->x, r->peak, (long long)y, (long long)x);
}

static void flat_templates_and_windows(void) {
  ncc_search valid = {.min_overlap = 1};
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; ++dtype) {
    conf_label("%s", ncc_dtype_name((ncc_dtype)dtype));
    conf_image noise = conf_image_noise(20, 24, (ncc_dtype)dtype, 60, 20);
    conf_image zeros = conf_image_create(20, 24, (ncc_dtype)dtype);
    conf_image sevens = conf_image_convert(&zeros, (ncc_dtype)dtype), tmpl = conf_image_cut(&noise, 2, 2, 5, 6);
    conf_image flat = conf_image_cut(&zeros, 0, 0, 5, 6);
    conf_image_scale(&sevens, 1, 7.1);
    ncc_result r = conf_check(NULL, &noise, &flat, NULL);
    expect_flat(&r, 0, 0);
    conf_image_scale(&flat, 1, 7.1);
    r = conf_check(NULL, &noise, &flat, NULL);
    expect_flat(&r, 0, 0);
    r = conf_check(NULL, &zeros, &tmpl, NULL);
    expect_flat(&r, 0, 0);
    r = conf_check(&valid, &sevens, &tmpl, NULL);
    expect_flat(&r, 4, 5);
    // Overhanging windows of a constant image hold two values: not flat.
    r = conf_check(NULL, &sevens, &tmpl, NULL);
    CONF_EXPECT(r.status == NCC_PAIR_OK && r.peak > 0, "overhang: status %d peak %g", r.status, r.peak);
    conf_image_free(&noise);
    conf_image_free(&zeros);
    conf_image_free(&sevens);
    conf_image_free(&tmpl);
    conf_image_free(&flat);
  }
}

static void one_pixel_template_is_flat(void) {
  conf_image image = conf_image_noise(9, 8, NCC_F32, 0, 1), one = conf_image_noise(1, 1, NCC_F32, 5, 1);
  ncc_result r = conf_check(NULL, &image, &one, NULL);
  expect_flat(&r, 0, 0);
  r = conf_check(NULL, &one, &one, NULL);
  expect_flat(&r, 0, 0);
  conf_image_free(&one);
  conf_image_free(&image);
}

static void two_pixel_template_has_many_exact_ties(void) {
  // Every window of two different pixels correlates with 1 or -1: hundreds of thousands of ties, the first one wins.
  conf_image image = conf_image_create(681, 782, NCC_U8), tmpl = conf_image_create(1, 2, NCC_U8);
  for (int64_t i = 0; i < 681 * 782; ++i) image.truth[i] = (double)conf_integer(0, 255);
  image.truth[0] = 0;  // the first window is (0, 0): flat
  image.truth[1] = 9;
  image.truth[2] = 3;
  image.truth[3] = 200;
  conf_store(&image);
  tmpl.truth[0] = 10;
  tmpl.truth[1] = 11;
  conf_store(&tmpl);
  int64_t ties = 0;
  for (int64_t y = 0; y < 681; ++y) {
    for (int64_t x = 0; x < 783; ++x) {
      double left = x > 0 ? image.truth[y * 782 + x - 1] : 0, right = x < 782 ? image.truth[y * 782 + x] : 0;
      ties += right > left;
    }
  }
  CONF_EXPECT(ties > 260000, "only %lld ties", (long long)ties);
  ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
  expect_at(&r, 0, 1);
  image.truth[1] = 0;
  image.truth[2] = 0;
  conf_store(&image);
  r = conf_check(NULL, &image, &tmpl, NULL);
  expect_at(&r, 0, 3);
  // The other way round: the first falling edge.
  tmpl.truth[0] = 12;
  conf_store(&tmpl);
  r = conf_check(NULL, &image, &tmpl, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_OK && r.peak >= 1 - CONF_TOLERANCE && r.y == 0, "status %d", r.status);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void line_templates(void) {
  static const int64_t shapes[][2] = {{1, 3}, {1, 17}, {1, 45}, {2, 1}, {3, 1}, {19, 1}, {41, 1}, {2, 2}};
  conf_image image = conf_image_noise(41, 45, NCC_I16, -300, 200);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
    conf_label("%lldx%lld", (long long)shapes[i][0], (long long)shapes[i][1]);
    conf_image noise = conf_image_noise(shapes[i][0], shapes[i][1], NCC_F32, 0, 1);
    conf_image cut = conf_image_cut(&image, 41 - shapes[i][0], 0, shapes[i][0], shapes[i][1]);
    conf_check(NULL, &image, &noise, NULL);
    conf_check(NULL, &image, &cut, NULL);
    conf_image_free(&noise);
    conf_image_free(&cut);
  }
  conf_image_free(&image);
}

static void template_as_large_as_the_image(void) {
  static const int64_t shapes[][2] = {{1, 2}, {1, 30}, {23, 1}, {2, 2}, {16, 16}, {13, 29}, {31, 32}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
    conf_label("%lldx%lld", (long long)shapes[i][0], (long long)shapes[i][1]);
    conf_image image = conf_image_noise(shapes[i][0], shapes[i][1], NCC_U8, 100, 30);
    conf_image tmpl = conf_image_noise(shapes[i][0], shapes[i][1], NCC_U16, 100, 30);
    conf_check(NULL, &image, &tmpl, NULL);
    ncc_search valid = {.min_overlap = 1};
    ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
    CONF_EXPECT(r.y == shapes[i][0] - 1 && r.x == shapes[i][1] - 1, "(%lld, %lld) is not the one valid position",
                (long long)r.y, (long long)r.x);
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

static void sizes_of_all_kinds(void) {
  static const int64_t sizes[][4] = {{7, 7, 3, 3},    {16, 16, 8, 8},    {17, 19, 5, 7},   {31, 37, 11, 13},
                                     {32, 64, 16, 4}, {64, 64, 33, 31},  {61, 67, 2, 53},  {101, 97, 89, 2},
                                     {127, 3, 64, 3}, {1, 128, 1, 64},   {128, 1, 127, 1}, {2, 2, 1, 2},
                                     {3, 2, 2, 2},    {63, 65, 15, 17},  {97, 89, 10, 9},  {256, 5, 100, 4},
                                     {5, 257, 5, 31}, {113, 109, 7, 71}, {48, 36, 12, 18}, {40, 40, 39, 39}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
    const int64_t *s = sizes[i];
    conf_label("%lldx%lld / %lldx%lld", (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[3]);
    conf_image image = conf_image_noise(s[0], s[1], NCC_F32, 20, 5);
    conf_image tmpl = conf_image_noise(s[2], s[3], NCC_F32, -3, 2);
    conf_check(NULL, &image, &tmpl, NULL);
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

static void corners_can_win(void) {
  // A template whose best window hangs out at each of the four corners.
  for (int corner = 0; corner < 4; ++corner) {
    conf_label("corner %d", corner);
    conf_image image = conf_image_noise(30, 33, NCC_F32, 0, 1), tmpl = conf_image_create(10, 12, NCC_F32);
    bool bottom = corner & 2, right = corner & 1;
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t j = 0; j < 7; ++j) {
        tmpl.truth[(bottom ? i : i + 4) * 12 + (right ? j : j + 5)] =
            image.truth[(bottom ? i + 24 : i) * 33 + (right ? j + 26 : j)];
      }
    }
    conf_store(&tmpl);
    ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
    expect_at(&r, bottom ? 24 + 9 : 5, right ? 26 + 11 : 6);
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(self_match_is_one),
                                    CONF_TEST(realistic_size_finds_the_cut),
                                    CONF_TEST(template_gain_and_offset_change_nothing),
                                    CONF_TEST(image_gain_and_offset_change_nothing_in_valid_mode),
                                    CONF_TEST(negated_template_negates_values),
                                    CONF_TEST(shifted_content_shifts_the_peak),
                                    CONF_TEST(flat_templates_and_windows),
                                    CONF_TEST(one_pixel_template_is_flat),
                                    CONF_TEST(two_pixel_template_has_many_exact_ties),
                                    CONF_TEST(line_templates),
                                    CONF_TEST(template_as_large_as_the_image),
                                    CONF_TEST(sizes_of_all_kinds),
                                    CONF_TEST(corners_can_win)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
