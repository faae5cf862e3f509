/** Measures 1-D float32 transforms in cache, as the engine runs them, and prints the table src/fft_costs.inc.
 *
 *  Usage: fft_costs [LARGEST] > src/fft_costs.inc
 */
#include <fftw3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/** Best of several rounds, seconds of one execution. */
static double time_plan(fftwf_plan plan, double work) {
  double best = 1e9;
  long repeat = (long)(2e5 / work) + 1;
  for (int round = 0; round < 7; round++) {
    double t0 = now_s();
    for (long i = 0; i < repeat; i++) fftwf_execute(plan);
    double t = (now_s() - t0) / (double)repeat;
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
  printf("/* length, ns of a complex transform, ns of a real one (mean of both directions; 0: odd); %s */\n", fftwf_version);
  double least = 0;
  for (int n = 1; n <= largest; n++) {
    if (!smooth(n)) continue;
    // Above some thousands only lengths with many factors of two have a chance.
    if (n > 512 && n % 4) continue;
    if (n > 4096 && n % 16) continue;
    fftwf_complex *c = fftwf_alloc_complex((size_t)n + 8);
    fftwf_complex *c8 = fftwf_alloc_complex(8 * ((size_t)n / 2 + 16));
    float *r8 = fftwf_alloc_real(8 * ((size_t)n + 32));
    memset(c, 0, sizeof *c * ((size_t)n + 8));
    memset(r8, 0, sizeof *r8 * 8 * ((size_t)n + 32));
    fftwf_plan p = fftwf_plan_dft_1d(n, c, c, FFTW_FORWARD, FFTW_MEASURE);
    memset(c, 0, sizeof *c * ((size_t)n + 8));
    double complex_ns = 1e9 * time_plan(p, n), real_ns = 0;
    fftwf_destroy_plan(p);
    if (n % 2 == 0) {
      fftwf_plan f = fftwf_plan_many_dft_r2c(1, &n, 8, r8, NULL, 1, n + 16, c8, NULL, 1, n / 2 + 8, FFTW_MEASURE);
      fftwf_plan b = fftwf_plan_many_dft_c2r(1, &n, 8, c8, NULL, 1, n / 2 + 8, r8, NULL, 1, n + 16, FFTW_MEASURE);
      memset(r8, 0, sizeof *r8 * 8 * ((size_t)n + 32));
      memset(c8, 0, sizeof *c8 * 8 * ((size_t)n / 2 + 16));
      real_ns = 1e9 * (time_plan(f, 8 * n) + time_plan(b, 8 * n)) / 16;
      fftwf_destroy_plan(f);
      fftwf_destroy_plan(b);
    }
    if (complex_ns > least) least = complex_ns;
    printf("{%d, %.0f, %.0f},\n", n, complex_ns, real_ns);
    fflush(stdout);
    fftwf_free(c);
    fftwf_free(c8);
    fftwf_free(r8);
  }
  return 0;
}
