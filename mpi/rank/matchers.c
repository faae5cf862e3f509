#include "mpi/rank/matchers.h"

#include "base/arithmetic.h"
#include "base/error.h"

int ncc_matchers_wish(int streams, int threads) {
  return (int)(streams > 0 ? ncc_min(streams, NCC_MOST_MATCHERS) : ncc_clamp(threads / 2, 2, NCC_MOST_MATCHERS));
}

int ncc_matchers_threads(int threads, int matchers) {
  return (int)ncc_max(1, threads / matchers);
}

ncc_status ncc_matchers_create(const ncc_search *search, const ncc_config *config, int n, ncc_matchers *out) {
  ncc_status status = NCC_OK;
  ncc_config each = *config;
  *out = (ncc_matchers){0};
  each.threads = ncc_matchers_threads(config->threads, n);
  if (n > 1) {
    each.streams = config->streams > 0 ? (int)ncc_max(1, config->streams / n) : 2;
    each.memory_bytes = config->memory_bytes / n;
    each.sharers = n * (int)ncc_max(1, config->sharers);
  }
  for (; out->n < n; out->n++) NCC_TRY(ncc_matcher_create(search, &each, &out->items[out->n]));

cleanup:
  if (status != NCC_OK) ncc_matchers_clear(out);
  return status;
}

void ncc_matchers_clear(ncc_matchers *matchers) {
  while (matchers->n > 0) ncc_matcher_destroy(&matchers->items[--matchers->n]);
}
