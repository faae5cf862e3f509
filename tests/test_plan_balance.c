/** Ranks that take as long as predicted, and one that is slower, finish together, on inputs even and skewed; chunks
 *  shrink towards the end. A small event simulation drives the plan as the coordinator does: two shares a rank. */
#include "plan_cases.h"

typedef struct outcome {
  double busy_max_s, busy_sum_s, first_cost, last_cost;
  int64_t chunks;
} outcome;

enum { MAX_RANKS = 64 };

static outcome simulate(ncc_plan *plan, int ranks, double slow_factor) {
  outcome out = {0};
  double free_at[MAX_RANKS] = {0}, ahead[MAX_RANKS] = {0};
  bool ended[MAX_RANKS] = {0};
  for (int open = ranks; open > 0;) {
    int rank = -1; /* the rank that runs dry first */
    for (int r = 0; r < ranks; r++)
      if (!ended[r] && (rank < 0 || free_at[r] < free_at[rank])) rank = r;
    free_at[rank] += ahead[rank];
    ahead[rank] = 0;
    ncc_chunk chunk;
    if (!ncc_plan_next(plan, rank, ncc_plan_share(plan), &chunk)) {
      ended[rank] = true;
      open--;
      continue;
    }
    ahead[rank] = chunk.cost.seconds * (rank == 0 ? slow_factor : 1);
    if (out.chunks++ == 0) out.first_cost = chunk.cost.seconds;
    out.last_cost = chunk.cost.seconds;
  }
  for (int r = 0; r < ranks; r++) {
    out.busy_sum_s += free_at[r];
    if (free_at[r] > out.busy_max_s) out.busy_max_s = free_at[r];
  }
  return out;
}

static void check_balance(const char *name, ncc_catalog *catalog, int ranks, double slow_factor) {
  ncc_plan_options options = {.ranks = ranks, .threads = 1, .group = true};
  ncc_plan *plan = NULL;
  ncc_search search = {0};
  CHECK(ncc_plan_create(catalog, &search, (const int64_t(*)[2])catalog->pairs, NULL, &options, &plan) == NCC_OK, "%s",
        ncc_error_message());
  outcome out = simulate(plan, ranks, slow_factor);
  double mean_s = out.busy_sum_s / ranks;
  printf("%s, %d ranks, one %gx slower: %lld chunks, busy mean %.3f s max %.3f s\n", name, ranks, slow_factor,
         (long long)out.chunks, mean_s, out.busy_max_s);
  CHECK(out.busy_max_s <= 1.05 * mean_s, "%s: the last rank works %.3f s, the mean is %.3f s", name, out.busy_max_s,
        mean_s);
  CHECK(out.last_cost < out.first_cost, "%s: chunks do not shrink", name);
  ncc_plan_destroy(&plan);
}

int main(void) {
  static const int rank_counts[] = {2, 4, 16, 64};
  for (int i = 0; i < 4; i++) {
    ncc_catalog skewed = make_catalog(501, 5500, 5500); /* one image with 5,000 templates, 500 with one */
    for (int64_t row = 0; row < 5500; row++) {
      skewed.pairs[row][0] = row < 500 ? row : 500;
      skewed.pairs[row][1] = row;
    }
    ncc_catalog even = make_catalog(2000, 10000, 10000);
    for (int64_t row = 0; row < 10000; row++) {
      even.pairs[row][0] = row % 2000;
      even.pairs[row][1] = row;
    }
    ncc_catalog one = make_catalog(1, 10000, 10000);
    for (int64_t row = 0; row < 10000; row++) {
      one.pairs[row][0] = 0;
      one.pairs[row][1] = row;
    }
    for (double slow = 1; slow <= 3; slow += 2) {
      check_balance("skewed", &skewed, rank_counts[i], slow);
      check_balance("even", &even, rank_counts[i], slow);
      check_balance("one image", &one, rank_counts[i], slow);
    }
    clear_catalog(&skewed);
    clear_catalog(&even);
    clear_catalog(&one);
  }
  return 0;
}
