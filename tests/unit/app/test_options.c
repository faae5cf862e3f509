/** The option table and the run's options: what is parsed, what is echoed, and that the echo parses to the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "options/command_line.h"
#include "options/run.h"

#define EXPECT(condition) CHECK(condition, "last error: %s", ncc_error_message())

enum { MAX_WORDS = 64 };

/** Splits at blanks and parses; `line` must outlive the options. */
static ncc_status parse(char *line, ncc_run_options *options, bool *help) {
  char *argv[MAX_WORDS + 1] = {"run"};
  int argc = 1;
  for (char *word = strtok(line, " "); word && argc < MAX_WORDS; word = strtok(NULL, " ")) argv[argc++] = word;
  return ncc_run_options_parse(argc, argv, options, help);
}

static void test_defaults(void) {
  char line[] = "in.h5 out.h5";
  ncc_run_options options;
  bool help;
  EXPECT(parse(line, &options, &help) == NCC_OK && !help);
  EXPECT(strcmp(options.input, "in.h5") == 0 && strcmp(options.output, "out.h5") == 0);
  EXPECT(options.group && !options.overwrite && !options.skip_bad_pairs && !options.report);
  EXPECT(options.threads == 0 && options.device == NCC_DEVICE_AUTO && options.read == NCC_READ_AUTO);
  EXPECT(options.search.crop_x == 0 && options.search.crop_y == 0 && !options.search.crop_half);
  EXPECT(options.search.eps == 0 && !options.search.normalize && options.mask_values.n == 0);
  EXPECT(ncc_search_is_default(&options.search));
  EXPECT(strcmp(options.command_line, "mpixcorr run in.h5 out.h5") == 0);
  char *results;
  EXPECT(ncc_run_options_describe_results(&options, &results) == NCC_OK);
  EXPECT(strncmp(results, "--crop=0,0 --min-overlap=0 --normalize=off", 42) == 0);
  free(results);
  ncc_run_options_clear(&options);
}

static void test_values_in_any_order(void) {
  char line[] =
      "--crop 12,7 in.h5 --eps=1e-6 --threads 3 --no-group out.h5 --normalize --device cpu --read root "
      "--on-bad-pair skip --min-overlap 0.25 --overwrite --report r.json --progress log";
  ncc_run_options options;
  bool help;
  EXPECT(parse(line, &options, &help) == NCC_OK);
  EXPECT(strcmp(options.input, "in.h5") == 0 && strcmp(options.output, "out.h5") == 0);
  EXPECT(options.search.crop_x == 12 && options.search.crop_y == 7);
  EXPECT(options.search.eps == 1e-6 && options.search.min_overlap == 0.25 && options.search.normalize);
  EXPECT(options.threads == 3 && !options.group && options.device == NCC_DEVICE_CPU && options.read == NCC_READ_ROOT);
  EXPECT(options.skip_bad_pairs && options.overwrite && options.progress == NCC_PROGRESS_LOG);
  EXPECT(options.report && strcmp(options.report, "r.json") == 0);
  ncc_run_options_clear(&options);
}

static void test_outside_decides_the_overlap(void) {
  static const struct {
    char line[64];
    bool masked, ignores;
    double overlap; /* -1: refused */
  } cases[] = {{"a b --outside ignore", false, true, 0.3},
               {"a b --min-overlap 0 --outside ignore", false, true, 0},
               {"a b --outside zero", false, false, 0},
               {"a b", false, false, 0},
               {"a b", true, true, 0.3},
               {"a b --min-overlap 0.1", true, true, 0.1},
               {"a b --outside zero", true, false, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ncc_run_options options;
    bool help;
    char *results, line[64];
    strcpy(line, cases[i].line);
    EXPECT(parse(line, &options, &help) == NCC_OK);
    EXPECT(ncc_search_is_default(&options.search) == (strlen(cases[i].line) == 3));
    const ncc_status settled = ncc_search_settle(&options.search, cases[i].masked);
    EXPECT((settled == NCC_ERR_USAGE) == (cases[i].overlap < 0));
    if (settled == NCC_OK) {
      EXPECT(options.search.outside == (cases[i].ignores ? NCC_OUTSIDE_IGNORE : NCC_OUTSIDE_ZERO));
      EXPECT(options.search.min_overlap == cases[i].overlap);
      EXPECT(ncc_run_options_describe_results(&options, &results) == NCC_OK);
      EXPECT(!strstr(results, "--outside=ignore") == !cases[i].ignores);
      free(results);
    }
    ncc_run_options_clear(&options);
  }
}

static void test_mask_values(void) {
  char line[] = "a b --mask-value 0,-1.5,nan,1e300",
       bad[][40] = {"a b --mask-value ,", "a b --mask-value 1,,2", "a b --mask-value black", "a b --mask-value 1,"};
  ncc_run_options options;
  bool help;
  char *results;
  EXPECT(parse(line, &options, &help) == NCC_OK && options.mask_values.n == 4);
  EXPECT(options.mask_values.values[1] == -1.5 && isnan(options.mask_values.values[2]));
  EXPECT(ncc_run_options_describe_results(&options, &results) == NCC_OK);
  EXPECT(strstr(results, "--mask-value=0,-1.5,nan,1e+300") != NULL);
  free(results);
  ncc_run_options_clear(&options);
  for (int i = 0; i < 4; i++) {
    EXPECT(parse(bad[i], &options, &help) == NCC_ERR_USAGE);
    ncc_run_options_clear(&options);
  }
}

static void test_last_one_wins(void) {
  char line[] = "a b --crop half --crop 1,2 --no-group --group --normalize --normalize=off";
  ncc_run_options options;
  bool help;
  EXPECT(parse(line, &options, &help) == NCC_OK);
  EXPECT(!options.search.crop_half && options.search.crop_x == 1 && options.search.crop_y == 2);
  EXPECT(options.group && !options.search.normalize);
  ncc_run_options_clear(&options);
}

static void test_echo_parses_to_the_same(void) {
  char line[] =
      "a b --crop half --eps 0.1 --min-overlap 0.3333333333333333 --no-group --threads 5 --report x --overwrite "
      "--rotate -0.5:6.25:0.125";
  ncc_run_options options, again;
  bool help;
  char *first, *second;
  EXPECT(parse(line, &options, &help) == NCC_OK);
  EXPECT(ncc_run_options_describe(&options, &first) == NCC_OK);
  EXPECT(strstr(first, "--crop=half ") && strstr(first, "--eps=0.1 ") && strstr(first, "--group=off"));
  EXPECT(strstr(first, "--rotate=-0.5:6.25:0.125 "));
  char typed[1024];
  snprintf(typed, sizeof typed, "a b %s", first);
  EXPECT(parse(typed, &again, &help) == NCC_OK);
  EXPECT(ncc_run_options_describe(&again, &second) == NCC_OK);
  EXPECT(strcmp(first, second) == 0);
  EXPECT(again.search.rotate_from == -500000 && again.search.rotate_to == 6250000 &&
         again.search.rotate_step == 125000);
  EXPECT(again.search.eps == options.search.eps && again.search.min_overlap == options.search.min_overlap);
  free(first);
  free(second);
  ncc_run_options_clear(&options);
  ncc_run_options_clear(&again);
}

static void test_results_do_not_name_the_rest(void) {
  char one[] = "a b --threads 2 --no-group --read root --progress none --overwrite --device cpu";
  char other[] = "a b --threads 1";
  ncc_run_options options, again;
  bool help;
  char *first, *second;
  EXPECT(parse(one, &options, &help) == NCC_OK && parse(other, &again, &help) == NCC_OK);
  EXPECT(ncc_run_options_describe_results(&options, &first) == NCC_OK);
  EXPECT(ncc_run_options_describe_results(&again, &second) == NCC_OK);
  EXPECT(strcmp(first, second) == 0);
  free(first);
  free(second);
  ncc_run_options_clear(&options);
  ncc_run_options_clear(&again);
}

static void test_results_name_what_may_change_them(void) {
  static const char *const changes[] = {"--crop 1,0",        "--crop 0,1",     "--crop half",
                                        "--min-overlap 0.5", "--normalize=on", "--eps 0.0001",
                                        "--quality",         "--peaks 3",      "--separation 4"};
  char plain[] = "a b";
  ncc_run_options options;
  bool help;
  char *usual, *changed;
  EXPECT(parse(plain, &options, &help) == NCC_OK);
  EXPECT(ncc_run_options_describe_results(&options, &usual) == NCC_OK);
  ncc_run_options_clear(&options);
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    char line[64];
    snprintf(line, sizeof line, "a b %s", changes[i]);
    EXPECT(parse(line, &options, &help) == NCC_OK);
    EXPECT(ncc_run_options_describe_results(&options, &changed) == NCC_OK);
    CHECK(strcmp(usual, changed) != 0, "%s does not count", changes[i]);
    free(changed);
    ncc_run_options_clear(&options);
  }
  free(usual);
}

static void test_double_dash_and_help(void) {
  char dashes[] = "--overwrite -- --in --out", help_line[] = "--help --no-such";
  ncc_run_options options;
  bool help;
  EXPECT(parse(dashes, &options, &help) == NCC_OK);
  EXPECT(options.overwrite && strcmp(options.input, "--in") == 0 && strcmp(options.output, "--out") == 0);
  ncc_run_options_clear(&options);
  EXPECT(parse(help_line, &options, &help) == NCC_OK && help);
  ncc_run_options_clear(&options);
}

static void test_errors_name_what_was_found(void) {
  char line[] = "a b --threads many";
  ncc_run_options options;
  bool help;
  EXPECT(parse(line, &options, &help) == NCC_ERR_USAGE);
  const char *message = ncc_error_message();
  EXPECT(strstr(message, "--threads") && strstr(message, "'many'") && strstr(message, "a whole number"));
  ncc_run_options_clear(&options);
}

static void test_quoting(void) {
  char *argv[] = {"run", "my file.h5", "it's", "", "--crop=1,2"};
  char *text = ncc_command_line_words(&ncc_run_command, 5, argv, NULL, NULL);
  EXPECT(text && strcmp(text, "mpixcorr run 'my file.h5' 'it'\\''s' '' --crop=1,2") == 0);
  free(text);
}

static void expect_without(int n, char **words, const char *with, const char *expected) {
  char *text = ncc_command_line_words(&ncc_run_command, n, words, (const char *[]){"overwrite", "resume", NULL}, with);
  EXPECT(text && strcmp(text, expected) == 0);
  free(text);
}

static void test_options_left_out(void) {
  char *names[] = {"run", "see --overview.h5", "a --restored.h5", "--over", "--report", "--overwrite", "--res=on"};
  expect_without(7, names, "--resume",
                 "mpixcorr run 'see --overview.h5' 'a --restored.h5' --report --overwrite --resume");
  char *operands[] = {"run", "--overwrite", "--", "--overwrite", "--resume"};
  expect_without(5, operands, "--resume", "mpixcorr run --resume -- --overwrite --resume");
  char *several[] = {"run", "a", "b", "--re", "--crop=--resume", "--crop", "--resume"}; /* --read, --report, --resume */
  expect_without(7, several, NULL, "mpixcorr run a b --re --crop=--resume --crop --resume");
}

int main(void) {
  test_defaults();
  test_values_in_any_order();
  test_outside_decides_the_overlap();
  test_mask_values();
  test_last_one_wins();
  test_echo_parses_to_the_same();
  test_results_do_not_name_the_rest();
  test_results_name_what_may_change_them();
  test_double_dash_and_help();
  test_errors_name_what_was_found();
  test_quoting();
  test_options_left_out();
  return 0;
}
