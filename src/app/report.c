#include "app/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/placement.h"
#include "app/progress.h"
#include "app/words.h"
#include "base/arithmetic.h"
#include "base/files.h"
#include "base/target.h"
#include "base/terminal.h"
#include "base/text.h"
#include "base/version.h"
#include "options/run.h"

/* ---- in words --------------------------------------------------------------------------------------------------- */

static void print_objects(FILE *stream, const char *name, const ncc_objects *objects) {
  fprintf(stream, "%" PRId64 " %s%s", objects->count, name, ncc_plural(objects->count));
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

/** Where the peak is sought in the first pair. */
static void print_area(FILE *stream, const ncc_work *work) {
  const ncc_geometry *first = &work->kinds[0].geometry;
  const ncc_rect *area = &first->search;
  bool varies = false;
  for (int32_t i = 0; i < work->n_kinds; i++)
    varies |= work->kinds[i].windows_vary || memcmp(&work->kinds[i].geometry.search, area, sizeof *area) != 0;
  fprintf(stream,
          "search   rows %" PRId64 "..%" PRId64 ", columns %" PRId64 "..%" PRId64 " of the full correlation (%" PRId64
          "x%" PRId64 ")%s\n",
          area->y0, area->y1 - 1, area->x0, area->x1 - 1, first->image_rows + first->template_rows - 1,
          first->image_cols + first->template_cols - 1, varies ? " in the first pair; others differ" : "");
}

/** By which angles templates are turned. */
static void print_angles(FILE *stream, const ncc_search *s) {
  if (s->rotate_step == 0) return;
  char text[96];
  ncc_rotate_format(s, text, sizeof text);
  const int64_t n = (s->rotate_to - s->rotate_from) / s->rotate_step + 1;
  fprintf(stream, "rotate   each template by %" PRId64 " angle%s, %s degrees\n", n, n == 1 ? "" : "s", text);
}

/** Begins a line that warns: in the report, or on stderr where that is not shown. @return where it goes on. */
static FILE *begin_warning(FILE *stream) {
  if (ncc_command_quiet()) {
    fputs("mpixcorr: warning: ", stderr);
    return stderr;
  }
  fprintf(stream, "%swarning%s  ", ncc_terminal_colour(stream, NCC_COLOUR_DOUBTFUL),
          ncc_terminal_colour(stream, NCC_COLOUR_OFF));
  return stream;
}

void ncc_report_header(FILE *stream, const ncc_job_header *header) {
  const ncc_work *work = header->work;
  const ncc_catalog *catalog = work->catalog;
  ncc_warnings warnings;
  char gpus[1024];
  fprintf(stream, "mpixcorr %s: %d rank%s on %d node%s, ", ncc_version(), header->ranks, ncc_plural(header->ranks),
          header->nodes, ncc_plural(header->nodes));
  if (header->threads_min == header->threads_max)
    fprintf(stream, "%d thread%s%s, ", header->threads_min, ncc_plural(header->threads_min),
            header->ranks > 1 ? " each" : "");
  else
    fprintf(stream, "%d to %d threads each, ", header->threads_min, header->threads_max);
  fprintf(stream, "engine %s (%s, %s)\n", header->engine, header->fft_library, header->devices);
  ncc_placement_print(stream, header);
  fprintf(stream, "input    %s: ", ncc_text_show(header->options->input));
  print_objects(stream, "image", &catalog->images);
  fputs(", ", stream);
  print_objects(stream, "template", &catalog->templates);
  fprintf(stream, ", %" PRId64 " row%s of pairs\n", catalog->n_pairs, ncc_plural(catalog->n_pairs));
  fprintf(stream, "work     %" PRId64 " pair%s in %" PRId64 " group%s by image", header->pairs,
          ncc_plural(header->pairs), header->groups, ncc_plural(header->groups));
  if (work->n_none) fprintf(stream, "; %" PRId64 " row%s without a pair", work->n_none, ncc_plural(work->n_none));
  if (work->n_bad) fprintf(stream, "; %" PRId64 " bad pair%s skipped", work->n_bad, ncc_plural(work->n_bad));
  fputc('\n', stream);
  if (work->n_kinds > 0) print_area(stream, work);
  print_angles(stream, &header->options->search);
  fprintf(stream, "reading  by %s%s%s\n",
          header->ranks == 1             ? "the one rank"
          : header->read == NCC_READ_ALL ? "every rank"
                                         : "rank 0, which ships the pixels",
          header->read_reason[0] ? ": " : "", header->read_reason);
  ncc_gpus_words(header, gpus, sizeof gpus);
  if (gpus[0]) fprintf(stream, "GPUs     %s\n", gpus);
  if (header->options->output) fprintf(stream, "output   %s\n", ncc_text_show(header->options->output));
  ncc_warnings_find(header, &warnings);
  for (int i = 0; i < warnings.n; i++) fprintf(begin_warning(stream), "%s\n", ncc_text_show(warnings.text[i]));
  ncc_file_flush(stream);
}

static void print_doubts(FILE *stream, const ncc_job_totals *totals) {
  const int64_t border = totals->at_border, fallback = totals->counters.cpu_fallback, unreadable = totals->unreadable;
  if (border)
    fprintf(begin_warning(stream),
            "%" PRId64 " peak%s at the border of what was searched: a better match may lie beyond; see /at_border\n",
            border, border == 1 ? " lies" : "s lie");
  if (fallback)
    fprintf(begin_warning(stream),
            "%" PRId64 " pair%s of GPU ranks went to the CPU engine: too large for the GPU, or it failed\n", fallback,
            ncc_plural(fallback));
  if (unreadable)
    fprintf(begin_warning(stream), "%" PRId64 " image%s or templates could not be read\n", unreadable,
            ncc_plural(unreadable));
  FILE *reasons = ncc_command_quiet() ? stderr : stream;
  for (int64_t i = 0; i < totals->n_reasons; i++) fprintf(reasons, "         %s\n", totals->reasons[i]);
  const int64_t untold = unreadable - totals->unreadable_told;
  if (untold > 0) fprintf(reasons, "         and %" PRId64 " more\n", untold);
}

void ncc_report_summary(FILE *stream, const ncc_job_header *header, const ncc_job_totals *totals) {
  char elapsed[48];
  bool whole = totals->status == NCC_OK || totals->status == NCC_ERR_PAIRS;
  if (totals->elapsed_s < 10)
    snprintf(elapsed, sizeof elapsed, "%.2f s", totals->elapsed_s);
  else
    ncc_duration_words(elapsed, sizeof elapsed, totals->elapsed_s);
  fprintf(stream, "%s %" PRId64 " pair%s in %s: %.1f pairs/s\n", whole ? "done    " : "stopped ", totals->pairs,
          ncc_plural(totals->pairs), elapsed, totals->elapsed_s > 0 ? (double)totals->pairs / totals->elapsed_s : 0.0);
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
  print_doubts(stream, totals);
  ncc_file_flush(stream);
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
  const double pairs = totals->pairs > 0 ? (double)totals->pairs : 1;
  /* seconds of the matchers' calling threads, while all threads of a rank work */
  double engine_s =
      (c->image_s + c->template_s + c->columns_s + c->peak_s) * (double)header->threads_total / header->ranks;
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}, s:f}",
                   "pairs", (json_int_t)totals->pairs, "images_prepared", (json_int_t)c->images, "candidates",
                   (json_int_t)c->candidates, "candidate_px", (json_int_t)c->candidate_px, "second_tier",
                   (json_int_t)c->second_tier, "half_grid", (json_int_t)c->half_grid, "cpu_fallback",
                   (json_int_t)c->cpu_fallback, "candidates_per_pair", (double)c->candidates / pairs,
                   "candidate_px_per_pair", (double)c->candidate_px / pairs, "stages_s", "image", c->image_s,
                   "template", c->template_s, "columns", c->columns_s, "peak", c->peak_s, "certify", c->certify_s,
                   "second_tier", c->second_tier_s, "fft_planning", c->planning_s, "fft_floor", c->fft_floor_s,
                   "fft_floor_percent", engine_s > 0 ? 100 * c->fft_floor_s / engine_s : 0.0);
}

static json_t *statuses(const ncc_job_totals *totals) {
  json_t *counts = json_object();
  for (int i = 0; counts && i < NCC_PAIR_STATUS_COUNT; i++)
    json_object_set_new(counts, ncc_pair_status_name((ncc_pair_status)i), json_integer(totals->by_status[i]));
  return counts;
}

static json_t *reasons(const ncc_job_totals *totals) {
  json_t *list = json_array();
  for (int64_t i = 0; list && i < totals->n_reasons; i++)
    json_array_append_new(list, ncc_json_words(totals->reasons[i]));
  return list;
}

#define SET(key, value) failed |= json_object_set_new(report, key, value)

int ncc_report_add_job(json_t *report, const ncc_job_header *header) {
  int failed = 0;
  SET("version", ncc_json_words(ncc_version()));
  SET("commit", ncc_json_words(ncc_commit()));
  SET("command_line", ncc_json_words(header->options->command_line ? header->options->command_line : ""));
  SET("input", ncc_json_words(header->options->input));
  SET("output", ncc_json_words(header->options->output));
  SET("ranks", json_integer(header->ranks));
  SET("nodes", json_integer(header->nodes));
  SET("threads", json_pack("{s:i, s:i, s:I}", "min", header->threads_min, "max", header->threads_max, "total",
                           (json_int_t)header->threads_total));
  SET("placement", ncc_placement_json(header));
  SET("engine", ncc_json_words(header->engine));
  SET("groups", json_integer(header->groups));
  SET("predicted_s", json_real(header->predicted_s));
  return failed;
}

static json_t *make_report(const ncc_job_header *header, const ncc_job_totals *totals) {
  char gpus[1024];
  ncc_gpus_words(header, gpus, sizeof gpus);
  json_t *report = json_object();
  double rate = totals->elapsed_s > 0 ? (double)totals->pairs / totals->elapsed_s : 0;
  if (!report) return NULL;
  int failed = ncc_report_add_job(report, header);
  SET("exit_code", json_integer(ncc_status_exit_code(totals->status)));
  SET("elapsed_s", json_real(totals->elapsed_s));
  SET("pairs", json_integer(totals->pairs));
  SET("pairs_per_s", json_real(rate));
  SET("fft_library", ncc_json_words(header->fft_library));
  SET("devices", ncc_json_words(header->devices));
  SET("gpus", ncc_json_words(gpus));
  SET("read_mode", ncc_json_words(header->read == NCC_READ_ALL ? "all" : "root"));
  SET("read_reason", ncc_json_words(header->read_reason));
  SET("handouts", json_integer(totals->handouts));
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
  SET("at_border", json_integer(totals->at_border));
#undef SET
  if (!failed) return report;
  json_decref(report);
  return NULL;
}

ncc_status ncc_report_write_json(const char *path, struct json_t *report) {
  ncc_status status = NCC_OK;
  ncc_target target = {0};
  NCC_CHECK(report, NCC_ERR_NOMEM, "%s: out of memory for the report", path);
  NCC_TRY(ncc_target_begin(path, "--report", &target));
  FILE *file = fopen(target.temporary, "w");
  NCC_CHECK(file, NCC_ERR_OUTPUT, "%s: the report cannot be written: %s", path, strerror(errno));
  errno = 0;
  const bool written =
      json_dumpf(report, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', file) != EOF;
  const int error = ncc_file_close(file, written ? 0 : errno);
  NCC_CHECK(written && error == 0, NCC_ERR_OUTPUT, "%s: the report cannot be written: %s", path,
            ncc_error_words(error));
  NCC_TRY(ncc_target_commit(&target));
cleanup:
  ncc_target_end(&target);
  json_decref(report);
  return status;
}

ncc_status ncc_report_write(const char *path, const ncc_job_header *header, const ncc_job_totals *totals) {
  return ncc_report_write_json(path, make_report(header, totals));
}
