/** The flag that asks a rank's threads to leave off. Plain enough for a signal handler to set. */
#ifndef NCC_STOP_H
#define NCC_STOP_H

#include <stdbool.h>

static inline void ncc_stop_ask(volatile int *stop) {
  __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
}

static inline bool ncc_stop_asked(const volatile int *stop) {
  return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

#endif
