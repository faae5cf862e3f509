#include "mpi/start/memory.h"

#include <inttypes.h>

#include "base/arithmetic.h"
#include "base/node_memory.h"
#include "base/text.h"
#include "gpu/gpu.h"
#include "match/memory.h"
#include "mpi/rank/batch.h"
#include "mpi/rank/matchers.h"
#include "plan/parts.h"

#define HANDOUT_BYTES ((int64_t)64 << 20)
enum {
  LEAST_PAIRS = 512, /* of a batch */
  PEAKS_A_PAIR = 8   /* take about what else a pair takes: where lists are long, a batch has fewer pairs */
};

ncc_status ncc_memory_find(const ncc_comm *comm, int64_t wish, int64_t *bytes) {
  *bytes = wish > 0 ? wish : ncc_node_memory_bytes("") / comm->node_ranks;
  return ncc_comm_min(comm, NCC_OK, bytes);
}

/** "(--memory)" after a limit that was asked for. */
static const char *limit_words(const ncc_run_options *options) {
  return options->memory_bytes > 0 ? " (--memory)" : "";
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/** What rank 0 keeps of the batches that ranks hold, at most, and of their results. */
static int64_t batch_bytes(const ncc_input_size *size, int ranks, int n_peaks, int64_t most_pairs) {
  const int64_t pairs = ncc_min(size->pairs, ranks * (int64_t)NCC_SCHEDULE_AHEAD * most_pairs);
  return pairs * (ncc_batch_pair_bytes(size->windows, n_peaks) + NCC_WAITING_ROW_BYTES(n_peaks));
}

/** Counts what grows with the input. @param[in] work  NULL: not known yet, which leaves its kinds out */
static void count_tables(const ncc_input_size *size, const ncc_work *work, const ncc_run_options *options,
                         const ncc_comm *comm, int64_t limit_bytes, ncc_memory out[2]) {
  const int64_t objects = size->images + size->templates;
  const int64_t groups = options->group ? ncc_min(size->images, size->pairs) : size->pairs;
  const bool mixed = size->windows || (work && work->n_kinds > 1);
  const int n_peaks = options->search.peaks, larger = 1 + n_peaks / PEAKS_A_PAIR;
  int64_t pairs = options->handout_pairs > 0 ? options->handout_pairs : NCC_BATCH_PAIRS / larger;
  while (pairs > LEAST_PAIRS / larger && batch_bytes(size, comm->ranks, n_peaks, pairs) > limit_bytes / 8) pairs /= 2;
  out[NCC_MEMORY_OTHER].table_bytes = size->rank_bytes;
  out[NCC_MEMORY_ROOT].table_bytes = size->open_bytes + ncc_work_bytes(size->pairs, work ? work->n_kinds : 0) +
                                     size->pairs /* statuses */ + ncc_schedule_bytes(size->pairs, groups, mixed) +
                                     objects * (int64_t)sizeof(uint32_t) /* how often each is still needed */ +
                                     size->images * (int64_t)sizeof(int64_t) /* while they are sorted */ +
                                     batch_bytes(size, comm->ranks, n_peaks, pairs);
  for (int i = 0; i < 2; i++) {
    out[i].limit_bytes = limit_bytes;
    out[i].handout_pairs = pairs;
  }
  if (options->memory_bytes > 0) return;
  // A node's memory is shared in equal parts but for rank 0's own tables.
  const int64_t own_bytes = out[NCC_MEMORY_ROOT].table_bytes - out[NCC_MEMORY_OTHER].table_bytes;
  out[NCC_MEMORY_OTHER].limit_bytes -= ncc_ceil_div(own_bytes, comm->node_ranks);
  out[NCC_MEMORY_ROOT].limit_bytes = out[NCC_MEMORY_OTHER].limit_bytes + own_bytes;
}

static ncc_status check_tables(const ncc_input_size *size, const ncc_run_options *options, const ncc_memory memory[2]) {
  const int64_t table_bytes = memory[NCC_MEMORY_ROOT].table_bytes, limit_bytes = memory[NCC_MEMORY_ROOT].limit_bytes;
  if (NCC_PROGRAM_BYTES + table_bytes <= limit_bytes) return NCC_OK;
  return ncc_error_set(NCC_ERR_MEMORY_LIMIT,
                       "%s: %" PRId64 " pairs of %" PRId64 " images and %" PRId64
                       " templates need %s of tables on rank 0, beside %s for the program; the limit is %s%s",
                       options->input, size->pairs, size->images, size->templates, ncc_size_words((double)table_bytes),
                       ncc_size_words((double)NCC_PROGRAM_BYTES), ncc_size_words((double)limit_bytes),
                       limit_words(options));
}

ncc_status ncc_memory_check(const ncc_input_size *size, const ncc_run_options *options, const ncc_comm *comm,
                            int64_t limit_bytes) {
  ncc_memory memory[2];
  count_tables(size, NULL, options, comm, limit_bytes, memory);
  return check_tables(size, options, memory);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/** The part of a rank's memory, at most, that goes to threads who each do small pairs by themselves. */
enum { CREW_PART = 4 };

/** What a rank needs at least for a pair of a kind, beside its tables.
 *  @param[out] crew_bytes  that its matcher takes more where it has them, of the limit */
static ncc_status find_need(const ncc_run_options *options, const ncc_memory_use *use, int matchers,
                            const ncc_work_kind *kind, int64_t limit_bytes, ncc_forecast_memory *out,
                            int64_t *crew_bytes) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = &kind->matched;
  const ncc_search search = kind->part ? ncc_parts_search(&options->search) : options->search;
  /* Parts of a kind may be larger than its first one. */
  const int64_t rows = g->image_rows + (kind->part ? g->image_rows / 8 : 0);
  const int64_t cols = g->image_cols + (kind->part ? g->image_cols / 8 : 0);
  ncc_config config = {.engine = use->gpu ? ncc_engine_gpu() : NULL,
                       .threads = ncc_matchers_threads(use->threads, matchers),
                       .memory_bytes = 1};
  *out = (ncc_forecast_memory){.program_bytes = NCC_PROGRAM_BYTES};
  // At work, and read ahead; and what the last hand-out left.
  out->pixel_bytes = (matchers + 1 + use->shipped) * (kind->image_bytes + kind->template_bytes);
  out->pixel_bytes += use->decode_bytes;
  if (options->search.n_filters) out->pixel_bytes += 2 * kind->image_bytes; /* as stored, and the last one filtered */
  if (kind->masked) out->pixel_bytes += 8 * rows * cols; /* a mask as stored, a copy to be filtered */
  NCC_TRY(ncc_matcher_memory_masked(&search, &config, rows, cols, g->template_rows, g->template_cols, kind->masked,
                                    &out->matcher_bytes));
  config.memory_bytes = ncc_max(limit_bytes / CREW_PART, 1);
  NCC_TRY(ncc_matcher_memory_masked(&search, &config, rows, cols, g->template_rows, g->template_cols, kind->masked,
                                    crew_bytes));
  *crew_bytes -= out->matcher_bytes;
  out->matcher_bytes *= matchers;
cleanup:
  return status;
}

/** What the kinds of pairs need that need most, within the limit. @param[in] root  rank 0's division, with its tables
 */
static ncc_status find_needs(const ncc_work *work, const ncc_run_options *options, const ncc_memory_use *use,
                             int matchers, const ncc_memory *root, ncc_forecast_memory *most) {
  ncc_status status = NCC_OK;
  const int64_t limit_bytes = root->limit_bytes;
  int64_t most_crew_bytes = 0;
  *most = (ncc_forecast_memory){0};
  for (int32_t i = 0; i < work->n_kinds; i++) {
    const ncc_geometry *g = &work->kinds[i].matched;
    ncc_forecast_memory need = {0};
    int64_t crew_bytes = 0;
    // A file may declare sides of 2^29: where the pixels alone exceed the limit, what else is needed might overflow.
    int64_t bytes = g->image_rows * g->image_cols;
    if (bytes <= limit_bytes) {
      NCC_TRY(find_need(options, use, matchers, &work->kinds[i], limit_bytes, &need, &crew_bytes));
      bytes = need.program_bytes + root->table_bytes + need.matcher_bytes + need.pixel_bytes;
    }
    NCC_CHECK(bytes <= limit_bytes, NCC_ERR_MEMORY_LIMIT,
              "%s: images of %" PRId64 "x%" PRId64 " with templates of %" PRId64 "x%" PRId64
              " need %s a rank, the limit is %s%s",
              options->input, g->image_rows, g->image_cols, g->template_rows, g->template_cols,
              ncc_size_words((double)bytes), ncc_size_words((double)limit_bytes), limit_words(options));
    most->matcher_bytes = ncc_max(most->matcher_bytes, need.matcher_bytes);
    most->pixel_bytes = ncc_max(most->pixel_bytes, need.pixel_bytes);
    most_crew_bytes = ncc_max(most_crew_bytes, crew_bytes);
  }
  if (NCC_PROGRAM_BYTES + root->table_bytes + most->matcher_bytes + most->pixel_bytes + most_crew_bytes <= limit_bytes)
    most->matcher_bytes += most_crew_bytes;
cleanup:
  return status;
}

/** What is left for pixels once the largest pair has its room. */
static void divide(bool in_parts, int64_t matcher_bytes, int64_t pixel_bytes, ncc_memory *memory) {
  // Half of the memory at most, because the system's own cache of the file serves all ranks of a node.
  const int64_t left_bytes = memory->limit_bytes - NCC_PROGRAM_BYTES - memory->table_bytes - matcher_bytes;
  const int64_t room_bytes = ncc_min(left_bytes, memory->limit_bytes / 2);
  memory->matcher_bytes = matcher_bytes;
  /* Neighbouring parts share chunks, and not one is kept as pixels. */
  memory->chunk_bytes = ncc_max(room_bytes / (in_parts ? 4 : 16), 0);
  memory->pixel_bytes = ncc_max(room_bytes - 2 * memory->chunk_bytes, pixel_bytes);
}

ncc_status ncc_memory_divide(const ncc_input_size *size, const ncc_work *work, const ncc_run_options *options,
                             const ncc_comm *comm, const ncc_memory_use *use, int64_t limit_bytes, ncc_memory out[2]) {
  ncc_status status = NCC_OK;
  ncc_forecast_memory need;
  int matchers = use->gpu ? ncc_matchers_wish(options->streams, use->threads) : 1;
  count_tables(size, work, options, comm, limit_bytes, out);
  NCC_TRY(check_tables(size, options, out));
  while ((status = find_needs(work, options, use, matchers, &out[NCC_MEMORY_ROOT], &need)) == NCC_ERR_MEMORY_LIMIT &&
         matchers > 1)
    matchers /= 2;
  NCC_TRY(status);
  for (int i = 0; i < 2; i++) {
    out[i].matchers = matchers;
    divide(work->catalog->images.in_parts, need.matcher_bytes, need.pixel_bytes, &out[i]);
  }
  // Each matcher is to have its images, which may be as large as a hand-out.
  for (int i = 0; i < 2; i++)
    out[i].handout_bytes = ncc_min(matchers * HANDOUT_BYTES, ncc_min(out[0].pixel_bytes, out[1].pixel_bytes) / 8);
cleanup:
  return status;
}

ncc_status ncc_memory_forecast(const ncc_run_options *options, int ranks, const ncc_memory_use *use,
                               const ncc_memory *memory, ncc_forecast *forecast) {
  ncc_status status = NCC_OK;
  const int one = ranks > 1 ? NCC_MEMORY_OTHER : NCC_MEMORY_ROOT;
  ncc_forecast_memory *m = &forecast->memory, need;
  *m = (ncc_forecast_memory){.program_bytes = NCC_PROGRAM_BYTES};
  for (int32_t i = 0; i < forecast->n_kinds; i++) {
    int64_t crew_bytes;
    NCC_TRY(find_need(options, use, (int)memory[one].matchers, forecast->kinds[i].kind, memory[one].limit_bytes, &need,
                      &crew_bytes));
    need.matcher_bytes = ncc_min(need.matcher_bytes + crew_bytes, memory[one].matcher_bytes);
    if (need.matcher_bytes + need.pixel_bytes > m->matcher_bytes + m->pixel_bytes) *m = need;
  }
  m->pixel_bytes = ncc_max(m->pixel_bytes, ncc_min(memory[one].pixel_bytes, forecast->distinct_bytes));
  m->table_bytes = memory[NCC_MEMORY_OTHER].table_bytes;
  m->root_bytes = memory[NCC_MEMORY_ROOT].table_bytes - m->table_bytes;
  m->limit_bytes = memory[one].limit_bytes;
  m->node_bytes = ncc_node_memory_bytes("");
cleanup:
  return status;
}
