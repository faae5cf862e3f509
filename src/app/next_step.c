/** See next_step.h. */
#include "app/next_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void ncc_next_step_print(const char *input, const char *run, const char *table) {
  const size_t length = strlen(input), suffix = length > 3 && strcmp(input + length - 3, ".h5") == 0 ? 3 : 0;
  char *results = NULL;
  if (asprintf(&results, "%.*s_peaks.h5", (int)(length - suffix), input) < 0) return;
  fputs("next         mpixcorr run ", stdout);
  ncc_text_quote(stdout, input);
  putchar(' ');
  ncc_text_quote(stdout, results);
  printf(" %s\n             mpixcorr table ", run);
  ncc_text_quote(stdout, results);
  printf(" %s\n", table);
  free(results);
}
