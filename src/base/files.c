/** See files.h. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char *ncc_file_name(const char *path, const char *suffix) {
  char *name = NULL;
  return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}

static ncc_status sync_opened(const char *path, int flags) {
  ncc_status status = NCC_OK;
  int fd = open(path, flags | O_CLOEXEC);
  NCC_CHECK(fd >= 0, NCC_ERR_OUTPUT, "%s: cannot be opened to be synced: %s", path, strerror(errno));
  // Some file systems cannot sync a directory and need not.
  NCC_CHECK(fsync(fd) == 0 || ((flags & O_DIRECTORY) && errno == EINVAL), NCC_ERR_OUTPUT, "%s: cannot be synced: %s",
            path, strerror(errno));
cleanup:
  if (fd >= 0) close(fd);
  return status;
}

ncc_status ncc_file_sync(const char *path) {
  return sync_opened(path, O_RDONLY);
}

char *ncc_file_directory(const char *path) {
  const char *slash = strrchr(path, '/');
  return !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/** fsync of the directory that holds `path`, so that its entries last. */
static ncc_status sync_directory(const char *path) {
  char *directory = ncc_file_directory(path);
  ncc_status status =
      directory ? sync_opened(directory, O_RDONLY | O_DIRECTORY) : ncc_error_set(NCC_ERR_NOMEM, "%s: no memory", path);
  free(directory);
  return status;
}

ncc_status ncc_file_rename(const char *from, const char *to) {
  if (rename(from, to) != 0) {
    return ncc_error_set(NCC_ERR_OUTPUT, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
  }
  ncc_status status = sync_directory(to);
  if (status != NCC_OK) ncc_error_prefix("%s: directory", to);
  return status;
}

ncc_status ncc_file_check_creatable(const char *path) {
  ncc_status status = NCC_OK;
  struct stat info;
  char *directory = ncc_file_directory(path);
  NCC_CHECK(directory, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_CHECK(stat(directory, &info) == 0, NCC_ERR_OUTPUT, "%s: cannot be created: directory %s: %s", path, directory,
            strerror(errno));
  NCC_CHECK(S_ISDIR(info.st_mode), NCC_ERR_OUTPUT, "%s: cannot be created: %s is no directory", path, directory);
  NCC_CHECK(access(directory, W_OK | X_OK) == 0, NCC_ERR_OUTPUT, "%s: cannot be created: directory %s: %s", path,
            directory, strerror(errno));
cleanup:
  free(directory);
  return status;
}

void ncc_file_time_text(int64_t seconds, char *text, size_t size) {
  time_t time = (time_t)seconds;
  struct tm parts;
  gmtime_r(&time, &parts);
  strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

int ncc_file_flush(FILE *stream) {
  static int first;
  errno = 0;
  if (fflush(stream) != 0 && first == 0) first = errno;
  return first;
}

int ncc_file_close(FILE *stream, int error) {
  errno = 0;
  return fclose(stream) != 0 && error == 0 ? errno : error;
}

int ncc_file_read(const char *path, int64_t most, char **text, size_t *size) {
  size_t used = 0, capacity = 1 << 16;
  int error = 0;
  char *bytes = NULL;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  for (ssize_t got = 1; !error && got != 0;) {
    if (!bytes || used == capacity) {
      capacity = bytes ? 2 * capacity : capacity;
      char *larger = realloc(bytes, capacity + 1);
      if (larger) bytes = larger;
      if (!larger) error = ENOMEM;
      if (error) break;
    }
    got = read(fd, bytes + used, capacity - used);
    if (got > 0) used += (size_t)got;
    if (got < 0 && errno != EINTR) error = errno;
    if ((int64_t)used > most) error = EFBIG;
  }
  close(fd);
  if (error) {
    free(bytes);
    return error;
  }
  bytes[used] = '\0';
  *text = bytes;
  if (size) *size = used;
  return 0;
}
