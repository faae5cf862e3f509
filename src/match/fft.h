/** Lengths and plans of the float32 1-D transforms, and the wisdom behind them. The only user of FFTW's planner.
 *
 *  Results do not depend on lengths, plans or library: proposals carry bounds.
 */
#ifndef NCC_FFT_H
#define NCC_FFT_H

#include <fftw3.h>

#include "match/geometry.h"
#include "match/kernels/cut.h"

enum { NCC_ROW_BATCH = 8 };    /**< rows are transformed and transposed eight at a time, two real rows as one complex */
enum { NCC_LEAST_PART = 192 }; /**< points of the shortest part; what has less than two of them is never cut */

/** Lengths and strides for one geometry; see cpu/engine.c for the stages. */
typedef struct ncc_fft_shape {
  int64_t rows, cols; /**< length of column and of row transforms */
  int64_t half;       /**< columns of the half spectrum: cols / 2 + 1 */
  int64_t row_stride; /**< complex numbers from one packed row of a batch to the next */
} ncc_fft_shape;

/** Chooses lengths by a table of measured costs. */
ncc_fft_shape ncc_fft_shape_choose(const ncc_geometry *g);

/** The cheapest length >= least. */
int64_t ncc_fft_length(int64_t least);

/** Seconds of one complex 1-D transform in cache on one core of the reference machine. */
double ncc_fft_cost_s(int64_t length);

/** The same, cut into parts where that is cheaper, as the engine does. */
double ncc_fft_cut_cost_s(int64_t length);

/** A transform, cut into parts. */
typedef struct ncc_cut_plan {
  ncc_cut cut;                 /**< its strides are left to the user */
  fftwf_plan forward, inverse; /**< one part */
} ncc_cut_plan;

/** Plans of a shape: contiguous, out of place, input kept. Executed with new arrays of the same alignment (64 bytes) by
 *  any number of threads. */
typedef struct ncc_fft_plans {
  int64_t rows, cols;
  ncc_cut_plan column, row; /**< a column; a packed row */
} ncc_fft_plans;

/** Finds or makes the plans of a shape; they live as long as the process. Thread-safe.
 *  @param[in,out] planning_s  the time it took is added; NULL: not wanted */
ncc_status ncc_fft_plans_get(const ncc_fft_shape *shape, ncc_fft_effort effort, double *planning_s,
                             const ncc_fft_plans **out);

/** FFTW's planner is one for the process: everybody who plans holds this. */
void ncc_fft_lock(void);
void ncc_fft_unlock(void);

/** All that the planner has learnt, as a string; malloc'd, caller frees. NULL where the library has no wisdom. */
char *ncc_fft_wisdom_export(void);

/** Takes over exported wisdom. @return false if the library does not accept it. */
bool ncc_fft_wisdom_import(const char *wisdom);

/** The FFT library in use, as it names itself: "fftw-3.3.10-sse2-avx", "mkl-2026.0.2". Static. */
const char *ncc_fft_library(void);

#endif
