/** A command line in words, to be pasted into a shell. */
#ifndef NCC_COMMAND_LINE_H
#define NCC_COMMAND_LINE_H

#include "options/table.h"

/** `mpixcorr` and the words of a command, quoted for a shell.
 *  @param[in] words    [n], the first is the command's name.
 *  @param[in] without  [.., NULL] names of options that are left out, also where they were cut short; or NULL.
 *  @param[in] with     is put behind the options; or NULL.
 *  @return malloc'd, caller frees; NULL without memory. */
char *ncc_command_line_words(const ncc_command *command, int n, char *const *words, const char *const *without,
                             const char *with);

#endif
