/** Filters in the matcher: the same answers as on pixels that were filtered before, by every engine; chains read and
 *  written; what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check.h"
#include "filter/filter.h"

enum { ROWS = 61, COLS = 47, M = 17, N = 13 };

static uint16_t image[ROWS * COLS], tmpl[M * N];

static void make(void) {
  uint32_t seed = 12345;
  for (int i = 0; i < ROWS * COLS; i++) image[i] = (uint16_t)((seed = seed * 1664525 + 1013904223) >> 20);
  for (int y = 0; y < M; y++)
    for (int x = 0; x < N; x++) tmpl[y * N + x] = image[(y + 20) * COLS + x + 9];
}

static ncc_array array_of(const void *data, ncc_dtype dtype, int64_t rows, int64_t cols) {
  return (ncc_array){data, dtype, rows, cols, cols};
}

static ncc_result match(const ncc_engine_ops *engine, const ncc_search *search, ncc_array i, ncc_array t, int calls) {
  ncc_matcher *matcher;
  ncc_result result = {0};
  const ncc_config config = {.engine = engine, .threads = 2, .fft_effort = NCC_FFT_ESTIMATE};
  CHECK(ncc_matcher_create(search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  while (calls-- > 0)
    CHECK(ncc_matcher_match(matcher, 7, &i, 1, &t, NULL, &result) == NCC_OK, "%s", ncc_error_message());
  ncc_matcher_destroy(&matcher);
  return result;
}

static void same_as_filtered_before(const char *chain, const ncc_engine_ops *engine, bool normalize) {
  static float f_image[ROWS * COLS], f_tmpl[M * N];
  ncc_filter_scratch scratch = {0};
  ncc_pool *pool;
  ncc_search with = {.normalize = normalize, .quality = true}, without = with;
  const ncc_array i = array_of(image, NCC_U16, ROWS, COLS), t = array_of(tmpl, NCC_U16, M, N);
  CHECK(ncc_filter_parse(chain, with.filters, &with.n_filters) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_pool_create(1, &pool) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_filter_apply(pool, with.filters, with.n_filters, &i, &scratch, f_image) == NCC_OK, "image");
  CHECK(ncc_filter_apply(pool, with.filters, with.n_filters, &t, &scratch, f_tmpl) == NCC_OK, "template");
  ncc_filter_scratch_free(&scratch);
  ncc_pool_destroy(&pool);
  const ncc_result expected =
      match(engine, &without, array_of(f_image, NCC_F32, ROWS, COLS), array_of(f_tmpl, NCC_F32, M, N), 1);
  const ncc_result found = match(engine, &with, i, t, 2);
  CHECK(expected.status == NCC_PAIR_OK && found.y == expected.y && found.x == expected.x &&
            found.peak == expected.peak && found.subpixel_y == expected.subpixel_y,
        "%s: (%lld, %lld) %.17g", chain, (long long)found.y, (long long)found.x, found.peak);
}

static void judged_over_the_whole_image(void) {
  float pixels[ROWS * COLS];
  ncc_search search = {0};
  CHECK(ncc_filter_parse("gauss:0.7", search.filters, &search.n_filters) == NCC_OK, "%s", ncc_error_message());
  for (int i = 0; i < ROWS * COLS; i++) pixels[i] = (float)image[i];
  pixels[ROWS * COLS - 1] = NAN;
  const ncc_result r = match(NULL, &search, array_of(pixels, NCC_F32, ROWS, COLS), array_of(tmpl, NCC_U16, M, N), 1);
  CHECK(r.status == NCC_PAIR_NONFINITE, "status %d", r.status);
}

static void refused(const char *text) {
  ncc_filter filters[NCC_FILTERS_MOST];
  int n;
  CHECK(ncc_filter_parse(text, filters, &n) == NCC_ERR_USAGE, "'%s' was taken", text);
  CHECK(strstr(ncc_error_message(), "expected"), "%s", ncc_error_message());
}

static void read_and_written(const char *text) {
  ncc_filter filters[NCC_FILTERS_MOST];
  char again[256];
  int n;
  CHECK(ncc_filter_parse(text, filters, &n) == NCC_OK, "%s", ncc_error_message());
  ncc_filter_format(filters, n, again, sizeof again);
  CHECK(strcmp(text, again) == 0, "'%s' came out as '%s'", text, again);
}

int main(void) {
  static const char *const bad[] = {"",
                                    "log",
                                    "log:",
                                    "log:x",
                                    "log:1.5,",
                                    ",log:1",
                                    "median:4",
                                    "median:0",
                                    "median:257",
                                    "median:2.5",
                                    "gauss:0",
                                    "gauss:-1",
                                    "gauss:nan",
                                    "gauss:inf",
                                    "gauss:1001",
                                    "dog:1",
                                    "dog:1,log:2",
                                    "dog:1,2,3",
                                    "sobel:1",
                                    "log:1 ",
                                    "gauss:1,gauss:1,gauss:1,gauss:1,"
                                    "gauss:1,gauss:1,gauss:1,gauss:1,gauss:1"};
  static const char *const chains[] = {"median:3",  "gauss:1",    "log:1.5",
                                       "dog:1,2.5", "highpass:3", "median:3,log:1.25"};
  make();
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refused(bad[i]);
  for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
    read_and_written(chains[i]);
    same_as_filtered_before(chains[i], ncc_engine_cpu(), i % 2 == 1);
    same_as_filtered_before(chains[i], ncc_engine_reference(), i % 2 == 0);
  }
  judged_over_the_whole_image();
  return 0;
}
