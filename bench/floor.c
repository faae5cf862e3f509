/** The FFT floor: what the 1-D transforms of a pair cost by themselves, in cache, on one thread.
 *
 *  Lengths and plans are those that the CPU engine takes for the geometry (src/fft.h); data stays in L1 and L2, so that
 *  no pass over memory, no product, no statistics and no search is in it. No program that uses these transforms can be
 *  faster. Prints JSON.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fft.h"
#include "version.h"

static const char usage[] =
    "usage: bench_floor [options] IMAGE_ROWS IMAGE_COLS TEMPLATE_ROWS TEMPLATE_COLS\n"
    "  --crop X,Y|half    as in mpixcorr run (default: 0,0)\n"
    "  --templates N      templates of an image, over which its transform is shared (default: 1)\n";

/** Seconds that this thread has run: others on the machine do not count. */
static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/** What is measured: one transform of a row or a column, from one array to another, both in cache. */
typedef struct transform {
  fftwf_plan plan;
  fftwf_complex *from, *to;
} transform;

/** Seconds of one execution: the median of rounds of about 10 ms each. */
static double measure(const transform *t) {
  enum { ROUNDS = 15 };
  double seconds[ROUNDS];
  long repeat = 1;
  for (double took = 0; took < 0.01; repeat *= 2) {
    double t0 = now_s();
    for (long i = 0; i < repeat; i++) fftwf_execute_dft(t->plan, t->from, t->to);
    took = now_s() - t0;
  }
  for (int round = 0; round < ROUNDS; round++) {
    double t0 = now_s();
    for (long i = 0; i < repeat; i++) fftwf_execute_dft(t->plan, t->from, t->to);
    double s = (now_s() - t0) / (double)repeat;
    int at = round;
    for (; at > 0 && seconds[at - 1] > s; at--) seconds[at] = seconds[at - 1];
    seconds[at] = s;
  }
  return seconds[ROUNDS / 2];
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
  const ncc_fft_shape shape = ncc_fft_shape_choose(&g);
  const ncc_fft_plans *plans = NULL;
  double planning_s = 0;
  if (ncc_fft_plans_get(&shape, NCC_FFT_MEASURE, &planning_s, &plans) != NCC_OK) return fail();
  if (ncc_wisdom_save(NULL) != NCC_OK) fprintf(stderr, "bench_floor: %s\n", ncc_error_message());
  const size_t longest = (size_t)(shape.rows > shape.cols ? shape.rows : shape.cols);
  transform t = {.from = fftwf_alloc_complex(longest), .to = fftwf_alloc_complex(longest)};
  if (!t.from || !t.to) return fputs("bench_floor: out of memory\n", stderr), 1;
  // Zeros stay zeros: nothing overflows, nothing becomes denormal.
  memset(t.from, 0, sizeof *t.from * longest);
  memset(t.to, 0, sizeof *t.to * longest);

  // Two real rows go as one complex row.
  t.plan = plans->row_forward;
  const double row_forward_s = measure(&t) / 2;
  t.plan = plans->row_inverse;
  const double row_inverse_s = measure(&t) / 2;
  // Whole columns, as FFTW transforms them: the engine may cut them into parts, and skips what is zero.
  ncc_fft_lock();
  const int rows = (int)shape.rows;
  fftwf_plan forward = fftwf_plan_dft_1d(rows, t.from, t.to, FFTW_FORWARD, FFTW_MEASURE);
  fftwf_plan inverse = fftwf_plan_dft_1d(rows, t.from, t.to, FFTW_BACKWARD, FFTW_MEASURE);
  ncc_fft_unlock();
  if (!forward || !inverse) return fputs("bench_floor: no plan for columns\n", stderr), 1;
  memset(t.from, 0, sizeof *t.from * longest);
  t.plan = forward;
  const double column_forward_s = measure(&t);
  t.plan = inverse;
  const double column_inverse_s = measure(&t);
  const double image_s = (double)(g.trim.y1 - g.trim.y0) * row_forward_s + (double)shape.half * column_forward_s;
  const double pair_s = (double)m * row_forward_s + (double)shape.half * (column_forward_s + column_inverse_s) +
                        (double)(g.search.y1 - g.search.y0) * row_inverse_s;
  printf(
      "{\"fft_library\": \"%s\", \"fft_rows\": %ld, \"fft_cols\": %ld, \"planning_s\": %.3f,\n"
      " \"row_forward_us\": %.4f, \"row_inverse_us\": %.4f, \"column_forward_us\": %.4f, \"column_inverse_us\": %.4f,\n"
      " \"image_s\": %.9f, \"pair_alone_s\": %.9f, \"templates_per_image\": %ld, \"pair_s\": %.9f}\n",
      ncc_fft_library(), (long)shape.rows, (long)shape.cols, planning_s, 1e6 * row_forward_s, 1e6 * row_inverse_s,
      1e6 * column_forward_s, 1e6 * column_inverse_s, image_s, pair_s, templates, pair_s + image_s / (double)templates);
  fftwf_destroy_plan(forward);
  fftwf_destroy_plan(inverse);
  fftwf_free(t.from);
  fftwf_free(t.to);
  return 0;
}
