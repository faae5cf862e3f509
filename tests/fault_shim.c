/** Makes a system call fail, hang or kill, for tests: a library to be preloaded.
 *
 *  FAULT_CALL     pread, pwrite, fdatasync, fsync, close, rename (before it), renamed (after it)
 *  FAULT_PATH     only on files whose path contains this (default: all)
 *  FAULT_AT       the first such call that goes wrong, counted from 1 (default 1); all later ones do too, but for kill
 *  FAULT_ACTION   kill (the process by SIGKILL), hang, or the number of an errno
 *  FAULT_COMMAND  only in processes whose command line has this word
 *  FAULT_RANK     only in this rank (default: all)
 *  FAULT_COUNT    a file to which each such call adds a byte, whether it goes wrong or not
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static int calls;

static const char *wish(const char *name) {
  const char *text = getenv(name);
  return text ? text : "";
}

static bool rank_fits(void) {
  const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *wanted = wish("FAULT_RANK");
  return !*wanted || strcmp(rank ? rank : "0", wanted) == 0;
}

static bool command_fits(void) {
  char text[4096] = "";
  FILE *file = *wish("FAULT_COMMAND") ? fopen("/proc/self/cmdline", "r") : NULL;
  if (!file) return true;
  size_t n = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  return memmem(text, n, wish("FAULT_COMMAND"), strlen(wish("FAULT_COMMAND"))) != NULL;
}

/** Whether this call is to fail, with errno set; does not return if it kills or hangs. */
static bool goes_wrong(const char *call, const char *path) {
  if (strcmp(wish("FAULT_CALL"), call) != 0 || !strstr(path, wish("FAULT_PATH")) || !rank_fits()) return false;
  if (!command_fits()) return false;
  int number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  if (*wish("FAULT_COUNT")) {
    FILE *file = fopen(wish("FAULT_COUNT"), "a");
    if (file) fputc('.', file), fclose(file);
  }
  int at = *wish("FAULT_AT") ? atoi(wish("FAULT_AT")) : 1;
  const char *action = wish("FAULT_ACTION");
  if (number < at || !*action) return false;
  if (strcmp(action, "kill") == 0) {
    if (number == at) kill(getpid(), SIGKILL);
    return false;
  }
  while (strcmp(action, "hang") == 0) pause();
  errno = atoi(action);
  return true;
}

static bool descriptor_goes_wrong(const char *call, int fd) {
  char link[64], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  path[n > 0 ? n : 0] = '\0';
  return goes_wrong(call, path);
}

#define REAL(type, name, ...)       \
  static type (*real)(__VA_ARGS__); \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, name);

ssize_t pread(int fd, void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pread", int, void *, size_t, off_t)
  return descriptor_goes_wrong("pread", fd) ? -1 : real(fd, data, n, offset);
}

ssize_t pread64(int fd, void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pread64", int, void *, size_t, off_t)
  return descriptor_goes_wrong("pread", fd) ? -1 : real(fd, data, n, offset);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)
  return descriptor_goes_wrong("pwrite", fd) ? -1 : real(fd, data, n, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t)
  return descriptor_goes_wrong("pwrite", fd) ? -1 : real(fd, data, n, offset);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int)
  return descriptor_goes_wrong("fdatasync", fd) ? -1 : real(fd);
}

int fsync(int fd) {
  REAL(int, "fsync", int)
  return descriptor_goes_wrong("fsync", fd) ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *)
  if (goes_wrong("rename", from)) return -1;
  int result = real(from, to);
  return goes_wrong("renamed", to) ? -1 : result;
}

int close(int fd) {
  REAL(int, "close", int)
  return descriptor_goes_wrong("close", fd) ? -1 : real(fd);
}
