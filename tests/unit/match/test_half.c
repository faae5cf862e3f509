/** Proposals from a half grid against those in full: the same answers, and they were indeed taken where pixels are
 *  smooth. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "check.h"
#include "match/engine.h"
#include "random.h"

enum { M = 301, N = 280, ROWS = 119, COLS = 120, TEMPLATES = 4 };

static float image[M * N], noise[M * N];

/** Noise, and its mean over squares of seven. */
static void make_pixels(double offset) {
  for (int i = 0; i < M * N; i++) noise[i] = (float)(uniform() - 0.5);
  for (int y = 0; y < M; y++)
    for (int x = 0; x < N; x++) {
      double sum = 0;
      for (int i = y - 3; i <= y + 3; i++)
        for (int j = x - 3; j <= x + 3; j++) sum += i < 0 || j < 0 || i >= M || j >= N ? 0 : (double)noise[i * N + j];
      image[y * N + x] = (float)(offset + sum);
    }
}

/** @return pairs that were proposed for from a half grid */
static int64_t ask(const ncc_engine_ops *engine, int threads, int64_t crop, int64_t n, const float *pixels,
                   ncc_result *results) {
  static const int64_t places[TEMPLATES][2] = {{20, 33}, {91, 70}, {150, 160}, {1, 0}};
  const ncc_config config = {.engine = engine, .threads = threads, .fft_effort = NCC_FFT_ESTIMATE};
  const ncc_search search = {.crop_y = crop, .crop_x = crop};
  const ncc_array whole = {pixels, NCC_F32, M, N, N};
  ncc_array templates[TEMPLATES];
  ncc_matcher *matcher = NULL;
  for (int i = 0; i < TEMPLATES; i++)
    templates[i] = (ncc_array){pixels + places[i][0] * N + places[i][1], NCC_F32, ROWS, COLS, N};
  CHECK(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_matcher_match(matcher, -1, &whole, n, templates, NULL, results) == NCC_OK, "%s", ncc_error_message());
  const int64_t half = ncc_matcher_counters(matcher)->half_grid;
  ncc_matcher_destroy(&matcher);
  return half;
}

static void compare(int threads, int64_t crop, int64_t n, const float *pixels, bool taken) {
  ncc_result full[TEMPLATES], half[TEMPLATES];
  ask(ncc_engine_cpu_transforming(), threads, crop, n, pixels, full);
  const int64_t count = ask(ncc_engine_cpu_half(), threads, crop, n, pixels, half);
  CHECK(!taken || count == n, "%lld of %lld from half a grid", (long long)count, (long long)n);
  for (int64_t i = 0; i < n; i++)
    CHECK(full[i].y == half[i].y && full[i].x == half[i].x && full[i].peak == half[i].peak &&
              full[i].status == half[i].status,
          "template %lld: %lld,%lld %.17g, not %lld,%lld %.17g", (long long)i, (long long)half[i].y,
          (long long)half[i].x, half[i].peak, (long long)full[i].y, (long long)full[i].x, full[i].peak);
}

int main(void) {
  for (int threads = 1; threads <= 2; threads++)
    for (int offset = 0; offset <= 3; offset += 3) {
      make_pixels(offset);
      compare(threads, 60, TEMPLATES, image, true);
      compare(threads, 59, 1, image, true);
    }
  compare(1, 60, TEMPLATES, noise, false);
  return 0;
}
