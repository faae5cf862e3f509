/** Lengths, plans, wisdom; see fft.h. */
#include "fft.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "version.h"

/** Measured costs in cache on the reference machine (one core, AVX-512 server, Debian's FFTW), by bench/fft_costs.c. */
static const struct {
  int32_t length, ns;
} costs[] = {
#include "fft_costs.inc"
};
enum { COSTS = sizeof costs / sizeof costs[0] };

/** Beyond the table: the smallest multiple of 1024 that has no factor above 5. */
static int64_t beyond_table(int64_t least) {
  for (int64_t n = (least + 1023) / 1024;; n++) {
    int64_t rest = n;
    for (int64_t p = 2; p <= 5; p++)
      while (rest % p == 0) rest /= p;
    if (rest == 1) return n * 1024;
  }
}

double ncc_fft_cost_s(int64_t length) {
  int lo = 0, hi = COSTS;
  while (lo < hi) {
    int mid = (lo + hi) / 2;
    if (costs[mid].length < length)
      lo = mid + 1;
    else
      hi = mid;
  }
  if (lo < COSTS && costs[lo].length == length) return 1e-9 * costs[lo].ns;
  const double n = (double)length, last = costs[COSTS - 1].length;
  return 1e-9 * costs[COSTS - 1].ns * n * log2(n + 2) / (last * log2(last + 2));
}

int64_t ncc_fft_length(int64_t least) {
  // Longer arrays also cost memory traffic between the stages: about 1 ns for each element, in and out of L3.
  const double traffic_ns = 1;
  int64_t best = 0;
  double best_ns = 0;
  for (int i = 0; i < COSTS && costs[i].length <= 2 * least + 16; i++) {
    if (costs[i].length < least) continue;
    double ns = costs[i].ns + traffic_ns * costs[i].length;
    if (!best || ns < best_ns) {
      best = costs[i].length;
      best_ns = ns;
    }
  }
  return best ? best : beyond_table(least);
}

ncc_fft_shape ncc_fft_shape_choose(const ncc_geometry *g) {
  const ncc_rect *trim = &g->trim, *search = &g->search;
  int64_t rows =
      ncc_geometry_min_fft(trim->y1 - trim->y0, g->template_rows, search->y0 - trim->y0, search->y1 - 1 - trim->y0);
  int64_t cols =
      ncc_geometry_min_fft(trim->x1 - trim->x0, g->template_cols, search->x0 - trim->x0, search->x1 - 1 - trim->x0);
  ncc_fft_shape shape = {.rows = ncc_fft_length(rows < 2 ? 2 : rows), .cols = ncc_fft_length(cols < 2 ? 2 : cols)};
  shape.half = shape.cols / 2 + 1;
  // Room for whole blocks of columns past the end, whole lines of 64 bytes, and no power of two between rows.
  shape.row_stride = (shape.cols + 24 + 7) / 8 * 8;
  return shape;
}

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t at_fork = PTHREAD_ONCE_INIT;

/** A fork waits until nobody plans: else the child might inherit a lock that no thread of it will ever release. */
static void register_at_fork(void) {
  pthread_atfork(ncc_fft_lock, ncc_fft_unlock, ncc_fft_unlock);
}

void ncc_fft_lock(void) {
  pthread_once(&at_fork, register_at_fork);
  pthread_mutex_lock(&planner);
}
void ncc_fft_unlock(void) {
  pthread_mutex_unlock(&planner);
}

/** Plans made so far, under the planner's lock. */
typedef struct plan_entry {
  ncc_fft_plans plans;
  ncc_fft_effort effort;
  struct plan_entry *next;
} plan_entry;

static plan_entry *entries;

static ncc_status make_plans(const ncc_fft_shape *shape, ncc_fft_effort effort, ncc_fft_plans *out) {
  static const unsigned flags[] = {
      [NCC_FFT_MEASURE] = FFTW_MEASURE, [NCC_FFT_ESTIMATE] = FFTW_ESTIMATE, [NCC_FFT_PATIENT] = FFTW_PATIENT};
  ncc_status status = NCC_OK;
  *out = (ncc_fft_plans){.rows = shape->rows, .cols = shape->cols};
  int64_t longest = shape->rows > shape->cols ? shape->rows : shape->cols;
  int rows = (int)shape->rows, cols = (int)shape->cols;
  fftwf_complex *in = fftwf_alloc_complex((size_t)longest), *to = fftwf_alloc_complex((size_t)longest);
  NCC_CHECK(in && to, NCC_ERR_NOMEM, "out of memory for FFT plans of %lldx%lld", (long long)shape->rows,
            (long long)shape->cols);
  out->row_forward = fftwf_plan_dft_1d(cols, in, to, FFTW_FORWARD, flags[effort]);
  out->row_inverse = fftwf_plan_dft_1d(cols, in, to, FFTW_BACKWARD, flags[effort]);
  out->column_forward = fftwf_plan_dft_1d(rows, in, to, FFTW_FORWARD, flags[effort]);
  out->column_inverse = fftwf_plan_dft_1d(rows, in, to, FFTW_BACKWARD, flags[effort]);
  NCC_CHECK(out->row_forward && out->row_inverse && out->column_forward && out->column_inverse, NCC_ERR_INTERNAL,
            "%s made no plan for transforms of %lldx%lld", ncc_fft_library(), (long long)shape->rows,
            (long long)shape->cols);

cleanup:
  fftwf_free(in);
  fftwf_free(to);
  return status;
}

ncc_status ncc_fft_plans_get(const ncc_fft_shape *shape, ncc_fft_effort effort, double *planning_s,
                             const ncc_fft_plans **out) {
  ncc_status status = NCC_OK;
  struct timespec t0, t1;
  ncc_fft_lock();
  plan_entry *entry = entries;
  while (entry && !(entry->plans.rows == shape->rows && entry->plans.cols == shape->cols && entry->effort == effort))
    entry = entry->next;
  if (!entry) {
    clock_gettime(CLOCK_MONOTONIC, &t0);
    entry = calloc(1, sizeof *entry);
    NCC_CHECK(entry, NCC_ERR_NOMEM, "out of memory for FFT plans");
    entry->effort = effort;
    status = make_plans(shape, effort, &entry->plans);
    if (status != NCC_OK) {
      free(entry);
      goto cleanup;
    }
    entry->next = entries;
    entries = entry;
    clock_gettime(CLOCK_MONOTONIC, &t1);
    if (planning_s) *planning_s += (double)(t1.tv_sec - t0.tv_sec) + 1e-9 * (double)(t1.tv_nsec - t0.tv_nsec);
  }
  *out = &entry->plans;

cleanup:
  ncc_fft_unlock();
  return status;
}

ncc_status ncc_fft_prepare(const ncc_search *search, ncc_fft_effort effort, int64_t image_rows, int64_t image_cols,
                           int64_t template_rows, int64_t template_cols) {
  ncc_geometry g;
  const ncc_fft_plans *plans;
  ncc_status status = ncc_geometry_create(search, NULL, image_rows, image_cols, template_rows, template_cols, &g);
  if (status != NCC_OK) return status;
  ncc_fft_shape shape = ncc_fft_shape_choose(&g);
  return ncc_fft_plans_get(&shape, effort, NULL, &plans);
}

char *ncc_fft_wisdom_export(void) {
  ncc_fft_lock();
  char *wisdom = fftwf_export_wisdom_to_string();
  char *copy = wisdom ? strdup(wisdom) : NULL;
  ncc_fft_unlock();
  if (wisdom) fftwf_free(wisdom);
  return copy;
}

bool ncc_fft_wisdom_import(const char *wisdom) {
  ncc_fft_lock();
  bool accepted = fftwf_import_wisdom_from_string(wisdom) != 0;
  ncc_fft_unlock();
  return accepted;
}
