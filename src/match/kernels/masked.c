/** See masked.h. Compiled once per instruction set. */
#include "match/kernels/masked.h"

#include "match/kernels/vec.h"

/** More than rounding to float32 takes of any of these sums and products, relative to what is added. */
#define SLOP 1e-6f

enum { FLOATS = 2 * WIDTH, BLOCK = 32 };

INLINE complexes floats_at(const float *p) {
  complexes v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void floats_put(float *p, complexes v) {
  memcpy(p, &v, sizeof v);
}

INLINE complexes magnitude(complexes v) {
  return (complexes)((complex_mask)v & INT32_MAX);
}

INLINE complexes all(float value) {
  return (complexes){0} + value;
}

INLINE float kept(float v, bool valid, bool squared) {
  return !valid ? 0 : squared ? v * v : v;
}

/** `squared`, `reversed` are constants where this is inlined. */
INLINE void mask(const uint8_t *a, const uint8_t *b, int64_t n, bool reversed, bool squared, ncc_c32 *restrict rows) {
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = reversed ? n - 1 - i : i;
    rows[i][0] = kept(rows[i][0], !a || a[at], squared);
    rows[i][1] = kept(rows[i][1], !b || b[at], squared);
  }
}

static void mask_rows(const uint8_t *a, const uint8_t *b, int64_t n, bool reversed, bool squared, ncc_c32 *rows) {
  if (reversed && squared)
    mask(a, b, n, true, true, rows);
  else if (reversed)
    mask(a, b, n, true, false, rows);
  else if (squared)
    mask(a, b, n, false, true, rows);
  else
    mask(a, b, n, false, false, rows);
}

INLINE void add(const double *p, const uint8_t *valid, int64_t i, double scale, double c, double sign,
                const ncc_masked_columns *to) {
  const doubles one = doubles_of_ints(ints_NCC_U8(valid + i));
  const longs there = (longs)(one != (doubles){0});
  const doubles d = (doubles)((longs)(get(p + i) * scale - c) & there);
  put(to->n + i, get(to->n + i) + sign * one);
  put(to->s + i, get(to->s + i) + sign * d);
  put(to->q + i, get(to->q + i) + sign * (d * d));
}

static void add_one(const double *p, const uint8_t *valid, int64_t i, double scale, double c, double sign,
                    const ncc_masked_columns *to) {
  if (!valid[i]) return;
  const double d = p[i] * scale - c;
  to->n[i] += sign;
  to->s[i] += sign * d;
  to->q[i] += sign * (d * d);
}

static void slide(const double *in, const uint8_t *in_valid, const double *out, const uint8_t *out_valid, int64_t n,
                  double scale, double c, const ncc_masked_columns *columns) {
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    if (in) add(in, in_valid, i, scale, c, 1, columns);
    if (out) add(out, out_valid, i, scale, c, -1, columns);
  }
  for (; i < n; i++) {
    if (in) add_one(in, in_valid, i, scale, c, 1, columns);
    if (out) add_one(out, out_valid, i, scale, c, -1, columns);
  }
}

static void prefix(const ncc_masked_columns *columns, int64_t n, const ncc_masked_columns *out) {
  const double *restrict cn = columns->n, *restrict cs = columns->s, *restrict cq = columns->q;
  double *restrict on = out->n, *restrict os = out->s, *restrict oq = out->q;
  double a = on[0], b = os[0], c = oq[0];
  for (int64_t i = 0; i < n; i++) {
    on[i + 1] = a += cn[i];
    os[i + 1] = b += cs[i];
    oq[i + 1] = c += cq[i];
  }
}

/** Of WIDTH positions. */
typedef struct row_windows {
  doubles inverse, mean, least;
} row_windows;

INLINE row_windows windows_of(doubles n, doubles s, doubles q, const ncc_masked_row *how) {
  const doubles zero = {0}, ones = zero + 1.0;
  const doubles inverse = ones / greater(n, ones), mean = s * inverse, square = s * mean;
  const doubles size = (doubles)((longs)s & INT64_MAX);
  const doubles error = how->q_error + (2 * size + how->s_error) * how->s_error * inverse + 0x1p-50 * (q + square);
  const double exact = how->q_error == 0 ? 0x1p52 : 0;  // of integers below that
  const longs flat = (longs)(n * q == s * s) & (longs)(n * q < zero + exact);
  const doubles lower = greater(q - square - error, zero), scaled = lower * (how->unit * how->unit * 0.999999);
  doubles least = CHOOSE(doubles, longs, (longs)(lower * (double)(NCC_MASKED_KNOWN / 4) > error), scaled, -scaled);
  least = CHOOSE(doubles, longs, flat, zero + (double)NCC_MASKED_FLAT, least);
  least = CHOOSE(doubles, longs, (longs)(n >= zero + how->need), least, zero + (double)NCC_MASKED_NOT_SEARCHED);
  return (row_windows){inverse, (mean + how->offset) * how->unit, least};
}

static void row(const ncc_masked_columns *p, const ncc_masked_row *how, int64_t n, const ncc_masked_windows *out) {
  const int64_t ahead = how->tmpl_cols;
  for (int64_t i = 0; i < n; i += WIDTH) {
    const row_windows w = windows_of(get(p->n + i + ahead) - get(p->n + i), get(p->s + i + ahead) - get(p->s + i),
                                     get(p->q + i + ahead) - get(p->q + i), how);
    const floats inverse = floats_of_doubles(w.inverse), mean = floats_of_doubles(w.mean);
    const floats least = floats_of_doubles(w.least);
    const size_t bytes = sizeof(float) * (size_t)(n - i < WIDTH ? n - i : WIDTH);
    if (bytes == sizeof least) {
      memcpy(out->inverse + i, &inverse, sizeof inverse);
      memcpy(out->mean + i, &mean, sizeof mean);
      memcpy(out->least + i, &least, sizeof least);
    } else {
      memcpy(out->inverse + i, &inverse, bytes);
      memcpy(out->mean + i, &mean, bytes);
      memcpy(out->least + i, &least, bytes);
    }
  }
}

static void windows(const float *n, const float *s, const float *q, float scale, const ncc_masked_errors *errors,
                    float need, int64_t count, const ncc_masked_windows *out) {
  const complexes en = all(errors->n), es = all(errors->s), eq = all(errors->q), zero = {0};
  for (int64_t i = 0; i < count; i += FLOATS) {
    const complexes N = floats_at(n + i) * scale, S = floats_at(s + i) * scale, Q = floats_at(q + i) * scale;
    const complexes inverse = 1 / N, mean = S * inverse, square = S * mean;
    const complexes error =
        eq + ((2 * magnitude(S) + es) * es + square * en) / (N - en) + SLOP * (magnitude(Q) + square);
    const complexes least = Q - square - error;
    const complex_mask known = (complex_mask)(N > 2 * en) & (complex_mask)(least > zero);
    const complex_mask searched = ~(complex_mask)(N + en < all(need));
    floats_put(out->inverse + i, CHOOSE(complexes, complex_mask, known, inverse, zero));
    floats_put(out->mean + i, CHOOSE(complexes, complex_mask, known, mean, zero));
    floats_put(out->least + i,
               CHOOSE(complexes, complex_mask, searched, CHOOSE(complexes, complex_mask, known, least, zero),
                      all(NCC_MASKED_NOT_SEARCHED)));
  }
}

/** Of packed rows, of those that lie `apart`. */
INLINE complexes window_at(const float *p, int64_t i, int64_t apart) {
  floats a, b;
  if (apart == 0) return floats_at(p + i);
  memcpy(&a, p + i / 2, sizeof a);
  memcpy(&b, p + apart + i / 2, sizeof b);
  return INTERLEAVE(a, b);
}

static int64_t next(const float *p, const float *u, const float *v, float scale, const ncc_masked_windows *windows,
                    const ncc_masked_errors *errors, float threshold2, int64_t block, int64_t end) {
  const int64_t apart = windows->apart;
  const complexes en = all(errors->n), es = all(errors->s), eu = all(errors->u), ev = all(errors->v),
                  ep = all(errors->p);
  const complexes zero = {0};
  for (; block < end; block++) {
    complex_mask any = {0};
    UNROLL for (int64_t i = BLOCK * block; i < BLOCK * (block + 1); i += FLOATS) {
      const complexes P = floats_at(p + i) * scale, U = floats_at(u + i) * scale, V = floats_at(v + i) * scale;
      const complexes inverse = window_at(windows->inverse, i, apart), mean = window_at(windows->mean, i, apart);
      const complexes least = magnitude(window_at(windows->least, i, apart));
      const complexes by_mean = mean * U, m = magnitude(mean), by_u = U * U * inverse, abs_u = magnitude(U);
      // 2 / n is more than 1 / (n - en).
      const complexes numerator = P - by_mean + ep + m * eu + (abs_u + eu) * 2 * inverse * (es + m * en) +
                                  SLOP * (magnitude(P) + magnitude(by_mean));
      const complexes most =
          V - by_u - ev - 2 * inverse * ((2 * abs_u + eu) * eu + by_u * en) - SLOP * (magnitude(V) + by_u);
      const complexes reach = threshold2 * least * greater_each(most, zero);
      const complex_mask out = (complex_mask)(numerator <= zero) | (complex_mask)(numerator * numerator <= reach);
      any |= ~(out & (complex_mask)(least > zero)) & (complex_mask)(least != all(NCC_MASKED_NOT_SEARCHED));
    }
    int64_t bits[WIDTH], some = 0;
    memcpy(bits, &any, sizeof bits);
    for (int k = 0; k < WIDTH; k++) some |= bits[k];
    if (some) break;
  }
  return block;
}

const ncc_masked_kernels NCC_CAT(ncc_masked_kernels_, NCC_ISA) = {
    .mask_rows = mask_rows, .slide = slide, .prefix = prefix, .row = row, .windows = windows, .next = next};
