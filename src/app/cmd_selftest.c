/** `mpixcorr selftest`: is this build right on this machine? Also a program of its own, mpixcorr-selftest, where there
 *  is neither MPI nor HDF5. */
#include <sched.h>
#include <stdio.h>

#include "app/commands.h"
#include "base/error.h"
#include "gpu/gpu.h"
#include "options/run.h"
#include "selftest/selftest.h"

typedef struct selftest_options {
  ncc_device device;
  int threads;
  double seconds;
} selftest_options;

static const ncc_operand operands[] = {{NULL, 0, NULL}};

static const ncc_option options[] = {{.name = "device",
                                      .kind = NCC_OPTION_CHOICE,
                                      .offset = offsetof(selftest_options, device),
                                      .argument = "auto|cpu|gpu",
                                      .initial = "auto",
                                      .help = "engine to test; auto takes the first GPU where there is one"},
                                     {.name = "threads",
                                      .kind = NCC_OPTION_INT,
                                      .offset = offsetof(selftest_options, threads),
                                      .argument = "N",
                                      .default_words = "the cores that this process may use",
                                      .help = "CPU threads",
                                      .min = 1,
                                      .max = 4096},
                                     {.name = "seconds",
                                      .kind = NCC_OPTION_DOUBLE,
                                      .offset = offsetof(selftest_options, seconds),
                                      .argument = "S",
                                      .initial = "3",
                                      .help = "measure the rate of each preset for so long; 0 leaves rates out",
                                      .min = 0,
                                      .max = 3600},
                                     {.name = NULL}};

const ncc_command ncc_selftest_command = {
    .name = "selftest",
    .summary =
        "Is this build right on this machine? Some hundred built-in pairs of all pixel types against direct "
        "sums and known places, one digest of all answers against the published one, and pairs a second.",
    .details =
        "Exit code 0: all is right; 1: it is not, and the page says what. The digest is the same on every CPU "
        "and GPU. Run it once on every kind of node.",
    .examples =
        "mpixcorr selftest\n"
        "srun -N 8 --ntasks-per-node=1 mpixcorr selftest --seconds 0\ton every node of a job",
    .operands = operands,
    .options = options};

/** The engine that was asked for, or a reason. */
static ncc_status choose_engine(ncc_device device, ncc_config *config) {
  char reason[256] = "";
  const int gpus = device == NCC_DEVICE_CPU ? 0 : ncc_gpu_count(reason, sizeof reason);
  if (device == NCC_DEVICE_GPU && gpus == 0) return ncc_error_set(NCC_ERR_DEVICE, "--device gpu: %s", reason);
  config->engine = gpus > 0 ? ncc_engine_gpu() : ncc_engine_cpu();
  return NCC_OK;
}

ncc_status ncc_cmd_selftest(int argc, char **argv) {
  ncc_status status = NCC_OK;
  selftest_options values = {0};
  ncc_selftest_options test = {0};
  bool help = false;
  cpu_set_t cores;
  NCC_TRY(ncc_command_parse(&ncc_selftest_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_selftest_command, stdout);
    return NCC_OK;
  }
  NCC_TRY(choose_engine(values.device, &test.config));
  test.config.threads = values.threads                                    ? values.threads
                        : sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores)
                                                                          : 1;
  test.rate_seconds = values.seconds;
  NCC_TRY(ncc_selftest_run(&test, stdout));
cleanup:
  return status;
}
