/** Ranks that take as long as predicted, and one that is slower, finish together, on inputs even and skewed; chunks
 *  shrink towards the end; and ten thousand ranks are kept busy. On paper (simulate.h), with the schedule itself. */
#include "plan/simulate.h"
#include "plan_cases.h"

static ncc_schedule *make_schedule(const ncc_catalog *catalog, int ranks) {
  const ncc_schedule_options options = {.ranks = ranks, .threads = 1, .group = true, .max_pairs = 4096};
  ncc_work work = make_work(catalog);
  ncc_schedule *schedule = NULL;
  CHECK(ncc_schedule_create(&work, NULL, &options, &schedule) == NCC_OK, "%s", ncc_error_message());
  ncc_work_clear(&work);
  return schedule;
}

static void check_balance(const char *name, const ncc_catalog *catalog, int ranks, double slow_factor) {
  const ncc_simulation how = {.ranks = ranks, .threads = 1, .speed = 1, .slow_factor = slow_factor, .jitter = 0.1};
  ncc_schedule *schedule = make_schedule(catalog, ranks);
  ncc_simulated out;
  CHECK(ncc_simulate(schedule, &how, &out) == NCC_OK, "%s", ncc_error_message());
  const double mean_s = out.busy_sum_s / ranks;
  printf("%s, %d ranks, one %gx slower: %lld chunks in %lld hand-outs, busy mean %.3f s max %.3f s\n", name, ranks,
         slow_factor, (long long)out.chunks, (long long)out.handouts, mean_s, out.busy_max_s);
  /* A slow rank may end with two hand-outs of the least size, 5 ms for the others. */
  const double slack_s = slow_factor > 1 ? 2 * 0.005 * slow_factor : 0;
  CHECK(out.busy_max_s <= 1.05 * mean_s + slack_s, "%s: the last rank works %.3f s, the mean is %.3f s", name,
        out.busy_max_s, mean_s);
  ncc_schedule_destroy(&schedule);
}

static void check_shrinking(const ncc_catalog *catalog) {
  ncc_schedule *schedule = make_schedule(catalog, 4);
  ncc_assignment work = {0};
  double largest_s = 0, last_s = 0;
  for (int64_t n = 0;; n++) {
    CHECK(ncc_schedule_take(schedule, (int)(n % 4), n / 4, &work) == NCC_OK, "%s", ncc_error_message());
    if (work.n_chunks == 0) break;
    last_s = work.cost.seconds;
    if (last_s > largest_s) largest_s = last_s;
  }
  CHECK(last_s < largest_s / 4, "the last hand-out costs %g s, the largest %g s", last_s, largest_s);
  ncc_assignment_clear(&work);
  ncc_schedule_destroy(&schedule);
}

/** 84 templates to an image, 20 s of work for each of 10,000 ranks, and rank 0 as fast as measured. */
static void check_many(void) {
  enum { RANKS = 10000, EACH = 84, IMAGES = 48000 };
  ncc_catalog sweep = make_catalog(IMAGES, IMAGES * EACH, IMAGES * EACH);
  sweep.images.stack.rows = sweep.images.stack.cols = 3600;
  sweep.templates.stack.rows = sweep.templates.stack.cols = 442;
  for (int64_t row = 0; row < sweep.n_pairs; row++) {
    sweep.pairs[row][0] = row / EACH;
    sweep.pairs[row][1] = row;
  }
  ncc_simulation how = ncc_simulation_measured();
  ncc_simulated out;
  how.ranks = RANKS;
  how.jitter = 0.1;
  ncc_schedule *schedule = make_schedule(&sweep, RANKS);
  CHECK(ncc_simulate(schedule, &how, &out) == NCC_OK, "%s", ncc_error_message());
  const double efficiency = ncc_simulated_efficiency(&how, &out);
  printf("10,000 ranks: %.2f s, efficiency %.3f, rank 0 busy for %.2f s\n", out.elapsed_s, efficiency, out.root_busy_s);
  CHECK(efficiency > 0.95, "10,000 ranks: efficiency %.3f", efficiency);
  ncc_schedule_destroy(&schedule);
  clear_catalog(&sweep);
}

int main(void) {
  static const int rank_counts[] = {2, 4, 16, 64};
  ncc_catalog skewed = make_catalog(501, 5500, 5500); /* one image with 5,000 templates, 500 with one */
  ncc_catalog even = make_catalog(2000, 10000, 10000), one = make_catalog(1, 10000, 10000);
  for (int64_t row = 0; row < 5500; row++) {
    skewed.pairs[row][0] = row < 500 ? row : 500;
    skewed.pairs[row][1] = row;
  }
  for (int64_t row = 0; row < 10000; row++) {
    even.pairs[row][0] = row % 2000;
    one.pairs[row][0] = 0;
    even.pairs[row][1] = one.pairs[row][1] = row;
  }
  for (int i = 0; i < 4; i++)
    for (double slow = 1; slow <= 3; slow += 2) {
      check_balance("skewed", &skewed, rank_counts[i], slow);
      check_balance("even", &even, rank_counts[i], slow);
      check_balance("one image", &one, rank_counts[i], slow);
    }
  check_shrinking(&even);
  check_shrinking(&skewed);
  check_many();
  clear_catalog(&skewed);
  clear_catalog(&even);
  clear_catalog(&one);
  return 0;
}
