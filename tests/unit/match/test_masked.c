/** Masked pairs: whichever way proposals come about (boxes, float32 sums), the bytes are those of float64 sums alone.
 *  Masks of all kinds on image, template and both; NaN and 1e30 under them; every option of a search.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/error.h"
#include "check.h"
#include "match/answer.h"
#include "random.h"

#define CHECK_(condition) CHECK(condition, "%s", ncc_error_message())

enum { IMAGE_MOST = 150, CASES = 300, PEAKS = 3 };

typedef struct picture {
  ncc_array pixels, mask;  // mask.data NULL: none
} picture;

static ncc_dtype some_type(void) {
  static const ncc_dtype types[] = {NCC_U8, NCC_U8, NCC_F32, NCC_F64};
  return types[between(0, 3)];
}

static void put_pixel(const ncc_array *a, int64_t i, double v) {
  if (a->dtype == NCC_U8)
    ((uint8_t *)a->data)[i] = (uint8_t)fmin(255, fmax(0, v));
  else if (a->dtype == NCC_F32)
    ((float *)a->data)[i] = (float)v;
  else
    ((double *)a->data)[i] = v;
}

static bool is_valid(int kind, int64_t y, int64_t x, int64_t rows, int64_t cols, int64_t at) {
  switch (kind) {
    case 1:  // a frame
      return y >= at && x >= at && y < rows - at && x < cols - 2 * at;
    case 2:  // a corner painted over
      return y + x > at * 4;
    case 3:
      return uniform() > 0.02;
    case 4:
      return x * 7 % cols > cols / 5;
    case 5:
      return (x + y) % 2 == 0;
    case 6:  // a frame and a corner
      return y >= at && x >= at && (y < rows / 2 || x < cols / 2);
    case 7:  // one row; one pixel; nothing
      return y == at && (x < cols - at || at > 3) && (at > 2 || x == 1) && at > 1;
    default:
      return true;
  }
}

static picture new_picture(int64_t rows, int64_t cols, ncc_dtype type, int kind) {
  picture p = {.pixels = {malloc((size_t)(rows * cols) * 8), type, rows, cols, cols}};
  const int64_t at = between(1, 6);
  if (kind) p.mask = (ncc_array){malloc((size_t)(rows * cols)), NCC_U8, rows, cols, cols};
  for (int64_t i = 0; kind && i < rows * cols; i++)
    ((uint8_t *)p.mask.data)[i] = is_valid(kind, i / cols, i % cols, rows, cols, at);
  return p;
}

/** What is masked may be anything. */
static void spoil(const picture *p) {
  const uint8_t *mask = p->mask.data;
  for (int64_t i = 0; mask && i < p->pixels.rows * p->pixels.cols; i++)
    if (!mask[i]) put_pixel(&p->pixels, i, p->pixels.dtype == NCC_U8 ? 0 : i % 2 ? (double)NAN : 1e30);
}

static void draw(const picture *image, const picture *tmpl) {
  const int64_t cols = image->pixels.cols, n = tmpl->pixels.cols;
  const int64_t dy = between(0, image->pixels.rows - tmpl->pixels.rows);
  const int64_t dx =
      cols > IMAGE_MOST ? between(-n / 2, cols - n / 2) : between(0, cols - n);  // wide ones may overhang
  const double level = between(0, 3) ? 120 : 1e4, flat = between(0, 5) ? 0 : uniform(), noise = between(0, 2) ? 5 : 60;
  double *v = malloc((size_t)(image->pixels.rows * cols) * sizeof *v);
  CHECK_(v != NULL);
  for (int64_t i = 0; i < image->pixels.rows * cols; i++) {
    const double y = (double)(i / cols), x = (double)(i % cols);
    v[i] = x < flat * (double)cols ? 17 : level + 40 * sin(0.21 * x + 0.02 * y * y) + 60 * (uniform() - 0.5);
    put_pixel(&image->pixels, i, v[i]);
  }
  for (int64_t i = 0; i < tmpl->pixels.rows * n; i++)
    put_pixel(&tmpl->pixels, i,
              v[(dy + i / n) * cols + ncc_clamp(dx + i % n, 0, cols - 1)] + noise * (uniform() - 0.5));
  free(v);
  spoil(image);
  spoil(tmpl);
}

static ncc_search some_search(void) {
  static const double overlaps[] = {0, 0.1, 0.3, 0.3, 0.7, 1};
  return (ncc_search){.outside = NCC_OUTSIDE_IGNORE,
                      .peaks = PEAKS,
                      .separation = (int)between(1, 9),
                      .normalize = between(0, 4) == 0,
                      .eps = between(0, 4) ? 0 : pow(10, 6 * uniform()),
                      .crop_half = between(0, 3) == 0,
                      .min_overlap = overlaps[between(0, 5)]};
}

/** The answers of float64 sums: the best outside the squares around those before. */
typedef struct plain {
  ncc_pool *pool;
  ncc_config config;
  ncc_counters counters;
  ncc_evaluator *evaluator;
  ncc_masked *masked;
  ncc_proposal proposal;
} plain;

static ncc_result plain_answer(plain *p, const ncc_search *search, const ncc_task *task) {
  int64_t y, x;
  ncc_result r = {.status = NCC_PAIR_FLAT};
  const ncc_case c = {p->evaluator,
                      task->image,
                      task->tmpl,
                      task->geometry,
                      search->eps,
                      search->min_overlap,
                      ncc_certify_limit(task->geometry, 1),
                      &p->counters,
                      -2};
  CHECK_(ncc_masked_propose(p->masked, task, search->min_overlap, &p->proposal, &y, &x) == NCC_OK);
  if (y < 0) return (ncc_result){.y = -1, .x = -1, .status = NCC_PAIR_MASKED};
  ncc_certify(&c, &p->proposal, &r);
  if (r.status != NCC_PAIR_FLAT) return r;
  r.y = y;
  r.x = x;
  return r;
}

static void compare(const ncc_search *search, const picture *image, const picture *tmpl, int64_t number,
                    bool sums_are_boxes, int tally[9]) {
  plain p = {0};
  ncc_prepared of, by;
  ncc_geometry g;
  ncc_matcher *matcher;
  ncc_result results[2];
  ncc_rect exclude[PEAKS];
  const ncc_engine_context context = {.config = &p.config, .counters = &p.counters, .eps = search->eps};
  ncc_search any_overlap = *search;
  any_overlap.min_overlap = 0;
  CHECK_(ncc_matcher_create(search, &(ncc_config){.threads = 1 + (int)(number % 2), .fft_effort = NCC_FFT_ESTIMATE},
                            &matcher) == NCC_OK);
  // Where there are more templates, what is known of the image is kept.
  const ncc_array pixels[] = {tmpl->pixels, tmpl->pixels}, masks[] = {tmpl->mask, tmpl->mask};
  const int64_t templates = number % 3 == 0 ? 2 : 1;
  CHECK_(ncc_matcher_match_masked(matcher, -1, &image->pixels, &image->mask, templates, pixels, masks, NULL, results) ==
         NCC_OK);
  const ncc_result fast = results[0];
  CHECK(templates == 1 || memcmp(&results[0], &results[1], sizeof fast) == 0, "case %lld: one template, two answers",
        (long long)number);
  tally[fast.status]++;
  CHECK_(ncc_pool_create(1, &p.pool) == NCC_OK);
  CHECK_(ncc_prepared_create_masked(p.pool, &image->pixels, &image->mask, search->normalize, &of) == NCC_OK);
  CHECK_(ncc_prepared_create_masked(p.pool, &tmpl->pixels, &tmpl->mask, search->normalize, &by) == NCC_OK);
  if ((of.valid || by.valid) && by.n_valid > 0 && !by.flat) {
    CHECK_(ncc_evaluator_create(p.pool, NCC_OUTSIDE_IGNORE, &p.evaluator) == NCC_OK);
    CHECK_(ncc_evaluator_reserve(p.evaluator, by.pixels.rows) == NCC_OK);
    CHECK_(ncc_masked_create(&context, &p.masked) == NCC_OK && ncc_proposal_create(4096, &p.proposal) == NCC_OK);
    CHECK_(ncc_geometry_create(&any_overlap, NULL, of.pixels.rows, of.pixels.cols, by.pixels.rows, by.pixels.cols,
                               &g) == NCC_OK);
    const ncc_peak *peaks = ncc_matcher_peaks(matcher);
    for (int k = 0; k < PEAKS; k++) {
      const ncc_task task = {&of, number, false, &by, &g, k > 0, NULL};
      const ncc_result r = plain_answer(&p, search, &task);
      if (r.status == NCC_PAIR_UNCERTAIN) break;  // float64 sums gave up, others need not
      const ncc_peak found = k == 0 ? (ncc_peak){fast.y, fast.x, fast.peak} : peaks[k];
      const ncc_pair_status kind = (ncc_pair_status)(k == 0 ? fast.status : found.y < 0 ? NCC_PAIR_MASKED : r.status);
      CHECK(kind == r.status && found.y == r.y && found.x == r.x &&
                (r.status == NCC_PAIR_MASKED || memcmp(&found.value, &r.peak, sizeof r.peak) == 0),
            "case %lld, peak %d: status %d (%lld, %lld) %.17g, by float64 sums %d (%lld, %lld) %.17g",
            (long long)number, k, fast.status, (long long)found.y, (long long)found.x, found.value, r.status,
            (long long)r.y, (long long)r.x, r.peak);
      if (r.status != NCC_PAIR_OK && r.status != NCC_PAIR_FLAT) break;
      const int64_t side = search->separation;
      exclude[k] = (ncc_rect){r.y - side, r.x - side, r.y + side + 1, r.x + side + 1};
      g.exclude = exclude;
      g.n_exclude = k + 1;
    }
    ncc_proposal_clear(&p.proposal);
    ncc_masked_destroy(&p.masked);
    ncc_evaluator_destroy(&p.evaluator);
  }
  const ncc_counters *counted = ncc_matcher_counters(matcher);
  tally[8] += counted->second_tier > 0;
  CHECK(!sums_are_boxes || counted->second_tier == 0, "case %lld: what overlaps of a box is summed wrong",
        (long long)number);
  ncc_prepared_clear(&of);
  ncc_prepared_clear(&by);
  ncc_pool_destroy(&p.pool);
  ncc_matcher_destroy(&matcher);
}

static ncc_result match(ncc_matcher *m, int64_t key, const picture *image, const picture *tmpl) {
  ncc_result r;
  CHECK_(ncc_matcher_match_masked(m, key, &image->pixels, NULL, 1, &tmpl->pixels, &tmpl->mask, NULL, &r) == NCC_OK);
  return r;
}

/** What is kept of an image is of the geometry it was made for, also when boxes of another came between. */
static void check_boxes_between(void) {
  enum { SIDE = 200, FRAME = 5, WIDE = SIDE + 2 * FRAME };
  picture image = new_picture(300, 300, NCC_F32, 0),
          of[] = {new_picture(20, 20, NCC_F32, 5), new_picture(WIDE, WIDE, NCC_F32, 1),
                  new_picture(SIDE, SIDE, NCC_F32, 5)};
  uint8_t *frame = (uint8_t *)of[1].mask.data;
  memset(frame, 0, (size_t)WIDE * WIDE);
  for (int y = FRAME; y < FRAME + SIDE; y++) memset(frame + y * WIDE + FRAME, 1, SIDE);
  const ncc_search search = {.outside = NCC_OUTSIDE_IGNORE};
  ncc_matcher *kept, *fresh;
  CHECK_(ncc_matcher_create(&search, NULL, &kept) == NCC_OK && ncc_matcher_create(&search, NULL, &fresh) == NCC_OK);
  for (int i = 0; i < 3; i++) draw(&image, &of[i]);
  for (int i = 0; i < 3; i++) {
    const ncc_result r = match(kept, 1, &image, &of[i]), alone = match(fresh, -1, &image, &of[i]);
    CHECK(r.y == alone.y && r.x == alone.x && memcmp(&r.peak, &alone.peak, sizeof r.peak) == 0,
          "template %d: (%lld, %lld) %.17g, alone (%lld, %lld) %.17g", i, (long long)r.y, (long long)r.x, r.peak,
          (long long)alone.y, (long long)alone.x, alone.peak);
    free((void *)of[i].pixels.data);
    free((void *)of[i].mask.data);
  }
  CHECK(ncc_matcher_counters(kept)->second_tier == ncc_matcher_counters(fresh)->second_tier, "what was kept is wrong");
  free((void *)image.pixels.data);
  ncc_matcher_destroy(&kept);
  ncc_matcher_destroy(&fresh);
}

/** What a large pair leaves behind is not seen by small ones of odd counts of rows, in the last of which the peak is.
 */
static void check_large_before(void) {
  enum { SMALL = 16 };
  const ncc_search search = {.outside = NCC_OUTSIDE_IGNORE};
  for (int i = 0; i < SMALL; i++) {
    const int64_t rows = 3 + 2 * (i % 2);
    picture large = new_picture(400, 400, NCC_F32, 0), of_large = new_picture(300, 300, NCC_F32, 5);
    picture small = new_picture(rows, 11, NCC_F32, 0), of_small = new_picture(1, 9, NCC_F32, 5);
    ncc_matcher *kept, *fresh;
    CHECK_(ncc_matcher_create(&search, NULL, &kept) == NCC_OK && ncc_matcher_create(&search, NULL, &fresh) == NCC_OK);
    draw(&large, &of_large);
    draw(&small, &of_small);
    memcpy((void *)of_small.pixels.data, (const float *)small.pixels.data + (rows - 1) * 11 + i % 3, 9 * sizeof(float));
    match(kept, -1, &large, &of_large);
    const int64_t before = ncc_matcher_counters(kept)->second_tier;
    const ncc_result r = match(kept, -1, &small, &of_small), alone = match(fresh, -1, &small, &of_small);
    CHECK(r.y == alone.y && r.x == alone.x && memcmp(&r.peak, &alone.peak, sizeof r.peak) == 0 &&
              ncc_matcher_counters(kept)->second_tier - before == ncc_matcher_counters(fresh)->second_tier,
          "small pair %d: (%lld, %lld) %.17g, alone (%lld, %lld) %.17g", i, (long long)r.y, (long long)r.x, r.peak,
          (long long)alone.y, (long long)alone.x, alone.peak);
    ncc_matcher_destroy(&kept);
    ncc_matcher_destroy(&fresh);
    for (int k = 0; k < 4; k++) {
      const picture *p = (const picture *const[]){&large, &of_large, &small, &of_small}[k];
      free((void *)p->pixels.data);
      free((void *)p->mask.data);
    }
  }
}

int main(void) {
  int tally[9] = {0};
  for (int64_t number = 0; number < CASES; number++) {
    const bool wide = number % 20 == 0;  // so that most of it is far from the sides
    const int64_t rows = between(wide ? 100 : 20, IMAGE_MOST),
                  cols = wide ? between(570, 800) : between(20, IMAGE_MOST);
    const int64_t m = between(5, wide ? 30 : rows), n = between(5, wide ? 30 : cols);
    const int kind = (int)between(0, 7), t_kind = number % 2 ? (int)between(0, 7) : 0;
    const ncc_dtype type = some_type();
    picture image = new_picture(rows, cols, type, kind), tmpl = new_picture(m, n, type, t_kind);
    const ncc_search search = some_search();
    draw(&image, &tmpl);
    compare(&search, &image, &tmpl, number, wide && kind <= 1 && t_kind <= 1, tally);
    free((void *)image.pixels.data);
    free((void *)image.mask.data);
    free((void *)tmpl.pixels.data);
    free((void *)tmpl.mask.data);
  }
  check_boxes_between();
  check_large_before();
  printf("%d cases: %d ok, %d flat, %d nonfinite, %d uncertain, %d masked; %d by float64 in the end\n", CASES,
         tally[NCC_PAIR_OK], tally[NCC_PAIR_FLAT], tally[NCC_PAIR_NONFINITE], tally[NCC_PAIR_UNCERTAIN],
         tally[NCC_PAIR_MASKED], tally[8]);
  CHECK(tally[NCC_PAIR_OK] > CASES / 2 && tally[8] < CASES / 4, "cases are not of all kinds");
  return 0;
}
