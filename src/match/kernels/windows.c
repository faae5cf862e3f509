/** Window statistics by strips of eight rows; see kernels.h and stats.c. Compiled once per instruction set. A lane is a
 *  row of the strip, so that sums along rows, which no vector unit likes, run side by side for eight rows. */
#include "match/kernels/windows.h"

#include <math.h>

#include "match/kernels/vec.h"

enum { TILE = 64 }; /* windows of a row that are looked at as soon as their last column is summed: it is in cache */

INLINE double sum_of(doubles v) {
  double sum = v[0];
  UNROLL for (int k = 1; k < WIDTH; k++) sum += v[k];
  return sum;
}

/** Running sums along the rows of a strip, which restart every `period` columns. Loops work on a copy: stores of sums
 *  might else be stores to it. */
typedef struct scan {
  doubles s[PIECES], q[PIECES];
  int64_t x, restart, period; /* columns done; where sums restart next */
  double *sums, *squares;
} scan;

/** WIDTH rows, piece h, of the next `count` columns: s[k] and q[k] are sums of column k. */
INLINE void scan_piece(scan *a, int h, const doubles s[WIDTH], const doubles q[WIDTH], int count) {
  double *sums = a->sums + 8 * a->x + h * WIDTH, *squares = a->squares + 8 * a->x + h * WIDTH;
  if (count == WIDTH && a->x + WIDTH <= a->restart) {
    UNROLL for (int k = 0; k < WIDTH; k++) {
      put(sums + 8 * k, a->s[h] += s[k]);
      put(squares + 8 * k, a->q[h] += q[k]);
    }
    return;
  }
  int64_t restart = a->restart;
  for (int k = 0; k < count; k++) {
    if (a->x + k == restart) {
      a->s[h] = a->q[h] = (doubles){0};
      restart += a->period;
    }
    put(sums + 8 * k, a->s[h] += s[k]);
    put(squares + 8 * k, a->q[h] += q[k]);
  }
}

/** After all pieces of `count` columns. Where sums restart is then at or behind the next. */
INLINE void scan_advance(scan *a, int64_t count) {
  a->x += count;
  while (a->restart < a->x) a->restart += a->period;
}

/** Columns behind the image, up to column `end`. */
static void scan_nothing(scan *along, int64_t end) {
  scan a = *along;
  for (; a.x < end; a.x++) {
    const bool restarts = a.x == a.restart;
    if (restarts) a.restart += a.period;
    UNROLL for (int h = 0; h < PIECES; h++) {
      if (restarts) a.s[h] = a.q[h] = (doubles){0};
      put(a.sums + 8 * a.x + h * WIDTH, a.s[h]);
      put(a.squares + 8 * a.x + h * WIDTH, a.q[h]);
    }
  }
  *along = a;
}

/** Which rows of a strip there are: all eight, none, or some. */
typedef enum presence { NONE, ALL, SOME } presence;

static presence presence_of(const void *const rows[8]) {
  int count = 0;
  for (int r = 0; r < 8; r++) count += rows[r] != NULL;
  return count == 8 ? ALL : count == 0 ? NONE : SOME;
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
  if (a->x < end && a->x < behind) {
    const int64_t from = a->x - t->first, to = (end - t->first + WIDTH - 1) / WIDTH * WIDTH;
    columns(rows, t, from, to < t->n ? to : t->n, a);
  }
  if (a->x < end) scan_nothing(a, end);
}

/** Eight rows of a column of the map. A large map is written past the caches, as few of its values are ever looked at.
 */
INLINE void put_map(float *to, const floats v[PIECES], bool past) {
#if WIDTH > 2
  const __m256 all = FOR_WIDTH((__m256)v[0], _mm256_set_m128((__m128)v[1], (__m128)v[0]), , );
  if (past)
    _mm256_stream_ps(to, all);
  else
    _mm256_storeu_ps(to, all);
#else
  (void)past;
  UNROLL for (int h = 0; h < PIECES; h++) memcpy(to + h * WIDTH, &v[h], sizeof v[h]);
#endif
}

/** What the windows of a strip have in common: eight rows in pieces. */
typedef struct window_rows {
  doubles rows[PIECES], inverse[PIECES]; /* that lie on the image, and 1 / rows */
  ints valid[PIECES];
  bool all_valid, inside; /* they are; they also lie on the image with all their rows */
} window_rows;

static window_rows window_rows_of(const ncc_strip_overlap *o) {
  window_rows w = {.all_valid = true, .inside = true};
  UNROLL for (int h = 0; h < PIECES; h++) {
    w.rows[h] = get(o->rows + h * WIDTH);
    w.inverse[h] = get(o->inverse_rows + h * WIDTH);
    memcpy(&w.valid[h], o->valid + h * WIDTH, sizeof w.valid[h]);
  }
  for (int r = 0; r < 8; r++) {
    w.all_valid &= o->valid[r] != 0;
    w.inside &= o->valid[r] != 0 && o->rows[r] == o->template_rows;
  }
  return w;
}

/** What is known of all windows of a run: that they lie on the image; with all their columns, and all are valid; the
 *  latter alone. */
typedef enum run_kind { INSIDE, WHOLE_COLS, VALID, ANY } run_kind;

/** Windows in columns [i, end) of a block of 16, which begin in the period from `start` on. `kind` is a constant where
 *  this is inlined. Loops work on copies: stores to the map might else be stores to them. */
INLINE void windows_of_run(const ncc_strip_sums *t, const ncc_strip_overlap *o, const ncc_strip_map *map,
                           const window_rows *rows, int64_t start, int64_t i, int64_t end, run_kind kind,
                           floats least_of_run[PIECES]) {
  const window_rows w = *rows;
  const double scale2 = map->scale2, c = t->c, *cols = o->cols, *inverse_cols = o->inverse_cols;
  const double width = o->template_cols, inverse_width = 1 / width, area = width * o->template_rows;
  const double outside = o->outside / area;
  const bool past = map->past;
  const int64_t ahead = 8 * (t->period - 1);
  const double *a = t->sums + 8 * i, *b = t->squares + 8 * i;
  const floats infinite = (floats){0} + INFINITY;
  float *to = map->ssd + 8 * (map->at + i);
  doubles all_s[PIECES], all_q[PIECES], inverse_inside[PIECES];
  floats least[PIECES];
  UNROLL for (int h = 0; h < PIECES; h++) {
    all_s[h] = get(t->sums + 8 * start + h * WIDTH + ahead);
    all_q[h] = get(t->squares + 8 * start + h * WIDTH + ahead);
    inverse_inside[h] = w.inverse[h] * inverse_width;
    least[h] = least_of_run[h];
  }
  for (; i < end; i++, a += 8, b += 8, to += 8) {
    floats v[PIECES];
    UNROLL for (int h = 0; h < PIECES; h++) {
      doubles s = all_s[h], q = all_q[h];
      if (i > start) {
        s = (s - get(a + h * WIDTH - 8)) + get(a + h * WIDTH + ahead);
        q = (q - get(b + h * WIDTH - 8)) + get(b + h * WIDTH + ahead);
      }
      doubles ssd;
      if (kind == INSIDE) {
        ssd = fused_from(q, s * s, inverse_inside[h]);
      } else {
        const doubles inverse = kind == WHOLE_COLS ? inverse_inside[h] : w.inverse[h] * inverse_cols[i];
        const doubles n = w.rows[h] * (kind == WHOLE_COLS ? width : cols[i]), sum = s + n * c;
        const doubles beyond = (area - n) * (inverse * outside);  // exactly 0 for whole windows
        ssd = fused_doubles(sum * sum, beyond, fused_from(q, s * s, inverse));
      }
      v[h] = floats_of_doubles(ssd * scale2);
      if (kind == ANY) {
        v[h] = (floats)((ints)v[h] & w.valid[h]);
        least[h] = lesser_floats(CHOOSE(floats, ints, w.valid[h], v[h], infinite), least[h]);
      } else {
        least[h] = lesser_floats(v[h], least[h]);
      }
    }
    put_map(to, v, past);
  }
  UNROLL for (int h = 0; h < PIECES; h++) least_of_run[h] = least[h];
}

/** By halves, so that comparisons need not wait for each other. */
INLINE float least_of(const floats v[PIECES]) {
  floats least = v[0];
  UNROLL for (int h = 1; h < PIECES; h++) least = lesser_floats(v[h], least);
  float of[WIDTH];
  memcpy(of, &least, sizeof of);
  UNROLL for (int n = WIDTH / 2; n > 0; n /= 2) UNROLL for (int k = 0; k < n; k++) of[k] =
      of[k + n] < of[k] ? of[k + n] : of[k];
  return of[0];
}

/** Windows in columns [from, to). */
static void windows_of_tile(const ncc_strip_sums *t, const ncc_strip_overlap *o, const ncc_strip_map *map,
                            const window_rows *w, int64_t from, int64_t to) {
  int64_t start = from - from % t->period;
  for (int64_t i = from; i < to;) {
    if (i == start + t->period) start = i;
    const int64_t block = (map->at + i) / 16;
    int64_t end = 16 * (block + 1) - map->at;
    if (end > to) end = to;
    if (end > start + t->period) end = start + t->period;
    floats least[PIECES];
    UNROLL for (int h = 0; h < PIECES; h++) least[h] = (floats){0} + map->least[block];
    // The overlap grows, stays and shrinks along a row.
    const bool whole_cols = o->cols[i] == o->template_cols && o->cols[end - 1] == o->template_cols;
    if (w->inside && whole_cols)
      windows_of_run(t, o, map, w, start, i, end, INSIDE, least);
    else if (w->all_valid && whole_cols)
      windows_of_run(t, o, map, w, start, i, end, WHOLE_COLS, least);
    else if (w->all_valid)
      windows_of_run(t, o, map, w, start, i, end, VALID, least);
    else
      windows_of_run(t, o, map, w, start, i, end, ANY, least);
    map->least[block] = least_of(least);
    i = end;
  }
}

static float strip(ncc_dtype dtype, const ncc_strip_rows *rows, const ncc_strip_sums *t,
                   const ncc_strip_overlap *overlap, const ncc_strip_map *map) {
  static const columns_fn of_type[] = BY_TYPE(columns);
  const int64_t blocks = (map->at + map->n - 1) / 16 + 1;
  scan along = {.period = t->period, .sums = t->sums, .squares = t->squares};
  scan_advance(&along, t->first);
  const window_rows w = window_rows_of(overlap);
  for (int64_t b = 0; b < blocks; b++) map->least[b] = INFINITY;
  for (int64_t from = 0; from < map->n; from += TILE) {
    const int64_t to = from + TILE < map->n ? from + TILE : map->n, needed = to + t->period - 1;
    scan_to(of_type[dtype], rows, t, needed < t->width ? needed : t->width, &along);
    windows_of_tile(t, overlap, map, &w, from, to);
  }
  scan_to(of_type[dtype], rows, t, t->width, &along);
  past_fence(map->past);  // other threads look at the map next
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
