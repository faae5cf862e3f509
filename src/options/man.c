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
  if (ncc_option_takes_argument(option)) {
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
  const bool typed = ncc_option_takes_argument(option);
  const char *value = option->default_words ? option->default_words : typed ? option->initial : NULL;
  if (value) {
    fputs(" (default: ", stream);
    ncc_roff_print(stream, value);
    fputc(')', stream);
  }
  fputs(".\n", stream);
}

/** A line a paragraph; what is indented stays so. */
static void print_details(FILE *stream, const char *details) {
  while (*details) {
    const int length = (int)strcspn(details, "\n");
    char text[2048];
    snprintf(text, sizeof text, "%.*s", length, details);
    if (text[0] == ' ')
      fputs(".RS 4\n", stream);
    else
      fputs(".PP\n", stream);
    ncc_roff_print(stream, text + strspn(text, " "));
    fputs(text[0] == ' ' ? "\n.RE\n" : "\n", stream);
    details += length + (details[length] == '\n');
  }
}

void ncc_roff_examples(FILE *stream, const char *examples) {
  while (*examples) {
    const int length = (int)strcspn(examples, "\n"), command = (int)strcspn(examples, "\t\n");
    char text[2048];
    snprintf(text, sizeof text, "%.*s", command, examples);
    fputs(".PP\n.nf\n.RS 4\n", stream);
    ncc_roff_print(stream, text);
    fputs("\n.RE\n.fi\n", stream);
    if (command < length) {
      snprintf(text, sizeof text, "%.*s", length - command - 1, examples + command + 1);
      fputs(".RS 8\n", stream);
      ncc_roff_print(stream, text);
      fputs("\n.RE\n", stream);
    }
    examples += length + (examples[length] == '\n');
  }
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
  if (command->details) print_details(stream, command->details);
  if (command->examples) ncc_roff_examples(stream, command->examples);
}
