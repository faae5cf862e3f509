/** How fast rank 0 hands out work and takes results, with an engine that does nothing.
 *
 *  Usage: mpirun -n RANKS bench_dispatch PAIRS [HANDOUT_PAIRS] [TEMPLATES_PER_IMAGE] [root|all]
 *  PAIRS of 8x8 images with 4x4 templates, HANDOUT_PAIRS to a hand-out (0: as the program makes them). Files lie in the
 *  working directory. The whole program runs, but for the matcher. Prints a row; with PAIRS 0 the heading.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "fake_matcher.h"
#include "io/input/writer.h"
#include "mpi/job.h"

/* ---- the run ------------------------------------------------------------------------------------------------------
 */

static ncc_status write_input(const char *path, int64_t pairs, int64_t templates_per_image) {
  ncc_status status = NCC_OK;
  ncc_input_writer *writer = NULL;
  static unsigned char pixels[64];
  const int64_t images = (pairs + templates_per_image - 1) / templates_per_image;
  int64_t(*rows)[2] = malloc((size_t)pairs * sizeof *rows);
  NCC_CHECK(rows, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)pairs);
  for (int i = 0; i < 64; i++) pixels[i] = (unsigned char)(i * i);
  const ncc_array image = {.data = pixels, .dtype = NCC_U8, .rows = 8, .cols = 8, .row_stride = 8};
  const ncc_array tmpl = {.data = pixels, .dtype = NCC_U8, .rows = 4, .cols = 4, .row_stride = 4};
  NCC_TRY(ncc_input_writer_create(path, true, &writer));
  NCC_TRY(ncc_input_writer_stack(writer, NCC_IMAGE, images, 8, 8, NCC_U8, NULL));
  NCC_TRY(ncc_input_writer_stack(writer, NCC_TEMPLATE, pairs, 4, 4, NCC_U8, NULL));
  for (int64_t i = 0; i < images; i++) NCC_TRY(ncc_input_writer_put(writer, NCC_IMAGE, i, &image));
  for (int64_t i = 0; i < pairs; i++) {
    NCC_TRY(ncc_input_writer_put(writer, NCC_TEMPLATE, i, &tmpl));
    rows[i][0] = i / templates_per_image;
    rows[i][1] = i;
  }
  NCC_TRY(ncc_input_writer_pairs(writer, pairs, (const int64_t(*)[2])rows));
  NCC_TRY(ncc_input_writer_finish(&writer));
cleanup:
  ncc_input_writer_destroy(&writer);
  free(rows);
  return status;
}

typedef struct outcome {
  double started_cpu_s;
  ncc_job_totals totals;
  double cpu_s; /* of the thread that answers */
} outcome;

static void started(void *context, const ncc_job_header *header) {
  (void)header;
  ((outcome *)context)->started_cpu_s = ncc_clock_thread_cpu_s();
}

static ncc_status finished(void *context, const ncc_job_header *header, const ncc_job_totals *totals) {
  (void)header;
  outcome *o = context;
  o->totals = *totals;
  o->cpu_s = ncc_clock_thread_cpu_s() - o->started_cpu_s;
  return NCC_OK;
}

int main(int argc, char **argv) {
  const int64_t pairs = argc > 1 ? atoll(argv[1]) : 100000;
  const int64_t handout_pairs = argc > 2 ? atoll(argv[2]) : 0;
  const int64_t templates = argc > 3 && atoll(argv[3]) > 0 ? atoll(argv[3]) : 1;
  const bool all = argc > 4 && strcmp(argv[4], "all") == 0;
  outcome o = {0};
  int rank = 0;
  fake.nothing = true;
  if (pairs == 0) {
    printf(
        "ranks      pairs  a hand-out  read  hand-outs  seconds  hand-outs/s   chunks/s    pairs/s  rank 0: us a "
        "hand-out "
        " of CPU  longest turn, ms   MiB\n");
    return 0;
  }
  if (ncc_job_init(&argc, &argv, &rank) != NCC_OK) return fprintf(stderr, "%s\n", ncc_error_message()), 1;
  ncc_status status = rank == 0 ? write_input("dispatch_in.h5", pairs, templates) : NCC_OK;
  ncc_run_options options = {.input = "dispatch_in.h5",
                             .output = "dispatch_out.h5",
                             .threads = 1,
                             .group = true,
                             .read = all ? NCC_READ_ALL : NCC_READ_ROOT,
                             .overwrite = true,
                             .handout_pairs = handout_pairs,
                             .command_line = (char *)"bench_dispatch"};
  const ncc_job_observer observer = {.context = &o, .started = started, .finished = finished};
  if (status == NCC_OK) status = ncc_job_run(&options, rank == 0 ? &observer : NULL);
  if (status != NCC_OK) fprintf(stderr, "bench_dispatch: %s\n", ncc_error_message());
  if (rank == 0 && status == NCC_OK) {
    const ncc_job_totals *t = &o.totals;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int ranks = 1;
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    if (size) ranks = atoi(size);
    const double s = t->dispatch_s, n = (double)t->handouts;
    printf("%5d %10lld %11lld  %-4s %10lld %8.3f %12.0f %10.0f %10.0f %23.1f %8.1f %16.1f %6ld\n", ranks,
           (long long)pairs, (long long)handout_pairs, all ? "all" : "root", (long long)t->handouts, s, n / s,
           (double)t->chunks / s, (double)pairs / s, 1e6 * s / n, 1e6 * o.cpu_s / n, 1e3 * t->turn_cpu_s,
           usage.ru_maxrss / 1024);
    unlink("dispatch_in.h5");
    unlink("dispatch_out.h5");
  }
  ncc_job_finalize();
  return status != NCC_OK;
}
