/** What is searched and how: crop, windows, overlap, thresholds, normalisation, ties, second peaks. */
#include "conformance.h"

/** An image and a noisy template cut from it. */
typedef struct scene {
  conf_image image, tmpl;
} scene;

static scene make_scene(ncc_dtype dtype, int64_t rows, int64_t cols, int64_t tmpl_rows, int64_t tmpl_cols) {
  scene s = {.image = conf_image_noise(rows, cols, dtype, 90, 25)};
  s.tmpl = conf_image_cut(&s.image, (rows - tmpl_rows) / 3, (cols - tmpl_cols) / 2, tmpl_rows, tmpl_cols);
  for (int64_t i = 0; i < tmpl_rows * tmpl_cols; ++i) s.tmpl.truth[i] += 15 * conf_normal();
  conf_store(&s.tmpl);
  return s;
}

static void free_scene(scene *s) {
  conf_image_free(&s->image);
  conf_image_free(&s->tmpl);
}

static void expect_inside(const ncc_result *r, int64_t y0, int64_t x0, int64_t y1, int64_t x1) {
  CONF_EXPECT(r->y >= y0 && r->y < y1 && r->x >= x0 && r->x < x1,
              "(%lld, %lld) outside rows %lld..%lld columns %lld..%lld", (long long)r->y, (long long)r->x,
              (long long)y0, (long long)y1 - 1, (long long)x0, (long long)x1 - 1);
}

static void crop_with_different_x_and_y(void) {
  static const int64_t crops[][2] = {{0, 1}, {1, 0}, {3, 11}, {11, 3}, {16, 2}, {20, 20}, {0, 26}, {23, 26}};
  scene s = make_scene(NCC_U8, 34, 40, 14, 15);
  for (size_t i = 0; i < sizeof crops / sizeof crops[0]; ++i) {
    int64_t y = crops[i][0], x = crops[i][1];
    conf_label("crop y %lld x %lld", (long long)y, (long long)x);
    ncc_search search = {.crop_y = y, .crop_x = x};
    ncc_result r = conf_check(&search, &s.image, &s.tmpl, NULL);
    expect_inside(&r, y, x, 47 - y, 54 - x);
  }
  // One position is left: the middle. (47 rows are odd, 54 columns even.)
  ncc_search middle = {.crop_y = 23, .crop_x = 26};
  ncc_result r = conf_check(&middle, &s.image, &s.tmpl, NULL);
  CONF_EXPECT(r.y == 23, "row %lld", (long long)r.y);
  free_scene(&s);
}

static void crop_larger_than_a_template(void) {
  scene s = make_scene(NCC_F32, 60, 64, 7, 5);
  static const int64_t crops[][2] = {{7, 5}, {20, 6}, {8, 30}, {30, 31}, {32, 33}};
  for (size_t i = 0; i < sizeof crops / sizeof crops[0]; ++i) {
    conf_label("crop y %lld x %lld", (long long)crops[i][0], (long long)crops[i][1]);
    ncc_search search = {.crop_y = crops[i][0], .crop_x = crops[i][1]};
    ncc_result r = conf_check(&search, &s.image, &s.tmpl, NULL);
    expect_inside(&r, crops[i][0], crops[i][1], 66 - crops[i][0], 68 - crops[i][1]);
  }
  free_scene(&s);
}

static void crop_half_is_half_of_each_template(void) {
  static const int64_t shapes[][2] = {{1, 2}, {2, 1}, {8, 9}, {15, 4}, {30, 31}};
  conf_image image = conf_image_noise(30, 31, NCC_I8, 0, 30);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
    int64_t m = shapes[i][0], n = shapes[i][1];
    conf_image tmpl = conf_image_noise(m, n, NCC_I8, 0, 30);
    ncc_search half = {.crop_half = true}, same = {.crop_y = m / 2, .crop_x = n / 2};
    ncc_result a = conf_check(&half, &image, &tmpl, NULL), b = conf_check(&same, &image, &tmpl, NULL);
    CONF_EXPECT(a.y == b.y && a.x == b.x && a.peak == b.peak, "half: (%lld, %lld), %lldx%lld: (%lld, %lld)",
                (long long)a.y, (long long)a.x, (long long)m / 2, (long long)n / 2, (long long)b.y, (long long)b.x);
    conf_image_free(&tmpl);
  }
  conf_image_free(&image);
}

static void windows_restrict_the_search(void) {
  static const ncc_rect windows[] = {{0, 0, 1, 1},   {0, 0, 47, 54},   {46, 53, 47, 54}, {10, 12, 30, 13},
                                     {5, 40, 6, 54}, {13, 14, 34, 40}, {0, 20, 12, 31},  {20, 0, 40, 9}};
  scene s = make_scene(NCC_U16, 34, 40, 14, 15);
  for (size_t i = 0; i < sizeof windows / sizeof windows[0]; ++i) {
    const ncc_rect *w = &windows[i];
    conf_label("window %lld,%lld..%lld,%lld", (long long)w->y0, (long long)w->x0, (long long)w->y1, (long long)w->x1);
    ncc_result r = conf_check(NULL, &s.image, &s.tmpl, w);
    expect_inside(&r, w->y0, w->x0, w->y1, w->x1);
  }
  ncc_search crop = {.crop_y = 8, .crop_x = 25};
  ncc_rect across = {0, 10, 12, 27}, beside = {0, 10, 8, 40}, outside = {0, 0, 48, 10}, empty = {5, 5, 5, 9};
  ncc_result r = conf_check(&crop, &s.image, &s.tmpl, &across);
  expect_inside(&r, 8, 25, 12, 27);
  const ncc_rect *bad[] = {&beside, &outside, &empty};
  for (int i = 0; i < 3; ++i) {
    r = conf_match(conf_engine, 1, &crop, &s.image, &s.tmpl, bad[i]);
    CONF_EXPECT(r.status == NCC_PAIR_INVALID && r.y == -1 && r.x == -1 && isnan(r.peak), "window %d: status %d", i,
                r.status);
  }
  free_scene(&s);
}

static void window_around_the_best_changes_nothing(void) {
  scene s = make_scene(NCC_F32, 200, 180, 60, 70);
  ncc_rect near = {100, 115, 112, 130};
  ncc_result windowed = conf_check(NULL, &s.image, &s.tmpl, &near);
  // The cut lies at (46, 55), so its peak at (105, 124).
  CONF_EXPECT(windowed.y == 105 && windowed.x == 124, "(%lld, %lld)", (long long)windowed.y, (long long)windowed.x);
  if (!conf_is_reference) {
    ncc_result whole = conf_match(conf_engine, 1, NULL, &s.image, &s.tmpl, NULL);
    CONF_EXPECT(conf_identical(&whole, &windowed), "(%lld, %lld) %.17g, windowed %.17g", (long long)whole.y,
                (long long)whole.x, whole.peak, windowed.peak);
  }
  free_scene(&s);
}

static void minimum_overlap(void) {
  static const double fractions[] = {1e-9, 0.01, 0.25, 0.5, 0.55, 0.7, 0.999, 1};
  static const int64_t shapes[][2] = {{10, 10}, {1, 7}, {13, 4}, {24, 31}};
  conf_image image = conf_image_noise(24, 31, NCC_F32, -4, 3);
  for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; ++k) {
    int64_t m = shapes[k][0], n = shapes[k][1];
    conf_image tmpl = conf_image_noise(m, n, NCC_F32, 2, 3);
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; ++i) {
      conf_label("%g of %lldx%lld", fractions[i], (long long)m, (long long)n);
      ncc_search search = {.min_overlap = fractions[i]};
      ncc_result r = conf_check(&search, &image, &tmpl, NULL);
      int64_t h = (r.y < 23 ? r.y : 23) - (r.y < m ? 0 : r.y - m + 1) + 1;
      int64_t w = (r.x < 30 ? r.x : 30) - (r.x < n ? 0 : r.x - n + 1) + 1;
      CONF_EXPECT((double)(h * w) / (double)(m * n) >= fractions[i] * (1 - 1e-12),
                  "(%lld, %lld) overlaps by %lld of %lld", (long long)r.y, (long long)r.x, (long long)(h * w),
                  (long long)(m * n));
    }
    ncc_search both = {.min_overlap = 0.6, .crop_y = 2, .crop_x = 3};
    conf_check(&both, &image, &tmpl, NULL);
    conf_image_free(&tmpl);
  }
  conf_image_free(&image);
}

static void a_fraction_that_is_met_exactly_counts(void) {
  // An overlap of k of 100 pixels is not less than the fraction k / 100, however that is rounded. In a black image the
  // answer is the first position that is searched: the first row that can reach k pixels, and its first such column.
  conf_image image = conf_image_create(12, 12, NCC_U8), tmpl = conf_image_noise(10, 10, NCC_U8, 100, 30);
  for (int64_t k = 1; k <= 100; ++k) {
    conf_label("%lld of 100", (long long)k);
    ncc_search search = {.min_overlap = (double)k / 100};
    int64_t rows = (k + 9) / 10, cols = (k + rows - 1) / rows;
    ncc_result r = conf_match(conf_engine, 1, &search, &image, &tmpl, NULL);
    CONF_EXPECT(r.status == NCC_PAIR_FLAT && r.y == rows - 1 && r.x == cols - 1,
                "status %d (%lld, %lld), expected (%lld, %lld)", r.status, (long long)r.y, (long long)r.x,
                (long long)rows - 1, (long long)cols - 1);
  }
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void threshold_near_real_values(void) {
  static const ncc_dtype dtypes[] = {NCC_F32, NCC_U8, NCC_F64};
  for (int d = 0; d < 3; ++d) {
    for (int normalized = 0; normalized < 2; ++normalized) {
      scene s = make_scene(dtypes[d], 30, 33, 9, 8);
      ncc_search search = {.normalize = normalized};
      ncc_result plain = conf_check(&search, &s.image, &s.tmpl, NULL);
      double energy;
      conf_value_at(&search, &s.image, &s.tmpl, plain.y, plain.x, &energy);
      // Just below what the best window has, it stays the best; just above, it is 0 and another wins.
      for (int step = -3; step <= 3; ++step) {
        search.eps = energy * (1 + 1e-9 * step);
        if (step == 0) continue;
        conf_label("%s normalize %d eps %.17g", ncc_dtype_name(dtypes[d]), normalized, search.eps);
        ncc_result r = conf_check(&search, &s.image, &s.tmpl, NULL);
        bool same = r.y == plain.y && r.x == plain.x;
        CONF_EXPECT(step < 0 ? same && r.peak == plain.peak : !same, "(%lld, %lld) %.17g", (long long)r.y,
                    (long long)r.x, r.peak);
      }
      for (int i = 0; i < 12; ++i) {
        conf_value_at(&search, &s.image, &s.tmpl, conf_integer(0, 37), conf_integer(0, 39), &energy);
        search.eps = energy * (1 + conf_uniform(-1e-6, 1e-6));
        conf_label("%s normalize %d eps %.17g", ncc_dtype_name(dtypes[d]), normalized, search.eps);
        conf_check(&search, &s.image, &s.tmpl, NULL);
      }
      search.eps = 1e12;
      ncc_result r = conf_check(&search, &s.image, &s.tmpl, NULL);
      CONF_EXPECT(r.status == NCC_PAIR_FLAT && r.y == 0 && r.x == 0 && r.peak == 0, "huge: status %d", r.status);
      free_scene(&s);
    }
  }
}

static void threshold_met_exactly_is_zero(void) {
  // W and T of values 0 and 2 have ssd 2 or 4 exactly: sqrt(ssd ssd) = 4 for 2x2 pixels, half of them 2.
  ncc_search valid = {.min_overlap = 1, .eps = 4};
  conf_image image = conf_image_create(4, 9, NCC_U8), tmpl = conf_image_create(2, 2, NCC_U8);
  tmpl.truth[0] = tmpl.truth[3] = 2;
  image.truth[1 * 9 + 2] = image.truth[2 * 9 + 3] = 2;  // the template itself: energy 4
  image.truth[1 * 9 + 6] = image.truth[2 * 9 + 7] = 3;  // the same, brighter: energy 6
  conf_store(&image);
  conf_store(&tmpl);
  ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
  CONF_EXPECT(r.y == 2 && r.x == 7 && r.peak >= 1 - CONF_TOLERANCE, "eps 4: (%lld, %lld) %.17g", (long long)r.y,
              (long long)r.x, r.peak);
  valid.eps = 3.9999999;
  r = conf_check(&valid, &image, &tmpl, NULL);
  CONF_EXPECT(r.y == 2 && r.x == 3, "eps 3.9999999: (%lld, %lld)", (long long)r.y, (long long)r.x);
  valid.eps = 6;
  r = conf_check(&valid, &image, &tmpl, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_FLAT && r.y == 1 && r.x == 1, "eps 6: status %d", r.status);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void unit_energy_images_with_a_small_threshold(void) {
  ncc_search search = {.eps = 1e-6};
  conf_image image = conf_image_noise(40, 40, NCC_F32, 0, 1. / 40),
             tmpl = conf_image_noise(12, 12, NCC_F32, 0, 1. / 12);
  for (int64_t i = 0; i < 1600; ++i) {
    if (i % 40 < 20) image.truth[i] *= 1e-6;  // below the threshold, and the better match
  }
  for (int64_t i = 0; i < 144; ++i) image.truth[(20 + i / 12) * 40 + 4 + i % 12] = 1e-8 * tmpl.truth[i];
  conf_store(&image);
  conf_check(&search, &image, &tmpl, NULL);
  search.eps = 0;
  ncc_result r = conf_check(&search, &image, &tmpl, NULL);
  CONF_EXPECT(r.y == 31 && r.x == 15, "(%lld, %lld)", (long long)r.y, (long long)r.x);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void normalization_changes_only_overhanging_windows(void) {
  static const ncc_dtype dtypes[] = {NCC_U8, NCC_F32, NCC_F64, NCC_I16};
  for (int d = 0; d < 4; ++d) {
    conf_label("%s", ncc_dtype_name(dtypes[d]));
    scene s = make_scene(dtypes[d], 33, 30, 10, 11);
    ncc_search valid = {.min_overlap = 1}, both = {.min_overlap = 1, .normalize = true}, full = {.normalize = true};
    ncc_result a = conf_check(&valid, &s.image, &s.tmpl, NULL), b = conf_check(&both, &s.image, &s.tmpl, NULL);
    CONF_EXPECT(a.y == b.y && a.x == b.x && fabs(a.peak - b.peak) <= CONF_TOLERANCE, "%.17g, normalised %.17g", a.peak,
                b.peak);
    conf_check(&full, &s.image, &s.tmpl, NULL);
    // An image of one value becomes zeros: every window is flat.
    conf_image_scale(&s.image, 0, 90);
    ncc_result r = conf_check(&full, &s.image, &s.tmpl, NULL);
    CONF_EXPECT(r.status == NCC_PAIR_FLAT && r.y == 0 && r.x == 0, "constant image: status %d", r.status);
    free_scene(&s);
  }
}

static void first_of_exact_ties_wins(void) {
  ncc_search searches[] = {{0}, {.normalize = true}, {.quality = true}};
  conf_image image = conf_image_noise(50, 60, NCC_U8, 128, 20), tmpl = conf_image_noise(9, 8, NCC_U8, 128, 40);
  static const int64_t spots[][2] = {{30, 3}, {12, 45}, {12, 20}, {38, 40}};
  for (int k = 0; k < 4; ++k) {
    for (int64_t i = 0; i < 72; ++i) image.truth[(spots[k][0] + i / 8) * 60 + spots[k][1] + i % 8] = tmpl.truth[i];
  }
  conf_store(&image);
  for (int k = 0; k < 3; ++k) {
    ncc_result r = conf_check(&searches[k], &image, &tmpl, NULL);
    CONF_EXPECT(r.y == 20 && r.x == 27 && r.peak >= 1 - CONF_TOLERANCE, "(%lld, %lld)", (long long)r.y, (long long)r.x);
    if (searches[k].quality) {
      CONF_EXPECT(r.second_y == 20 && r.second_x == 52 && r.second_peak >= 1 - CONF_TOLERANCE, "second (%lld, %lld) %g",
                  (long long)r.second_y, (long long)r.second_x, r.second_peak);
    }
  }
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void second_peak_and_subpixel(void) {
  static const ncc_dtype dtypes[] = {NCC_U8, NCC_F32, NCC_F64};
  for (int d = 0; d < 3; ++d) {
    conf_label("%s", ncc_dtype_name(dtypes[d]));
    scene s = make_scene(dtypes[d], 60, 56, 12, 13);
    ncc_search searches[] = {{.quality = true},
                             {.quality = true, .min_overlap = 0.8},
                             {.quality = true, .normalize = true},
                             {.quality = true, .crop_half = true},
                             {.quality = true, .eps = 2e4}};
    for (int k = 0; k < 5; ++k) conf_check(&searches[k], &s.image, &s.tmpl, NULL);
    // Nothing is left outside the radius, or just one row or column.
    ncc_rect small = {20, 20, 31, 31}, row = {20, 20, 32, 31}, column = {20, 20, 31, 32}, one = {25, 25, 26, 26};
    conf_check(&searches[0], &s.image, &s.tmpl, &small);
    conf_check(&searches[0], &s.image, &s.tmpl, &row);
    conf_check(&searches[0], &s.image, &s.tmpl, &column);
    ncc_result r = conf_check(&searches[0], &s.image, &s.tmpl, &one);
    CONF_EXPECT(r.second_y == -1 && isnan(r.second_peak) && r.subpixel_y == 25 && r.subpixel_x == 25, "one position");
    free_scene(&s);
  }
}

static void subpixel_finds_a_fractional_shift(void) {
  // A smooth bump, sampled 0.3 pixels off in y and -0.2 in x.
  conf_image image = conf_image_create(48, 48, NCC_F64), tmpl = conf_image_create(15, 15, NCC_F64);
  for (int64_t i = 0; i < 48 * 48; ++i) {
    double y = (double)(i / 48) - 24.3, x = (double)(i % 48) - 20.8;
    image.truth[i] = exp(-(y * y + x * x) / 18);
  }
  for (int64_t i = 0; i < 225; ++i) {
    double y = (double)(i / 15) - 7, x = (double)(i % 15) - 7;
    tmpl.truth[i] = exp(-(y * y + x * x) / 18);
  }
  conf_store(&image);
  conf_store(&tmpl);
  ncc_search quality = {.quality = true};
  ncc_result r = conf_check(&quality, &image, &tmpl, NULL);
  CONF_EXPECT(fabs(r.subpixel_y - (24.3 + 7)) < 0.02 && fabs(r.subpixel_x - (20.8 + 7)) < 0.02, "(%g, %g)",
              r.subpixel_y, r.subpixel_x);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void values_out_of_range_are_refused(void) {
  ncc_search bad[] = {{.crop_y = -1},    {.crop_x = -2},        {.eps = -1},           {.eps = NAN},
                      {.eps = INFINITY}, {.min_overlap = 1.01}, {.min_overlap = -0.1}, {.min_overlap = NAN}};
  ncc_config config = {.engine = conf_engine};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    ncc_matcher *matcher = (ncc_matcher *)&config;
    ncc_status status = ncc_matcher_create(&bad[i], &config, &matcher);
    CONF_EXPECT(status == NCC_ERR_USAGE && matcher == NULL, "case %zu: status %d", i, (int)status);
  }
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(crop_with_different_x_and_y),
                                    CONF_TEST(crop_larger_than_a_template),
                                    CONF_TEST(crop_half_is_half_of_each_template),
                                    CONF_TEST(windows_restrict_the_search),
                                    CONF_TEST(window_around_the_best_changes_nothing),
                                    CONF_TEST(minimum_overlap),
                                    CONF_TEST(a_fraction_that_is_met_exactly_counts),
                                    CONF_TEST(threshold_near_real_values),
                                    CONF_TEST(threshold_met_exactly_is_zero),
                                    CONF_TEST(unit_energy_images_with_a_small_threshold),
                                    CONF_TEST(normalization_changes_only_overhanging_windows),
                                    CONF_TEST(first_of_exact_ties_wins),
                                    CONF_TEST(second_peak_and_subpixel),
                                    CONF_TEST(subpixel_finds_a_fractional_shift),
                                    CONF_TEST(values_out_of_range_are_refused)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
