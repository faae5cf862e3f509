/** A rank whose matcher fails ends the job on all ranks with one status and one message that names rank and host; what
 *  was done stays in the part; and the next job works. */
#include "job_cases.h"

static int64_t hundredth(int64_t row) {
  return row / 100;
}
static int64_t cyclic(int64_t row) {
  return row % 500;
}

int main(int argc, char **argv) {
  job_case c = {"problem", 100, 500, 10000, 12, 10, false, hundredth, cyclic};
  int rank, ranks = argc > 1 ? atoi(argv[1]) : 1;
  char input[64], output[64], part[80], expected[32];
  MUST(ncc_job_init(&argc, &argv, &rank));
  job_path(input, sizeof input, "problem", "in", ranks);
  job_path(output, sizeof output, "problem", "out", ranks);
  snprintf(part, sizeof part, "%s.part", output);
  if (rank == 0) job_write_input(input, &c);
  if (rank == 0) unlink(output);
  for (int failing = 0; failing < ranks; failing++) {
    ncc_run_options options = job_options(input, output);
    options.read = failing % 2 ? NCC_READ_ROOT : NCC_READ_ALL;
    fake = (fake_behaviour){.sleep_s = 1e-4, .fail_after = rank == failing ? 20 : 0};
    ncc_status status = ncc_job_run(&options, NULL);
    CHECK(status == NCC_ERR_NOMEM, "rank %d: status %d: %s", rank, status, ncc_error_message());
    snprintf(expected, sizeof expected, "rank %d on ", failing);
    CHECK(strstr(ncc_error_message(), "the fake matcher has no memory") &&
              (failing == 0 || strncmp(ncc_error_message(), expected, strlen(expected)) == 0),
          "rank %d: %s", rank, ncc_error_message());
    if (rank == 0) CHECK(access(part, F_OK) == 0 && access(output, F_OK) != 0, "%s is not there", part);
  }
  fake = (fake_behaviour){0};
  ncc_run_options options = job_options(input, output);
  MUST(ncc_job_run(&options, NULL));
  if (rank == 0) job_check_output(output, &c);
  if (rank == 0) unlink(input);
  if (rank == 0) unlink(output);
  ncc_job_finalize();
  return 0;
}
