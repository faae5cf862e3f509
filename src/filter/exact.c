/** Double-double arithmetic (T. J. Dekker, "A Floating-Point Technique for Extending the Available Precision", 1971):
 *  a number is hi + lo, |lo| at most half a unit in the last place of hi. See exact.h. */
#include "filter/exact.h"

#include <math.h>
#include <stdbool.h>

typedef struct dd {
  double hi, lo;
} dd;

/** a + b exactly, |a| >= |b|. */
static dd quick_sum(double a, double b) {
  const double s = a + b;
  return (dd){s, b - (s - a)};
}

/** a + b exactly. */
static dd two_sum(double a, double b) {
  const double s = a + b, v = s - a;
  return (dd){s, (a - (s - v)) + (b - v)};
}

static void split(double a, double *hi, double *lo) {
  const double c = 134217729 * a; /* 2^27 + 1 */
  *hi = c - (c - a);
  *lo = a - *hi;
}

/** a * b exactly. */
static dd two_product(double a, double b) {
  double ah, al, bh, bl;
  const double p = a * b;
  split(a, &ah, &al);
  split(b, &bh, &bl);
  return (dd){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static dd add(dd a, dd b) {
  dd s = two_sum(a.hi, b.hi);
  const dd t = two_sum(a.lo, b.lo);
  s = quick_sum(s.hi, s.lo + t.hi);
  return quick_sum(s.hi, s.lo + t.lo);
}

static dd multiply(dd a, dd b) {
  const dd p = two_product(a.hi, b.hi);
  return quick_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static dd divide(dd a, double b) {
  const double q = a.hi / b;
  const dd r = add(a, multiply((dd){-q, 0}, (dd){b, 0}));
  return quick_sum(q, r.hi / b);
}

/** e^x = 2^k (e^(r / 256))^256 with r = x - k ln 2, |r| <= 0.35: a series of ten terms has 2^-106 left. */
double ncc_exact_exp(double x) {
  static const dd ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
  const double k = rint(x / ln2.hi);
  const dd r = add((dd){x, 0}, multiply((dd){-k, 0}, ln2)), step = {r.hi / 256, r.lo / 256};
  dd term = step, sum = step; /* of e^step - 1, so that nothing is lost beside the 1 */
  for (int n = 2; n <= 11; n++) {
    term = divide(multiply(term, step), n);
    sum = add(sum, term);
  }
  for (int i = 0; i < 8; i++) sum = add((dd){2 * sum.hi, 2 * sum.lo}, multiply(sum, sum)); /* (1 + s)^2 - 1 */
  sum = add(sum, (dd){1, 0});
  return ldexp(sum.hi, (int)k); /* hi is the nearest double of hi + lo */
}

enum { EIGHTH = 45000000 }; /* of a turn, in 1e-6 degree */

/** Sine (odd) or cosine of 0 to 45 degrees by its series: with 15 terms 2^-110 is left. */
static double series(int64_t micro, bool odd) {
  static const dd pi = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
  const dd x = divide(multiply((dd){(double)micro, 0}, pi), 4.0 * EIGHTH), square = multiply(x, x);
  dd term = odd ? x : (dd){1, 0}, sum = term;
  for (int n = odd ? 2 : 1; n < 30; n += 2) {
    term = divide(multiply(term, square), -(double)(n * (n + 1)));
    sum = add(sum, term);
  }
  return sum.hi;
}

double ncc_exact_sin_degrees(int64_t micro) {
  const int64_t turn = 8 * (int64_t)EIGHTH;
  micro = (micro % turn + turn) % turn;
  if (micro >= turn / 2) return -ncc_exact_sin_degrees(micro - turn / 2);
  if (micro > turn / 4) micro = turn / 2 - micro;
  return micro <= EIGHTH ? series(micro, true) : series(turn / 4 - micro, false);
}

double ncc_exact_cos_degrees(int64_t micro) {
  return ncc_exact_sin_degrees(micro % (8 * (int64_t)EIGHTH) + 2 * EIGHTH);
}
