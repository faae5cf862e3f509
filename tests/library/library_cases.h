/** What the tests of libmpixcorr share: they use its public header and the shared library alone. */
#ifndef NCC_TESTS_LIBRARY_CASES_H
#define NCC_TESTS_LIBRARY_CASES_H

#include <dirent.h>
#include <string.h>

#include "check.h"
#include "mpixcorr.h"

enum { ROWS = 50, COLS = 60, T_ROWS = 12, T_COLS = 15 };

/** Noise, the same every time. */
static inline void fill(float *pixels, int64_t n) {
  uint32_t state = 1;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    pixels[i] = (float)(state >> 8);
  }
}

static inline ncc_matcher *new_matcher(int threads) {
  const ncc_search search = {0};
  const ncc_config config = {.threads = threads};
  ncc_matcher *matcher;
  CHECK(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  return matcher;
}

/** Matches the template at (y, x) of the image's own pixels. */
static inline ncc_result match_cut(ncc_matcher *matcher, const float *pixels, int64_t cols, int64_t y, int64_t x) {
  const ncc_array image = {pixels, NCC_F32, ROWS, cols, COLS};
  const ncc_array cut = {pixels + y * COLS + x, NCC_F32, T_ROWS, T_COLS, COLS};
  ncc_result result;
  CHECK(ncc_matcher_match(matcher, -1, &image, 1, &cut, NULL, &result) == NCC_OK, "%s", ncc_error_message());
  CHECK(result.y == y + T_ROWS - 1 && result.x == x + T_COLS - 1, "(%lld, %lld)", (long long)result.y,
        (long long)result.x);
  return result;
}

/** Threads of this process. */
static inline int count_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  CHECK(tasks, "/proc/self/task cannot be read");
  int n = 0;
  for (struct dirent *entry; (entry = readdir(tasks));) n += entry->d_name[0] != '.';
  closedir(tasks);
  return n;
}

#endif
