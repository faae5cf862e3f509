/** Rank 0's part of a job before and after the work: input, output, plan, header, totals. */
#ifndef NCC_ROOT_H
#define NCC_ROOT_H

#include "mpi/dispatcher.h"
#include "mpi/start/memory.h"
#include "mpi/start/reading.h"

typedef struct ncc_root {
  ncc_run_options *options;         /* whose search is settled by the input */
  const ncc_job_observer *observer; /* or NULL */
  ncc_input *input;
  ncc_input_size size;
  ncc_input_identity identity;
  ncc_work work;
  ncc_schedule *schedule;
  ncc_output *output;
  uint8_t *found; /* [n_pairs] statuses of a part, in a dry run that would resume; else NULL */
  ncc_job_header header;
  char *option_words, *result_words;
  char devices[256], fft_library[128], overhang[384];
  ncc_rank_facts *facts; /* [ranks] */
  double plan_s;
  double write_s; /* beside what the dispatcher writes */
} ncc_root;

/** Checks everything that can be checked without the other ranks; writes nothing.
 *  @param[in] limit_bytes  of a rank's memory */
ncc_status ncc_root_validate(ncc_root *root, const ncc_comm *comm, int64_t limit_bytes);

/** Plans, and creates the part (in a dry run only looks at it). `facts` are there, `header` is complete then. */
ncc_status ncc_root_start(ncc_root *root, int ranks, const ncc_reading *reading, const ncc_memory *memory);

/** In a dry run, instead of the work and its end: forecasts, and tells the observer. @param[in] memory  [2] */
ncc_status ncc_root_forecast(ncc_root *root, const ncc_memory_use *use, const ncc_memory *memory);

/** Completes the output, counts, and tells the observer.
 *  @param[in] problem  NCC_OK, or what ended the job early, with its message.
 *  @return how the job ends. */
ncc_status ncc_root_finish(ncc_root *root, const ncc_rank_stats *stats, double job_started_s, ncc_job_totals *totals,
                           ncc_status problem, const char *message);

void ncc_root_clear(ncc_root *root);

#endif
