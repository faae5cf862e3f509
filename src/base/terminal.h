/** The terminal that a person looks at, if there is one. */
#ifndef NCC_TERMINAL_H
#define NCC_TERMINAL_H

#include <stdio.h>

/** Columns of the terminal behind a descriptor; 0 where it is none. One without a size is none: mpirun gives ranks such
 * a terminal as their standard output, wherever its own goes. */
int ncc_terminal_columns(int descriptor);

typedef enum ncc_colour { NCC_COLOUR_OFF, NCC_COLOUR_BAD, NCC_COLOUR_DOUBTFUL, NCC_COLOUR_HEADING } ncc_colour;

/** What switches a colour on, or all off; empty where colours are not wanted: no terminal, NO_COLOR, TERM=dumb. */
const char *ncc_terminal_colour(FILE *stream, ncc_colour colour);

#endif
