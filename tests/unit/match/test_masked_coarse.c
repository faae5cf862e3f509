/** Bounds by which masked pairs need one product only: nowhere is the NCC above that of its block, and what no bound
 *  calls searched has too few valid pixels. Masks of all kinds; templates that overhang; pixels far from their mean.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/error.h"
#include "check.h"
#include "match/cpu/masked.h"
#include "match/evaluate_overlap.h"
#include "random.h"

#define CHECK_(condition) CHECK(condition, "%s", ncc_error_message())

enum { CASES = 60 };

typedef struct picture {
  ncc_array pixels, mask;
} picture;

static bool is_valid(int kind, int64_t y, int64_t x, int64_t rows, int64_t cols) {
  const int64_t dy = y - rows / 2, dx = x - cols / 3;
  switch (kind) {
    case 1:  // a hole
      return dy * dy + dx * dx > rows * rows / 16;
    case 2:  // a frame and a corner
      return y > 1 && x > 2 && x < cols - 1 && y + x > rows / 2;
    case 3:  // a stripe
      return 3 * x < cols || 2 * x > cols;
    case 4:
      return uniform() > 0.01;
    default:
      return true;
  }
}

static picture new_picture(int64_t rows, int64_t cols, int kind) {
  picture p = {.pixels = {malloc((size_t)(rows * cols) * sizeof(float)), NCC_F32, rows, cols, cols}};
  if (kind) p.mask = (ncc_array){malloc((size_t)(rows * cols)), NCC_U8, rows, cols, cols};
  for (int64_t i = 0; kind && i < rows * cols; i++)
    ((uint8_t *)p.mask.data)[i] = is_valid(kind, i / cols, i % cols, rows, cols);
  return p;
}

/** A blob far from all sides, and nothing else: cells at the rim of a window have no share in it, and bounds are tight.
 */
static void draw_blob(const picture *image, const picture *tmpl) {
  const int64_t rows = image->pixels.rows, cols = image->pixels.cols, m = tmpl->pixels.rows, n = tmpl->pixels.cols;
  float *of = (float *)(uintptr_t)image->pixels.data, *to = (float *)(uintptr_t)tmpl->pixels.data;
  for (int64_t i = 0; i < rows * cols; i++) {
    const int64_t y = i / cols - rows / 2, x = i % cols - cols / 2;
    of[i] = y * y + x * x < 400 ? (float)(uniform() - 0.5) : 0;
  }
  for (int64_t i = 0; i < m * n; i++) to[i] = of[((rows - m) / 2 + i / n) * cols + (cols - n) / 2 + i % n];
}

static void draw(const picture *image, const picture *tmpl) {
  const int64_t cols = image->pixels.cols, n = tmpl->pixels.cols;
  const int64_t dy = between(0, image->pixels.rows - tmpl->pixels.rows), dx = between(0, cols - n);
  const double level = between(0, 2) ? 1 : 100, slope = between(0, 2) ? 0 : 0.02, noise = between(0, 2) ? 0.1 : 1;
  float *of = (float *)(uintptr_t)image->pixels.data, *to = (float *)(uintptr_t)tmpl->pixels.data;
  for (int64_t i = 0; i < image->pixels.rows * cols; i++) {
    const double left = i % cols ? (double)of[i - 1] - level - slope * (double)(i / cols) : 0;
    const double above = i >= cols ? (double)of[i - cols] - level - slope * (double)(i / cols - 1) : 0;
    of[i] = (float)(level + slope * (double)(i / cols) + 0.45 * left + 0.45 * above + uniform() - 0.5);
  }
  for (int64_t i = 0; i < tmpl->pixels.rows * n; i++)
    to[i] = of[(dy + i / n) * cols + dx + i % n] + (float)(noise * (uniform() - 0.5));
  for (int64_t i = 0; image->mask.data && i < image->pixels.rows * cols; i++)
    if (!((const uint8_t *)image->mask.data)[i]) of[i] = i % 2 ? NAN : 1e30F;
}

/** @return the smallest distance of a bound from the NCC that it bounds. */
static double check_bounds(const ncc_cpu_masked *m, const ncc_task *task, ncc_overlap_row *rows, int number) {
  const ncc_cpu_layout *l = &m->cpu->layout;
  const ncc_geometry *g = &l->geometry;
  const int64_t x0 = g->search.x0 - (g->search.x0 - g->trim.x0) % NCC_BLOCK_COLS, count = ncc_cpu_masked_blocks(g);
  double least = INFINITY;
  const int64_t step = g->template_rows < 64 ? 1 : 5;
  for (int64_t y = g->search.y0; y < g->search.y1; y += step)
    for (int64_t x = g->search.x0; x < g->search.x1; x += step) {
      const int64_t strip = (y - g->trim.y0 - l->first_row) / NCC_BLOCK_ROWS, block = (x - x0) / NCC_BLOCK_COLS;
      const ncc_coarse_block *b = (const ncc_coarse_block *)m->coarse.blocks.data + strip * count + block;
      const ncc_evaluation v = ncc_evaluate_overlap(NULL, rows, task->image, task->tmpl, y, x);
      if (v.n < (double)m->need) continue;
      CHECK(b->inverse > 0, "case %d: (%lld, %lld) has %g valid pixels of %lld, and is taken for not searched", number,
            (long long)y, (long long)x, v.n, (long long)m->need);
      const double numerator = v.product * m->image_unit * m->tmpl_unit + b->add;
      if (v.flat || isinf(b->inverse)) continue;
      const double most = numerator <= 0 ? 0 : numerator * b->inverse;
      CHECK(v.ncc <= most + 1e-9, "case %d: (%lld, %lld) has %.12g, its bound is %.12g", number, (long long)y,
            (long long)x, v.ncc, most);
      if (v.ncc > 0.1) least = fmin(least, most - v.ncc);
    }
  return least;
}

static double check_case(int number, int *served) {
  const bool small = number % 4 == 0, blob = !small && number % 5 < 2;
  const int64_t rows = between(small ? 5 : 150, small ? 60 : 200), cols = between(small ? 5 : 150, small ? 60 : 220);
  const int64_t m = between(small ? 1 : 90, small ? rows : 130), n = between(small ? 1 : 90, small ? cols : 130);
  picture image = new_picture(rows, cols, number % 5), tmpl = new_picture(m, n, number / 5 % 5);
  ncc_pool *pool = NULL;
  ncc_prepared of, by;
  ncc_geometry g;
  ncc_cpu_masked *masked = NULL;
  ncc_proposal proposal = {0};
  ncc_counters counters = {0};
  const ncc_config config = {.fft_effort = NCC_FFT_ESTIMATE};
  double least = INFINITY;
  if (blob)
    draw_blob(&image, &tmpl);
  else
    draw(&image, &tmpl);
  const ncc_rect all = {between(0, 5), between(0, 20), rows + m - 1, cols + n - 1 - between(0, 3)};
  const ncc_search search = {.outside = NCC_OUTSIDE_IGNORE};
  CHECK_(ncc_pool_create(1 + number % 2, &pool) == NCC_OK && ncc_proposal_create(4096, &proposal) == NCC_OK);
  CHECK_(ncc_prepared_create_masked(pool, &image.pixels, &image.mask, false, &of) == NCC_OK);
  CHECK_(ncc_prepared_create_masked(pool, &tmpl.pixels, &tmpl.mask, false, &by) == NCC_OK);
  const ncc_engine_context context = {.config = &config, .counters = &counters, .pool = pool};
  if ((of.valid || by.valid) && by.n_valid > 0 && !by.flat && of.n_valid > 0 &&
      ncc_geometry_create(&search, &all, rows, cols, m, n, &g) == NCC_OK) {
    const ncc_task task = {
        .image = &of, .image_serial = 1, .image_stays = number % 3 == 0, .tmpl = &by, .geometry = &g};
    ncc_overlap_row *sums = malloc((size_t)m * sizeof *sums);
    CHECK_(sums && ncc_cpu_masked_create(&context, &masked) == NCC_OK);
    CHECK_(ncc_cpu_masked_propose(masked, &task, 0.1 * (double)between(small ? 0 : 4, 10), &proposal) == NCC_OK);
    *served += masked->coarsely;
    least = check_bounds(masked, &task, sums, number);
    ncc_cpu_masked_destroy(&masked);
    free(sums);
  }
  ncc_prepared_clear(&of);
  ncc_prepared_clear(&by);
  ncc_proposal_clear(&proposal);
  ncc_pool_destroy(&pool);
  free((void *)(uintptr_t)image.pixels.data);
  free((void *)(uintptr_t)image.mask.data);
  free((void *)(uintptr_t)tmpl.pixels.data);
  free((void *)(uintptr_t)tmpl.mask.data);
  return least;
}

int main(void) {
  int served = 0;
  double least = INFINITY;
  random_state = 20;
  for (int i = 0; i < CASES; i++) least = fmin(least, check_case(i, &served));
  printf("%d of %d pairs served, least distance %g\n", served, CASES, least);
  CHECK(served > CASES / 12, "bounds served for %d pairs only", served);
  CHECK(least < 1e-4, "bounds lie %g above the NCC at least: they would hide errors of theirs", least);
  return 0;
}
