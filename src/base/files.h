/** Making files durable and naming them: plain POSIX. */
#ifndef NCC_FILES_H
#define NCC_FILES_H

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

#endif
