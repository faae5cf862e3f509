/** Built-in pairs of images and templates: every pixel type, odd and prime shapes, every kind of search, and what goes
 *  wrong elsewhere: one pixel, template = image, flat windows, large offsets, periods, borders, NaN.
 *
 *  Pixels come from integer arithmetic and powers of two alone, so they are the same on every machine.
 */
#ifndef NCC_SELFTEST_CASES_H
#define NCC_SELFTEST_CASES_H

#include "mpixcorr.h"

/** Pairs small enough for direct sums, and larger ones whose place is known. */
enum { NCC_SELFTEST_SMALL = 720, NCC_SELFTEST_LARGE = 24 };

/** One pair and what is asked of it. */
typedef struct ncc_selftest_case {
  ncc_search search;
  ncc_array image, tmpl; /**< pixels are owned: freed by ncc_selftest_case_clear() */
  bool has_window;
  ncc_rect window;
  int64_t known_y, known_x; /**< where the template was cut, in full coordinates, if it must be found there; else -1 */
} ncc_selftest_case;

/** Makes case 0 .. NCC_SELFTEST_SMALL + NCC_SELFTEST_LARGE - 1.
 *  @return NCC_OK; NCC_ERR_NOMEM, with nothing to clear. */
ncc_status ncc_selftest_case_make(int index, ncc_selftest_case *out);

void ncc_selftest_case_clear(ncc_selftest_case *c);

#endif
