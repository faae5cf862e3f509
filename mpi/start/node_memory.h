/** Memory of a node. No MPI in here. */
#ifndef NCC_NODE_MEMORY_H
#define NCC_NODE_MEMORY_H

#include <stdint.h>

/** Memory of this node that the job may use: what the cgroup, SLURM or the machine gives it. */
int64_t ncc_memory_node_bytes(void);

#endif
