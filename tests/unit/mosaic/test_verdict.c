/** The largest set of displacements of which every two agree; what is good, doubtful and none; against all subsets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mpixcorr.h"

enum { MOST = 12, MANY = 3000 };

static double at[MANY][2], moved[MANY][2];
static uint8_t counts[MANY], agrees[MANY];

static ncc_verdict judge(int64_t n, double middle[2], double *spread) {
  ncc_verdict verdict;
  CHECK(ncc_displacements_judge(n, (const double(*)[2])at, (const double(*)[2])moved, counts, 3, 0.01, agrees, &verdict,
                                middle, spread) == NCC_OK,
        "%s", ncc_error_message());
  return verdict;
}

static bool agree(int a, int b) {
  return hypot(moved[a][0] - moved[b][0], moved[a][1] - moved[b][1]) <=
         3 + 0.01 * hypot(at[a][0] - at[b][0], at[a][1] - at[b][1]);
}

/** Templates 100 px apart along y, all counting. */
static void reset(int n) {
  for (int i = 0; i < n; i++) {
    at[i][0] = 100 * i;
    at[i][1] = moved[i][0] = moved[i][1] = 0;
    counts[i] = 1;
  }
}

static void check_rule(void) {
  double middle[2], spread;
  reset(5);
  CHECK(judge(0, middle, &spread) == NCC_VERDICT_NONE && isnan(middle[0]) && isnan(spread), "nothing");
  CHECK(judge(1, middle, &spread) == NCC_VERDICT_DOUBTFUL && middle[0] == 0 && spread == 0, "only one");
  CHECK(judge(2, middle, &spread) == NCC_VERDICT_DOUBTFUL, "two that agree");
  CHECK(judge(3, middle, &spread) == NCC_VERDICT_GOOD, "three that agree");
  counts[0] = 0;
  CHECK(judge(1, middle, &spread) == NCC_VERDICT_NONE, "only one, without an answer");
  CHECK(judge(5, middle, &spread) == NCC_VERDICT_GOOD && !agrees[0] && agrees[4], "four of five");
  counts[1] = 0;
  CHECK(judge(5, middle, &spread) == NCC_VERDICT_GOOD, "three of five");
  counts[2] = 0;
  CHECK(judge(5, middle, &spread) == NCC_VERDICT_DOUBTFUL, "two of five");
  reset(6);
  for (int i = 0; i < 3; i++) moved[i][1] = 100 * i + 100;
  CHECK(judge(6, middle, &spread) == NCC_VERDICT_DOUBTFUL, "three of six are not more than half");
  /* 100 px apart: 4 px are allowed, no more */
  reset(2);
  moved[1][0] = 4;
  CHECK(judge(2, middle, &spread) == NCC_VERDICT_DOUBTFUL && middle[0] == 2 && spread == 2, "within 3 px + 1 %%");
  moved[1][0] = nextafter(4, 5);
  CHECK(judge(2, middle, &spread) == NCC_VERDICT_NONE && !agrees[0] && isnan(middle[0]), "beyond 3 px + 1 %%");
  /* a slope of 1 %: neighbours agree by far, and so do the ends */
  reset(5);
  for (int i = 0; i < 5; i++) moved[i][0] = 1.7 * i;
  CHECK(judge(5, middle, &spread) == NCC_VERDICT_GOOD && middle[0] == 3.4 && fabs(spread - 3.4) < 1e-12, "a slope");
}

/** The size of the found set is that of the best of all subsets, and every two of it agree. */
static void check_all_subsets(void) {
  double middle[2], spread;
  srand(5);
  for (int trial = 0; trial < 300; trial++) {
    const int n = 1 + rand() % MOST;
    int best = 0;
    reset(n);
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < 2; k++) moved[i][k] = rand() % 12;
      counts[i] = rand() % 8 != 0;
    }
    for (int set = 0; set < 1 << n; set++) {
      bool good = true;
      for (int a = 0; a < n && good; a++)
        for (int b = 0; b <= a && good; b++)
          if ((set >> a & 1) && (set >> b & 1)) good = counts[a] && agree(a, b);
      if (good && __builtin_popcount((unsigned)set) > best) best = __builtin_popcount((unsigned)set);
    }
    judge(n, middle, &spread);
    int found = 0;
    for (int a = 0; a < n; a++) {
      found += agrees[a];
      for (int b = 0; b < a; b++) CHECK(!agrees[a] || !agrees[b] || agree(a, b), "trial %d: %d and %d", trial, a, b);
      CHECK(!agrees[a] || counts[a], "trial %d: %d does not count", trial, a);
    }
    CHECK(found == (best == 1 && n > 1 ? 0 : best), "trial %d: %d found, %d agree", trial, found, best);
  }
}

/** A smooth field with a third of it wrong: what is wrong is left out, all else is not. */
static void check_many(void) {
  double middle[2], spread;
  for (int i = 0; i < MANY; i++) {
    at[i][0] = 40 * (i / 60);
    at[i][1] = 40 * (i % 60);
    moved[i][0] = 50 + 5 * sin(at[i][0] / 1000);
    moved[i][1] = -20 + 5 * cos(at[i][1] / 1000);
    counts[i] = 1;
    if (i % 3 == 0) {
      moved[i][0] += 40 + rand() % 100;
      moved[i][1] -= 40 + rand() % 100;
    }
  }
  CHECK(judge(MANY, middle, &spread) == NCC_VERDICT_GOOD, "a field");
  for (int i = 0; i < MANY; i++) CHECK(agrees[i] == (i % 3 != 0), "template %d", i);
}

/** A graph made to be hard ends, and gives a set that agrees. */
static void check_hard(void) {
  double middle[2], spread;
  reset(64);
  for (int i = 0; i < 64; i++) {
    at[i][0] = 0;
    moved[i][0] = 2.9 * (i % 8) * 0.5;
    moved[i][1] = 2.9 * (i / 8) * 0.5;
  }
  judge(64, middle, &spread);
  for (int a = 0; a < 64; a++)
    for (int b = 0; b < a; b++) CHECK(!agrees[a] || !agrees[b] || agree(a, b), "%d and %d", a, b);
}

int main(void) {
  ncc_verdict verdict;
  double middle[2], spread;
  check_rule();
  check_all_subsets();
  check_many();
  check_hard();
  CHECK(ncc_displacements_judge(20001, NULL, NULL, NULL, 3, 0.01, NULL, &verdict, middle, &spread) == NCC_ERR_USAGE,
        "too many");
  return 0;
}
