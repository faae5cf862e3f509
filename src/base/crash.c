#include "base/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "mpixcorr.h"

static __thread const char *volatile reading;

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};
enum { SIGNALS = sizeof signals / sizeof signals[0], LINE = 4096 };

/** Appends text to a line that has room, without control characters. */
static size_t add(char *line, size_t n, const char *text) {
  for (; *text && n < LINE; text++) line[n++] = (unsigned char)*text < ' ' ? '?' : *text;
  return n;
}

/** Calls nothing but what a signal handler may. */
static void tell(int number) {
  const char *path = reading;
  char line[LINE + 1];
  size_t n = 0;
  if (!path) {
    void *frames[64];
    backtrace_symbols_fd(frames, backtrace(frames, sizeof frames / sizeof frames[0]), STDERR_FILENO);
    signal(number, SIG_DFL); /* the instruction or abort() that failed comes again */
    return;
  }
  reading = NULL;
  n = add(line, n, "mpixcorr: ");
  n = add(line, n, path);
  if (n > LINE - 80) n = LINE - 80;
  n = add(line, n, ": a library crashed when it read this (");
  for (int i = 0; i < SIGNALS; i++)
    if (signals[i].number == number) n = add(line, n, signals[i].name);
  n = add(line, n, "); is it damaged?");
  line[n++] = '\n';
  const ssize_t written = write(STDERR_FILENO, line, n);
  (void)written; /* nobody is left to be told */
  _exit(ncc_status_exit_code(NCC_ERR_INTERNAL));
}

void ncc_crash_catch(void) {
  struct sigaction ours = {.sa_handler = tell}, before;
  void *frame;
  backtrace(&frame, 1); /* loads what it needs, which a signal handler may not */
  sigemptyset(&ours.sa_mask);
  for (int i = 0; i < SIGNALS; i++)
    if (sigaction(signals[i].number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
      sigaction(signals[i].number, &ours, NULL);
}

const char *ncc_crash_reading(const char *path) {
  const char *before = reading;
  reading = path;
  return before;
}
