/** The thread that talks MPI does not wait for the disk: while nothing becomes durable it goes on turning, nothing more
 *  is handed out once the disk is 2^18 rows behind, and the job ends well when the disk is back. */
#include <stdatomic.h>

#include "base/clock.h"
#include "job_cases.h"

#define ROWS_BEHIND (1 << 18)
#define STALL_S 3.0 /* after so many rows are taken */
#define MOST_S 20.0

static _Atomic bool stalling;
static double behind_since_s, told_s, longest_gap_s;
static int64_t most_behind;

/** The disk, in place of the system's call. */
int fdatasync(int fd);
int fdatasync(int fd) {
  const double until_s = ncc_clock_s() + MOST_S; /* so that a failure is told, and does not hang */
  while (atomic_load(&stalling) && ncc_clock_s() < until_s) usleep(1000);
  return fsync(fd);
}

static int64_t thousandth(int64_t row) {
  return row / 4096;
}
static int64_t cyclic(int64_t row) {
  return row % 500;
}

static void started(void *context, const ncc_job_header *header) {
  (void)context;
  (void)header;
  told_s = ncc_clock_s();
  atomic_store(&stalling, true);
}

static void progressed(void *context, int64_t done, int64_t total) {
  (void)context;
  const double now_s = ncc_clock_s();
  if (now_s - told_s > longest_gap_s) longest_gap_s = now_s - told_s;
  told_s = now_s;
  if (!atomic_load(&stalling)) return;
  most_behind = done;
  if (behind_since_s == 0 && done >= ROWS_BEHIND) behind_since_s = now_s;
  if (done == total) atomic_store(&stalling, false);
  CHECK(done < total, "everything was handed out, whatever the disk does");
  if (behind_since_s > 0 && now_s - behind_since_s > STALL_S) atomic_store(&stalling, false);
}

int main(int argc, char **argv) {
  job_case c = {"slow_disk", 200, 500, 800000, 12, 10, false, thousandth, cyclic};
  int rank, ranks = argc > 1 ? atoi(argv[1]) : 1;
  char input[64], output[64];
  MUST(ncc_job_init(&argc, &argv, &rank));
  job_path(input, sizeof input, "slow_disk", "in", ranks);
  job_path(output, sizeof output, "slow_disk", "out", ranks);
  if (rank == 0) job_write_input(input, &c);
  const ncc_job_observer observer = {.started = started, .progressed = progressed};
  ncc_run_options options = job_options(input, output);
  MUST(ncc_job_run(&options, rank == 0 ? &observer : NULL));
  if (rank == 0) {
    printf("at most %lld rows behind, longest silence %.2f s\n", (long long)most_behind, longest_gap_s);
    CHECK(behind_since_s > 0, "the disk was never behind");
    CHECK(longest_gap_s < STALL_S / 2, "rank 0 was silent for %.2f s", longest_gap_s);
    CHECK(most_behind < ROWS_BEHIND + ranks * 4 * 4096 + 1, "%lld rows behind", (long long)most_behind);
    ncc_output_data data;
    MUST(ncc_output_load(output, &data));
    CHECK(data.complete && data.n_pairs == c.pairs, "not complete");
    ncc_output_data_clear(&data);
    unlink(input);
    unlink(output);
  }
  ncc_job_finalize();
  return 0;
}
