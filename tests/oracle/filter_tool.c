/** Filters the pixels of standard input: filter_tool CHAIN DTYPE ROWS COLS [THREADS] writes float32 to standard output;
 *  with --seconds S as the first argument it prints ns a pixel of made-up pixels instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "filter/filter.h"

static ncc_dtype dtype_of(const char *name) {
  int d = 0;
  while (d < NCC_DTYPE_COUNT && strcmp(ncc_dtype_name((ncc_dtype)d), name) != 0) d++;
  return (ncc_dtype)d;
}

int main(int argc, char **argv) {
  ncc_status status = NCC_OK;
  double seconds = 0;
  if (argc > 2 && strcmp(argv[1], "--seconds") == 0) {
    seconds = atof(argv[2]);
    argv += 2;
    argc -= 2;
  }
  if (argc < 5) return 2;
  ncc_filter filters[NCC_FILTERS_MOST];
  ncc_filter_scratch scratch = {0};
  ncc_pool *pool = NULL;
  int n = 0;
  ncc_array in = {
      .dtype = dtype_of(argv[2]), .rows = atol(argv[3]), .cols = atol(argv[4]), .row_stride = atol(argv[4])};
  const size_t pixels = (size_t)(in.rows * in.cols);
  void *data = calloc(pixels, ncc_dtype_size(in.dtype));
  float *out = malloc(pixels * sizeof *out);
  NCC_CHECK(data && out, NCC_ERR_NOMEM, "out of memory");
  in.data = data;
  NCC_TRY(ncc_filter_parse(argv[1], filters, &n));
  NCC_TRY(ncc_pool_create(argc > 5 ? atoi(argv[5]) : 1, &pool));
  if (seconds > 0) {
    NCC_TRY(ncc_filter_apply(pool, filters, n, &in, &scratch, out));
    int64_t times = 0;
    const double start_s = ncc_clock_process_cpu_s();
    for (; ncc_clock_process_cpu_s() - start_s < seconds; times++)
      NCC_TRY(ncc_filter_apply(pool, filters, n, &in, &scratch, out));
    printf("%.3f ns a pixel\n", 1e9 * (ncc_clock_process_cpu_s() - start_s) / (double)times / (double)pixels);
  } else {
    NCC_CHECK(fread(data, ncc_dtype_size(in.dtype), pixels, stdin) == pixels, NCC_ERR_INPUT, "too few pixels");
    NCC_TRY(ncc_filter_apply(pool, filters, n, &in, &scratch, out));
    fwrite(out, sizeof *out, pixels, stdout);
  }
cleanup:
  if (status != NCC_OK) fprintf(stderr, "%s\n", ncc_error_message());
  free(data);
  free(out);
  ncc_filter_scratch_free(&scratch);
  ncc_pool_destroy(&pool);
  return ncc_status_exit_code(status);
}
