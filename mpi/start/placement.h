/** Where ranks sit: nodes, the cores that each is bound to, and how many threads that makes. */
#ifndef NCC_PLACEMENT_H
#define NCC_PLACEMENT_H

#include "mpi/comm.h"
#include "mpi/rank/cores.h"

typedef struct ncc_placement {
  int32_t leader;     /**< the lowest rank of this one's node */
  int32_t threads;    /**< that this rank should compute with */
  ncc_core_set cores; /**< that this rank is bound to */
  uint64_t numa;      /**< domains that these lie in, as bits; 0: not known */
  /* of the node, on its leader only */
  ncc_core_set node_cores; /**< that the job may use there */
  ncc_cores_fit fit;       /**< of the node's threads */
} ncc_placement;

/** Finds out. Without a wish, each core is shared equally by the ranks that are bound to it, and a rank gets one
 *  thread for each whole core that its shares make, at least one. Collective.
 *  @param[in] threads  wish, the same on all ranks; 0: none. */
ncc_status ncc_placement_find(const ncc_comm *comm, int threads, ncc_placement *out);

#endif
