/** Dispatch to the commands, and what belongs to none of them: --help, --version and the one error line.
 *
 *  Only `run` starts MPI. What fails before that would be printed by every process of a launcher, so the rank is taken
 *  from the launcher's environment. All other commands speak in every process: they know nothing of each other, and
 * what a scheduler or an MPI program left in the environment is not theirs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/launcher.h"
#include "app/man_page.h"
#include "app/probe.h"
#include "base/error.h"
#include "base/files.h"
#include "base/version.h"
#include "gpu/gpu.h"
#include "io/base/hdf5_version.h"
#include "match/fft.h"
#include "mpi/mpi_version.h"

typedef struct command_entry {
  const char *name;
  ncc_status (*run)(int argc, char **argv);
  const char *operands, *summary;
} command_entry;

static const command_entry commands[] = {
    {"run", ncc_cmd_run, "INPUT OUTPUT", "correlate every pair of a file; under mpirun or srun, or alone"},
    {"generate", ncc_cmd_generate, "OUTPUT", "make EM-like input with known answers"},
    {"info", ncc_cmd_info, "FILE", "say what an input or output file holds"},
    {"compare", ncc_cmd_compare, "A B", "compare results with results, or with known answers"},
    {"table", ncc_cmd_table, "OUTPUT", "show results as rows, worst first"},
    {"map", ncc_cmd_map, "INPUT OUT", "draw a match, its NCC map, or a sheet of doubtful pairs"},
    {"import", ncc_cmd_import, "DIR OUTPUT", "make an input file of TIFF, PNG, MAT, NumPy and CSV files"},
    {"selftest", ncc_cmd_selftest, "", "is this build right on this machine?"},
};
enum {
  COMMAND_COUNT = sizeof commands / sizeof commands[0],
  /* A launcher ends all processes as soon as one exits with an error: rank 0 must come first, to say what it is. Where
     MPI was never started nothing else orders them; rank 0's exit cuts this short. */
  WAIT_FOR_RANK_0_S = 3
};

static void print_help(void) {
  puts(
      "usage: mpixcorr COMMAND [arguments]\n\nBatch normalised cross-correlation of EM images and templates over "
      "MPI.\n");
  for (int i = 0; i < COMMAND_COUNT; ++i) {
    const int width = printf("  %s %s", commands[i].name, commands[i].operands);
    printf("%*s%s\n", 24 - width, "", commands[i].summary);
  }
  puts(
      "\n"
      "  --version             versions of the program and of the libraries in use\n"
      "  --help                this; 'mpixcorr COMMAND --help' shows the options of a command");
}

static void print_version(void) {
  printf("mpixcorr %s (commit %s, numerics revision %d)\n", ncc_version(), ncc_commit(), ncc_numerics_revision());
  printf("MPI      %s\n", ncc_mpi_version());
  printf("HDF5     %s\n", ncc_hdf5_version());
  printf("FFT      %s\n", ncc_fft_library());
  printf("GPU      %s\n", ncc_gpu_version());
  printf("engines  %s, %s%s\n", ncc_engine_name(ncc_engine_cpu()), ncc_engine_name(ncc_engine_reference()),
         ncc_engine_gpu() ? ", gpu" : "");
}

/** Not in --help: the build asks for it. */
static void print_man(void) {
  char option[] = "--man";
  ncc_man_page_begin();
  for (int i = 0; i < COMMAND_COUNT; ++i) commands[i].run(2, (char *[]){option, option, NULL});
  ncc_man_page_end();
}

static ncc_status dispatch(int argc, char **argv) {
  if (argc < 2) return ncc_error_set(NCC_ERR_USAGE, "no command, expected one of 'mpixcorr --help'");
  const char *word = argv[1];
  for (int i = 0; i < COMMAND_COUNT; ++i)
    if (strcmp(word, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
  if (strcmp(word, NCC_PROBE_INPUT) == 0 || strcmp(word, NCC_PROBE_OUTPUT) == 0)
    return ncc_cmd_probe(argc - 1, argv + 1);
  void (*print)(void) = NULL;
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) print = print_help;
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) print = print_version;
  if (strcmp(word, "--man") == 0) print = print_man;
  if (!print) return ncc_error_set(NCC_ERR_USAGE, "unknown command '%s', expected one of 'mpixcorr --help'", word);
  if (argc > 2) return ncc_error_set(NCC_ERR_USAGE, "%s: unexpected argument '%s', expected none", word, argv[2]);
  print();
  return NCC_OK;
}

int main(int argc, char **argv) {
  const bool parallel = argc > 1 && strcmp(argv[1], commands[0].name) == 0; /* `run` */
  const int rank = ncc_launcher_rank();                                     /* before MPI changes the environment */
  signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is told by write(), as a full disk is */
  ncc_hdf5_leave_at_exit();
  ncc_status status = dispatch(argc, argv);
  const int error = ncc_file_flush(stdout);
  if ((error || ferror(stdout)) && status == NCC_OK)
    status = ncc_error_set(NCC_ERR_OUTPUT, "standard output: cannot be written: %s", ncc_error_words(error));
  /* a difference found, pairs without an answer, an early stop: outcomes that have been told, not errors */
  const bool outcome = status == NCC_ERR_DIFFERENT || status == NCC_ERR_PAIRS || status == NCC_ERR_STOPPED;
  const char *message = ncc_error_message();
  if (status != NCC_OK && !outcome && message[0]) {
    /* the other ranks of a run have the same words on their command line; what else goes wrong may be theirs alone */
    if (!parallel || rank == 0 || status != NCC_ERR_USAGE)
      fprintf(stderr, "mpixcorr: %s\n", message);
    else
      sleep(WAIT_FOR_RANK_0_S);
  }
  return ncc_status_exit_code(status);
}
