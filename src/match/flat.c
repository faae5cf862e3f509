/** Exact flatness of windows, by counting in integers over stored pixels; see ncc_flat_rows() in stats.h.
 *
 *  A window inside the image is flat if no two neighbours in it differ; one that overhangs is flat if all its pixels
 * are 0, as the zeros outside are part of it, unless nothing is outside. Counts of differing neighbours and of non-zero
 * pixels slide down the columns and along the rows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "match/stats.h"

typedef struct flat_counts {
  const ncc_prepared *image;
  int64_t x0, n;  // image columns looked at
  int32_t *nonzero, *across,
      *down;            // [n] counts per column over the window's rows; across: with the column to the right
  double *row, *above;  // [n] pixels
} flat_counts;

/** Adds (sign 1) or takes away (-1) an image row; `next` says whether pairs (row, row + 1) or (row - 1, row) join. */
static void count_row(const flat_counts *f, int64_t row, int sign) {
  ncc_prepared_row(f->image, row, f->x0, f->n, f->row);
  for (int64_t i = 0; i < f->n; i++) {
    f->nonzero[i] += sign * (f->row[i] != 0);
    if (i + 1 < f->n) f->across[i] += sign * (f->row[i] != f->row[i + 1]);
  }
}

static void count_between(const flat_counts *f, int64_t row, int sign) {
  ncc_prepared_row(f->image, row, f->x0, f->n, f->row);
  ncc_prepared_row(f->image, row + 1, f->x0, f->n, f->above);
  for (int64_t i = 0; i < f->n; i++) f->down[i] += sign * (f->row[i] != f->above[i]);
}

ncc_status ncc_flat_rows(const ncc_prepared *image, const ncc_geometry *g,
                         void (*row)(void *context, int64_t y, const uint8_t *flat), void *context) {
  ncc_status status = NCC_OK;
  const int64_t m = g->template_rows, n = g->template_cols, M = g->image_rows, N = g->image_cols;
  const int64_t n_out = g->search.x1 - g->search.x0;
  flat_counts f = {.image = image, .x0 = g->trim.x0, .n = g->trim.x1 - g->trim.x0};
  f.nonzero = calloc((size_t)(3 * f.n), sizeof *f.nonzero);
  f.row = calloc((size_t)(2 * f.n), sizeof *f.row);
  uint8_t *flat = calloc((size_t)n_out, 1);
  NCC_CHECK(f.nonzero && f.row && flat, NCC_ERR_NOMEM, "out of memory for flatness of rows of %lld pixels",
            (long long)f.n);
  f.across = f.nonzero + f.n;
  f.down = f.across + f.n;
  f.above = f.row + f.n;

  for (int64_t y = g->search.y0; y < g->search.y1; y++) {
    // The window's image rows are [top, bottom]; the first time all are counted, later one enters and one leaves.
    int64_t top = y - m + 1 > 0 ? y - m + 1 : 0, bottom = y < M - 1 ? y : M - 1;
    if (y == g->search.y0) {
      for (int64_t r = top; r <= bottom; r++) count_row(&f, r, 1);
      for (int64_t r = top; r < bottom; r++) count_between(&f, r, 1);
    } else {
      if (y < M) {
        count_row(&f, y, 1);
        if (y > 0 && y - 1 >= (y - m > 0 ? y - m : 0)) count_between(&f, y - 1, 1);
      }
      if (y - m >= 0) {
        count_row(&f, y - m, -1);
        if (y - m + 1 < M) count_between(&f, y - m, -1);
      }
    }
    int64_t nonzero = 0, across = 0, down = 0, left = 0, right = -1;  // columns [left, right] of the image are counted
    for (int64_t i = 0; i < n_out; i++) {
      int64_t x = g->search.x0 + i;
      int64_t want_left = x - n + 1 > 0 ? x - n + 1 : 0, want_right = x < N - 1 ? x : N - 1;
      if (i == 0) {
        left = want_left;
        right = left - 1;
      }
      while (right < want_right) {
        right++;
        nonzero += f.nonzero[right - f.x0];
        down += f.down[right - f.x0];
        if (right > left) across += f.across[right - 1 - f.x0];
      }
      while (left < want_left) {
        nonzero -= f.nonzero[left - f.x0];
        down -= f.down[left - f.x0];
        if (left < right) across -= f.across[left - f.x0];
        left++;
      }
      bool inside = y - m + 1 >= 0 && y < M && x - n + 1 >= 0 && x < N;
      flat[i] = inside || g->ignores_outside ? across == 0 && down == 0 : nonzero == 0;
    }
    row(context, y, flat);
  }

cleanup:
  free(f.nonzero);
  free(f.row);
  free(flat);
  return status;
}
