/** Lengths, plans, wisdom; see fft.h. */
#include "match/fft.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef NCC_FFT_MKL
#include <mkl_service.h>
#endif

#include "base/clock.h"
#include "base/error.h"

/** Measured costs in cache on the reference machine (one core, AVX-512 server, Debian's FFTW), by bench/fft_costs.c. */
static const struct {
  int32_t length, ns;
} costs[] = {
#include "match/fft_costs.inc"
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

/** Ways to cut so many points into parts that are worth trying: lines of cache stay whole, and a part takes a good part
 *  of the first cache. */
static bool may_cut(int64_t points, int parts) {
  return parts == 1 || (points % (8 * parts) == 0 && points / parts >= NCC_LEAST_PART && points / parts <= 1024);
}

static const int part_choices[] = NCC_CUT_PARTS;
enum { PART_CHOICES = sizeof part_choices / sizeof part_choices[0] };

static double whole_ns(int64_t points) {
  return 1e9 * ncc_fft_cost_s(points);
}

/** By the table, cut into parts or not. */
static double cut_ns(int64_t points) {
  double least = INFINITY;
  for (int i = 0; i < PART_CHOICES; i++)
    if (may_cut(points, part_choices[i])) least = fmin(least, part_choices[i] * whole_ns(points / part_choices[i]));
  return least;
}

/** The cheapest length >= least. */
static int64_t choose_length(int64_t least, double (*cost_ns)(int64_t length)) {
  // Longer arrays also cost memory traffic between the stages: about 1 ns for each element, in and out of L3.
  const double traffic_ns = 1;
  int64_t best = 0;
  double best_ns = 0;
  for (int i = 0; i < COSTS && costs[i].length <= 2 * least + 16; i++) {
    if (costs[i].length < least) continue;
    double ns = cost_ns(costs[i].length) + traffic_ns * costs[i].length;
    if (!best || ns < best_ns) {
      best = costs[i].length;
      best_ns = ns;
    }
  }
  return best ? best : beyond_table(least);
}

double ncc_fft_cut_cost_s(int64_t length) {
  return 1e-9 * cut_ns(length);
}

int64_t ncc_fft_length(int64_t least) {
  return choose_length(least, whole_ns);
}

ncc_fft_shape ncc_fft_shape_choose(const ncc_geometry *g) {
  const ncc_rect *trim = &g->trim, *search = &g->search;
  int64_t rows =
      ncc_geometry_min_fft(trim->y1 - trim->y0, g->template_rows, search->y0 - trim->y0, search->y1 - 1 - trim->y0);
  int64_t cols =
      ncc_geometry_min_fft(trim->x1 - trim->x0, g->template_cols, search->x0 - trim->x0, search->x1 - 1 - trim->x0);
  ncc_fft_shape shape = {.rows = choose_length(rows < 2 ? 2 : rows, cut_ns),
                         .cols = choose_length(cols < 2 ? 2 : cols, cut_ns)};
  shape.half = shape.cols / 2 + 1;
  // Room for gaps between parts and whole vectors past the end, whole lines of 64 bytes, and no power of two between
  // rows.
  shape.row_stride = (shape.cols + 8 * NCC_PART_GAP + 24 + 7) / 8 * 8;
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

/** Plans of one length, both ways; NULL where the library makes none. */
typedef struct plan_pair {
  fftwf_plan forward, inverse;
} plan_pair;

static plan_pair make_pair(int64_t length, ncc_fft_effort effort, fftwf_complex *in, fftwf_complex *to) {
  static const unsigned flags[] = {
      [NCC_FFT_MEASURE] = FFTW_MEASURE, [NCC_FFT_ESTIMATE] = FFTW_ESTIMATE, [NCC_FFT_PATIENT] = FFTW_PATIENT};
  return (plan_pair){fftwf_plan_dft_1d((int)length, in, to, FFTW_FORWARD, flags[effort]),
                     fftwf_plan_dft_1d((int)length, in, to, FFTW_BACKWARD, flags[effort])};
}

static void destroy_pair(plan_pair pair) {
  if (pair.forward) fftwf_destroy_plan(pair.forward);
  if (pair.inverse) fftwf_destroy_plan(pair.inverse);
}

static ncc_c32 *make_twiddles(int64_t points, int parts) {
  const int64_t length = points / parts;
  ncc_c32 *twiddles = aligned_alloc(64, (size_t)((points + 7) / 8 * 8) * sizeof *twiddles);
  for (int64_t k = 1; twiddles && k < parts; k++)
    for (int64_t n = 0; n < length; n++) {
      const double angle = -2 * 3.14159265358979323846 * (double)(k * n % points) / (double)points;
      twiddles[(k - 1) * length + n][0] = (float)cos(angle);
      twiddles[(k - 1) * length + n][1] = (float)sin(angle);
    }
  return twiddles;
}

enum { TRIAL_COLUMNS = 8, TRIALS = 5 };

/** Seconds that some columns take there and back, the least of a few trials.
 *  @param[in] strips, columns  zeros, so that nothing overflows */
static double try_parts(const ncc_cut *c, plan_pair pair, ncc_c32 *strips, ncc_c32 *columns, ncc_c32 *spectrum) {
  const ncc_cut_kernels *kernels = ncc_kernels_get()->cut;
  const int64_t n_strips = (c->parts * c->length + 7) / 8;
  double least = INFINITY;
  for (int trial = 0; trial < TRIALS; trial++) {
    const double t0 = ncc_clock_s();
    kernels->split_strips(c, strips, n_strips, TRIAL_COLUMNS, columns);
    for (int j = 0; j < TRIAL_COLUMNS; j++)
      for (int k = 0; k < c->parts; k++) {
        ncc_c32 *part = columns + j * c->column_stride + k * c->length;
        fftwf_execute_dft(pair.forward, part, spectrum);
        fftwf_execute_dft(pair.inverse, spectrum, part);
      }
    kernels->join_strips(c, (const ncc_c32 *)columns, TRIAL_COLUMNS, 0, n_strips, strips, false);
    least = fmin(least, ncc_clock_s() - t0);
  }
  return least;
}

/** Cuts transforms of so many points into as many parts as make them fastest, by trying. */
static ncc_status plan_cut(int64_t points, ncc_fft_effort effort, fftwf_complex *in, fftwf_complex *to,
                           ncc_cut_plan *out) {
  ncc_status status = NCC_OK;
  const int64_t stride = (points + 7) / 8 * 8;
  double least = INFINITY;
  plan_pair best = {0};
  ncc_c32 *twiddles = NULL;
  ncc_c32 *strips = aligned_alloc(64, (size_t)(2 * TRIAL_COLUMNS * stride) * sizeof *strips);
  NCC_CHECK(strips, NCC_ERR_NOMEM, "out of memory for trials of transforms of %lld points", (long long)points);
  memset(strips, 0, (size_t)(2 * TRIAL_COLUMNS * stride) * sizeof *strips);
  for (int i = 0; i < PART_CHOICES; i++) {
    const int parts = part_choices[i];
    const int64_t length = points / parts;
    if (!may_cut(points, parts)) continue;
    plan_pair pair = make_pair(length, effort, in, to);
    twiddles = make_twiddles(points, parts);
    NCC_CHECK(twiddles, NCC_ERR_NOMEM, "out of memory for the factors of %lld points", (long long)points);
    ncc_cut c = {.parts = parts,
                 .length = length,
                 .twiddles = twiddles,
                 .strip_stride = 8 * TRIAL_COLUMNS,
                 .strip_step = 8,
                 .column_stride = stride};
    double s = INFINITY;
    if (pair.forward && pair.inverse) s = try_parts(&c, pair, strips, strips + TRIAL_COLUMNS * stride, (ncc_c32 *)to);
    if (s < least) {
      least = s;
      destroy_pair(best);
      best = pair;
      free((void *)out->cut.twiddles);
      out->cut = c;
    } else {
      destroy_pair(pair);
      free(twiddles);
    }
    twiddles = NULL;
  }
  out->forward = best.forward;
  out->inverse = best.inverse;

cleanup:
  free(twiddles);
  free(strips);
  return status;
}

static ncc_status make_plans(const ncc_fft_shape *shape, ncc_fft_effort effort, ncc_fft_plans *out) {
  ncc_status status = NCC_OK;
  *out = (ncc_fft_plans){.rows = shape->rows, .cols = shape->cols};
  int64_t longest = shape->rows > shape->cols ? shape->rows : shape->cols;
  fftwf_complex *in = fftwf_alloc_complex((size_t)longest), *to = fftwf_alloc_complex((size_t)longest);
  NCC_CHECK(in && to, NCC_ERR_NOMEM, "out of memory for FFT plans of %lldx%lld", (long long)shape->rows,
            (long long)shape->cols);
  NCC_TRY(plan_cut(shape->rows, effort, in, to, &out->column));
  out->row = out->column;
  if (shape->cols != shape->rows) {
    out->row = (ncc_cut_plan){0};
    NCC_TRY(plan_cut(shape->cols, effort, in, to, &out->row));
  }
  NCC_CHECK(out->row.forward && out->row.inverse && out->column.forward && out->column.inverse, NCC_ERR_INTERNAL,
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
  ncc_fft_lock();
  plan_entry *entry = entries;
  while (entry && !(entry->plans.rows == shape->rows && entry->plans.cols == shape->cols && entry->effort == effort))
    entry = entry->next;
  if (!entry) {
    const double t0 = ncc_clock_s();
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
    if (planning_s) *planning_s += ncc_clock_s() - t0;
  }
  *out = &entry->plans;

cleanup:
  ncc_fft_unlock();
  return status;
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

#ifdef NCC_FFT_MKL
/** MKL's FFTW interface calls itself FFTW; ask MKL. */
const char *ncc_fft_library(void) {
  static _Thread_local char text[64];
  MKLVersion version;
  mkl_get_version(&version);
  snprintf(text, sizeof text, "mkl-%d.%d.%d", version.MajorVersion, version.MinorVersion, version.UpdateVersion);
  return text;
}
#else
const char *ncc_fft_library(void) {
  return fftwf_version;
}
#endif
