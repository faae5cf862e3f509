/** What a run will need, told beforehand: kinds of pairs and their transforms, bytes to read, time, memory.
 *
 *  Arithmetic on work and schedule alone: no MPI, no files. Nothing in a run depends on it. Time comes from handing out
 *  the whole schedule on paper (simulate.h).
 */
#ifndef NCC_FORECAST_H
#define NCC_FORECAST_H

#include "plan/rereads.h"
#include "plan/simulate.h"

/** A kind of pairs, and how many are left to do. */
typedef struct ncc_forecast_kind {
  const ncc_work_kind *kind; /**< of the work, borrowed */
  int64_t pairs;
} ncc_forecast_kind;

/** Pixels that a way of reading takes from the file. */
typedef struct ncc_forecast_reading {
  int64_t total_bytes;   /**< by all ranks */
  int64_t rank_bytes;    /**< by the rank that reads most */
  int64_t shipped_bytes; /**< in messages */
} ncc_forecast_reading;

/** Memory of one rank at its largest pair. */
typedef struct ncc_forecast_memory {
  int64_t program_bytes; /**< program, libraries, messages */
  int64_t matcher_bytes; /**< spectra, statistics, work of all threads */
  int64_t pixel_bytes;   /**< at work and read ahead */
  int64_t table_bytes;   /**< objects */
  int64_t root_bytes;    /**< rank 0's alone: pairs, windows, work, schedule, statuses, hand-outs */
  int64_t limit_bytes;   /**< what a rank may use */
  int64_t node_bytes;    /**< what the job may use on rank 0's node */
} ncc_forecast_memory;

/** How an input file is best striped on Lustre. */
typedef struct ncc_forecast_stripes {
  int count;
  int64_t size_bytes;
} ncc_forecast_stripes;

typedef struct ncc_forecast {
  ncc_forecast_kind *kinds; /**< [n_kinds], costliest first; owned */
  int32_t n_kinds;
  int64_t pairs;
  int64_t distinct_bytes; /**< pixels of all images and templates that are needed, each counted once */
  ncc_forecast_reading root, all;
  ncc_forecast_memory memory;
  ncc_forecast_stripes stripes;
  ncc_rereads rereads; /**< the caller's to count, of inputs with sources */
  double estimated_s;  /**< handing out and computing, on these ranks and threads */
  int64_t n_handouts;
} ncc_forecast;

/** How the work will be spread. */
typedef struct ncc_forecast_options {
  int ranks;
  int threads;        /**< of a rank */
  double crowding;    /**< threads for each core, where there are more than cores; else 1 */
  int64_t file_bytes; /**< size of the input file */
  bool root_reads;
} ncc_forecast_options;

/** Looks through all pairs with work that are not done. Time: linear in pairs.
 *  @param[in] done  as for ncc_schedule_create().
 *  @param[in,out] schedule  nothing is left of it.
 *  @param[out] out  cleared by ncc_forecast_clear(), also after a failure; `memory` and `rereads` are the caller's to
 * fill.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_forecast_create(const ncc_work *work, const uint8_t *done, ncc_schedule *schedule,
                               const ncc_forecast_options *options, ncc_forecast *out);

void ncc_forecast_clear(ncc_forecast *forecast);

/** Sum of what one rank needs; rank 0 needs `root_bytes` more. */
int64_t ncc_forecast_rank_bytes(const ncc_forecast *forecast);

#endif
