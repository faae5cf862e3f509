#include "app/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/progress.h"
#include "base/arithmetic.h"
#include "base/files.h"
#include "base/target.h"
#include "base/version.h"

/* ---- in words --------------------------------------------------------------------------------------------------- */

static const char *plural(int64_t n) {
  return n == 1 ? "" : "s";
}

static void print_objects(FILE *stream, const char *name, const ncc_objects *objects) {
  fprintf(stream, "%" PRId64 " %s%s", objects->count, name, plural(objects->count));
  if (objects->count == 0) return;
  ncc_object least = ncc_objects_get(objects, 0), most = least;
  bool one_type = true;
  for (int64_t i = 1; objects->items && i < objects->count; i++) {
    const ncc_object o = ncc_objects_get(objects, i);
    least.rows = ncc_min(least.rows, o.rows);
    least.cols = ncc_min(least.cols, o.cols);
    most.rows = ncc_max(most.rows, o.rows);
    most.cols = ncc_max(most.cols, o.cols);
    one_type = one_type && o.dtype == least.dtype;
  }
  fprintf(stream, " of %" PRId64 "x%" PRId64, least.rows, least.cols);
  if (least.rows != most.rows || least.cols != most.cols)
    fprintf(stream, " to %" PRId64 "x%" PRId64, most.rows, most.cols);
  fprintf(stream, " (%s)", one_type ? ncc_dtype_name(least.dtype) : "types differ");
}

typedef const char *(*rank_words)(const ncc_job_nodes *nodes, int rank);

static const char *core_words(const ncc_job_nodes *nodes, int rank) {
  return nodes->ranks[rank].cores;
}
static const char *numa_words(const ncc_job_nodes *nodes, int rank) {
  return nodes->ranks[rank].numa;
}

/** What each rank of a node has: once where all have the same, the first ones and the last where there are many. */
static void print_each(FILE *stream, const ncc_job_nodes *nodes, rank_words get) {
  enum { MOST = 8, FIRST = 3 };
  bool same = true;
  for (int i = 1; i < nodes->n_ranks; i++) same = same && strcmp(get(nodes, i), get(nodes, 0)) == 0;
  for (int i = 0; i < (same ? 1 : nodes->n_ranks); i++) {
    if (i == FIRST && nodes->n_ranks > MOST) {
      fputs(" | ...", stream);
      i = nodes->n_ranks - 1;
    }
    fprintf(stream, "%s%s", i ? " | " : "", get(nodes, i));
  }
}

/** A line for each kind of nodes: "nodes    a, b: 2 ranks each, bound to cores 0-3 | 4-7, NUMA 0 | 1". */
static void print_placement(FILE *stream, const ncc_job_header *header) {
  enum { KINDS = 8, NAMES = 4 };
  int others = 0;
  for (int k = 0; k < header->n_placement; k++) {
    const ncc_job_nodes *nodes = &header->placement[k];
    if (k >= KINDS) {
      others += nodes->n_hosts;
      continue;
    }
    fputs(k == 0 ? "nodes    " : "         ", stream);
    for (int i = 0; i < nodes->n_hosts && i < NAMES; i++) fprintf(stream, "%s%s", i ? ", " : "", nodes->hosts[i].name);
    if (nodes->n_hosts > NAMES) fprintf(stream, " and %d more", nodes->n_hosts - NAMES);
    if (nodes->n_hosts == 1)
      fprintf(stream, ": rank%s %s", plural(nodes->n_ranks), nodes->hosts[0].ranks);
    else
      fprintf(stream, ": %d rank%s each", nodes->n_ranks, plural(nodes->n_ranks));
    fputs(", bound to cores ", stream);
    print_each(stream, nodes, core_words);
    if (nodes->ranks[0].numa[0]) {
      fputs(", NUMA ", stream);
      print_each(stream, nodes, numa_words);
    }
    fputc('\n', stream);
  }
  if (others > 0) fprintf(stream, "         %d more nodes, placed otherwise\n", others);
}

void ncc_report_header(FILE *stream, const ncc_job_header *header) {
  const ncc_catalog *catalog = header->catalog;
  fprintf(stream, "mpixcorr %s: %d rank%s on %d node%s, ", ncc_version(), header->ranks, plural(header->ranks),
          header->nodes, plural(header->nodes));
  if (header->threads_min == header->threads_max)
    fprintf(stream, "%d thread%s each, ", header->threads_min, plural(header->threads_min));
  else
    fprintf(stream, "%d to %d threads each, ", header->threads_min, header->threads_max);
  fprintf(stream, "engine %s (%s, %s)\n", header->engine, header->fft_library, header->devices);
  print_placement(stream, header);
  fprintf(stream, "input    %s: ", header->options->input);
  print_objects(stream, "image", &catalog->images);
  fputs(", ", stream);
  print_objects(stream, "template", &catalog->templates);
  fprintf(stream, ", %" PRId64 " row%s of pairs\n", catalog->n_pairs, plural(catalog->n_pairs));
  fprintf(stream, "work     %" PRId64 " pair%s in %" PRId64 " group%s by image", header->pairs, plural(header->pairs),
          header->groups, plural(header->groups));
  if (header->pairs_none)
    fprintf(stream, "; %" PRId64 " row%s without a pair", header->pairs_none, plural(header->pairs_none));
  if (header->pairs_bad)
    fprintf(stream, "; %" PRId64 " bad pair%s skipped", header->pairs_bad, plural(header->pairs_bad));
  fputc('\n', stream);
  if (header->has_area)
    fprintf(stream,
            "search   rows %" PRId64 "..%" PRId64 ", columns %" PRId64 "..%" PRId64 " of the full correlation (%" PRId64
            "x%" PRId64 ")%s\n",
            header->area.y0, header->area.y1 - 1, header->area.x0, header->area.x1 - 1, header->full_rows,
            header->full_cols, header->area_varies ? " in the first pair; others differ" : "");
  fprintf(stream, "reading  by %s%s%s\n",
          header->ranks == 1             ? "the one rank"
          : header->read == NCC_READ_ALL ? "every rank"
                                         : "rank 0, which ships the pixels",
          header->read_reason[0] ? ": " : "", header->read_reason);
  if (header->gpus && header->gpus[0]) fprintf(stream, "GPUs     %s\n", header->gpus);
  if (header->options->output) fprintf(stream, "output   %s\n", header->options->output);
  for (int i = 0; i < header->n_warnings; i++) fprintf(stream, "warning  %s\n", header->warnings[i]);
  fflush(stream);
}

void ncc_report_summary(FILE *stream, const ncc_job_header *header, const ncc_job_totals *totals) {
  char elapsed[48];
  bool whole = totals->status == NCC_OK || totals->status == NCC_ERR_PAIRS;
  if (totals->elapsed_s < 10)
    snprintf(elapsed, sizeof elapsed, "%.2f s", totals->elapsed_s);
  else
    ncc_duration_words(elapsed, sizeof elapsed, totals->elapsed_s);
  fprintf(stream, "%s %" PRId64 " pair%s in %s: %.1f pairs/s\n", whole ? "done    " : "stopped ", totals->pairs,
          plural(totals->pairs), elapsed, totals->elapsed_s > 0 ? (double)totals->pairs / totals->elapsed_s : 0.0);
  fputs("status  ", stream);
  const char *separator = " ";
  for (int i = 0; i < NCC_PAIR_STATUS_COUNT; i++) {
    if (totals->by_status[i] == 0) continue;
    fprintf(stream, "%s%s %" PRId64, separator, ncc_pair_status_name((ncc_pair_status)i), totals->by_status[i]);
    separator = ", ";
  }
  fprintf(stream, "%s\n", separator[0] == ' ' ? " no pairs" : "");
  fprintf(stream, "time     computing %.2f s, planning %.2f s, waiting %.2f s, reading %.2f s%s; writing %.2f s\n",
          totals->compute_s.mean, totals->plan_s.mean, totals->wait_s.mean, totals->read_s.mean,
          header->ranks > 1 ? " (mean of the ranks)" : "", totals->write_s.max);
  if (totals->counters.cpu_fallback)
    fprintf(stream,
            "warning  %" PRId64 " pair%s of GPU ranks went to the CPU engine: too large for the GPU, or it failed\n",
            totals->counters.cpu_fallback, plural(totals->counters.cpu_fallback));
  if (totals->unreadable)
    fprintf(stream, "warning  %" PRId64 " image%s or templates could not be read\n", totals->unreadable,
            plural(totals->unreadable));
  for (int64_t i = 0; i < totals->unreadable && i < NCC_JOB_REASONS; i++)
    fprintf(stream, "         %s\n", totals->reasons[i]);
  if (totals->unreadable > NCC_JOB_REASONS)
    fprintf(stream, "         and %" PRId64 " more\n", totals->unreadable - NCC_JOB_REASONS);
  fflush(stream);
}

/* ---- as JSON ---------------------------------------------------------------------------------------------------- */

ncc_status ncc_report_check(const char *path) {
  ncc_status status = NCC_OK;
  char *found = NULL;
  NCC_TRY(ncc_target_declare(path, "--report", &found));
  NCC_TRY(ncc_file_check_creatable(found));
cleanup:
  free(found);
  return status;
}

static json_t *spread(const ncc_job_spread *seconds) {
  return json_pack("{s:f, s:f, s:f}", "min", seconds->min, "mean", seconds->mean, "max", seconds->max);
}

static json_t *counters(const ncc_job_header *header, const ncc_job_totals *totals) {
  const ncc_counters *c = &totals->counters;
  double pairs = c->pairs > 0 ? (double)c->pairs : 1;
  /* seconds of the matchers' calling threads, while all threads of a rank work */
  double engine_s =
      (c->image_s + c->template_s + c->columns_s + c->peak_s) * (double)header->threads_total / header->ranks;
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}, s:f}", "pairs",
                   (json_int_t)c->pairs, "images_prepared", (json_int_t)c->images, "candidates",
                   (json_int_t)c->candidates, "candidate_px", (json_int_t)c->candidate_px, "second_tier",
                   (json_int_t)c->second_tier, "cpu_fallback", (json_int_t)c->cpu_fallback, "candidates_per_pair",
                   (double)c->candidates / pairs, "candidate_px_per_pair", (double)c->candidate_px / pairs, "stages_s",
                   "image", c->image_s, "template", c->template_s, "columns", c->columns_s, "peak", c->peak_s,
                   "certify", c->certify_s, "second_tier", c->second_tier_s, "fft_planning", c->planning_s, "fft_floor",
                   c->fft_floor_s, "fft_floor_percent", engine_s > 0 ? 100 * c->fft_floor_s / engine_s : 0.0);
}

static json_t *statuses(const ncc_job_totals *totals) {
  json_t *counts = json_object();
  for (int i = 0; counts && i < NCC_PAIR_STATUS_COUNT; i++)
    json_object_set_new(counts, ncc_pair_status_name((ncc_pair_status)i), json_integer(totals->by_status[i]));
  return counts;
}

/** JSON text is UTF-8; a path need not be. */
static json_t *words(const char *text) {
  json_t *string = json_string(text);
  return string ? string : json_string("(not UTF-8)");
}

json_t *ncc_report_placement(const ncc_job_header *header) {
  json_t *list = json_array();
  for (int k = 0; list && k < header->n_placement; k++) {
    const ncc_job_nodes *nodes = &header->placement[k];
    json_t *hosts = json_array(), *ranks = json_array();
    for (int i = 0; hosts && i < nodes->n_hosts; i++)
      json_array_append_new(
          hosts, json_pack("{s:o, s:s}", "host", words(nodes->hosts[i].name), "ranks", nodes->hosts[i].ranks));
    for (int i = 0; ranks && i < nodes->n_ranks; i++)
      json_array_append_new(ranks, json_pack("{s:s, s:s, s:i}", "cores", nodes->ranks[i].cores, "numa",
                                             nodes->ranks[i].numa, "threads", nodes->ranks[i].threads));
    json_array_append_new(list, json_pack("{s:o, s:o}", "hosts", hosts, "ranks", ranks));
  }
  return list;
}

static json_t *reasons(const ncc_job_totals *totals) {
  json_t *list = json_array();
  for (int64_t i = 0; list && i < totals->unreadable && i < NCC_JOB_REASONS; i++)
    json_array_append_new(list, words(totals->reasons[i]));
  return list;
}

static json_t *make_report(const ncc_job_header *header, const ncc_job_totals *totals) {
  json_t *report = json_object();
  double rate = totals->elapsed_s > 0 ? (double)totals->pairs / totals->elapsed_s : 0;
  if (!report) return NULL;
  int failed = 0;
#define SET(key, value) failed |= json_object_set_new(report, key, value)
  SET("version", words(ncc_version()));
  SET("commit", words(ncc_commit()));
  SET("exit_code", json_integer(ncc_status_exit_code(totals->status)));
  SET("command_line", words(header->options->command_line ? header->options->command_line : ""));
  SET("input", words(header->options->input));
  SET("output", words(header->options->output));
  SET("elapsed_s", json_real(totals->elapsed_s));
  SET("pairs", json_integer(totals->pairs));
  SET("pairs_per_s", json_real(rate));
  SET("ranks", json_integer(header->ranks));
  SET("nodes", json_integer(header->nodes));
  SET("threads", json_pack("{s:i, s:i, s:I}", "min", header->threads_min, "max", header->threads_max, "total",
                           (json_int_t)header->threads_total));
  SET("placement", ncc_report_placement(header));
  SET("engine", words(header->engine));
  SET("fft_library", words(header->fft_library));
  SET("devices", words(header->devices));
  SET("gpus", words(header->gpus ? header->gpus : ""));
  SET("read_mode", words(header->read == NCC_READ_ALL ? "all" : "root"));
  SET("read_reason", words(header->read_reason));
  SET("groups", json_integer(header->groups));
  SET("handouts", json_integer(totals->handouts));
  SET("predicted_s", json_real(header->predicted_s));
  SET("bytes_read", json_integer(totals->bytes_read));
  SET("bytes_shipped", json_integer(totals->bytes_shipped));
  SET("cache_hits", json_integer(totals->cache_hits));
  SET("cache_bytes", json_integer(totals->cache_bytes));
  SET("pixel_bytes_peak", json_integer(totals->pixel_bytes_peak));
  SET("unreadable", json_integer(totals->unreadable));
  SET("unreadable_reasons", reasons(totals));
  SET("seconds", json_pack("{s:o, s:o, s:o, s:o, s:o}", "reading", spread(&totals->read_s), "planning",
                           spread(&totals->plan_s), "computing", spread(&totals->compute_s), "waiting",
                           spread(&totals->wait_s), "writing", spread(&totals->write_s)));
  SET("cpu_seconds", json_pack("{s:o, s:o, s:o}", "reading", spread(&totals->read_cpu_s), "computing",
                               spread(&totals->compute_cpu_s), "talking", spread(&totals->talk_cpu_s)));
  SET("checkpoints",
      json_pack("{s:I, s:f}", "count", (json_int_t)totals->checkpoints, "elapsed_s", totals->checkpoints_s));
  SET("counters", counters(header, totals));
  SET("status", statuses(totals));
#undef SET
  if (!failed) return report;
  json_decref(report);
  return NULL;
}

ncc_status ncc_report_write_json(const char *path, const struct json_t *report) {
  ncc_status status = NCC_OK;
  ncc_target target;
  NCC_TRY(ncc_target_begin(path, "--report", &target));
  FILE *file = fopen(target.temporary, "w");
  NCC_CHECK(file, NCC_ERR_OUTPUT, "%s: the report cannot be written: %s", path, strerror(errno));
  bool written = json_dumpf(report, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', file) != EOF;
  written = fclose(file) == 0 && written;
  NCC_CHECK(written, NCC_ERR_OUTPUT, "%s: the report cannot be written: %s", path, strerror(errno));
  NCC_TRY(ncc_target_commit(&target));
cleanup:
  ncc_target_end(&target);
  return status;
}

ncc_status ncc_report_write(const char *path, const ncc_job_header *header, const ncc_job_totals *totals) {
  ncc_status status = NCC_OK;
  json_t *report = make_report(header, totals);
  NCC_CHECK(report, NCC_ERR_NOMEM, "%s: out of memory for the report", path);
  NCC_TRY(ncc_report_write_json(path, report));
cleanup:
  json_decref(report);
  return status;
}
