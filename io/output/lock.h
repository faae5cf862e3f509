/** The lock that keeps a second run away from an output: a sidecar file, locked by the system, so that it vanishes with
 *  its holder however that ends. Private to io/.
 */
#ifndef NCC_OUTPUT_LOCK_H
#define NCC_OUTPUT_LOCK_H

#include "base/error.h"

/** Locks OUTPUT.part.lock. Where the file system has no locks, says so on stderr and goes on with *fd = -1.
 *  @param[in]  path  of the lock file.
 *  @param[out] fd    to be given to ncc_output_unlock().
 *  @return NCC_OK; NCC_ERR_OUTPUT naming the holder. */
ncc_status ncc_output_lock(const char *path, int *fd);

/** Removes the lock file and the lock; accepts fd = -1. */
void ncc_output_unlock(const char *path, int *fd);

/** Whether another process holds the lock, without taking it. @return NCC_OK; NCC_ERR_OUTPUT naming the holder. */
ncc_status ncc_output_lock_probe(const char *path);

#endif
