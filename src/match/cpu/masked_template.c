/** Sums over a masked template where the image has no mask: what overlaps is a rectangle of the template, so that
 * prefix sums give n, u and v, and no transform is needed. Where the template does not overhang, all positions have the
 * same.
 */
#include "base/arithmetic.h"
#include "base/error.h"
#include "match/cpu/masked.h"
#include "match/formulas.h"

static int64_t stride_of(const ncc_geometry *g) {
  return g->template_cols + 1;
}

int64_t ncc_cpu_masked_template_bytes(const ncc_geometry *g) {
  return 8 * (3 * (g->template_rows + 1) * stride_of(g) + g->template_cols);
}

/** Of n, u, v. */
static double *prefix_of(const ncc_cpu_masked *m, int which) {
  const ncc_geometry *g = &m->cpu->layout.geometry;
  return (double *)m->template_sums.data + which * (g->template_rows + 1) * stride_of(g);
}

ncc_status ncc_cpu_masked_template_make(ncc_cpu_masked *m) {
  const ncc_prepared *tmpl = m->task->tmpl;
  const ncc_geometry *g = &m->cpu->layout.geometry;
  const int64_t stride = stride_of(g), n = g->template_cols;
  const ncc_status status =
      ncc_buffer_reserve(&m->template_sums, ncc_cpu_masked_template_bytes(g), "prefix sums of a template");
  if (status != NCC_OK) return status;
  double *const sums[] = {prefix_of(m, 0), prefix_of(m, 1), prefix_of(m, 2)}, *row = prefix_of(m, 3);
  for (int64_t x = 0; x < stride; x++) sums[0][x] = sums[1][x] = sums[2][x] = 0;
  for (int64_t y = 0; y < g->template_rows; y++) {
    const uint8_t *valid = tmpl->valid + y * n;
    double run[3] = {0};
    ncc_prepared_row(tmpl, y, 0, n, row);
    for (int i = 0; i < 3; i++) sums[i][(y + 1) * stride] = 0;
    for (int64_t x = 0; x < n; x++) {
      const double t = valid[x] ? (row[x] - tmpl->mean) * m->tmpl_unit : 0;
      run[0] += valid[x] != 0;
      run[1] += t;
      run[2] += t * t;
      for (int i = 0; i < 3; i++) sums[i][(y + 1) * stride + x + 1] = sums[i][y * stride + x + 1] + run[i];
    }
  }
  return NCC_OK;
}

void ncc_cpu_masked_template_row(const ncc_cpu_masked *m, int which, int64_t y, int64_t x0, int64_t count, float *out) {
  const ncc_geometry *g = &m->cpu->layout.geometry;
  const int64_t rows = g->template_rows, cols = g->template_cols, stride = stride_of(g);
  const int64_t top = ncc_min(ncc_overlap_first(rows, y), rows);
  const int64_t bottom = ncc_max(ncc_overlap_end(g->image_rows, rows, y), top);
  const double *upper = prefix_of(m, which) + top * stride, *lower = prefix_of(m, which) + bottom * stride;
  const double points = ncc_cpu_points(m->cpu);
  const float whole = (float)(points * (lower[cols] - upper[cols]));
  for (int64_t i = 0; i < count; i++) {
    const int64_t x = x0 + i, left = ncc_overlap_first(cols, x);
    const int64_t right = ncc_max(ncc_overlap_end(g->image_cols, cols, x), left);
    if (left == 0 && right == cols)
      out[2 * i] = whole;
    else
      out[2 * i] = (float)(points * (lower[right] - upper[right] - (lower[left] - upper[left])));
  }
}
