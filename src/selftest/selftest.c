/** See selftest.h. */
#include "selftest/selftest.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/version.h"
#include "match/fft.h"
#include "match/kernels/kernels.h"
#include "selftest/cases.h"
#include "synth/sample.h"

#define TOLERANCE 2e-12 /* of two float64 sums in different orders, ties included */
#define WRONG_SHOWN 5

/** What has been found so far. */
typedef struct findings {
  FILE *stream;
  uint64_t digest;
  int64_t pairs, wrong;
  int64_t fallback; /* pairs that the CPU engine did for a GPU */
  double largest_error;
} findings;

/** FNV-1a over eight bytes, least significant first. */
static void digest_add(uint64_t *digest, uint64_t value) {
  for (int i = 0; i < 64; i += 8) *digest = (*digest ^ (value >> i & 0xFF)) * UINT64_C(0x100000001B3);
}

static void digest_add_real(uint64_t *digest, double value) {
  uint64_t bits;
  if (isnan(value)) value = NAN; /* one NaN for all */
  memcpy(&bits, &value, sizeof bits);
  digest_add(digest, isnan(value) ? UINT64_C(0x7FF8000000000000) : bits);
}

static void digest_add_result(uint64_t *digest, const ncc_result *r) {
  digest_add(digest, (uint64_t)r->y);
  digest_add(digest, (uint64_t)r->x);
  digest_add_real(digest, r->peak);
  digest_add_real(digest, r->subpixel_y);
  digest_add_real(digest, r->subpixel_x);
  digest_add(digest, (uint64_t)r->second_y);
  digest_add(digest, (uint64_t)r->second_x);
  digest_add_real(digest, r->second_peak);
  digest_add(digest, r->status);
}

static ncc_status match(const ncc_selftest_case *c, const ncc_config *config, ncc_result *result, int64_t *fallback) {
  ncc_status status = NCC_OK;
  ncc_matcher *matcher = NULL;
  NCC_TRY(ncc_matcher_create(&c->search, config, &matcher));
  NCC_TRY(ncc_matcher_match(matcher, -1, &c->image, 1, &c->tmpl, c->has_window ? &c->window : NULL, result));
  *fallback += ncc_matcher_counters(matcher)->cpu_fallback;
cleanup:
  ncc_matcher_destroy(&matcher);
  return status;
}

/** Whether an answer is the expected one within the tolerance; of equal values another place counts. */
static bool is_right(const ncc_result *found, const ncc_result *expected, bool tie, double *error) {
  *error = 0;
  if (found->status != expected->status) return false;
  const bool same_place = found->y == expected->y && found->x == expected->x;
  if (isnan(expected->peak)) return isnan(found->peak) && same_place;
  *error = fabs(found->peak - expected->peak);
  return *error <= TOLERANCE && (same_place || tie);
}

/** Direct sums; for larger pairs what is known. @param[out] tie  the place found has the same value, directly summed */
static ncc_status expect(const ncc_selftest_case *c, const ncc_result *found, ncc_result *expected, bool *tie) {
  ncc_status status = NCC_OK;
  const ncc_config direct = {.engine = ncc_engine_reference()};
  ncc_result there;
  int64_t none = 0;
  *tie = false;
  if (c->known_y >= 0) {
    *expected = (ncc_result){.y = c->known_y, .x = c->known_x, .peak = 1, .status = NCC_PAIR_OK};
    return NCC_OK;
  }
  NCC_TRY(match(c, &direct, expected, &none));
  if (found->y < 0 || (found->y == expected->y && found->x == expected->x)) return NCC_OK;
  ncc_selftest_case one_place = *c;
  one_place.has_window = true;
  one_place.window = (ncc_rect){found->y, found->x, found->y + 1, found->x + 1};
  NCC_TRY(match(&one_place, &direct, &there, &none));
  *tie = fabs(there.peak - expected->peak) <= TOLERANCE;
cleanup:
  return status;
}

static ncc_status try_case(int index, const ncc_config *config, findings *f) {
  ncc_status status = NCC_OK;
  ncc_selftest_case c;
  ncc_result found, expected;
  bool tie;
  double error;
  NCC_TRY(ncc_selftest_case_make(index, &c));
  NCC_TRY(match(&c, config, &found, &f->fallback));
  NCC_TRY(expect(&c, &found, &expected, &tie));
  f->pairs++;
  digest_add_result(&f->digest, &found);
  if (!is_right(&found, &expected, tie, &error) && f->wrong++ < WRONG_SHOWN) {
    fprintf(f->stream,
            "wrong    pair %d, %s %" PRId64 "x%" PRId64 " with %s %" PRId64 "x%" PRId64 ": %s %.15g at (%" PRId64
            ", %" PRId64 "), expected %s %.15g at (%" PRId64 ", %" PRId64 ")\n",
            index, ncc_dtype_name(c.image.dtype), c.image.rows, c.image.cols, ncc_dtype_name(c.tmpl.dtype), c.tmpl.rows,
            c.tmpl.cols, ncc_pair_status_name((ncc_pair_status)found.status), found.peak, found.y, found.x,
            ncc_pair_status_name((ncc_pair_status)expected.status), expected.peak, expected.y, expected.x);
  }
  if (error > f->largest_error) f->largest_error = error;
cleanup:
  ncc_selftest_case_clear(&c);
  return status;
}

/** Pairs a second of a preset, pixels in memory; places that are known must be found here, too. */
static ncc_status measure(ncc_synth_preset preset, const ncc_selftest_options *options, findings *f) {
  ncc_status status = NCC_OK;
  static const int64_t images[] = {4, 2, 1};
  const ncc_synth_options synth = {
      .preset = preset, .images = images[preset], .dtype = NCC_DTYPE_COUNT, .seed = 1, .noise = NCC_SYNTH_NOISE};
  ncc_synth_sample sample = {0};
  ncc_matcher *matcher = NULL;
  ncc_result *results = NULL;
  int64_t wrong = 0, pairs = 0;
  NCC_TRY(ncc_synth_sample_make(&synth, &sample));
  const ncc_synth_shape *s = &sample.shape;
  results = calloc((size_t)(s->images * s->templates), sizeof *results);
  NCC_CHECK(results, NCC_ERR_NOMEM, "out of memory for results");
  NCC_TRY(ncc_matcher_create(&(ncc_search){0}, &options->config, &matcher));
  NCC_TRY(ncc_synth_sample_match(&sample, matcher, results, &wrong)); /* plans, and warms */
  const double start_s = ncc_clock_s();
  for (; pairs == 0 || ncc_clock_s() - start_s < options->rate_seconds; pairs += s->images * s->templates)
    NCC_TRY(ncc_synth_sample_match(&sample, matcher, results, &wrong));
  fprintf(f->stream,
          "%-8s %8.1f pairs/s  (%s %" PRId64 "x%" PRId64 " with %" PRId64 "x%" PRId64 ", %" PRId64
          " template%s an image)%s\n",
          ncc_synth_preset_name(preset), (double)pairs / (ncc_clock_s() - start_s), ncc_dtype_name(s->dtype),
          s->image_rows, s->image_cols, s->template_rows, s->template_cols, s->templates, s->templates == 1 ? "" : "s",
          wrong ? ", NOT all at their known places" : "");
  f->wrong += wrong;
cleanup:
  ncc_matcher_destroy(&matcher);
  ncc_synth_sample_clear(&sample);
  free(results);
  return status;
}

ncc_status ncc_selftest_run(const ncc_selftest_options *options, FILE *stream) {
  ncc_status status = NCC_OK;
  findings f = {.stream = stream, .digest = UINT64_C(0xCBF29CE484222325)};
  const ncc_engine_ops *engine = options->config.engine;
  fprintf(stream, "mpixcorr %s (commit %s, numerics revision %d)\n", ncc_version(), ncc_commit(),
          ncc_numerics_revision());
  fprintf(stream, "engine   %s; %s instructions, %s, %d thread%s\n", ncc_engine_name(engine), ncc_kernels_get()->isa,
          ncc_fft_library(), options->config.threads, options->config.threads == 1 ? "" : "s");
  ncc_config once = options->config;
  once.fft_effort = NCC_FFT_ESTIMATE; /* hundreds of shapes, each met once */
  for (int i = 0; i < NCC_SELFTEST_SMALL + NCC_SELFTEST_LARGE; i++) NCC_TRY(try_case(i, &once, &f));
  fprintf(stream, "answers  %" PRId64 " of %" PRId64 " pairs right; largest error of a peak %.2g\n", f.pairs - f.wrong,
          f.pairs, f.largest_error);
  if (f.fallback)
    fprintf(stream, "device   %" PRId64 " of the pairs did not fit on it: the CPU engine did them\n", f.fallback);
  const bool same = f.digest == NCC_SELFTEST_DIGEST;
  fprintf(stream, "digest   %016" PRIx64 ", ", f.digest);
  if (same)
    fprintf(stream, "as published for numerics revision %d\n", ncc_numerics_revision());
  else
    fprintf(stream, "NOT the published %016" PRIx64 "\n", NCC_SELFTEST_DIGEST);
  for (int preset = 0; options->rate_seconds > 0 && preset < 3; preset++)
    NCC_TRY(measure((ncc_synth_preset)preset, options, &f));
  NCC_CHECK(f.wrong == 0 && same, NCC_ERR_DIFFERENT, "this build is not right on this machine");
cleanup:
  if (status == NCC_OK) fprintf(stream, "right    this build gives the answers that it should, on this machine\n");
  if (status == NCC_ERR_DIFFERENT) fprintf(stream, "WRONG    do not use this build on this machine\n");
  return status;
}
