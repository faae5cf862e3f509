/** The self-test passes the engines that are right, and not one whose answers are off in one bit of one pair. */
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "match/engine.h"
#include "selftest/selftest.h"

enum { NONE, LAST_BIT, PLACE };

static int64_t calls;
static int fault;

/** The CPU engine's answer; the 100th with a fault. */
static ncc_status answer(void *state, const ncc_search *search, const ncc_geometry *geometry, const ncc_array *image,
                         const ncc_array *image_mask, const ncc_array *tmpl, const ncc_array *tmpl_mask,
                         ncc_result *result, ncc_peak *peaks) {
  ncc_matcher *matcher = NULL;
  const ncc_config config = {.fft_effort = NCC_FFT_ESTIMATE};
  (void)state;
  (void)image_mask;
  (void)tmpl_mask;
  (void)peaks;
  ncc_status status = ncc_matcher_create(search, &config, &matcher);
  if (status == NCC_OK) status = ncc_matcher_match(matcher, -1, image, 1, tmpl, &geometry->search, result);
  ncc_matcher_destroy(&matcher);
  if (++calls == 100 && fault == LAST_BIT) result->peak = nextafter(result->peak, 0);
  if (calls == 100 && fault == PLACE) result->y++; /* told by the pair itself, not by the digest alone */
  return status;
}

static ncc_status verdict(const ncc_engine_ops *engine, int which) {
  const ncc_selftest_options options = {.config = {.engine = engine, .threads = 1}};
  calls = 0;
  fault = which;
  return ncc_selftest_run(&options, stdout);
}

int main(void) {
  ncc_engine_ops broken = *ncc_engine_reference();
  CHECK(verdict(ncc_engine_cpu(), NONE) == NCC_OK, "the CPU engine is not right");
  broken.match = answer;
  CHECK(verdict(&broken, NONE) == NCC_OK, "the same answers by another way are not right");
  CHECK(verdict(&broken, LAST_BIT) == NCC_ERR_DIFFERENT, "a peak that is off by a bit was passed");
  CHECK(verdict(&broken, PLACE) == NCC_ERR_DIFFERENT, "a place that is wrong was passed");
  return 0;
}
