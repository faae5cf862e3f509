/** The FFT floor: what the 1-D transforms of a pair cost by themselves, in cache, on one thread.
 *
 *  Whole transforms of the lengths that are cheapest for them (src/fft.h); data stays in L1 and L2, so that no
 *  pass over memory, no product, no statistics and no search is in it. Prints JSON.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "match/fft.h"

static const char usage[] =
    "usage: bench_floor [options] IMAGE_ROWS IMAGE_COLS TEMPLATE_ROWS TEMPLATE_COLS\n"
    "  --crop X,Y|half    as in mpixcorr run (default: 0,0)\n"
    "  --templates N      templates of an image, over which its transform is shared (default: 1)\n";

/** Seconds of one execution: the median of rounds of about 10 ms each. */
static double measure(fftwf_plan plan) {
  enum { ROUNDS = 15 };
  double seconds[ROUNDS];
  long repeat = 1;
  for (double took = 0; took < 0.01; repeat *= 2) {
    double t0 = ncc_clock_thread_cpu_s();
    for (long i = 0; i < repeat; i++) fftwf_execute(plan);
    took = ncc_clock_thread_cpu_s() - t0;
  }
  for (int round = 0; round < ROUNDS; round++) {
    double t0 = ncc_clock_thread_cpu_s();
    for (long i = 0; i < repeat; i++) fftwf_execute(plan);
    double s = (ncc_clock_thread_cpu_s() - t0) / (double)repeat;
    int at = round;
    for (; at > 0 && seconds[at - 1] > s; at--) seconds[at] = seconds[at - 1];
    seconds[at] = s;
  }
  return seconds[ROUNDS / 2];
}

/** One transform from one array to another, both in cache, forward and inverse. */
typedef struct transform {
  double forward_s, inverse_s;
} transform;

static transform measure_points(int64_t points) {
  fftwf_complex *from = fftwf_alloc_complex((size_t)points), *to = fftwf_alloc_complex((size_t)points);
  fftwf_plan forward = fftwf_plan_dft_1d((int)points, from, to, FFTW_FORWARD, FFTW_MEASURE);
  fftwf_plan inverse = fftwf_plan_dft_1d((int)points, from, to, FFTW_BACKWARD, FFTW_MEASURE);
  if (!forward || !inverse) {
    fprintf(stderr, "bench_floor: no plan for %lld points\n", (long long)points);
    exit(1);
  }
  // Zeros stay zeros: nothing overflows, nothing becomes denormal.
  memset(from, 0, sizeof *from * (size_t)points);
  transform t = {.forward_s = measure(forward), .inverse_s = measure(inverse)};
  fftwf_destroy_plan(forward);
  fftwf_destroy_plan(inverse);
  fftwf_free(from);
  fftwf_free(to);
  return t;
}

static int fail(void) {
  fprintf(stderr, "bench_floor: %s\n", ncc_error_message());
  return 1;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"crop", required_argument, NULL, 'c'}, {"templates", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
  ncc_search search = {0};
  long templates = 1, crop_x = 0, crop_y = 0;
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    bool good = option != '?';
    if (option == 'c') {
      search.crop_half = strcmp(optarg, "half") == 0;
      good = search.crop_half || sscanf(optarg, "%ld,%ld", &crop_x, &crop_y) == 2;
    }
    if (option == 't') good = (templates = atol(optarg)) > 0;
    if (!good) return fputs(usage, stderr), 2;
  }
  search.crop_x = crop_x;
  search.crop_y = crop_y;
  if (argc - optind != 4) return fputs(usage, stderr), 2;
  const long M = atol(argv[optind]), N = atol(argv[optind + 1]), m = atol(argv[optind + 2]), n = atol(argv[optind + 3]);

  ncc_geometry g;
  if (ncc_geometry_create(&search, NULL, M, N, m, n, &g) != NCC_OK) return fail();
  // The plans of the program's own runs, where there are any.
  if (ncc_wisdom_load(NULL) != NCC_OK) fprintf(stderr, "bench_floor: %s\n", ncc_error_message());
  // The engine may take other lengths, which it cuts into parts.
  const ncc_rect *trim = &g.trim, *where = &g.search;
  const int64_t rows =
      ncc_fft_length(ncc_geometry_min_fft(trim->y1 - trim->y0, m, where->y0 - trim->y0, where->y1 - 1 - trim->y0));
  const int64_t cols =
      ncc_fft_length(ncc_geometry_min_fft(trim->x1 - trim->x0, n, where->x0 - trim->x0, where->x1 - 1 - trim->x0));
  const int64_t half = cols / 2 + 1;
  const transform column = measure_points(rows), row = measure_points(cols);
  if (ncc_wisdom_save(NULL) != NCC_OK) fprintf(stderr, "bench_floor: %s\n", ncc_error_message());
  // Two real rows go as one complex row.
  const double row_forward_s = row.forward_s / 2, row_inverse_s = row.inverse_s / 2;
  const double image_s = (double)(g.trim.y1 - g.trim.y0) * row_forward_s + (double)half * column.forward_s;
  const double pair_s = (double)m * row_forward_s + (double)half * (column.forward_s + column.inverse_s) +
                        (double)(g.search.y1 - g.search.y0) * row_inverse_s;
  printf(
      "{\"fft_library\": \"%s\", \"fft_rows\": %ld, \"fft_cols\": %ld,\n"
      " \"row_forward_us\": %.4f, \"row_inverse_us\": %.4f, \"column_forward_us\": %.4f, \"column_inverse_us\": %.4f,\n"
      " \"image_s\": %.9f, \"pair_alone_s\": %.9f, \"templates_per_image\": %ld, \"pair_s\": %.9f}\n",
      ncc_fft_library(), (long)rows, (long)cols, 1e6 * row_forward_s, 1e6 * row_inverse_s, 1e6 * column.forward_s,
      1e6 * column.inverse_s, image_s, pair_s, templates, pair_s + image_s / (double)templates);
  return 0;
}
