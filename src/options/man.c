/** A command's table as a section of the man page (roff, man macros). See table.h. */
#include <string.h>

#include "options/table.h"

void ncc_roff_print(FILE *stream, const char *text) {
  bool line_start = true;
  for (; *text; ++text) {
    if (line_start && (*text == '.' || *text == '\'')) fputs("\\&", stream);
    if (*text == '\\') {
      fputs("\\e", stream);
    } else if (*text == '-') {
      fputs("\\-", stream);
    } else {
      fputc(*text, stream);
    }
    line_start = *text == '\n';
  }
}

static void print_tag(FILE *stream, const ncc_option *option) {
  fputs(".TP\n", stream);
  if (option->letter) fprintf(stream, "\\fB\\-%c\\fR, ", option->letter);
  fputs("\\fB\\-\\-", stream);
  ncc_roff_print(stream, option->name);
  fputs("\\fR", stream);
  if (option->kind != NCC_OPTION_FLAG && option->kind != NCC_OPTION_NO) {
    fputs(" \\fI", stream);
    ncc_roff_print(stream, option->argument);
    fputs("\\fR", stream);
  }
  fputc('\n', stream);
}

static void print_option(FILE *stream, const ncc_option *option) {
  if (option->group) {
    fputs(".PP\n", stream);
    ncc_roff_print(stream, option->group);
    fputs(":\n", stream);
  }
  print_tag(stream, option);
  ncc_roff_print(stream, option->help);
  const bool typed = option->kind != NCC_OPTION_FLAG && option->kind != NCC_OPTION_NO;
  const char *value = option->default_words ? option->default_words : typed ? option->initial : NULL;
  if (value) {
    fputs(" (default: ", stream);
    ncc_roff_print(stream, value);
    fputc(')', stream);
  }
  fputs(".\n", stream);
}

void ncc_command_print_man(const ncc_command *command, FILE *stream) {
  const ncc_operand *operands = command->operands;
  fprintf(stream, ".SS \"mpixcorr %s", command->name);
  for (size_t i = 0; operands && operands[i].name; ++i) fprintf(stream, " %s", operands[i].name);
  fputs(" [options]\"\n", stream);
  ncc_roff_print(stream, command->summary);
  fputc('\n', stream);
  for (size_t i = 0; operands && operands[i].name; ++i) {
    fprintf(stream, ".TP\n\\fI%s\\fR\n", operands[i].name);
    ncc_roff_print(stream, operands[i].help);
    fputs(".\n", stream);
  }
  for (const ncc_option *option = command->options; option && option->name; ++option) print_option(stream, option);
  if (!command->details) return;
  fputs(".PP\n.nf\n", stream);
  ncc_roff_print(stream, command->details);
  fputs("\n.fi\n", stream);
}
