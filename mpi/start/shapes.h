/** The catalog's shapes, from rank 0 to all, in a few messages. */
#ifndef NCC_SHAPES_H
#define NCC_SHAPES_H

#include "mpi/comm.h"
#include "plan/catalog.h"

/** Broadcasts images and templates; pairs and windows stay on rank 0. Collective.
 *  @param[in]  mine  rank 0's catalog; NULL elsewhere.
 *  @param[out] out   elsewhere a catalog without pairs, owned by the caller; untouched on rank 0.
 *  @return NCC_OK; NCC_ERR_NOMEM, on all ranks if one has none left; NCC_ERR_COMM. */
ncc_status ncc_catalog_bcast(const ncc_comm *comm, const ncc_catalog *mine, ncc_catalog *out);

#endif
