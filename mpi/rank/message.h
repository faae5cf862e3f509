/** What ranks say to each other: encoding, and decoding that checks every count and index before it is used.
 *
 *  No MPI in here. Builds are compared before the first message (ncc_message_hello), so that structs can travel as they
 *  lie in memory.
 */
#ifndef NCC_MESSAGE_H
#define NCC_MESSAGE_H

#include "mpi/rank/batch.h"

typedef enum ncc_message_type {
  NCC_MESSAGE_WORK = 1, /**< to a worker: a batch; pixels may follow it */
  NCC_MESSAGE_RESULTS,  /**< to rank 0: results of a batch, which asks for the next */
  NCC_MESSAGE_PROBLEM,  /**< to rank 0: an error that must end the job */
  NCC_MESSAGE_STOP,     /**< to a worker: leave off as soon as possible, hand back what is done */
  NCC_MESSAGE_END,      /**< to a worker: no more work will come */
  NCC_MESSAGE_STATS,    /**< to rank 0: the answer to END */
  NCC_MESSAGE_TYPE_COUNT
} ncc_message_type;

/** What a rank did, sent at its end; sums and seconds. */
typedef struct ncc_rank_stats {
  ncc_counters counters;
  double read_s;        /**< reading pixels */
  double compute_s;     /**< inside the matcher, FFT planning not included */
  double wait_s;        /**< the matcher's thread without work, between start and end */
  double plan_s;        /**< FFT planning; on rank 0 also planning the schedule */
  double write_s;       /**< writing the output; rank 0 only */
  double read_cpu_s;    /**< processor seconds of the thread that reads, ... */
  double compute_cpu_s; /**< ... of those that compute (on rank 0 also of the one that syncs the output), ... */
  double talk_cpu_s;    /**< ... and of the one that talks MPI */
  int64_t bytes_read;   /**< from the file; compressed pixels count inflated */
  int64_t cache_hits, cache_bytes; /**< objects that were wanted once more and known still, and their bytes */
  int64_t pixel_bytes_peak;        /**< that pixels took in memory at most */
} ncc_rank_stats;

/** sum += part */
void ncc_counters_add(ncc_counters *sum, const ncc_counters *part);

/** Compared between ranks before anything else; plain bytes of one size for all time. */
typedef struct ncc_message_hello {
  char text[128]; /**< program version and commit, sizes of what travels */
} ncc_message_hello;

void ncc_message_hello_make(ncc_message_hello *hello);

/** Type of a message. @return NCC_OK; NCC_ERR_COMM saying what was found and what was expected. */
ncc_status ncc_message_check(const void *bytes, int64_t n_bytes, ncc_message_type *type);

/** Encoders: a malloc'd message. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_message_work(const ncc_batch *batch, void **bytes, int64_t *n_bytes);
ncc_status ncc_message_results(const ncc_batch *batch, void **bytes, int64_t *n_bytes);
ncc_status ncc_message_problem(ncc_status problem, const char *text, void **bytes, int64_t *n_bytes);
ncc_status ncc_message_stats(const ncc_rank_stats *stats, void **bytes, int64_t *n_bytes);
ncc_status ncc_message_plain(ncc_message_type type, void **bytes, int64_t *n_bytes);

/** Decoders. @return NCC_OK; NCC_ERR_COMM for whatever does not fit; NCC_ERR_NOMEM. */
ncc_status ncc_message_read_work(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog, ncc_batch **out);

/** Which batch the results belong to. */
ncc_status ncc_message_results_id(const void *bytes, int64_t n_bytes, int64_t *id);

/** Fills the batch's results, seconds and what could not be read. */
ncc_status ncc_message_read_results(const void *bytes, int64_t n_bytes, ncc_batch *batch);
ncc_status ncc_message_read_problem(const void *bytes, int64_t n_bytes, ncc_status *problem,
                                    char text[NCC_MESSAGE_TEXT]);
ncc_status ncc_message_read_stats(const void *bytes, int64_t n_bytes, ncc_rank_stats *stats);

#endif
