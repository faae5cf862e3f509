/** Dispatch to the commands, and the one error line.
 *
 *  Only `run` starts MPI. What fails before that would be printed by every process of a launcher, so the rank is taken
 *  from the launcher's environment. All other commands speak in every process: they know nothing of each other, and
 * what a scheduler or an MPI program left in the environment is not theirs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/about.h"
#include "app/commands.h"
#include "app/launcher.h"
#include "app/probe.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/files.h"
#include "base/terminal.h"
#include "io/base/hdf5_version.h"
#include "options/nearest.h"
#include "options/run.h"

enum {
  /* A launcher ends all processes as soon as one exits with an error: rank 0 must come first, to say what it is. Where
     MPI was never started nothing else orders them; rank 0's exit cuts this short. */
  WAIT_FOR_RANK_0_S = 3
};

/** A word that is no command of its own. @param[in] argument  the only one that may follow, or NULL. */
static const struct {
  const char *word, *argument;
  void (*print)(void);
} words[] = {
    {"--help", NULL, ncc_about_help},       {"-h", NULL, ncc_about_help},
    {"help", NULL, ncc_about_help},         {"--version", NULL, ncc_about_version},
    {"-V", NULL, ncc_about_version},        {"version", NULL, ncc_about_version},
    {"completion", "bash", ncc_about_bash}, {"completion", "zsh", ncc_about_zsh},
    {"--man", NULL, ncc_about_man}, /* not in --help: the build asks for it */
};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

static ncc_status explain_unknown(const char *word) {
  ncc_nearest nearest = {.word = word};
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++)
    ncc_nearest_offer(&nearest, entry->command->name);
  for (int i = 0; i < WORD_COUNT; i++) ncc_nearest_offer(&nearest, words[i].word);
  if (!nearest.found)
    return ncc_error_set(NCC_ERR_USAGE, "unknown command '%s', expected one of 'mpixcorr --help'", word);
  return ncc_error_set(NCC_ERR_USAGE, "unknown command '%s', did you mean %s?", word, nearest.found);
}

static ncc_status dispatch(int argc, char **argv) {
  if (argc < 2) return ncc_error_set(NCC_ERR_USAGE, "no command, expected one of 'mpixcorr --help'");
  const char *word = argv[1], *argument = argc > 2 ? argv[2] : NULL;
  const ncc_command_entry *entry = ncc_commands_find(word);
  if (entry) {
    ncc_crash_catch(); /* a probe's parent wants to know the signal */
    return entry->run(argc - 1, argv + 1);
  }
  if (strcmp(word, NCC_PROBE_INPUT) == 0 || strcmp(word, NCC_PROBE_OUTPUT) == 0)
    return ncc_cmd_probe(argc - 1, argv + 1);
  if (strcmp(word, "help") == 0 && argc == 3) {
    entry = ncc_commands_find(argument);
    if (!entry) return explain_unknown(argument);
    ncc_command_print_help(entry->command, stdout);
    return NCC_OK;
  }
  const char *expected = NULL;
  for (int i = 0; i < WORD_COUNT; i++) {
    if (strcmp(word, words[i].word) != 0) continue;
    expected = words[i].argument ? "bash or zsh" : "none";
    if (argc > (words[i].argument ? 3 : 2)) continue;
    if (words[i].argument && (!argument || strcmp(argument, words[i].argument) != 0)) continue;
    words[i].print();
    return NCC_OK;
  }
  if (!expected) return explain_unknown(word);
  if (!argument) return ncc_error_set(NCC_ERR_USAGE, "%s: found no argument, expected %s", word, expected);
  return ncc_error_set(NCC_ERR_USAGE, "%s: unexpected argument '%s', expected %s", word, argument, expected);
}

int main(int argc, char **argv) {
  const bool parallel = argc > 1 && strcmp(argv[1], ncc_run_command.name) == 0;
  const int rank = ncc_launcher_rank(); /* before MPI changes the environment */
  signal(SIGXFSZ, SIG_IGN);             /* a limit on the size of files is told by write(), as a full disk is */
  ncc_hdf5_leave_at_exit();
  ncc_status status = dispatch(argc, argv);
  const int error = ncc_file_flush(stdout);
  if ((error || ferror(stdout)) && status == NCC_OK)
    status = ncc_error_set(NCC_ERR_OUTPUT, "standard output: cannot be written: %s", ncc_error_words(error));
  /* a difference found, pairs without an answer, an early stop: outcomes that have been told, not errors */
  const bool outcome = status == NCC_ERR_DIFFERENT || status == NCC_ERR_PAIRS || status == NCC_ERR_STOPPED;
  const char *message = ncc_error_message();
  if (status != NCC_OK && !outcome && message[0]) {
    /* the other ranks of a run have the same words on their command line; what else goes wrong may be theirs alone */
    if (!parallel || rank == 0 || status != NCC_ERR_USAGE)
      fprintf(stderr, "%smpixcorr:%s %s\n", ncc_terminal_colour(stderr, NCC_COLOUR_BAD),
              ncc_terminal_colour(stderr, NCC_COLOUR_OFF), message);
    else
      sleep(WAIT_FOR_RANK_0_S);
  }
  return ncc_status_exit_code(status);
}
