/** See about.h: completions for bash and zsh. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app/about.h"
#include "app/commands.h"

/** The next piece of "X,Y|half" that can be typed as it stands, "half". @return it, or NULL; *rest goes on. */
static const char *next_word(const char **rest, int *length) {
  while (**rest) {
    const char *word = *rest;
    const size_t n = strcspn(word, "|");
    bool fixed = n > 0;
    for (size_t i = 0; i < n; i++)
      fixed = fixed && (islower((unsigned char)word[i]) || isdigit((unsigned char)word[i]));
    *rest = word + n + (word[n] == '|');
    *length = (int)n;
    if (fixed) return word;
  }
  return NULL;
}

/** The words that an option may be given, each behind a blank. @return how many. */
static int print_words(const char *argument) {
  int count = 0, length;
  for (const char *rest = argument, *word; (word = next_word(&rest, &length)); count++)
    printf("%s%.*s", count ? " " : "", length, word);
  return count;
}

static bool is_file(const ncc_option *option) {
  return option->kind == NCC_OPTION_STRING;
}

/* ---- bash ------------------------------------------------------------------------------------------------------ */

static void print_bash_values(const ncc_option *option) {
  printf("        --%s) ", option->name);
  if (is_file(option)) {
    puts("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames; return ;;");
    return;
  }
  fputs("mapfile -t COMPREPLY < <(compgen -W \"", stdout);
  print_words(option->argument);
  puts("\" -- \"$cur\"); compopt +o default +o bashdefault; return ;;");
}

static void print_bash_command(const ncc_command *command) {
  printf("    %s)\n      case $prev in\n", command->name);
  for (const ncc_option *option = command->options; option && option->name; option++)
    if (ncc_option_takes_argument(option)) print_bash_values(option);
  fputs("        *) ;;\n      esac\n      options=\"", stdout);
  for (const ncc_option *option = command->options; option && option->name; option++) printf("--%s ", option->name);
  puts("--quiet --help\"\n      ;;");
}

void ncc_about_bash(void) {
  puts(
      "# bash completion for mpixcorr, written by 'mpixcorr completion bash'\n"
      "_mpixcorr() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} options=\n"
      "  COMPREPLY=()\n"
      "  if [[ $cur == = ]]; then\n"
      "    cur= # --name=\n"
      "  elif [[ $prev == = ]]; then\n"
      "    prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
      "  fi");
  fputs("  local commands=\"", stdout);
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++) printf("%s ", entry->command->name);
  puts(
      "help version completion\"\n"
      "  if ((COMP_CWORD == 1)) || [[ $COMP_CWORD == 2 && $prev == help ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$cur\")\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in");
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++) print_bash_command(entry->command);
  puts(
      "    completion) options=\"bash zsh\" ;;\n"
      "    *) ;;\n"
      "  esac\n"
      "  if [[ $cur == -* || ${COMP_WORDS[1]} == completion ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
      "  fi # else files\n"
      "}\n"
      "complete -o bashdefault -o default -F _mpixcorr mpixcorr");
}

/* ---- zsh ------------------------------------------------------------------------------------------------------- */

/** Text inside single quotes and, where `special` says so, inside what _arguments would take apart. */
static void print_zsh_text(const char *text, int length, const char *special) {
  for (int i = 0; i < length; i++) {
    if (strchr(special, text[i])) putchar('\\');
    if (text[i] == '\'')
      fputs("'\\''", stdout);
    else
      putchar(text[i]);
  }
}

static void print_zsh_option(const ncc_option *option) {
  const bool typed = ncc_option_takes_argument(option);
  printf("        '--%s%s[", option->name, typed ? "=" : "");
  print_zsh_text(option->help, (int)strcspn(option->help, ";:"), "[]:\\");
  putchar(']');
  if (typed) {
    putchar(':');
    print_zsh_text(option->argument, (int)strlen(option->argument), ":\\");
    fputs(is_file(option) ? ":_files" : ":(", stdout);
    if (!is_file(option)) print_words(option->argument);
    if (!is_file(option)) putchar(')');
  }
  puts("' \\");
}

static void print_zsh_command(const ncc_command *command) {
  printf("    %s)\n      _arguments \\\n", command->name);
  for (const ncc_option *option = command->options; option && option->name; option++) print_zsh_option(option);
  puts(
      "        '(-q --quiet)'{-q,--quiet}'[say nothing but errors and warnings]' \\\n"
      "        '(-h --help)'{-h,--help}'[show its options]' \\\n"
      "        '*:file:_files'\n"
      "      ;;");
}

void ncc_about_zsh(void) {
  puts(
      "#compdef mpixcorr\n"
      "# zsh completion for mpixcorr, written by 'mpixcorr completion zsh'\n"
      "_mpixcorr() {\n"
      "  local -a commands\n"
      "  commands=(");
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++) {
    printf("    '%s:", entry->command->name);
    print_zsh_text(entry->brief, (int)strlen(entry->brief), "");
    puts("'");
  }
  puts(
      "    'help:the commands, or the options of one'\n"
      "    'version:of the program and its libraries'\n"
      "    'completion:completions for a shell'\n"
      "  )\n"
      "  if (( CURRENT == 2 )) || [[ $CURRENT == 3 && $words[2] == help ]]; then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $words[1] in");
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++) print_zsh_command(entry->command);
  puts(
      "    completion) _values shell bash zsh ;;\n"
      "  esac\n"
      "}\n"
      "if [[ $funcstack[1] == _mpixcorr ]]; then\n"
      "  _mpixcorr \"$@\"\n"
      "else\n"
      "  compdef _mpixcorr mpixcorr\n"
      "fi");
}
