/** Where ranks sit: nodes, the cores that each is bound to and how many threads that makes, and GPUs. */
#ifndef NCC_START_FACTS_H
#define NCC_START_FACTS_H

#include "mpi/comm.h"
#include "mpi/rank/facts.h"
#include "options/run.h"

/** Finds out. Without --threads, each core is shared equally by the ranks that are bound to it, and a rank gets one
 * thread for each whole core that its portions make, at least one. Collective.
 *  @param[out] everywhere  all ranks of the job use GPUs
 *  @param[out] anywhere    one does at least
 *  @return the same on all ranks: NCC_OK; NCC_ERR_DEVICE where --device gpu was asked for and a rank has none;
 *          NCC_ERR_NOMEM. */
ncc_status ncc_facts_find(const ncc_comm *comm, const ncc_run_options *options, ncc_rank_facts *out, bool *everywhere,
                          bool *anywhere);

#endif
