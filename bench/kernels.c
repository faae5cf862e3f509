/** Nanoseconds a pixel of the inner loops and of what is made of them, on one thread, as MPIXCORR_ISA says.
 *
 *  Usage: bench_kernels [ROWS COLS TEMPLATE_ROWS TEMPLATE_COLS]
 *  Each figure is the least of many short runs in processor time, so that others on the machine hardly matter.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "match/cells.h"
#include "match/fft.h"
#include "match/kernels/spectra.h"
#include "match/kernels/windows.h"

enum { CUT_COLUMNS = 8 };

typedef struct bench {
  ncc_pool *pool;
  const ncc_kernels *kernels;
  ncc_array image;
  ncc_geometry geometry;
  ncc_prepared prepared;
  ncc_stats stats;
  ncc_cells cells;
  ncc_cut cut;
  ncc_c32 *strips, *columns;  // [work] of a cut, or of rows
  int64_t work;
} bench;

static void *must(void *p) {
  if (!p) exit(1);
  return p;
}

static void check(ncc_status status) {
  if (status == NCC_OK) return;
  fprintf(stderr, "bench_kernels: %s\n", ncc_error_message());
  exit(1);
}

/** Processor seconds of so many runs. */
static double run(bench *b, void (*once)(bench *), int repeat) {
  const double t0 = ncc_clock_thread_cpu_s();
  for (int i = 0; i < repeat; i++) once(b);
  return ncc_clock_thread_cpu_s() - t0;
}

/** Times `once` for about a quarter of a second. @return nanoseconds of the fastest trial by `units`. */
static double measure(bench *b, void (*once)(bench *), double units) {
  int repeat = 1;
  while (run(b, once, repeat) < 1e-4) repeat *= 2;  // asking for the time takes a while
  double least = INFINITY, spent = 0;
  for (int i = 0; i < 5 || spent < 0.25; i++) {
    const double took = run(b, once, repeat);
    least = fmin(least, took / repeat);
    spent += took;
  }
  return 1e9 * least / units;
}

static void moments(bench *b) {
  ncc_prepared_clear(&b->prepared);
  check(ncc_prepared_create(b->pool, &b->image, false, &b->prepared));
}

static void windows(bench *b) {
  check(ncc_stats_create(b->pool, &b->prepared, &b->geometry, &b->stats));
}

static void cells(bench *b) {
  bool sure;
  check(ncc_cells_begin(&b->prepared, &b->geometry, &b->cells));
  for (int64_t row = 0; row < b->cells.rows; row++) ncc_cells_add(&b->cells, row);
  check(ncc_cells_bounds(&b->cells, b->pool, &b->stats, &sure));
}

static void pack_rows(bench *b) {
  const ncc_array *a = &b->image;
  const int64_t bytes = a->cols * (int64_t)ncc_dtype_size(a->dtype);
  for (int64_t y = 0; y < 8; y += 2)
    b->kernels->pack_rows(a->dtype, (const char *)a->data + y * bytes, (const char *)a->data + (y + 1) * bytes, a->cols,
                          100, 0, 0.5, false, b->strips);
}

static void dot(bench *b) {
  ncc_lane_sums sums = {0};
  const ncc_array *a = &b->image;
  const int64_t bytes = a->cols * (int64_t)ncc_dtype_size(a->dtype);
  for (int64_t y = 0; y < 7; y++)
    b->kernels->dot(a->dtype, (const char *)a->data + y * bytes, 1, 100, a->dtype,
                    (const char *)a->data + (y + 1) * bytes, 1, 100, 0.1, a->cols, &sums);
}

static void split(bench *b) {
  b->kernels->cut->split_strips(&b->cut, b->strips, b->cut.parts * b->cut.length / 8, CUT_COLUMNS, b->columns);
}

static void join(bench *b) {
  b->kernels->cut->join_strips(&b->cut, b->columns, CUT_COLUMNS, 0, b->cut.parts * b->cut.length / 8, b->strips, false);
}

static void multiply(bench *b) {
  b->kernels->cut->multiply(b->columns, b->strips, 512);
}

static void unpack(bench *b) {
  b->kernels->spectra->unpack_spectra(b->columns, 512 + 16, 1, 512, b->strips, 8, false);
}

static void pack(bench *b) {
  b->kernels->spectra->pack_spectra(b->strips, 8, 1, 512, b->columns, 512 + 16);
}

static void block_max(bench *b) {
  b->kernels->spectra->block_max(b->columns, 512 + 16, 4, 512, (float *)b->strips);
}

static void bench_pixels(bench *b, ncc_dtype dtype) {
  const double pixels = (double)b->image.rows * (double)b->image.cols;
  const double searched =
      (double)(b->geometry.search.y1 - b->geometry.search.y0) * (double)(b->geometry.search.x1 - b->geometry.search.x0);
  b->image.dtype = dtype;
  unsigned seed = 1;
  for (int64_t i = 0; i < b->image.rows * b->image.cols; i++) {
    seed = seed * 1664525u + 1013904223u;
    if (dtype == NCC_U8) ((uint8_t *)b->image.data)[i] = (uint8_t)(seed >> 24);
    if (dtype == NCC_U16) ((uint16_t *)b->image.data)[i] = (uint16_t)(seed >> 16);
    if (dtype == NCC_F32) ((float *)b->image.data)[i] = (float)(seed >> 8) * 0x1p-20f;
  }
  printf("%s\n", ncc_dtype_name(dtype));
  printf("  moments               %7.3f ns a pixel\n", measure(b, moments, pixels));
  printf("  window sums and ssd   %7.3f ns a window\n", measure(b, windows, searched));
  printf("  bounds by cells       %7.3f ns a pixel\n", measure(b, cells, pixels));
  printf("  pack_rows             %7.3f ns a pixel\n", measure(b, pack_rows, 8.0 * (double)b->image.cols));
  printf("  dot                   %7.3f ns a pixel\n", measure(b, dot, 7.0 * (double)b->image.cols));
}

static void bench_spectra(bench *b) {
  static const int parts[] = NCC_CUT_PARTS;
  for (int64_t i = 0; i < b->work; i++) {  // products stay what they are
    b->strips[i][0] = b->columns[i][0] = 1;
    b->strips[i][1] = b->columns[i][1] = 0;
  }
  printf("complex numbers\n");
  printf("  unpack_spectra        %7.3f ns\n", measure(b, unpack, 4 * 512));
  printf("  pack_spectra          %7.3f ns\n", measure(b, pack, 4 * 512));
  printf("  multiply              %7.3f ns\n", measure(b, multiply, 512));
  printf("  block_max             %7.3f ns\n", measure(b, block_max, 4 * 512));
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const int64_t length = 256, points = parts[i] * length;
    ncc_c32 *twiddles = must(calloc((size_t)points, sizeof *twiddles));
    b->cut = (ncc_cut){parts[i], length, twiddles, 8 * CUT_COLUMNS, 8, points + 8};
    printf("  split and join in %d   %7.3f %7.3f ns\n", parts[i], measure(b, split, CUT_COLUMNS * (double)points),
           measure(b, join, CUT_COLUMNS * (double)points));
    free(twiddles);
  }
}

int main(int argc, char **argv) {
  int64_t shape[4] = {1024, 3600, 442, 442};
  for (int i = 1; i < argc && i <= 4; i++) shape[i - 1] = atol(argv[i]);
  bench b = {.kernels = ncc_kernels_get()};
  check(ncc_pool_create(1, &b.pool));
  const ncc_search search = {0};
  check(ncc_geometry_create(&search, NULL, shape[0], shape[1], shape[2], shape[3], &b.geometry));
  b.image = (ncc_array){.rows = shape[0], .cols = shape[1], .row_stride = shape[1]};
  b.image.data = must(malloc((size_t)(shape[0] * shape[1]) * 4));
  b.work = ncc_round_up(16 * (shape[1] + 8 * 256 * 8), 8);
  b.strips = must(aligned_alloc(64, (size_t)b.work * sizeof *b.strips));
  b.columns = must(aligned_alloc(64, (size_t)b.work * sizeof *b.columns));
  printf("%s, image %lldx%lld, template %lldx%lld\n", b.kernels->isa, (long long)shape[0], (long long)shape[1],
         (long long)shape[2], (long long)shape[3]);
  bench_pixels(&b, NCC_U8);
  bench_pixels(&b, NCC_U16);
  bench_pixels(&b, NCC_F32);
  bench_spectra(&b);
  return 0;
}
