/** What masks, the pixels alone as ground, and a sweep of angles cost: processor time against the plain pair, through
 * the public interface, on synthetic data in memory and on one thread. All ways take turns, and of each the pass counts
 *  that took the least, to which others on the machine hardly matter.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/error.h"
#include "mpixcorr.h"
#include "synth/sample.h"

enum { FRAME = 30, HOLES = 24 };

typedef struct way {
  const char *name;
  ncc_outside outside;
  bool image_mask, tmpl_mask;
  int64_t degrees; /* a sweep from minus that on; 0: none */
  ncc_matcher *matcher;
  double least_s;
} way;

static const way all_ways[] = {
    {.name = "plain"},
    {.name = "ignore", .outside = NCC_OUTSIDE_IGNORE},
    {.name = "image mask", .outside = NCC_OUTSIDE_IGNORE, .image_mask = true},
    {.name = "template mask", .outside = NCC_OUTSIDE_IGNORE, .tmpl_mask = true},
    {.name = "both masks", .outside = NCC_OUTSIDE_IGNORE, .image_mask = true, .tmpl_mask = true},
    {.name = "11 angles", .degrees = 5},
    {.name = "11 angles, ignore", .outside = NCC_OUTSIDE_IGNORE, .degrees = 5},
    {.name = "11 angles, image mask", .outside = NCC_OUTSIDE_IGNORE, .image_mask = true, .degrees = 5}};

enum { WAYS = sizeof all_ways / sizeof *all_ways };

typedef struct question {
  ncc_synth_options synth;
  ncc_search search;
  int passes;
  const char *only;
} question;

/** A frame and holes are masked. @param[in] frame  pixels */
static ncc_status mask_of(int64_t rows, int64_t cols, int64_t frame, ncc_array *mask) {
  uint8_t *valid = malloc((size_t)(rows * cols));
  if (!valid) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for a mask");
  const int64_t radius = ncc_min(rows, cols) / 24;
  for (int64_t y = 0; y < rows; y++)
    for (int64_t x = 0; x < cols; x++)
      valid[y * cols + x] = y >= frame && y < rows - frame && x >= frame && x < cols - frame;
  uint64_t random = 12345;
  for (int i = 0; i < HOLES; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const int64_t cy = (int64_t)(random >> 33) % rows, cx = (int64_t)(random >> 13 & 0xfffff) % cols;
    for (int64_t y = ncc_max(0, cy - radius); y < ncc_min(rows, cy + radius); y++)
      for (int64_t x = ncc_max(0, cx - radius); x < ncc_min(cols, cx + radius); x++)
        if ((y - cy) * (y - cy) + (x - cx) * (x - cx) < radius * radius) valid[y * cols + x] = 0;
  }
  *mask = (ncc_array){valid, NCC_U8, rows, cols, cols};
  return NCC_OK;
}

static ncc_status run_way(const ncc_synth_sample *s, const way *w, const ncc_array *image_mask,
                          const ncc_array *tmpl_masks, ncc_result *results) {
  const int64_t k = s->shape.templates;
  for (int64_t i = 0; i < s->shape.images; i++) {
    const ncc_status status =
        ncc_matcher_match_masked(w->matcher, -1, &s->images[i], w->image_mask ? image_mask : NULL, k,
                                 s->templates + i * k, w->tmpl_mask ? tmpl_masks : NULL, NULL, results + i * k);
    if (status != NCC_OK) return status;
  }
  return NCC_OK;
}

static ncc_status create(const question *q, way *w) {
  const ncc_config config = {.threads = 1};
  ncc_search search = q->search;
  search.outside = w->outside;
  if (w->outside == NCC_OUTSIDE_IGNORE) search.min_overlap = fmax(search.min_overlap, 0.3);
  search.rotate_from = -w->degrees * 1000000;
  search.rotate_to = w->degrees * 1000000;
  search.rotate_step = w->degrees ? 1000000 : 0;
  return ncc_matcher_create(&search, &config, &w->matcher);
}

static void print(const way ways[WAYS], int64_t pairs) {
  printf("%-24s %10s %7s %9s %9s %9s %9s %9s %6s\n", "", "ms a pair", "times", "image", "template", "columns", "peak",
         "certify", "tier 2");
  for (int i = 0; i < WAYS; i++) {
    if (isinf(ways[i].least_s)) continue;
    const ncc_counters *c = ncc_matcher_counters(ways[i].matcher);
    const double ms = 1e3 / (double)c->pairs;
    printf("%-24s %10.3f %7.2f %9.3f %9.3f %9.3f %9.3f %9.3f %6lld\n", ways[i].name,
           1e3 * ways[i].least_s / (double)pairs, ways[i].least_s / ways[0].least_s, c->image_s * ms,
           c->template_s * ms, c->columns_s * ms, c->peak_s * ms, c->certify_s * ms, (long long)c->second_tier);
  }
}

static ncc_status measure(const question *q) {
  ncc_status status = NCC_OK;
  ncc_synth_sample s = {0};
  way ways[WAYS];
  ncc_array image_mask = {0}, tmpl_mask = {0}, *masks = NULL;
  ncc_result *results = NULL;
  memcpy(ways, all_ways, sizeof ways);
  for (int i = 0; i < WAYS; i++) ways[i].least_s = INFINITY;
  if (ncc_wisdom_load(NULL) != NCC_OK) fprintf(stderr, "bench_masked: %s\n", ncc_error_message());
  NCC_TRY(ncc_synth_sample_make(&q->synth, &s));
  const int64_t k = s.shape.templates, pairs = s.shape.images * k;
  NCC_TRY(mask_of(s.shape.image_rows, s.shape.image_cols, FRAME, &image_mask));
  NCC_TRY(mask_of(s.shape.template_rows, s.shape.template_cols, 0, &tmpl_mask));
  masks = calloc((size_t)k, sizeof *masks);
  results = calloc((size_t)pairs, sizeof *results);
  NCC_CHECK(masks && results, NCC_ERR_NOMEM, "out of memory for results");
  for (int64_t i = 0; i < k; i++) masks[i] = tmpl_mask;
  for (int pass = 0; pass <= q->passes; pass++)
    for (int i = 0; i < WAYS; i++) {
      if (q->only && i > 0 && !strstr(ways[i].name, q->only)) continue;
      if (pass == 0) NCC_TRY(create(q, &ways[i]));
      const double t0 = ncc_clock_process_cpu_s();
      NCC_TRY(run_way(&s, &ways[i], &image_mask, masks, results));
      // The first pass warms caches and plans.
      if (pass > 0) ways[i].least_s = fmin(ways[i].least_s, ncc_clock_process_cpu_s() - t0);
    }
  print(ways, pairs);

cleanup:
  for (int i = 0; i < WAYS; i++) ncc_matcher_destroy(&ways[i].matcher);
  ncc_synth_sample_clear(&s);
  free((void *)(uintptr_t)image_mask.data);
  free((void *)(uintptr_t)tmpl_mask.data);
  free(masks);
  free(results);
  return status;
}

int main(int argc, char **argv) {
  enum { PRESET, IMAGES, TEMPLATES, CROP_HALF, VALID, PASSES, ONLY };
  static const struct option options[] = {{"preset", required_argument, NULL, PRESET},
                                          {"images", required_argument, NULL, IMAGES},
                                          {"templates", required_argument, NULL, TEMPLATES},
                                          {"crop-half", no_argument, NULL, CROP_HALF},
                                          {"valid", no_argument, NULL, VALID},
                                          {"passes", required_argument, NULL, PASSES},
                                          {"only", required_argument, NULL, ONLY},
                                          {NULL, 0, NULL, 0}};
  question q = {.synth = {.dtype = NCC_DTYPE_COUNT, .seed = 1, .noise = NCC_SYNTH_NOISE}, .passes = 3};
  bool good = true;
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == PRESET) {
      int p = 0;
      while (p < NCC_SYNTH_PRESET_COUNT && strcmp(optarg, ncc_synth_preset_name((ncc_synth_preset)p)) != 0) p++;
      q.synth.preset = (ncc_synth_preset)p;
      good = good && p < NCC_SYNTH_PRESET_COUNT;
    }
    if (option == IMAGES) good = (q.synth.images = atol(optarg)) > 0 && good;
    if (option == TEMPLATES) good = (q.synth.templates = atol(optarg)) > 0 && good;
    if (option == PASSES) good = (q.passes = atoi(optarg)) > 0 && good;
    if (option == CROP_HALF) q.search.crop_half = true;
    if (option == VALID) q.search.min_overlap = 1;
    if (option == ONLY) q.only = optarg;
    if (option == '?') good = false;
  }
  if (!good || optind != argc) {
    fputs(
        "usage: bench_masked [--preset stitch2d|align3d|sweep|tiny] [--images N] [--templates N] [--crop-half] "
        "[--valid]\n"
        "                    [--passes N] [--only WORDS]\n",
        stderr);
    return 2;
  }
  if (measure(&q) == NCC_OK) return 0;
  fprintf(stderr, "bench_masked: %s\n", ncc_error_message());
  return 1;
}
