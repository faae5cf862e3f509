/** The bound of the half grid: a position whose NCC lies above it is looked for, on images and templates of all sorts,
 *  and each term of it is reached by an input made for that. `test_half_bound N` looks at N times as many. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check.h"
#include "match/cpu/state.h"
#include "random.h"

enum { SIDE = 160, KINDS = 11, TRIALS = 220, LARGEST = 26 };

static const char *const kinds[KINDS] = {"noise",  "smooth", "checkerboard", "hot pixels", "black borders", "periodic",
                                         "offset", "tiny",   "subnormal",    "huge",       "ridges"};

static double pixel(int kind, int64_t y, int64_t x, const double wave[2]) {
  const double noise = uniform() - 0.5;
  switch (kind) {
    case 1:
      return sin(wave[0] * (double)y) + cos(wave[1] * (double)(x + y)) + 0.05 * noise;
    case 2:
      return ((y + x) % 2 ? 1 : -1) + 0.1 * noise + sin(wave[0] * (double)x);
    case 3:
      return uniform() < 0.001 ? 6e4 : 10 * noise + 20 * sin(wave[1] * (double)y);
    case 4:
      return y < 30 || x < 12 || x > 70 ? 0 : 100 + 20 * sin(wave[0] * (double)x + wave[1] * (double)y) + noise;
    case 5:
      return (double)((y % 8) * (x % 6)) + sin(wave[0] * (double)y);
    case 6:
      return 30000 + 5 * sin(wave[0] * (double)(x - y)) + noise;
    case 7:
      return 1e-26 * (sin(wave[0] * (double)y) + cos(wave[1] * (double)x) + noise);
    case 8:
      return 3e-43 * (sin(wave[0] * (double)y) + cos(wave[1] * (double)x) + noise);
    case 9:
      return 1e18 * (sin(wave[0] * (double)y) + cos(wave[1] * (double)x) + noise);
    case 10:
      return (x % 2 ? 1 : -1) * sin(wave[1] * (double)y) + 3 * sin(wave[0] * (double)x);
    default:
      return noise;
  }
}

/** A float64 array with what is needed of it. */
typedef struct picture {
  double *pixels;
  ncc_prepared prepared;
} picture;

static ncc_pool *pool;

static picture picture_of(double *pixels, int64_t rows, int64_t cols) {
  picture p = {.pixels = pixels};
  CHECK(ncc_prepared_create(pool, &(ncc_array){pixels, NCC_F64, rows, cols, cols}, false, &p.prepared) == NCC_OK, "%s",
        ncc_error_message());
  return p;
}

static void picture_clear(picture *p) {
  ncc_prepared_clear(&p->prepared);
  free(p->pixels);
}

static double *pixels_of(int kind, int64_t rows, int64_t cols) {
  double *p = malloc((size_t)(rows * cols) * sizeof *p);
  const double wave[2] = {0.02 + uniform(), 0.02 + uniform()};
  CHECK(p, "memory");
  for (int64_t i = 0; i < rows * cols; i++) p[i] = pixel(kind, i / cols, i % cols, wave);
  return p;
}

/** In pixels of the prepared scale: sum of W T', and ssd(W), of the template's top-left pixel at (y, x). */
static double numerator(const picture *image, const picture *tmpl, int64_t y, int64_t x, double *ssd) {
  const ncc_array *I = &image->prepared.pixels, *T = &tmpl->prepared.pixels;
  const int64_t bottom = ncc_min(T->rows, I->rows - y), right = ncc_min(T->cols, I->cols - x);
  const double area = (double)(T->rows * T->cols), tmpl_scale = tmpl->prepared.scale;
  const double c = tmpl->prepared.mean + tmpl->prepared.rest;
  double sum = 0, s = 0, q = 0, n = 0;
  for (int64_t i = ncc_max(0, -y); i < bottom; i++)
    for (int64_t j = ncc_max(0, -x); j < right; j++) {
      const double v = image->pixels[(y + i) * I->cols + x + j] * image->prepared.scale;
      sum += v * (tmpl->pixels[i * T->cols + j] * tmpl_scale - c);
      s += v - image->prepared.mean;
      n++;
    }
  const double mean = (s + n * image->prepared.mean) / area;
  for (int64_t i = ncc_max(0, -y); i < bottom; i++)
    for (int64_t j = ncc_max(0, -x); j < right; j++) {
      const double v = image->pixels[(y + i) * I->cols + x + j] * image->prepared.scale - mean;
      q += v * v;
    }
  *ssd = q + (area - n) * mean * mean;
  return sum;
}

typedef struct search {
  ncc_engine_context context;
  ncc_config config;
  ncc_counters counters;
  ncc_proposal proposal;
  ncc_task task;
  void *engine;
} search;

static void search_begin(search *s) {
  *s = (search){.context = {.config = &s->config, .pool = pool, .counters = &s->counters},
                .config = {.fft_effort = NCC_FFT_ESTIMATE}};
  CHECK(ncc_engine_cpu_half()->create(&s->context, &s->engine) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_proposal_create(4096, &s->proposal) == NCC_OK, "%s", ncc_error_message());
}

static void search_end(search *s) {
  ncc_engine_cpu_half()->destroy(s->engine);
  ncc_proposal_clear(&s->proposal);
}

/** Looks at all that is searched. @return the least of bound less value, where windows are not flat.
 *  @param[in,out] looked  positions of which there was a bound */
static double look(search *s, int64_t serial, const picture *image, const picture *tmpl, const ncc_geometry *g,
                   int64_t *looked) {
  s->task = (ncc_task){&image->prepared, serial, serial % 2, &tmpl->prepared, g, false, NULL};
  double least = INFINITY;
  ncc_proposal_reset(&s->proposal);
  CHECK(ncc_engine_cpu_half()->propose(s->engine, 1, &s->task, &s->proposal) == NCC_OK, "%s", ncc_error_message());
  for (int64_t y = g->search.y0; y < g->search.y1; y++)
    for (int64_t x = g->search.x0; x < g->search.x1; x++) {
      double ssd;
      const double sum = numerator(image, tmpl, y - g->template_rows + 1, x - g->template_cols + 1, &ssd);
      if (!(ssd > 1e-9 * image->prepared.ssd / (double)(g->image_rows * g->image_cols))) continue;
      const double upper = ncc_cpu_half_upper(s->engine, y, x, ssd);
      if (isnan(upper)) return least;
      const double value = sum / sqrt(ssd * tmpl->prepared.ssd);
      CHECK(upper >= value, "the NCC at %lld,%lld of %lldx%lld in %lldx%lld is %.9g, and at most %.9g", (long long)y,
            (long long)x, (long long)g->template_rows, (long long)g->template_cols, (long long)g->image_rows,
            (long long)g->image_cols, value, upper);
      least = fmin(least, upper - value);
      ++*looked;
    }
  return least;
}

/** A template of a kind, or a part of the image, blurred or not. */
static double *template_pixels(int kind, const double *image, int64_t cols, int64_t y, int64_t x, int64_t m,
                               int64_t n) {
  double *t = pixels_of(kind, m, n);
  if (below(2))
    for (int64_t i = 0; i < m * n; i++) t[i] = image[(y + i / n) * cols + x + i % n];
  for (int blur = below(4); blur > 0; blur--)
    for (int64_t i = 0; i + n + 1 < m * n; i++) t[i] = 0.25 * (t[i] + t[i + 1] + t[i + n] + t[i + n + 1]);
  return t;
}

static void check_anything(int trials) {
  for (int kind = 0; kind < KINDS; kind++) {
    int64_t looked = 0;
    double least = INFINITY;
    search s;
    search_begin(&s);
    for (int trial = 0; trial < trials; trial++) {
      const int64_t m = between(1, LARGEST), n = between(1, LARGEST);
      const int64_t rows = between(m + 2, SIDE / 2), cols = between(n + 2, SIDE / 2);
      picture image = picture_of(pixels_of(kind, rows, cols), rows, cols);
      const int64_t y = between(0, rows - m), x = between(0, cols - n);
      picture tmpl = picture_of(template_pixels(kind, image.pixels, cols, y, x, m, n), m, n);
      ncc_geometry g;
      const ncc_rect window = {y / 2, x, y + m, x + n};
      const ncc_search crops[] = {{0}, {.crop_half = true}, {.min_overlap = 1}};
      CHECK(ncc_geometry_create(&crops[trial % 3], trial % 4 == 3 && trial % 3 == 0 ? &window : NULL, rows, cols, m, n,
                                &g) == NCC_OK,
            "%s", ncc_error_message());
      if (!tmpl.prepared.flat && !image.prepared.flat) least = fmin(least, look(&s, trial, &image, &tmpl, &g, &looked));
      picture_clear(&image);
      picture_clear(&tmpl);
    }
    search_end(&s);
    printf("%-14s %9lld positions, bound less value at least %.3g\n", kinds[kind], (long long)looked, least);
    CHECK(looked > 0, "no bound of %s", kinds[kind]);
  }
}

// ---- what reaches the terms

enum { M = 41, REACH = 9, AROUND = M + 2 * REACH, COARSE = (M + 1) / 2 + 2, SIDE_OF_TERMS = 120, FIRST = M / 2 * 2 };

static const double hat[] = {0.125, 0.375, 0.375, 0.125};

typedef double square[AROUND][AROUND]; /* [w + REACH] for w = -REACH .. */

/** Adds an element of the half grid. */
static void add_element(square d, int q, int p, double factor) {
  for (int j = 0; j < 16; j++) {
    const int y = 2 * q - 3 + j / 4 + REACH, x = 2 * p - 3 + j % 4 + REACH;
    if (y >= 0 && y < AROUND && x >= 0 && x < AROUND) d[y][x] += factor * hat[j / 4] * hat[j % 4];
  }
}

/** The half template, by the definition. */
static void halve(const double t[M][M], double a[COARSE][COARSE]) {
  static const double g[] = {-0.0798, 0.1848,  0.2367,  -0.5519, -0.6622, 0.8671, 2.0106,
                             0.8671,  -0.6622, -0.5519, 0.2367,  0.1848,  -0.0798};
  double mean = 0;
  for (int q = 0; q < COARSE; q++)
    for (int p = 0; p < COARSE; p++) {
      a[q][p] = 0;
      for (int v = 0; v < 169; v++) {
        const int y = 2 * q + v / 13 - 8, x = 2 * p + v % 13 - 8;
        if (y >= 0 && y < M && x >= 0 && x < M) a[q][p] += g[v / 13] * g[v % 13] * t[y][x];
      }
      mean += a[q][p] / (COARSE * COARSE);
    }
  for (int q = 0; q < COARSE; q++)
    for (int p = 0; p < COARSE; p++) a[q][p] -= mean;
}

/** T' less T~_f of a template that is shifted by f. */
static void difference(const double t[M][M], int fy, int fx, square d) {
  double a[COARSE][COARSE];
  halve(t, a);
  memset(d, 0, sizeof(square));
  for (int y = 0; y < M; y++)
    for (int x = 0; x < M; x++) d[y + REACH + fy][x + REACH + fx] = t[y][x];
  for (int q = 0; q < COARSE; q++)
    for (int p = 0; p < COARSE; p++)
      for (int k = 0; k < 4; k++)
        add_element(d, q + (k / 2 ? 2 * fy - 1 : 0), p + (k % 2 ? 2 * fx - 1 : 0),
                    -a[q][p] * (k / 2 ? 0.25 : 0.75) * (k % 2 ? 0.25 : 0.75));
}

/** What an image is made of so that a term is reached. */
typedef enum term { DISTANCE, BEYOND, DETAIL, SMOOTH } term;

/** Sets the image around the window from d. @param[in] norm2  ||d||^2 */
static void set_image(term which, square d, int fy, int fx, double norm2, double *image) {
  square made = {{0}};
  for (int y = 0; y < AROUND; y++)
    for (int x = 0; x < AROUND; x++) {
      const double down = y - REACH - M / 2, right = x - REACH - M / 2;
      const bool in = y - REACH - fy >= 0 && y - REACH - fy < M && x - REACH - fx >= 0 && x - REACH - fx < M;
      if (which == DISTANCE) made[y][x] = in ? d[y][x] : 0;
      if (which == DETAIL) made[y][x] = d[y][x] + sqrt(norm2 / 40) * exp(-(down * down + right * right) / 50);
      if (which == BEYOND) made[y][x] = in ? 1e-4 * uniform() : 1;
    }
  if (which == SMOOTH)
    for (int q = -2; q < COARSE + 2; q++)
      for (int p = -2; p < COARSE + 2; p++) {
        double sum = 0;
        for (int j = 0; j < 16; j++) {
          const int y = 2 * q - 3 + j / 4 + REACH, x = 2 * p - 3 + j % 4 + REACH;
          if (y >= 0 && y < AROUND && x >= 0 && x < AROUND) sum += hat[j / 4] * hat[j % 4] * d[y][x];
        }
        add_element(made, q, p, sum);
      }
  for (int64_t i = 0; i < SIDE_OF_TERMS * SIDE_OF_TERMS; i++) {
    const int64_t y = i / SIDE_OF_TERMS - FIRST + REACH, x = i % SIDE_OF_TERMS - FIRST + REACH;
    const bool around = y >= 0 && y < AROUND && x >= 0 && x < AROUND;
    image[i] = around ? made[y][x] : which == BEYOND ? 1 : 0;
  }
}

/** The upper bound at the template's top-left pixel (y, x), and the value. */
static double upper_at(double *image, const double t[M][M], int64_t y, int64_t x, double *value) {
  double *copy = malloc(sizeof(double) * M * M), ssd;
  CHECK(copy, "memory");
  memcpy(copy, t, sizeof(double) * M * M);
  picture I = picture_of(image, SIDE_OF_TERMS, SIDE_OF_TERMS), T = picture_of(copy, M, M);
  ncc_geometry g;
  CHECK(ncc_geometry_create(&(ncc_search){0}, NULL, SIDE_OF_TERMS, SIDE_OF_TERMS, M, M, &g) == NCC_OK, "%s",
        ncc_error_message());
  int64_t looked = 0;
  search s;
  search_begin(&s);
  look(&s, 1, &I, &T, &g, &looked);
  CHECK(looked > 0, "no bound");
  const double sum = numerator(&I, &T, y, x, &ssd), unit = sqrt(ssd * T.prepared.ssd);
  const double upper = ncc_cpu_half_upper(s.engine, y + M - 1, x + M - 1, ssd) * unit;
  *value = sum;
  search_end(&s);
  picture_clear(&I);
  picture_clear(&T);
  return upper;
}

/** That at some shift nine tenths of the bound beside the half grid's numerator are reached. */
static void check_term(const char *name, const double t[M][M], term which) {
  double most = 0;
  for (int k = 0; k < 4; k++) {
    square d;
    double norm2 = 0, value, rest = 0;
    difference(t, k / 2, k % 2, d);
    for (int i = 0; i < AROUND * AROUND; i++) norm2 += d[i / AROUND][i % AROUND] * d[i / AROUND][i % AROUND];
    double *image = malloc(sizeof(double) * SIDE_OF_TERMS * SIDE_OF_TERMS);
    CHECK(image, "memory");
    set_image(which, d, k / 2, k % 2, norm2, image);
    for (int i = 0; i < AROUND * AROUND; i++)
      rest +=
          d[i / AROUND][i % AROUND] * image[(FIRST - REACH + i / AROUND) * SIDE_OF_TERMS + FIRST - REACH + i % AROUND];
    const double upper = upper_at(image, t, FIRST + k / 2, FIRST + k % 2, &value);
    most = fmax(most, rest / (upper - value + rest));
  }
  printf("%s: %.4f of the term is reached\n", name, most);
  CHECK(most > 0.905 && most <= 1, "%s", name);
}

/** Where the template overlaps by a corner, and is constant there as the image is. */
static void check_overlap(void) {
  enum { ROWS = 8, COLS = 16 };
  double t[M][M] = {{0}}, value, *image = calloc((size_t)SIDE_OF_TERMS * SIDE_OF_TERMS, sizeof *image);
  CHECK(image, "memory");
  for (int y = 0; y < ROWS; y++)
    for (int x = 0; x < COLS; x++) {
      t[y][x] = 1;
      image[(SIDE_OF_TERMS - ROWS + y) * SIDE_OF_TERMS + SIDE_OF_TERMS - COLS + x] = 1;
    }
  const double upper = upper_at(image, t, SIDE_OF_TERMS - ROWS, SIDE_OF_TERMS - COLS, &value);
  printf("overlap: %.5f of the bound is reached\n", value / upper);
  CHECK(value > 0.99 * upper, "overlap");
}

static void check_terms(void) {
  double t[M][M] = {{0}};
  for (int y = 10; y < M - 10; y++)  // odd about its middle, so that its mean is that of the zeros around
    for (int x = 10; x < M - 10; x++) t[y][x] = sin(0.9 * (double)(y - M / 2)) + 0.4 * sin(1.3 * (double)(x - M / 2));
  check_term("distance", t, DISTANCE);
  static const double rim[M] = {[0] = -0.72, [1] = 1, [M - 2] = 1, [M - 1] = -0.72};
  double sum = 0;
  for (int i = 0; i < M * M; i++) {
    const double down = sin(M_PI * (i / M) / (M - 1)), right = sin(M_PI * (i % M) / (M - 1));
    t[i / M][i % M] = rim[i / M] * right * right + rim[i % M] * down * down;
    sum += t[i / M][i % M];
  }
  for (int y = 16; y < 25; y++)
    for (int x = 16; x < 25; x++) t[y][x] = -sum / 81;
  check_term("beyond the window", t, BEYOND);
  for (int y = 0; y < M; y++)
    for (int x = 0; x < M; x++) {
      const double down = y - M / 2, right = x - M / 2, near = exp(-(down * down + right * right) / 50);
      t[y][x] = (y + x) % 2 ? near : -near;
    }
  check_term("the image's detail", t, DETAIL);
  for (int y = 0; y < M; y++)
    for (int x = 0; x < M; x++) {
      const double down = y - M / 2, right = x - M / 2;
      t[y][x] = exp(-(down * down + right * right) / 50) * sin(0.7 * down);
    }
  check_term("what stands for the image", t, SMOOTH);
  check_overlap();
}

int main(int argc, char **argv) {
  CHECK(ncc_pool_create(1, &pool) == NCC_OK, "%s", ncc_error_message());
  check_terms();
  check_anything(TRIALS * (argc > 1 ? atoi(argv[1]) : 1));
  ncc_pool_destroy(&pool);
  return 0;
}
