/** What the reader, the matcher's thread and their caller share; for pipeline.c, reader.c and compute.c alone. */
#ifndef NCC_THREADS_H
#define NCC_THREADS_H

#include <pthread.h>

#include "mpi/rank/pipeline.h"

/** A batch in the hands of the threads. */
typedef struct ncc_task {
  ncc_finished done;
  int64_t n_loaded; /**< pairs whose pixels are there: the first ones */
  bool loading;     /**< the reader is at it, and the matcher follows */
  bool read_here;   /**< it was */
  struct ncc_task *next;
} ncc_task;

typedef struct ncc_queue {
  ncc_task *first, **last;
} ncc_queue;

struct ncc_pipeline {
  ncc_pipeline_options options;
  pthread_t reader, matcher;
  bool reader_started, matcher_started;
  double process_cpu_s, caller_cpu_s; /* when the pipeline was made */
  int64_t bytes_read_before;          /* likewise */
  ncc_rank_stats stats;               /* each field written by one thread, read after joining */

  /* guarded by the mutex */
  pthread_mutex_t mutex;
  pthread_cond_t may_load, may_compute, finished_some;
  ncc_queue to_load, to_compute, finished;
  int64_t shipping_bytes; /* loaded for other ranks and not yet sent */
  int in_flight;          /* batches that hold pixels which the reader read */
  bool ending;

  ncc_needs *had;         /* [ranks] what each other rank has from its previous batch; the reader's alone */
  char told_trouble[640]; /* of the device; the matcher's thread alone */
};

/** To a queue's end; the mutex is held. */
void ncc_queue_put(ncc_queue *queue, ncc_task *task);

/** Waits for a task in a queue; NULL at the end. The mutex is held. */
ncc_task *ncc_queue_wait(ncc_pipeline *pipeline, ncc_queue *queue, pthread_cond_t *filled);

/** The task's status, with the calling thread's error message. */
void ncc_task_fail(ncc_task *task, ncc_status status);

/** The threads. @param[in] pipeline  an ncc_pipeline */
void *ncc_reader_run(void *pipeline);
void *ncc_compute_run(void *pipeline);

#endif
