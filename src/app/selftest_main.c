/** mpixcorr-selftest: the self-test as a program of the library alone. */
#include <stdio.h>

#include "app/commands.h"
#include "base/error.h"

int main(int argc, char **argv) {
  const ncc_status status = ncc_cmd_selftest(argc, argv);
  if (status != NCC_OK && status != NCC_ERR_DIFFERENT) fprintf(stderr, "mpixcorr-selftest: %s\n", ncc_error_message());
  return ncc_status_exit_code(status);
}
