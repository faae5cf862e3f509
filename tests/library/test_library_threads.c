/** libmpixcorr starts no thread before the first matcher, as many as asked for with it, and leaves none behind. */
#include "library_cases.h"

int main(void) {
  static float pixels[ROWS * COLS];
  fill(pixels, ROWS * COLS);
  printf("libmpixcorr %s, engine %s\n", ncc_version(), ncc_engine_name(ncc_engine_cpu()));
  const int before = count_threads();
  CHECK(before == 1, "%d threads before the first matcher", before);
  ncc_matcher *matcher = new_matcher(3);
  match_cut(matcher, pixels, COLS, 10, 20);
  CHECK(count_threads() == 3, "%d threads with a matcher of 3", count_threads());
  ncc_matcher_destroy(&matcher);
  CHECK(!matcher, "not set to NULL");
  CHECK(count_threads() == 1, "%d threads after it was destroyed", count_threads());
  return 0;
}
