/** Measures 1-D float32 transforms in cache, as the engine runs them, and prints the table src/fft_costs.inc.
 *
 *  Usage: fft_costs [LARGEST] > src/fft_costs.inc
 */
#include <fftw3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/** Best of several rounds, seconds of one execution. */
static double time_plan(fftwf_plan plan, double work) {
  double best = 1e9;
  long repeat = (long)(2e5 / work) + 1;
  for (int round = 0; round < 7; round++) {
    double t0 = ncc_clock_thread_cpu_s();
    for (long i = 0; i < repeat; i++) fftwf_execute(plan);
    double t = (ncc_clock_thread_cpu_s() - t0) / (double)repeat;
    if (t < best) best = t;
  }
  return best;
}

static int smooth(int n) {
  for (int p = 2; p <= 7; p++)
    while (n % p == 0) n /= p;
  return n == 1;
}

int main(int argc, char **argv) {
  int largest = argc > 1 ? atoi(argv[1]) : 40960;
  printf("/* length, ns of a complex transform out of place; %s */\n", fftwf_version);
  for (int n = 2; n <= largest; n++) {
    // Above some thousands only lengths with many factors of two have a chance.
    if (!smooth(n) || (n > 256 && n % 4) || (n > 2048 && n % 16) || (n > 8192 && n % 64)) continue;
    size_t count = (size_t)n;
    fftwf_complex *in = fftwf_alloc_complex(count), *out = fftwf_alloc_complex(count);
    fftwf_plan plan = fftwf_plan_dft_1d(n, in, out, FFTW_FORWARD, FFTW_MEASURE);
    memset(in, 0, sizeof *in * count);
    printf("{%d, %.0f},\n", n, 1e9 * time_plan(plan, n));
    fflush(stdout);
    fftwf_destroy_plan(plan);
    fftwf_free(in);
    fftwf_free(out);
  }
  return 0;
}
