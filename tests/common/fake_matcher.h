/** A matcher that does not match: its answer is a checksum of the pixels, and it can be told to be slow or to fail.
 *  Linked before ncc_core it takes the real matcher's place, so that tests of the distribution see what it alone does.
 */
#ifndef NCC_TESTS_FAKE_MATCHER_H
#define NCC_TESTS_FAKE_MATCHER_H

#include "mpixcorr.h"

/** How it behaves in this process. */
typedef struct fake_behaviour {
  double sleep_s;       /**< for each pair, asleep */
  bool (*until)(void);  /**< for each pair, spinning until this holds; NULL: not at all */
  bool nothing;         /**< one answer for all: not even a checksum */
  int64_t fail_after;   /**< pairs, then NCC_ERR_NOMEM; 0: never */
  const uint8_t *first; /**< [n_first] statuses of the first pairs, whatever their pixels */
  int64_t n_first;
  int64_t pairs_done;
} fake_behaviour;

extern fake_behaviour fake;

/** The answer for a pair. */
ncc_result fake_answer(const ncc_array *image, const ncc_array *tmpl, const ncc_rect *window);

#endif
