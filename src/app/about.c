/** See about.h: --help and --version. */
#include "app/about.h"

#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/version.h"
#include "dependencies.h"
#include "gpu/gpu.h"
#include "io/base/hdf5_version.h"
#include "match/fft.h"
#include "mpi/mpi_version.h"
#include "options/help.h"

void ncc_about_help(void) {
  const char *group = "";
  puts("usage: mpixcorr COMMAND [arguments]\n");
  ncc_help_wrap(stdout, "Batch normalised cross-correlation of EM images and templates over MPI.", 0, 0);
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++) {
    char term[128];
    int length = snprintf(term, sizeof term, "%s", entry->command->name);
    for (const ncc_operand *o = entry->command->operands; o && o->name; o++)
      length += snprintf(term + length, sizeof term - (size_t)length, " %s", o->name);
    if (strcmp(group, entry->group) != 0) ncc_help_heading(stdout, entry->group);
    group = entry->group;
    ncc_help_row(stdout, term, entry->brief);
  }
  ncc_help_heading(stdout, "this program");
  ncc_help_row(stdout, "help [COMMAND]", "this, or the options of a command; as --help");
  ncc_help_row(stdout, "version", "of the program and of the libraries in use; as --version");
  ncc_help_row(stdout, "completion bash|zsh", "completions to be sourced, where they are not installed");
  ncc_help_examples(stdout,
                    "mpixcorr generate in.h5 --preset tiny\n"
                    "mpirun -n 2 mpixcorr run in.h5 peaks.h5\n"
                    "mpixcorr table peaks.h5");
}

void ncc_about_version(void) {
  printf("mpixcorr %s (commit %s, numerics revision %d)\n", ncc_version(), ncc_commit(), ncc_numerics_revision());
  printf("MPI      %s\n", ncc_mpi_version());
  printf("HDF5     %s\n", ncc_hdf5_version());
  printf("FFT      %s\n", ncc_fft_library());
  printf("GPU      %s\n", ncc_gpu_version());
  printf("engines  %s, %s%s\n", ncc_engine_name(ncc_engine_cpu()), ncc_engine_name(ncc_engine_reference()),
         ncc_engine_gpu() ? ", gpu" : "");
  puts("built    with " NCC_BUILT_WITH);
  if (*NCC_BUILT_WITHOUT) puts("         without " NCC_BUILT_WITHOUT);
}
