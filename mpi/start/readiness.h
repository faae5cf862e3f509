/** Before the work begins: what it needs fits the memory, and FFT plans are made once for all ranks. */
#ifndef NCC_READINESS_H
#define NCC_READINESS_H

#include "mpi/comm.h"
#include "options/run.h"
#include "plan/forecast.h"

/** A rank's program, libraries and messages. */
#define NCC_PROGRAM_BYTES ((int64_t)192 << 20)

/** How a rank uses its memory. */
typedef struct ncc_memory {
  int64_t limit_bytes;   /**< all of it */
  int64_t pixel_bytes;   /**< for pixels: at work, read ahead, kept because they are needed again, on their way */
  int64_t handout_bytes; /**< pixels that a hand-out should need at most, about; one pair's may be more */
  int64_t chunk_bytes;   /**< that HDF5 may keep of inflated chunks, of images and of templates each */
} ncc_memory;

/** The memory that one rank may use: the wish, or else what the cgroup, the scheduler or the machine gives the node,
 *  shared by its ranks. Collective. @param[out] bytes  the smallest over all ranks */
ncc_status ncc_memory_find(const ncc_comm *comm, int64_t wish, int64_t *bytes);

/** What a rank needs at least for a pair of a kind; rank 0's tables are not in it.
 *  @param[in] shipped  pixels come from another rank: what may be kept of the last hand-out takes room too.
 *  @return NCC_OK; NCC_ERR_SHAPE. */
ncc_status ncc_memory_need(const ncc_run_options *options, int threads, bool shipped, const ncc_work_kind *kind,
                           ncc_forecast_memory *out);

/** Checks that every pair can be done within `memory->limit_bytes` a rank, and divides them. Rank 0 alone.
 *  @return NCC_OK; NCC_ERR_MEMORY_LIMIT naming the file, the first pair that does not fit, what it needs and the limit.
 */
ncc_status ncc_memory_divide(const ncc_work *work, const ncc_run_options *options, int threads, bool shipped,
                             ncc_memory *memory);

/** Rank 0 takes up what planning learnt in earlier runs, plans for the kinds of pairs of this one, keeps what is new,
 *  and tells all ranks. A cache that cannot be used is a note on stderr, no error. Collective.
 *  @param[in] work  rank 0 only
 *  @param[in,out] planning_s  the seconds it took are added */
ncc_status ncc_planning_bcast(const ncc_comm *comm, const ncc_work *work, const ncc_run_options *options,
                              double *planning_s);

#endif
