/** Moments of an array with a fixed summation tree; see prepare.h.
 *
 *  Sums are taken about a provisional centre near the mean, so that one pass keeps full precision; where that centre
 *  turns out bad (a second pass is cheap and rare) it is replaced by the mean found.
 */
#include "match/prepare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "filter/masking.h"
#include "match/kernels/kernels.h"

enum { ROWS_PER_ITEM = 32, SEGMENT = 1024, GATHERED_BYTES = 4096 };

typedef struct row_moments {
  double s, q, lo, hi, bad;
} row_moments;

typedef struct moments_job {
  const ncc_prepared *prepared;
  const ncc_kernels *kernels;
  double c;
  bool exact;          // see sums_are_exact()
  row_moments *parts;  // of each item where sums are exact, else of each row
} moments_job;

void ncc_prepared_row(const ncc_prepared *prepared, int64_t row, int64_t col, int64_t n, double *out) {
  ncc_kernels_get()->to_f64(prepared->pixels.dtype, ncc_array_at(&prepared->pixels, row, col), n, out);
  if (prepared->scale != 1)
    for (int64_t i = 0; i < n; i++) out[i] *= prepared->scale;
}

void ncc_prepared_prefix(const ncc_prepared *tmpl, double unit, double *row, double *out) {
  const int64_t m = tmpl->pixels.rows, n = tmpl->pixels.cols, stride = n + 1;
  memset(out, 0, (size_t)stride * sizeof *out);
  for (int64_t r = 0; r < m; r++) {
    const double *above = out + r * stride;
    double sum = 0, *here = out + (r + 1) * stride;
    ncc_prepared_row(tmpl, r, 0, n, row);
    here[0] = 0;
    for (int64_t c = 0; c < n; c++) {
      sum += ((row[c] - tmpl->mean) - tmpl->rest) * unit;
      here[c + 1] = above[c + 1] + sum;
    }
  }
}

static void row_moments_get(const moments_job *job, int64_t row, row_moments *out) {
  const ncc_array *pixels = &job->prepared->pixels;
  *out = (row_moments){.lo = INFINITY, .hi = -INFINITY};
  for (int64_t x = 0; x < pixels->cols; x += SEGMENT) {
    const int64_t n = ncc_min(pixels->cols - x, SEGMENT);
    ncc_lane_sums sums = {0};
    job->kernels->moments(pixels->dtype, ncc_array_at(pixels, row, x), n, job->prepared->scale, job->c, &sums, &out->lo,
                          &out->hi, &out->bad);
    out->s += ncc_lanes_sum(sums.s);
    out->q += ncc_lanes_sum(sums.q);
  }
}

/** Small integers about a centre of few bits: all sums are multiples of a power of two, and too small to round. */
static bool sums_are_exact(const ncc_prepared *p, double c) {
  const ncc_dtype type = p->pixels.dtype;
  const bool byte = type == NCC_U8 || type == NCC_I8;
  if (!byte && type != NCC_U16 && type != NCC_I16) return false;
  double step = 1;
  while (c != rint(c / step) * step)
    if ((step /= 2) < 0x1p-20) return false;
  const double largest = ((byte ? 0x1p8 : 0x1p16) + fabs(c)) / step;
  return (double)p->pixels.rows * (double)p->pixels.cols * largest * largest < 0x1p52;
}

/** Rows whose sums are exact, and so may be taken in any order: all in one run; short rows that lie apart are gathered
 *  first. */
static void exact_moments_get(const moments_job *job, int64_t row, int64_t end, row_moments *out) {
  const ncc_array *pixels = &job->prepared->pixels;
  const int64_t bytes = pixels->cols * (int64_t)ncc_dtype_size(pixels->dtype);
  const bool apart = pixels->row_stride != pixels->cols;
  const int64_t at_once = apart ? ncc_max(GATHERED_BYTES / bytes, 1) : end - row;
  char gathered[GATHERED_BYTES];
  ncc_lane_sums sums = {0};
  *out = (row_moments){.lo = INFINITY, .hi = -INFINITY};
  for (int64_t next; row < end; row = next) {
    const void *run = ncc_array_at(pixels, row, 0);
    next = ncc_min(row + at_once, end);
    for (int64_t r = row; apart && at_once > 1 && r < next; r++)
      memcpy(gathered + (r - row) * bytes, ncc_array_at(pixels, r, 0), (size_t)bytes);
    job->kernels->moments(pixels->dtype, apart && at_once > 1 ? gathered : run, (next - row) * pixels->cols, 1, job->c,
                          &sums, &out->lo, &out->hi, &out->bad);
  }
  out->s = ncc_lanes_sum(sums.s);
  out->q = ncc_lanes_sum(sums.q);
}

static void moments_item(void *context, int64_t item, int thread) {
  (void)thread;
  const moments_job *job = context;
  const int64_t first = item * ROWS_PER_ITEM, end = ncc_min(first + ROWS_PER_ITEM, job->prepared->pixels.rows);
  if (job->exact)
    exact_moments_get(job, first, end, &job->parts[item]);
  else
    for (int64_t row = first; row < end; row++) row_moments_get(job, row, &job->parts[row]);
}

/** One pass over all rows about c, summed in order of rows. */
static row_moments all_moments(ncc_pool *pool, moments_job *job, double c) {
  const int64_t rows = job->prepared->pixels.rows, items = ncc_ceil_div(rows, ROWS_PER_ITEM);
  row_moments total = {.lo = INFINITY, .hi = -INFINITY};
  double s_lost = 0, q_lost = 0;
  job->c = c;
  job->exact = sums_are_exact(job->prepared, c);
  ncc_pool_run(pool, items, moments_item, job);
  for (int64_t part = 0; part < (job->exact ? items : rows); part++) {
    const row_moments *r = &job->parts[part];
    ncc_add_exactly(&total.s, &s_lost, r->s);
    ncc_add_exactly(&total.q, &q_lost, r->q);
    if (r->lo < total.lo) total.lo = r->lo;
    if (r->hi > total.hi) total.hi = r->hi;
    total.bad += r->bad;
  }
  total.s += s_lost;
  total.q += q_lost;
  return total;
}

/** Rounds to 12 significant bits: sums of integers and of float32 pixels about such a centre are exact, so that a pixel
 *  that equals the mean normalises to exactly 0, as the zeros outside the image do. */
static double few_bits(double c) {
  int exponent;
  double fraction = frexp(c, &exponent);
  return ldexp(rint(ldexp(fraction, 12)), exponent - 12);
}

static ncc_status find_moments(ncc_pool *pool, ncc_prepared *p) {
  ncc_status status = NCC_OK;
  const double n = (double)p->pixels.rows * (double)p->pixels.cols;
  moments_job job = {.prepared = p, .kernels = ncc_kernels_get()};
  job.parts = malloc((size_t)p->pixels.rows * sizeof *job.parts);
  NCC_CHECK(job.parts, NCC_ERR_NOMEM, "out of memory for the moments of %lld rows", (long long)p->pixels.rows);
  p->scale = 1;
  if (p->pixels.dtype == NCC_F64) {
    row_moments total = all_moments(pool, &job, 0);
    p->finite = total.bad == 0;
    if (!p->finite) goto cleanup;
    p->scale = ncc_safe_scale(total.lo, total.hi);
  }
  row_moments middle;
  row_moments_get(&job, p->pixels.rows / 2, &middle);
  p->finite = middle.bad == 0;
  if (!p->finite) goto cleanup;
  row_moments total = all_moments(pool, &job, few_bits(middle.s / (double)p->pixels.cols));
  p->finite = total.bad == 0;
  if (!p->finite) goto cleanup;
  p->ssd = total.q - total.s * total.s / n;
  if (!(total.q <= 4 * p->ssd)) {
    total = all_moments(pool, &job, job.c + total.s / n);
    p->ssd = total.q - total.s * total.s / n;
  }
  p->mean = job.c + total.s / n;
  p->rest = (job.c - p->mean) + total.s / n;
  p->lo = total.lo;
  p->hi = total.hi;
  p->flat = total.lo == total.hi;
  if (p->flat || p->ssd < 0) p->ssd = 0;

cleanup:
  free(job.parts);
  return status;
}

static ncc_status make_normalised(ncc_prepared *p) {
  int64_t rows = p->pixels.rows, cols = p->pixels.cols;
  double deviation = sqrt(p->ssd / ((double)rows * (double)cols));
  p->normalised = calloc((size_t)(rows * cols), sizeof *p->normalised);
  if (!p->normalised)
    return ncc_error_set(NCC_ERR_NOMEM, "out of memory for a normalised copy of %lldx%lld pixels", (long long)rows,
                         (long long)cols);
  for (int64_t row = 0; row < rows && deviation > 0; row++) {
    double *out = p->normalised + row * cols;
    ncc_prepared_row(p, row, 0, cols, out);
    for (int64_t x = 0; x < cols; x++) out[x] = ((out[x] - p->mean) - p->rest) / deviation;
  }
  p->pixels = (ncc_array){p->normalised, NCC_F64, rows, cols, cols};
  return NCC_OK;
}

ncc_status ncc_prepared_create(ncc_pool *pool, const ncc_array *array, bool normalize, ncc_prepared *out) {
  ncc_status status = NCC_OK;
  *out = (ncc_prepared){.pixels = *array, .scale = 1, .n_valid = array->rows * array->cols};
  if (!array->data) return NCC_OK;
  NCC_TRY(find_moments(pool, out));
  if (normalize && out->finite) {
    NCC_TRY(make_normalised(out));
    NCC_TRY(find_moments(pool, out));
  }

cleanup:
  if (status != NCC_OK) ncc_prepared_clear(out);
  return status;
}

/** Makes a float64 copy whose masked pixels are the mean of the others. */
static ncc_status copy_pixels(ncc_prepared *p) {
  const int64_t rows = p->pixels.rows, cols = p->pixels.cols;
  p->normalised = malloc((size_t)(rows * cols) * sizeof *p->normalised);
  if (!p->normalised)
    return ncc_error_set(NCC_ERR_NOMEM, "out of memory for masked pixels of %lldx%lld", (long long)rows,
                         (long long)cols);
  for (int64_t y = 0; y < rows; y++)
    ncc_kernels_get()->to_f64(p->pixels.dtype, ncc_array_at(&p->pixels, y, 0), cols, p->normalised + y * cols);
  p->pixels = (ncc_array){p->normalised, NCC_F64, rows, cols, cols};
  return NCC_OK;
}

static void take_moments(ncc_prepared *p, const ncc_valid_moments *m) {
  p->n_valid = m->n;
  p->finite = m->finite;
  p->flat = m->flat;
  p->scale = m->scale;
  p->lo = m->lo;
  p->hi = m->hi;
  p->mean = m->mean;
  p->rest = m->rest;
  p->ssd = m->ssd;
}

static ncc_valid_moments fill(ncc_prepared *p) {
  return ncc_masked_fill(p->pixels.rows * p->pixels.cols, p->normalised, p->valid);
}

/** Standardised over the valid pixels. */
static ncc_status normalise_valid(ncc_prepared *p) {
  ncc_status status = NCC_OK;
  NCC_TRY(copy_pixels(p));
  ncc_valid_moments m = fill(p);
  if (m.finite) {
    const double deviation = m.n > 0 ? sqrt(m.ssd / (double)m.n) : 0;
    for (int64_t i = 0; i < p->pixels.rows * p->pixels.cols; i++) {
      const double d = (p->normalised[i] * m.scale - m.mean) - m.rest;
      p->normalised[i] = deviation > 0 ? d / deviation : 0;
    }
    m = fill(p);
  }
  take_moments(p, &m);

cleanup:
  return status;
}

static ncc_rect find_box(const uint8_t *valid, int64_t rows, int64_t cols) {
  ncc_rect box = {0, cols, 0, 0};
  bool any = false;
  for (int64_t y = 0; y < rows; y++, valid += cols) {
    const uint8_t *first = memchr(valid, 1, (size_t)cols);
    if (!first) continue;
    if (!any) box.y0 = y;
    any = true;
    box.y1 = y + 1;
    box.x0 = ncc_min(box.x0, first - valid);
    int64_t end = cols;
    while (!valid[end - 1]) end--;
    box.x1 = ncc_max(box.x1, end);
  }
  return any ? box : (ncc_rect){0};
}

ncc_status ncc_mask_take(const ncc_array *mask, const ncc_array *of, uint8_t **valid) {
  const int64_t pixels = of->rows * of->cols;
  *valid = NULL;
  if (!mask || !mask->data || !of->data) return NCC_OK;
  *valid = malloc((size_t)pixels);
  if (!*valid)
    return ncc_error_set(NCC_ERR_NOMEM, "out of memory for a mask of %lldx%lld pixels", (long long)of->rows,
                         (long long)of->cols);
  if (ncc_mask_read(mask, *valid) < pixels) return NCC_OK;
  free(*valid);
  *valid = NULL;
  return NCC_OK;
}

ncc_status ncc_prepared_create_masked(ncc_pool *pool, const ncc_array *array, const ncc_array *mask, bool normalize,
                                      ncc_prepared *out) {
  ncc_status status = NCC_OK;
  *out = (ncc_prepared){.pixels = *array, .scale = 1};
  NCC_TRY(ncc_mask_take(mask, array, &out->valid));
  if (!out->valid) return ncc_prepared_create(pool, array, normalize, out);
  out->box = find_box(out->valid, array->rows, array->cols);
  if (normalize) {
    NCC_TRY(normalise_valid(out));
  } else {
    const ncc_valid_moments m = ncc_masked_moments(array, out->valid);
    take_moments(out, &m);
  }

cleanup:
  if (status != NCC_OK) ncc_prepared_clear(out);
  return status;
}

float ncc_prepared_mean_f32(const ncc_prepared *p) {
  return (float)((p->flat ? p->lo : p->mean) / p->scale);
}

void ncc_prepared_clear(ncc_prepared *prepared) {
  free(prepared->normalised);
  free(prepared->valid);
  *prepared = (ncc_prepared){0};
}
