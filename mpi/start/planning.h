/** FFT plans are made once for all ranks, before the work begins. */
#ifndef NCC_PLANNING_H
#define NCC_PLANNING_H

#include "mpi/comm.h"
#include "options/run.h"
#include "plan/work.h"

/** Rank 0 takes up what planning learnt in earlier runs, plans for the kinds of pairs of this one, keeps what is new,
 *  and tells all ranks. A cache that cannot be used is a note on stderr, no error. Collective.
 *  @param[in] work  rank 0 only
 *  @param[in,out] planning_s  the seconds it took are added */
ncc_status ncc_planning_bcast(const ncc_comm *comm, const ncc_work *work, const ncc_run_options *options,
                              double *planning_s);

#endif
