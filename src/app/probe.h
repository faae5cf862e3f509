/** Opens an input in a child process first.
 *
 *  HDF5 has crashed, and looped for ever, on files that are damaged or made to do harm; in a child that costs a line
 *  of text, in rank 0 it would cost the job without a word.
 */
#ifndef NCC_PROBE_H
#define NCC_PROBE_H

#include "error.h"

/** The hidden command that the child runs. */
#define NCC_PROBE_COMMAND "probe-input"

/** Opens and inspects the file in a child, which sees nothing of a launcher. What the child finds wrong in order is not
 *  told: the caller will find it too.
 *  @return NCC_OK; NCC_ERR_INPUT if the child crashed, or has not ended after 10 minutes (MPIXCORR_PROBE_S in the
 *          environment replaces them). */
ncc_status ncc_probe_input(const char *path);

/** The child's part: argv[1] is the file. */
ncc_status ncc_cmd_probe(int argc, char **argv);

#endif
