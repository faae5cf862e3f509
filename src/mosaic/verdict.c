/** Which displacements agree. Templates that agree are vertices of a graph that are all joined: the largest such set is
 *  sought by trying, which is cheap for the handful of an edge, and given up after some steps where a graph is made to
 *  be hard. Peaks are not looked at: no threshold on them is honest (docs/mosaic.md).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { EXACT = 64, MOST_STEPS = 1 << 20, MOST_TEMPLATES = 20000 };

/** The displacements that count. */
typedef struct votes {
  int64_t n;
  const int64_t *rows; /**< [n] which of the caller's */
  const double (*at)[2], (*moved)[2];
  double px, fraction;
} votes;

const char *ncc_verdict_name(ncc_verdict verdict) {
  static const char *const names[] = {"none", "doubtful", "good"};
  return (unsigned)verdict < sizeof names / sizeof names[0] ? names[verdict] : "unknown";
}

static bool agree(const votes *v, int64_t a, int64_t b) {
  const int64_t p = v->rows[a], q = v->rows[b];
  return hypot(v->moved[p][0] - v->moved[q][0], v->moved[p][1] - v->moved[q][1]) <=
         v->px + v->fraction * hypot(v->at[p][0] - v->at[q][0], v->at[p][1] - v->at[q][1]);
}

/* ---- few: all sets ------------------------------------------------------------------------------------------- */

typedef struct search {
  uint64_t joined[EXACT]; /**< bit b of a: these two agree */
  uint64_t best;
  int64_t steps;
} search;

/** Sets that hold `chosen` and more of `left`, all of which agree with those chosen. */
static void extend(search *s, uint64_t chosen, uint64_t left) {
  if (__builtin_popcountll(chosen) > __builtin_popcountll(s->best)) s->best = chosen;
  while (left && __builtin_popcountll(chosen) + __builtin_popcountll(left) > __builtin_popcountll(s->best)) {
    if (s->steps++ == MOST_STEPS) return;
    const int next = __builtin_ctzll(left);
    left &= left - 1;
    extend(s, chosen | (uint64_t)1 << next, left & s->joined[next]);
    if (s->steps >= MOST_STEPS) return;
  }
}

static void find_among_few(const votes *v, uint8_t *agrees) {
  search s = {.best = 0};
  for (int64_t a = 0; a < v->n; a++)
    for (int64_t b = 0; b < v->n; b++)
      if (a != b && agree(v, a, b)) s.joined[a] |= (uint64_t)1 << b;
  extend(&s, 0, v->n == EXACT ? ~(uint64_t)0 : ((uint64_t)1 << v->n) - 1);
  for (int64_t a = 0; a < v->n; a++) agrees[v->rows[a]] = s.best >> a & 1;
}

/* ---- many: those that contradict most are left out ----------------------------------------------------------- */

static ncc_status find_among_many(const votes *v, uint8_t *agrees) {
  ncc_status status = NCC_OK;
  int32_t *against = calloc((size_t)v->n, sizeof *against); /* of each, how many that are left contradict it */
  NCC_CHECK(against, NCC_ERR_NOMEM, "no memory for %lld displacements", (long long)v->n);
  for (int64_t a = 0; a < v->n; a++)
    for (int64_t b = 0; b < a; b++)
      if (!agree(v, a, b)) against[a]++, against[b]++;
  for (int64_t a = 0; a < v->n; a++) agrees[v->rows[a]] = 1;
  for (;;) {
    int64_t worst = -1;
    for (int64_t a = 0; a < v->n; a++)
      if (against[a] > 0 && (worst < 0 || against[a] > against[worst])) worst = a;
    if (worst < 0) break;
    against[worst] = -1; /* out */
    agrees[v->rows[worst]] = 0;
    for (int64_t a = 0; a < v->n; a++)
      if (against[a] > 0 && !agree(v, a, worst)) against[a]--;
  }
cleanup:
  free(against);
  return status;
}

/* ---- what follows -------------------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
  const double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

static ncc_status summarise(int64_t n, const double (*moved)[2], const uint8_t *agrees, double middle[2],
                            double *spread) {
  ncc_status status = NCC_OK;
  int64_t m = 0;
  double *sorted = malloc((size_t)(n ? n : 1) * sizeof *sorted);
  NCC_CHECK(sorted, NCC_ERR_NOMEM, "no memory for %lld displacements", (long long)n);
  middle[0] = middle[1] = *spread = NAN;
  for (int axis = 0; axis < 2; axis++) {
    m = 0;
    for (int64_t i = 0; i < n; i++)
      if (agrees[i]) sorted[m++] = moved[i][axis];
    if (m == 0) goto cleanup;
    qsort(sorted, (size_t)m, sizeof *sorted, compare_numbers);
    middle[axis] = sorted[(m - 1) / 2] + (sorted[m / 2] - sorted[(m - 1) / 2]) / 2;
  }
  *spread = 0;
  for (int64_t i = 0; i < n; i++)
    if (agrees[i]) *spread = fmax(*spread, hypot(moved[i][0] - middle[0], moved[i][1] - middle[1]));
cleanup:
  free(sorted);
  return status;
}

ncc_status ncc_displacements_judge(int64_t n, const double (*at)[2], const double (*moved)[2], const uint8_t *counts,
                                   double px, double fraction, uint8_t *agrees, ncc_verdict *verdict, double middle[2],
                                   double *spread) {
  ncc_status status = NCC_OK;
  votes v = {.at = at, .moved = moved, .px = px, .fraction = fraction};
  int64_t *rows = NULL;
  NCC_CHECK(n >= 0 && n <= MOST_TEMPLATES, NCC_ERR_USAGE,
            "%lld templates of one pair of images found, expected at most %d to be judged together", (long long)n,
            MOST_TEMPLATES);
  rows = malloc((size_t)(n ? n : 1) * sizeof *rows);
  NCC_CHECK(rows, NCC_ERR_NOMEM, "no memory for %lld displacements", (long long)n);
  memset(agrees, 0, (size_t)n);
  for (int64_t i = 0; i < n; i++)
    if (counts[i]) rows[v.n++] = i;
  v.rows = rows;
  if (v.n <= EXACT)
    find_among_few(&v, agrees);
  else
    NCC_TRY(find_among_many(&v, agrees));
  int64_t together = 0;
  for (int64_t i = 0; i < n; i++) together += agrees[i];
  if (together == 1 && n > 1) { /* with what would it agree? */
    memset(agrees, 0, (size_t)n);
    together = 0;
  }
  *verdict = together >= 3 && 2 * together > n            ? NCC_VERDICT_GOOD
             : together >= 2 || (n == 1 && together == 1) ? NCC_VERDICT_DOUBTFUL
                                                          : NCC_VERDICT_NONE;
  NCC_TRY(summarise(n, moved, agrees, middle, spread));
cleanup:
  free(rows);
  return status;
}
