/** Seconds for measuring. */
#ifndef NCC_CLOCK_H
#define NCC_CLOCK_H

#include <stdint.h>
#include <time.h>

/** Monotonic seconds since some point. */
static inline double ncc_clock_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** When so many seconds (at least 0) have passed, for waits by CLOCK_MONOTONIC. */
static inline struct timespec ncc_clock_after(double seconds) {
  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  const int64_t ns = due.tv_nsec + (int64_t)(1e9 * seconds);
  due.tv_sec += ns / 1000000000;
  due.tv_nsec = ns % 1000000000;
  return due;
}

/** Processor seconds of the calling thread so far. */
static inline double ncc_clock_thread_cpu_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** Processor seconds of all threads of the process so far. */
static inline double ncc_clock_process_cpu_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
