/** Files that this process writes. No command writes over what it reads, nor over anything but a file.
 *
 *  A command declares its targets before it reads anything, and whoever opens a file to read it asks
 *  ncc_target_spare() first. A target appears whole: it is written under another name beside it and then renamed.
 */
#ifndef NCC_TARGET_H
#define NCC_TARGET_H

#include <sys/stat.h>

#include "base/error.h"

/** Looks at what is there and remembers it as this process's until ncc_target_forget().
 *  @param[in]  path  symbolic links are followed, also to where nothing is yet.
 *  @param[in]  role  what the user calls it, "OUTPUT" or "--report"; a literal. One target a role.
 *  @param[out] out   malloc'd: where it lies, links followed; may be NULL.
 *  @return NCC_OK; NCC_ERR_OUTPUT where a folder, device, pipe or socket is there, or where it is the target of another
 *          role; NCC_ERR_NOMEM. Thread-safe. */
ncc_status ncc_target_declare(const char *path, const char *role, char **out);

/** Declares a file that goes with a target, named target + suffix. A symbolic link of that name is refused. */
ncc_status ncc_target_declare_sidecar(const char *target, const char *suffix, const char *role);

void ncc_target_forget(const char *role);

/** Whether a file may be read. @param[in] found  what stat told of it; NULL: it is asked here.
 *  @return NCC_OK, also where nothing is there; NCC_ERR_OUTPUT naming it where it is one of the targets. */
ncc_status ncc_target_spare(const char *path, const struct stat *found);

/** A target as it is being written. */
typedef struct ncc_target {
  char *path, *temporary; /**< owned; zeroed: none */
  const char *role;
} ncc_target;

/** Declares a target and creates the empty file that is to take its place.
 *  @return as ncc_target_declare(); NCC_ERR_OUTPUT where no file can be created. */
ncc_status ncc_target_begin(const char *path, const char *role, ncc_target *out);

/** Makes the closed temporary file durable and puts it in its place. @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_target_commit(ncc_target *target);

/** Removes the temporary file, if it is still there, and frees; accepts a zeroed one. */
void ncc_target_end(ncc_target *target);

#endif
