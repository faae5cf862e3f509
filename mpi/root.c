#include "mpi/root.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/version.h"
#include "match/fft.h"
#include "match/geometry.h"
#include "mpi/start/devices.h"

#define SAMPLE_BYTES_MAX ((int64_t)256 << 20) /* a larger image is not read just to be warned about */

static ncc_output_mode output_mode(const ncc_run_options *options) {
  return options->overwrite ? NCC_OUTPUT_OVERWRITE : options->resume ? NCC_OUTPUT_RESUME : NCC_OUTPUT_NEW;
}

ncc_status ncc_root_validate(ncc_root *root, const ncc_comm *comm, int64_t limit_bytes) {
  ncc_status status = NCC_OK;
  ncc_run_options *options = root->options;
  if (root->observer && root->observer->probe) NCC_TRY(root->observer->probe(root->observer->context));
  NCC_TRY(ncc_input_measure(options->input, &root->size));
  NCC_TRY(ncc_memory_check(&root->size, options, comm, limit_bytes));
  NCC_TRY(ncc_input_open(options->input, options->root, &root->input));
  NCC_TRY(ncc_input_filter(root->input, &options->search, &options->mask_values));
  NCC_TRY(ncc_search_settle(&options->search, ncc_catalog_masked(ncc_input_catalog(root->input))));
  NCC_TRY(ncc_work_create(ncc_input_catalog(root->input), &options->search, options->skip_bad_pairs, &root->work));
  NCC_TRY(ncc_input_identify(root->input, &root->identity));
  if (options->output) NCC_TRY(ncc_output_check(options->output, output_mode(options)));
  if (root->observer && root->observer->check) NCC_TRY(root->observer->check(root->observer->context));
cleanup:
  return status;
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

static const uint8_t *statuses(const ncc_root *root) {
  return root->output ? ncc_output_statuses(root->output) : root->found;
}

static ncc_status create_output(ncc_root *root) {
  ncc_status status = NCC_OK;
  const ncc_run_options *options = root->options;
  const ncc_job_header *header = &root->header;
  double started_s = ncc_clock_s();
  NCC_TRY(ncc_run_options_describe(options, &root->option_words));
  NCC_TRY(ncc_run_options_describe_results(options, &root->result_words));
  ncc_run_info info = {.command_line = options->command_line,
                       .options = root->option_words,
                       .result_options = root->result_words,
                       .commit = ncc_commit(),
                       .engine = header->engine,
                       .fft_library = header->fft_library,
                       .devices = header->devices,
                       .ranks = header->ranks,
                       .nodes = header->nodes,
                       .threads = header->threads_max,
                       .retry = options->retry};
  if (options->dry_run) {
    if (options->resume && options->output)
      NCC_TRY(ncc_output_peek(options->output, &root->work, &root->identity, &options->search, &info, &root->found));
    goto cleanup;
  }
  NCC_TRY(ncc_output_create(options->output, output_mode(options), &root->work, &root->identity, &options->search,
                            &info, &root->output));
  root->write_s += ncc_clock_s() - started_s;
cleanup:
  return status;
}

/** Ranks, nodes and threads. */
static void count_up(ncc_job_header *header, const ncc_rank_facts *facts, int ranks) {
  header->facts = facts;
  header->ranks = ranks;
  header->threads_min = header->threads_max = facts[0].threads;
  for (int rank = 0; rank < ranks; rank++) {
    const ncc_rank_facts *f = &facts[rank];
    header->threads_total += f->threads;
    header->threads_min = (int)ncc_min(header->threads_min, f->threads);
    header->threads_max = (int)ncc_max(header->threads_max, f->threads);
    if (f->leader != rank) continue;
    header->nodes++;
    header->threads_at_once += f->fit.at_once;
    header->node_cores = (int)ncc_max(header->node_cores, CPU_COUNT(&f->node_cores));
  }
}

/** Looks whether the first image is far from zero mean where templates may overhang: then they are compared with the
 *  zeros outside. A failure to read it is no matter here. */
static void look_at_border(ncc_root *root) {
  const ncc_work *work = &root->work;
  const ncc_search *search = &root->options->search;
  int64_t row = 0;
  if (search->normalize || work->n_kinds == 0 || !ncc_geometry_overhangs(&work->kinds[0].geometry)) return;
  while (work->rows[row].kind < 0) row++;
  const ncc_geometry *g = &work->kinds[0].geometry;
  const int32_t index = work->rows[row].image;
  ncc_object image = ncc_objects_get(&work->catalog->images, index);
  if (ncc_object_bytes(&image) > SAMPLE_BYTES_MAX) return;
  void *pixels = malloc((size_t)ncc_object_bytes(&image));
  ncc_array array = {pixels, image.dtype, image.rows, image.cols, image.cols};
  if (pixels && ncc_input_read(root->input, NCC_IMAGE, index, pixels) == NCC_OK &&
      !ncc_overhang_misleads(search, ncc_work_window(work, row), &array, g->template_rows, g->template_cols, image.id,
                             root->overhang, sizeof root->overhang))
    root->overhang[0] = '\0';
  free(pixels);
}

static ncc_schedule_options schedule_options(const ncc_root *root, const ncc_memory *memory) {
  return (ncc_schedule_options){.ranks = root->header.ranks,
                                .threads = root->header.threads_max,
                                .group = root->options->group,
                                .max_bytes = memory->handout_bytes,
                                .max_pairs = memory->handout_pairs};
}

ncc_status ncc_root_start(ncc_root *root, int ranks, const ncc_reading *reading, const ncc_memory *memory) {
  ncc_status status = NCC_OK;
  const ncc_run_options *options = root->options;
  ncc_job_header *header = &root->header;
  *header = (ncc_job_header){.options = options,
                             .work = &root->work,
                             .input_bytes = root->identity.size_bytes,
                             .devices = root->devices,
                             .fft_library = root->fft_library,
                             .read = reading->mode,
                             .read_reason = reading->reason,
                             .overhang = root->overhang};
  count_up(header, root->facts, ranks);
  header->engine = ncc_devices_name(root->facts, ranks, root->devices, sizeof root->devices);
  // Pairs that need float64 transforms go to the CPU's library, whatever the engine.
  bool gpu = strcmp(header->engine, "cpu") != 0;
  snprintf(root->fft_library, sizeof root->fft_library, "%s%s%s", gpu ? ncc_gpu_fft_library() : "", gpu ? ", " : "",
           ncc_fft_library());
  header->n_input_warnings = ncc_input_warnings(root->input, &header->input_warnings);
  look_at_border(root);
  NCC_TRY(create_output(root));
  double started_s = ncc_clock_s();
  const ncc_schedule_options how = schedule_options(root, memory);
  NCC_TRY(ncc_schedule_create(&root->work, statuses(root), &how, &root->schedule));
  root->plan_s += ncc_clock_s() - started_s;
  header->pairs = ncc_schedule_pairs(root->schedule);
  header->groups = ncc_schedule_groups(root->schedule);
  header->predicted_s = ncc_schedule_total_s(root->schedule);
cleanup:
  return status;
}

/** What an object lies in, for the forecast. */
static ncc_status see_chunk(void *walk, const ncc_source_chunk *chunk) {
  return ncc_rereads_see(walk, &(ncc_reached_chunk){chunk->array, chunk->number, chunk->bytes, chunk->all});
}

static ncc_status reach(void *context, bool tmpl, int64_t index, const ncc_rect *part, ncc_rereads_walk *walk) {
  return ncc_input_reach(context, tmpl ? NCC_TEMPLATE : NCC_IMAGE, index, part, see_chunk, walk);
}

static ncc_status count_rereads(ncc_root *root, const ncc_memory *memory, ncc_rereads *out) {
  const ncc_job_header *header = &root->header;
  const bool root_reads = header->read == NCC_READ_ROOT || header->ranks == 1;
  const bool together = ncc_input_shares_chunks(root->input);
  const ncc_rereads_how how = {
      .work = &root->work,
      .search = &root->options->search,
      .schedule = schedule_options(root, &memory[NCC_MEMORY_ROOT]),
      .readers = root_reads ? 1 : header->ranks,
      .kept_bytes = (together ? 2 : 1) * memory[root_reads ? NCC_MEMORY_ROOT : NCC_MEMORY_OTHER].chunk_bytes,
      .together = together,
      .reach = reach,
      .context = root->input};
  if (!ncc_input_has_sources(root->input, NCC_IMAGE) && !ncc_input_has_sources(root->input, NCC_TEMPLATE))
    return NCC_OK;
  return ncc_rereads_count(&how, statuses(root), out);
}

ncc_status ncc_root_forecast(ncc_root *root, const ncc_memory_use *use, const ncc_memory *memory) {
  ncc_status status = NCC_OK;
  const ncc_job_header *header = &root->header;
  ncc_forecast forecast;
  ncc_forecast_options options = {.ranks = header->ranks,
                                  .threads = header->threads_max,
                                  .crowding = (double)header->threads_total / (double)header->threads_at_once,
                                  .file_bytes = root->identity.size_bytes,
                                  .root_reads = header->read == NCC_READ_ROOT};
  NCC_TRY(ncc_forecast_create(&root->work, statuses(root), root->schedule, &options, &forecast));
  ncc_memory_use largest = *use;
  largest.threads = header->threads_max;
  NCC_TRY(ncc_memory_forecast(root->options, header->ranks, &largest, memory, &forecast));
  NCC_TRY(count_rereads(root, memory, &forecast.rereads));
  if (root->observer && root->observer->planned)
    NCC_TRY(root->observer->planned(root->observer->context, header, &forecast));
cleanup:
  ncc_forecast_clear(&forecast);
  return status;
}

/* ---- end -------------------------------------------------------------------------------------------------------- */

static void spread_add(ncc_job_spread *spread, double value, int rank, int ranks) {
  if (rank == 0 || value < spread->min) spread->min = value;
  if (rank == 0 || value > spread->max) spread->max = value;
  spread->mean += value / ranks;
}

static void sum_up(ncc_job_totals *totals, const ncc_rank_stats *stats, int ranks) {
  for (int rank = 0; rank < ranks; rank++) {
    const ncc_rank_stats *s = &stats[rank];
    spread_add(&totals->read_s, s->read_s, rank, ranks);
    spread_add(&totals->plan_s, s->plan_s, rank, ranks);
    spread_add(&totals->compute_s, s->compute_s, rank, ranks);
    spread_add(&totals->wait_s, s->wait_s, rank, ranks);
    spread_add(&totals->write_s, s->write_s, rank, ranks);
    ncc_counters_add(&totals->counters, &s->counters);
    spread_add(&totals->read_cpu_s, s->read_cpu_s, rank, ranks);
    spread_add(&totals->compute_cpu_s, s->compute_cpu_s, rank, ranks);
    spread_add(&totals->talk_cpu_s, s->talk_cpu_s, rank, ranks);
    totals->bytes_read += s->bytes_read;
    totals->cache_hits += s->cache_hits;
    totals->cache_bytes += s->cache_bytes;
    if (s->pixel_bytes_peak > totals->pixel_bytes_peak) totals->pixel_bytes_peak = s->pixel_bytes_peak;
  }
}

/** Statuses of all rows that hold a pair. */
static void count_statuses(const ncc_root *root, ncc_job_totals *totals) {
  const uint8_t *statuses = ncc_output_statuses(root->output);
  for (int64_t row = 0; row < root->work.catalog->n_pairs; row++)
    if (root->work.rows[row].kind != NCC_WORK_NONE && statuses[row] < NCC_PAIR_STATUS_COUNT)
      totals->by_status[statuses[row]]++;
  totals->at_border = ncc_output_at_border(root->output);
}

ncc_status ncc_root_finish(ncc_root *root, const ncc_rank_stats *rank_stats, double job_started_s,
                           ncc_job_totals *totals, ncc_status problem, const char *message) {
  ncc_status status = problem == NCC_OK ? NCC_OK : ncc_error_set(problem, "%s", message);
  double started_s = ncc_clock_s();
  ncc_status synced = ncc_output_sync(root->output);
  if (status == NCC_OK) status = synced;
  ncc_output_spent(root->output, &totals->checkpoints, &totals->checkpoints_s);
  count_statuses(root, totals);
  if (status == NCC_ERR_STOPPED && synced == NCC_OK && totals->by_status[NCC_PAIR_PENDING] == 0) {
    status = NCC_OK; /* asked to stop, but there was nothing left to do */
  } else if (status != NCC_OK) {
    snprintf(totals->message, sizeof totals->message, "%s", ncc_error_message());
  }
  root->write_s += ncc_clock_s() - started_s;
  int ranks = root->header.ranks;
  ncc_rank_stats *stats = malloc((size_t)ranks * sizeof *stats);
  NCC_CHECK(stats, NCC_ERR_NOMEM, "out of memory for %d ranks", ranks);
  memcpy(stats, rank_stats, (size_t)ranks * sizeof *stats);
  stats[0].plan_s += root->plan_s;
  stats[0].write_s += root->write_s;
  sum_up(totals, stats, ranks);
  started_s = ncc_clock_s();
  ncc_run_timings timings = {.elapsed_s = started_s - job_started_s,
                             .reading_s = totals->read_s.mean,
                             .planning_s = totals->plan_s.mean,
                             .computing_s = totals->compute_s.mean,
                             .waiting_s = totals->wait_s.mean,
                             .writing_s = totals->write_s.max};
  char first_message[NCC_MESSAGE_TEXT];
  snprintf(first_message, sizeof first_message, "%.*s", NCC_MESSAGE_TEXT - 1, ncc_error_message());
  ncc_status closed = ncc_output_close(&root->output, status == NCC_OK ? &timings : NULL);
  if (status == NCC_OK)
    status = closed;
  else
    ncc_error_set(status, "%s", first_message);
  double closing_s = ncc_clock_s() - started_s;
  totals->write_s.max += closing_s;
  totals->write_s.mean += closing_s / ranks;
  const int64_t *by = totals->by_status;
  int64_t bad = by[NCC_PAIR_NONFINITE] + by[NCC_PAIR_UNREADABLE] + by[NCC_PAIR_UNCERTAIN] + by[NCC_PAIR_INVALID];
  if (status == NCC_OK && bad > 0)
    status = ncc_error_set(NCC_ERR_PAIRS, "%lld pairs are nonfinite, unreadable, uncertain or invalid", (long long)bad);
  totals->status = status;
  totals->elapsed_s = ncc_clock_s() - job_started_s;
  if (root->observer && root->observer->finished) {
    ncc_status told = root->observer->finished(root->observer->context, &root->header, totals);
    if (told != NCC_OK && (status == NCC_OK || status == NCC_ERR_PAIRS)) status = told;
  }
cleanup:
  free(stats);
  return status;
}

void ncc_root_clear(ncc_root *root) {
  if (root->output) ncc_output_close(&root->output, NULL);
  ncc_schedule_destroy(&root->schedule);
  ncc_work_clear(&root->work);
  ncc_input_close(&root->input);
  free(root->found);
  free(root->facts);
  free(root->option_words);
  free(root->result_words);
  memset(root, 0, sizeof *root);
}
