/** See about.h: the man page, written once at build time. */
#include "app/about.h"

#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/version.h"
#include "options/table.h"

static void print_beginning(void) {
  printf(".TH MPIXCORR 1 \"\" \"mpixcorr %s\" \"User Commands\"\n", ncc_version());
  puts(
      ".SH NAME\n"
      "mpixcorr \\- batch normalised cross\\-correlation of EM images and templates over MPI\n"
      ".SH SYNOPSIS\n"
      ".B mpixcorr\n"
      ".I COMMAND\n"
      "[arguments]\n"
      ".br\n"
      ".B mpirun \\-n\n"
      ".I N\n"
      ".B mpixcorr run\n"
      ".I INPUT OUTPUT\n"
      "[options]\n"
      ".SH DESCRIPTION\n"
      "Finds where each template lies in its image, for all pairs of an HDF5 file: the peak of the normalised\n"
      "cross\\-correlation in full mode, exact in float64, the same bytes on any number of ranks and threads.\n"
      ".SH COMMANDS");
}

/** One line for each exit code, with the meanings of all statuses that have it. */
static void print_exit_codes(void) {
  static const struct {
    int code;
    const char *text;
  } statuses[] = {
#define ROW(name, exit_code, text) {exit_code, text},
      NCC_STATUS_TABLE(ROW)
#undef ROW
  };
  enum { COUNT = sizeof statuses / sizeof statuses[0] };
  int printed = -1; /* codes ascend in the table */
  for (int i = 0; i < COUNT; ++i) {
    if (statuses[i].code <= printed) continue;
    printed = statuses[i].code;
    printf(".TP\n\\fB%d\\fR\n", printed);
    for (int k = i; k < COUNT && statuses[k].code == printed; ++k) {
      if (k > i) fputs("; ", stdout);
      ncc_roff_print(stdout, statuses[k].text);
    }
    putchar('\n');
  }
}

/** What the environment may say; a test holds this to what the sources ask for. */
static void print_environment(void) {
  static const struct {
    const char *name, *meaning;
  } variables[] = {
      {"MPIXCORR_ISA", "the widest instruction set to be used: plain, avx2 or avx512. Results do not depend on it."},
      {"MPIXCORR_PATIENCE_S", "seconds without a word from a rank until a run says so and gives it up."},
      {"MPIXCORR_SYNC_S", "seconds between two moments at which finished rows are safe on disk."},
      {"XDG_CACHE_HOME, HOME", "where FFT plans are kept between runs: mpixcorr in the user's cache directory."},
      {"NO_COLOR", "no colours on a terminal. TERM=dumb says the same."},
      {"CUDA_VISIBLE_DEVICES", "which GPUs may be used."},
      {"HDF5_PLUGIN_PATH, HDF5_EXTFILE_PREFIX, HDF5_VDS_PREFIX", "as HDF5 defines them."},
  };
  puts(".SH ENVIRONMENT");
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    fputs(".TP\n\\fB", stdout);
    ncc_roff_print(stdout, variables[i].name);
    fputs("\\fR\n", stdout);
    ncc_roff_print(stdout, variables[i].meaning);
    putchar('\n');
  }
}

void ncc_about_man(void) {
  print_beginning();
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++)
    ncc_command_print_man(entry->command, stdout);
  puts(
      ".SS \"mpixcorr help [COMMAND], mpixcorr version\"\n"
      "What \\-\\-help and \\-\\-version say. Every command has \\fB\\-h\\fR, \\fB\\-\\-help\\fR and \\fB\\-q\\fR,\n"
      "\\fB\\-\\-quiet\\fR: nothing but errors and warnings, which then go to stderr.\n"
      ".SH EXAMPLES");
  ncc_roff_examples(stdout,
                    "mpixcorr generate in.h5 --preset tiny\tmake EM-like input with known answers\n"
                    "mpirun -n 4 mpixcorr run in.h5 peaks.h5\tcorrelate its pairs\n"
                    "mpixcorr table peaks.h5\tlook at them, worst first\n"
                    "mpixcorr info --check peaks.h5\task in a script whether the output is complete");
  print_environment();
  puts(".SH EXIT STATUS");
  print_exit_codes();
  puts(
      ".SH FILES\n"
      "What input and output files hold, and what a folder to import may hold, is told in docs/file\\-format.md of\n"
      "the program's documents.\n"
      ".SH SEE ALSO\n"
      ".BR mpirun (1),\n"
      ".BR srun (1),\n"
      ".BR h5dump (1);\n"
      "docs/README.md in the program's documents (share/doc/mpixcorr) leads to all of them.");
}
