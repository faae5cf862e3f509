/** Groups on several threads: the same answers as on one, whoever does what; keys, memory, stops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check.h"
#include "match/crew.h"
#include "match/memory.h"

enum { GROUPS = 40, MOST = 30, IMAGE = 90 };

static uint8_t images[GROUPS][IMAGE * IMAGE], templates[GROUPS][MOST][IMAGE * IMAGE];
static float big[2800 * 2800];  // a pair of its size is not for one thread

/** Groups of all kinds: of one template and of many, of several shapes, some that cannot be. */
typedef struct question {
  ncc_array image_of[GROUPS], template_of[GROUPS][MOST];
  ncc_rect window_of[GROUPS][MOST];
  ncc_group groups[GROUPS];
  ncc_result results[GROUPS][MOST];
} question;

static void ask(question *q) {
  uint32_t seed = 99;
  memset(q, 0, sizeof *q);
  for (int g = 0; g < GROUPS; g++) {
    const int side = IMAGE - g % 3 * 8, n = g == 7 ? MOST : g == 8 ? 0 : 1 + g % 3;
    for (int i = 0; i < IMAGE * IMAGE; i++) images[g][i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    q->image_of[g] = (ncc_array){g == 5 ? NULL : images[g], NCC_U8, side, side, side};
    if (g == 6) q->image_of[g] = (ncc_array){big, NCC_F32, 2800, 2800, 2800};
    for (int k = 0; k < n; k++) {
      const int rows = g == 9 ? IMAGE + 3 : 17 + (g + k) % 2 * 6, cols = 13;
      for (int i = 0; i < rows * cols; i++)
        templates[g][k][i] = g == 10 ? 7 : images[g][(5 + k + i / cols) % side * side + 9 + i % cols];
      q->template_of[g][k] = (ncc_array){templates[g][k], NCC_U8, rows, cols, cols};
      q->window_of[g][k] = (ncc_rect){0, 0, side, side - k % 2};
    }
    q->groups[g] = (ncc_group){.image_key = g % 4 ? g : -1,
                               .image = &q->image_of[g],
                               .n = n,
                               .templates = q->template_of[g],
                               .windows = g % 5 ? NULL : q->window_of[g],
                               .results = q->results[g]};
  }
}

static ncc_matcher *new_matcher(int threads, int64_t memory_bytes, const volatile int *stop) {
  ncc_matcher *matcher;
  const ncc_config config = {
      .threads = threads, .fft_effort = NCC_FFT_ESTIMATE, .memory_bytes = memory_bytes, .stop = stop};
  CHECK(ncc_matcher_create(&(ncc_search){.quality = true}, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  return matcher;
}

static void same_on_any_threads(void) {
  static question one, more;
  const int64_t limits[] = {0, (int64_t)1 << 30, (int64_t)420 << 20};  // the last has no room for a crew of many
  ncc_matcher *matcher = new_matcher(1, 0, NULL);
  ask(&one);
  for (int g = 0; g < GROUPS; g++) {
    const ncc_group *q = &one.groups[g];
    CHECK(ncc_matcher_match(matcher, -1, q->image, q->n, q->templates, q->windows, q->results) == NCC_OK, "%s",
          ncc_error_message());
  }
  const int64_t pairs = ncc_matcher_counters(matcher)->pairs;
  CHECK(one.results[5][0].status == NCC_PAIR_UNREADABLE && one.results[9][0].status == NCC_PAIR_INVALID &&
            one.results[10][0].status == NCC_PAIR_FLAT && one.results[7][MOST - 1].status == NCC_PAIR_OK,
        "the groups are not of all kinds");
  ncc_matcher_destroy(&matcher);
  for (int threads = 1; threads <= 4; threads += 3)
    for (int limit = 0; limit < 3; limit++) {
      matcher = new_matcher(threads, limits[limit], NULL);
      for (int turn = 1; turn <= (limit ? 1 : 2);
           turn++) {  // the second finds members made, and the last image under its key
        ask(&more);
        CHECK(ncc_matcher_match_groups(matcher, GROUPS, more.groups) == NCC_OK, "%s", ncc_error_message());
        CHECK(ncc_matcher_counters(matcher)->pairs == turn * pairs, "pairs are counted wrong");
        for (int g = 0; g < GROUPS; g++)
          CHECK(memcmp(one.results[g], more.results[g], sizeof one.results[g]) == 0,
                "%d threads, limit %d, turn %d: group %d differs", threads, limit, turn, g);
      }
      CHECK(ncc_matcher_match_groups(matcher, 1, &more.groups[7]) == NCC_OK, "%s", ncc_error_message());
      CHECK(memcmp(one.results[7], more.results[7], sizeof one.results[7]) == 0, "%d threads: parts differ", threads);
      ncc_matcher_destroy(&matcher);
    }
}

/** The crew does what is small, and leaves the rest. */
static void crew_takes_what_is_small(void) {
  static question q;
  ncc_pool *pool;
  ncc_crew *crew;
  ncc_counters counters = {0};
  const ncc_search search = {0};
  const ncc_config config = {.threads = 2, .fft_effort = NCC_FFT_ESTIMATE};
  const ncc_group *groups[GROUPS];
  int64_t n = 0;
  ask(&q);
  CHECK(ncc_pool_create(2, &pool) == NCC_OK && ncc_crew_create(&search, &config, pool, &crew) == NCC_OK, "%s",
        ncc_error_message());
  for (int g = 0; g < GROUPS; g++)
    if (q.groups[g].n > 0) groups[n++] = &q.groups[g];
  CHECK(ncc_crew_match(crew, 1, &n, groups, &counters) == NCC_OK && n == GROUPS - 1 && ncc_crew_bytes(crew) == 0,
        "without room the crew did something");
  CHECK(ncc_crew_match(crew, 0, &n, groups, &counters) == NCC_OK, "%s", ncc_error_message());
  CHECK(n == 2 && groups[0] == &q.groups[6] && groups[1] == &q.groups[9], "%lld groups are left", (long long)n);
  CHECK(q.results[7][0].status == NCC_PAIR_OK && counters.pairs > 60 && counters.image_s > 0, "nothing was done");
  n = 1;
  groups[0] = &q.groups[0];
  CHECK(ncc_crew_match(crew, 0, &n, groups, &counters) == NCC_OK && n == 1, "one pair is not for a crew");
  CHECK(ncc_crew_bytes(crew) > 0, "no bytes");
  ncc_crew_dismiss(crew);
  CHECK(ncc_crew_bytes(crew) == 0, "bytes of none");
  ncc_crew_destroy(&crew);
  ncc_pool_destroy(&pool);
}

static void memory_is_forecast(void) {
  const ncc_search search = {0};
  int64_t least, crew, alone, large[2];
  ncc_config config = {.threads = 8, .memory_bytes = 1};
  CHECK(ncc_matcher_memory(&search, &config, 300, 300, 100, 100, &least) == NCC_OK, "%s", ncc_error_message());
  config.memory_bytes = 0;
  CHECK(ncc_matcher_memory(&search, &config, 300, 300, 100, 100, &crew) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_matcher_memory(&search, &(ncc_config){0}, 300, 300, 100, 100, &alone) == NCC_OK, "alone");
  CHECK(crew == least + 8 * alone, "%lld, at least %lld, a member %lld", (long long)crew, (long long)least,
        (long long)alone);
  for (int i = 0; i < 2; i++) {
    config.memory_bytes = i;
    CHECK(ncc_matcher_memory(&search, &config, 4000, 4000, 300, 300, &large[i]) == NCC_OK, "%s", ncc_error_message());
  }
  CHECK(large[0] == large[1], "large pairs are not for one thread");
}

static void stops_and_refusals(void) {
  static question q;
  volatile int stop = 1;
  ncc_matcher *matcher = new_matcher(3, 0, &stop);
  ask(&q);
  CHECK(ncc_matcher_match_groups(matcher, GROUPS, q.groups) == NCC_ERR_STOPPED, "not stopped");
  CHECK(q.results[0][0].status == NCC_PAIR_PENDING && q.results[GROUPS - 1][0].status == NCC_PAIR_PENDING, "done");
  stop = 0;
  CHECK(ncc_matcher_match_groups(matcher, GROUPS, q.groups) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_matcher_match_groups(matcher, -1, q.groups) == NCC_ERR_USAGE, "n = -1");
  CHECK(ncc_matcher_match_groups(matcher, 1, NULL) == NCC_ERR_USAGE, "no groups");
  q.groups[3].results = NULL;
  q.results[0][0].y = 4711;
  CHECK(ncc_matcher_match_groups(matcher, GROUPS, q.groups) == NCC_ERR_USAGE, "a group without results");
  CHECK(q.results[0][0].y == 4711, "results in spite of an error");
  ncc_matcher_destroy(&matcher);
}

int main(void) {
  for (int i = 0; i < 2800 * 2800; i++) big[i] = (float)(i % 10007 * 7919 % 10007);
  same_on_any_threads();
  crew_takes_what_is_small();
  memory_is_forecast();
  stops_and_refusals();
  return 0;
}
