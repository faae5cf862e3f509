/** One table of options per command: parsing, --help, "every option in effect", the man page and
 *  completions all come from it.
 *
 *  A command declares its values as a struct, its operands and options as tables of rows that point into that struct,
 *  and calls ncc_command_parse(). getopt_long does the scanning; this module knows nothing of any particular option.
 */
#ifndef NCC_OPTION_TABLE_H
#define NCC_OPTION_TABLE_H

#include <stdio.h>

#include "base/error.h"

/** What an option sets; the C type of its target stands beside it. */
typedef enum ncc_option_kind {
  NCC_OPTION_FLAG,   /**< bool: true (`--name`, or `--name=on|off`) */
  NCC_OPTION_NO,     /**< bool: false; for the `--no-name` beside a flag; never echoed */
  NCC_OPTION_INT,    /**< int, within [min, max] */
  NCC_OPTION_INT64,  /**< int64_t, within [min, max] */
  NCC_OPTION_DOUBLE, /**< double, finite, within [min, max] */
  NCC_OPTION_STRING, /**< const char *, borrowed from argv; not empty */
  NCC_OPTION_CHOICE, /**< an enum (or int): index of the word in `argument`, "auto|cpu|gpu" */
  NCC_OPTION_CUSTOM  /**< whatever `parse` and `format` understand */
} ncc_option_kind;

/** A row of a command's table. Text is static. Rows of one group stand together; the first row names the group. */
typedef struct ncc_option {
  const char *name; /**< without dashes; NULL ends the table */
  ncc_option_kind kind;
  size_t offset;             /**< of the target in the struct of values */
  const char *argument;      /**< placeholder in --help; the words of a choice, separated by '|'; NULL for flags */
  const char *initial;       /**< the default, parsed as if typed; NULL leaves the target zero */
  const char *default_words; /**< what --help calls the default, where `initial` does not say it */
  const char *help;          /**< a sentence without full stop; wrapped by --help */
  const char *group;         /**< heading in --help, or NULL */
  bool changes_results;      /**< a resumed run must have been given the same */
  double min, max;           /**< bounds of numbers; both 0: none */
  char letter;               /**< short form, or 0 */
  const char *expected;      /**< for error messages of custom options: "X,Y or 'half'" */
  bool (*parse)(const char *text, void *target);                     /**< custom; false: not understood */
  void (*format)(const void *target, char *text, size_t text_bytes); /**< custom; text as one would type it */
} ncc_option;

/** A required argument without dashes; sets a const char * borrowed from argv. */
typedef struct ncc_operand {
  const char *name; /**< as in --help, "INPUT"; NULL ends the table */
  size_t offset;
  const char *help;
} ncc_operand;

/** A command: `mpixcorr NAME OPERANDS [options]`. */
typedef struct ncc_command {
  const char *name;
  const char *summary;  /**< one line */
  const char *details;  /**< after the options in --help, or NULL: a line a paragraph, wrapped under its own indent */
  const char *examples; /**< command lines, each with what it does behind a tab, or NULL */
  const ncc_operand *operands;
  const ncc_option *options;
  int optional; /**< so many operands, the last ones, may be missing: the command decides when */
} ncc_command;

/** Sets defaults and parses a command line. Options and operands may come in any order; `--` ends the options.
 *  Collective: no. Not thread-safe (getopt_long); reorders argv.
 *  @param[in]  argv    argv[0] is the command's name.
 *  @param[out] values  the command's struct, zeroed by the caller.
 *  @param[out] help    --help was asked for: nothing else was checked.
 *  @return NCC_OK; NCC_ERR_USAGE with a message naming the option, what was found and what was expected. */
ncc_status ncc_command_parse(const ncc_command *command, int argc, char **argv, void *values, bool *help);

/** Whether `-q` was given: stdout leads nowhere then, and what must be said goes to stderr. Every command has it. */
bool ncc_command_quiet(void);

bool ncc_option_takes_argument(const ncc_option *option);

/** Writes what `mpixcorr NAME --help` shows, as wide as the terminal, 80 columns where there is none. */
void ncc_command_print_help(const ncc_command *command, FILE *stream);

/** Writes the command's section of the man page. */
void ncc_command_print_man(const ncc_command *command, FILE *stream);

/** The shortest text that reads back as the same number. */
void ncc_double_format(double value, char *text, size_t text_bytes);

/** Writes text with what is special to roff escaped. */
void ncc_roff_print(FILE *stream, const char *text);

/** Writes examples, as ncc_command has them, in roff. */
void ncc_roff_examples(FILE *stream, const char *examples);

/** Every option in effect, "--name=value --name=value", in the table's order, as it could be typed. An option without
 *  a default that was not given is not in effect.
 *  @param[in]  results_only  only those that may change a result.
 *  @param[out] out  malloc'd, caller frees; NULL on failure.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_command_describe(const ncc_command *command, const void *values, bool results_only, char **out);

#endif
