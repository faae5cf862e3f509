/** What the reader, the matchers' threads and their caller have in common. What is inside is theirs alone; see
 * pipeline.h. */
#ifndef NCC_THREADS_H
#define NCC_THREADS_H

#include <pthread.h>

#include "mpi/rank/message.h"
#include "mpi/rank/readers.h"

typedef struct ncc_pipeline ncc_pipeline;

typedef struct ncc_pipeline_options {
  const ncc_catalog *catalog; /**< borrowed */
  ncc_input *input;           /**< borrowed; used by those that read alone; NULL where nothing is to be loaded */
  ncc_matcher **matchers;     /**< [n_matchers] borrowed; each is used by one thread alone */
  int n_matchers;
  volatile int *stop; /**< once non-zero, batches run through with pending results */
  ncc_store *store;   /**< borrowed */
  int rank, ranks;
  int64_t ship_bytes;
  int read_threads; /**< that read and decode; 0 is 1 */
} ncc_pipeline_options;

/** A batch that the threads are done with: computed, or loaded for another rank. */
typedef struct ncc_finished {
  ncc_batch *batch; /**< the caller's now */
  int rank;         /**< that computes it */
  ncc_status status;
  char message[NCC_MESSAGE_TEXT];
} ncc_finished;

/** A batch in the hands of the threads. */
typedef struct ncc_batch_task {
  ncc_finished done;
  int64_t n_loaded;              /**< pairs whose pixels are there: the first ones */
  bool loading;                  /**< the reader is at it, and the matcher follows */
  bool read_here;                /**< it was */
  int64_t n_claimed, first_pair; /**< pieces that threads have taken; the first pair of the next one */
  int64_t n_computed;            /**< pieces */
  struct ncc_batch_task *next;
} ncc_batch_task;

typedef struct ncc_batch_queue {
  ncc_batch_task *first, **last;
} ncc_batch_queue;

/** A thread and the matcher that it drives. */
typedef struct ncc_computer {
  ncc_pipeline *pipeline;
  ncc_matcher *matcher;
  pthread_t thread;
  bool started;
  int64_t image; /**< that the matcher has prepared; -1: none; guarded by the mutex */
} ncc_computer;

struct ncc_pipeline {
  ncc_pipeline_options options;
  pthread_t reader;
  bool reader_started;
  ncc_readers *readers;               /* made before the reader, which destroys them */
  pthread_mutex_t room_mutex;         /* of those that make room for what they read */
  ncc_computer *computers;            /* [n_matchers] */
  double process_cpu_s, caller_cpu_s; /* when the pipeline was made */
  int64_t bytes_read_before;          /* likewise */
  ncc_rank_stats stats;               /* what threads have in common is guarded, the rest written by one */

  /* guarded by the mutex */
  pthread_mutex_t mutex;
  pthread_cond_t may_load, may_compute, finished_some;
  ncc_batch_queue to_load, to_compute, finished;
  int64_t shipping_bytes; /* loaded for other ranks and not yet sent */
  int in_flight;          /* batches that hold pixels which the reader read */
  bool ending;

  ncc_needs *had;         /* [ranks] what each other rank has from its previous batch; the reader's alone */
  char told_trouble[640]; /* kinds of the device's; guarded */
};

void ncc_batch_queue_init(ncc_batch_queue *queue);

/** To a queue's end, and from its begin (NULL: empty); the mutex is held. */
void ncc_batch_queue_put(ncc_batch_queue *queue, ncc_batch_task *task);
ncc_batch_task *ncc_batch_queue_take(ncc_batch_queue *queue);

/** Waits for a task in a queue; NULL at the end. The mutex is held. */
ncc_batch_task *ncc_batch_queue_wait(ncc_pipeline *pipeline, ncc_batch_queue *queue, pthread_cond_t *filled);

/** The task's status, with the calling thread's error message. */
void ncc_batch_task_fail(ncc_batch_task *task, ncc_status status);

/** Makes the threads that help the reader. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_reader_prepare(ncc_pipeline *pipeline);

/** The threads. */
void *ncc_reader_run(void *pipeline);
void *ncc_compute_run(void *computer);

#endif
