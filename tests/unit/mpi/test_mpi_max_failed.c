/** --max-failed N: a run goes on after N failed pairs and gives up after one more; nonfinite, unreadable and uncertain
 *  pairs count, flat ones do not, nor those of the run that it resumes. */
#include "job_cases.h"

enum { PAIRS = 60 }; /* a hand-out each, so that few are under way when the run gives up */

static const uint8_t statuses[] = {NCC_PAIR_FLAT, NCC_PAIR_NONFINITE, NCC_PAIR_UNREADABLE, NCC_PAIR_UNCERTAIN};
enum { FAILED = 3 };

static int64_t same(int64_t row) {
  return row;
}

static ncc_status finished(void *context, const ncc_job_header *header, const ncc_job_totals *totals) {
  (void)header;
  *(int64_t *)context = totals->by_status[NCC_PAIR_PENDING];
  return NCC_OK;
}

/** @return how many pairs are pending afterwards. */
static int64_t run(const char *input, const char *output, bool resume, int64_t max_failed, ncc_status expected) {
  int64_t pending = -1;
  ncc_run_options options = job_options(input, output);
  ncc_job_observer observer = {.context = &pending, .finished = finished};
  options.handout_pairs = 1;
  options.resume = resume;
  options.overwrite = !resume;
  options.max_failed.given = true;
  options.max_failed.n = max_failed;
  ncc_status status = ncc_job_run(&options, &observer);
  CHECK(status == expected, "--max-failed %lld: status %d, expected %d: %s", (long long)max_failed, status, expected,
        ncc_error_message());
  return pending;
}

int main(int argc, char **argv) {
  job_case c = {"max_failed", PAIRS, PAIRS, PAIRS, 12, 10, false, same, same};
  int rank;
  MUST(ncc_job_init(&argc, &argv, &rank));
  const char *input = "max_failed_in.h5", *output = "max_failed_out.h5";
  job_write_input(input, &c);
  fake = (fake_behaviour){.first = statuses, .n_first = sizeof statuses};
  CHECK(run(input, output, false, FAILED, NCC_ERR_PAIRS) == 0, "not all are done");
  for (int64_t most = 0; most < FAILED; most++) {
    fake.pairs_done = 0;
    CHECK(run(input, output, false, most, NCC_ERR_STOPPED) > 0, "nothing was left to do");
    fake.pairs_done = sizeof statuses; /* no more fail, and those that did are not to count */
    CHECK(run(input, output, true, 0, NCC_ERR_PAIRS) == 0, "not all are done");
  }
  unlink(input);
  unlink(output);
  ncc_job_finalize();
  return 0;
}
