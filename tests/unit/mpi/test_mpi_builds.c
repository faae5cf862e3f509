/** Ranks of different builds end with one clear line, before anything else. Each rank takes the commit that it claims
 *  to be built from out of its environment. */
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "check.h"
#include "mpi/job.h"

const char *ncc_version(void) {
  return "0.1.0";
}

const char *ncc_commit(void) {
  const char *commit = getenv("TEST_COMMIT");
  return commit ? commit : "none";
}

int ncc_numerics_revision(void) {
  return 1;
}

int main(int argc, char **argv) {
  int rank;
  ncc_run_options options = {.input = "there is no such file.h5", .output = "out.h5", .threads = 1};
  CHECK(ncc_job_init(&argc, &argv, &rank) == NCC_OK, "%s", ncc_error_message());
  ncc_status status = ncc_job_run(&options, NULL);
  const char *message = ncc_error_message();
  if (argc > 1 && strcmp(argv[1], "same") == 0)
    CHECK(status == NCC_ERR_INPUT, "rank %d: status %d: %s", rank, status, message);
  else
    CHECK(status == NCC_ERR_INTERNAL && strstr(message, "rank 1 runs") && strstr(message, "commit b"),
          "rank %d: status %d: %s", rank, status, message);
  ncc_job_finalize();
  return 0;
}
