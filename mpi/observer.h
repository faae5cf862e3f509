/** What a job tells while it runs: what it is about to do, how far it is, what it did. Plain values; nothing is printed
 * in mpi/. */
#ifndef NCC_OBSERVER_H
#define NCC_OBSERVER_H

#include "mpi/rank/facts.h"
#include "options/run.h"
#include "plan/forecast.h"

/** What rank 0 knows once everything is validated. All borrowed, valid during the job. */
typedef struct ncc_job_header {
  const ncc_run_options *options;
  const ncc_work *work;
  int64_t input_bytes; /**< of the file */
  int ranks, nodes;
  const ncc_rank_facts *facts;  /**< [ranks] */
  int threads_min, threads_max; /**< of a rank */
  int64_t threads_total;
  int64_t threads_at_once; /**< no more than cores */
  int node_cores;          /**< that the job may use on the node that has most */
  const char *engine, *fft_library, *devices;
  ncc_read_mode read;      /**< root or all: what was chosen */
  const char *read_reason; /**< why, or empty */
  int64_t pairs;           /**< to be computed by this run */
  int64_t groups;          /**< distinct images in sequence */
  double predicted_s;      /**< on one thread of the reference machine */
  const char *const *input_warnings;
  int n_input_warnings;
  const char *overhang; /**< why zeros outside the first image mislead, or empty */
} ncc_job_header;

/** Seconds of the ranks. */
typedef struct ncc_job_spread {
  double min, mean, max;
} ncc_job_spread;

enum { NCC_JOB_REASONS = 10 };

/** What a job did. */
typedef struct ncc_job_totals {
  ncc_status status;                        /**< how it ends, but for what the observer itself adds */
  char message[512];                        /**< why it ended early, or empty */
  double elapsed_s;                         /**< from the end of MPI_Init until now */
  int64_t pairs;                            /**< computed by this run */
  int64_t by_status[NCC_PAIR_STATUS_COUNT]; /**< rows of the output; rows with -1 are not among them */
  int64_t at_border;                        /**< peaks at the border of what was searched */
  int64_t handouts, chunks;
  double dispatch_s; /**< from the first hand-out to the last result */
  double turn_cpu_s; /**< most processor seconds that rank 0 was busy before it looked for messages again */
  int64_t bytes_read, bytes_shipped;  /**< from the file (compressed pixels inflated); between ranks */
  int64_t cache_hits, cache_bytes;    /**< objects that were needed again and still there, and their bytes */
  int64_t pixel_bytes_peak;           /**< that pixels took in a rank's memory at most */
  int64_t checkpoints;                /**< times that results were made durable */
  double checkpoints_s;               /**< that this took, in a thread of its own */
  int64_t unreadable;                 /**< images and templates that could not be read */
  int n_reasons;                      /**< of the first of these: */
  char reasons[NCC_JOB_REASONS][512]; /**< file, object and reason, each once */
  int64_t unreadable_told;            /**< objects that they are about */
  ncc_job_spread read_s, plan_s, compute_s, wait_s, write_s;
  ncc_job_spread read_cpu_s, compute_cpu_s, talk_cpu_s; /**< processor time */
  ncc_counters counters;                                /**< summed over the ranks */
} ncc_job_totals;

/** Who is told what happens; called on rank 0 only, by the thread that talks MPI. Any may be NULL. */
typedef struct ncc_job_observer {
  void *context;
  /** Before the input is opened in this process: a file that would bring the process down is to do so elsewhere. */
  ncc_status (*probe)(void *context);
  /** Before any work: what would go wrong at the end is to go wrong now. */
  ncc_status (*check)(void *context);
  /** Instead of all that follows, where the options say --dry-run. */
  ncc_status (*planned)(void *context, const ncc_job_header *header, const ncc_forecast *forecast);
  void (*started)(void *context, const ncc_job_header *header);
  /** Often: at most every 0.1 s. */
  void (*progressed)(void *context, int64_t done, int64_t total);
  /** At the end, whatever the status, if the job was started. */
  ncc_status (*finished)(void *context, const ncc_job_header *header, const ncc_job_totals *totals);
} ncc_job_observer;

#endif
