/** Makes a call fail, hang, crawl or kill, for tests: a library to be preloaded. So a run can be struck at a certain
 *  moment, however quick or busy the machine is.
 *
 *  - FAULT_CALL: pread, pwrite, fdatasync, fsync, close, flock, lock (by fcntl()), rename (before it), renamed (after
 *    it), thread (its start; its path is that of the code that it runs), join (of a thread), alloc (memory that
 *    the program itself asks for), or transform: an FFT of the engine
 *  - FAULT_PATH: only on files whose path contains this (default: all)
 *  - FAULT_AFTER: only once a file of this name exists: OUTPUT.part, and calls before the work do not count
 *  - FAULT_AT: the first such call that goes wrong, counted from 1 (default 1)
 *  - FAULT_TIMES: how many do from there on (default: all, but for kill and stop)
 *  - FAULT_ACTION: kill (the process by SIGKILL), stop (it by SIGSTOP), crash (by SIGILL), hang, wait
 * (while the gate exists; makes the file GATE.RANK), nap (FAULT_NAP_US microseconds, while the gate exists), short (a
 * read or write of half of its bytes), or the number of an errno
 *  - FAULT_GATE: a file
 *  - FAULT_COMMAND: only in processes whose command line has this word
 *  - FAULT_RANK: only in this rank (default: all)
 *  - FAULT_COUNT: a file to which each such call adds a byte, whether it goes wrong or not
 *  - FAULT_LOG: a file to which every call that has to do with a file adds a line, before it is made: the
 *    call, the place in the file, the number of bytes, the path and, of a rename, the new path, with tabs between
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/types.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static int calls;

static const char *wish(const char *name) {
  const char *text = getenv(name);
  return text ? text : "";
}

static const char *own_rank(void) {
  const char *rank = getenv("OMPI_COMM_WORLD_RANK");
  return rank ? rank : "0";
}

static bool command_fits(void) {
  static int known; /* 1: yes, 2: no */
  char text[4096] = "";
  if (known == 0) {
    FILE *file = *wish("FAULT_COMMAND") ? fopen("/proc/self/cmdline", "r") : NULL;
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    known = !file || memmem(text, n, wish("FAULT_COMMAND"), strlen(wish("FAULT_COMMAND"))) ? 1 : 2;
    if (file) fclose(file);
  }
  return known == 1;
}

static bool exists(const char *path) {
  return access(path, F_OK) == 0;
}

/** Adds a line to the log, in one write, so that threads do not mix theirs. */
static void keep(const char *call, long long offset, size_t n, const char *path, const char *to) {
  static FILE *file;
  if (!*wish("FAULT_LOG") || !command_fits()) return;
  if (!file) file = fopen(wish("FAULT_LOG"), "a");
  if (file) fprintf(file, "%s\t%lld\t%zu\t%s\t%s\n", call, offset, n, path, to), fflush(file);
}

/** Whether this process is to be struck, now, by this kind of call. */
static bool is_meant(const char *call) {
  static bool after;
  if (strcmp(wish("FAULT_CALL"), call) != 0 || !command_fits()) return false;
  if (*wish("FAULT_RANK") && strcmp(own_rank(), wish("FAULT_RANK")) != 0) return false;
  if (!after) after = !*wish("FAULT_AFTER") || exists(wish("FAULT_AFTER"));
  return after;
}

static void wait_at_gate(void) {
  const char *gate = wish("FAULT_GATE");
  char mark[4096];
  snprintf(mark, sizeof mark, "%s.%s", gate, own_rank());
  FILE *file = exists(gate) ? fopen(mark, "a") : NULL;
  if (file) fclose(file);
  while (exists(gate)) usleep(2000);
}

/** Whether this call is to fail, with errno set; may not return, or not soon. */
static bool goes_wrong(const char *call, const char *path) {
  if (!is_meant(call) || !strstr(path, wish("FAULT_PATH"))) return false;
  int number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  if (*wish("FAULT_COUNT")) {
    static FILE *file;
    if (!file) file = fopen(wish("FAULT_COUNT"), "a");
    if (file) fputc('.', file), fflush(file);
  }
  int at = *wish("FAULT_AT") ? atoi(wish("FAULT_AT")) : 1;
  const char *action = wish("FAULT_ACTION");
  if (number < at || !*action) return false;
  if (*wish("FAULT_TIMES") && number >= at + atoi(wish("FAULT_TIMES"))) return false;
  if (strcmp(action, "kill") == 0 || strcmp(action, "stop") == 0) {
    if (number == at) kill(getpid(), *action == 'k' ? SIGKILL : SIGSTOP);
    return false;
  }
  while (strcmp(action, "hang") == 0) pause();
  if (strcmp(action, "crash") == 0) __builtin_trap();
  if (strcmp(action, "wait") == 0) {
    wait_at_gate();
    return false;
  }
  if (strcmp(action, "nap") == 0) {
    if (exists(wish("FAULT_GATE"))) usleep((useconds_t)atoi(wish("FAULT_NAP_US")));
    return false;
  }
  errno = atoi(action);
  return true;
}

/** @param[in,out] n  bytes of the call; fewer where it is to be cut short. */
static bool transfer_goes_wrong(const char *call, int fd, off_t offset, size_t *n) {
  if (!is_meant(call) && !*wish("FAULT_LOG")) return false;
  char link[64], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  keep(call, offset, *n, path, "");
  bool wrong = goes_wrong(call, path);
  if (!wrong || strcmp(wish("FAULT_ACTION"), "short") != 0) return wrong;
  *n = (*n + 1) / 2;
  return false;
}

static bool descriptor_goes_wrong(const char *call, int fd) {
  size_t none = 0;
  return transfer_goes_wrong(call, fd, 0, &none);
}

#define REAL(type, name, ...)       \
  static type (*real)(__VA_ARGS__); \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, name);

ssize_t pread(int fd, void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pread", int, void *, size_t, off_t)
  return transfer_goes_wrong("pread", fd, offset, &n) ? -1 : real(fd, data, n, offset);
}

ssize_t pread64(int fd, void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pread64", int, void *, size_t, off_t)
  return transfer_goes_wrong("pread", fd, offset, &n) ? -1 : real(fd, data, n, offset);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)
  return transfer_goes_wrong("pwrite", fd, offset, &n) ? -1 : real(fd, data, n, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t)
  return transfer_goes_wrong("pwrite", fd, offset, &n) ? -1 : real(fd, data, n, offset);
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
  keep("rename", 0, 0, from, to);
  if (goes_wrong("rename", from)) return -1;
  int result = real(from, to);
  return goes_wrong("renamed", to) ? -1 : result;
}

int close(int fd) {
  REAL(int, "close", int)
  return descriptor_goes_wrong("close", fd) ? -1 : real(fd);
}

/* The engine's transforms: fftwf_execute_dft(plan, in, out), whatever library it comes from. */
void fftwf_execute_dft(void *plan, void *in, void *out) {
  REAL(void, "fftwf_execute_dft", void *, void *, void *)
  (void)goes_wrong("transform", "");
  real(plan, in, out);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
  Dl_info code = {0};
  void *start;
  memcpy(&start, &run, sizeof start);
  if (is_meant("thread") && dladdr(start, &code) && goes_wrong("thread", code.dli_fname)) return errno;
  return real(thread, attributes, run, argument);
}

int pthread_join(pthread_t thread, void **result) {
  REAL(int, "pthread_join", pthread_t, void **)
  (void)goes_wrong("join", "");
  return real(thread, result);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

#ifndef NCC_SANITIZED /* sanitizers have an allocator of their own */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/** @param[in] caller  an address: only what the program asks for itself goes wrong, not what a library needs. */
static bool alloc_goes_wrong(const void *caller) {
  static __thread bool inside; /* looking may need memory too */
  Dl_info code = {0}, own = {0};
  bool wrong = false;
  if (inside) return false;
  inside = true;
  if (is_meant("alloc") && dladdr(caller, &code) && dladdr((void *)getauxval(AT_PHDR), &own))
    wrong = code.dli_fbase == own.dli_fbase && goes_wrong("alloc", "");
  inside = false;
  return wrong;
}

void *malloc(size_t n) {
  return alloc_goes_wrong(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
  return alloc_goes_wrong(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n) {
  return alloc_goes_wrong(__builtin_return_address(0)) ? NULL : __libc_realloc(old, n);
}
#endif

int flock(int fd, int operation) {
  REAL(int, "flock", int, int)
  return descriptor_goes_wrong("flock", fd) ? -1 : real(fd, operation);
}

/** Of a file's open description, as the output's lock is. */
static bool is_lock(int operation) {
  return operation == F_OFD_SETLK || operation == F_OFD_SETLKW;
}

/* All that it is called with fits a pointer. */
#define FCNTL(name)                                                         \
  int name(int fd, int operation, ...) {                                    \
    REAL(int, #name, int, int, ...)                                         \
    va_list args;                                                           \
    va_start(args, operation);                                              \
    void *argument = va_arg(args, void *);                                  \
    va_end(args);                                                           \
    if (is_lock(operation) && descriptor_goes_wrong("lock", fd)) return -1; \
    return real(fd, operation, argument);                                   \
  }
FCNTL(fcntl)
FCNTL(fcntl64)
