/** See turn.h. */
#include "match/turn.h"

#include <math.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "filter/exact.h"
#include "match/kernels/kernels.h"
#include "match/kernels/turn.h"
#include "match/prepare.h"
#include "match/result.h"

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

int64_t ncc_turns_choose(int64_t n, const ncc_result *results, uint8_t *kind) {
  static const ncc_pair_status before[] = {NCC_PAIR_NONFINITE, NCC_PAIR_UNREADABLE, NCC_PAIR_UNCERTAIN, NCC_PAIR_OK,
                                           NCC_PAIR_FLAT,      NCC_PAIR_MASKED,     NCC_PAIR_INVALID};
  int64_t best = -1;
  bool found = false;
  for (size_t i = 0; i < sizeof before / sizeof before[0] && !found; i++)
    for (int64_t k = 0; k < n && !found; k++) {
      *kind = results[k].status;
      found = *kind == before[i];
      best = k;
    }
  if (!ncc_result_has_peak(*kind)) return best;
  double greatest = -INFINITY;
  for (int64_t k = 0; k < n; k++) greatest = fmax(greatest, results[k].peak);  // NaN where there is none
  for (best = 0; !(results[best].peak >= greatest - NCC_TIE);) best++;
  return best;
}

bool ncc_turns_want_answer(const ncc_search *search, uint8_t kind) {
  return (search->quality || search->peaks > 0) && (kind == NCC_PAIR_OK || kind == NCC_PAIR_FLAT);
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
  t->narrow = tmpl->dtype != NCC_F64 && tmpl->dtype != NCC_U32 && tmpl->dtype != NCC_I32;
  const int64_t bytes = t->narrow ? sizeof(float) : sizeof(double);
  NCC_TRY(ncc_buffer_reserve(&t->pixels, wide.rows * wide.cols * bytes, "a template to be turned"));
  NCC_TRY(ncc_buffer_reserve(&t->row, wide.cols * (int64_t)sizeof(double), "a row of a template"));
  double *row = t->row.data;
  if (t->has_mask) {
    const ncc_array wide_mask = ncc_array_widen(mask, around);
    NCC_TRY(ncc_buffer_reserve(&t->valid, wide.rows * wide.cols, "the mask of a template to be turned"));
    uint8_t *valid = t->valid.data;
    for (int64_t y = 0; y < wide.rows; y++) {
      kernels->to_f64(mask->dtype, ncc_array_at(&wide_mask, y, 0), wide.cols, row);
      for (int64_t x = 0; x < wide.cols; x++) valid[y * wide.cols + x] = row[x] != 0;
    }
  }
  for (int64_t y = 0; y < wide.rows; y++) {
    double *out = t->narrow ? row : (double *)t->pixels.data + y * wide.cols;
    kernels->to_f64(wide.dtype, ncc_array_at(&wide, y, 0), wide.cols, out);
    float *narrow = (float *)t->pixels.data + y * wide.cols;
    for (int64_t x = 0; t->narrow && x < wide.cols; x++) narrow[x] = (float)row[x];
  }

cleanup:
  return status;
}

void ncc_turner_clear(ncc_turner *turner) {
  ncc_buffer_free(&turner->pixels);
  ncc_buffer_free(&turner->valid);
  ncc_buffer_free(&turner->row);
}

typedef struct turn_job {
  const ncc_turner *turner;
  const ncc_turn *turn;
  float *out;
  uint8_t *valid;
} turn_job;

/** Whether the neighbours that count are valid. */
static bool all_valid(const uint8_t *at, int64_t width, double fy, double fx) {
  return at[0] && (fx == 0 || at[1]) && (fy == 0 || (at[width] && (fx == 0 || at[width + 1])));
}

static double pixel(const ncc_turn_line *line, int64_t at) {
  return line->narrow ? (double)line->narrow[at] : line->pixels[at];
}

/** Pixels [from, end) of a row, whatever there is beside them. */
static void turn_carefully(const ncc_turner *t, const ncc_turn_line *line, int64_t from, int64_t end, float *out,
                           uint8_t *valid) {
  const int64_t height = t->around.above + t->rows + t->around.below;
  const double last_y = (double)(height - 1), last_x = (double)(line->width - 1);
  for (int64_t x = from; x < end; x++) {
    const double dx = (double)x - line->cx;
    const double sy = line->y_part + dx * line->sine, sx = (line->cx + dx * line->cosine) - line->x_part;
    const double row = ncc_turn_floor(sy), col = ncc_turn_floor(sx), fy = sy - row, fx = sx - col;
    const double top = row + line->above, first = col + line->left;
    bool there = top >= 0 && first >= 0 && (fy > 0 ? top + 1 : top) <= last_y && (fx > 0 ? first + 1 : first) <= last_x;
    const int64_t at = there ? (int64_t)top * line->width + (int64_t)first : 0;
    if (there && t->has_mask) there = all_valid((const uint8_t *)t->valid.data + at, line->width, fy, fx);
    if (there) {  // what does not count may lie beyond the array
      const int64_t below = fy > 0 ? at + line->width : at, beside = fx > 0;
      const double upper = ncc_turn_between(pixel(line, at), pixel(line, at + beside), fx);
      const double lower = ncc_turn_between(pixel(line, below), pixel(line, below + beside), fx);
      out[x] = (float)ncc_turn_between(upper, lower, fy);
    } else {
      out[x] = t->mean;
    }
    if (valid) valid[x] = there;
  }
}

/** Narrows [*from, *end) to where base + x slope surely lies in [lo, hi]. */
static void keep_within(double base, double slope, double lo, double hi, int64_t *from, int64_t *end) {
  const double surely = 1e-3;
  lo += surely;
  hi -= surely;
  if (slope == 0) {
    if (!(base >= lo && base <= hi)) *end = *from;
    return;
  }
  const double p = (lo - base) / slope, q = (hi - base) / slope, most = (double)*end;
  const double first = ceil(fmin(p, q)), last = floor(fmax(p, q));
  *from = first > (double)*from ? (int64_t)fmin(first, most) : *from;
  *end = last + 1 < most ? (int64_t)fmax(last + 1, (double)*from) : *end;
}

static void turn_row(const turn_job *job, int64_t y) {
  const ncc_turner *t = job->turner;
  const ncc_margins *around = &t->around;
  const double cy = (double)(t->rows - 1) / 2, cx = (double)(t->cols - 1) / 2, dy = (double)y - cy;
  const int64_t height = around->above + t->rows + around->below;
  const ncc_turn_line line = {.pixels = t->narrow ? NULL : t->pixels.data,
                              .narrow = t->narrow ? t->pixels.data : NULL,
                              .width = around->left + t->cols + around->right,
                              .above = (double)around->above,
                              .left = (double)around->left,
                              .cosine = job->turn->cos,
                              .sine = job->turn->sin,
                              .cx = cx,
                              .y_part = cy + dy * job->turn->cos,
                              .x_part = dy * job->turn->sin};
  float *out = job->out + y * t->cols;
  uint8_t *valid = job->valid ? job->valid + y * t->cols : NULL;
  int64_t from = 0, end = t->has_mask || height * line.width > INT32_MAX ? 0 : t->cols;
  keep_within(line.y_part - cx * line.sine, line.sine, -line.above, (double)(height - 1) - line.above, &from, &end);
  keep_within(cx - cx * line.cosine - line.x_part, line.cosine, -line.left, (double)(line.width - 1) - line.left, &from,
              &end);
  if (end - from < NCC_LANES) end = from;
  turn_carefully(t, &line, 0, from, out, valid);
  if (from < end) ncc_kernels_get()->turn->turn(&line, from, end, out);
  for (int64_t x = from; valid && x < end; x++) valid[x] = 1;
  turn_carefully(t, &line, end > from ? end : from, t->cols, out, valid);
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

ncc_status ncc_turn_array(const ncc_array *tmpl, const ncc_array *mask, const ncc_margins *around, int64_t micro,
                          float *out, uint8_t *valid) {
  ncc_status status = NCC_OK;
  const ncc_turn turn = ncc_turn_of(micro);
  ncc_turner turner = {0};
  ncc_prepared prepared = {0};
  ncc_pool *pool = NULL;
  NCC_TRY(ncc_pool_create(1, &pool));
  NCC_TRY(ncc_prepared_create_masked(pool, tmpl, mask, false, &prepared));
  NCC_TRY(ncc_turner_take(&turner, tmpl, around, valid != NULL, mask, ncc_prepared_mean_f32(&prepared)));
  ncc_turner_turn(&turner, pool, &turn, out, valid);

cleanup:
  ncc_prepared_clear(&prepared);
  ncc_turner_clear(&turner);
  ncc_pool_destroy(&pool);
  return status;
}
