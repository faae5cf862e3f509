/** See median.h. The window's pixels are kept in order; a step to the right merges one column in and one out, n^2 steps
 *  a pixel. Histograms would be faster for large windows of 8-bit pixels, and want other code for all other types. */
#include "filter/median.h"

#include <string.h>

int64_t ncc_median_scratch(int n) {
  return 2 * (int64_t)n * n + 2 * n;
}

/** One column of the window in increasing order. */
static void sorted_column(const double *const *rows, int64_t column, int n, double *out) {
  for (int i = 0; i < n; i++) {
    const double value = rows[i][column];
    int at = i;
    for (; at > 0 && out[at - 1] > value; at--) out[at] = out[at - 1];
    out[at] = value;
  }
}

/** `to` = `from` with the n values of `gone` left out and those of `come` put in; all are in order.
 *  @param[in] count  values of `from` */
static void merge(const double *from, int64_t count, const double *gone, int n_gone, const double *come, int n_come,
                  double *to) {
  int out = 0, in = 0;
  for (int64_t i = 0; i < count; i++) {
    if (out < n_gone && from[i] == gone[out]) {
      out++;
      continue;
    }
    while (in < n_come && come[in] < from[i]) *to++ = come[in++];
    *to++ = from[i];
  }
  while (in < n_come) *to++ = come[in++];
}

void ncc_median_row(const double *const *rows, const int64_t *columns, int n, int64_t cols, double *scratch,
                    double *out) {
  const int64_t size = (int64_t)n * n;
  double *window = scratch, *other = scratch + size, *gone = other + size, *come = gone + n;
  for (int i = 0; i < n; i++) {
    sorted_column(rows, columns[i], n, come);
    merge(window, (int64_t)i * n, gone, 0, come, n, other);
    double *swap = window;
    window = other;
    other = swap;
  }
  for (int64_t x = 0;; x++) {
    out[x] = window[size / 2];
    if (x + 1 == cols) return;
    sorted_column(rows, columns[x], n, gone);
    sorted_column(rows, columns[x + n], n, come);
    merge(window, size, gone, n, come, n, other);
    double *swap = window;
    window = other;
    other = swap;
  }
}
