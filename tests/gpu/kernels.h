/** Kernels by their launchers, against sums that the host makes one by one: what is wrong is told by the kernel's name,
 *  where in whole matches the judge would set it right. On a GPU, or on the stand-in for one.
 */
#ifndef NCC_TESTS_KERNELS_H
#define NCC_TESTS_KERNELS_H

#include "conformance.h"
#include "gpu/launchers.h"

/** A call of CUDA must succeed. */
#define KERNELS_TRY(call)                                                                              \
  do {                                                                                                 \
    cudaError_t code_ = (call);                                                                        \
    if (code_ != cudaSuccess) conf_fail(__FILE__, __LINE__, "%s: %s", #call, cudaGetErrorName(code_)); \
  } while (0)

/** More rows than a grid has: loops over rows have a second turn. */
enum { KERNELS_MANY_ROWS = 32768 + 40 };

/** The stream of all that follows, until kernels_end(). */
cudaStream_t kernels_begin(void);

/** Device memory with a copy of `from`; NULL: all bits set, which are no numbers. Given back by kernels_end(). */
void *kernels_put(const void *from, int64_t bytes);

/** What is there once all that was enqueued is done. */
void kernels_get(void *to, const void *device, int64_t bytes);

void kernels_end(void);

/** malloc() that succeeds. */
void *kernels_room(int64_t bytes);

/* kernels_spectra.c */
void kernels_pack(void);
void kernels_multiply(void);
void kernels_prefix(void);
/* kernels_stats.c */
void kernels_exact_windows(void);
void kernels_rounded_windows(void);
void kernels_flat_windows(void);
void kernels_hot_pixel(void);
/* kernels_peaks.c */
void kernels_sure_peaks(void);
void kernels_doubtful_peaks(void);
void kernels_overhanging_peaks(void);
void kernels_many_peaks(void);

#endif
