/** Every pair with work is handed out exactly once, whatever the ranks, their order, the grouping, what is done
 *  already and what is given back; a chunk has one image, and grouping visits an image once. */
#include "plan_cases.h"

static void check_case(uint64_t seed) {
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  int64_t n = random_below(&state, 3) == 0 ? random_below(&state, 4) : random_below(&state, 3000);
  static const int rank_counts[] = {1, 2, 3, 5, 17, 300};
  ncc_plan_options options = {.ranks = rank_counts[random_below(&state, 6)],
                              .threads = 1 + (int)random_below(&state, 4)};
  options.group = random_below(&state, 2);
  options.max_bytes = random_below(&state, 2) ? 2000000 : 0;
  ncc_catalog catalog = make_catalog(1 + random_below(&state, 200), 1 + random_below(&state, 300), n);
  if (random_below(&state, 2)) mix_templates(&catalog, &state);
  bool with_done = random_below(&state, 2), with_holes = random_below(&state, 2);
  uint8_t *done = calloc((size_t)n + 1, 1);
  int64_t *seen = calloc((size_t)n + 1, sizeof *seen);
  CHECK(done && seen, "out of memory");
  int64_t expected = 0;
  int64_t hot = random_below(&state, catalog.images.count); /* a quarter of all pairs share an image */
  for (int64_t row = 0; row < n; row++) {
    catalog.pairs[row][0] = random_below(&state, 4) ? random_below(&state, catalog.images.count) : hot;
    catalog.pairs[row][1] = random_below(&state, catalog.templates.count);
    if (with_holes && random_below(&state, 5) == 0) catalog.pairs[row][0] = catalog.pairs[row][1] = -1;
    if (with_done) done[row] = random_below(&state, 3) == 0;
    expected += catalog.pairs[row][0] >= 0 && !done[row];
  }
  ncc_plan *plan = NULL;
  ncc_search search = {0};
  CHECK(ncc_plan_create(&catalog, &search, (const int64_t(*)[2])catalog.pairs, with_done ? done : NULL, &options,
                        &plan) == NCC_OK,
        "%s", ncc_error_message());
  CHECK(ncc_plan_pairs(plan) == expected, "seed %llu: %lld pairs planned, %lld have work", (unsigned long long)seed,
        (long long)ncc_plan_pairs(plan), (long long)expected);
  int64_t handed = 0, next_id = 0;
  for (int idle = 0; idle < 2 * options.ranks;) { /* ends once every rank in a row found nothing */
    static int sweep;
    int rank = idle ? sweep++ % options.ranks : (int)random_below(&state, options.ranks);
    ncc_chunk chunk;
    if (!ncc_plan_next(plan, rank, ncc_plan_share(plan), &chunk)) {
      idle++;
      continue;
    }
    idle = 0;
    CHECK(chunk.count > 0 && chunk.cost.seconds > 0 && chunk.id == next_id++, "seed %llu: a strange chunk",
          (unsigned long long)seed);
    if (random_below(&state, 20) == 0) {
      CHECK(ncc_plan_return(plan, &chunk) == NCC_OK, "%s", ncc_error_message());
      continue;
    }
    int64_t first = ncc_plan_row(plan, chunk.first);
    for (int64_t i = 0; i < chunk.count; i++) {
      int64_t row = ncc_plan_row(plan, chunk.first + i);
      CHECK(!seen[row]++ && !done[row] && catalog.pairs[row][0] >= 0, "seed %llu: row %lld", (unsigned long long)seed,
            (long long)row);
      CHECK(catalog.pairs[row][0] == catalog.pairs[first][0], "seed %llu: a chunk of two images",
            (unsigned long long)seed);
      handed++;
    }
  }
  CHECK(handed == expected, "seed %llu: %lld of %lld pairs handed out", (unsigned long long)seed, (long long)handed,
        (long long)expected);
  int64_t groups = 0;
  for (int64_t i = 0; i < ncc_plan_pairs(plan); i++) {
    int64_t row = ncc_plan_row(plan, i), before = i ? ncc_plan_row(plan, i - 1) : -1;
    bool new_image = i == 0 || catalog.pairs[row][0] != catalog.pairs[before][0];
    groups += new_image;
    CHECK(options.group || i == 0 || row > before, "seed %llu: not the order of the input", (unsigned long long)seed);
    CHECK(!options.group || !new_image || i == 0 || catalog.pairs[row][0] > catalog.pairs[before][0],
          "seed %llu: an image comes twice", (unsigned long long)seed);
  }
  CHECK(groups == ncc_plan_groups(plan), "seed %llu: groups", (unsigned long long)seed);
  ncc_plan_destroy(&plan);
  clear_catalog(&catalog);
  free(done);
  free(seen);
}

int main(void) {
  for (uint64_t seed = 1; seed <= 2000; seed++) check_case(seed);
  return 0;
}
