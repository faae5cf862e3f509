/** See filter.h. */
#include "filter/filter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "filter/median.h"
#include "filter/weights.h"
#include "match/kernels/filter.h"
#include "match/kernels/kernels.h"

#define MOST_SIGMA 1000.0
enum { MOST_MEDIAN = 255 };

/** Every filter: how it is written, and how many numbers it has. */
static const struct {
  const char *name;
  int numbers;
} known[] = {[NCC_FILTER_MEDIAN] = {"median", 1},
             [NCC_FILTER_GAUSS] = {"gauss", 1},
             [NCC_FILTER_LOG] = {"log", 1},
             [NCC_FILTER_DOG] = {"dog", 2},
             [NCC_FILTER_HIGHPASS] = {"highpass", 1}};
enum { KNOWN = sizeof known / sizeof known[0] };

/* ---- words ------------------------------------------------------------------------------------------------------ */

ncc_status ncc_filter_check(const ncc_filter *filters, int n) {
  if (n < 0 || n > NCC_FILTERS_MOST)
    return ncc_error_set(NCC_ERR_USAGE, "%d filters: expected 0 to %d", n, NCC_FILTERS_MOST);
  for (int i = 0; i < n; i++) {
    const ncc_filter *f = &filters[i];
    if ((int)f->kind < 0 || (int)f->kind >= KNOWN)
      return ncc_error_set(NCC_ERR_USAGE, "filter kind %d: expected 0 to %d", (int)f->kind, KNOWN - 1);
    const char *name = known[f->kind].name;
    if (f->kind == NCC_FILTER_MEDIAN && !(f->a >= 1 && f->a <= MOST_MEDIAN && fmod(f->a, 2) == 1))
      return ncc_error_set(NCC_ERR_USAGE, "filter median:%g: expected an odd number from 1 to %d", f->a, MOST_MEDIAN);
    for (int k = 0; f->kind != NCC_FILTER_MEDIAN && k < known[f->kind].numbers; k++) {
      const double sigma = k ? f->b : f->a;
      if (!(sigma >= 0.1 && sigma <= MOST_SIGMA))
        return ncc_error_set(NCC_ERR_USAGE, "filter %s: found %g, expected a width from 0.1 to %g pixels", name, sigma,
                             MOST_SIGMA);
    }
  }
  return NCC_OK;
}

void ncc_filter_format(const ncc_filter *filters, int n, char *text, size_t text_bytes) {
  size_t at = 0;
  text[0] = '\0';
  for (int i = 0; i < n && at < text_bytes; i++) {
    at += (size_t)snprintf(text + at, text_bytes - at, "%s%s:%.17g", i ? "," : "", known[filters[i].kind].name,
                           filters[i].a);
    if (known[filters[i].kind].numbers == 2 && at < text_bytes)
      at += (size_t)snprintf(text + at, text_bytes - at, ",%.17g", filters[i].b);
  }
}

/** "name:" at the start of `text`. @return its kind, or -1 */
static int find_kind(const char *text) {
  for (int kind = 0; kind < KNOWN; kind++) {
    const size_t length = strlen(known[kind].name);
    if (strncmp(text, known[kind].name, length) == 0 && text[length] == ':') return kind;
  }
  return -1;
}

/** A number, and what follows it: a comma or the end. */
static bool read_number(const char **text, double *value) {
  char *end;
  *value = strtod(*text, &end);
  if (end == *text || !isfinite(*value) || (*end != '\0' && (*end != ',' || !end[1]))) return false;
  *text = *end == ',' ? end + 1 : end;
  return true;
}

ncc_status ncc_filter_parse(const char *text, ncc_filter filters[NCC_FILTERS_MOST], int *n) {
  const char *at = text;
  for (*n = 0; *at; ++*n) {
    const int kind = find_kind(at);
    if (kind < 0 || *n == NCC_FILTERS_MOST)
      return ncc_error_set(NCC_ERR_USAGE,
                           "filters: found '%s', expected at most %d of median:N, gauss:S, log:S, "
                           "dog:S1,S2, highpass:S, separated by commas",
                           at, NCC_FILTERS_MOST);
    ncc_filter *f = &filters[*n];
    *f = (ncc_filter){.kind = (ncc_filter_kind)kind};
    at += strlen(known[kind].name) + 1;
    if (!read_number(&at, &f->a) || (known[kind].numbers == 2 && !read_number(&at, &f->b)))
      return ncc_error_set(NCC_ERR_USAGE, "filters: %s: found '%s', expected %s", known[kind].name, at,
                           known[kind].numbers == 2 ? "two numbers" : "a number");
  }
  if (*n == 0) return ncc_error_set(NCC_ERR_USAGE, "filters: found nothing, expected for example log:1.5");
  return ncc_filter_check(filters, *n);
}

/* ---- one step of a chain ---------------------------------------------------------------------------------------- */

enum { BAND = 16 }; /* rows that a thread takes at a time */

/** What all threads of a step share. */
typedef struct step {
  const ncc_filter *filter;
  const ncc_array *pixels; /* to be converted */
  volatile int *nonfinite; /* set where one of these is */
  const double *in;
  double *out;
  float *rounded; /* the last step's result, in place of `out`; else NULL */
  int64_t rows, cols;
  int64_t stride; /* doubles from one row of `in` and `out` to the next */
  ncc_filter_weights one, two;
  const ncc_filter_kernels *kernels;
  int64_t *columns; /* [cols + 2 radius] where a line's mirrored pixels stand */
  int radius;
  double *lines;
  int64_t line_doubles; /* of one thread */
} step;

/** Where index i of a mirrored line of n lies. */
static int64_t mirror(int64_t i, int64_t n) {
  i %= 2 * n;
  if (i < 0) i += 2 * n;
  return i < n ? i : 2 * n - 1 - i;
}

/** Adds the mirrored pixels on both sides of a line that begins `radius` after its memory does. */
static void extend(const step *s, double *line, int radius) {
  for (int i = 0; i < radius; i++) {
    line[i] = line[radius + s->columns[s->radius - radius + i]];
    line[radius + s->cols + i] = line[radius + s->columns[s->radius + s->cols + i]];
  }
}

/** One row of a Gaussian, or of a Laplacian of one. @param[in] lines  room for two lines with their borders */
static void gauss_row(const step *s, const double *const *rows, const ncc_filter_weights *w, bool laplacian,
                      double *lines, double *out) {
  const int r = w->radius;
  const double *const *window = rows + (s->radius - r);
  double *a = lines, *b = lines + s->cols + 2 * (int64_t)s->radius;
  if (!laplacian) {
    s->kernels->down(window, r, w->gauss, a + r, NULL, NULL, s->cols);
    extend(s, a, r);
    s->kernels->across(a, w->gauss, NULL, NULL, r, s->cols, out);
    return;
  }
  s->kernels->down(window, r, w->second, a + r, w->gauss, b + r, s->cols);
  extend(s, a, r);
  extend(s, b, r);
  s->kernels->across(a, w->gauss, b, w->second, r, s->cols, out);
}

static void filter_row(const step *s, const double *const *rows, double *lines, double *out) {
  const double *pixels = rows[s->radius];
  double *other = lines + 2 * (s->cols + 2 * (int64_t)s->radius);
  switch (s->filter->kind) {
    case NCC_FILTER_MEDIAN:
      ncc_median_row(rows, s->columns, 2 * s->radius + 1, s->cols, lines, out);
      break;
    case NCC_FILTER_GAUSS:
      gauss_row(s, rows, &s->one, false, lines, out);
      break;
    case NCC_FILTER_LOG:
      gauss_row(s, rows, &s->one, true, lines, out);
      break;
    case NCC_FILTER_DOG:
      gauss_row(s, rows, &s->one, false, lines, out);
      gauss_row(s, rows, &s->two, false, lines, other);
      for (int64_t x = 0; x < s->cols; x++) out[x] -= other[x];
      break;
    case NCC_FILTER_HIGHPASS:
      gauss_row(s, rows, &s->one, false, lines, out);
      for (int64_t x = 0; x < s->cols; x++) out[x] = pixels[x] - out[x];
      break;
  }
}

static void filter_band(void *context, int64_t band, int thread) {
  const step *s = context;
  double *lines = s->lines + thread * s->line_doubles, *row = lines;
  const double **rows = (const double **)(lines + s->cols); /* as large as pointers are */
  lines += s->cols + 2 * (int64_t)s->radius + 1;
  for (int64_t y = band * BAND; y < ncc_min((band + 1) * BAND, s->rows); y++) {
    for (int i = -s->radius; i <= s->radius; i++) rows[s->radius + i] = s->in + mirror(y + i, s->rows) * s->stride;
    filter_row(s, rows, lines, s->rounded ? row : s->out + y * s->stride);
    for (int64_t x = 0; s->rounded && x < s->cols; x++) s->rounded[y * s->cols + x] = (float)row[x];
  }
}

static void convert_band(void *context, int64_t band, int thread) {
  const step *s = context;
  (void)thread;
  for (int64_t y = band * BAND; y < ncc_min((band + 1) * BAND, s->rows); y++) {
    double *out = s->out + y * s->stride;
    int64_t bad = 0;
    ncc_kernels_get()->to_f64(s->pixels->dtype, ncc_array_at(s->pixels, y, 0), s->cols, out);
    for (int64_t x = 0; x < s->cols; x++) bad |= !(out[x] - out[x] == 0); /* NaN or Inf */
    if (bad) __atomic_store_n(s->nonfinite, 1, __ATOMIC_RELAXED);
  }
}

static int radius_of(const ncc_filter *f) {
  if (f->kind == NCC_FILTER_MEDIAN) return (int)f->a / 2;
  const int one = ncc_filter_radius(f->a);
  return f->kind == NCC_FILTER_DOG && ncc_filter_radius(f->b) > one ? ncc_filter_radius(f->b) : one;
}

static ncc_status run_step(ncc_pool *pool, step *s, ncc_filter_scratch *scratch) {
  ncc_status status = NCC_OK;
  s->radius = radius_of(s->filter);
  s->kernels = ncc_kernels_get()->filter;
  const int64_t line = s->cols + 2 * (int64_t)s->radius + 1;
  s->columns = malloc((size_t)line * sizeof *s->columns);
  NCC_CHECK(s->columns, NCC_ERR_NOMEM, "out of memory for a filter of radius %d", s->radius);
  for (int64_t i = 0; i < line; i++) s->columns[i] = mirror(i - s->radius, s->cols);
  if (s->filter->kind != NCC_FILTER_MEDIAN) NCC_TRY(ncc_filter_weights_make(s->filter->a, &s->one));
  if (s->filter->kind == NCC_FILTER_DOG) NCC_TRY(ncc_filter_weights_make(s->filter->b, &s->two));
  /* a result, pointers to rows, and two lines and another, or what a median needs */
  s->line_doubles =
      line + ncc_max(3 * line, ncc_median_scratch(2 * s->radius + 1) * (s->filter->kind == NCC_FILTER_MEDIAN));
  NCC_TRY(ncc_buffer_reserve(&scratch->lines, s->line_doubles * ncc_pool_threads(pool) * (int64_t)sizeof(double),
                             "lines of a filter"));
  s->lines = scratch->lines.data;
  ncc_pool_run(pool, ncc_ceil_div(s->rows, BAND), filter_band, s);
cleanup:
  ncc_filter_weights_free(&s->one);
  ncc_filter_weights_free(&s->two);
  free(s->columns);
  return status;
}

/** An odd number of cache lines, so that the rows under a window do not fall on the same places of the cache. */
static int64_t stride_of(int64_t cols) {
  return 8 * (ncc_ceil_div(cols, 8) | 1);
}

int64_t ncc_filter_bytes(int64_t rows, int64_t cols) {
  return rows * (2 * stride_of(cols) * (int64_t)sizeof(double) + cols * (int64_t)sizeof(float));
}

void ncc_filter_scratch_free(ncc_filter_scratch *scratch) {
  ncc_buffer_free(&scratch->images[0]);
  ncc_buffer_free(&scratch->images[1]);
  ncc_buffer_free(&scratch->lines);
}

ncc_status ncc_filter_apply(ncc_pool *pool, const ncc_filter *filters, int n, const ncc_array *in,
                            ncc_filter_scratch *scratch, float *out) {
  ncc_status status = NCC_OK;
  volatile int nonfinite = 0;
  const int64_t stride = stride_of(in->cols), bytes = in->rows * stride * (int64_t)sizeof(double);
  NCC_TRY(ncc_buffer_reserve(&scratch->images[0], bytes, "a filtered image"));
  if (n > 1) NCC_TRY(ncc_buffer_reserve(&scratch->images[1], bytes, "a filtered image"));
  step first = {.pixels = in,
                .rows = in->rows,
                .cols = in->cols,
                .stride = stride,
                .out = scratch->images[0].data,
                .nonfinite = &nonfinite};
  ncc_pool_run(pool, ncc_ceil_div(in->rows, BAND), convert_band, &first);
  if (nonfinite) {
    for (int64_t i = 0; i < in->rows * in->cols; i++) out[i] = NAN;
    return NCC_OK;
  }
  for (int i = 0; i < n; i++) {
    step s = {.filter = &filters[i],
              .in = scratch->images[i % 2].data,
              .out = scratch->images[(i + 1) % 2].data,
              .rounded = i + 1 == n ? out : NULL,
              .rows = in->rows,
              .cols = in->cols,
              .stride = stride};
    NCC_TRY(run_step(pool, &s, scratch));
  }
cleanup:
  return status;
}
