/** Proposals where pixels are masked, by one product and bounds of the other sums.
 *
 *  Names are those of match/masked.c. Of the six sums over valid pixels only p is transformed in full. Others, like v,
 *  are bounded for 8 x 8 or 16 x 16 positions at once: with t^2 summed over cells as large, a cell counts where all
 *  pixels of A that it may meet at one of these positions are valid, and may count where some are. So a sum lies
 *
 *      within  cells * (all + some) / 2  +-  |cells| * (some - all) / 2,
 *
 *  correlations of a 64th of the points at most. ssd grows with the set of pixels, so that of the cells that count is
 *  a lower bound. The best position by these bounds is summed directly, which gives a lower bound of the peak; then
 *  whatever may reach that, if it is little. Else, and for some pairs after vain attempts, all sums are transformed.
 *
 *  At full row y of the trimmed image pixel i of it lies on pixel y - i of the reversed template. With cells of c
 *  pixels of one operand, positions c k to c k + c - 1 and pixels c l to c l + c - 1, those of the other lie within
 *  c - 1 of c (k - l): a square of 2 c - 1 pixels, whose valid ones cells and their first rows and columns count.
 */
#include <math.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "match/cpu/masked.h"

enum { IMAGE = 0, TMPL = 1, SMALL_CELL = 8, LARGE_CELL = 16, LARGE_FROM_PX = 400 };

/** A sum: cells of one operand times `all` and `some` of the other, so weighted. */
static const struct {
  int of;
  ncc_coarse_plane cells;
  float all, some;
} factors[NCC_COARSE_SUMS] = {
    [NCC_COARSE_N] = {IMAGE, NCC_COARSE_COUNT, 1, 0},     [NCC_COARSE_N_SOME] = {IMAGE, NCC_COARSE_COUNT, 0, 1},
    [NCC_COARSE_S] = {IMAGE, NCC_COARSE_SUM, 1, 0},       [NCC_COARSE_S_SOME] = {IMAGE, NCC_COARSE_SUM, 0, 1},
    [NCC_COARSE_S_OFF] = {IMAGE, NCC_COARSE_ABS, -1, 1},  [NCC_COARSE_Q] = {IMAGE, NCC_COARSE_SQUARES, 1, 0},
    [NCC_COARSE_N_TMPL] = {TMPL, NCC_COARSE_COUNT, 1, 0}, [NCC_COARSE_U] = {TMPL, NCC_COARSE_SUM, 1, 0},
    [NCC_COARSE_U_SOME] = {TMPL, NCC_COARSE_SUM, 0, 1},   [NCC_COARSE_U_OFF] = {TMPL, NCC_COARSE_ABS, -1, 1},
    [NCC_COARSE_V] = {TMPL, NCC_COARSE_SQUARES, 1, 0}};

/** What cells count of their valid pixels: all, those of the first column, of the first row, the first. */
typedef struct cell_count {
  uint16_t all, column, row, first;
} cell_count;

/** Small next to the template; a divisor of what blocks have of columns. */
static int64_t cell_of(const ncc_geometry *g) {
  return ncc_min(g->template_rows, g->template_cols) < LARGE_FROM_PX ? SMALL_CELL : LARGE_CELL;
}

/** Cells that hold so many pixels, and places from which these are reached. */
static int64_t cells_of(int64_t n, int64_t cell) {
  return ncc_ceil_div(n, cell);
}

static int64_t places_of(int64_t n, int64_t cell) {
  return (n + cell - 2) / cell + 1;
}

static void choose_size(const ncc_geometry *g, int64_t *rows, int64_t *cols) {
  const int64_t height = g->trim.y1 - g->trim.y0, width = g->trim.x1 - g->trim.x0;
  const int64_t m = g->template_rows, n = g->template_cols, cell = cell_of(g);
  *rows =
      ncc_fft_length(ncc_max(cells_of(height, cell) + places_of(m, cell), cells_of(m, cell) + places_of(height, cell)));
  *cols =
      ncc_fft_length(ncc_max(cells_of(width, cell) + places_of(n, cell), cells_of(n, cell) + places_of(width, cell)));
}

static int64_t widest(const ncc_geometry *g) {
  return ncc_round_up(ncc_max(g->image_cols, g->template_cols), 8) + 8;
}

/** Of a thread: three columns of sums and a row of pixels; ones, as bytes. */
static int64_t scratch_bytes(const ncc_geometry *g) {
  return 8 * 4 * widest(g) + widest(g);
}

/** Of the cells of an operand, with some around them that are empty. */
static int64_t counts_bytes(const ncc_geometry *g) {
  const int64_t rows = ncc_max(g->image_rows, g->template_rows), cols = ncc_max(g->image_cols, g->template_cols);
  return (int64_t)sizeof(cell_count) * (cells_of(rows, SMALL_CELL) + 2) * (cells_of(cols, SMALL_CELL) + 2);
}

static int64_t blocks_bytes(const ncc_geometry *g, int64_t product_rows) {
  return (int64_t)sizeof(ncc_coarse_block) * ncc_cpu_strips(product_rows) * ncc_cpu_masked_blocks(g);
}

int64_t ncc_masked_coarse_bytes(const ncc_geometry *g, int threads) {
  const ncc_cpu_layout l = ncc_cpu_layout_choose(g);
  int64_t rows, cols;
  choose_size(g, &rows, &cols);
  return 4 * (2 * NCC_COARSE_PLANES + NCC_COARSE_SUMS) * rows * 2 * (cols / 2 + 1) + counts_bytes(g) +
         threads * scratch_bytes(g) + 2 * blocks_bytes(g, l.product_rows);
}

static void drop_plans(ncc_masked_coarse *c) {
  ncc_fft_lock();
  if (c->forward) fftwf_destroy_plan(c->forward);
  if (c->inverse) fftwf_destroy_plan(c->inverse);
  ncc_fft_unlock();
  c->forward = c->inverse = NULL;
}

void ncc_masked_coarse_clear(ncc_masked_coarse *c) {
  drop_plans(c);
  for (int i = 0; i < NCC_COARSE_PLANES; i++) {
    ncc_buffer_free(&c->planes[IMAGE][i]);
    ncc_buffer_free(&c->planes[TMPL][i]);
  }
  for (int i = 0; i < NCC_COARSE_SUMS; i++) ncc_buffer_free(&c->sums[i]);
  ncc_buffer_free(&c->counts);
  ncc_buffer_free(&c->scratch);
  ncc_buffer_free(&c->blocks);
}

/** Lays out and plans, for the geometry at work. */
static ncc_status lay_out(ncc_cpu_masked *m) {
  ncc_status status = NCC_OK;
  ncc_masked_coarse *c = &m->coarse;
  const ncc_geometry *g = &m->cpu->layout.geometry;
  int64_t rows, cols;
  choose_size(g, &rows, &cols);
  const int64_t stride = 2 * (cols / 2 + 1);
  for (int i = 0; i < NCC_COARSE_PLANES; i++) {
    NCC_TRY(ncc_buffer_reserve(&c->planes[IMAGE][i], 4 * rows * stride, "masked pairs"));
    NCC_TRY(ncc_buffer_reserve(&c->planes[TMPL][i], 4 * rows * stride, "masked pairs"));
  }
  for (int i = 0; i < NCC_COARSE_SUMS; i++) NCC_TRY(ncc_buffer_reserve(&c->sums[i], 4 * rows * stride, "masked pairs"));
  NCC_TRY(ncc_buffer_reserve(&c->counts, counts_bytes(g), "masked pairs"));
  NCC_TRY(ncc_buffer_reserve(&c->scratch, m->cpu->threads * scratch_bytes(g), "masked pairs"));
  NCC_TRY(ncc_buffer_reserve(&c->blocks, blocks_bytes(g, m->cpu->layout.product_rows), "masked pairs"));
  if (rows == c->rows && cols == c->cols) return NCC_OK;
  drop_plans(c);
  c->rows = rows;
  c->cols = cols;
  c->stride = stride;
  float *a = c->sums[0].data;
  ncc_fft_lock();
  c->forward = fftwf_plan_dft_r2c_2d((int)rows, (int)cols, a, (fftwf_complex *)a, FFTW_ESTIMATE);
  c->inverse = fftwf_plan_dft_c2r_2d((int)rows, (int)cols, (fftwf_complex *)a, a, FFTW_ESTIMATE);
  ncc_fft_unlock();
  if (!c->forward || !c->inverse) c->rows = 0;
  NCC_CHECK(c->rows, NCC_ERR_INTERNAL, "no FFT plan for %lldx%lld", (long long)rows, (long long)cols);

cleanup:
  return status;
}

// ---- Planes of an operand

typedef struct filling {
  ncc_cpu_masked *m;
  const ncc_prepared *prepared;
  int of;
  ncc_rect part;  // of its pixels; reversed in both directions for templates
  double unit;
  int64_t cell;
} filling;

static int64_t height_of(const filling *f) {
  return f->part.y1 - f->part.y0;
}

static int64_t width_of(const filling *f) {
  return f->part.x1 - f->part.x0;
}

/** The counts of a cell; -1 and what is beyond the last one is empty. */
static cell_count *count_at(const filling *f, int64_t row, int64_t col) {
  return (cell_count *)f->m->coarse.counts.data + (row + 1) * (cells_of(width_of(f), f->cell) + 2) + col + 1;
}

static float *plane_at(const filling *f, ncc_coarse_plane plane, int64_t row) {
  return (float *)f->m->coarse.planes[f->of][plane].data + row * f->m->coarse.stride;
}

/** Sums of a column of cells' worth of columns; the first column of it. */
static double sum_cell(const filling *f, const double *columns, int64_t cell, double *first) {
  const int64_t n = width_of(f), from = cell * f->cell, end = ncc_min(from + f->cell, n);
  double sum = 0;
  for (int64_t x = from; x < end; x++) sum += columns[f->of == TMPL ? n - 1 - x : x];
  *first = columns[f->of == TMPL ? n - 1 - from : from];
  return sum;
}

static void cells_item(void *context, int64_t cell_row, int thread) {
  const filling *f = context;
  const ncc_cpu *e = f->m->cpu;
  const ncc_prepared *p = f->prepared;
  const int64_t wide = widest(&e->layout.geometry), n = width_of(f), cells = cells_of(n, f->cell);
  const int64_t begin = cell_row * f->cell, end = ncc_min(begin + f->cell, height_of(f));
  double *scratch = (double *)((char *)f->m->coarse.scratch.data + thread * scratch_bytes(&e->layout.geometry)), first;
  const ncc_masked_columns columns = {scratch, scratch + wide, scratch + 2 * wide};
  double *pixels = scratch + 3 * wide;
  uint8_t *ones = (uint8_t *)(pixels + wide);
  if (ncc_cpu_stopped(e)) return;
  memset(scratch, 0, (size_t)(3 * wide) * sizeof *scratch);
  memset(ones, 1, (size_t)n);
  for (int64_t row = begin; row < end; row++) {
    const int64_t y = f->of == TMPL ? f->part.y1 - 1 - row : f->part.y0 + row;
    e->kernels->to_f64(p->pixels.dtype, ncc_array_at(&p->pixels, y, f->part.x0), n, pixels);
    e->kernels->masked->slide(pixels, p->valid ? p->valid + y * p->pixels.cols + f->part.x0 : ones, NULL, NULL, n,
                              p->scale, p->mean, &columns);
    for (int64_t x = 0; row == begin && x < cells; x++) {
      cell_count *count = count_at(f, cell_row, x);
      count->row = (uint16_t)sum_cell(f, columns.n, x, &first);
      count->first = (uint16_t)first;
    }
  }
  for (int64_t x = 0; x < cells; x++) {
    cell_count *count = count_at(f, cell_row, x);
    const double all = sum_cell(f, columns.n, x, &first);
    count->all = (uint16_t)all;
    count->column = (uint16_t)first;
    const double s = sum_cell(f, columns.s, x, &first), q = sum_cell(f, columns.q, x, &first);
    plane_at(f, NCC_COARSE_COUNT, cell_row)[x] = (float)all;
    plane_at(f, NCC_COARSE_SUM, cell_row)[x] = (float)(s * f->unit);
    plane_at(f, NCC_COARSE_ABS, cell_row)[x] = (float)(sqrt(all * q) * f->unit);  // by Cauchy and Schwarz
    plane_at(f, NCC_COARSE_SQUARES, cell_row)[x] = (float)(q * f->unit * f->unit);
  }
}

/** Whether all and whether some pixels are valid of the squares around each place. */
static void find_reached(const filling *f) {
  const int64_t side = 2 * f->cell - 1;
  for (int64_t y = 0; y < places_of(height_of(f), f->cell); y++)
    for (int64_t x = 0; x < places_of(width_of(f), f->cell); x++) {
      const cell_count *here = count_at(f, y, x), *left = count_at(f, y, x - 1), *above = count_at(f, y - 1, x);
      const cell_count *both = count_at(f, y - 1, x - 1);
      const int n = here->all + (left->all - left->column) + (above->all - above->row) +
                    (both->all - both->column - both->row + both->first);
      plane_at(f, NCC_COARSE_ALL, y)[x] = n == side * side;
      plane_at(f, NCC_COARSE_SOME, y)[x] = n > 0;
    }
}

static void find_norms(const filling *f) {
  for (int i = 0; i < NCC_COARSE_PLANES; i++) {
    double squares = 0;
    for (int64_t y = 0; y < places_of(height_of(f), f->cell); y++) {
      const float *row = plane_at(f, (ncc_coarse_plane)i, y);
      for (int64_t x = 0; x < places_of(width_of(f), f->cell); x++) squares += (double)row[x] * (double)row[x];
    }
    f->m->coarse.norms[f->of][i] = sqrt(squares);
  }
}

static void fill(const filling *f) {
  const ncc_masked_coarse *c = &f->m->coarse;
  for (int i = 0; i < NCC_COARSE_PLANES; i++) memset(c->planes[f->of][i].data, 0, (size_t)(4 * c->rows * c->stride));
  memset(c->counts.data, 0,
         sizeof(cell_count) * (size_t)((cells_of(height_of(f), f->cell) + 2) * (cells_of(width_of(f), f->cell) + 2)));
  ncc_pool_run(f->m->cpu->context->pool, cells_of(height_of(f), f->cell), cells_item, (void *)(uintptr_t)f);
  find_reached(f);
  find_norms(f);
}

// ---- Sums

typedef struct transforming {
  ncc_masked_coarse *c;
  int count;
  struct {
    int of, plane;
  } items[2 * NCC_COARSE_PLANES];
  int sums[NCC_COARSE_SUMS];
} transforming;

static void forward_item(void *context, int64_t item, int thread) {
  (void)thread;
  const transforming *t = context;
  float *a = t->c->planes[t->items[item].of][t->items[item].plane].data;
  fftwf_execute_dft_r2c(t->c->forward, a, (fftwf_complex *)a);
}

static void sum_item(void *context, int64_t item, int thread) {
  (void)thread;
  const transforming *t = context;
  ncc_masked_coarse *c = t->c;
  const int sum = t->sums[item], of = factors[sum].of;
  const float *cells = c->planes[of][factors[sum].cells].data, *all = c->planes[1 - of][NCC_COARSE_ALL].data,
              *some = c->planes[1 - of][NCC_COARSE_SOME].data;
  const float by_all = factors[sum].all, by_some = factors[sum].some;
  float *restrict out = c->sums[sum].data;
  for (int64_t i = 0; i < c->rows * c->stride; i += 2) {
    const float re = by_all * all[i] + by_some * some[i], im = by_all * all[i + 1] + by_some * some[i + 1];
    out[i] = cells[i] * re - cells[i + 1] * im;
    out[i + 1] = cells[i] * im + cells[i + 1] * re;
  }
  fftwf_execute_dft_c2r(c->inverse, (fftwf_complex *)out, out);
  // As masked.c has it for what no judge sees.
  const double points = (double)c->rows * (double)c->cols;
  c->errors[sum] = (4 + 10 * log2(points)) * 0x1p-23 * c->norms[of][factors[sum].cells] *
                   (fabs((double)by_all) * c->norms[1 - of][NCC_COARSE_ALL] +
                    fabs((double)by_some) * c->norms[1 - of][NCC_COARSE_SOME]);
}

/** A sum of a cell of positions. */
static double sum_at(const ncc_masked_coarse *c, int64_t at, ncc_coarse_sum sum) {
  return (double)((const float *)c->sums[sum].data)[at] / ((double)c->rows * (double)c->cols);
}

/** A lower bound of ssd, by the cells that count. */
static double least_ssd(const ncc_masked_coarse *c, int64_t at, ncc_coarse_sum n, ncc_coarse_sum s, ncc_coarse_sum q) {
  const double least = sum_at(c, at, n) - c->errors[n], most = fabs(sum_at(c, at, s)) + c->errors[s];
  return least > 0 ? sum_at(c, at, q) - c->errors[q] - most * most / least : 0;
}

/** The middle of what a sum may be. @param[out] off  how far it may be from there */
static double middle_of(const ncc_masked_coarse *c, int64_t at, ncc_coarse_sum all, ncc_coarse_sum some,
                        ncc_coarse_sum off_sum, double *off) {
  *off = (fmax(sum_at(c, at, off_sum), 0) + c->errors[off_sum] + c->errors[all] + c->errors[some]) / 2;
  return (sum_at(c, at, all) + sum_at(c, at, some)) / 2;
}

/** Bounds of a cell of positions: see ncc_coarse_block. */
static ncc_coarse_block bounds_of(const ncc_cpu_masked *m, int64_t row, int64_t col) {
  const ncc_masked_coarse *c = &m->coarse;
  const int64_t at = row * c->stride + col;
  const double n_most = sum_at(c, at, NCC_COARSE_N_SOME) + c->errors[NCC_COARSE_N_SOME];
  if (n_most < (double)m->need) return (ncc_coarse_block){0, -1};
  const double n = fmax(sum_at(c, at, NCC_COARSE_N) - c->errors[NCC_COARSE_N], (double)m->need);
  const double window = least_ssd(c, at, NCC_COARSE_N, NCC_COARSE_S, NCC_COARSE_Q);
  const double tmpl = least_ssd(c, at, NCC_COARSE_N_TMPL, NCC_COARSE_U, NCC_COARSE_V);
  double s_off, u_off;
  const double s = middle_of(c, at, NCC_COARSE_S, NCC_COARSE_S_SOME, NCC_COARSE_S_OFF, &s_off);
  const double u = middle_of(c, at, NCC_COARSE_U, NCC_COARSE_U_SOME, NCC_COARSE_U_OFF, &u_off);
  // The least of s u / n.
  const double least = fmin(fmin((s - s_off) * (u - u_off), (s - s_off) * (u + u_off)),
                            fmin((s + s_off) * (u - u_off), (s + s_off) * (u + u_off)));
  const double add = -least / (least < 0 ? n : n_most);
  const bool bounded = window > 0 && tmpl > 0;
  return (ncc_coarse_block){add, bounded ? (1 + 1e-6) / sqrt(window) / sqrt(tmpl) : INFINITY};
}

static ncc_coarse_block worse(ncc_coarse_block a, ncc_coarse_block b) {
  if (a.inverse < 0) return b;
  if (b.inverse < 0) return a;
  return (ncc_coarse_block){fmax(a.add, b.add), fmax(a.inverse, b.inverse)};
}

static void blocks_item(void *context, int64_t strip, int thread) {
  (void)thread;
  const ncc_cpu_masked *m = context;
  const ncc_geometry *g = &m->cpu->layout.geometry;
  const int64_t count = ncc_cpu_masked_blocks(g), cell = cell_of(g);
  const int64_t row = (m->cpu->layout.first_row + strip * NCC_BLOCK_ROWS) / cell;
  const int64_t first = (g->search.x0 - g->trim.x0) / NCC_BLOCK_COLS * NCC_BLOCK_COLS;
  const int64_t last = (g->search.x1 - 1 - g->trim.x0) / cell;
  ncc_coarse_block *out = (ncc_coarse_block *)m->coarse.blocks.data + strip * count;
  for (int64_t b = 0; b < count; b++) {
    const int64_t col = (first + b * NCC_BLOCK_COLS) / cell;
    out[b] = bounds_of(m, row, col);
    if (cell < NCC_BLOCK_COLS && col < last) out[b] = worse(out[b], bounds_of(m, row, col + 1));
  }
}

ncc_status ncc_masked_coarse_make(ncc_cpu_masked *m) {
  ncc_status status = NCC_OK;
  ncc_masked_coarse *c = &m->coarse;
  ncc_cpu *e = m->cpu;
  const ncc_geometry *g = &e->layout.geometry;
  transforming t = {.c = c};
  filling image = {m, m->task->image, IMAGE, g->trim, m->image_unit, cell_of(g)};
  filling tmpl = {m, m->task->tmpl, TMPL, {0, 0, g->template_rows, g->template_cols}, m->tmpl_unit, cell_of(g)};
  NCC_TRY(lay_out(m));
  if (!c->image_known) {
    fill(&image);
    for (int i = 0; i < NCC_COARSE_PLANES; i++, t.count++) {
      t.items[t.count].of = IMAGE;
      t.items[t.count].plane = i;
    }
  }
  fill(&tmpl);
  const bool windows = c->image_known && c->windows_known && m->rectangles;
  for (int i = windows ? NCC_COARSE_SUM : 0; i < NCC_COARSE_PLANES; i++) {
    t.items[t.count].of = TMPL;
    t.items[t.count++].plane = i;
  }
  ncc_pool_run(e->context->pool, t.count, forward_item, &t);
  t.count = 0;
  for (int i = windows ? NCC_COARSE_U : 0; i < NCC_COARSE_SUMS; i++) t.sums[t.count++] = i;
  ncc_pool_run(e->context->pool, t.count, sum_item, &t);
  c->image_known = true;
  c->windows_known = m->rectangles;
  ncc_pool_run(e->context->pool, ncc_cpu_strips(e->layout.product_rows), blocks_item, m);
  if (ncc_cpu_stopped(e)) {
    c->image_known = false;
    return NCC_ERR_STOPPED;
  }

cleanup:
  return status;
}
