/** Random numbers, the same everywhere and at each run. */
#ifndef NCC_TESTS_RANDOM_H
#define NCC_TESTS_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 1;

/** In [0, 1). */
static inline double uniform(void) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (double)(random_state >> 11) * 0x1p-53;
}

/** A whole number, `first` and `last` among them. */
static inline int64_t between(int64_t first, int64_t last) {
  return first + (int64_t)(uniform() * (double)(last - first + 1));
}

/** One of the first n numbers, from 0 on. */
static inline int below(int n) {
  return (int)between(0, n - 1);
}

#endif
