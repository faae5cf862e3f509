/** gpu/stats.cu: the ssd of every searched window against sums over its pixels, one window after the other. */
#include "kernels.h"
#include "match/formulas.h"

/** An image with all that is searched: full coordinates [y0, y1) x [x0, x1). */
typedef struct survey {
  conf_image image;
  int64_t m, n, y0, x0, y1, x1;
  int64_t block_rows, bands; /* about so many bands */
  double scale, c, unit, largest;
  bool exact;
} survey;

static survey survey_whole(conf_image image, int64_t m, int64_t n) {
  return (survey){.image = image,
                  .m = m,
                  .n = n,
                  .y1 = image.rows + m - 1,
                  .x1 = image.cols + n - 1,
                  .block_rows = 16,
                  .bands = 2,
                  .scale = 1,
                  .unit = 1};
}

/** What the kernels make of it, [y1 - y0][x1 - x0]. */
static float *run(const survey *s) {
  cudaStream_t stream = kernels_begin();
  const int64_t rows = s->y1 - s->y0, cols = s->x1 - s->x0, stride = cols + 5;
  const int64_t trim_y0 = ncc_max(0, s->y0 - s->m + 1), trim_y1 = ncc_min(s->image.rows, s->y1);
  const int64_t trim_x0 = ncc_max(0, s->x0 - s->n + 1), trim_x1 = ncc_min(s->image.cols, s->x1);
  conf_image trimmed = conf_image_cut(&s->image, trim_y0, trim_x0, trim_y1 - trim_y0, trim_x1 - trim_x0);
  ncc_gpu_stats g = {.shape = {s->image.rows, s->image.cols, s->m, s->n, s->y0, s->x0, rows, cols, 0},
                     .dtype = s->image.array.dtype,
                     .trim_y0 = trim_y0,
                     .trim_x0 = trim_x0,
                     .trim_rows = trimmed.rows,
                     .trim_cols = trimmed.cols,
                     .scale = s->scale,
                     .c = s->c,
                     .unit = s->unit,
                     .largest = s->largest,
                     .exact = s->exact,
                     .block_rows = s->block_rows,
                     .ssd_stride = stride};
  g.band_rows = ncc_round_up(ncc_ceil_div(rows, s->bands), s->block_rows);
  const unsigned none = 0;
  g.pixels = kernels_put(trimmed.storage, trimmed.rows * trimmed.cols * (int64_t)ncc_dtype_size(trimmed.array.dtype));
  g.sums = kernels_put(NULL, 8 * ncc_gpu_stats_scratch(&g));
  g.unknown = kernels_put(&none, sizeof none);
  g.ssd = kernels_put(NULL, 4 * rows * stride);
  KERNELS_TRY(ncc_gpu_fill_stats(stream, &g));
  float *all = kernels_room(4 * rows * stride), *out = kernels_room(4 * rows * cols);
  kernels_get(all, g.ssd, 4 * rows * stride);
  int64_t beside = 0;
  for (int64_t i = 0; i < rows * stride; i++)
    if (i % stride < cols)
      out[i / stride * cols + i % stride] = all[i];
    else
      beside += !isnan(all[i]);
  CONF_EXPECT(beside == 0, "%lld values beside the search were written", (long long)beside);
  free(all);
  conf_image_free(&trimmed);
  kernels_end();
  return out;
}

/** Pixel of the scaled image; zeros outside. */
static double pixel(const survey *s, int64_t row, int64_t col) {
  const bool inside = row >= 0 && row < s->image.rows && col >= 0 && col < s->image.cols;
  return inside ? s->image.truth[row * s->image.cols + col] * s->scale : 0;
}

/** ssd of the window at full (y, x) in the map's unit; exactly 0 where it is flat, and only there. */
static double window_ssd(const survey *s, int64_t y, int64_t x) {
  const double first = pixel(s, y, x), area = (double)(s->m * s->n);
  long double sum = 0, squares = 0;  // about one of the pixels, so that equal ones leave nothing
  for (int64_t r = y - s->m + 1; r <= y; r++)
    for (int64_t c = x - s->n + 1; c <= x; c++) {
      const long double d = (long double)pixel(s, r, c) - first;
      sum += d;
      squares += d * d;
    }
  return (double)((squares - sum * sum / area) * s->unit * s->unit);
}

/** Every value is the ssd, 0 where the window is flat and only there, or a lower bound with its sign changed.
 *  @return how many are doubtful */
static int64_t check(const survey *s, const char *what) {
  conf_label("%s: %s %lldx%lld, windows of %lldx%lld", what, ncc_dtype_name(s->image.array.dtype),
             (long long)s->image.rows, (long long)s->image.cols, (long long)s->m, (long long)s->n);
  float *found = run(s);
  int64_t wrong = 0, not_told = 0, doubtful = 0;
  for (int64_t y = s->y0; y < s->y1; y++)
    for (int64_t x = s->x0; x < s->x1; x++) {
      const double is = found[(y - s->y0) * (s->x1 - s->x0) + x - s->x0], want = window_ssd(s, y, x);
      if (want == 0)
        not_told += is != 0;
      else if (is < 0)
        wrong += !((float)is == NCC_SSD_UNKNOWN || -is <= want);
      else
        wrong += !(fabs(is - want) <= 1e-6 * want);
      doubtful += is < 0;
    }
  CONF_EXPECT(wrong == 0, "%lld windows with a wrong ssd", (long long)wrong);
  CONF_EXPECT(not_told == 0, "%lld flat windows were not told", (long long)not_told);
  free(found);
  return doubtful;
}

static void expect_none_doubtful(const survey *s, const char *what) {
  const int64_t doubtful = check(s, what);
  CONF_EXPECT(doubtful == 0, "%lld windows are in doubt", (long long)doubtful);
}

/** Integers: nothing is ever in doubt, though windows are nearly flat and far from zero. */
void kernels_exact_windows(void) {
  for (int dtype = NCC_U8; dtype <= NCC_I16; dtype++) {
    survey s = survey_whole(conf_image_noise(60, 90, (ncc_dtype)dtype, 40, 15), 11, 9);
    s.c = 40;
    s.largest = 128;
    s.unit = 0x1p-7;
    s.exact = true;
    expect_none_doubtful(&s, "noise");
    s.y0 = 15, s.x0 = 12, s.y1 = 52, s.x1 = 70;  // the image is trimmed on all sides
    expect_none_doubtful(&s, "part of it");
    conf_image_free(&s.image);
  }
  survey s = survey_whole(conf_image_create(50, 300, NCC_U16), 12, 40);
  for (int64_t i = 0; i < 50 * 300; i++) s.image.truth[i] = i % 300 < 150 ? 65535 : 65535 - (i % 1237 == 0);
  conf_store(&s.image);
  s.c = 1000;
  s.largest = 64535;
  s.unit = 0x1p-15;
  s.exact = true;
  expect_none_doubtful(&s, "nearly flat");
  conf_image_free(&s.image);
  s = survey_whole(conf_image_noise(KERNELS_MANY_ROWS, 3, NCC_U8, 60, 20), 2, 2);
  s.exact = true;
  s.c = 60;
  s.largest = 200;
  s.bands = 1;
  expect_none_doubtful(&s, "many rows");
  conf_image_free(&s.image);
}

/** The other types; segments of 128 columns and more, of which windows span two. */
void kernels_rounded_windows(void) {
  for (int dtype = NCC_U32; dtype < NCC_DTYPE_COUNT; dtype++) {
    survey s = survey_whole(conf_image_noise(45, 330, (ncc_dtype)dtype, 50, 9), 7, 50);
    s.c = 50.25;
    s.bands = 3;
    s.unit = 0x1p-6;
    s.scale = dtype == NCC_F64 ? 4 : 1;
    s.c *= s.scale;
    expect_none_doubtful(&s, "noise");
    s.y0 = 9, s.x0 = 60, s.y1 = 40, s.x1 = 301;
    expect_none_doubtful(&s, "part of it");
    conf_image_free(&s.image);
  }
  survey s = survey_whole(conf_image_noise(40, 320, NCC_F32, 10, 1), 20, 140);
  s.c = 10.1;
  expect_none_doubtful(&s, "segments as wide as the template");
  conf_image_free(&s.image);
  s = survey_whole(conf_image_noise(20, 650, NCC_F32, 10, 1), 6, 300);  // a scan in three parts
  s.c = 10.1;
  expect_none_doubtful(&s, "wide segments");
  conf_image_free(&s.image);
}

/** Flat is exact: rows alike, columns alike, all alike, zeros at the edges, in windows of every kind of shape. */
void kernels_flat_windows(void) {
  const int64_t shapes[][2] = {{5, 7}, {1, 6}, {6, 1}, {1, 1}, {2, 2}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    for (int dtype = NCC_F16; dtype < NCC_DTYPE_COUNT; dtype++) {
      survey s = survey_whole(conf_image_noise(64, 80, (ncc_dtype)dtype, 0, 1), shapes[i][0], shapes[i][1]);
      double *p = s.image.truth;
      for (int64_t row = 0; row < 64; row++)
        for (int64_t col = 0; col < 80; col++) {
          double *at = p + row * 80 + col;
          if (row < 16 && col < 30) *at = 0;                             // flat with the zeros outside
          if (row < 16 && col >= 50) *at = 0.1;                          // not flat with them
          if (row >= 16 && row < 32 && col < 40) *at = (double)row;      // neighbours differ down alone
          if (row >= 16 && row < 32 && col >= 40) *at = (double)col;     // and across alone
          if (row >= 32 && row < 48 && col < 60) *at = 7;                // inside
          if (row == 40 && col == 20) *at = 7.0078125;                   // but for one
          if (row > 0 && row < 16 && col >= 30 && col < 50) *at = 7;     // but for the row above
          if (row == 1 && col == 2) *at = -1e-6;                         // hardly less than the zeros around
          if (row >= 32 && row < 48 && col >= 60) *at = 1e-6;            // hardly more than the zeros outside
          if (row >= 48 && col < 30) *at = col == 0 ? 3.0000002384 : 3;  // but for the first column
        }
      conf_store(&s.image);
      s.c = 1.5;
      check(&s, "flat in parts");
      conf_image_free(&s.image);
    }
  survey s = survey_whole(conf_image_create(40, 150, NCC_F32), 9, 12);
  check(&s, "nothing but zeros");
  for (int64_t i = 0; i < 40 * 150; i++) s.image.truth[i] = 0.3;
  conf_store(&s.image);
  s.bands = 3;
  check(&s, "one value");
  conf_image_free(&s.image);
}

/** What has once been added cannot be taken back without rounding: in doubt are the windows of those rows and columns
 *  whose sums have seen a hot pixel, unless it is in them; no others, however far sums go. */
static void hot_pixel(int64_t hot_row, int64_t hot_col) {
  const int64_t rows = 100, cols = 500;
  survey s = survey_whole(conf_image_noise(rows, cols, NCC_F64, 0, 1), 10, 30);
  s.image.truth[hot_row * cols + hot_col] = 1e8;
  conf_store(&s.image);
  s.bands = 3;
  check(&s, "a hot pixel");
  float *found = run(&s);
  const int64_t segment = ncc_gpu_stats_segment(s.n), hot_segment = (hot_col + s.n - 1) / segment;
  int64_t missed = 0, spoilt = 0;
  for (int64_t y = 0; y < s.y1; y++)
    for (int64_t x = 0; x < s.x1; x++) {
      const bool in_it = y >= hot_row && y < hot_row + s.m && x >= hot_col && x < hot_col + s.n;
      // Rows that the block's sums have seen; column x ends the window, and the band begins n - 1 columns before 0.
      const int64_t first = y / s.block_rows * s.block_rows, last = ncc_min(first + s.block_rows, s.y1) - 1;
      const int64_t of = (x + s.n - 1) / segment;
      const bool seen = hot_row > first - s.m && hot_row <= last && (of == hot_segment || of == hot_segment + 1);
      const bool doubtful = found[y * s.x1 + x] < 0;
      missed += !in_it && seen && !doubtful;
      const bool whole = y >= s.m - 1 && y < rows && x >= s.n - 1 && x < cols;  // one pixel is soon in doubt
      spoilt += whole && (in_it || !seen) && doubtful;
    }
  CONF_EXPECT(missed == 0, "%lld windows are not in doubt that should be", (long long)missed);
  CONF_EXPECT(spoilt == 0, "%lld windows are in doubt for nothing", (long long)spoilt);
  free(found);
  conf_image_free(&s.image);
}

/** The last column of a segment, and the first; a row that the next block has in its first windows. */
void kernels_hot_pixel(void) {
  hot_pixel(60, 270);
  hot_pixel(60, 271);
}
