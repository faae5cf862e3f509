/** Pixels that break careless arithmetic: offsets, ripples, hot pixels, extreme magnitudes, exact ties. */
#include "conformance.h"

#include <float.h>

/** Adds normal noise of a fraction of the image's range, so that no peak is a perfect 1. */
static void add_noise(conf_image *image, double sigma) {
  for (int64_t i = 0; i < image->rows * image->cols; ++i) image->truth[i] += sigma * conf_normal();
  conf_store(image);
}

static void large_offset_small_deviation(void) {
  static const struct {
    ncc_dtype dtype;
    double mean, sigma;
  } cases[] = {{NCC_F32, 10000, 1}, {NCC_F64, 10000, 1}, {NCC_U16, 10000, 1},  {NCC_F32, 1e6, 1},   {NCC_F64, 1e9, 1},
               {NCC_I32, 1e8, 2},   {NCC_F64, 1e15, 4},  {NCC_F16, 1000, 0.8}, {NCC_F32, -1e5, 0.1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    conf_label("%s mean %g sigma %g", ncc_dtype_name(cases[i].dtype), cases[i].mean, cases[i].sigma);
    conf_image image = conf_image_noise(50, 46, cases[i].dtype, cases[i].mean, cases[i].sigma);
    conf_image tmpl = conf_image_cut(&image, 12, 20, 17, 16);
    ncc_search searches[] = {{0}, {.min_overlap = 1}, {.normalize = true}, {.normalize = true, .min_overlap = 0.5}};
    for (size_t s = 0; s < sizeof searches / sizeof searches[0]; ++s) conf_check(&searches[s], &image, &tmpl, NULL);
    add_noise(&tmpl, cases[i].sigma);
    for (size_t s = 0; s < sizeof searches / sizeof searches[0]; ++s) conf_check(&searches[s], &image, &tmpl, NULL);
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

static void one_ulp_ripple_on_a_background(void) {
  // Some of the image is constant, some ripples by one ulp: windows there are not flat and count as much as any.
  ncc_search valid = {.min_overlap = 1};
  for (int wide = 0; wide < 2; ++wide) {
    ncc_dtype dtype = wide ? NCC_F64 : NCC_F32;
    conf_label("%s", ncc_dtype_name(dtype));
    conf_image image = conf_image_create(40, 40, dtype);
    for (int64_t i = 0; i < 1600; ++i) {
      bool up = i / 40 >= 15 && i % 40 < 25 && conf_random() % 3 == 0;
      image.truth[i] = wide ? nextafter(0.1, up ? 1 : 0.1) : nextafterf(0.1f, up ? 1 : 0.1f);
    }
    conf_store(&image);
    conf_image tmpl = conf_image_cut(&image, 22, 8, 9, 10);
    ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
    CONF_EXPECT(r.y == 30 && r.x == 17 && r.peak >= 1 - CONF_TOLERANCE, "(%lld, %lld) %.17g", (long long)r.y,
                (long long)r.x, r.peak);
    conf_check(NULL, &image, &tmpl, NULL);
    conf_image gray = conf_image_noise(9, 10, NCC_U8, 100, 20);
    conf_check(&valid, &image, &gray, NULL);
    conf_check(NULL, &image, &gray, NULL);
    conf_image_free(&gray);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

static void one_hot_pixel(void) {
  ncc_search valid = {.min_overlap = 1};
  static const ncc_dtype dtypes[] = {NCC_F32, NCC_F64};
  for (int i = 0; i < 2; ++i) {
    conf_label("%s", ncc_dtype_name(dtypes[i]));
    conf_image image = conf_image_noise(48, 44, dtypes[i], 0, 1e-3);
    conf_image tmpl = conf_image_cut(&image, 30, 25, 12, 11);
    image.truth[9 * 44 + 10] = 1e6;
    conf_store(&image);
    ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
    CONF_EXPECT(r.y == 41 && r.x == 35, "(%lld, %lld)", (long long)r.y, (long long)r.x);
    add_noise(&tmpl, 1e-3);
    conf_check(NULL, &image, &tmpl, NULL);
    conf_check(&valid, &image, &tmpl, NULL);
    // And a hot pixel in the template.
    tmpl.truth[40] = 1e6;
    conf_store(&tmpl);
    conf_check(NULL, &image, &tmpl, NULL);
    conf_check(&valid, &image, &tmpl, NULL);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

static void magnitudes(void) {
  static const double scales[] = {1e30, 1e-30, 1e38, 1e-38, 1e-43, 1e200, 1e-200, 1e307, 1e-307, 1e-320};
  conf_image plain = conf_image_noise(30, 34, NCC_F64, 0.5, 0.3), plain_tmpl = conf_image_cut(&plain, 9, 11, 10, 9);
  add_noise(&plain_tmpl, 0.2);
  for (size_t i = 0; i < sizeof scales / sizeof scales[0]; ++i) {
    for (size_t k = 0; k < sizeof scales / sizeof scales[0]; ++k) {
      conf_label("image %g template %g", scales[i], scales[k]);
      conf_image image = conf_image_convert(&plain, NCC_F64), tmpl = conf_image_convert(&plain_tmpl, NCC_F64);
      conf_image_scale(&image, scales[i], 0);
      conf_image_scale(&tmpl, scales[k], 0);
      bool narrow = fabs(log10(scales[i])) < 44 && fabs(log10(scales[k])) < 44;
      if (narrow) {
        conf_image image32 = conf_image_convert(&image, NCC_F32), tmpl32 = conf_image_convert(&tmpl, NCC_F32);
        ncc_search normalize = {.normalize = true};
        conf_check(NULL, &image32, &tmpl32, NULL);
        conf_check(&normalize, &image32, &tmpl32, NULL);
        conf_image_free(&image32);
        conf_image_free(&tmpl32);
      }
      ncc_search quality = {.quality = true};
      conf_check(&quality, &image, &tmpl, NULL);
      conf_image_free(&image);
      conf_image_free(&tmpl);
    }
  }
  conf_image_free(&plain);
  conf_image_free(&plain_tmpl);
}

static void powers_of_two_change_nothing(void) {
  conf_image image = conf_image_noise(30, 34, NCC_F32, 0.5, 0.3), tmpl = conf_image_noise(10, 9, NCC_F32, 1, 1);
  ncc_result plain = conf_check(NULL, &image, &tmpl, NULL);
  conf_image_scale(&image, ldexp(1, 100), 0);
  conf_image_scale(&tmpl, ldexp(1, -90), 0);
  ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
  CONF_EXPECT(r.y == plain.y && r.x == plain.x && fabs(r.peak - plain.peak) <= CONF_TOLERANCE, "%.17g, was %.17g",
              r.peak, plain.peak);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void two_magnitudes_in_one_image(void) {
  // The faint half must still be found; it is far below one ulp of the bright half.
  static const double faint[] = {1e-6, 1e-15, 1e-30, 1e-60, 1e-140};
  for (size_t i = 0; i < sizeof faint / sizeof faint[0]; ++i) {
    conf_label("1e3 and %g", faint[i]);
    conf_image image = conf_image_create(32, 48, i < 3 ? NCC_F32 : NCC_F64);
    for (int64_t k = 0; k < 32 * 48; ++k) image.truth[k] = (k % 48 < 24 ? 1e3 : faint[i]) * (2 + conf_normal());
    conf_store(&image);
    conf_image tmpl = conf_image_cut(&image, 15, 33, 8, 9);
    ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
    CONF_EXPECT(r.y == 22 && r.x == 41, "(%lld, %lld)", (long long)r.y, (long long)r.x);
    add_noise(&tmpl, faint[i]);
    conf_check(NULL, &image, &tmpl, NULL);
    ncc_search valid = {.min_overlap = 1};
    conf_check(&valid, &image, &tmpl, NULL);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

static void constant_images(void) {
  // What overhangs is not flat, though its ssd about the mean is below the least or above the most that float32 holds.
  const ncc_search search = {.min_overlap = 0.3, .quality = true};
  static const double levels[] = {7e-30, 1e-36, 3e-25, 1e-10, 200, 7.8e21, 1e30};
  for (int i = 0; i < 35; ++i) {
    const double level = levels[i % 7];
    conf_label("level %g, template %d", level, i / 7);
    conf_image image = conf_image_create(39, 11, NCC_F32), tmpl = conf_image_create(35, 4, NCC_F32);
    for (int k = 0; k < 39 * 11; ++k) image.truth[k] = level * (k == 200 && i % 2 ? 1 + 0x1p-23 : 1);
    for (int k = 0; k < 35 * 4; ++k) tmpl.truth[k] = (double)conf_integer(0, 1);
    conf_store(&image);
    conf_store(&tmpl);
    conf_check(&search, &image, &tmpl, NULL);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

static void a_faint_constant_background_is_flat(void) {
  // Far from the bright patch every window holds one value, however small it is beside the image's mean.
  static const double backgrounds[] = {1e-20, 1e-10, 1e-5, 0.1, 1e3, 123456789, -1e-7};
  ncc_search searches[] = {{.min_overlap = 1}, {.min_overlap = 1, .normalize = true}, {0}};
  for (size_t i = 0; i < sizeof backgrounds / sizeof backgrounds[0]; ++i) {
    for (int wide = 0; wide < 2; ++wide) {
      for (int k = 0; k < 3; ++k) {
        // Beside 1e8 the float64 copy that is normalised rounds the patch's own detail away.
        if (searches[k].normalize && backgrounds[i] > 1e6) continue;
        conf_label("background %g %s search %d", backgrounds[i], wide ? "f64" : "f32", k);
        conf_image image = conf_image_create(40, 44, wide ? NCC_F64 : NCC_F32), tmpl;
        for (int64_t p = 0; p < 40 * 44; ++p) {
          bool patch = p / 44 > 27 && p % 44 < 15;
          image.truth[p] = patch ? 1e3 * (2 + conf_normal()) : backgrounds[i];
        }
        conf_store(&image);
        tmpl = conf_image_noise(6, 7, NCC_F32, 5, 3);
        conf_check(&searches[k], &image, &tmpl, NULL);
        // Nothing but background is searched: flat at the first position.
        ncc_rect window = {8, 20, 24, 40};
        ncc_result r = conf_check(&searches[k], &image, &tmpl, &window);
        CONF_EXPECT(r.status == NCC_PAIR_FLAT && r.y == 8 && r.x == 20, "status %d (%lld, %lld) %g", r.status,
                    (long long)r.y, (long long)r.x, r.peak);
        conf_image_free(&tmpl);
        conf_image_free(&image);
      }
    }
  }
}

static void full_integer_ranges(void) {
  static const struct {
    ncc_dtype dtype;
    double low, high;
  } cases[] = {{NCC_U8, 0, 255},         {NCC_I8, -128, 127},       {NCC_U16, 0, 65535},
               {NCC_I16, -32768, 32767}, {NCC_U32, 0, 4294967295.}, {NCC_I32, -2147483648., 2147483647.},
               {NCC_F16, -65504, 65504}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    for (int kind = 0; kind < 3; ++kind) {
      conf_label("%s kind %d", ncc_dtype_name(cases[i].dtype), kind);
      conf_image image = conf_image_create(36, 33, cases[i].dtype), tmpl = conf_image_create(12, 13, cases[i].dtype);
      for (int64_t k = 0; k < 36 * 33 + 12 * 13; ++k) {
        double *pixel = k < 36 * 33 ? &image.truth[k] : &tmpl.truth[k - 36 * 33];
        if (kind == 0) *pixel = conf_uniform(cases[i].low, cases[i].high);
        if (kind == 1) *pixel = conf_random() % 2 ? cases[i].low : cases[i].high;
        if (kind == 2) *pixel = cases[i].high - (double)(conf_random() % 16 == 0);
      }
      conf_store(&image);
      conf_store(&tmpl);
      conf_check(NULL, &image, &tmpl, NULL);
      ncc_search valid = {.min_overlap = 1};
      conf_check(&valid, &image, &tmpl, NULL);
      conf_image_free(&image);
      conf_image_free(&tmpl);
    }
  }
}

static void integers_that_float32_cannot_tell_apart(void) {
  static const double bases[] = {16777216, 2147483646, -2147483648., 4294967294.};
  for (size_t i = 0; i < sizeof bases / sizeof bases[0]; ++i) {
    for (int unsign = 0; unsign < 2; ++unsign) {
      ncc_dtype dtype = unsign ? NCC_U32 : NCC_I32;
      if (unsign ? bases[i] < 0 : bases[i] > INT32_MAX) continue;
      conf_label("%s %.0f + 0 or 1", ncc_dtype_name(dtype), bases[i]);
      conf_image image = conf_image_create(30, 30, dtype);
      for (int64_t k = 0; k < 900; ++k) image.truth[k] = bases[i] + (double)(conf_random() % 2);
      conf_store(&image);
      conf_image tmpl = conf_image_cut(&image, 14, 6, 8, 8);
      ncc_search valid = {.min_overlap = 1};
      ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
      CONF_EXPECT(r.y == 21 && r.x == 13 && r.peak >= 1 - CONF_TOLERANCE, "(%lld, %lld) %.17g", (long long)r.y,
                  (long long)r.x, r.peak);
      conf_check(NULL, &image, &tmpl, NULL);
      conf_image_free(&tmpl);
      conf_image_free(&image);
    }
  }
}

static void black_borders_and_constant_background(void) {
  static const ncc_dtype dtypes[] = {NCC_U8, NCC_U16, NCC_F32, NCC_I32, NCC_F64};
  for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; ++d) {
    conf_label("%s", ncc_dtype_name(dtypes[d]));
    conf_image image = conf_image_create(60, 50, dtypes[d]);
    for (int64_t y = 10; y < 50; ++y) {
      for (int64_t x = 8; x < 42; ++x) {
        bool patch = y >= 20 && y < 34 && x >= 16 && x < 33;
        image.truth[y * 50 + x] = 200.1 + (patch ? 10 * conf_normal() : 0);
      }
    }
    conf_store(&image);
    conf_image tmpl = conf_image_cut(&image, 21, 18, 9, 10), edge = conf_image_cut(&image, 5, 14, 9, 10);
    ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
    CONF_EXPECT(r.y == 29 && r.x == 27, "(%lld, %lld)", (long long)r.y, (long long)r.x);
    // The border itself: a straight edge matches perfectly at many positions, the first wins.
    r = conf_check(NULL, &image, &edge, NULL);
    CONF_EXPECT(r.peak >= 1 - CONF_TOLERANCE && r.y == 13 && r.x == 17, "edge: (%lld, %lld) %.17g", (long long)r.y,
                (long long)r.x, r.peak);
    conf_image_free(&tmpl);
    conf_image_free(&edge);
    conf_image_free(&image);
  }
}

static void all_windows_flat_but_a_few(void) {
  ncc_search valid = {.min_overlap = 1};
  conf_image image = conf_image_create(50, 50, NCC_F32), tmpl = conf_image_noise(7, 6, NCC_F32, 0, 1);
  conf_image_scale(&image, 0, 0.3f);
  image.truth[33 * 50 + 21] = nextafterf(0.3f, 1);
  conf_store(&image);
  conf_check(&valid, &image, &tmpl, NULL);
  conf_check(NULL, &image, &tmpl, NULL);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void periodic_images_tie_below_one(void) {
  // A checkerboard and stripes against a template with one wrong pixel: many exact ties of a value below 1.
  for (int kind = 0; kind < 3; ++kind) {
    for (int wide = 0; wide < 2; ++wide) {
      conf_label("kind %d %s", kind, wide ? "f32" : "u8");
      conf_image image = conf_image_create(44, 46, wide ? NCC_F32 : NCC_U8);
      for (int64_t i = 0; i < 44 * 46; ++i) {
        int64_t y = i / 46, x = i % 46;
        int64_t phase = kind == 0 ? (y + x) % 2 : kind == 1 ? y % 5 : (3 * y + x) % 7;
        image.truth[i] = 10.3 + 17.7 * (double)phase;
      }
      conf_store(&image);
      conf_image tmpl = conf_image_cut(&image, 5, 7, 11, 12);
      tmpl.truth[50] += 30;
      conf_store(&tmpl);
      ncc_search valid = {.min_overlap = 1}, quality = {.min_overlap = 1, .quality = true};
      ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
      CONF_EXPECT(r.y - 10 < 7 && r.x - 11 < 7 && r.peak < 0.999, "(%lld, %lld) %.17g", (long long)r.y, (long long)r.x,
                  r.peak);
      conf_check(&quality, &image, &tmpl, NULL);
      conf_check(NULL, &image, &tmpl, NULL);
      conf_image_free(&tmpl);
      conf_image_free(&image);
    }
  }
}

static void maps_without_positive_values(void) {
  ncc_search valid = {.min_overlap = 1};
  conf_image image = conf_image_create(30, 30, NCC_I16), tmpl = conf_image_create(5, 6, NCC_I16);
  for (int64_t i = 0; i < 900; ++i) image.truth[i] = 100 - 3 * (double)(i / 30) - 2 * (double)(i % 30);
  for (int64_t i = 0; i < 30; ++i) tmpl.truth[i] = 3 * (double)(i / 6) + 2 * (double)(i % 6);
  conf_store(&image);
  conf_store(&tmpl);
  // Every window is exactly -1: all tie.
  ncc_result r = conf_check(&valid, &image, &tmpl, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_OK && r.y == 4 && r.x == 5 && fabs(r.peak + 1) <= CONF_TOLERANCE,
              "status %d (%lld, %lld) %.17g", r.status, (long long)r.y, (long long)r.x, r.peak);
  // Rough ones: negative and different.
  for (int64_t i = 0; i < 900; ++i) image.truth[i] += (double)conf_integer(-1, 1);
  conf_store(&image);
  r = conf_check(&valid, &image, &tmpl, NULL);
  CONF_EXPECT(r.peak < 0 && r.peak > -1, "%.17g", r.peak);
  // One flat window among negative ones: its 0 is the maximum, and the pair is ok.
  for (int64_t y = 20; y < 25; ++y) {
    for (int64_t x = 17; x < 23; ++x) image.truth[y * 30 + x] = 1;
  }
  for (int64_t x = 17; x < 23; ++x) {  // falls towards and away from it
    for (int64_t y = 0; y < 30; ++y)
      image.truth[y * 30 + x] = y < 20 ? 1 + 50 * (double)(20 - y) : y < 25 ? 1 : -9 * (double)y;
  }
  conf_store(&image);
  conf_check(&valid, &image, &tmpl, NULL);
  ncc_rect window = {24, 22, 27, 23};
  conf_image ramp = conf_image_create(5, 6, NCC_I16);
  for (int64_t i = 0; i < 30; ++i) ramp.truth[i] = (double)(i / 6);
  conf_store(&ramp);
  r = conf_check(NULL, &image, &ramp, &window);
  CONF_EXPECT(r.status == NCC_PAIR_OK && r.y == 24 && r.x == 22 && r.peak == 0, "status %d (%lld, %lld) %.17g",
              r.status, (long long)r.y, (long long)r.x, r.peak);
  conf_image_free(&ramp);
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

static void near_ties_are_told_apart_at_1e_12(void) {
  // Two copies; in the first, one pixel is off by so much that its NCC is 1 - deficit.
  static const double deficits[] = {1e-8, 1e-10, 5e-12, 3e-12, 3e-13, 1e-13};
  for (size_t i = 0; i < sizeof deficits / sizeof deficits[0]; ++i) {
    conf_label("1 - %g before 1", deficits[i]);
    conf_image image = conf_image_noise(30, 60, NCC_F64, 0, 1), tmpl = conf_image_cut(&image, 10, 40, 9, 9);
    double ssd = 0, mean = 0;
    for (int64_t k = 0; k < 81; ++k) mean += tmpl.truth[k] / 81;
    for (int64_t k = 0; k < 81; ++k) {
      ssd += (tmpl.truth[k] - mean) * (tmpl.truth[k] - mean);
      image.truth[(10 + k / 9) * 60 + 5 + k % 9] = tmpl.truth[k];
    }
    // A pixel near the mean: the NCC falls by off^2 (1 - 1/81) / (2 ssd).
    int64_t middle = 0;
    for (int64_t k = 0; k < 81; ++k) {
      if (fabs(tmpl.truth[k] - mean) < fabs(tmpl.truth[middle] - mean)) middle = k;
    }
    image.truth[(10 + middle / 9) * 60 + 5 + middle % 9] += sqrt(2 * deficits[i] * ssd * 81 / 80);
    conf_store(&image);
    double first = conf_value_at(NULL, &image, &tmpl, 18, 13, NULL);
    CONF_EXPECT(fabs(1 - first - deficits[i]) < 0.2 * deficits[i] + 1e-15, "built 1 - %g", 1 - first);
    ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
    int64_t x = deficits[i] > 1e-12 ? 48 : 13;
    CONF_EXPECT(r.y == 18 && r.x == x, "(%lld, %lld), expected column %lld", (long long)r.y, (long long)r.x,
                (long long)x);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(large_offset_small_deviation),
                                    CONF_TEST(one_ulp_ripple_on_a_background),
                                    CONF_TEST(one_hot_pixel),
                                    CONF_TEST(magnitudes),
                                    CONF_TEST(powers_of_two_change_nothing),
                                    CONF_TEST(two_magnitudes_in_one_image),
                                    CONF_TEST(constant_images),
                                    CONF_TEST(a_faint_constant_background_is_flat),
                                    CONF_TEST(full_integer_ranges),
                                    CONF_TEST(integers_that_float32_cannot_tell_apart),
                                    CONF_TEST(black_borders_and_constant_background),
                                    CONF_TEST(all_windows_flat_but_a_few),
                                    CONF_TEST(periodic_images_tie_below_one),
                                    CONF_TEST(maps_without_positive_values),
                                    CONF_TEST(near_ties_are_told_apart_at_1e_12)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
