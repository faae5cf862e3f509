/** See command_line.h. */
#include "options/command_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/** The option that getopt_long takes "--name", "--name=value" or a part of the name for; NULL: none, or several. */
static const ncc_option *option_of(const ncc_command *command, const char *word) {
  const size_t length = strcspn(word, "=");
  const ncc_option *found = NULL;
  for (const ncc_option *option = command->options; option && option->name; option++) {
    if (strncmp(option->name, word, length) != 0) continue;
    if (option->name[length] == '\0') return option;
    if (found) return NULL;
    found = option;
  }
  return found;
}

static bool is_one_of(const char *name, const char *const *names) {
  for (; names && *names; names++)
    if (strcmp(name, *names) == 0) return true;
  return false;
}

static bool takes_next_word(const ncc_option *option, const char *word) {
  return option && option->kind != NCC_OPTION_FLAG && option->kind != NCC_OPTION_NO && !strchr(word, '=');
}

char *ncc_command_line_words(const ncc_command *command, int n, char *const *words, const char *const *without,
                             const char *with) {
  char *text = NULL;
  size_t size;
  bool operands = false; /* behind `--`, whatever they look like */
  FILE *stream = open_memstream(&text, &size);
  if (!stream) return NULL;
  fputs("mpixcorr", stream);
  for (int i = 0, count; i < n; i += count) {
    const bool is_option = i > 0 && !operands && strncmp(words[i], "--", 2) == 0 && words[i][2];
    const ncc_option *option = is_option ? option_of(command, words[i] + 2) : NULL;
    count = takes_next_word(option, words[i]) && i + 1 < n ? 2 : 1;
    if (option && is_one_of(option->name, without)) continue;
    if (i > 0 && !operands && strcmp(words[i], "--") == 0) {
      operands = true;
      if (with) fprintf(stream, " %s", with);
      with = NULL;
    }
    for (int k = i; k < i + count; k++) {
      fputc(' ', stream);
      ncc_text_quote(stream, words[k]);
    }
  }
  if (with) fprintf(stream, " %s", with);
  const bool failed = ferror(stream);
  if (fclose(stream) == 0 && !failed) return text;
  free(text);
  return NULL;
}
