/** Bounds of ssd(W) by cells; see cells.h.
 *
 *  With cells of 8 x 16 counted from the trimmed image's corner, and blocks of positions in the same grid, windows of
 *  m x n that end in block (r, c) all hold the cells of rows r + 1 - [m / 8] .. r - 1, and touch none but those of rows
 *  r - ceil((m - 1) / 8) .. r; columns likewise.
 *
 *  Rounding, with u = 2^-53: a prefix sum has seen `ops` additions, and four make the sum of a rectangle; their partial
 *  sums are at most Q, the sum of (I - c)^2 of all pixels, or sqrt(N Q), N being these pixels. The bound of ssd follows
 *  as in stats.c. A window's own sums, of rows that are added without loss, see less.
 */
#include "match/cells.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"
#include "match/kernels/kernels.h"
#include "match/kernels/windows.h"

enum { CELL_ROWS = NCC_BLOCK_ROWS, CELL_COLS = NCC_BLOCK_COLS };

/** Cells by which a rectangle reaches back from the block that it is of. */
typedef struct reach {
  int64_t first, last; /* rows r + first .. r + last */
} reach;

static reach inside(int64_t extent, int64_t cell) {
  return (reach){1 - extent / cell, -1};
}

static reach touched(int64_t extent, int64_t cell) {
  return (reach){-((extent + cell - 2) / cell), 0};
}

static int64_t reach_count(reach r) {
  return r.last - r.first + 1;
}

/** Cells of a rectangle that lie on the image, of `count`: [*first, *end). */
static void clip(reach r, int64_t block, int64_t count, int64_t *first, int64_t *end) {
  *first = block + r.first > 0 ? block + r.first : 0;
  *end = block + r.last + 1 < count ? block + r.last + 1 : count;
}

/** Along one direction, by search [y0, y1) and the trimmed image [t0, t1): the rectangles inside are most of the
 *  window, and nowhere does less than an eighth of one lie on the image. */
static bool serves(int64_t extent, int64_t cell, int64_t y0, int64_t y1, int64_t t0, int64_t t1) {
  const reach r = inside(extent, cell);
  const int64_t count = reach_count(r), blocks[] = {(y0 - t0) / cell, (y1 - 1 - t0) / cell};
  if (4 * cell * count < 3 * extent) return false;
  for (int i = 0; i < 2; i++) {
    int64_t first, end;
    clip(r, blocks[i], ncc_ceil_div(t1 - t0, cell), &first, &end);
    if (8 * (end - first - 1) < count) return false;  // the last cell may be cut
  }
  return true;
}

bool ncc_cells_serve(const ncc_geometry *g) {
  return serves(g->template_rows, CELL_ROWS, g->search.y0, g->search.y1, g->trim.y0, g->trim.y1) &&
         serves(g->template_cols, CELL_COLS, g->search.x0, g->search.x1, g->trim.x0, g->trim.x1);
}

int64_t ncc_cells_bytes(const ncc_geometry *g) {
  return 16 * (ncc_ceil_div(g->trim.y1 - g->trim.y0, CELL_ROWS) + 1) *
         (ncc_ceil_div(g->trim.x1 - g->trim.x0, CELL_COLS) + 1);
}

ncc_status ncc_cells_begin(const ncc_prepared *image, const ncc_geometry *g, ncc_cells *cells) {
  ncc_status status = NCC_OK;
  cells->image = image;
  cells->geometry = *g;
  cells->centring = ncc_stats_centring_choose(image, g->template_rows, g->template_cols);
  cells->rows = ncc_ceil_div(g->trim.y1 - g->trim.y0, CELL_ROWS);
  cells->cols = ncc_ceil_div(g->trim.x1 - g->trim.x0, CELL_COLS);
  NCC_TRY(ncc_buffer_reserve(&cells->buffer, ncc_cells_bytes(g), "sums of cells"));
  cells->sums = cells->buffer.data;
  cells->squares = cells->sums + (cells->rows + 1) * (cells->cols + 1);

cleanup:
  return status;
}

void ncc_cells_add(ncc_cells *cells, int64_t row) {
  const ncc_geometry *g = &cells->geometry;
  const ncc_array *pixels = &cells->image->pixels;
  const int64_t width = cells->cols + 1;
  double *sums = cells->sums + (row + 1) * width, *squares = cells->squares + (row + 1) * width;
  ncc_strip_rows rows = {0};
  for (int r = 0; r < CELL_ROWS; r++) {
    int64_t y = g->trim.y0 + row * CELL_ROWS + r;
    if (y < g->trim.y1) rows.in[r] = ncc_array_at(pixels, y, g->trim.x0);
  }
  ncc_kernels_get()->windows->cell_sums(pixels->dtype, &rows, g->trim.x1 - g->trim.x0, cells->image->scale,
                                        cells->centring.c, sums + 1, squares + 1);
  sums[0] = squares[0] = 0;
  for (int64_t c = 1; c <= cells->cols; c++) {
    sums[c] += sums[c - 1];
    squares[c] += squares[c - 1];
  }
}

/** A row of rectangles: prefix sums above and below it, and its rows on the image and in all. */
typedef struct band {
  reach across;
  const double *s0, *s1, *q0, *q1;
  double rows, area_rows;
} band;

static band band_of(const ncc_cells *cells, reach down, reach across, int64_t block) {
  const int64_t width = cells->cols + 1, height = cells->geometry.trim.y1 - cells->geometry.trim.y0;
  int64_t first, end;
  clip(down, block, cells->rows, &first, &end);
  int64_t bottom = end * CELL_ROWS < height ? end * CELL_ROWS : height;
  return (band){across,
                cells->sums + first * width,
                cells->sums + end * width,
                cells->squares + first * width,
                cells->squares + end * width,
                (double)(bottom - first * CELL_ROWS),
                (double)(reach_count(down) * CELL_ROWS)};
}

static double rectangle_ssd(const ncc_cells *cells, const band *b, int64_t block) {
  const int64_t width = cells->geometry.trim.x1 - cells->geometry.trim.x0;
  int64_t x0, x1;
  clip(b->across, block, cells->cols, &x0, &x1);
  int64_t right = x1 * CELL_COLS < width ? x1 * CELL_COLS : width;
  double s = (b->s1[x1] - b->s1[x0]) - (b->s0[x1] - b->s0[x0]);
  double q = (b->q1[x1] - b->q1[x0]) - (b->q0[x1] - b->q0[x0]);
  const double n = b->rows * (double)(right - x0 * CELL_COLS);
  const double area = cells->geometry.ignores_outside ? n : b->area_rows * (double)(reach_count(b->across) * CELL_COLS);
  return n > 0 ? ncc_ssd_of(s, q, n, area, cells->centring.c) : 0;
}

/** Block of a full position, counted from the trimmed image's corner. */
static int64_t row_block(const ncc_cells *cells, int64_t y) {
  return (y - cells->geometry.trim.y0) / CELL_ROWS;
}
static int64_t col_block(const ncc_cells *cells, int64_t x) {
  return (x - cells->geometry.trim.x0) / CELL_COLS;
}

typedef struct lower_job {
  const ncc_cells *cells;
  ncc_stats *stats;
  _Atomic double least; /* of all blocks */
} lower_job;

static void lower_item(void *context, int64_t strip, int thread) {
  (void)thread;
  lower_job *job = context;
  const ncc_cells *cells = job->cells;
  const ncc_stats *stats = job->stats;
  const ncc_geometry *g = &cells->geometry;
  const int64_t blocks = stats->stride / CELL_COLS, first = col_block(cells, stats->x0);
  const band in = band_of(cells, inside(g->template_rows, CELL_ROWS), inside(g->template_cols, CELL_COLS),
                          row_block(cells, stats->y0) + strip);
  float *lower = stats->lower + strip * blocks;
  double least = INFINITY;
  for (int64_t b = 0; b < blocks; b++) {
    double ssd = (rectangle_ssd(cells, &in, first + b) - cells->error) * cells->unit2;
    least = ssd < least ? ssd : least;
    lower[b] = ssd > 0 ? sqrtf((float)ssd) * 0.999999f : 0;
  }
  double seen = atomic_load(&job->least);
  while (least < seen && !atomic_compare_exchange_weak(&job->least, &seen, least)) {
  }
}

/** Rounding bound of a rectangle's ssd, in pixels squared; see above. By serves() an eighth of three quarters of the
 *  template lies on the image, each way. */
static double rounding(const ncc_cells *cells) {
  const ncc_geometry *g = &cells->geometry;
  const double pixels = (double)(g->trim.y1 - g->trim.y0) * (double)(g->trim.x1 - g->trim.x0);
  const double ops = (double)(4 * (CELL_ROWS * CELL_COLS + cells->rows + cells->cols) + 16);
  const double all = cells->squares[cells->rows * (cells->cols + 1) + cells->cols];
  const double n = (double)(g->template_rows * g->template_cols) / 128;
  return ncc_ssd_rounding(ops, pixels, all, n, cells->centring.c);
}

ncc_status ncc_cells_bounds(ncc_cells *cells, ncc_pool *pool, ncc_stats *stats, bool *sure) {
  ncc_status status = NCC_OK;
  const int64_t width = cells->cols + 1;
  memset(cells->sums, 0, (size_t)width * sizeof *cells->sums);
  memset(cells->squares, 0, (size_t)width * sizeof *cells->squares);
  for (int64_t i = width; i < (cells->rows + 1) * width; i++) {
    cells->sums[i] += cells->sums[i - width];
    cells->squares[i] += cells->squares[i - width];
  }
  cells->error = rounding(cells);
  cells->unit2 = cells->centring.unit * cells->centring.unit;
  NCC_TRY(ncc_stats_reserve_lower(&cells->geometry, stats));
  stats->unit = cells->centring.unit;
  lower_job job = {.cells = cells, .stats = stats, .least = INFINITY};
  ncc_pool_run(pool, stats->strips, lower_item, &job);
  cells->least = atomic_load(&job.least);
  *sure = cells->least >= NCC_SSD_WELL_ABOVE * cells->error * cells->unit2 && cells->least > NCC_SSD_LEAST;

cleanup:
  return status;
}

double ncc_cells_upper(const ncc_cells *cells, int64_t y, int64_t x) {
  const ncc_geometry *g = &cells->geometry;
  const band out =
      band_of(cells, touched(g->template_rows, CELL_ROWS), touched(g->template_cols, CELL_COLS), row_block(cells, y));
  return (rectangle_ssd(cells, &out, col_block(cells, x)) + cells->error) * cells->unit2;
}

double ncc_cells_ssd(const ncc_cells *cells, int64_t y, int64_t x) {
  const ncc_geometry *g = &cells->geometry;
  const ncc_array *pixels = &cells->image->pixels;
  const ncc_kernels *kernels = ncc_kernels_get();
  const int64_t y0 = ncc_max(y - g->template_rows + 1, 0), y1 = ncc_min(y + 1, g->image_rows);
  const int64_t x0 = ncc_max(x - g->template_cols + 1, 0), x1 = ncc_min(x + 1, g->image_cols);
  double s = 0, q = 0, s_lost = 0, q_lost = 0, lo = 0, hi = 0, bad = 0;
  for (int64_t row = y0; row < y1; row++) {
    ncc_lane_sums sums = {0};
    kernels->moments(pixels->dtype, ncc_array_at(pixels, row, x0), x1 - x0, cells->image->scale, cells->centring.c,
                     &sums, &lo, &hi, &bad);
    ncc_add_exactly(&s, &s_lost, ncc_lanes_sum(sums.s));
    ncc_add_exactly(&q, &q_lost, ncc_lanes_sum(sums.q));
  }
  const double n = (double)((y1 - y0) * (x1 - x0));
  const double area = g->ignores_outside ? n : (double)(g->template_rows * g->template_cols);
  return ncc_ssd_of(s + s_lost, q + q_lost, n, area, cells->centring.c) * cells->unit2;
}

void ncc_cells_clear(ncc_cells *cells) {
  ncc_buffer_free(&cells->buffer);
  *cells = (ncc_cells){0};
}
