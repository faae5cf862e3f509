/** Is this build right on this machine? Built-in pairs against direct sums and known places, the digest of all answers
 *  against the published one, and pairs a second of the presets. Needs neither MPI nor files. */
#ifndef NCC_SELFTEST_H
#define NCC_SELFTEST_H

#include <stdio.h>

#include "mpixcorr.h"

/** Digest of all answers of numerics revision 1: the same on every CPU and GPU. */
#define NCC_SELFTEST_DIGEST UINT64_C(0xf5109f27303aa48c)

typedef struct ncc_selftest_options {
  ncc_config config;   /**< engine, device and threads */
  double rate_seconds; /**< measured for each preset; 0: rates are left out */
} ncc_selftest_options;

/** Runs it all, and prints one page.
 *  @return NCC_OK: all is right; NCC_ERR_DIFFERENT, told on the page; NCC_ERR_NOMEM; NCC_ERR_DEVICE. */
ncc_status ncc_selftest_run(const ncc_selftest_options *options, FILE *stream);

#endif
