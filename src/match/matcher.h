/** What a matcher consists of. matcher.c has its life and what callers ask of it, group.c matches a group, turned.c
 * makes pairs into pairs at each angle, and turns templates.
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
#include "match/turn.h"

/** Templates that are turned. */
typedef struct ncc_turning {
  ncc_turn *turns; /**< [n], those that win ties first; NULL: templates are as they are */
  int64_t n;
  int64_t pair;          /**< whose template is at work; -1: none */
  ncc_turner turner;     /**< the template at work */
  ncc_prepared prepared; /**< likewise */
  ncc_buffer upright;    /**< its pixels, filtered */
  ncc_buffer mask;       /**< of it, turned */
} ncc_turning;

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
  const ncc_margins *around;                     // likewise
  const ncc_turned *turned;                      // likewise; not NULL where turning.turns is not
  ncc_turning turning;
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

/** Templates of one geometry, in the order of their indices. */
typedef struct ncc_run {
  const struct ncc_pending *items;
  int64_t count, done;
  ncc_geometry geometry;
  bool image_stays;
  ncc_geometry without_overlap;  // for masked pairs, of which the valid pixels count
  bool nothing_left;             // for the others, though for these
} ncc_run;

/** Pixels as they are to be matched: as given where there are no filters. Of masked ones the filters see the mean of
 *  the others. @param[in] mask  NULL, or data NULL: none */
ncc_status ncc_matcher_filter(ncc_matcher *m, const ncc_array *in, const ncc_array *mask, ncc_buffer *buffer,
                              ncc_array *pixels);

/** Answers what needs no engine. @return true if `result` is final. */
bool ncc_matcher_settle(const ncc_matcher *m, const ncc_prepared *tmpl, const ncc_geometry *g, ncc_result *result);

/** An entry has all that is asked for. */
void ncc_matcher_conclude(ncc_matcher *m, const ncc_prepared *tmpl, const ncc_geometry *g, int64_t index);

/** Makes pixels and mask, which stay where they are, the next task of the batch, or answers that pair at once.
 *  @param[in]     index   of the result
 *  @param[in,out] filled  tasks of the batch */
ncc_status ncc_matcher_add(ncc_matcher *m, const ncc_run *run, int64_t index, const ncc_array *pixels,
                           const ncc_array *mask, int *filled);

/** As ncc_matcher_add(), of a template turned as its entry says. */
ncc_status ncc_turning_add(ncc_matcher *m, const ncc_run *run, int64_t index, const ncc_array *tmpl, int *filled);

/** Matches groups, checked, as they are: small pairs side by side, the stages of large ones by all threads together. */
ncc_status ncc_matcher_run(ncc_matcher *m, int64_t n, const ncc_group *groups);

/** Matches the templates of groups at all angles, and answers each pair at its best. */
ncc_status ncc_turning_match(ncc_matcher *m, int64_t n, const ncc_group *groups);

/** Matches the templates of a group by runs of one geometry, all threads together. */
ncc_status ncc_matcher_match_together(ncc_matcher *m, const ncc_group *group);

#endif
