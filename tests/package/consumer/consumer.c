/** Finds a template that was cut from an image, by nothing but the installed header and library. */
#include <mpixcorr.h>
#include <stdio.h>

enum { ROWS = 40, COLS = 50, T_ROWS = 9, T_COLS = 11, CUT_Y = 17, CUT_X = 23 };

int main(void) {
  static float pixels[ROWS * COLS];
  unsigned state = 1;
  for (int i = 0; i < ROWS * COLS; ++i) {
    state = state * 1664525u + 1013904223u;
    pixels[i] = (float)(state >> 8);
  }
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS};
  const ncc_array cut = {pixels + CUT_Y * COLS + CUT_X, NCC_F32, T_ROWS, T_COLS, COLS};
  const ncc_search search = {0};
  ncc_matcher *matcher;
  ncc_result result;
  ncc_status status = ncc_matcher_create(&search, NULL, &matcher);
  if (status == NCC_OK) status = ncc_matcher_match(matcher, -1, &image, 1, &cut, NULL, &result);
  ncc_matcher_destroy(&matcher);
  if (status != NCC_OK) {
    fprintf(stderr, "%s\n", ncc_error_message());
    return 1;
  }
  printf("%s: (%d, %d) %.3f\n", ncc_version(), (int)result.y, (int)result.x, result.peak);
  return !(result.y == CUT_Y + T_ROWS - 1 && result.x == CUT_X + T_COLS - 1 && result.peak > 1 - 1e-12);
}
