/** Where ranks sit: nodes, the cores that each is bound to, and how many threads that makes. */
#ifndef NCC_PLACEMENT_H
#define NCC_PLACEMENT_H

#include "comm.h"

typedef struct ncc_placement {
  int32_t leader;     /**< 1 on one rank of each node */
  int32_t threads;    /**< that this rank should compute with */
  int32_t cores;      /**< that this rank is bound to */
  int32_t node_cores; /**< that the job may use on this node */
  int32_t node_busy;  /**< threads of all ranks on this node */
} ncc_placement;

/** Finds out. Without a wish, each core is shared equally by the ranks that are bound to it, and a rank gets one
 *  thread for each whole core that its shares make, at least one. Collective.
 *  @param[in] threads  wish, the same on all ranks; 0: none. */
ncc_status ncc_placement_find(const ncc_comm *comm, int threads, ncc_placement *out);

#endif
