/** Memory and FFT plans before the work; see readiness.h. */
#include "mpi/start/readiness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/node_memory.h"
#include "match/fft.h"

enum { MOST_PLANNED = 256 }; /* kinds of pairs; further ones are planned for as they come */

#define HANDOUT_BYTES ((int64_t)64 << 20)

/* ---- memory ------------------------------------------------------------------------------------------------- */

ncc_status ncc_memory_find(const ncc_comm *comm, int64_t wish, int64_t *bytes) {
  *bytes = wish > 0 ? wish : ncc_node_memory_bytes("") / comm->node_ranks;
  return ncc_comm_min(comm, NCC_OK, bytes);
}

ncc_status ncc_memory_need(const ncc_run_options *options, int threads, bool shipped, const ncc_work_kind *kind,
                           ncc_forecast_memory *out) {
  const ncc_geometry *g = &kind->geometry;
  ncc_config config = {.threads = threads};
  *out = (ncc_forecast_memory){.program_bytes = NCC_PROGRAM_BYTES};
  // At work, and read ahead; and what the last hand-out left.
  out->pixel_bytes = (shipped ? 3 : 2) * (kind->image_bytes + kind->template_bytes);
  return ncc_matcher_memory(&options->search, &config, g->image_rows, g->image_cols, g->template_rows, g->template_cols,
                            &out->matcher_bytes);
}

ncc_status ncc_memory_divide(const ncc_work *work, const ncc_run_options *options, int threads, bool shipped,
                             ncc_memory *memory) {
  ncc_status status = NCC_OK;
  int64_t limit_bytes = memory->limit_bytes, matcher_bytes = 0, pixel_bytes = 0;
  for (int32_t i = 0; i < work->n_kinds; i++) {
    const ncc_geometry *g = &work->kinds[i].geometry;
    ncc_forecast_memory need = {0};
    // A file may declare sides of 2^29: where the pixels alone exceed the limit, what else is needed might overflow.
    int64_t bytes = g->image_rows * g->image_cols;
    if (bytes <= limit_bytes) {
      NCC_TRY(ncc_memory_need(options, threads, shipped, &work->kinds[i], &need));
      bytes = need.program_bytes + need.matcher_bytes + need.pixel_bytes;
    }
    NCC_CHECK(bytes <= limit_bytes, NCC_ERR_MEMORY_LIMIT,
              "%s: images of %" PRId64 "x%" PRId64 " with templates of %" PRId64 "x%" PRId64
              " need %.2f GiB a rank, the limit is %.2f GiB%s",
              work->catalog->path, g->image_rows, g->image_cols, g->template_rows, g->template_cols,
              (double)bytes / (1 << 30), (double)limit_bytes / (1 << 30),
              options->memory_bytes > 0 ? " (--memory)" : "");
    matcher_bytes = ncc_max(matcher_bytes, need.matcher_bytes);
    pixel_bytes = ncc_max(pixel_bytes, need.pixel_bytes);
  }
  // Half of the memory at most, because the system's own cache of the file serves all ranks of a node.
  int64_t room_bytes = ncc_min(limit_bytes - NCC_PROGRAM_BYTES - matcher_bytes, limit_bytes / 2);
  memory->chunk_bytes = ncc_max(room_bytes / 16, 0);
  memory->pixel_bytes = ncc_max(room_bytes - 2 * memory->chunk_bytes, pixel_bytes);
  memory->handout_bytes = ncc_min(HANDOUT_BYTES, memory->pixel_bytes / 8);
cleanup:
  return status;
}

/* ---- plans -------------------------------------------------------------------------------------------------- */

/** Rank 0: the wisdom of this run, malloc'd; NULL where the library has none. */
static ncc_status learn(const ncc_work *work, const ncc_run_options *options, char **wisdom) {
  ncc_status status = NCC_OK;
  char *before = NULL;
  if (ncc_wisdom_load(options->wisdom) != NCC_OK)
    fprintf(stderr, "mpixcorr: note: %s; planning afresh\n", ncc_error_message());
  before = ncc_fft_wisdom_export();
  for (int32_t i = 0; i < work->n_kinds && i < MOST_PLANNED; i++) {
    const ncc_fft_shape shape = ncc_fft_shape_choose(&work->kinds[i].geometry);
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
