/** An engine's own work, before the judge: on noise every template has one candidate, and no pair needs float64
 *  transforms. Right answers alone would not tell: the judge sends what is wrong to the second tier and the answer is
 *  right all the same. For engines that propose. */
#include <string.h>

#include "conformance.h"

enum { TEMPLATES = 9 };

/** Noise of a type, templates cut from it; with windows of several segments of the sums where the template is narrow.
 */
static void check(ncc_dtype dtype, double mean, double sigma, int64_t rows, int64_t cols, int64_t m, int64_t n,
                  int count, int turns, const ncc_search *search) {
  conf_image image = conf_image_noise(rows, cols, dtype, mean, sigma), cuts[TEMPLATES];
  ncc_array templates[TEMPLATES];
  ncc_result results[TEMPLATES];
  ncc_config config = {.engine = conf_engine, .threads = 2, .fft_effort = NCC_FFT_ESTIMATE};
  ncc_matcher *matcher = NULL;
  conf_label("%s %lldx%lld, %d of %lldx%lld", ncc_dtype_name(dtype), (long long)rows, (long long)cols, count,
             (long long)m, (long long)n);
  int64_t y[TEMPLATES], x[TEMPLATES];
  for (int i = 0; i < count; i++) {
    // The last is the first once more. In a large image at the top, which goes by the chunk that is used again first.
    y[i] = i > 0 && i == count - 1 ? y[0] : conf_integer(0, rows > 1000 ? 50 : rows - m);
    x[i] = i > 0 && i == count - 1 ? x[0] : conf_integer(0, cols - n);
    cuts[i] = conf_image_cut(&image, y[i], x[i], m, n);
    templates[i] = cuts[i].array;
  }
  CONF_EXPECT(ncc_matcher_create(search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  // In the third turn a template that came twice may be known by its spectrum.
  for (int turn = 0; turn < turns && matcher; turn++) {
    CONF_EXPECT(ncc_matcher_match(matcher, -1, &image.array, count, templates, NULL, results) == NCC_OK, "%s",
                ncc_error_message());
    for (int i = 0; i < count; i++)
      CONF_EXPECT(results[i].y == y[i] + m - 1 && results[i].x == x[i] + n - 1 && results[i].peak > 1 - 1e-12,
                  "turn %d: found %lld,%lld %.17g", turn, (long long)results[i].y, (long long)results[i].x,
                  results[i].peak);
  }
  if (matcher) {
    const ncc_counters *c = ncc_matcher_counters(matcher);
    CONF_EXPECT(c->second_tier == 0, "%lld pairs needed float64 transforms", (long long)c->second_tier);
    CONF_EXPECT(c->cpu_fallback == 0, "%lld pairs went to the CPU", (long long)c->cpu_fallback);
    CONF_EXPECT(c->candidates == turns * count, "%lld candidates of %d pairs, expected one each",
                (long long)c->candidates, turns * count);
  }
  ncc_matcher_destroy(&matcher);
  for (int i = 0; i < count; i++) conf_image_free(&cuts[i]);
  conf_image_free(&image);
}

static void every_pixel_type(void) {
  const ncc_search whole = {0};
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; dtype++) check((ncc_dtype)dtype, 60, 20, 61, 90, 21, 17, 3, 1, &whole);
}

static void templates_in_batches_on_all_streams(void) {
  const ncc_search whole = {0}, half = {.crop_half = true}, overlap = {.min_overlap = 0.3};
  check(NCC_U8, 120, 30, 150, 330, 33, 140, TEMPLATES, 3, &whole);
  check(NCC_F32, 0, 1, 150, 330, 140, 20, TEMPLATES, 3, &half);
  check(NCC_F64, 0, 1e-3, 97, 131, 31, 43, TEMPLATES - 2, 3, &overlap);
}

/** The mean is subtracted and put back where templates overhang. */
static void far_from_zero(void) {
  const ncc_search whole = {0};
  check(NCC_U16, 30000, 300, 120, 200, 40, 150, TEMPLATES, 3, &whole);
  check(NCC_F32, 1000, 3, 90, 91, 41, 40, 4, 1, &whole);
}

/** Streams that share an image wait for it, and for spectra that others keep: many chances to go wrong. */
static void streams_wait_for_each_other(void) {
  const ncc_search whole = {0};
  for (int i = 0; i < 24; i++) check(NCC_U8, 60, 20, 40, 44, 12, 9, 5, 3, &whole);
}

/** Above 16 MiB an image goes through both pinned chunks more than once. */
static void a_large_image(void) {
  const ncc_search half = {.crop_half = true};
  check(NCC_F64, 0, 1, 1500, 1500, 24, 20, 1, 1, &half);
}

/** Columns so long that the GPU engine makes two and four interleaved ones of them. */
static void long_columns(void) {
  const ncc_search whole = {0}, half = {.crop_half = true};
  check(NCC_U8, 60, 20, 1100, 40, 30, 20, 3, 3, &half);
  check(NCC_F32, 10, 1, 2500, 44, 40, 20, 3, 3, &whole);
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(every_pixel_type), CONF_TEST(templates_in_batches_on_all_streams),
                                    CONF_TEST(far_from_zero),    CONF_TEST(streams_wait_for_each_other),
                                    CONF_TEST(a_large_image),    CONF_TEST(long_columns)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
