/** A trial of a file in a process of its own.
 *
 *  HDF5 has crashed, and looped for ever, on files that are damaged or made to do harm. Rank 0 therefore lets a child
 *  open the input first, and what is to be resumed: there it costs a line of text, here the job without a word.
 */
#ifndef NCC_PROBE_H
#define NCC_PROBE_H

#include "base/error.h"

/** The child's commands; not in --help. */
#define NCC_PROBE_INPUT "probe-input"
#define NCC_PROBE_OUTPUT "probe-output"

/** Opens an input in a child, by posix_spawn() of this very program without what a launcher left in the environment.
 *  @return NCC_OK, also where the child found an error, which the caller will find too; NCC_ERR_INPUT if the child
 *          crashed, did not end in time (600 s; MPIXCORR_PROBE_S replaces them) or took more
 *          memory than the tables have by their shapes and half of what the node has beside (MPIXCORR_PROBE_MIB
 *          replaces that half). */
ncc_status ncc_probe_input(const char *path);

/** The same for OUTPUT.part, or else OUTPUT, where there is one. */
ncc_status ncc_probe_output(const char *path);

/** Either command: opens the file named by argv[1] and says nothing but by its exit code. */
ncc_status ncc_cmd_probe(int argc, char **argv);

#endif
