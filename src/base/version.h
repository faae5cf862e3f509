/** What this build is: for --version and the output's attributes. ncc_version() and ncc_numerics_revision() are public.
 */
#ifndef NCC_VERSION_H
#define NCC_VERSION_H

#include "mpixcorr.h"

/** Commit of the sources, "-dirty" appended where they were changed; "unknown" outside a git checkout. Static. */
const char *ncc_commit(void);

#endif
