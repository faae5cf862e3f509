/** See turn.h. */
#include "match/turn.h"

#include <math.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "filter/exact.h"
#include "match/kernels/kernels.h"
#include "match/prepare.h"

enum { MICRO = 1000000, ROWS_PER_ITEM = 32 };

int64_t ncc_turns_count(const ncc_search *search) {
  return ncc_search_turns(search) ? (search->rotate_to - search->rotate_from) / search->rotate_step + 1 : 1;
}

ncc_turn ncc_turn_of(int64_t micro) {
  return (ncc_turn){micro, ncc_exact_cos_degrees(micro), ncc_exact_sin_degrees(micro)};
}

double ncc_turn_degrees(int64_t micro) {
  return (double)micro / MICRO;
}

int64_t ncc_turn_micro(double degrees) {
  return (int64_t)rint(degrees * MICRO);
}

static int compare_turns(const void *a, const void *b) {
  const int64_t p = ((const ncc_turn *)a)->micro, q = ((const ncc_turn *)b)->micro;
  if (llabs(p) != llabs(q)) return llabs(p) < llabs(q) ? -1 : 1;
  return (p > q) - (p < q);
}

ncc_status ncc_turns_list(const ncc_search *search, ncc_turn **out) {
  const int64_t n = ncc_turns_count(search);
  *out = malloc((size_t)n * sizeof **out);
  if (!*out) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld angles", (long long)n);
  for (int64_t i = 0; i < n; i++) (*out)[i] = ncc_turn_of(search->rotate_from + i * search->rotate_step);
  qsort(*out, (size_t)n, sizeof **out, compare_turns);
  return NCC_OK;
}

int64_t ncc_turns_most(const ncc_search *search) {
  return ncc_search_turns(search) ? ncc_max(llabs(search->rotate_from), llabs(search->rotate_to)) : 0;
}

void ncc_turns_margin(int64_t most, int64_t rows, int64_t cols, int64_t *y, int64_t *x) {
  const double sine = most < 90 * (int64_t)MICRO ? ncc_exact_sin_degrees(most) : 1;
  *y = most > 0 ? (int64_t)ceil(sine * (double)(cols - 1) / 2) + 1 : 0;
  *x = most > 0 ? (int64_t)ceil(sine * (double)(rows - 1) / 2) + 1 : 0;
}

ncc_array ncc_array_widen(const ncc_array *array, const ncc_margins *around) {
  ncc_array wide = *array;
  wide.rows += around->above + around->below;
  wide.cols += around->left + around->right;
  if (array->data) wide.data = ncc_array_at(array, -around->above, -around->left);
  return wide;
}

ncc_status ncc_turner_take(ncc_turner *t, const ncc_array *tmpl, const ncc_margins *around, bool masked,
                           const ncc_array *mask, float mean) {
  ncc_status status = NCC_OK;
  const ncc_array wide = ncc_array_widen(tmpl, around);
  const ncc_kernels *kernels = ncc_kernels_get();
  t->rows = tmpl->rows;
  t->cols = tmpl->cols;
  t->around = *around;
  t->mean = mean;
  t->masked = masked;
  t->has_mask = mask && mask->data;
  NCC_TRY(ncc_buffer_reserve(&t->pixels, wide.rows * wide.cols * (int64_t)sizeof(double), "a template to be turned"));
  double *pixels = t->pixels.data;
  if (t->has_mask) {
    const ncc_array wide_mask = ncc_array_widen(mask, around);
    NCC_TRY(ncc_buffer_reserve(&t->valid, wide.rows * wide.cols, "the mask of a template to be turned"));
    uint8_t *valid = t->valid.data;
    for (int64_t y = 0; y < wide.rows; y++) {
      double *row = pixels + y * wide.cols;
      kernels->to_f64(mask->dtype, ncc_array_at(&wide_mask, y, 0), wide.cols, row);
      for (int64_t x = 0; x < wide.cols; x++) valid[y * wide.cols + x] = row[x] != 0;
    }
  }
  for (int64_t y = 0; y < wide.rows; y++)
    kernels->to_f64(wide.dtype, ncc_array_at(&wide, y, 0), wide.cols, pixels + y * wide.cols);

cleanup:
  return status;
}

void ncc_turner_clear(ncc_turner *turner) {
  ncc_buffer_free(&turner->pixels);
  ncc_buffer_free(&turner->valid);
}

typedef struct turn_job {
  const ncc_turner *turner;
  const ncc_turn *turn;
  float *out;
  uint8_t *valid;
} turn_job;

/** a[0] and its neighbour, of weight f; of weight 0 it is not read. */
static inline double between(const double *a, double f) {
  return f == 0 ? a[0] : a[0] + f * (a[1] - a[0]);
}

/** Whether the neighbours that count are valid. */
static bool all_valid(const uint8_t *at, int64_t width, double fy, double fx) {
  return at[0] && (fx == 0 || at[1]) && (fy == 0 || (at[width] && (fx == 0 || at[width + 1])));
}

static void turn_row(const turn_job *job, int64_t y) {
  const ncc_turner *t = job->turner;
  const double cosine = job->turn->cos, sine = job->turn->sin;
  const double cy = (double)(t->rows - 1) / 2, cx = (double)(t->cols - 1) / 2, dy = (double)y - cy;
  const double y_part = cy + dy * cosine, x_part = dy * sine;
  const int64_t height = t->around.above + t->rows + t->around.below,
                width = t->around.left + t->cols + t->around.right;
  const double above = (double)t->around.above, left = (double)t->around.left;
  const double last_y = (double)(height - 1), last_x = (double)(width - 1);
  const double *pixels = t->pixels.data;
  float *out = job->out + y * t->cols;
  uint8_t *valid = job->valid ? job->valid + y * t->cols : NULL;
  for (int64_t x = 0; x < t->cols; x++) {
    const double dx = (double)x - cx, sy = y_part + dx * sine, sx = (cx + dx * cosine) - x_part;
    // Never below the array by much more than its own size, so that the integers are those of floor().
    const double row = floor(sy), col = floor(sx), fy = sy - row, fx = sx - col;
    const double top = row + above, first = col + left;
    bool there = top >= 0 && first >= 0 && (fy > 0 ? top + 1 : top) <= last_y && (fx > 0 ? first + 1 : first) <= last_x;
    const int64_t at = there ? (int64_t)top * width + (int64_t)first : 0;
    if (there && t->has_mask) there = all_valid((const uint8_t *)t->valid.data + at, width, fy, fx);
    if (there) {
      const double upper = between(pixels + at, fx);
      out[x] = (float)(fy == 0 ? upper : upper + fy * (between(pixels + at + width, fx) - upper));
    } else {
      out[x] = t->mean;
    }
    if (valid) valid[x] = there;
  }
}

static void turn_item(void *context, int64_t item, int thread) {
  (void)thread;
  const turn_job *job = context;
  const int64_t first = item * ROWS_PER_ITEM, end = ncc_min(first + ROWS_PER_ITEM, job->turner->rows);
  for (int64_t y = first; y < end; y++) turn_row(job, y);
}

void ncc_turner_turn(const ncc_turner *turner, ncc_pool *pool, const ncc_turn *turn, float *out, uint8_t *valid) {
  turn_job job = {turner, turn, out, valid};
  ncc_pool_run(pool, ncc_ceil_div(turner->rows, ROWS_PER_ITEM), turn_item, &job);
}

ncc_status ncc_turn_array(const ncc_array *tmpl, const ncc_margins *around, int64_t micro, float *out) {
  ncc_status status = NCC_OK;
  const ncc_margins nothing = {0};
  const ncc_turn turn = ncc_turn_of(micro);
  ncc_turner turner = {0};
  ncc_prepared prepared = {0};
  ncc_pool *pool = NULL;
  NCC_TRY(ncc_pool_create(1, &pool));
  NCC_TRY(ncc_prepared_create(pool, tmpl, false, &prepared));
  NCC_TRY(ncc_turner_take(&turner, tmpl, around ? around : &nothing, false, NULL, ncc_prepared_mean_f32(&prepared)));
  ncc_turner_turn(&turner, pool, &turn, out, NULL);

cleanup:
  ncc_prepared_clear(&prepared);
  ncc_turner_clear(&turner);
  ncc_pool_destroy(&pool);
  return status;
}
