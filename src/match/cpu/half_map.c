/** Numerators of the half grid, and the most that the NCC can be by them; see half.c. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "match/cpu/half.h"
#include "match/kernels/half.h"

ncc_status ncc_half_map_make(ncc_cpu *e, ncc_cpu_half *h) {
  ncc_status status = NCC_OK;
  ncc_cpu *c = h->coarse;
  const ncc_task task = {.image = &h->image,
                         .image_serial = h->serial,
                         .image_stays = e->task->image_stays,
                         .tmpl = &h->tmpl,
                         .geometry = &h->geometry};
  const ncc_rect *search = &h->geometry.search, *trim = &h->geometry.trim;
  const int64_t rows = search->y1 - search->y0;
  h->width = search->x1 - search->x0;
  c->task = &task;
  NCC_TRY(ncc_cpu_image_prepare(c));
  NCC_TRY(ncc_cpu_product_make(c));
  NCC_TRY(ncc_buffer_reserve(&h->map_px, 4 * (rows + 1) * h->width, "numerators of the half grid"));
  h->map = h->map_px.data;
  float *unwanted = h->map + rows * h->width;
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  for (int64_t strip = 0; strip < ncc_cpu_strips(c->layout.product_rows); strip++) {
    int64_t y0;
    const int count = ncc_cpu_take_strip(c, &c->scratch[0], strip, &y0);
    for (int r = 0; r < count; r += 2) {
      float *to[2] = {unwanted, unwanted};
      for (int k = 0; k < 2 && r + k < count; k++)
        if (y0 + r + k >= search->y0 && y0 + r + k < search->y1) to[k] = h->map + (y0 + r + k - search->y0) * h->width;
      const ncc_c32 *in = c->scratch[0].rows + r / 2 * c->layout.shape.row_stride + (search->x0 - trim->x0);
      e->kernels->half->split((const float *)in, h->width, to[0], to[1]);
    }
  }

cleanup:
  return status;
}

/** Where position 2k + f lies in one direction of the map: its k is at *near, that of f's other neighbour at *far. */
static void place(int64_t y, int64_t m, int64_t first, int64_t *near, int64_t *far) {
  const int64_t p = y - m + 1;
  *near = (p >> 1) - ((first - m + 1) >> 1) + 1;
  *far = p & 1 ? *near + 1 : *near - 1;
}

static void place_at(const ncc_geometry *g, int64_t y, int64_t x, int64_t rows[2], int64_t cols[2]) {
  place(y, g->template_rows, g->search.y0, &rows[0], &rows[1]);
  place(x, g->template_cols, g->search.x0, &cols[0], &cols[1]);
}

double ncc_half_map_at(const ncc_cpu_half *h, const ncc_geometry *g, int64_t y, int64_t x) {
  int64_t rows[2], cols[2];
  place_at(g, y, x, rows, cols);
  const float *near = h->map + rows[0] * h->width, *far = h->map + rows[1] * h->width;
  return 0.75 * (0.75 * (double)near[cols[0]] + 0.25 * (double)near[cols[1]]) +
         0.25 * (0.75 * (double)far[cols[0]] + 0.25 * (double)far[cols[1]]);
}

bool ncc_half_map_holds(const ncc_cpu *e, const ncc_cpu_half *h, int64_t y, int64_t x) {
  const ncc_cpu *c = h->coarse;
  const ncc_geometry *g = e->task->geometry;
  const ncc_array *image = &h->image.pixels, *tmpl = &h->tmpl.pixels;
  const int64_t down = (y - g->template_rows + 1) >> 1, right = (x - g->template_cols + 1) >> 1;
  const int64_t from = ncc_max(0, -right), to = ncc_min(tmpl->cols, image->cols - right);
  double sum = 0;
  for (int64_t q = ncc_max(0, -down); q < ncc_min(tmpl->rows, image->rows - down); q++) {
    const float *I = (const float *)image->data + (down + q) * image->cols + right;
    const float *T = (const float *)tmpl->data + q * tmpl->cols;
    double sums[8] = {0};
    int64_t p = from;
    for (; p + 8 <= to; p += 8)
      for (int k = 0; k < 8; k++) sums[k] += (double)I[p + k] * ((double)T[p + k] - h->tmpl.mean);
    for (; p < to; p++) sum += (double)I[p] * ((double)T[p] - h->tmpl.mean);
    for (int k = 0; k < 8; k++) sum += sums[k];
  }
  int64_t rows[2], cols[2];
  place_at(g, y, x, rows, cols);
  const double unit = c->image.centring.unit * c->tmpl.unit * ncc_cpu_points(c);
  const double here = (double)h->map[rows[0] * h->width + cols[0]] / unit;
  return fabs(here - sum) <= ncc_cpu_product_error(c) * sqrt(h->tmpl.ssd) / 4 + 0x1p-21 * fabs(sum);
}

bool ncc_half_block(const ncc_cpu *e, int64_t block, ncc_rect *out) {
  const ncc_rect *s = &e->layout.geometry.search;
  const ncc_stats *stats = &e->windows.stats;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS;
  const int64_t y = stats->y0 + block / blocks * NCC_BLOCK_ROWS, x = stats->x0 + block % blocks * NCC_BLOCK_COLS;
  *out = (ncc_rect){ncc_max(y, s->y0), ncc_max(x, s->x0), ncc_min(y + NCC_BLOCK_ROWS, s->y1),
                    ncc_min(x + NCC_BLOCK_COLS, s->x1)};
  return out->y0 < out->y1 && out->x0 < out->x1;
}

/** Of full positions [y0, y1) the rows of the map that enter, [first, last], or columns likewise. */
static void range_of(int64_t y0, int64_t y1, int64_t m, int64_t search, int64_t *first, int64_t *last) {
  int64_t near, far;
  place(y0, m, search, &near, &far);
  *first = ncc_min(near, far);
  place(y1 - 1, m, search, &near, &far);
  *last = ncc_max(near, far);
}

/** The largest of each column of the map for a strip of blocks. */
static void larger_of_rows(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *r, float *column) {
  const ncc_geometry *g = &e->layout.geometry;
  int64_t first, last;
  range_of(r->y0, r->y1, g->template_rows, g->search.y0, &first, &last);
  memcpy(column, h->map + first * h->width, (size_t)h->width * sizeof *column);
  for (int64_t y = first + 1; y <= last; y++) e->kernels->half->larger(h->map + y * h->width, h->width, column);
}

int64_t ncc_half_look_at_blocks(const ncc_cpu *e, ncc_cpu_half *h) {
  const ncc_stats *stats = &e->windows.stats;
  const ncc_geometry *g = &e->layout.geometry;
  const int64_t blocks = stats->stride / NCC_BLOCK_COLS;
  float *column = h->map + (h->geometry.search.y1 - h->geometry.search.y0) * h->width;
  int64_t best = -1, strip = -1;
  double most = -INFINITY;
  for (int64_t b = 0; b < stats->strips * blocks; b++) {
    ncc_rect r;
    if (!ncc_half_block(e, b, &r)) continue;
    if (b / blocks != strip) larger_of_rows(e, h, &r, column);
    strip = b / blocks;
    int64_t first, last;
    range_of(r.x0, r.x1, g->template_cols, g->search.x0, &first, &last);
    float largest = -INFINITY;
    for (int64_t x = first; x <= last; x++) largest = column[x] > largest ? column[x] : largest;
    if (!isfinite(largest)) return -1;
    h->largest[b] = largest;
    const double lower = (double)stats->lower[b], here = (double)largest / lower * h->bounds.inv_norm;
    if (!(lower > 0 && here > most)) continue;
    const double value = fmin(here, ncc_half_overlap_most(e, h, &r));
    if (value <= most) continue;
    most = value;
    best = b;
  }
  return best;
}

double ncc_half_overlap_most(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *r) {
  const ncc_geometry *g = e->task->geometry;
  const int64_t m = g->template_rows, n = g->template_cols;
  const ncc_rect part = {ncc_max(0, m - r->y1), ncc_max(0, n - r->x1), ncc_min(m, g->image_rows - r->y0 + m - 1),
                         ncc_min(n, g->image_cols - r->x0 + n - 1)};
  const double share = (double)((part.y1 - part.y0) * (part.x1 - part.x0)) / (double)(m * n);
  if (share >= 1) return INFINITY;
  const double energy = ncc_half_cells_sum(&h->overlap, &part) / (h->tmpl_unit * h->tmpl_unit);
  return sqrt(energy * (1 + 1e-5) / (e->task->tmpl->ssd * (1 - share)));
}

double ncc_half_detail_most(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *r) {
  const ncc_geometry *g = e->task->geometry;
  const ncc_prepared *image = e->task->image;
  const int64_t m = g->template_rows, n = g->template_cols;
  if (h->cells_serial != h->serial) return INFINITY;
  const int64_t in = NCC_HALF_FRAME - NCC_HALF_RIM, out = NCC_HALF_FRAME + NCC_HALF_RIM; /* by frame and rim */
  const ncc_rect windows = {r->y0 - m + 1 + in, r->x0 - n + 1 + in, r->y1 + out, r->x1 + out};
  const ncc_rect on = {ncc_max(windows.y0, 0), ncc_max(windows.x0, 0),
                       ncc_min(windows.y1, g->image_rows + 2 * NCC_HALF_FRAME),
                       ncc_min(windows.x1, g->image_cols + 2 * NCC_HALF_FRAME)};
  const double area = (double)(windows.y1 - windows.y0) * (double)(windows.x1 - windows.x0);
  const double outside = area - (double)(on.y1 - on.y0) * (double)(on.x1 - on.x0);
  const double energy = fmax(ncc_half_cells_sum(&h->detail, &on), 0) + outside * h->detail_outside;
  const double largest = fmax(fabs(image->lo), fabs(image->hi)) * h->image_unit;
  const double root = sqrt(energy) * (1 + 2e-4);
  const double most = (root + 0x1p-20 * largest * sqrt(area)) * h->weighted;
  return most / (h->image_unit * h->tmpl_unit * h->bounds.to_evaluation);
}
