/** libmpixcorr reads pixels where they are and never writes them: they lie in memory that cannot be written. */
#include <sys/mman.h>

#include "library_cases.h"

int main(void) {
  const size_t bytes = ROWS * COLS * sizeof(float);
  float *pixels = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pixels != MAP_FAILED, "mmap failed");
  fill(pixels, ROWS * COLS);
  CHECK(mprotect(pixels, bytes, PROT_READ) == 0, "mprotect failed");
  for (int normalize = 0; normalize < 2; ++normalize) {
    const ncc_search search = {.normalize = normalize, .quality = true};
    ncc_matcher *matcher;
    CHECK(ncc_matcher_create(&search, NULL, &matcher) == NCC_OK, "%s", ncc_error_message());
    CHECK(match_cut(matcher, pixels, COLS, 10, 20).peak > 1 - 1e-12, "not found");
    ncc_matcher_destroy(&matcher);
  }
  return 0;
}
