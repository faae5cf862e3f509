/** See gather.h. What wins depends on the row alone: an angle that wins has the same result with whichever others it
 * was tried. Where the proof gave up at one of them, a rank does the row alone, who asks again with the greatest peak
 * of all. */
#include "mpi/rank/gather.h"

#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/error.h"
#include "match/result.h"
#include "match/turn.h"

static ncc_gathered *find(const ncc_gatherer *g, int64_t row) {
  for (int64_t i = 0; i < g->n; i++)
    if (g->rows[i].row == row) return &g->rows[i];
  return NULL;
}

static ncc_status add(ncc_gatherer *g, int64_t row, ncc_gathered **out) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&g->rows, g->n + 1, &g->capacity, sizeof *g->rows, "rows"));
  ncc_result *results = malloc((size_t)g->turns * sizeof *results);
  NCC_CHECK(results, NCC_ERR_NOMEM, "out of memory for %lld angles", (long long)g->turns);
  for (int64_t k = 0; k < g->turns; k++) results[k] = ncc_result_none(NCC_PAIR_PENDING);
  *out = &g->rows[g->n++];
  **out = (ncc_gathered){.row = row, .missing = g->turns, .results = results};
cleanup:
  return status;
}

static void drop(ncc_gatherer *g, ncc_gathered *gathered) {
  free(gathered->results);
  *gathered = g->rows[--g->n];
}

ncc_status ncc_gatherer_take(ncc_gatherer *g, int64_t row, int64_t *turn, ncc_result *result, ncc_gathering *what) {
  ncc_status status = NCC_OK;
  ncc_gathered *gathered = find(g, row);
  if (!gathered) NCC_TRY(add(g, row, &gathered));
  NCC_CHECK(*turn >= 0 && *turn < g->turns && gathered->results[*turn].status == NCC_PAIR_PENDING, NCC_ERR_COMM,
            "a result of row %lld is of angle %lld, expected one of %lld that has none", (long long)row,
            (long long)*turn, (long long)g->turns);
  gathered->results[*turn] = *result;
  *what = NCC_GATHER_WAITS;
  if (--gathered->missing > 0) return NCC_OK;
  const int64_t best = ncc_turns_choose(g->turns, gathered->results, &gathered->kind);
  if (ncc_turns_want_answer(g->search, gathered->kind)) {
    *what = NCC_GATHER_AGAIN;
    *turn = best + 1;
    return NCC_OK;
  }
  *what = gathered->kind == NCC_PAIR_UNCERTAIN ? NCC_GATHER_AGAIN : NCC_GATHER_DONE;
  *turn = 0;
  *result = gathered->results[best];
  result->status = gathered->kind;
  drop(g, gathered);
cleanup:
  return status;
}

void ncc_gatherer_answered(ncc_gatherer *g, int64_t row, ncc_result *result) {
  ncc_gathered *gathered = find(g, row);
  if (!gathered) return;
  if (gathered->kind == NCC_PAIR_OK && result->status == NCC_PAIR_FLAT) result->status = NCC_PAIR_OK;
  drop(g, gathered);
}

void ncc_gatherer_clear(ncc_gatherer *g) {
  while (g->n > 0) drop(g, &g->rows[g->n - 1]);
  free(g->rows);
  *g = (ncc_gatherer){0};
}
