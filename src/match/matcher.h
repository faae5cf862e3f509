/** What a matcher consists of. matcher.c has its life and what callers ask of it, group.c matches a group.
 *
 *  Private to both: others use mpixcorr.h and engine.h.
 */
#ifndef NCC_MATCHER_H
#define NCC_MATCHER_H

#include <stdatomic.h>

#include "filter/filter.h"
#include "match/answer.h"
#include "match/crew.h"
#include "match/engine.h"

struct ncc_matcher {
  atomic_flag busy;  // a thread is matching
  ncc_search search;
  ncc_config config;
  ncc_counters counters;
  ncc_engine_context context;
  ncc_pool *pool;
  ncc_crew *crew;                       // of the CPU engine, for small pairs; NULL: one thread, or a device
  int64_t together_bytes;               // of the largest pair that all threads have done together
  const ncc_engine_ops *device_engine;  // what `state` of a lost or full device belongs to; NULL: none
  void *device_state;
  void *cpu_state;  // of the CPU engine that stands in for a device; made when it is needed
  bool device_lost;
  char device_message[640];  // why
  ncc_answerer answerer;     // has the engine at work: the CPU engine once a device is lost
  ncc_array image_pixels;    // as given, or filtered; `image` is made of them
  ncc_prepared image;
  ncc_dtype image_dtype;                         // as given
  const ncc_array *image_mask, *template_masks;  // of the call at work; NULL: none
  ncc_filter_scratch filter_scratch;
  ncc_buffer filtered_image;
  int64_t image_key;  // of `image`; -1: none
  int64_t image_serial;
  int batch;  // capacity of the next five
  ncc_buffer *filtered;
  ncc_prepared *templates;
  ncc_task *tasks;
  ncc_proposal *proposals;
  int64_t *indices;  // where the results of the tasks belong
  ncc_peak *peaks;   // [n][search.peaks] of the last match of one group; NULL: no list is asked for
  int64_t peaks_capacity;
  // The batch at work, for decide_task().
  ncc_result *results;
  ncc_peak *lists;  // [n][search.peaks] of the group; NULL: no lists are asked for
  int64_t first;    // of its tasks that the engine was given
};

/** A key that stands for pixels cannot stand for an array of another kind. @return NCC_OK; NCC_ERR_USAGE. */
ncc_status ncc_matcher_check_key(const ncc_matcher *m, int64_t key, const ncc_array *image);

/** Decides what the engine has just proposed for a task of the batch; called within propose().
 *  @param[in] user  the matcher */
ncc_status ncc_matcher_decide(void *user, int64_t i);

/** Matches the templates of a group by runs of one geometry, all threads together. */
ncc_status ncc_matcher_match_together(ncc_matcher *m, const ncc_group *group);

#endif
