/** Chooses the instruction set once; see kernels.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "match/kernels/kernels.h"

extern const ncc_kernels ncc_kernels_plain;
#ifdef NCC_HAVE_X86_KERNELS
extern const ncc_kernels ncc_kernels_avx2, ncc_kernels_avx512;
#endif

static const ncc_kernels *chosen = &ncc_kernels_plain;

static void choose(void) {
#ifdef NCC_HAVE_X86_KERNELS
  const char *limit = getenv("MPIXCORR_ISA");
  bool plain = limit && strcmp(limit, "plain") == 0, avx2 = limit && strcmp(limit, "avx2") == 0;
  __builtin_cpu_init();
  if (plain) return;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) chosen = &ncc_kernels_avx2;
  if (!avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    chosen = &ncc_kernels_avx512;
#endif
}

const ncc_kernels *ncc_kernels_get(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, choose);
  return chosen;
}
