/** See help.h; and a command's table as --help shows it. */
#include "options/help.h"

#include <string.h>

#include "base/terminal.h"
#include "base/text.h"
#include "options/table.h"

enum { TEXT_BYTES = 2048, COLUMN = 28, NARROW = 60, NARROW_COLUMN = 6, LEAST = 20, DEFAULT_WIDTH = 80 };

int ncc_help_width(FILE *stream) {
  const int descriptor = fileno(stream), columns = descriptor < 0 ? 0 : ncc_terminal_columns(descriptor);
  return columns == 0 ? DEFAULT_WIDTH : columns < LEAST ? LEAST : columns;
}

void ncc_help_wrap(FILE *stream, const char *text, int column, int indent) {
  const int width = ncc_help_width(stream);
  bool first = true;
  while (*text) {
    const int length = (int)strcspn(text, " ");
    char word[TEXT_BYTES];
    snprintf(word, sizeof word, "%.*s", length, text);
    const int columns = ncc_text_columns(word);
    if (!first && column + 1 + columns > width) {
      fprintf(stream, "\n%*s", indent, "");
      column = indent;
      first = true;
    }
    fprintf(stream, "%s%s", first ? "" : " ", word);
    column += columns + !first;
    first = false;
    text += length;
    while (*text == ' ') ++text;
  }
  fputc('\n', stream);
}

void ncc_help_heading(FILE *stream, const char *heading) {
  fprintf(stream, "\n%s%s:%s\n", ncc_terminal_colour(stream, NCC_COLOUR_HEADING), heading,
          ncc_terminal_colour(stream, NCC_COLOUR_OFF));
}

void ncc_help_row(FILE *stream, const char *term, const char *meaning) {
  const int indent = ncc_help_width(stream) < NARROW ? NARROW_COLUMN : COLUMN;
  int column = fprintf(stream, "  %s", term);
  if (column + 2 > indent) {
    fputc('\n', stream);
    column = 0;
  }
  fprintf(stream, "%*s", indent - column, "");
  ncc_help_wrap(stream, meaning, indent, indent);
}

void ncc_help_examples(FILE *stream, const char *examples) {
  ncc_help_heading(stream, "examples");
  while (*examples) {
    const int length = (int)strcspn(examples, "\n"), command = (int)strcspn(examples, "\t\n");
    const char *meaning = examples + command + (command < length);
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%.*s", (int)(examples + length - meaning), meaning);
    fprintf(stream, "  %.*s\n", command, examples); /* never wrapped: it is to be copied */
    if (*text) {
      fputs("      ", stream);
      ncc_help_wrap(stream, text, NARROW_COLUMN, NARROW_COLUMN);
    }
    examples += length + (examples[length] == '\n');
  }
}

static void print_option(FILE *stream, const ncc_option *option) {
  char term[TEXT_BYTES], letter[5] = "", meaning[TEXT_BYTES];
  const bool typed = ncc_option_takes_argument(option);
  const char *value = option->default_words ? option->default_words : typed ? option->initial : NULL;
  if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
  snprintf(term, sizeof term, "%s--%s%s%s", letter, option->name, typed ? " " : "", typed ? option->argument : "");
  snprintf(meaning, sizeof meaning, value ? "%s (default: %s)" : "%s", option->help, value);
  ncc_help_row(stream, term, meaning);
}

/** A line a paragraph. What is indented stays so, and its continuation by two more. */
static void print_details(FILE *stream, const char *details) {
  fputc('\n', stream);
  while (*details) {
    const int length = (int)strcspn(details, "\n"), indent = (int)strspn(details, " ");
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%.*s", length - indent, details + indent);
    fprintf(stream, "%*s", indent, "");
    ncc_help_wrap(stream, text, indent, indent ? indent + 2 : 0);
    details += length + (details[length] == '\n');
  }
}

void ncc_command_print_help(const ncc_command *command, FILE *stream) {
  const ncc_operand *operands = command->operands;
  fprintf(stream, "usage: mpixcorr %s", command->name);
  for (size_t i = 0; operands && operands[i].name; ++i) fprintf(stream, " %s", operands[i].name);
  fputs(" [options]\n\n", stream);
  ncc_help_wrap(stream, command->summary, 0, 0);
  fputc('\n', stream);
  for (size_t i = 0; operands && operands[i].name; ++i) ncc_help_row(stream, operands[i].name, operands[i].help);
  const ncc_option *option = command->options;
  if (!option || !option->group) ncc_help_heading(stream, "options");
  for (; option && option->name; ++option) {
    if (option->group) ncc_help_heading(stream, option->group);
    print_option(stream, option);
  }
  ncc_help_row(stream, "-q, --quiet", "say nothing but errors and warnings");
  ncc_help_row(stream, "-h, --help", "show this and stop");
  if (command->examples) ncc_help_examples(stream, command->examples);
  if (command->details) print_details(stream, command->details);
}
