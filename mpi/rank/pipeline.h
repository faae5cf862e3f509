/** A rank's own threads: a reader loads the pixels of batches, others drive a matcher each (one, or several on a GPU),
 * and the caller, who talks MPI, waits.
 *
 *  to load -> [reader] -> to compute -> [matchers] -> finished. No MPI in here. A queue holds what rank 0 hands out
 * ahead: up to NCC_SCHEDULE_AHEAD batches a rank. Matchers take pieces of batches, in order, and follow the reader:
 * they compute the first pairs while the others are being read. On rank 0 the reader may load for other ranks too: such
 * a batch is finished once it is loaded, and no more than `ship_bytes` of their pixels lie in memory.
 *
 *  What is read and will be needed again is kept as long as all pixels together fit the store; the reader waits where
 *  they would not, unless nothing else would ever make room.
 */
#ifndef NCC_PIPELINE_H
#define NCC_PIPELINE_H

#include "mpi/rank/threads.h"

/** Starts the threads. @return NCC_OK; NCC_ERR_NOMEM; NCC_ERR_INTERNAL if a thread cannot be started. */
ncc_status ncc_pipeline_create(const ncc_pipeline_options *options, ncc_pipeline **out);

/** Joins the threads and frees. What was not finished is dropped. Accepts NULL. */
void ncc_pipeline_destroy(ncc_pipeline **pipeline);

/** Takes a batch, whose needs are worked out, to be read, and computed if it is for this rank. @return NCC_OK;
 *  NCC_ERR_NOMEM, and the batch stays the caller's. */
ncc_status ncc_pipeline_load(ncc_pipeline *pipeline, ncc_batch *batch, int rank);

/** Takes a batch of this rank whose pixels are there. @return likewise. */
ncc_status ncc_pipeline_compute(ncc_pipeline *pipeline, ncc_batch *batch);

/** The next finished batch, in order of finishing. @return false if there is none. */
bool ncc_pipeline_take(ncc_pipeline *pipeline, ncc_finished *out);

/** Sleeps until a batch is finished, at most so long. */
void ncc_pipeline_wait(ncc_pipeline *pipeline, int timeout_us);

/** So many bytes of pixels of a batch that was loaded for another rank (ncc_batch_shipped_bytes()) are released. */
void ncc_pipeline_shipped(ncc_pipeline *pipeline, int64_t bytes);

/** Ends the threads, which must be out of work, and says what they did. */
void ncc_pipeline_finish(ncc_pipeline *pipeline, ncc_rank_stats *stats);

#endif
