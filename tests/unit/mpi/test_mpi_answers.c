/** Rank 0's own work never delays its answers: while its matcher spins on a single pair, and other threads keep every
 *  core busy, the other ranks get and finish everything that it does not hold itself. Time is counted in processor
 *  seconds of the answering thread, and in what others get done: a busy machine changes neither. */
#include <pthread.h>
#include <stdatomic.h>

#include "job_cases.h"
#include "plan/schedule.h"

enum { PAIRS = 400, HOGS = 3, HELD = NCC_SCHEDULE_AHEAD }; /* hand-outs have one pair here */

static atomic_bool others_done, over;

static int64_t same(int64_t row) {
  return row;
}

static bool may_go_on(void) {
  return atomic_load(&others_done);
}

static void progressed(void *context, int64_t done, int64_t total) {
  int64_t *seen = context;
  *seen = done;
  if (done >= total - HELD) atomic_store(&others_done, true);
}

static ncc_status finished(void *context, const ncc_job_header *header, const ncc_job_totals *totals) {
  (void)context, (void)header;
  printf("rank 0 was busy for at most %.2f ms at a time, in %lld hand-outs\n", 1e3 * totals->turn_cpu_s,
         (long long)totals->handouts);
  CHECK(totals->handouts == PAIRS, "%lld hand-outs", (long long)totals->handouts);
  CHECK(totals->turn_cpu_s < 0.05, "rank 0 was busy for %.3f s at a time", totals->turn_cpu_s);
  return NCC_OK;
}

static void *hog(void *nothing) {
  while (!atomic_load(&over)) continue;
  return nothing;
}

int main(int argc, char **argv) {
  job_case c = {"answers", PAIRS, PAIRS, PAIRS, 12, 10, false, same, same};
  int rank, ranks = argc > 1 ? atoi(argv[1]) : 1;
  char input[64], output[64];
  pthread_t hogs[HOGS];
  int64_t seen = 0;
  MUST(ncc_job_init(&argc, &argv, &rank));
  job_path(input, sizeof input, "answers", "in", ranks);
  job_path(output, sizeof output, "answers", "out", ranks);
  if (rank == 0) job_write_input(input, &c);
  ncc_run_options options = job_options(input, output);
  options.handout_pairs = 1;
  ncc_job_observer observer = {.context = &seen, .progressed = progressed, .finished = finished};
  if (rank == 0) {
    fake.until = may_go_on;
    for (int i = 0; i < HOGS; i++) CHECK(pthread_create(&hogs[i], NULL, hog, NULL) == 0, "no thread");
  }
  MUST(ncc_job_run(&options, rank == 0 ? &observer : NULL));
  atomic_store(&over, true);
  for (int i = 0; rank == 0 && i < HOGS; i++) pthread_join(hogs[i], NULL);
  CHECK(rank > 0 || fake.pairs_done <= HELD,
        "rank 0 did %lld pairs, expected %d at most: the others had to wait for it", (long long)fake.pairs_done, HELD);
  if (rank == 0) job_check_output(output, &c);
  if (rank == 0) unlink(input);
  if (rank == 0) unlink(output);
  ncc_job_finalize();
  return 0;
}
