/** The error bound of float32 numerators, measured: at every candidate that the CPU engine proposes, its numerator is
 *  compared with the judge's, on random, whitened, smooth, offset, periodic and spiked images of several sizes.
 * Ordinary data must stay within the quarter of the bound that the judge insists on; the printed figures show by how
 * much.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "check.h"
#include "match/engine.h"
#include "match/evaluate.h"
#include "random.h"

/** CHECK without words of its own. */
#define CHECK_(condition) CHECK(condition, "%s", ncc_error_message())

typedef struct kind {
  const char *name;
  bool ordinary;  // must stay within a quarter; else the judge's check is what catches it
} kind;

static const kind kinds[] = {{"random", true},   {"whitened", true}, {"smooth", true},     {"offset", true},
                             {"periodic", true}, {"spike", false},   {"two scales", false}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/** A pixel of an image of the given kind. */
static double pixel(int which, int64_t y, int64_t x) {
  double noise = uniform() - 0.5;
  switch (which) {
    case 1:
      return noise - 0.5 * (uniform() - 0.5);
    case 2:
      return 100 * sin(0.011 * (double)x + 0.5) * cos(0.017 * (double)y) + noise;
    case 3:
      return 10000 + noise;
    case 4: {  // a tile of noise repeated: many exact maxima
      uint64_t h = (uint64_t)((y % 37) * 41 + x % 41) * 0x9e3779b97f4a7c15u;
      return (double)((h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u >> 40);
    }
    case 5:
      return y == 20 && x == 31 ? 1e5 : noise;
    case 6:
      return x % 64 < 32 ? 1000 * noise : noise;
    default:
      return noise;
  }
}

/** Largest |numerator - truth| / bound over the candidates of one pair; counts them. */
static double worst_ratio(int which, int64_t rows, int64_t cols, int64_t m, int64_t n, bool windowed, int64_t *count) {
  ncc_config config = {0};
  ncc_counters counters = {0};
  ncc_pool *pool = NULL;
  ncc_evaluator *evaluator = NULL;
  void *engine = NULL;
  ncc_prepared image, tmpl;
  ncc_proposal proposal = {0};
  double worst = 0;
  float *pixels = malloc((size_t)(rows * cols) * sizeof *pixels);
  CHECK_(pixels != NULL);
  for (int64_t i = 0; i < rows * cols; i++) pixels[i] = (float)pixel(which, i / cols, i % cols);
  ncc_array whole = {pixels, NCC_F32, rows, cols, cols};
  ncc_array part = {pixels + (rows - m) / 3 * cols + (cols - n) / 2, NCC_F32, m, n, cols};
  CHECK_(ncc_pool_create(1, &pool) == NCC_OK);
  ncc_engine_context context = {.config = &config, .pool = pool, .counters = &counters};
  const ncc_engine_ops *ops = ncc_engine_cpu();
  CHECK_(ncc_evaluator_create(pool, NCC_OUTSIDE_ZERO, &evaluator) == NCC_OK &&
         ops->create(&context, &engine) == NCC_OK);
  CHECK_(ncc_evaluator_reserve(evaluator, m) == NCC_OK && ncc_proposal_create(4096, &proposal) == NCC_OK);
  CHECK_(ncc_prepared_create(pool, &whole, false, &image) == NCC_OK);
  CHECK_(ncc_prepared_create(pool, &part, false, &tmpl) == NCC_OK);
  for (int trial = 0; trial < (windowed ? 24 : 1); trial++) {
    int64_t y = (int64_t)(uniform() * (double)(rows + m - 3)), x = (int64_t)(uniform() * (double)(cols + n - 3));
    ncc_rect window = {y, x, y + 2, x + 2};
    ncc_geometry g;
    CHECK_(ncc_geometry_create(&(ncc_search){0}, windowed ? &window : NULL, rows, cols, m, n, &g) == NCC_OK);
    ncc_task task = {&image, trial, true, &tmpl, &g, false, NULL};
    ncc_proposal_reset(&proposal);
    CHECK_(ops->propose(engine, 1, &task, &proposal) == NCC_OK);
    int64_t looked = proposal.count < 200 ? proposal.count : 200;
    for (int64_t i = 0; i < looked; i++) {
      const ncc_candidate *c = &proposal.items[i * proposal.count / looked];
      if (isnan(c->numerator)) continue;
      double truth = ncc_evaluate(evaluator, &image, &tmpl, c->y, c->x).numerator;
      double error = fabs(c->numerator - truth) - proposal.rounding * fabs(truth);
      worst = fmax(worst, error / proposal.error);
      ++*count;
    }
  }
  ncc_proposal_clear(&proposal);
  ncc_prepared_clear(&image);
  ncc_prepared_clear(&tmpl);
  ops->destroy(engine);
  ncc_evaluator_destroy(&evaluator);
  ncc_pool_destroy(&pool);
  free(pixels);
  return worst;
}

int main(void) {
  static const int64_t sizes[][4] = {{64, 64, 16, 16}, {97, 131, 31, 43}, {256, 256, 128, 128}, {681, 782, 340, 391}};
  for (int which = 0; which < KINDS; which++) {
    double worst = 0;
    int64_t count = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
      for (int windowed = 0; windowed < 2; windowed++)
        worst = fmax(worst, worst_ratio(which, sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], windowed, &count));
    printf("%-10s largest error %.4f of the bound (%lld candidates)\n", kinds[which].name, worst, (long long)count);
    CHECK_(count > 0);
    CHECK_(worst > 0);  // an error of nothing would mean that nothing was measured
    if (kinds[which].ordinary) CHECK_(worst < 0.25);
    CHECK_(worst < 1);
  }
  return 0;
}
