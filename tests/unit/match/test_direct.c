/** Numerators summed directly against transforms, and against what the CPU engine chooses: the same answers, right
 * beside the sizes of templates and of search windows at which the choice changes, and anywhere else. None of them
 * needs the second tier, and the choice goes both ways. */
#include "match/direct.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "check.h"
#include "match/engine.h"
#include "random.h"

enum { SIDE = 96, TEMPLATES = 3, PEAKS = 3 };

static float pixels_f32[SIDE * SIDE];
static int16_t pixels_i16[SIDE * SIDE];

static void make_pixels(double offset) {
  for (int i = 0; i < SIDE * SIDE; i++) {
    const double v = offset + 200 * (uniform() - 0.5);
    pixels_f32[i] = (float)v;
    pixels_i16[i] = (int16_t)v;
  }
}

/** What is asked of the engines. */
typedef struct question {
  ncc_search search;
  ncc_array image, templates[TEMPLATES];
  ncc_rect windows[TEMPLATES];
  bool windowed;
  int64_t n;
} question;

typedef struct answer {
  ncc_result results[TEMPLATES];
  ncc_peak peaks[TEMPLATES * PEAKS];
} answer;

static answer ask(const ncc_engine_ops *engine, int threads, const question *q) {
  const ncc_config config = {.engine = engine, .threads = threads, .fft_effort = NCC_FFT_ESTIMATE};
  ncc_matcher *matcher = NULL;
  answer a = {.results = {{0}}};
  CHECK(ncc_matcher_create(&q->search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_matcher_match(matcher, -1, &q->image, q->n, q->templates, q->windowed ? q->windows : NULL, a.results) ==
            NCC_OK,
        "%s", ncc_error_message());
  CHECK(ncc_matcher_counters(matcher)->second_tier == 0, "%s", engine->name);
  if (q->search.peaks) memcpy(a.peaks, ncc_matcher_peaks(matcher), (size_t)q->n * PEAKS * sizeof *a.peaks);
  ncc_matcher_destroy(&matcher);
  return a;
}

static bool same(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

static void check_same(const answer *a, const answer *b, const question *q, const char *who) {
  const ncc_array *t = &q->templates[0];
  for (int64_t i = 0; i < q->n; i++) {
    const ncc_result *p = &a->results[i], *r = &b->results[i];
    CHECK(p->y == r->y && p->x == r->x && same(p->peak, r->peak) && p->status == r->status &&
              same(p->subpixel_y, r->subpixel_y) && same(p->second_peak, r->second_peak) && p->second_x == r->second_x,
          "%s, template %lldx%lld: %lld,%lld %.17g, not %lld,%lld %.17g", who, (long long)t->rows, (long long)t->cols,
          (long long)r->y, (long long)r->x, r->peak, (long long)p->y, (long long)p->x, p->peak);
  }
  for (int64_t i = 0; q->search.peaks && i < q->n * PEAKS; i++)
    CHECK(
        a->peaks[i].y == b->peaks[i].y && a->peaks[i].x == b->peaks[i].x && same(a->peaks[i].value, b->peaks[i].value),
        "%s, peak %lld", who, (long long)i);
}

/** @return whether sums are direct, as one template goes. */
static bool chosen_direct(const question *q, bool lone) {
  ncc_geometry g;
  if (ncc_geometry_create(&q->search, q->windowed ? q->windows : NULL, q->image.rows, q->image.cols,
                          q->templates[0].rows, q->templates[0].cols, &g) != NCC_OK)
    return false;
  const ncc_numerators_cost cost = ncc_numerators_cost_of(&g);
  return ncc_direct_pays(&cost, lone);
}

static void check(const question *q, int threads) {
  const answer truth = ask(ncc_engine_cpu_transforming(), threads, q),
               direct = ask(ncc_engine_cpu_direct(), threads, q);
  const answer chosen = ask(ncc_engine_cpu(), threads, q);
  check_same(&truth, &direct, q, "direct");
  check_same(&truth, &chosen, q, "chosen");
}

static ncc_array part(bool integers, int64_t y, int64_t x, int64_t rows, int64_t cols) {
  const int64_t at = y * SIDE + x;
  return (ncc_array){integers ? (const void *)(pixels_i16 + at) : (const void *)(pixels_f32 + at),
                     integers ? NCC_I16 : NCC_F32, rows, cols, SIDE};
}

/** n templates of m x k of an image of rows x cols. */
static question ask_for(bool integers, int64_t rows, int64_t cols, int64_t n, int64_t m, int64_t k) {
  question q = {.n = n, .image = part(integers, 0, 0, rows, cols)};
  for (int64_t i = 0; i < n; i++)  // from anywhere: some are not of the image
    q.templates[i] = part(integers, between(0, SIDE - m), between(0, SIDE - k), m, k);
  return q;
}

/** A window of side w within the full correlation of the question's shapes. */
static void put_window(question *q, int64_t w) {
  const int64_t y = between(0, q->image.rows + q->templates[0].rows - 1 - w);
  const int64_t x = between(0, q->image.cols + q->templates[0].cols - 1 - w);
  q->windowed = true;
  for (int64_t i = 0; i < q->n; i++) q->windows[i] = (ncc_rect){y, x, y + w, x + w};
}

/** Right beside where the choice changes. */
static void check_seams(int64_t n) {
  bool was = true;
  int seams = 0;
  for (int64_t m = 1; m < 40; m++) {
    question q = ask_for(m % 2, SIDE, SIDE - 7, n, m, m + 1);
    const bool is = chosen_direct(&q, n == 1);
    if (m > 1 && is != was) seams++;
    if (m < 4 || is != was) check(&q, 1);
    was = is;
  }
  CHECK(seams > 0, "templates are never large enough for transforms");
  was = true, seams = 0;
  for (int64_t w = 1; w < 90; w++) {
    question q = ask_for(w % 2, SIDE, SIDE, n, 31, 26);
    put_window(&q, w);
    const bool is = chosen_direct(&q, n == 1);
    if (w > 1 && is != was) seams++;
    if (w < 4 || is != was) check(&q, 1);
    was = is;
  }
  CHECK(seams > 0, "windows are never large enough for transforms");
}

/** All sorts of searches. */
static void check_anything(int trials) {
  for (int trial = 0; trial < trials; trial++) {
    const int64_t rows = between(20, SIDE), cols = between(20, SIDE);
    question q = ask_for(trial % 2, rows, cols, 1 + trial % TEMPLATES, between(1, 20), between(2, 20));
    q.search = (ncc_search){.crop_half = trial % 5 == 1, .quality = trial % 4 == 0, .peaks = trial % 3 ? 0 : PEAKS};
    q.search.separation = 2;
    if (trial % 7 == 3) q.search.min_overlap = 1;
    if (trial % 7 == 5) q.search.outside = NCC_OUTSIDE_IGNORE, q.search.min_overlap = 0.4;
    if (trial % 2 && !q.search.crop_half && q.search.min_overlap == 0) put_window(&q, between(1, 12));
    check(&q, 1 + trial % 2);
  }
}

/** A pixel far above all others, such as stands for none in float images, where no template reaches. */
static void check_fill_values(void) {
  const float fill[] = {1e16f, 1e20f, 1e25f, 1e30f, 3e38f}, kept = pixels_f32[0];
  for (size_t i = 0; i < sizeof fill / sizeof *fill; i++) {
    question q = {.n = 2, .image = part(false, 0, 0, 40, 40), .windowed = true};
    pixels_f32[0] = fill[i];
    for (int k = 0; k < 2; k++) {
      q.templates[k] = part(false, 20, 18 + k, 7, 7);
      q.windows[k] = (ncc_rect){24, 22, 29, 27};
    }
    check(&q, 1);
    const answer a = ask(ncc_engine_cpu(), 1, &q);
    CHECK(a.results[0].status == NCC_PAIR_OK && a.results[0].y == 26 && a.results[0].x == 24, "fill value %g",
          (double)fill[i]);
  }
  pixels_f32[0] = kept;
}

int main(void) {
  make_pixels(0);
  check_fill_values();
  check_seams(1);
  check_seams(2);
  check_anything(60);
  make_pixels(9000);
  check_seams(1);
  check_anything(60);
  return 0;
}
