/** Fuzz target: command lines of `run`, an argument a line. What is accepted can be described, and the description
 *  means the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options/run.h"

enum { MOST = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1), *rest = text;
  char *argv[MOST + 2] = {(char *)"run"};
  int argc = 1;
  memcpy(text, data, size);
  text[size] = '\0';
  for (char *word; argc <= MOST && (word = strsep(&rest, "\n"));) argv[argc++] = word;
  argv[argc] = NULL;
  ncc_run_options options;
  bool help;
  if (ncc_run_options_parse(argc, argv, &options, &help) == NCC_OK && !help) {
    char *first = NULL, *second = NULL, *copy = NULL;
    ncc_run_options again;
    if (ncc_run_options_describe(&options, &first) != NCC_OK) abort();
    if (!strchr(first, '\'')) { /* no word was quoted, so blanks part them */
      copy = strdup(first);
      char *at = copy, *words[128] = {(char *)"run"};
      int n = 1;
      for (char *word; n < 120 && (word = strsep(&at, " "));)
        if (*word) words[n++] = word;
      words[n++] = (char *)"--";
      words[n++] = (char *)options.input;
      if (options.output) words[n++] = (char *)options.output; /* --dry-run needs none */
      if (ncc_run_options_parse(n, words, &again, &help) != NCC_OK) abort();
      if (ncc_run_options_describe(&again, &second) != NCC_OK || strcmp(first, second) != 0) abort();
      ncc_run_options_clear(&again);
    }
    free(first);
    free(second);
    free(copy);
  }
  ncc_run_options_clear(&options);
  free(text);
  return 0;
}
