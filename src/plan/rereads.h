/** How often chunks of sources will be read, counted beforehand: a chunk that several images lie in, as slices of a
 * volume do, is decoded once only where it is kept until the last of them has been read. On paper, as simulate.h: the
 * hand-outs of a schedule are read by ranks that keep chunks within a bound, the least recently used given up first.
 *
 *  No MPI, no files. Images and templates themselves are taken to be kept.
 */
#ifndef NCC_REREADS_H
#define NCC_REREADS_H

#include "plan/schedule.h"

/** Who tells of chunks, while an object is looked at. */
typedef struct ncc_rereads_walk ncc_rereads_walk;

/** A chunk that an object lies in. */
typedef struct ncc_reached_chunk {
  uint64_t array; /**< which array of chunks it is of */
  int64_t number; /**< in it */
  int64_t bytes;  /**< decoded */
  bool all;       /**< the object has all of it: it is not kept */
} ncc_reached_chunk;

/** Calls ncc_rereads_see() for each chunk that reading a part of an image or template loads, in that order.
 *  @return NCC_OK, also of what cannot be opened; NCC_ERR_NOMEM. */
typedef ncc_status (*ncc_rereads_reach)(void *context, bool tmpl, int64_t index, const ncc_rect *part,
                                        ncc_rereads_walk *walk);
ncc_status ncc_rereads_see(ncc_rereads_walk *walk, const ncc_reached_chunk *chunk);

/** What came out of an order of pairs. */
typedef struct ncc_reread_counts {
  int64_t reads;      /**< of all chunks by all ranks */
  int64_t read_bytes; /**< decoded */
  int64_t most;       /**< of one chunk */
} ncc_reread_counts;

typedef struct ncc_rereads {
  int64_t pairs;        /**< that were counted: huge inputs are cut short; 0: there are no chunks */
  int64_t chunks;       /**< that they reach */
  int64_t chunk_bytes;  /**< of these, each once */
  int64_t object_bytes; /**< of the chunks that the largest image or template lies in */
  int64_t kept_bytes;   /**< of chunks that a rank keeps of images, and as many of templates, or of both together */
  ncc_reread_counts planned;  /**< as the schedule has it */
  ncc_reread_counts by_chunk; /**< pairs in order of the chunks that their images begin in */
  int64_t *images;            /**< [n_images] indices of images in that order; owned */
  int64_t n_images;
} ncc_rereads;

/** How a job reads. */
typedef struct ncc_rereads_how {
  const ncc_work *work;
  const ncc_search *search;
  ncc_schedule_options schedule;
  int readers;        /**< ranks that read: those of the schedule, or 1 where rank 0 reads for all */
  int64_t kept_bytes; /**< as above */
  bool together;      /**< images and templates find each other's chunks */
  ncc_rereads_reach reach;
  void *context; /**< of `reach` */
} ncc_rereads_how;

/** @param[in]  done  as for ncc_schedule_create().
 *  @param[out] out   cleared by ncc_rereads_clear(), also after a failure.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_rereads_count(const ncc_rereads_how *how, const uint8_t *done, ncc_rereads *out);

void ncc_rereads_clear(ncc_rereads *rereads);

#endif
