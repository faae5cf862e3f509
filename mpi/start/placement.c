#include "mpi/start/placement.h"

#include <stdlib.h>
#include <string.h>

ncc_status ncc_placement_find(const ncc_comm *comm, int threads, ncc_placement *out) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  const int ranks = comm->node_ranks;
  ncc_core_map map; /* one rank of a node asks hwloc, which takes a while, and tells the others */
  memset(out, 0, sizeof *out);
  ncc_core_set *sets = malloc((size_t)ranks * sizeof *sets);
  int32_t *all_threads = malloc((size_t)ranks * sizeof *all_threads);
  if (!sets || !all_threads) mine = ncc_error_set(NCC_ERR_NOMEM, "out of memory for the cores of %d ranks", ranks);
  if (comm->node_rank == 0) ncc_core_map_find(&map);
  NCC_TRY(ncc_comm_node_bcast(comm, mine, &map, sizeof map));
  ncc_cores_bound(&out->cores);
  out->numa = ncc_cores_numa(&map, &out->cores);
  ncc_cores_fold(&map, &out->cores);
  NCC_TRY(ncc_comm_node_allgather(comm, NCC_OK, &out->cores, sizeof *sets, sets));
  out->threads = threads > 0 ? threads : ncc_cores_share(sets, ranks, comm->node_rank);
  NCC_TRY(ncc_comm_node_allgather(comm, NCC_OK, &out->threads, sizeof *all_threads, all_threads));
  out->leader = comm->rank;
  NCC_TRY(ncc_comm_node_bcast(comm, NCC_OK, &out->leader, sizeof out->leader));
  if (comm->node_rank > 0) goto cleanup;
  ncc_cores_usable(&out->node_cores);
  ncc_cores_fold(&map, &out->node_cores);
  ncc_cores_check(sets, all_threads, ranks, &out->fit);
cleanup:
  free(sets);
  free(all_threads);
  return status;
}
