/** The next commands, for those that make input files. */
#ifndef NCC_NEXT_STEP_H
#define NCC_NEXT_STEP_H

/** Prints the command lines that run a new input and show what came out, in a shell's words.
 *  @param[in] run, table  options of these two commands. */
void ncc_next_step_print(const char *input, const char *run, const char *table);

#endif
