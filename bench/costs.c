/** What images and pairs cost, as measured, beside what src/plan/cost.h predicts: how its constants are found.
 *
 *  Usage: bench_costs [IMAGE_ROWS IMAGE_COLS TEMPLATE_ROWS TEMPLATE_COLS]...   (default: a range of shapes)
 *  CPU seconds of one thread: what else runs on the machine counts little.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "plan/cost.h"

enum { FEW = 2, MANY = 12, ROUNDS = 7 };

/** Smooth noise with a slope: pixels of which few windows look alike. */
static ncc_array make_array(int64_t rows, int64_t cols, uint32_t seed) {
  ncc_array a = {.dtype = NCC_U8, .rows = rows, .cols = cols, .row_stride = cols};
  unsigned char *pixels = malloc((size_t)(rows * cols));
  for (int64_t i = 0; pixels && i < rows * cols; i++) {
    seed = seed * 1664525u + 1013904223u;
    pixels[i] = (unsigned char)((seed >> 25) + (i > 0 ? pixels[i - 1] / 2u : 0));
  }
  a.data = pixels;
  return a;
}

/** CPU seconds of `n` templates on a fresh image, over at least 10 ms; `least` keeps the smallest so far. */
static ncc_status measure(ncc_matcher *matcher, const ncc_array *image, const ncc_array *templates, int n,
                          double *least) {
  ncc_status status = NCC_OK;
  ncc_result results[MANY];
  const double began_s = ncc_clock_process_cpu_s();
  double took_s = 0;
  int times = 0;
  for (; took_s < 0.01; times++) {
    NCC_TRY(ncc_matcher_match(matcher, -1, image, n, templates, NULL, results));
    took_s = ncc_clock_process_cpu_s() - began_s;
  }
  if (*least == 0 || took_s / times < *least) *least = took_s / times;
cleanup:
  return status;
}

static ncc_status compare(const int64_t shape[4], bool half) {
  ncc_status status = NCC_OK;
  const ncc_search search = {.crop_half = half};
  ncc_matcher *matcher = NULL;
  ncc_array image = make_array(shape[0], shape[1], 1), templates[MANY] = {{0}};
  double one_s = 0, few_s = 0, many_s = 0;
  ncc_geometry g;
  ncc_result result;
  for (int i = 0; i < MANY; i++) templates[i] = make_array(shape[2], shape[3], (uint32_t)i + 2);
  NCC_TRY(ncc_matcher_create(&search, NULL, &matcher));
  NCC_TRY(ncc_matcher_match(matcher, -1, &image, 1, templates, NULL, &result)); /* plans, pages */
  for (int round = 0; round < ROUNDS; round++) {
    NCC_TRY(measure(matcher, &image, templates, 1, &one_s));
    NCC_TRY(measure(matcher, &image, templates, FEW, &few_s));
    NCC_TRY(measure(matcher, &image, templates, MANY, &many_s));
  }
  NCC_TRY(ncc_geometry_create(&search, NULL, shape[0], shape[1], shape[2], shape[3], &g));
  const ncc_cost predicted = ncc_cost_predict(&g, false);
  const double pair_s = (many_s - few_s) / (MANY - FEW), image_s = few_s - FEW * pair_s;
  printf("%5lld x %5lld  %4lld x %4lld  %-4s  %9.3f %9.3f %6.2f  %9.3f %9.3f %6.2f  %9.3f %6.2f\n", (long long)shape[0],
         (long long)shape[1], (long long)shape[2], (long long)shape[3], half ? "half" : "0", 1e3 * image_s,
         1e3 * predicted.image_s, predicted.image_s / image_s, 1e3 * pair_s, 1e3 * predicted.pair_s,
         predicted.pair_s / pair_s, 1e3 * one_s, (predicted.image_s + predicted.pair_s) / one_s);
cleanup:
  ncc_matcher_destroy(&matcher);
  free((void *)image.data);
  for (int i = 0; i < MANY; i++) free((void *)templates[i].data);
  return status;
}

int main(int argc, char **argv) {
  static const int64_t shapes[][4] = {{24, 24, 8, 8},         {64, 64, 16, 16},       {128, 128, 48, 48},
                                      {256, 256, 64, 64},     {256, 256, 200, 200},   {512, 512, 128, 128},
                                      {681, 782, 340, 391},   {1024, 1024, 128, 128}, {1024, 1024, 512, 512},
                                      {2048, 2048, 256, 256}, {3600, 3600, 442, 442}};
  const int n = argc > 4 ? (argc - 1) / 4 : (int)(sizeof shapes / sizeof shapes[0]);
  if (ncc_wisdom_load(NULL) != NCC_OK) fprintf(stderr, "bench_costs: %s\n", ncc_error_message());
  printf(
      "                               milliseconds of an image        of a pair among many            of a pair alone\n"
      "        image     template  crop   measured predicted ratio   measured predicted  ratio   measured  ratio\n");
  for (int i = 0; i < n; i++)
    for (int half = 0; half < 2; half++) {
      int64_t shape[4];
      for (int k = 0; k < 4; k++) shape[k] = argc > 4 ? atoll(argv[1 + 4 * i + k]) : shapes[i][k];
      if (compare(shape, half) != NCC_OK) {
        fprintf(stderr, "bench_costs: %s\n", ncc_error_message());
        return 1;
      }
    }
  return 0;
}
