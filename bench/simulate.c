/** Ten thousand ranks on paper: the program's own schedule, driven by src/plan/simulate.c, over numbers of ranks.
 *
 *  Usage: bench_simulate [--ranks N,N,...] [--seconds S] [--latency US] [--poll US] [--handout US] [--pair US]
 *                        [--ship GB_S] [--jitter F] [--threads N] [--case NAME]
 *  --seconds  work for each rank (default 60): the inputs grow with the ranks
 *  Prints a row for each case and number of ranks; docs/scaling.md has the table.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "plan/catalog.h"
#include "plan/simulate.h"

/** An input: how pairs spread over images. */
typedef struct input_case {
  const char *name, *words;
  int64_t image_px, template_px, templates; /* of an image; 0: badly skewed */
} input_case;

static const input_case cases[] = {
    {"grouped", "5 templates of 340x340 an image of 768x768", 768, 340, 5},
    {"sweep", "84 templates of 442x442 an image of 3600x3600", 3600, 442, 84},
    {"single", "1 template of 442x442 an image of 3600x3600", 3600, 442, 1},
    {"skewed", "half of all pairs on one image of 768x768, the others alone", 768, 340, 0},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static ncc_status run_case(const input_case *c, const ncc_simulation *how, double rank_s) {
  ncc_status status = NCC_OK;
  const ncc_search search = {0};
  ncc_schedule *schedule = NULL;
  ncc_work work = {0};
  ncc_geometry g;
  ncc_simulated result;
  ncc_catalog catalog = {0};
  NCC_TRY(ncc_geometry_create(&search, NULL, c->image_px, c->image_px, c->template_px, c->template_px, &g));
  const ncc_cost cost = ncc_cost_predict(&g, false);
  const double mean_s = cost.pair_s + cost.image_s / (c->templates > 0 ? (double)c->templates : 2);
  const int64_t n = (int64_t)(rank_s * how->ranks * how->threads / mean_s) + 1;
  catalog.n_pairs = n;
  catalog.images = (ncc_objects){
      .count = n + 1, .stack = {.rows = c->image_px, .cols = c->image_px, .stored = NCC_U8, .box_image = -1}};
  catalog.templates = (ncc_objects){
      .count = n, .stack = {.rows = c->template_px, .cols = c->template_px, .stored = NCC_U8, .box_image = -1}};
  catalog.pairs = malloc((size_t)n * sizeof *catalog.pairs);
  NCC_CHECK(catalog.pairs, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)n);
  for (int64_t row = 0; row < n; row++) {
    catalog.pairs[row][0] = c->templates > 0 ? row / c->templates : row < n / 2 ? 0 : row;
    catalog.pairs[row][1] = row;
  }
  const ncc_schedule_options options = {
      .ranks = how->ranks, .threads = how->threads, .group = true, .max_bytes = 64 << 20, .max_pairs = 4096};
  NCC_TRY(ncc_work_create(&catalog, &search, false, &work));
  NCC_TRY(ncc_schedule_create(&work, NULL, &options, &schedule));
  NCC_TRY(ncc_simulate(schedule, how, &result));
  printf("%-8s %6d  %11lld %9.2f  %6.1f %%  %9lld %9.0f  %6.1f %%  %8.1f\n", c->name, how->ranks, (long long)n,
         result.elapsed_s, 100 * ncc_simulated_efficiency(how, &result), (long long)result.handouts,
         (double)result.handouts / result.elapsed_s, 100 * result.root_busy_s / result.elapsed_s,
         1e3 * result.answer_max_s);
  fflush(stdout);
cleanup:
  ncc_schedule_destroy(&schedule);
  ncc_work_clear(&work);
  free(catalog.pairs);
  return status;
}

int main(int argc, char **argv) {
  enum { RANKS, SECONDS, LATENCY, POLL, HANDOUT, PAIR, SHIP, JITTER, THREADS, CASE };
  static const struct option options[] = {{"ranks", required_argument, NULL, RANKS},
                                          {"seconds", required_argument, NULL, SECONDS},
                                          {"latency", required_argument, NULL, LATENCY},
                                          {"poll", required_argument, NULL, POLL},
                                          {"handout", required_argument, NULL, HANDOUT},
                                          {"pair", required_argument, NULL, PAIR},
                                          {"ship", required_argument, NULL, SHIP},
                                          {"jitter", required_argument, NULL, JITTER},
                                          {"threads", required_argument, NULL, THREADS},
                                          {"case", required_argument, NULL, CASE},
                                          {NULL, 0, NULL, 0}};
  ncc_simulation how = ncc_simulation_measured();
  how.jitter = 0.1;
  double rank_s = 60;
  const char *only = NULL;
  char ranks[256] = "1,10,100,1000,10000";
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    const double number = optarg ? atof(optarg) : 0;
    if (option == RANKS) snprintf(ranks, sizeof ranks, "%s", optarg);
    if (option == SECONDS) rank_s = number;
    if (option == LATENCY) how.latency_s = 1e-6 * number;
    if (option == POLL) how.poll_s = 1e-6 * number;
    if (option == HANDOUT) how.handout_s = 1e-6 * number;
    if (option == PAIR) how.pair_s = 1e-6 * number;
    if (option == SHIP) how.ship_bytes_s = 1e9 * number;
    if (option == JITTER) how.jitter = number;
    if (option == THREADS) how.threads = atoi(optarg);
    if (option == CASE) only = optarg;
    if (option == '?') return 2;
  }
  printf(
      "rank 0: %.1f us a hand-out, %.2f us a pair; latency %.1f us, sleeps to %.0f us; pixels %s; work of %g s a "
      "rank\n",
      1e6 * how.handout_s, 1e6 * how.pair_s, 1e6 * how.latency_s, 1e6 * how.poll_s,
      how.ship_bytes_s > 0 ? "shipped by rank 0" : "read by every rank", rank_s);
  printf("case      ranks        pairs   elapsed  efficiency hand-outs  a second  rank 0 busy  longest wait, ms\n");
  for (int i = 0; i < CASES; i++) {
    char list[256], *rest = NULL;
    if (only && strcmp(only, cases[i].name) != 0) continue;
    snprintf(list, sizeof list, "%s", ranks);
    for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
      how.ranks = atoi(word);
      if (how.ranks < 1 || how.threads < 1) return 2;
      if (run_case(&cases[i], &how, rank_s) != NCC_OK) {
        fprintf(stderr, "bench_simulate: %s\n", ncc_error_message());
        return 1;
      }
    }
  }
  return 0;
}
