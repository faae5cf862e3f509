/** What a rank may use of memory, and for what; counted before any work.
 *
 *  Rank 0 has tables of its own: pairs, work, schedule, statuses, and the batches that ranks hold. So there are
 * two divisions, of rank 0 and of the others: NCC_MEMORY_ROOT, NCC_MEMORY_OTHER.
 */
#ifndef NCC_MEMORY_H
#define NCC_MEMORY_H

#include "io/input/input.h"
#include "mpi/comm.h"
#include "options/run.h"
#include "plan/forecast.h"

/** A rank's program, libraries and messages. */
#define NCC_PROGRAM_BYTES ((int64_t)192 << 20)

/** Most pairs of a batch: enough that its message costs next to nothing a pair, and few enough that making it and
 *  taking its results keep rank 0 from others for a few milliseconds at most. */
#define NCC_BATCH_PAIRS 4096

enum { NCC_MEMORY_ROOT, NCC_MEMORY_OTHER };

/** How a rank uses its memory. */
typedef struct ncc_memory {
  int64_t limit_bytes;   /**< all of it */
  int64_t table_bytes;   /**< what grows with the input */
  int64_t matcher_bytes; /**< for the matcher */
  int64_t pixel_bytes;   /**< for pixels: at work, read ahead, kept because they are needed again, on their way */
  int64_t chunk_bytes;   /**< that HDF5 may keep of inflated chunks, of images and of templates each */
  int64_t handout_bytes; /**< pixels that a batch should need at most, about; one pair's may be more */
  int64_t handout_pairs; /**< most pairs of a batch */
  int64_t matchers;      /**< of a rank with a GPU, each with images of its own under way; a rank without has one */
} ncc_memory;

/** What decides how much a rank needs. */
typedef struct ncc_memory_use {
  int threads;          /**< of a rank */
  bool shipped;         /**< pixels come from another rank: what may be kept of the last hand-out takes room too */
  bool gpu;             /**< a rank of the job uses one */
  int64_t decode_bytes; /**< of all threads of a rank that read and decode sources */
} ncc_memory_use;

/** The memory that one rank may use: the wish, or else what the cgroup, the scheduler or the machine gives the node,
 *  shared by its ranks. Collective. @param[out] bytes  the smallest over all ranks */
ncc_status ncc_memory_find(const ncc_comm *comm, int64_t wish, int64_t *bytes);

/** Whether there is room for the tables of an input that is not opened yet. Rank 0 alone.
 *  @return NCC_OK; NCC_ERR_MEMORY_LIMIT naming the file, what it needs and the limit. */
ncc_status ncc_memory_check(const ncc_input_size *size, const ncc_run_options *options, const ncc_comm *comm,
                            int64_t limit_bytes);

/** Checks that every pair can be done within `limit_bytes` a rank, and divides them. Rank 0 alone. Without --memory
 *  the node's memory goes to its ranks in equal parts, but for rank 0's own tables.
 *  @param[out] out     [2] of rank 0, and of the others.
 *  @return NCC_OK; NCC_ERR_MEMORY_LIMIT naming the file, the first pair that does not fit, what it needs and the limit.
 */
ncc_status ncc_memory_divide(const ncc_input_size *size, const ncc_work *work, const ncc_run_options *options,
                             const ncc_comm *comm, const ncc_memory_use *use, int64_t limit_bytes, ncc_memory out[2]);

/** Fills in the forecast's memory: of the kind of pairs that needs most.
 *  @param[in] memory  [2]
 *  @param[in,out] forecast  the rest of it is there. */
ncc_status ncc_memory_forecast(const ncc_run_options *options, int ranks, const ncc_memory_use *use,
                               const ncc_memory *memory, ncc_forecast *forecast);

#endif
