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

#endif
