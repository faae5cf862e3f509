/** Making files durable and naming them: plain POSIX. */
#ifndef NCC_FILES_H
#define NCC_FILES_H

#include <stdio.h>

#include "base/error.h"

/** malloc'd path + suffix, or NULL without memory. */
char *ncc_file_name(const char *path, const char *suffix);

/** malloc'd name of the directory that holds `path`, or NULL without memory. */
char *ncc_file_directory(const char *path);

/** fsync of a closed file. @return NCC_OK; NCC_ERR_OUTPUT with path and reason. */
ncc_status ncc_file_sync(const char *path);

/** Renames atomically, replacing `to`, and syncs the directory. */
ncc_status ncc_file_rename(const char *from, const char *to);

/** Whether the directory that holds `path` is there and can be written. @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_file_check_creatable(const char *path);

/** Seconds since 1970 as ISO 8601 in UTC, "2025-01-31T12:00:00Z". */
void ncc_file_time_text(int64_t seconds, char *text, size_t size);

/** Flushes a stream, and keeps in mind why it first failed: a stream drops what it could not write, and the next flush
 *  succeeds. @return 0, or the errno of the first failure of this stream or another. */
int ncc_file_flush(FILE *stream);

/** Closes a stream that was written. @param[in] error  errno of a failure before, or 0. @return the first errno, or 0.
 */
int ncc_file_close(FILE *stream, int error);

/** Reads a file whole, with a final zero; malloc'd, caller frees.
 *  @param[out] size  its bytes, or NULL.
 *  @return 0, or an errno: EFBIG beyond `most` bytes, ENOMEM, or what the system says. */
int ncc_file_read(const char *path, int64_t most, char **text, size_t *size);

#endif
