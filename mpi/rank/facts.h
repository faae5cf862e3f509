/** What each rank knows of itself, gathered on rank 0 once. No MPI in here. */
#ifndef NCC_FACTS_H
#define NCC_FACTS_H

#include "gpu/gpu.h"
#include "mpi/rank/cores.h"

/** Which GPU a rank uses. */
typedef struct ncc_rank_device {
  int32_t use;     /**< 1: a GPU, else the CPU engine */
  int32_t device;  /**< index among those that this rank sees */
  int32_t sharers; /**< ranks that use this GPU */
  int32_t first;   /**< 1 on the first of these */
  int32_t visible; /**< GPUs that this rank sees */
  ncc_gpu_info info;
} ncc_rank_device;

/** Plain bytes. */
typedef struct ncc_rank_facts {
  char host[64];
  int32_t rank, leader; /**< the lowest rank of this one's node */
  int32_t threads;      /**< that this rank should compute with */
  ncc_core_set cores;   /**< that it is bound to; a core with several hardware threads counts as its first */
  uint64_t numa;        /**< domains that these lie in, as bits; 0: not known */
  ncc_rank_device device;
  /* of the node, on its leader only */
  ncc_core_set node_cores; /**< that the job may use there */
  ncc_cores_fit fit;       /**< of the node's threads */
  int32_t unused_gpus;
} ncc_rank_facts;

#endif
