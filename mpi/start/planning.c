#include "mpi/start/planning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "match/direct.h"
#include "match/fft.h"

enum { MOST_PLANNED = 256 }; /* kinds of pairs; further ones are planned for as they come */

/** Rank 0: the wisdom of this run, malloc'd; NULL where the library has none. */
static ncc_status learn(const ncc_work *work, const ncc_run_options *options, char **wisdom) {
  ncc_status status = NCC_OK;
  char *before = NULL;
  if (ncc_wisdom_load(options->wisdom) != NCC_OK)
    fprintf(stderr, "mpixcorr: note: %s; planning afresh\n", ncc_error_message());
  before = ncc_fft_wisdom_export();
  for (int32_t i = 0; i < work->n_kinds && i < MOST_PLANNED; i++) {
    const ncc_numerators_cost cost = ncc_numerators_cost_of(&work->kinds[i].matched);
    if (ncc_direct_pays(&cost, false)) continue;  // without a transform
    const ncc_fft_shape shape = ncc_fft_shape_choose(&work->kinds[i].matched);
    const ncc_fft_plans *plans;
    NCC_TRY(ncc_fft_plans_get(&shape, options->fft_effort, NULL, &plans));
  }
  *wisdom = ncc_fft_wisdom_export();
  bool learnt = *wisdom && (!before || strcmp(before, *wisdom) != 0);
  if (learnt && ncc_wisdom_save(options->wisdom) != NCC_OK)
    fprintf(stderr, "mpixcorr: note: %s\n", ncc_error_message());
cleanup:
  free(before);
  return status;
}

ncc_status ncc_planning_bcast(const ncc_comm *comm, const ncc_work *work, const ncc_run_options *options,
                              double *planning_s) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  char *wisdom = NULL;
  double started_s = ncc_clock_s();
  if (comm->rank == 0) mine = learn(work, options, &wisdom);
  int64_t bytes = wisdom ? (int64_t)strlen(wisdom) + 1 : 0;
  NCC_TRY(ncc_comm_bcast_new(comm, mine, (void **)&wisdom, &bytes));
  if (bytes == 0) goto cleanup;
  if (comm->rank != 0) ncc_fft_wisdom_import(wisdom);  // on another CPU it may be refused; this rank then plans itself
  *planning_s += ncc_clock_s() - started_s;
cleanup:
  free(wisdom);
  return status;
}
