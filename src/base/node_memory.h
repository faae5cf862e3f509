/** Memory of a node. */
#ifndef NCC_NODE_MEMORY_H
#define NCC_NODE_MEMORY_H

#include <stdint.h>

/** Memory of this node that the job may use: the least of what the machine has, what this process's control groups
 *  allow (versions 1 and 2, every ancestor's limit too), and what SLURM gives by node, CPU or GPU.
 *  @param[in] root  "", but in a test, which has its own /proc and /sys in a folder. */
int64_t ncc_node_memory_bytes(const char *root);

#endif
