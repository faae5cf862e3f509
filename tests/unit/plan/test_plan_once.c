/** Every pair with work, or each of its angles, is handed out exactly once, whatever the ranks, their order, the
 * grouping and what is done already; a chunk has one image, and grouping visits an image once. A lone pair's angles go
 * to all ranks, and pairs that are plenty stay whole. */
#include "plan_cases.h"

/** Notes what a chunk has of each row: angles, or the pair. @return rows of which nothing is left */
static int64_t take_chunk(uint64_t seed, const ncc_work *work, const ncc_schedule *schedule, const ncc_chunk *chunk,
                          const uint8_t *done, int64_t *seen) {
  const int64_t(*pairs)[2] = (const int64_t(*)[2])work->catalog->pairs;
  const int64_t first = ncc_schedule_row(schedule, chunk->first);
  if (chunk->turns > 0) {
    CHECK(chunk->count == 1 && seen[first] == chunk->turn && chunk->turn + chunk->turns <= work->turns &&
              !done[first] && chunk->turns < work->turns,
          "seed %llu: angles from %lld on of row %lld", (unsigned long long)seed, (long long)chunk->turn,
          (long long)first);
    seen[first] += chunk->turns;
    return seen[first] == work->turns;
  }
  for (int64_t i = 0; i < chunk->count; i++) {
    const int64_t row = ncc_schedule_row(schedule, chunk->first + i);
    CHECK(!seen[row]++ && !done[row] && pairs[row][0] >= 0, "seed %llu: row %lld", (unsigned long long)seed,
          (long long)row);
    CHECK(pairs[row][0] == pairs[first][0], "seed %llu: a chunk of two images", (unsigned long long)seed);
  }
  return chunk->count;
}

static void check_case(uint64_t seed) {
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  int64_t n = random_below(&state, 3) == 0 ? random_below(&state, 4) : random_below(&state, 3000);
  static const int rank_counts[] = {1, 2, 3, 5, 17, 300};
  ncc_schedule_options options = {.ranks = rank_counts[random_below(&state, 6)],
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
  ncc_schedule *schedule = NULL;
  ncc_work work = make_work(&catalog);
  work.turns = random_below(&state, 2) ? 1 + random_below(&state, 90) : 1;
  CHECK(ncc_schedule_create(&work, with_done ? done : NULL, &options, &schedule) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_schedule_pairs(schedule) == expected, "seed %llu: %lld pairs planned, %lld have work",
        (unsigned long long)seed, (long long)ncc_schedule_pairs(schedule), (long long)expected);
  int64_t handed = 0, next_id = 0;
  for (int idle = 0; idle < 2 * options.ranks;) { /* ends once every rank in a row found nothing */
    static int sweep;
    int rank = idle ? sweep++ % options.ranks : (int)random_below(&state, options.ranks);
    ncc_chunk chunk;
    if (!ncc_schedule_next(schedule, rank, ncc_schedule_share(schedule), &chunk)) {
      idle++;
      continue;
    }
    idle = 0;
    CHECK(chunk.count > 0 && chunk.cost.seconds > 0 && chunk.id == next_id++, "seed %llu: a strange chunk",
          (unsigned long long)seed);
    handed += take_chunk(seed, &work, schedule, &chunk, done, seen);
  }
  CHECK(handed == expected, "seed %llu: %lld of %lld pairs handed out", (unsigned long long)seed, (long long)handed,
        (long long)expected);
  int64_t groups = 0;
  for (int64_t i = 0; i < ncc_schedule_pairs(schedule); i++) {
    int64_t row = ncc_schedule_row(schedule, i), before = i ? ncc_schedule_row(schedule, i - 1) : -1;
    bool new_image = i == 0 || catalog.pairs[row][0] != catalog.pairs[before][0];
    groups += new_image;
    CHECK(options.group || i == 0 || row > before, "seed %llu: not the order of the input", (unsigned long long)seed);
    CHECK(!options.group || !new_image || i == 0 || catalog.pairs[row][0] > catalog.pairs[before][0],
          "seed %llu: an image comes twice", (unsigned long long)seed);
  }
  CHECK(groups == ncc_schedule_groups(schedule), "seed %llu: groups", (unsigned long long)seed);
  ncc_schedule_destroy(&schedule);
  ncc_work_clear(&work);
  clear_catalog(&catalog);
  free(done);
  free(seen);
}

/** How many angles each rank gets, and how many chunks that were of some angles of a pair. */
static int64_t deal(int64_t pairs, int ranks, int64_t *angles) {
  ncc_catalog catalog = make_catalog(pairs, pairs, pairs);
  catalog.images.stack.rows = catalog.images.stack.cols = 1000;
  catalog.templates.stack.rows = catalog.templates.stack.cols = 200;
  for (int64_t row = 0; row < pairs; row++) catalog.pairs[row][0] = catalog.pairs[row][1] = row;
  ncc_work work = make_work(&catalog);
  work.turns = 61;
  for (int32_t i = 0; i < work.n_kinds; i++) work.kinds[i].cost.pair_s *= 61;
  const ncc_schedule_options options = {.ranks = ranks, .threads = 1, .group = true, .max_pairs = 4096};
  ncc_schedule *schedule = NULL;
  ncc_assignment assignment = {0};
  int64_t apart = 0;
  CHECK(ncc_schedule_create(&work, NULL, &options, &schedule) == NCC_OK, "%s", ncc_error_message());
  for (int rank = 0; rank < ranks; rank++) angles[rank] = 0;
  for (int64_t n = 0; n < (pairs == 1 ? INT64_MAX : ranks); n++) {
    CHECK(ncc_schedule_take(schedule, (int)(n % ranks), n / ranks, &assignment) == NCC_OK, "%s", ncc_error_message());
    if (assignment.n_chunks == 0) break;
    for (int64_t i = 0; i < assignment.n_chunks; i++) {
      const ncc_chunk *chunk = &assignment.chunks[i];
      angles[n % ranks] += chunk->turns > 0 ? chunk->turns : 61 * chunk->count;
      apart += chunk->turns > 0;
    }
  }
  ncc_assignment_clear(&assignment);
  ncc_schedule_destroy(&schedule);
  ncc_work_clear(&work);
  clear_catalog(&catalog);
  return apart;
}

static void shared_angles(void) {
  int64_t angles[5];
  CHECK(deal(1, 5, angles) > 4, "angles stay together");
  for (int rank = 0; rank < 5; rank++)
    CHECK(angles[rank] >= 6, "rank %d has %lld angles", rank, (long long)angles[rank]);
  CHECK(angles[0] + angles[1] + angles[2] + angles[3] + angles[4] == 61, "angles are left over");
  CHECK(deal(1, 1, angles) == 0 && angles[0] == 61, "a rank alone has pairs whole");
  CHECK(deal(1000, 5, angles) == 0, "pairs that are plenty are torn");
}

int main(void) {
  shared_angles();
  for (uint64_t seed = 1; seed <= 2000; seed++) check_case(seed);
  return 0;
}
