/** The reference engine against answers worked out by hand. */
#include "conformance.h"

static conf_image from(int64_t rows, int64_t cols, const double *values) {
  conf_image image = conf_image_create(rows, cols, NCC_F64);
  for (int64_t i = 0; i < rows * cols; ++i) image.truth[i] = values[i];
  conf_store(&image);
  return image;
}

static void expect(const ncc_search *search, conf_image image, conf_image tmpl, const ncc_rect *window,
                   ncc_pair_status status, int64_t y, int64_t x, double peak) {
  ncc_result r = conf_match(conf_engine, 1, search, &image, &tmpl, window);
  CONF_EXPECT(r.status == status && r.y == y && r.x == x && fabs(r.peak - peak) <= 2e-16,
              "status %d (%lld, %lld) %.17g, expected %d (%lld, %lld) %.17g", r.status, (long long)r.y, (long long)r.x,
              r.peak, status, (long long)y, (long long)x, peak);
  conf_image_free(&image);
  conf_image_free(&tmpl);
}

/** Image 1 3 2 0 and template 1 2 4 (mean 7/3, deviations -4/3 -1/3 5/3, ssd 14/3): windows of the full correlation
 *    0 0 1  deviations -1/3 -1/3 2/3, ssd 2/3,  product 15/9          ->  (5/3) / sqrt(28/9)  = 0.9449
 *    0 1 3             -4/3 -1/3 5/3      14/3  the template + const  ->  1
 *    1 3 2             -1 1 0             2     4/3 - 1/3 = 1         ->  1 / sqrt(28/3)      = 0.3273
 *    3 2 0             4/3 1/3 -5/3       14/3                        -> -1
 *    2 0 0             4/3 -2/3 -2/3      8/3   -16/9 + 2/9 - 10/9    -> (-8/3) / sqrt(112/9) = -0.7559
 *    0 0 0  flat                                                      ->  0 */
static const double line[] = {1, 3, 2, 0}, weights[] = {1, 2, 4};

static void every_position_of_a_line(void) {
  const double values[] = {(5. / 3) / sqrt(28. / 9), 1, 1 / sqrt(28. / 3), -1, (-8. / 3) / sqrt(112. / 9), 0};
  for (int64_t x = 0; x < 6; ++x) {
    conf_label("column %lld", (long long)x);
    ncc_rect window = {0, x, 1, x + 1};
    expect(NULL, from(1, 4, line), from(1, 3, weights), &window, x < 5 ? NCC_PAIR_OK : NCC_PAIR_FLAT, 0, x, values[x]);
    expect(NULL, from(4, 1, line), from(3, 1, weights), &(ncc_rect){x, 0, x + 1, 1},
           x < 5 ? NCC_PAIR_OK : NCC_PAIR_FLAT, x, 0, values[x]);
  }
}

static void whole_line_crop_and_overlap(void) {
  ncc_search crop = {.crop_x = 2}, valid = {.min_overlap = 1}, two = {.min_overlap = 2. / 3}, high = {.eps = 4};
  expect(NULL, from(1, 4, line), from(1, 3, weights), NULL, NCC_PAIR_OK, 0, 1, 1);
  expect(&crop, from(1, 4, line), from(1, 3, weights), NULL, NCC_PAIR_OK, 0, 2, 1 / sqrt(28. / 3));
  expect(&valid, from(1, 4, line), from(1, 3, weights), NULL, NCC_PAIR_OK, 0, 2, 1 / sqrt(28. / 3));
  expect(&two, from(1, 4, line), from(1, 3, weights), NULL, NCC_PAIR_OK, 0, 1, 1);
  // sqrt(ssd ssd): 1.76, 4.67, 3.06, 4.67, 3.53, 0. Above 4 are the windows with 1 and -1.
  expect(&high, from(1, 4, line), from(1, 3, weights), NULL, NCC_PAIR_OK, 0, 1, 1);
  expect(&high, from(1, 4, line), from(1, 3, weights), &(ncc_rect){0, 2, 1, 6}, NCC_PAIR_OK, 0, 2, 0);
  expect(&high, from(1, 4, line), from(1, 3, weights), &(ncc_rect){0, 4, 1, 6}, NCC_PAIR_FLAT, 0, 4, 0);
  high.eps = 5;
  expect(&high, from(1, 4, line), from(1, 3, weights), NULL, NCC_PAIR_FLAT, 0, 0, 0);
}

static void first_of_ties_and_template_not_flipped(void) {
  // 0 1 2 3 0 against 1 2: windows (0,1) (1,2) (2,3) all 1, (3,0) -1.
  expect(NULL, from(1, 3, (double[]){1, 2, 3}), from(1, 2, (double[]){1, 2}), NULL, NCC_PAIR_OK, 0, 0, 1);
  expect(NULL, from(1, 3, (double[]){1, 2, 3}), from(1, 2, (double[]){2, 1}), NULL, NCC_PAIR_OK, 0, 3, 1);
  // Two dimensions: the template's one bright corner finds the image's first pixel.
  expect(NULL, from(2, 2, (double[]){5, 1, 1, 1}), from(2, 2, (double[]){0, 0, 0, 1}), NULL, NCC_PAIR_OK, 0, 0, 1);
  expect(NULL, from(2, 2, (double[]){1, 1, 1, 5}), from(2, 2, (double[]){1, 0, 0, 0}), NULL, NCC_PAIR_OK, 2, 2, 1);
  expect(NULL, from(2, 2, (double[]){1, 1, 1, 5}), from(2, 2, (double[]){0, 0, 1, 0}), NULL, NCC_PAIR_OK, 0, 2, 1);
}

static void ties_within_1e_12(void) {
  // 1 - NCC of (0, 1, 2 + d) and (0, 1, 2) is d^2 / 24 to first order (ssd 2, residual of the fit d^2 / 6, half of it
  // over 2): 4.9e-6 gives 1.0004e-12 and 4.8e-6 0.96e-12.
  const double weights012[] = {0, 1, 2};
  ncc_search valid = {.min_overlap = 1};
  for (int far = 0; far < 2; ++far) {
    double d = far ? 5.1e-6 : 4.7e-6;
    double values[] = {0, 1, 2 + d, 7, 0, 1, 2};
    conf_image image = from(1, 7, values), tmpl = from(1, 3, weights012);
    ncc_result r = conf_match(conf_engine, 1, &valid, &image, &tmpl, NULL);
    CONF_EXPECT(r.x == (far ? 6 : 2) && fabs(r.peak - (far ? 1 : 1 - d * d / 24)) < 1e-15, "d %g: column %lld %.17g", d,
                (long long)r.x, r.peak);
    conf_image_free(&image);
    conf_image_free(&tmpl);
  }
}

static void flat_by_equal_pixels_alone(void) {
  double tiny = 5e-324, next = nextafter(0.1, 1);
  ncc_search valid = {.min_overlap = 1};
  expect(NULL, from(1, 3, line), from(1, 2, (double[]){7, 7}), NULL, NCC_PAIR_FLAT, 0, 0, 0);
  expect(&valid, from(1, 3, (double[]){0.1, 0.1, 0.1}), from(1, 2, weights), NULL, NCC_PAIR_FLAT, 0, 1, 0);
  expect(&valid, from(1, 4, (double[]){0.1, 0.1, 0.1, next}), from(1, 2, weights), NULL, NCC_PAIR_OK, 0, 3, 1);
  expect(NULL, from(1, 3, (double[]){0, tiny, 0}), from(1, 2, (double[]){1e300, 2e300}), NULL, NCC_PAIR_OK, 0, 1, 1);
  expect(NULL, from(1, 2, (double[]){0, -0.0}), from(1, 2, weights), NULL, NCC_PAIR_FLAT, 0, 0, 0);
}

static void normalized_by_population_deviation(void) {
  // 1 3 2 2 becomes (-r2 r2 0 0), r2 = sqrt 2 (mean 2, deviation sqrt(1/2)); 1 3 becomes -1 1. Windows with the zeros
  // outside: (0,-r2) -1, (-r2,r2) 1, (r2,0) -1, flat, flat. Without: (0,1) is a 1 already.
  ncc_search normalize = {.normalize = true}, eps = {.normalize = true, .eps = 2.82};
  const double values[] = {1, 3, 2, 2};
  expect(NULL, from(1, 4, values), from(1, 2, (double[]){1, 3}), NULL, NCC_PAIR_OK, 0, 0, 1);
  expect(&normalize, from(1, 4, values), from(1, 2, (double[]){1, 3}), NULL, NCC_PAIR_OK, 0, 1, 1);
  // sqrt(ssd ssd) = sqrt(4 * 2) = 2.828 at the best, and 1.41 elsewhere.
  expect(&eps, from(1, 4, values), from(1, 2, (double[]){1, 3}), NULL, NCC_PAIR_OK, 0, 1, 1);
  eps.eps = 2.83;
  expect(&eps, from(1, 4, values), from(1, 2, (double[]){1, 3}), NULL, NCC_PAIR_FLAT, 0, 0, 0);
  expect(&normalize, from(1, 3, (double[]){4, 4, 4}), from(1, 2, (double[]){1, 3}), NULL, NCC_PAIR_FLAT, 0, 0, 0);
}

static void parabola_and_second_peak(void) {
  // Columns 0 .. 5 of `line` against `weights`: 0.945, 1, 0.327: the vertex lies at 1 + (a - b) / (2 (2 - a - b)).
  double before = (5. / 3) / sqrt(28. / 9), after = 1 / sqrt(28. / 3);
  ncc_search quality = {.quality = true};
  conf_image image = from(1, 4, line), tmpl = from(1, 3, weights);
  ncc_result r = conf_match(conf_engine, 1, &quality, &image, &tmpl, NULL);
  CONF_EXPECT(r.subpixel_y == 0 && fabs(r.subpixel_x - (1 + (after - before) / (2 * (2 - before - after)))) < 1e-15,
              "(%.17g, %.17g)", r.subpixel_y, r.subpixel_x);
  CONF_EXPECT(r.second_y == -1 && r.second_x == -1 && isnan(r.second_peak), "second peak of six columns");
  // The neighbour on the left is not searched: no sub-pixel.
  r = conf_match(conf_engine, 1, &quality, &image, &tmpl, &(ncc_rect){0, 1, 1, 6});
  CONF_EXPECT(r.x == 1 && r.subpixel_x == 1, "%.17g", r.subpixel_x);
  conf_image_free(&image);
  // The same content twice, 12 columns apart: the second of the two perfect matches.
  image = conf_image_create(1, 30, NCC_F64);
  for (int i = 0; i < 4; ++i) image.truth[5 + i] = image.truth[17 + i] = line[i];
  conf_store(&image);
  r = conf_match(conf_engine, 1, &quality, &image, &tmpl, NULL);
  CONF_EXPECT(r.x == 6 && r.second_x == 18 && r.second_y == 0 && fabs(r.second_peak - 1) < 1e-15,
              "%lld, second %lld %.17g", (long long)r.x, (long long)r.second_x, r.second_peak);
  conf_image_free(&image);
  conf_image_free(&tmpl);
}

static void statuses(void) {
  expect(NULL, from(1, 1, line), from(1, 1, line), NULL, NCC_PAIR_FLAT, 0, 0, 0);
  conf_image image = from(1, 4, line), tmpl = from(1, 3, (double[]){1, NAN, 2}), large = from(2, 1, line);
  ncc_result r = conf_match(conf_engine, 1, NULL, &image, &tmpl, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_NONFINITE && r.y == -1 && isnan(r.peak), "status %d", r.status);
  r = conf_match(conf_engine, 1, NULL, &image, &large, NULL);
  CONF_EXPECT(r.status == NCC_PAIR_INVALID && r.y == -1 && isnan(r.peak), "status %d", r.status);
  conf_image_free(&image);
  conf_image_free(&tmpl);
  conf_image_free(&large);
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(every_position_of_a_line),
                                    CONF_TEST(whole_line_crop_and_overlap),
                                    CONF_TEST(first_of_ties_and_template_not_flipped),
                                    CONF_TEST(ties_within_1e_12),
                                    CONF_TEST(flat_by_equal_pixels_alone),
                                    CONF_TEST(normalized_by_population_deviation),
                                    CONF_TEST(parabola_and_second_peak),
                                    CONF_TEST(statuses)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
