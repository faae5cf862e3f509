/** Seconds for measuring. */
#ifndef NCC_CLOCK_H
#define NCC_CLOCK_H

#include <time.h>

/** Monotonic seconds since some point. */
static inline double ncc_clock_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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
