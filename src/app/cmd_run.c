/** `mpixcorr run`: wires options, job, progress and report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/dry_run.h"
#include "app/launcher.h"
#include "app/probe.h"
#include "app/progress.h"
#include "app/report.h"
#include "base/files.h"
#include "base/target.h"
#include "io/output/load.h"
#include "io/output/output.h"
#include "mpi/job.h"
#include "options/run.h"

typedef struct observer {
  ncc_run_options *options;
  char *output; /**< in place of the name that was given, or NULL */
  ncc_progress progress;
  int columns; /**< of the terminal that shows stderr; 0: none */
} observer;

/** --resume with the part's own name: goes on with the output that it is a part of. */
static ncc_status take_part(observer *o) {
  static const char end[] = ".part";
  ncc_status status = NCC_OK;
  const char *given = o->options->output;
  const size_t length = strlen(given), n = strlen(end);
  char *part_of_it = ncc_file_name(given, end);
  bool partial = false;
  NCC_CHECK(part_of_it, NCC_ERR_NOMEM, "%s: no memory", given);
  if (length <= n || strcmp(given + length - n, end) != 0 || access(given, F_OK) != 0 || access(part_of_it, F_OK) == 0)
    goto cleanup;
  NCC_TRY(ncc_probe_output(given));
  NCC_TRY(ncc_output_is_partial(given, &partial));
  if (!partial) goto cleanup;
  o->output = strndup(given, length - n);
  NCC_CHECK(o->output, NCC_ERR_NOMEM, "%s: no memory", given);
  o->options->output = o->output;
cleanup:
  free(part_of_it);
  return status;
}

static ncc_status probe(void *context) {
  observer *o = context;
  const ncc_run_options *options = o->options;
  ncc_status status = NCC_OK;
  if (options->resume && options->output) NCC_TRY(take_part(o));
  /* before anything is read */
  if (options->output) NCC_TRY(ncc_output_declare(options->output, NULL));
  if (options->report) NCC_TRY(ncc_target_declare(options->report, "--report", NULL));
  if (options->wisdom) NCC_TRY(ncc_target_declare(options->wisdom, "--wisdom", NULL));
  NCC_TRY(ncc_probe_input(options->input));
  if (options->resume) NCC_TRY(ncc_probe_output(options->output));
cleanup:
  return status;
}

static ncc_status check(void *context) {
  const observer *o = context;
  return o->options->report ? ncc_report_check(o->options->report) : NCC_OK;
}

static void started(void *context, const ncc_job_header *header) {
  observer *o = context;
  ncc_report_header(stdout, header);
  const bool quiet = ncc_command_quiet();
  ncc_progress_start(&o->progress, quiet ? NCC_PROGRESS_NONE : o->options->progress, stderr, o->columns);
}

static ncc_status planned(void *context, const ncc_job_header *header, const ncc_forecast *forecast) {
  const observer *o = context;
  ncc_report_header(stdout, header);
  ncc_dry_run_print(stdout, header, forecast);
  return o->options->report ? ncc_dry_run_write(o->options->report, header, forecast) : NCC_OK;
}

static void progressed(void *context, int64_t done, int64_t total) {
  observer *o = context;
  ncc_progress_update(&o->progress, done, total);
}

/** The last line: why, what is done, and how to go on. */
static void explain_stop(FILE *stream, const observer *o, const ncc_job_totals *totals) {
  int64_t all = 0;
  for (int i = 0; i < NCC_PAIR_STATUS_COUNT; i++) all += totals->by_status[i];
  fprintf(stream, "resume   %s%s%lld of %lld pairs are done; go on with: ",
          totals->status == NCC_ERR_STOPPED ? totals->message : "", totals->status == NCC_ERR_STOPPED ? "; " : "",
          (long long)(all - totals->by_status[NCC_PAIR_PENDING]), (long long)all);
  char *command = ncc_run_options_command_line(o->options, (const char *[]){"overwrite", "resume", NULL}, "--resume");
  fprintf(stream, "%s\n", command ? command : "--resume");
  free(command);
  ncc_file_flush(stream);
}

static ncc_status finished(void *context, const ncc_job_header *header, const ncc_job_totals *totals) {
  observer *o = context;
  ncc_progress_end(&o->progress);
  ncc_report_summary(stdout, header, totals);
  if (totals->status != NCC_OK && totals->status != NCC_ERR_PAIRS) explain_stop(stdout, o, totals);
  return o->options->report ? ncc_report_write(o->options->report, header, totals) : NCC_OK;
}

static bool is_outcome(ncc_status status) {
  return status == NCC_ERR_PAIRS || status == NCC_ERR_STOPPED;
}

ncc_status ncc_cmd_run(int argc, char **argv) {
  ncc_status status = NCC_OK;
  ncc_run_options options;
  bool help = false;
  int rank = 0;
  NCC_TRY(ncc_run_options_parse(argc, argv, &options, &help));
  if (help) {
    if (ncc_launcher_rank() == 0) ncc_command_print_help(&ncc_run_command, stdout);
    goto cleanup;
  }
  const int launched = ncc_launcher_ranks();
  NCC_TRY(ncc_job_init(&argc, &argv, &rank));
  if (launched > 1 && ncc_job_ranks() == 1) { /* each would do the whole job, and write the same output */
    status =
        ncc_error_set(NCC_ERR_USAGE,
                      "run: the launcher started %d processes, but MPI sees each alone: start them by mpirun, or by "
                      "srun --mpi=pmix (runs that are meant to be separate: env -u SLURM_STEP_NUM_TASKS)",
                      launched);
    ncc_job_finalize();
    goto cleanup;
  }
  observer o = {.options = &options, .columns = rank == 0 ? ncc_launcher_terminal_columns() : 0};
  ncc_job_observer hooks = {.context = &o,
                            .probe = probe,
                            .check = check,
                            .planned = planned,
                            .started = started,
                            .progressed = progressed,
                            .finished = finished};
  status = ncc_job_run(&options, &hooks);
  /* Before MPI ends: as soon as one rank has exited with an error, the launcher may kill the others. */
  if (rank == 0 && status != NCC_OK && !is_outcome(status)) fprintf(stderr, "mpixcorr: %s\n", ncc_error_message());
  if (status != NCC_OK) ncc_error_set(status, "%s", "");
  ncc_file_flush(stdout);
  ncc_job_finalize();
  free(o.output);
cleanup:
  ncc_run_options_clear(&options);
  return status;
}
