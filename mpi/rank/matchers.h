/** The matchers of a rank. One for the CPU, with all threads; for a GPU several, each with a part of them and images of
 * its own, so that the GPU always has work: while one is read, checked or judged by the host, others compute. */
#ifndef NCC_MATCHERS_H
#define NCC_MATCHERS_H

#include "mpixcorr.h"

enum { NCC_MOST_MATCHERS = 8 };

typedef struct ncc_matchers {
  ncc_matcher *items[NCC_MOST_MATCHERS];
  int n;
} ncc_matchers;

/** How many a rank with a GPU would have. @param[in] streams  batches in flight that were asked for; 0: none */
int ncc_matchers_wish(int streams, int threads);

/** Threads of each. */
int ncc_matchers_threads(int threads, int matchers);

/** Makes n matchers that share what `config` has for all of them: threads, memory, batches in flight.
 *  @return as ncc_matcher_create(); after an error there are none. */
ncc_status ncc_matchers_create(const ncc_search *search, const ncc_config *config, int n, ncc_matchers *out);

void ncc_matchers_clear(ncc_matchers *matchers);

#endif
