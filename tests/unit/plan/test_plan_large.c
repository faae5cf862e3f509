/** Planning and handing out 10^6 pairs (or as many millions as the argument says) is linear: seconds and bytes a pair
 *  are bounded. */
#include <sys/resource.h>
#include <time.h>

#include "plan_cases.h"

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check_large(const char *name, int64_t n, int64_t per_image, bool shuffled) {
  uint64_t state = 7;
  ncc_catalog catalog = make_catalog(n / per_image, n, n);
  for (int64_t row = 0; row < n; row++) {
    catalog.pairs[row][0] = shuffled ? random_below(&state, n / per_image) : row / per_image;
    catalog.pairs[row][1] = row;
  }
  catalog.images.stack.rows = catalog.images.stack.cols = 32;
  catalog.templates.stack.rows = catalog.templates.stack.cols = 16;
  ncc_schedule_options options = {.ranks = 100, .threads = 1, .group = true};
  ncc_schedule *schedule = NULL;
  double t0 = now_s();
  ncc_work work = make_work(&catalog);
  CHECK(ncc_schedule_create(&work, NULL, &options, &schedule) == NCC_OK, "%s", ncc_error_message());
  double t1 = now_s();
  int64_t handed = 0, chunks = 0;
  ncc_chunk chunk;
  for (int rank = 0, idle = 0; idle < 100; rank = (rank + 1) % 100) {
    if (!ncc_schedule_next(schedule, rank, ncc_schedule_share(schedule), &chunk)) {
      idle++;
      continue;
    }
    idle = 0;
    handed += chunk.count;
    chunks++;
  }
  double t2 = now_s();
  CHECK(handed == n, "%s: %lld of %lld handed out", name, (long long)handed, (long long)n);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%s: %lld pairs, %lld groups: planned in %.2f s, %lld chunks in %.2f s, %ld MiB so far\n", name, (long long)n,
         (long long)ncc_schedule_groups(schedule), t1 - t0, (long long)chunks, t2 - t1, usage.ru_maxrss / 1024);
  CHECK(t1 - t0 < 3e-6 * (double)n + 1, "%s: planning took %.2f s", name, t1 - t0);
  CHECK(t2 - t1 < 3e-6 * (double)n + 1, "%s: handing out took %.2f s", name, t2 - t1);
  CHECK(usage.ru_maxrss / 1024 < n / 8000 + 64, "%s: %ld MiB", name, usage.ru_maxrss / 1024);
  ncc_schedule_destroy(&schedule);
  ncc_work_clear(&work);
  clear_catalog(&catalog);
}

int main(int argc, char **argv) {
  int64_t n = 1000000 * (argc > 1 ? atoll(argv[1]) : 1);
  check_large("five to an image", n, 5, false);
  check_large("shuffled", n, 5, true);
  check_large("an image each", n, 1, false);
  check_large("one image", n, n, false);
  return 0;
}
