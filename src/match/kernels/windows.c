/** Window statistics by strips of eight rows; see kernels.h and stats.c. Compiled once per instruction set. A lane is a
 *  row of the strip, so that sums along rows, which no vector unit likes, run side by side for eight rows. */
#include "match/kernels/windows.h"

#include <math.h>

#include "match/kernels/vec.h"

enum { TILE = 256 }; /* columns that are summed before their windows are looked at, while they are in cache */

INLINE double sum_of(doubles v) {
  double sum = v[0];
  UNROLL for (int k = 1; k < WIDTH; k++) sum += v[k];
  return sum;
}

/** Running sums along the rows of a strip, which restart every `period` columns. Loops work on a copy: stores of sums
 *  might else be stores to it. */
typedef struct scan {
  doubles s[PIECES], q[PIECES];
  int64_t x, restart, period;
  double *sums, *squares;
} scan;

INLINE void scan_next(scan *a, const doubles *s, const doubles *q, int stride) {
  UNROLL for (int h = 0; h < PIECES; h++) {
    a->s[h] += s[h * stride];
    a->q[h] += q[h * stride];
    put(a->sums + 8 * a->x + h * WIDTH, a->s[h]);
    put(a->squares + 8 * a->x + h * WIDTH, a->q[h]);
  }
  a->x++;
}

INLINE void scan_column(scan *a, const doubles *s, const doubles *q, int stride) {
  if (a->x == a->restart) {
    UNROLL for (int h = 0; h < PIECES; h++) a->s[h] = a->q[h] = (doubles){0};
    a->restart += a->period;
  }
  scan_next(a, s, q, stride);
}

/** Columns without pixels, up to column `end`. */
static void scan_nothing(scan *a, int64_t end) {
  const doubles zero = {0};
  while (a->x < end) scan_column(a, &zero, &zero, 0);
}

#define EACH_TYPE "match/kernels/windows.inc"
#include "match/kernels/each_type.h"

typedef void (*columns_fn)(const ncc_strip_rows *, const ncc_strip_sums *, int64_t, int64_t, scan *);

static void cell_sums(ncc_dtype dtype, const ncc_strip_rows *rows, int64_t n, double scale, double c, double *s,
                      double *q) {
  static void (*const of_type[])(const ncc_strip_rows *, int64_t, double, double, double *, double *) = BY_TYPE(cells);
  of_type[dtype](rows, n, scale, c, s, q);
}

static void build(ncc_dtype dtype, const ncc_strip_rows *rows, const ncc_strip_sums *sums) {
  static void (*const of_type[])(const ncc_strip_rows *, const ncc_strip_sums *) = BY_TYPE(build);
  of_type[dtype](rows, sums);
}

/** Sums along rows, at least up to column `end`. */
static void scan_to(columns_fn columns, const ncc_strip_rows *rows, const ncc_strip_sums *t, int64_t end, scan *a) {
  const int64_t behind = t->first + t->n;  // the first column behind the image
  if (a->x < t->first) scan_nothing(a, t->first);
  if (a->x < end && a->x < behind) {
    const int64_t from = a->x - t->first, to = (end - t->first + WIDTH - 1) / WIDTH * WIDTH;
    columns(rows, t, from, to < t->n ? to : t->n, a);
  }
  if (a->x < end) scan_nothing(a, end);
}

/** Values on their way to memory, eight rows of a column: a map is looked at only where a peak may be, so it need not
 *  pass the caches. */
INLINE void put_map(float *to, const floats v[PIECES]) {
#if WIDTH == 8
  _mm256_stream_ps(to, (__m256)v[0]);
#elif WIDTH == 4
  _mm256_stream_ps(to, _mm256_set_m128((__m128)v[1], (__m128)v[0]));
#else
  UNROLL for (int h = 0; h < PIECES; h++) memcpy(to + h * WIDTH, &v[h], sizeof v[h]);
#endif
}

/** What the windows of some columns have in common: eight rows in pieces. */
typedef struct window_run {
  bool inside;                                            /* all rows are valid, and all windows lie on the image */
  doubles shift[PIECES], inverse[PIECES], beyond[PIECES]; /* pixels * c, 1 / pixels, 1 / pixels - 1 / area */
  ints valid[PIECES];
  floats least[PIECES];
} window_run;

/** For windows of so many columns on the image. */
static void run_begin(window_run *w, const ncc_strip_overlap *o, double c, double cols, double inverse_cols) {
  const double area = o->template_rows * o->template_cols, inverse_width = 1 / o->template_cols;
  w->inside = cols == o->template_cols;
  UNROLL for (int h = 0; h < PIECES; h++) {
    const doubles rows = get(o->rows + h * WIDTH), inverse_rows = get(o->inverse_rows + h * WIDTH);
    const doubles above = (inverse_cols - inverse_width) * inverse_rows;  // exactly 0 for whole windows
    w->shift[h] = rows * cols * c;
    w->inverse[h] = inverse_rows * inverse_cols;
    w->beyond[h] = CHOOSE(doubles, longs, rows == o->template_rows, above, w->inverse[h] - 1 / area);
    memcpy(&w->valid[h], o->valid + h * WIDTH, sizeof w->valid[h]);
    UNROLL for (int k = 0; k < WIDTH; k++) w->inside &= w->valid[h][k] != 0 && rows[k] == o->template_rows;
  }
}

/** ssd of the windows of a column, from their sums. `inside` is a constant where this is inlined. */
INLINE void windows_put(window_run *w, bool inside, const doubles s[PIECES], const doubles q[PIECES], double scale2,
                        float *to) {
  const floats infinite = (floats){0} + INFINITY;
  floats v[PIECES];
  UNROLL for (int h = 0; h < PIECES; h++) {
    doubles ssd = q[h] - s[h] * s[h] * w->inverse[h];
    if (!inside) ssd += (s[h] + w->shift[h]) * (s[h] + w->shift[h]) * w->beyond[h];
    floats counted = v[h] = floats_of_doubles(ssd * scale2);
    if (!inside) {
      v[h] = (floats)((ints)v[h] & w->valid[h]);
      counted = CHOOSE(floats, ints, w->valid[h], v[h], infinite);
    }
    w->least[h] = lesser_floats(counted, w->least[h]);
  }
  put_map(to, v);
}

/** Windows in columns [i, end), which begin in the block of columns from `start` on; block_s, block_q: its sums. */
INLINE void windows_of_run(const ncc_strip_sums *t, const ncc_strip_map *map, int64_t start, int64_t i, int64_t end,
                           bool inside, window_run *run) {
  const double *block_s = t->sums + 8 * (start + t->period - 1), *block_q = t->squares + 8 * (start + t->period - 1);
  const int64_t ahead = 8 * (t->period - 1);
  const double scale2 = map->scale2;
  float *to = map->ssd + 8 * map->at;
  window_run w = *run;
  doubles s[PIECES], q[PIECES], all_s[PIECES], all_q[PIECES];
  UNROLL for (int h = 0; h < PIECES; h++) {
    s[h] = all_s[h] = get(block_s + h * WIDTH);
    q[h] = all_q[h] = get(block_q + h * WIDTH);
  }
  if (i == start) {
    windows_put(&w, inside, s, q, scale2, to + 8 * i);
    i++;
  }
  for (; i < end; i++) {
    const double *a = t->sums + 8 * i, *b = t->squares + 8 * i;
    UNROLL for (int h = 0; h < PIECES; h++) {
      s[h] = (all_s[h] - get(a + h * WIDTH - 8)) + get(a + h * WIDTH + ahead);
      q[h] = (all_q[h] - get(b + h * WIDTH - 8)) + get(b + h * WIDTH + ahead);
    }
    windows_put(&w, inside, s, q, scale2, to + 8 * i);
  }
  *run = w;
}

/** @return the smallest value of a run, which is forgotten. */
INLINE float take_least(window_run *w) {
  float least = INFINITY;
  UNROLL for (int h = 0; h < PIECES; h++) {
    UNROLL for (int k = 0; k < WIDTH; k++) least = w->least[h][k] < least ? w->least[h][k] : least;
    w->least[h] = (floats){0} + INFINITY;
  }
  return least;
}

/** Windows in columns [from, to); from is a multiple of the period. */
static void windows_of_tile(const ncc_strip_sums *t, const ncc_strip_overlap *o, const ncc_strip_map *map, int64_t from,
                            int64_t to, window_run *w, double *cols) {
  for (int64_t i = from; i < to;) {
    const int64_t start = i - i % t->period, block = (map->at + i) / 16;
    int64_t end = 16 * (block + 1) - map->at;
    if (end > to) end = to;
    if (end > start + t->period) end = start + t->period;
    if (o->cols[i] != *cols) {
      *cols = o->cols[i];
      run_begin(w, o, t->c, *cols, o->inverse_cols[i]);
    }
    for (int64_t k = i + 1; k < end; k++)
      if (o->cols[k] != *cols) end = k;
    if (w->inside)
      windows_of_run(t, map, start, i, end, true, w);
    else
      windows_of_run(t, map, start, i, end, false, w);
    const float least = take_least(w);
    map->least[block] = least < map->least[block] ? least : map->least[block];
    i = end;
  }
}

static float strip(ncc_dtype dtype, const ncc_strip_rows *rows, const ncc_strip_sums *t,
                   const ncc_strip_overlap *overlap, const ncc_strip_map *map) {
  static const columns_fn of_type[] = BY_TYPE(columns);
  const int64_t blocks = (map->at + map->n - 1) / 16 + 1, tile = (TILE + t->period - 1) / t->period * t->period;
  scan along = {.period = t->period, .sums = t->sums, .squares = t->squares};
  window_run w = {0};
  double cols = 0;
  UNROLL for (int h = 0; h < PIECES; h++) w.least[h] = (floats){0} + INFINITY;
  for (int64_t b = 0; b < blocks; b++) map->least[b] = INFINITY;
  for (int64_t from = 0; from < map->n; from += tile) {
    const int64_t to = from + tile < map->n ? from + tile : map->n, needed = to + t->period - 1;
    scan_to(of_type[dtype], rows, t, needed < t->width ? needed : t->width, &along);
    windows_of_tile(t, overlap, map, from, to, &w, &cols);
  }
  scan_to(of_type[dtype], rows, t, t->width, &along);
  past_fence(true);  // other threads look at the map next
  float lowest = INFINITY;
  for (int64_t b = 0; b < blocks; b++) lowest = map->least[b] < lowest ? map->least[b] : lowest;
  return lowest;
}

static void block_least(const float *restrict ssd, int64_t blocks, float *restrict out) {
  const complexes infinite = (complexes){0} + INFINITY;
  for (int64_t b = 0; b < blocks; b++) {
    complexes least = infinite;
    UNROLL for (int i = 0; i < 128; i += 2 * WIDTH) {
      complexes v;
      memcpy(&v, ssd + 128 * b + i, sizeof v);
      const complex_mask bits = (complex_mask)v & INT32_MAX;  // |v|
      least = lesser_each(CHOOSE(complexes, complex_mask, bits == 0, infinite, bits), least);
    }
    float m = least[0];
    UNROLL for (int k = 1; k < 2 * WIDTH; k++) m = least[k] < m ? least[k] : m;
    out[b] = m;
  }
}

const ncc_window_kernels NCC_CAT(ncc_window_kernels_, NCC_ISA) = {
    .cell_sums = cell_sums, .build = build, .strip = strip, .block_least = block_least};
