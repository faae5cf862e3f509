/** Who reads pixels: rank 0, which ships them, or every rank; decided before the work, with the reason. */
#ifndef NCC_READING_H
#define NCC_READING_H

#include "io/input/input.h"
#include "mpi/comm.h"
#include "options/run.h"

typedef struct ncc_reading {
  ncc_read_mode mode;   /**< root or all */
  char reason[512];     /**< of rank 0: why, where that was not asked for; else empty */
  ncc_input *own_input; /**< what another rank than 0 reads from; NULL on rank 0, and where rank 0 reads for it */
} ncc_reading;

/** Decides. Where all ranks may read, each opens the file by rank 0's table and checks that it is the same. Collective.
 *  @param[in] catalog   shapes, on every rank.
 *  @param[in] input     rank 0's; NULL elsewhere.
 *  @param[out] reading  to be cleared in any case.
 *  @return the same on every rank: NCC_OK; with --read all NCC_ERR_INPUT that names rank, host and file where one does
 *          not see rank 0's file; NCC_ERR_NOMEM; NCC_ERR_COMM. */
ncc_status ncc_reading_choose(const ncc_comm *comm, const ncc_run_options *options, const ncc_catalog *catalog,
                              ncc_input *input, ncc_reading *reading);

void ncc_reading_clear(ncc_reading *reading);

#endif
