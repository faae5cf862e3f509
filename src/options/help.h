/** Text for people, wrapped to the width that a stream has. */
#ifndef NCC_HELP_H
#define NCC_HELP_H

#include <stdio.h>

/** Columns for help on this stream: the terminal's, 80 where there is none. */
int ncc_help_width(FILE *stream);

/** Writes words from column `column` on; continuation lines start at `indent`. */
void ncc_help_wrap(FILE *stream, const char *text, int column, int indent);

/** Writes a heading with a colon, in the terminal's fashion. */
void ncc_help_heading(FILE *stream, const char *heading);

/** Writes a term and what it means beside it, or below where that does not fit. */
void ncc_help_row(FILE *stream, const char *term, const char *meaning);

/** Writes lines of "command line TAB what it does". */
void ncc_help_examples(FILE *stream, const char *examples);

#endif
