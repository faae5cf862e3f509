#include "options/table.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "options/nearest.h"

enum {
  HELP_CODE = 256, /* what getopt_long returns for --help; row r of the table is HELP_CODE + 1 + r */
  VALUE_BYTES = 512
};

static bool quiet; /**< -q was given */

bool ncc_command_quiet(void) {
  return quiet;
}

/** -q: what is said on stdout goes nowhere. */
static ncc_status be_quiet(void) {
  quiet = true;
  return freopen("/dev/null", "w", stdout) ? NCC_OK : ncc_error_set(NCC_ERR_INTERNAL, "/dev/null: cannot be opened");
}

bool ncc_option_takes_argument(const ncc_option *option) {
  return option->kind != NCC_OPTION_FLAG && option->kind != NCC_OPTION_NO;
}

static size_t option_count(const ncc_command *command) {
  size_t n = 0;
  while (command->options && command->options[n].name) ++n;
  return n;
}

static bool bounded(const ncc_option *option) {
  return option->min != 0 || option->max != 0;
}

/** Index of `text` among words separated by '|', or -1. */
static int choice_index(const char *words, const char *text) {
  const size_t text_length = strlen(text);
  for (int index = 0;; ++index) {
    const size_t length = strcspn(words, "|");
    if (length == text_length && strncmp(words, text, length) == 0) return index;
    if (words[length] == '\0') return -1;
    words += length + 1;
  }
}

static void choice_word(const char *words, int index, char *text, size_t text_bytes) {
  for (; index > 0; --index) words += strcspn(words, "|") + 1;
  snprintf(text, text_bytes, "%.*s", (int)strcspn(words, "|"), words);
}

static bool parse_integer(const char *text, int64_t lowest, int64_t highest, int64_t *out) {
  if (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+') return false;
  char *end;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  if (errno || end == text || *end || value < lowest || value > highest) return false;
  *out = value;
  return true;
}

static bool parse_double(const char *text, double *out) {
  if (text[0] == '\0' || isspace((unsigned char)text[0])) return false;
  char *end;
  *out = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*out);
}

static bool in_bounds(const ncc_option *option, double value) {
  return !bounded(option) || (value >= option->min && value <= option->max);
}

/** Sets the target of a row. @return false if `text` is not what the row expects. */
static bool option_set(const ncc_option *option, const char *text, void *values) {
  void *target = (char *)values + option->offset;
  int64_t integer;
  switch (option->kind) {
    case NCC_OPTION_FLAG:
    case NCC_OPTION_NO: {
      const int word = text ? choice_index("off|on", text) : 1;
      if (word < 0) return false;
      *(bool *)target = (word == 1) == (option->kind == NCC_OPTION_FLAG);
      return true;
    }
    case NCC_OPTION_INT:
      if (!parse_integer(text, INT32_MIN, INT32_MAX, &integer) || !in_bounds(option, (double)integer)) return false;
      *(int *)target = (int)integer;
      return true;
    case NCC_OPTION_INT64:
      if (!parse_integer(text, INT64_MIN, INT64_MAX, &integer) || !in_bounds(option, (double)integer)) return false;
      *(int64_t *)target = integer;
      return true;
    case NCC_OPTION_DOUBLE: {
      double value;
      if (!parse_double(text, &value) || !in_bounds(option, value)) return false;
      *(double *)target = value;
      return true;
    }
    case NCC_OPTION_STRING:
      if (text[0] == '\0') return false;
      *(const char **)target = text;
      return true;
    case NCC_OPTION_CHOICE: {
      const int index = choice_index(option->argument, text);
      if (index < 0) return false;
      *(int *)target = index;
      return true;
    }
    case NCC_OPTION_CUSTOM:
      return option->parse(text, target);
  }
  return false;
}

void ncc_double_format(double value, char *text, size_t text_bytes) {
  for (int digits = 15; digits <= 17; ++digits) {
    snprintf(text, text_bytes, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
}

/** The value as one would type it; empty where the option is not in effect. */
static void option_get(const ncc_option *option, const void *values, char *text, size_t text_bytes) {
  const void *target = (const char *)values + option->offset;
  text[0] = '\0';
  switch (option->kind) {
    case NCC_OPTION_FLAG:
      snprintf(text, text_bytes, "%s", *(const bool *)target ? "on" : "off");
      break;
    case NCC_OPTION_NO:
      break;
    case NCC_OPTION_INT:
      if (option->initial || *(const int *)target) snprintf(text, text_bytes, "%d", *(const int *)target);
      break;
    case NCC_OPTION_INT64:
      if (option->initial || *(const int64_t *)target)
        snprintf(text, text_bytes, "%lld", (long long)*(const int64_t *)target);
      break;
    case NCC_OPTION_DOUBLE: {
      const double value = *(const double *)target;
      if (!option->initial && value == 0) break;
      ncc_double_format(value, text, text_bytes);
      break;
    }
    case NCC_OPTION_STRING: {
      const char *string = *(const char *const *)target;
      if (string) snprintf(text, text_bytes, "%s", string);
      break;
    }
    case NCC_OPTION_CHOICE:
      choice_word(option->argument, *(const int *)target, text, text_bytes);
      break;
    case NCC_OPTION_CUSTOM:
      option->format(target, text, text_bytes);
      break;
  }
}

static void describe_expected(const ncc_option *option, char *text, size_t text_bytes) {
  const bool whole = option->kind == NCC_OPTION_INT || option->kind == NCC_OPTION_INT64;
  if (option->expected) {
    snprintf(text, text_bytes, "%s", option->expected);
  } else if (!ncc_option_takes_argument(option)) {
    snprintf(text, text_bytes, "'on' or 'off'");
  } else if (whole || option->kind == NCC_OPTION_DOUBLE) {
    const char *noun = whole ? "a whole number" : "a number";
    const bool open_ended = option->max >= (whole ? (double)INT32_MAX : HUGE_VAL);
    const char *form = !bounded(option) ? "%s" : whole ? "%s from %.0f to %.0f" : "%s from %g to %g";
    if (bounded(option) && open_ended) form = whole ? "%s of at least %.0f" : "%s of at least %g";
    snprintf(text, text_bytes, form, noun, option->min, option->max);
  } else if (option->kind == NCC_OPTION_CHOICE) {
    snprintf(text, text_bytes, "one of %s", option->argument);
  } else {
    snprintf(text, text_bytes, "%s", option->argument);
  }
}

static ncc_status set_or_explain(const ncc_command *command, const ncc_option *option, const char *text, void *values) {
  if (option_set(option, text, values)) return NCC_OK;
  char expected[VALUE_BYTES];
  describe_expected(option, expected, sizeof expected);
  return ncc_error_set(NCC_ERR_USAGE, "%s: --%s: found '%s', expected %s", command->name, option->name, text, expected);
}

static ncc_status explain_missing_value(const ncc_command *command, const ncc_option *option) {
  char expected[VALUE_BYTES];
  describe_expected(option, expected, sizeof expected);
  return ncc_error_set(NCC_ERR_USAGE, "%s: --%s: found no value, expected %s", command->name, option->name, expected);
}

/** @param[in] code  what getopt_long left in optopt: a letter, 0 for a long option, HELP_CODE for --help=VALUE. */
static ncc_status explain_unknown(const ncc_command *command, int code, const char *found) {
  if (code >= HELP_CODE)
    return ncc_error_set(NCC_ERR_USAGE, "%s: found '%s', expected --help without a value", command->name, found);
  const char letter[3] = {'-', (char)code, '\0'};
  char name[VALUE_BYTES] = "";
  if (!code) snprintf(name, sizeof name, "%.*s", (int)strcspn(found + 2, "="), found + 2);
  ncc_nearest nearest = {.word = name};
  for (size_t i = 0; !code && i < option_count(command); ++i) ncc_nearest_offer(&nearest, command->options[i].name);
  if (nearest.found)
    return ncc_error_set(NCC_ERR_USAGE, "%s: unknown option '--%s', did you mean --%s?", command->name, name,
                         nearest.found);
  return ncc_error_set(NCC_ERR_USAGE, "%s: unknown option '%s', expected one of 'mpixcorr %s --help'", command->name,
                       code ? letter : found, command->name);
}

/** Hands the arguments that are no options to the operands. */
static ncc_status take_operands(const ncc_command *command, int argc, char **argv, void *values) {
  char wanted[VALUE_BYTES] = "";
  int n = 0;
  for (; command->operands && command->operands[n].name; ++n) {
    strncat(wanted, n ? " " : "", sizeof wanted - strlen(wanted) - 1);
    strncat(wanted, command->operands[n].name, sizeof wanted - strlen(wanted) - 1);
    if (n < argc) *(const char **)((char *)values + command->operands[n].offset) = argv[n];
  }
  if (argc < n - command->optional)
    return ncc_error_set(NCC_ERR_USAGE, "%s: %s is missing: expected %s, found %d argument%s", command->name,
                         command->operands[argc].name, wanted, argc, argc == 1 ? "" : "s");
  if (argc > n)
    return ncc_error_set(NCC_ERR_USAGE, "%s: unexpected argument '%s': expected %s", command->name, argv[n],
                         n ? wanted : "none");
  for (int i = 0; i < argc; ++i)
    if (argv[i][0] == '\0')
      return ncc_error_set(NCC_ERR_USAGE, "%s: %s: found an empty string, expected a file name", command->name,
                           command->operands[i].name);
  return NCC_OK;
}

ncc_status ncc_command_parse(const ncc_command *command, int argc, char **argv, void *values, bool *help) {
  ncc_status status = NCC_OK;
  const size_t n = option_count(command);
  char letters[2 * 64 + 5] = ":hq"; /* ':' first: a missing argument is told from an unknown option */
  struct option *longs = calloc(n + 3, sizeof *longs);
  *help = false;
  NCC_CHECK(longs, NCC_ERR_NOMEM, "%s: no memory for %zu options", command->name, n);
  for (size_t i = 0; i < n; ++i) {
    const ncc_option *option = &command->options[i];
    const int argument = ncc_option_takes_argument(option) ? required_argument : optional_argument;
    longs[i] = (struct option){.name = option->name, .has_arg = argument, .val = HELP_CODE + 1 + (int)i};
    if (option->letter) {
      char letter[3] = {option->letter, ncc_option_takes_argument(option) ? ':' : '\0', '\0'};
      strncat(letters, letter, sizeof letters - strlen(letters) - 1);
    }
    if (option->initial) NCC_TRY(set_or_explain(command, option, option->initial, values));
  }
  longs[n] = (struct option){.name = "help", .val = HELP_CODE};
  longs[n + 1] = (struct option){.name = "quiet", .val = 'q'};

  opterr = 0;
  optind = 0; /* a fresh scan, also of glibc's hidden state */
  for (int code; (code = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
    if (code == HELP_CODE || code == 'h') {
      *help = true;
      goto cleanup;
    }
    if (code == 'q') {
      NCC_TRY(be_quiet());
      continue;
    }
    if (code == '?') {
      status = explain_unknown(command, optopt, argv[optind - 1]);
      goto cleanup;
    }
    const int which = code == ':' ? optopt : code;
    size_t row = (size_t)(which - HELP_CODE - 1);
    if (which < HELP_CODE)
      for (row = 0; command->options[row].letter != which;) ++row;
    if (code == ':') {
      status = explain_missing_value(command, &command->options[row]);
      goto cleanup;
    }
    NCC_TRY(set_or_explain(command, &command->options[row], optarg, values));
  }
  NCC_TRY(take_operands(command, argc - optind, argv + optind, values));
cleanup:
  free(longs);
  return status;
}

ncc_status ncc_command_describe(const ncc_command *command, const void *values, bool results_only, char **out) {
  ncc_status status = NCC_OK;
  size_t size;
  *out = NULL;
  FILE *stream = open_memstream(out, &size);
  NCC_CHECK(stream, NCC_ERR_NOMEM, "%s: no memory to list the options", command->name);
  bool first = true;
  for (const ncc_option *option = command->options; option && option->name; ++option) {
    char value[4096]; /* as long as a path can be */
    if (option->kind == NCC_OPTION_NO || (results_only && !option->changes_results)) continue;
    option_get(option, values, value, sizeof value);
    if (value[0] == '\0') continue;
    fprintf(stream, "%s--%s=", first ? "" : " ", option->name);
    ncc_text_quote(stream, value);
    first = false;
  }
  const bool failed = ferror(stream);
  NCC_CHECK(fclose(stream) == 0 && !failed, NCC_ERR_NOMEM, "%s: no memory to list the options", command->name);
cleanup:
  if (status != NCC_OK) {
    free(*out);
    *out = NULL;
  }
  return status;
}
