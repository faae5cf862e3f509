/** The inner loop of turning templates; see match/turn.h. */
#ifndef NCC_KERNELS_TURN_H
#define NCC_KERNELS_TURN_H

#include <stdint.h>

/** Where pixel x of a turned row comes from: y_part + dx sine and (cx + dx cosine) - x_part, dx = x - cx. */
typedef struct ncc_turn_line {
  const double *pixels; /**< from the first row and column that there are; NULL: they are narrow */
  const float *narrow;  /**< likewise; NULL: they are not */
  int64_t width;        /**< of them */
  double above, left;   /**< rows and columns before what coordinates count from */
  double cosine, sine, cx, y_part, x_part;
} ncc_turn_line;

/** A number rounded down, of at most 2^31 in size. */
static inline double ncc_turn_floor(double v) {
  const double whole = (double)(int32_t)v;
  return whole > v ? whole - 1 : whole;
}

/** a, and b with weight f, which is not looked at where that is 0. */
static inline double ncc_turn_between(double a, double b, double f) {
  const double v = a + f * (b - a);
  return f == 0 ? a : v;
}

typedef struct ncc_turn_kernels {
  /** Exact bytes: pixels [from, end) of a row, NCC_LANES at least, all four neighbours of which there are. Of arrays of
   *  less than 2^31 pixels. */
  void (*turn)(const ncc_turn_line *line, int64_t from, int64_t end, float *out);
} ncc_turn_kernels;

#endif
