/** Positions where the template overhangs an image outside of which is nothing; see state.h.
 *
 *  There means go over the overlap of n pixels alone. With d = I - c and T' the mean-free template,
 *
 *      numerator = sum(d T') - sum(d) sum(T') / n, ssd(W) ssd(T), with the T that overlaps, in place of ssd(W) ssd(T)
 *
 *  sum(d) comes from an integral image, what belongs to the template from prefix sums; the window statistics hold
 *  ssd(W) over the overlap. So one product serves, as it does where zeros are outside. Sums in float64 err by some
 *  10^-10 of the bound of the product.
 */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "match/cpu/state.h"
#include "match/kernels/rim.h"
#include "match/template_overlap.h"

enum { COLUMNS_PER_ITEM = 256 };

static int64_t stride_of(const ncc_cpu_layout *l) {
  return l->image_cols + 1;
}

int64_t ncc_cpu_rim_bytes(const ncc_geometry *g) {
  if (!g->ignores_outside) return 0;
  return 8 * (g->trim.y1 - g->trim.y0 + 1) * (g->trim.x1 - g->trim.x0 + 1) +
         ncc_template_overlap_bytes(g->template_rows, g->template_cols) + 8 * (g->template_cols + 1);
}

ncc_status ncc_cpu_rim_begin(ncc_cpu *e) {
  const ncc_cpu_layout *l = &e->layout;
  if (!l->geometry.ignores_outside) return NCC_OK;
  ncc_status status = ncc_buffer_reserve(&e->rim.integral, 8 * (l->image_rows + 1) * stride_of(l), "an integral image");
  double *top = e->rim.integral.data;
  for (int64_t x = 0; status == NCC_OK && x < stride_of(l); x++) top[x] = 0;
  return status;
}

/** What nobody asks for of the integral image: in rows `top` to `bottom` a template overhangs neither above nor below,
 *  and so nowhere but at columns near the sides. Rows are subtracted from each other and columns of one row likewise,
 * so that sums may begin anew behind the gap: in its rows at column `right`, in its columns at row `bottom`, with 0. */
typedef struct integral_gap {
  int64_t top, bottom;  // rows, the last included
  int64_t left, right;  // columns, multiples of COLUMNS_PER_ITEM
} integral_gap;

static integral_gap gap_of(const ncc_cpu_layout *l) {
  const ncc_geometry *g = &l->geometry;
  const integral_gap out = {g->template_rows, l->image_rows - g->template_rows + 1,
                            ncc_round_up(g->template_cols + 1, COLUMNS_PER_ITEM),
                            (l->image_cols - g->template_cols) / COLUMNS_PER_ITEM * COLUMNS_PER_ITEM};
  return out.bottom >= out.top && out.right > out.left ? out : (integral_gap){0, -1, 0, 0};
}

/** out[x + 1] for pixels [first, end) of a row of the trimmed image, out[first] being 0. */
static void add_row(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t row, int64_t first, int64_t end, double *out) {
  const ncc_prepared *image = e->task->image;
  const ncc_rect *trim = &e->layout.geometry.trim;
  const double scale = image->scale * e->image.centring.unit, c = e->image.centring.centre * e->image.centring.unit;
  double sum = 0;
  e->kernels->to_f64(image->pixels.dtype, ncc_array_at(&image->pixels, trim->y0 + row, trim->x0 + first), end - first,
                     s->pixels);
  out[first] = 0;
  for (int64_t x = first; x < end; x++) out[x + 1] = sum += s->pixels[x - first] * scale - c;
}

void ncc_cpu_rim_add_strip(ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip) {
  const ncc_cpu_layout *l = &e->layout;
  if (!l->geometry.ignores_outside) return;
  const integral_gap gap = gap_of(l);
  const int64_t end = ncc_min((strip + 1) * NCC_ROW_BATCH, l->image_rows);
  for (int64_t row = strip * NCC_ROW_BATCH; row < end; row++) {
    double *out = (double *)e->rim.integral.data + (row + 1) * stride_of(l);
    const bool whole = row + 1 < gap.top || row + 1 > gap.bottom;
    add_row(e, s, row, 0, whole ? l->image_cols : gap.left - 1, out);
    if (!whole) add_row(e, s, row, gap.right, l->image_cols, out);
  }
}

static void integrate_item(void *context, int64_t item, int thread) {
  (void)thread;
  const ncc_cpu *e = context;
  const int64_t stride = stride_of(&e->layout), rows = e->layout.image_rows;
  const int64_t first = item * COLUMNS_PER_ITEM, end = ncc_min(first + COLUMNS_PER_ITEM, stride);
  const integral_gap gap = gap_of(&e->layout);
  const bool apart = first >= gap.left && first < gap.right;
  double *integral = e->rim.integral.data;
  for (int64_t y = 1; y <= rows; y++) {
    if (apart && y == gap.top) {
      y = gap.bottom;
      memset(integral + y * stride + first, 0, (size_t)(end - first) * sizeof *integral);
      continue;
    }
    for (int64_t x = first; x < end; x++) integral[y * stride + x] += integral[(y - 1) * stride + x];
  }
}

void ncc_cpu_rim_finish(ncc_cpu *e) {
  if (!e->layout.geometry.ignores_outside) return;
  ncc_pool_run(e->context->pool, ncc_ceil_div(stride_of(&e->layout), COLUMNS_PER_ITEM), integrate_item, e);
}

ncc_status ncc_cpu_rim_take_template(ncc_cpu *e) {
  if (!e->layout.geometry.ignores_outside) return NCC_OK;
  const int64_t cols = e->layout.geometry.template_cols;
  const ncc_status status = ncc_buffer_reserve(&e->rim.inverse, 8 * (cols + 1), "what columns count");
  double *inverse = e->rim.inverse.data;
  for (int64_t i = 1; status == NCC_OK && i <= cols; i++) inverse[i] = 1 / (double)i;
  return status == NCC_OK ? ncc_template_overlap_create(e->task->tmpl, e->tmpl.unit, &e->rim.tmpl) : status;
}

double ncc_cpu_rim_error(const ncc_cpu *e) {
  const ncc_cpu_layout *l = &e->layout;
  if (!l->geometry.ignores_outside) return 0;
  const double rows = (double)l->image_rows, cols = (double)l->image_cols;
  // What is added is rounded to float32, and no larger than the norms.
  return 8 * (rows + cols) * 0x1p-53 * sqrt(rows * cols) + 0x1p-24;
}

void ncc_cpu_rim_correct(const ncc_cpu *e, int64_t y, float *row) {
  const ncc_cpu_layout *l = &e->layout;
  const ncc_geometry *g = &l->geometry;
  const ncc_template_overlap *t = &e->rim.tmpl;
  const int64_t n = g->template_cols, N = g->image_cols, x0 = g->search.x0, x1 = g->search.x1;
  const int64_t top = ncc_overlap_first(g->template_rows, y),
                bottom = ncc_overlap_end(g->image_rows, g->template_rows, y);
  const double scale = -ncc_cpu_points(e) / (double)(bottom - top);
  // Rows of sums over the overlap's rows: those of the template's column c are lower[c] - upper[c].
  const double *upper = t->sums + top * (n + 1), *lower = t->sums + bottom * (n + 1);
  const int64_t first = y - g->template_rows + 1 + top - g->trim.y0;
  const double *above = (const double *)e->rim.integral.data + first * stride_of(l) - g->trim.x0;
  const double *below = above + (bottom - top) * stride_of(l);
  const ncc_rim_rows rows = {above, below, upper, lower};
  const ncc_rim_kernels *kernels = e->kernels->rim;
  float *out = row - 2 * g->trim.x0;
  const double whole = lower[n] - upper[n], *inverse = e->rim.inverse.data;
  // Overhang at the left: the template's columns n - 1 - x .. n, the image's 0 .. x.
  const int64_t left_end = ncc_min(n - 1, x1), middle = ncc_max(n - 1, x0), right = ncc_max(N, x0);
  if (x0 < left_end)
    kernels->edge(&rows, &(ncc_rim_edge){x0 + 1, 0, 1, n - 1 - x0, whole, -1, inverse + x0 + 1, 1}, scale,
                  left_end - x0, out + 2 * x0);
  if (top > 0 || bottom < g->template_rows)
    kernels->middle(&rows, middle + 1, n, scale * whole / (double)n, ncc_min(N, x1) - middle, out + 2 * middle);
  if (right < x1)  // then nothing is trimmed there, and there are sums up to N
    kernels->edge(&rows,
                  &(ncc_rim_edge){right + 1 - n, below[N] - above[N], -1, N - 1 - right + n, 0, 1,
                                  inverse + N - 1 - right + n, -1},
                  scale, x1 - right, out + 2 * right);
}

void ncc_cpu_rim_lower(const ncc_cpu *e, int64_t y, const float *lower, float *out) {
  const ncc_geometry *g = &e->layout.geometry;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t m = g->template_rows, n = g->template_cols, blocks = stats->stride / NCC_BLOCK_COLS;
  const int64_t y0 = ncc_max(y, g->search.y0), y1 = ncc_min(y + NCC_BLOCK_ROWS, g->search.y1) - 1;
  // What overlaps at every position of a block.
  ncc_template_part part = {.top = ncc_overlap_first(m, y0), .bottom = ncc_overlap_end(g->image_rows, m, y1)};
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t x0 = ncc_max(stats->x0 + b * NCC_BLOCK_COLS, g->search.x0);
    const int64_t x1 = ncc_min(stats->x0 + (b + 1) * NCC_BLOCK_COLS, g->search.x1) - 1;
    part.left = ncc_overlap_first(n, x0);
    part.right = ncc_overlap_end(g->image_cols, n, x1);
    out[b] = lower[b];
    if (lower[b] > 0 && isfinite(lower[b]) && !(part.top == 0 && part.bottom == m && part.left == 0 && part.right == n))
      out[b] *= sqrtf((float)ncc_template_overlap_least(&e->rim.tmpl, &part)) * 0.999999f;
  }
}

double ncc_cpu_rim_ssd(const ncc_cpu *e, int64_t y, int64_t x, double ssd) {
  const ncc_geometry *g = &e->layout.geometry;
  const ncc_template_part part =
      ncc_template_part_at(g->image_rows, g->image_cols, g->template_rows, g->template_cols, y, x);
  if (part.top == 0 && part.left == 0 && part.bottom == g->template_rows && part.right == g->template_cols) return ssd;
  return ncc_template_overlap_times(ssd, ncc_template_overlap_ssd(&e->rim.tmpl, &part, 8 * NCC_SSD_WELL_ABOVE));
}
