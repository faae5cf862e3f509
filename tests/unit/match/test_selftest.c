/** The self-test passes the engines that are right, and not one whose answers are off in one bit of one pair. */
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "match/engine.h"
#include "selftest/selftest.h"

static int64_t calls;

/** The CPU engine's answer. */
static ncc_status answer(const ncc_search *search, const ncc_geometry *geometry, const ncc_array *image,
                         const ncc_array *tmpl, ncc_result *result) {
  ncc_matcher *matcher = NULL;
  const ncc_config config = {.fft_effort = NCC_FFT_ESTIMATE};
  ncc_status status = ncc_matcher_create(search, &config, &matcher);
  if (status == NCC_OK) status = ncc_matcher_match(matcher, -1, image, 1, tmpl, &geometry->search, result);
  ncc_matcher_destroy(&matcher);
  calls++;
  return status;
}

static ncc_status as_it_is(void *state, const ncc_search *search, const ncc_geometry *geometry, const ncc_array *image,
                           const ncc_array *image_mask, const ncc_array *tmpl, const ncc_array *tmpl_mask,
                           ncc_result *result, ncc_peak *peaks) {
  (void)state;
  (void)image_mask;
  (void)tmpl_mask;
  (void)peaks;
  return answer(search, geometry, image, tmpl, result);
}

/** The last bit of the 100th peak turned round. */
static ncc_status off_by_a_bit(void *state, const ncc_search *search, const ncc_geometry *geometry,
                               const ncc_array *image, const ncc_array *image_mask, const ncc_array *tmpl,
                               const ncc_array *tmpl_mask, ncc_result *result, ncc_peak *peaks) {
  (void)state;
  (void)image_mask;
  (void)tmpl_mask;
  (void)peaks;
  const ncc_status status = answer(search, geometry, image, tmpl, result);
  if (calls == 100) result->peak = nextafter(result->peak, 0);
  return status;
}

/** The 100th place wrong: told by the pair itself, not by the digest alone. */
static ncc_status elsewhere(void *state, const ncc_search *search, const ncc_geometry *geometry, const ncc_array *image,
                            const ncc_array *image_mask, const ncc_array *tmpl, const ncc_array *tmpl_mask,
                            ncc_result *result, ncc_peak *peaks) {
  (void)state;
  (void)image_mask;
  (void)tmpl_mask;
  (void)peaks;
  const ncc_status status = answer(search, geometry, image, tmpl, result);
  if (calls == 100) result->y++;
  return status;
}

static ncc_status verdict(const ncc_engine_ops *engine) {
  const ncc_selftest_options options = {.config = {.engine = engine, .threads = 1}};
  calls = 0;
  return ncc_selftest_run(&options, stdout);
}

int main(void) {
  ncc_engine_ops broken = *ncc_engine_reference();
  CHECK(verdict(ncc_engine_cpu()) == NCC_OK, "the CPU engine is not right");
  broken.match = as_it_is;
  CHECK(verdict(&broken) == NCC_OK, "the same answers by another way are not right");
  broken.match = off_by_a_bit;
  CHECK(verdict(&broken) == NCC_ERR_DIFFERENT, "a peak that is off by a bit was passed");
  broken.match = elsewhere;
  CHECK(verdict(&broken) == NCC_ERR_DIFFERENT, "a place that is wrong was passed");
  return 0;
}
