/** What the header says of nodes and cores: nodes whose ranks are placed alike are told once, and what goes wrong there
 *  is one warning for all. Rank 0 only. */
#ifndef NCC_NODES_H
#define NCC_NODES_H

#include "mpi/observer.h"
#include "mpi/start/placement.h"
#include "mpi/start/survey.h"

/** Fills the header's ranks, nodes, threads and `placement`.
 *  @param[in] placements, hosts  [ranks]
 *  @param[in] threads_wished  the user chose the number of threads: idle cores are meant
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_nodes_describe(const ncc_placement *placements, const char (*hosts)[64], int ranks, bool threads_wished,
                              ncc_job_header *header, ncc_survey *survey);

/** Frees the header's `placement`. */
void ncc_nodes_clear(ncc_job_header *header);

#endif
