/** See turn.h. Compiled once per instruction set; every pixel is its own, so width changes no byte. */
#include "match/kernels/turn.h"

#include "match/kernels/vec.h"

typedef double pair __attribute__((vector_size(16)));
typedef float narrow_pair __attribute__((vector_size(8)));

// Of pairs v[WIDTH] those of even lanes side by side, those of odd ones, and of both the firsts and the seconds.
#if WIDTH == 8
#define JOIN4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3)
#define JOIN(a, b, c, d) __builtin_shufflevector(JOIN4(a, b), JOIN4(c, d), 0, 1, 2, 3, 4, 5, 6, 7)
#define EVEN(v) JOIN(v[0], v[2], v[4], v[6])
#define ODD(v) JOIN(v[1], v[3], v[5], v[7])
#define FIRSTS(even, odd) __builtin_shufflevector(even, odd, 0, 8, 2, 10, 4, 12, 6, 14)
#define SECONDS(even, odd) __builtin_shufflevector(even, odd, 1, 9, 3, 11, 5, 13, 7, 15)
#elif WIDTH == 4
#define EVEN(v) __builtin_shufflevector(v[0], v[2], 0, 1, 2, 3)
#define ODD(v) __builtin_shufflevector(v[1], v[3], 0, 1, 2, 3)
#define FIRSTS(even, odd) __builtin_shufflevector(even, odd, 0, 4, 2, 6)
#define SECONDS(even, odd) __builtin_shufflevector(even, odd, 1, 5, 3, 7)
#else
#define EVEN(v) v[0]
#define ODD(v) v[1]
#define FIRSTS(even, odd) __builtin_shufflevector(even, odd, 0, 2)
#define SECONDS(even, odd) __builtin_shufflevector(even, odd, 1, 3)
#endif

/** p[at[k]] and p[at[k] + 1] of every lane k. */
INLINE void take(const double *p, const int32_t at[WIDTH], doubles *first, doubles *second) {
  pair v[WIDTH];
  UNROLL for (int k = 0; k < WIDTH; k++) memcpy(&v[k], p + at[k], sizeof v[k]);
  const doubles even = EVEN(v), odd = ODD(v);
  *first = FIRSTS(even, odd);
  *second = SECONDS(even, odd);
}

INLINE void take_narrow(const float *p, const int32_t at[WIDTH], doubles *first, doubles *second) {
  narrow_pair v[WIDTH];
  UNROLL for (int k = 0; k < WIDTH; k++) memcpy(&v[k], p + at[k], sizeof v[k]);
  const floats even = EVEN(v), odd = ODD(v);
  *first = doubles_of_floats(FIRSTS(even, odd));
  *second = doubles_of_floats(SECONDS(even, odd));
}

/** As ncc_turn_between(). */
INLINE doubles between(doubles a, doubles b, doubles f) {
  const doubles v = a + f * (b - a);
  return CHOOSE(doubles, longs, f == 0, a, v);
}

/** Pixels x to x + WIDTH. */
INLINE void turn_some(const ncc_turn_line *line, bool narrow, int64_t x, float *out) {
  doubles lanes = {0}, a, b, c, d;
  UNROLL for (int k = 0; k < WIDTH; k++) lanes[k] = k;
  const doubles dx = ((double)x + lanes) - line->cx;
  const doubles sy = line->y_part + dx * line->sine, sx = (line->cx + dx * line->cosine) - line->x_part;
  const doubles row = floor_of(sy), col = floor_of(sx), fy = sy - row, fx = sx - col;
  const ints places = ints_of_doubles((row + line->above) * (double)line->width + (col + line->left));
  int32_t at[WIDTH];
  memcpy(at, &places, sizeof at);
  if (narrow) {
    take_narrow(line->narrow, at, &a, &b);
    take_narrow(line->narrow + line->width, at, &c, &d);
  } else {
    take(line->pixels, at, &a, &b);
    take(line->pixels + line->width, at, &c, &d);
  }
  const floats pixels = floats_of_doubles(between(between(a, b, fx), between(c, d, fx), fy));
  memcpy(out + x, &pixels, sizeof pixels);
}

INLINE void turn_run(const ncc_turn_line *line, bool narrow, int64_t from, int64_t end, float *out) {
  for (int64_t x = from; x < end; x += WIDTH) turn_some(line, narrow, x + WIDTH <= end ? x : end - WIDTH, out);
}

static void turn(const ncc_turn_line *of_row, int64_t from, int64_t end, float *out) {
  const ncc_turn_line line = *of_row;  // which no store can change
  if (line.narrow)
    turn_run(&line, true, from, end, out);
  else
    turn_run(&line, false, from, end, out);
}

const ncc_turn_kernels NCC_CAT(ncc_turn_kernels_, NCC_ISA) = {.turn = turn};
