/** Times each stage of the CPU engine through the public interface, on synthetic data in memory: no files, no MPI.
 *
 *  The first pass warms caches and plans; the passes after it, for S seconds at least, are what is printed, and of them
 *  the one that took the least processor time, to which others on the machine hardly matter. --cut takes a corner of
 * each image and of that the middle as its one template, to see what small pairs cost.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/version.h"
#include "match/fft.h"
#include "mpixcorr.h"
#include "synth/sample.h"

/** Leaves of each image a corner, and one template from the middle of that. */
static void cut_sample(ncc_synth_sample *s, const long image[2], const long tmpl[2]) {
  const int64_t k = s->shape.templates, y = (image[0] - tmpl[0]) / 2, x = (image[1] - tmpl[1]) / 2;
  for (int64_t i = 0; i < s->shape.images; i++) {
    ncc_array *to = &s->templates[i * k];
    const size_t row = (size_t)tmpl[1] * ncc_dtype_size(to->dtype);
    s->images[i].rows = image[0];
    s->images[i].cols = image[1];
    to->rows = tmpl[0];
    to->cols = to->row_stride = tmpl[1];
    for (int64_t r = 0; r < tmpl[0]; r++)
      memcpy((char *)(uintptr_t)to->data + (size_t)r * row, ncc_array_at(&s->images[i], y + r, x), row);
    s->answers[i * k] = (ncc_synth_answer){.y = y + tmpl[0] - 1, .x = x + tmpl[1] - 1};
  }
}

static void print_words(const ncc_counters *c, double elapsed_s, double least_cpu_s, int64_t wrong) {
  const double pairs = (double)c->pairs, ms = 1e3 / pairs;
  const double engine_s = c->image_s + c->template_s + c->columns_s + c->peak_s;
  printf("%-12s %9.3f ms a pair, %.4f of processor time in the fastest pass\n", "all", elapsed_s * ms,
         1e3 * least_cpu_s);
  printf("%-12s %9.3f (%.3f an image)\n", "image", c->image_s * ms,
         c->images ? 1e3 * c->image_s / (double)c->images : 0.0);
  printf("%-12s %9.3f\n%-12s %9.3f\n%-12s %9.3f\n%-12s %9.3f\n%-12s %9.3f\n", "template", c->template_s * ms, "columns",
         c->columns_s * ms, "peak", c->peak_s * ms, "certify", c->certify_s * ms, "second tier", c->second_tier_s * ms);
  printf("%-12s %9.3f by the table of costs, on one thread; the engine reaches %.0f %% of it\n", "FFT floor",
         c->fft_floor_s * ms, engine_s > 0 ? 100 * c->fft_floor_s / engine_s : 0.0);
  printf("%lld pairs, %.2f candidates a pair, %lld in the second tier, %lld not at their known place\n",
         (long long)c->pairs, (double)c->candidates / pairs, (long long)c->second_tier, (long long)wrong);
}

static void print_json(const ncc_counters *c, double elapsed_s, double least_cpu_s, int64_t wrong, int threads) {
  printf(
      "{\"fft_library\": \"%s\", \"threads\": %d, \"elapsed_s\": %.6f, \"pairs\": %lld, \"images\": %lld,\n"
      " \"image_s\": %.6f, \"template_s\": %.6f, \"columns_s\": %.6f, \"peak_s\": %.6f, \"certify_s\": %.6f,\n"
      " \"second_tier_s\": %.6f, \"fft_floor_s\": %.6f, \"candidates\": %lld, \"second_tier\": %lld, \"wrong\": "
      "%lld, \"least_cpu_s\": %.9f}\n",
      ncc_fft_library(), threads, elapsed_s, (long long)c->pairs, (long long)c->images, c->image_s, c->template_s,
      c->columns_s, c->peak_s, c->certify_s, c->second_tier_s, c->fft_floor_s, (long long)c->candidates,
      (long long)c->second_tier, (long long)wrong, least_cpu_s);
}

/** b - a, of what is printed. */
static ncc_counters difference(const ncc_counters *a, const ncc_counters *b) {
  return (ncc_counters){.pairs = b->pairs - a->pairs,
                        .images = b->images - a->images,
                        .candidates = b->candidates - a->candidates,
                        .second_tier = b->second_tier - a->second_tier,
                        .image_s = b->image_s - a->image_s,
                        .template_s = b->template_s - a->template_s,
                        .columns_s = b->columns_s - a->columns_s,
                        .peak_s = b->peak_s - a->peak_s,
                        .certify_s = b->certify_s - a->certify_s,
                        .second_tier_s = b->second_tier_s - a->second_tier_s,
                        .fft_floor_s = b->fft_floor_s - a->fft_floor_s};
}

typedef struct question {
  ncc_synth_options synth;
  ncc_search search;
  ncc_config config;
  double seconds;
  long image[2], tmpl[2];  // of --cut
  bool json;
} question;

static bool parse(int argc, char **argv, question *q) {
  enum { PRESET, IMAGES, TEMPLATES, THREADS, CROP_HALF, CUT, VALID, SECONDS, JSON };
  static const struct option options[] = {{"preset", required_argument, NULL, PRESET},
                                          {"images", required_argument, NULL, IMAGES},
                                          {"templates", required_argument, NULL, TEMPLATES},
                                          {"threads", required_argument, NULL, THREADS},
                                          {"crop-half", no_argument, NULL, CROP_HALF},
                                          {"cut", required_argument, NULL, CUT},
                                          {"valid", no_argument, NULL, VALID},
                                          {"seconds", required_argument, NULL, SECONDS},
                                          {"json", no_argument, NULL, JSON},
                                          {NULL, 0, NULL, 0}};
  bool good = true;
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == PRESET) {
      int p = 0;
      while (p < NCC_SYNTH_PRESET_COUNT && strcmp(optarg, ncc_synth_preset_name((ncc_synth_preset)p)) != 0) p++;
      q->synth.preset = (ncc_synth_preset)p;
      good = good && p < NCC_SYNTH_PRESET_COUNT;
    }
    if (option == IMAGES) good = (q->synth.images = atol(optarg)) > 0 && good;
    if (option == TEMPLATES) good = (q->synth.templates = atol(optarg)) > 0 && good;
    if (option == THREADS) good = (q->config.threads = atoi(optarg)) > 0 && good;
    if (option == SECONDS) good = (q->seconds = atof(optarg)) >= 0 && good;
    if (option == CROP_HALF) q->search.crop_half = true;
    if (option == VALID) q->search.min_overlap = 1;
    if (option == CUT)
      good = sscanf(optarg, "%ldx%ld,%ldx%ld", &q->image[0], &q->image[1], &q->tmpl[0], &q->tmpl[1]) == 4 && good;
    if (option == JSON) q->json = true;
    if (option == '?') good = false;
  }
  return good && optind == argc;
}

static ncc_status measure(question *q) {
  ncc_status status = NCC_OK;
  double least_cpu_s = INFINITY;
  ncc_synth_sample s = {0};
  ncc_matcher *matcher = NULL;
  ncc_result *results = NULL;
  int64_t wrong = 0;
  if (ncc_wisdom_load(NULL) != NCC_OK) fprintf(stderr, "bench_stages: %s\n", ncc_error_message());
  if (q->image[0]) q->synth.templates = 1;
  NCC_TRY(ncc_synth_sample_make(&q->synth, &s));
  if (q->image[0]) {
    NCC_CHECK(q->image[0] <= s.shape.image_rows && q->image[1] <= s.shape.image_cols &&
                  q->tmpl[0] <= s.shape.template_rows && q->tmpl[1] <= s.shape.template_cols,
              NCC_ERR_USAGE, "--cut: larger than the preset's image or template");
    cut_sample(&s, q->image, q->tmpl);
  }
  results = calloc((size_t)(s.shape.images * s.shape.templates), sizeof *results);
  NCC_CHECK(results, NCC_ERR_NOMEM, "out of memory for results");
  NCC_TRY(ncc_matcher_create(&q->search, &q->config, &matcher));
  NCC_TRY(ncc_synth_sample_match(&s, matcher, results, &wrong));
  const ncc_counters before = *ncc_matcher_counters(matcher);
  const double t0 = ncc_clock_s();
  do {
    const double cpu0 = ncc_clock_process_cpu_s();
    NCC_TRY(ncc_synth_sample_match(&s, matcher, results, &wrong));
    least_cpu_s = fmin(least_cpu_s, (ncc_clock_process_cpu_s() - cpu0) / (double)(s.shape.images * s.shape.templates));
  } while (ncc_clock_s() - t0 < q->seconds);
  const double elapsed_s = ncc_clock_s() - t0;
  const ncc_counters counters = difference(&before, ncc_matcher_counters(matcher));
  if (q->json)
    print_json(&counters, elapsed_s, least_cpu_s, wrong, q->config.threads);
  else
    print_words(&counters, elapsed_s, least_cpu_s, wrong);

cleanup:
  ncc_matcher_destroy(&matcher);
  ncc_synth_sample_clear(&s);
  free(results);
  return status;
}

int main(int argc, char **argv) {
  question q = {
      .synth = {.dtype = NCC_DTYPE_COUNT, .seed = 1, .noise = NCC_SYNTH_NOISE}, .config = {.threads = 1}, .seconds = 2};
  if (!parse(argc, argv, &q)) {
    fputs(
        "usage: bench_stages [--preset stitch2d|align3d|sweep|tiny] [--images N] [--templates N] [--threads N]\n"
        "                    [--crop-half] [--valid] [--cut ROWSxCOLS,ROWSxCOLS] [--seconds S] [--json]\n",
        stderr);
    return 2;
  }
  if (measure(&q) == NCC_OK) return 0;
  fprintf(stderr, "bench_stages: %s\n", ncc_error_message());
  return 1;
}
