/** Pairs a second of one GPU by matchers and streams: synthetic data in memory, a thread for each matcher, no MPI.
 *  Large presets are searched without a border of half a template, as in docs/performance.md.
 *
 *  The first pass warms plans and memory. With --pairs it ends after so many pairs and measures nothing before, so that
 *  calls can be counted on the stand-in for CUDA. Templates change a little each time: none is taken for one seen
 * before.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/error.h"
#include "gpu/gpu.h"
#include "synth/sample.h"

enum { MOST_MATCHERS = 64 };

/** What all threads share. */
typedef struct bench {
  ncc_synth_options synth;
  ncc_synth_sample sample;
  ncc_search search;
  ncc_config config;
  int matchers;
  int64_t most_pairs;     /* 0: by time */
  int64_t most_templates; /* of an image, 0: all */
  double seconds;
  atomic_llong pairs, wrong;
  double until_s; /* of the clock */
  pthread_barrier_t warm;
} bench;

typedef struct worker {
  bench *b;
  int index;
  ncc_matcher *matcher;
  ncc_result *results; /* [templates] */
  ncc_counters before;
  ncc_status status;
  char message[512];
} worker;

/** Two neighbouring pixels change places. */
static void change(const ncc_array *tmpl, int64_t turn) {
  const size_t size = ncc_dtype_size(tmpl->dtype);
  char *at = (char *)(uintptr_t)tmpl->data + (size_t)(turn % (tmpl->cols - 1)) * size, kept[8];
  memcpy(kept, at, size);
  memcpy(at, at + size, size);
  memcpy(at + size, kept, size);
}

static ncc_status match_image(worker *w, int64_t image, int64_t turn) {
  ncc_status status = NCC_OK;
  const ncc_synth_sample *s = &w->b->sample;
  const int64_t all = s->shape.templates, first = image * all;
  const int64_t k = w->b->most_templates > 0 ? ncc_min(all, w->b->most_templates) : all;
  for (int64_t t = first; t < first + k; t++) change(&s->templates[t], turn);
  NCC_TRY(ncc_matcher_match(w->matcher, -1, &s->images[image], k, &s->templates[first], NULL, w->results));
  for (int64_t t = 0; t < k; t++) {
    const ncc_synth_answer *known = &s->answers[first + t];
    w->b->wrong += w->results[t].y != known->y || w->results[t].x != known->x;
  }
  w->b->pairs += k;
cleanup:
  return status;
}

static bool is_over(const bench *b) {
  return b->most_pairs > 0 ? b->pairs >= b->most_pairs : ncc_clock_s() >= b->until_s;
}

/** Every matcher has images of its own, by turns. */
static ncc_status work(worker *w) {
  ncc_status status = NCC_OK;
  bench *b = w->b;
  const int64_t images = b->sample.shape.images;
  int64_t turn = 0;
  if (b->most_pairs == 0) {
    status = match_image(w, w->index, turn++);
    if (pthread_barrier_wait(&b->warm) == PTHREAD_BARRIER_SERIAL_THREAD) {
      b->pairs = 0;
      b->until_s = ncc_clock_s() + b->seconds;
    }
    pthread_barrier_wait(&b->warm);
    NCC_TRY(status);
  }
  w->before = *ncc_matcher_counters(w->matcher);
  for (int64_t image = w->index; !is_over(b); turn++) {
    NCC_TRY(match_image(w, image, turn));
    image = image + b->matchers < images ? image + b->matchers : w->index;
  }
cleanup:
  return status;
}

static void *run_worker(void *argument) {
  worker *w = argument;
  w->status = work(w);
  if (w->status != NCC_OK) snprintf(w->message, sizeof w->message, "%s", ncc_error_message());
  return NULL;
}

static void print(const bench *b, const worker *workers, double elapsed_s) {
  ncc_counters c = {0};
  for (int i = 0; i < b->matchers; i++) {
    const ncc_counters *after = ncc_matcher_counters(workers[i].matcher), *before = &workers[i].before;
    c.second_tier += after->second_tier - before->second_tier;
    c.cpu_fallback += after->cpu_fallback - before->cpu_fallback;
    c.image_s += after->image_s - before->image_s;
    c.template_s += after->template_s - before->template_s;
    c.columns_s += after->columns_s - before->columns_s;
    c.peak_s += after->peak_s - before->peak_s;
    c.certify_s += after->certify_s - before->certify_s;
  }
  const double pairs = (double)b->pairs, ms = 1e3 / pairs;
  printf(
      "%-8s %2d matchers %2d streams %9.1f pairs/s; a matcher's ms a pair: image %.3f staging %.3f waiting %.3f "
      "candidates %.3f judge %.3f; second tier %lld, on the CPU %lld, not at their place %lld, of %lld\n",
      ncc_synth_preset_name(b->synth.preset), b->matchers, b->config.streams, pairs / elapsed_s, c.image_s * ms,
      c.template_s * ms, c.columns_s * ms, c.peak_s * ms, c.certify_s * ms, (long long)c.second_tier,
      (long long)c.cpu_fallback, (long long)b->wrong, (long long)b->pairs);
}

static ncc_status measure(bench *b) {
  ncc_status status = NCC_OK;
  worker workers[MOST_MATCHERS] = {{0}};
  pthread_t threads[MOST_MATCHERS];
  for (int i = 0; i < b->matchers; i++) {
    workers[i] = (worker){.b = b, .index = i};
    workers[i].results = calloc((size_t)b->sample.shape.templates, sizeof(ncc_result));
    NCC_CHECK(workers[i].results, NCC_ERR_NOMEM, "out of memory for results");
    NCC_TRY(ncc_matcher_create(&b->search, &b->config, &workers[i].matcher));
  }
  pthread_barrier_init(&b->warm, NULL, (unsigned)b->matchers);
  double started_s = ncc_clock_s();
  for (int i = 0; i < b->matchers; i++)
    if (pthread_create(&threads[i], NULL, run_worker, &workers[i]) != 0) abort();
  for (int i = 0; i < b->matchers; i++) pthread_join(threads[i], NULL);
  if (b->most_pairs == 0) started_s = b->until_s - b->seconds;
  for (int i = 0; i < b->matchers; i++)
    if (workers[i].status != NCC_OK) NCC_TRY(ncc_error_set(workers[i].status, "%s", workers[i].message));
  print(b, workers, ncc_clock_s() - started_s);
cleanup:
  for (int i = 0; i < b->matchers; i++) {
    ncc_matcher_destroy(&workers[i].matcher);
    free(workers[i].results);
  }
  return status;
}

static int usage(void) {
  fprintf(
      stderr,
      "usage: bench_gpu [--preset stitch2d|align3d|sweep] [--device cpu|gpu] [--matchers K] [--streams N] [--threads T]"
      " [--seconds S | --pairs N] [--templates N]\n");
  return 2;
}

/** @return whether it is understood */
static bool parse(int argc, char **argv, bench *b) {
  static const struct option names[] = {
      {"preset", 1, NULL, 'p'},  {"device", 1, NULL, 'd'},    {"matchers", 1, NULL, 'm'},
      {"streams", 1, NULL, 's'}, {"threads", 1, NULL, 't'},   {"seconds", 1, NULL, 'S'},
      {"pairs", 1, NULL, 'n'},   {"templates", 1, NULL, 'k'}, {0}};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    const long value = optarg ? atol(optarg) : 0;
    if (c == 'p') {
      ncc_synth_preset *preset = &b->synth.preset;
      while (*preset < NCC_SYNTH_PRESET_COUNT && strcmp(ncc_synth_preset_name(*preset), optarg) != 0) ++*preset;
      if (*preset == NCC_SYNTH_PRESET_COUNT) return false;
    } else if (c == 'd' && strcmp(optarg, "cpu") == 0) {
      b->config.engine = ncc_engine_cpu();
    } else if (c == 'm') {
      b->matchers = (int)value;
    } else if (c == 's') {
      b->config.streams = (int)value;
    } else if (c == 't') {
      b->config.threads = (int)value;
    } else if (c == 'S') {
      b->seconds = atof(optarg);
    } else if (c == 'n') {
      b->most_pairs = value;
    } else if (c == 'k') {
      b->most_templates = value;
    } else if (c == '?') {
      return false;
    }
  }
  return b->matchers >= 1 && b->matchers <= MOST_MATCHERS;
}

int main(int argc, char **argv) {
  ncc_status status = NCC_OK;
  bench b = {.matchers = 1, .seconds = 3, .config = {.engine = ncc_engine_gpu(), .streams = 1, .threads = 1}};
  b.synth = (ncc_synth_options){.dtype = NCC_DTYPE_COUNT, .seed = 1, .noise = NCC_SYNTH_NOISE};
  if (!parse(argc, argv, &b)) return usage();
  b.synth.images = b.matchers > 4 ? b.matchers : 4;
  b.config.sharers = b.matchers;
  b.search.crop_half = b.synth.preset == NCC_SYNTH_ALIGN3D || b.synth.preset == NCC_SYNTH_SWEEP;
  NCC_TRY(ncc_synth_sample_make(&b.synth, &b.sample));
  NCC_TRY(measure(&b));
cleanup:
  if (status != NCC_OK) fprintf(stderr, "bench_gpu: %s\n", ncc_error_message());
  ncc_synth_sample_clear(&b.sample);
  return status == NCC_OK ? 0 : 1;
}
