/** What an engine is: a table of operations behind ncc_engine_ops.
 *
 *  An engine either *proposes* (CPU, GPU: fast, with bounds; the matcher judges) or *matches* (reference: the answer
 *  itself). The matcher prepares pixels, rejects what needs no engine (missing, non-finite, flat templates, shapes that
 *  do not fit) and calls the engine with what is left.
 */
#ifndef NCC_ENGINE_H
#define NCC_ENGINE_H

#include "base/pool.h"
#include "match/geometry.h"
#include "match/prepare.h"
#include "match/proposal.h"

/** What an engine is created with; borrowed for its lifetime. */
typedef struct ncc_engine_context {
  const ncc_config *config;
  ncc_pool *pool;
  ncc_counters *counters; /**< the engine adds its seconds and counts */
  double eps;             /**< of ncc_search; 0: off */
  /** Called within propose(), by its thread, as soon as the proposal of task i is finished: what it proposes can be
   *  decided while an engine with its own hardware goes on, and propose() may be called again for that task with
   *  `again`. Not called for tasks that have `again`. An error ends propose(). NULL: nobody wants to know. */
  ncc_status (*proposed)(void *user, int64_t i);
  void *user;
} ncc_engine_context;

/** Whether the matcher was asked to leave off, by another thread or a signal handler. */
static inline bool ncc_stop_came(const ncc_config *config) {
  return config->stop && __atomic_load_n(config->stop, __ATOMIC_RELAXED) != 0;
}

/** One search: a template on an image. */
typedef struct ncc_task {
  const ncc_prepared *image;
  int64_t image_serial; /**< changes whenever the image does; what was made from a serial may be used again */
  bool image_stays;     /**< more templates are expected on this image */
  const ncc_prepared *tmpl;
  const ncc_geometry *geometry;
  bool again;                 /**< same image and template as the task last proposed: only geometry->exclude differs */
  const _Atomic double *best; /**< what surely lies below it need not be proposed, but one position in any case, by
                                 which the product is judged; others may raise it meanwhile. NULL: all is asked for */
} ncc_task;

/** What lies below is not asked for; -2: all is. */
static inline double ncc_task_floor(const ncc_task *task) {
  return task->best ? atomic_load_explicit(task->best, memory_order_relaxed) : -2;
}

struct ncc_engine_ops {
  const char *name;

  /** Required. *state is the engine's own, freed by destroy(). */
  ncc_status (*create)(const ncc_engine_context *context, void **state);

  /** Required; accepts NULL. */
  void (*destroy)(void *state);

  /** Proposes candidates for n tasks on one image with one geometry (but for `exclude`). Required unless match is set.
   *  @param[in,out] proposals  [n], created and reset by the caller; on return finished (pruned, sorted).
   *  @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM; NCC_ERR_DEVICE (the device is lost: the caller goes on with the
   *          CPU engine); NCC_ERR_MEMORY_LIMIT (these tasks do not fit on the device: the CPU engine does them). Tasks
   *          that were not yet passed to proposed() are to be done again. */
  ncc_status (*propose)(void *state, int64_t n, const ncc_task *tasks, ncc_proposal *proposals);

  /** Tasks that propose() likes to get at once; NULL: 1. */
  int (*batch)(void *state, const ncc_geometry *geometry);

  /** Answers one pair by itself; NULL for engines that propose.
   *  @param[in]  image_mask, tmpl_mask  NULL: all is valid; else the geometry has no minimum overlap.
   *  @param[out] peaks  [search->peaks], none at the start; NULL: no list is asked for. */
  ncc_status (*match)(void *state, const ncc_search *search, const ncc_geometry *geometry, const ncc_array *image,
                      const ncc_array *image_mask, const ncc_array *tmpl, const ncc_array *tmpl_mask,
                      ncc_result *result, ncc_peak *peaks);

  /** Does pairs whose geometry ignores what is outside the image; those of other engines go to the CPU engine. */
  bool ignores_outside;

  /** Bytes that the engine allocates for a geometry; NULL: nothing to speak of. */
  int64_t (*bytes)(const ncc_geometry *geometry, int threads);
};

/** The CPU engine with numerators by transforms alone, or summed directly alone, whatever that costs: for tests. */
const ncc_engine_ops *ncc_engine_cpu_transforming(void);
const ncc_engine_ops *ncc_engine_cpu_direct(void);
/** Likewise with an attempt at half the grid of every pair. */
const ncc_engine_ops *ncc_engine_cpu_half(void);

#endif
