/** Rows whose angles ranks share: whichever way results come by, the row's is what a rank alone would have chosen; ties
 * in a chain, flat and masked angles, proofs that gave up, and an angle that comes twice. */
#include <math.h>

#include "base/error.h"
#include "check.h"
#include "match/result.h"
#include "match/turn.h"
#include "mpi/rank/gather.h"
#include "random.h"

enum { TURNS = 9 };

/** Peaks that lie less than a tie apart, one after the other, among others. */
static ncc_result some_result(int k) {
  static const uint8_t kinds[] = {NCC_PAIR_OK, NCC_PAIR_OK, NCC_PAIR_OK, NCC_PAIR_FLAT, NCC_PAIR_MASKED};
  ncc_result r = ncc_result_none((ncc_pair_status)kinds[below(5)]);
  if (below(60) == 0) r.status = NCC_PAIR_UNCERTAIN;
  if (!ncc_result_has_peak(r.status)) return r;
  r.y = r.x = k;
  r.angle = k;
  r.peak = r.status == NCC_PAIR_FLAT ? 0 : below(3) ? 0.5 + 0.4e-12 * below(8) : below(9) / 10.0;
  return r;
}

static void check_row(const ncc_search *search) {
  ncc_gatherer gatherer = {.search = search, .turns = TURNS};
  ncc_result results[2][TURNS], expected[2];
  int order[2 * TURNS];
  uint8_t kinds[2];
  int64_t best[2];
  for (int row = 0; row < 2; row++) {
    for (int k = 0; k < TURNS; k++) results[row][k] = some_result(k);
    best[row] = ncc_turns_choose(TURNS, results[row], &kinds[row]);
    expected[row] = results[row][best[row]];
    expected[row].status = kinds[row];
  }
  for (int i = 0; i < 2 * TURNS; i++) {
    const int j = below(i + 1);
    order[i] = order[j];
    order[j] = i;
  }
  int left[2] = {TURNS, TURNS};
  for (int i = 0; i < 2 * TURNS; i++) {
    const int row = order[i] / TURNS;
    int64_t turn = order[i] % TURNS;
    ncc_result result = results[row][turn];
    ncc_gathering what;
    CHECK(ncc_gatherer_take(&gatherer, row, &turn, &result, &what) == NCC_OK, "%s", ncc_error_message());
    if (--left[row] > 0) {
      CHECK(what == NCC_GATHER_WAITS, "done before its time");
      continue;
    }
    const bool more = ncc_turns_want_answer(search, kinds[row]), uncertain = kinds[row] == NCC_PAIR_UNCERTAIN;
    CHECK(what == (more || uncertain ? NCC_GATHER_AGAIN : NCC_GATHER_DONE), "status %d, %d", kinds[row], (int)what);
    CHECK(what == NCC_GATHER_DONE || turn == (more ? best[row] + 1 : 0), "angle %lld", (long long)turn);
    if (what == NCC_GATHER_DONE)
      CHECK(result.status == expected[row].status && result.y == expected[row].y, "row %d, status %d", row,
            result.status);
    if (!more) continue;
    result.status = NCC_PAIR_FLAT;
    ncc_gatherer_answered(&gatherer, row, &result);
    CHECK(result.status == kinds[row], "status %d of a row that is %d", result.status, kinds[row]);
  }
  CHECK(gatherer.n == 0, "%lld rows are left over", (long long)gatherer.n);
  ncc_gatherer_clear(&gatherer);
}

int main(void) {
  const ncc_search plain = {0}, quality = {.quality = true};
  for (int i = 0; i < 20000; i++) check_row(i % 2 ? &plain : &quality);
  ncc_gatherer gatherer = {.search = &plain, .turns = TURNS};
  ncc_gathering what;
  const int64_t turns[] = {3, 3, -1, TURNS};
  for (int i = 0; i < 4; i++) {
    int64_t turn = turns[i];
    ncc_result result = some_result(0);
    CHECK(ncc_gatherer_take(&gatherer, 7, &turn, &result, &what) == (i == 0 ? NCC_OK : NCC_ERR_COMM), "angle %d", i);
  }
  ncc_gatherer_clear(&gatherer);
  return 0;
}
