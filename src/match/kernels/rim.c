/** See rim.h. Compiled once per instruction set. */
#include "match/kernels/rim.h"

#include "match/kernels/vec.h"

INLINE void add_to_every_other(float *out, doubles v) {
  complexes sum;
  memcpy(&sum, out, sizeof sum);
  sum += INTERLEAVE(floats_of_doubles(v), (floats){0});
  memcpy(out, &sum, sizeof sum);
}

/** step: 1 or -1, a constant where this is inlined. */
INLINE void add_edge(const double *below, const double *above, const double *lower, const double *upper,
                     const ncc_rim_edge *e, int step, double scale, int64_t n, float *restrict out) {
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    const doubles of_image = e->image_all + e->image_sign * (get(below + i) - get(above + i));
    const int64_t back = i + WIDTH - 1;
    const doubles part = REVERSE(get(lower - back) - get(upper - back));
    const doubles inverse = step > 0 ? get(e->inverse + i) : REVERSE(get(e->inverse - back));
    add_to_every_other(out + 2 * i, scale * of_image * (e->tmpl_all + e->tmpl_sign * part) * inverse);
  }
  for (; i < n; i++) {
    const double of_image = e->image_all + e->image_sign * (below[i] - above[i]);
    const double of_tmpl = e->tmpl_all + e->tmpl_sign * (lower[-i] - upper[-i]);
    out[2 * i] += (float)(scale * of_image * of_tmpl * e->inverse[step * i]);
  }
}

static void edge(const ncc_rim_rows *rows, const ncc_rim_edge *e, double scale, int64_t n, float *restrict out) {
  const double *below = rows->below + e->image_at, *above = rows->above + e->image_at;
  const double *lower = rows->lower + e->tmpl_at, *upper = rows->upper + e->tmpl_at;
  if (e->step > 0)
    add_edge(below, above, lower, upper, e, 1, scale, n, out);
  else
    add_edge(below, above, lower, upper, e, -1, scale, n, out);
}

static void middle(const ncc_rim_rows *rows, int64_t image_at, int64_t cols, double factor, int64_t n,
                   float *restrict out) {
  const double *below = rows->below + image_at, *above = rows->above + image_at;
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    const doubles sum = (get(below + i) - get(above + i)) - (get(below + i - cols) - get(above + i - cols));
    add_to_every_other(out + 2 * i, factor * sum);
  }
  for (; i < n; i++) {
    const double sum = (below[i] - above[i]) - (below[i - cols] - above[i - cols]);
    out[2 * i] += (float)(factor * sum);
  }
}

const ncc_rim_kernels NCC_CAT(ncc_rim_kernels_, NCC_ISA) = {.edge = edge, .middle = middle};
