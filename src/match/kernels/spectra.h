/** Inner loops between packed rows' transforms and strips of half spectra, and the search of rows; compiled and chosen
 * as kernels.h says. */
#ifndef NCC_KERNELS_SPECTRA_H
#define NCC_KERNELS_SPECTRA_H

#include "match/kernels/kernels.h"

typedef struct ncc_spectrum_kernels {
  /** From the transforms of four packed rows, each in parts (kernels/cut.h), in[r * in_stride + k1 * (length +
   *  NCC_PART_GAP) + k2] (one element more is written), to twice the half spectra of eight real rows, as a strip,
   * aligned to 64 bytes: out[k * step + row], part by part: k = 0 .. parts * length / 2 in an order that the way back
   * knows.
   *  @param past  write past the caches, which are too small for what is written before it is read */
  void (*unpack_spectra)(ncc_c32 *in, int64_t in_stride, int parts, int64_t length, ncc_c32 *out, int64_t step,
                         bool past);
  /** The way back: a strip of half spectra of eight real rows to the spectra of four packed rows. */
  void (*pack_spectra)(const ncc_c32 *in, int64_t step, int parts, int64_t length, ncc_c32 *out, int64_t out_stride);
  /** Largest value of `rows` packed rows in blocks of 16 columns: out[b]; n columns, a multiple of 16. */
  void (*block_max)(const ncc_c32 *packed, int64_t stride, int rows, int64_t n, float *out);
} ncc_spectrum_kernels;

#endif
