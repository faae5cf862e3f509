/** Which GPU each rank uses. No MPI in here. */
#ifndef NCC_DEVICES_H
#define NCC_DEVICES_H

#include <string.h>

#include "mpi/rank/facts.h"
#include "options/run.h"

/** What a rank would take if it had its node's GPUs to itself: the one of its index on the node. Asks no GPU with
 *  --device cpu. @return NCC_OK; NCC_ERR_DEVICE where --device gpu was asked for and there is none. */
ncc_status ncc_devices_choose(const ncc_run_options *options, int node_rank, ncc_rank_device *out);

/** Who shares with whom on a node; no more than `limit` GPUs (0: no limit) are used. A GPU is known by its UUID: where
 *  each rank sees one of its own, as schedulers arrange it, that is the one.
 *  @param[in,out] all  [ranks] of a node
 *  @param[out] out     of the rank with this index */
void ncc_devices_settle(ncc_rank_facts *all, int ranks, int own, int limit, ncc_rank_facts *out);

/** Both use the same GPU. */
static inline bool ncc_devices_same(const ncc_rank_device *a, const ncc_rank_device *b) {
  return a->use && b->use && strcmp(a->info.uuid, b->info.uuid) == 0;
}

/** Names the devices that compute: "AMD EPYC", "2 x NVIDIA H200", or both.
 *  @param[in] facts  [ranks] of all
 *  @return the engine: "cpu", "gpu" or "gpu and cpu"; static. */
const char *ncc_devices_name(const ncc_rank_facts *facts, int ranks, char *text, size_t text_bytes);

#endif
