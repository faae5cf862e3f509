/** See man_page.h. */
#include "app/man_page.h"

#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "options/table.h"

void ncc_man_page_begin(void) {
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

void ncc_man_page_end(void) {
  puts(".SH EXIT STATUS");
  print_exit_codes();
  puts(
      ".SH FILES\n"
      "What input and output files hold, and what a folder to import may hold, is told in file\\-format.md beside the\n"
      "program's other documents.\n"
      ".SH SEE ALSO\n"
      ".BR mpirun (1),\n"
      ".BR h5dump (1)");
}
