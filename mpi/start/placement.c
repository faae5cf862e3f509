#include "mpi/start/placement.h"

#include <stdlib.h>
#include <string.h>

/** The node's cores as its first rank sees them: one rank asks hwloc, which takes a while, and tells the others. */
static ncc_status share_map(MPI_Comm node, int rank, ncc_core_map *map) {
  ncc_status status = NCC_OK;
  if (rank == 0) ncc_core_map_find(map);
  NCC_TRY_MPI(MPI_Bcast(map, sizeof *map, MPI_BYTE, 0, node));
cleanup:
  return status;
}

ncc_status ncc_placement_find(const ncc_comm *comm, int threads, ncc_placement *out) {
  ncc_status status = NCC_OK;
  MPI_Comm node = MPI_COMM_NULL;
  ncc_core_set *sets = NULL;
  int32_t *all_threads = NULL;
  ncc_core_map map;
  int rank, ranks;
  memset(out, 0, sizeof *out);
  NCC_TRY_MPI(MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node));
  NCC_TRY_MPI(MPI_Comm_rank(node, &rank));
  NCC_TRY_MPI(MPI_Comm_size(node, &ranks));
  sets = malloc((size_t)ranks * sizeof *sets);
  all_threads = malloc((size_t)ranks * sizeof *all_threads);
  NCC_CHECK(sets && all_threads, NCC_ERR_NOMEM, "out of memory for the cores of %d ranks", ranks);
  NCC_TRY(share_map(node, rank, &map));
  ncc_cores_bound(&out->cores);
  out->numa = ncc_cores_numa(&map, &out->cores);
  ncc_cores_fold(&map, &out->cores);
  NCC_TRY_MPI(MPI_Allgather(&out->cores, sizeof out->cores, MPI_BYTE, sets, sizeof *sets, MPI_BYTE, node));
  out->threads = threads > 0 ? threads : ncc_cores_share(sets, ranks, rank);
  NCC_TRY_MPI(MPI_Allgather(&out->threads, 1, MPI_INT32_T, all_threads, 1, MPI_INT32_T, node));
  out->leader = comm->rank;
  NCC_TRY_MPI(MPI_Bcast(&out->leader, 1, MPI_INT32_T, 0, node));
  if (rank > 0) goto cleanup;
  ncc_cores_usable(&out->node_cores);
  ncc_cores_fold(&map, &out->node_cores);
  ncc_cores_check(sets, all_threads, ranks, &out->fit);
cleanup:
  free(sets);
  free(all_threads);
  if (node != MPI_COMM_NULL) MPI_Comm_free(&node);
  return status;
}
