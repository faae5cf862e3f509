/** What files of pixels that a table names are like: shapes and types, from their first bytes. */
#ifndef NCC_STAGE_LOOK_H
#define NCC_STAGE_LOOK_H

#include "base/error.h"

/** Looks at every source, in several threads.
 *  @param[in]  root    where relative names start.
 *  @param[in]  lines   [n] of `path`, for messages.
 *  @param[out] shapes  [n][2] (rows, cols). @param[out] dtypes  [n].
 *  @return NCC_OK; NCC_ERR_INPUT naming the line, the file and the reason; NCC_ERR_NOMEM. */
ncc_status ncc_look_at_sources(const char *path, const char *root, int64_t n, const char *const *names,
                               const int64_t *lines, int64_t (*shapes)[2], ncc_dtype *dtypes);

/** The type of all, or NCC_DTYPE_COUNT where they differ. */
ncc_dtype ncc_common_dtype(int64_t n, const ncc_dtype *dtypes);

/** Where relative names of a table start: `named` from the table's folder on, where it is not NULL, else that folder.
 *  @param[out] root    malloc'd absolute path.
 *  @param[out] beside  whether that is the folder of `output`, which files need not tell then.
 *  @return NCC_OK; NCC_ERR_INPUT where there is no such folder; NCC_ERR_NOMEM. */
ncc_status ncc_source_root(const char *path, const char *named, const char *output, char **root, bool *beside);

#endif
