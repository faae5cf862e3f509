/** The C library in one page: where do two pieces of one tile lie on its neighbour?
 *
 *      export PKG_CONFIG_PATH=PREFIX/lib/pkgconfig
 *      cc example.c $(pkg-config --cflags --libs mpixcorr) -Wl,-rpath,$(pkg-config --variable=libdir mpixcorr)
 *      ./a.out
 *
 *  Pixels are borrowed: templates are cut by pointer and row stride, nothing is copied or written.
 */
#include <mpixcorr.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 300, COLS = 400, SHIFT_Y = 5, SHIFT_X = 310 };

/** Two 8-bit tiles of one scene of blobs: b(y, x) = a(y + SHIFT_Y, x + SHIFT_X), so they share a strip of a's right. */
static uint8_t scene(int64_t y, int64_t x) {
  double sum = 0;
  for (int dy = -1; dy <= 1; ++dy)
    for (int dx = -1; dx <= 1; ++dx) {
      uint64_t n = (uint64_t)((y / 3 + dy) * 100003 + x / 3 + dx + 1000000) * 0x9e3779b97f4a7c15u;
      n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
      sum += (double)(n >> 56);
    }
  return (uint8_t)(sum / 9);
}

int main(void) {
  uint8_t *a = malloc(ROWS * COLS), *b = malloc(ROWS * COLS);
  if (!a || !b) return 1;
  for (int64_t y = 0; y < ROWS; ++y)
    for (int64_t x = 0; x < COLS; ++x) {
      a[y * COLS + x] = scene(y, x);
      b[y * COLS + x] = scene(y + SHIFT_Y, x + SHIFT_X);
    }

  const ncc_array image = {.data = a, .dtype = NCC_U8, .rows = ROWS, .cols = COLS, .row_stride = COLS};
  const int64_t at[2][2] = {{40, 10}, {180, 20}};  // top-left pixels (y, x) of the templates in b
  const ncc_array templates[2] = {
      {.data = b + at[0][0] * COLS + at[0][1], .dtype = NCC_U8, .rows = 64, .cols = 48, .row_stride = COLS},
      {.data = b + at[1][0] * COLS + at[1][1], .dtype = NCC_U8, .rows = 64, .cols = 48, .row_stride = COLS},
  };

  // Raw tiles are far from zero mean: let no template overhang the image (see docs/emalign.md).
  const ncc_search search = {.min_overlap = 1.0, .quality = true};
  const ncc_config config = {.threads = 2};
  ncc_matcher *matcher = NULL;
  ncc_result results[2];
  ncc_status status = ncc_matcher_create(&search, &config, &matcher);
  if (status == NCC_OK) status = ncc_matcher_match(matcher, -1, &image, 2, templates, NULL, results);
  ncc_matcher_destroy(&matcher);
  if (status != NCC_OK) fprintf(stderr, "%s: %s\n", ncc_status_text(status), ncc_error_message());

  bool found = status == NCC_OK;
  for (int i = 0; i < 2 && status == NCC_OK; ++i) {
    // coords -> offset of the template's top-left pixel in the image -> displacement of b against a
    const int64_t dy = results[i].y - (templates[i].rows - 1) - at[i][0];
    const int64_t dx = results[i].x - (templates[i].cols - 1) - at[i][1];
    printf("template %d: %s, b is displaced by (%+lld, %+lld) px, NCC %.4f, next best %.4f\n", i,
           ncc_pair_status_name((ncc_pair_status)results[i].status), (long long)dy, (long long)dx, results[i].peak,
           results[i].second_peak);
    found = found && results[i].status == NCC_PAIR_OK && dy == SHIFT_Y && dx == SHIFT_X;
  }
  free(a);
  free(b);
  return found ? 0 : 1;
}
