#include "mpi/start/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/start/devices.h"

/** Threads of the caller; on the leader also how those of the node fit its cores. */
static ncc_status settle_threads(const ncc_rank_facts *all, int ranks, int own, int wish, const ncc_core_map *map,
                                 ncc_rank_facts *out) {
  ncc_status status = NCC_OK;
  ncc_core_set *sets = malloc((size_t)ranks * sizeof *sets);
  int32_t *threads = malloc((size_t)ranks * sizeof *threads);
  NCC_CHECK(sets && threads, NCC_ERR_NOMEM, "out of memory for the cores of %d ranks", ranks);
  for (int r = 0; r < ranks; r++) sets[r] = all[r].cores;
  out->threads = wish > 0 ? wish : ncc_cores_share(sets, ranks, own);
  if (own > 0) goto cleanup;
  for (int r = 0; r < ranks; r++) threads[r] = wish > 0 ? wish : ncc_cores_share(sets, ranks, r);
  ncc_cores_usable(&out->node_cores);
  ncc_cores_fold(map, &out->node_cores);
  ncc_cores_check(sets, threads, ranks, &out->fit);
cleanup:
  free(sets);
  free(threads);
  return status;
}

ncc_status ncc_facts_find(const ncc_comm *comm, const ncc_run_options *options, ncc_rank_facts *out, bool *everywhere,
                          bool *anywhere) {
  ncc_status status = NCC_OK;
  ncc_core_map map; /* one rank of a node asks hwloc, which takes a while, and tells the others */
  memset(out, 0, sizeof *out);
  out->rank = comm->rank;
  snprintf(out->host, sizeof out->host, "%s", comm->host);
  ncc_rank_facts *all = malloc((size_t)comm->node_ranks * sizeof *all);
  ncc_status mine = ncc_devices_choose(options, comm->node_rank, &out->device);
  if (!all) mine = ncc_error_set(NCC_ERR_NOMEM, "out of memory for %d ranks", comm->node_ranks);
  if (comm->node_rank == 0) ncc_core_map_find(&map);
  NCC_TRY(ncc_comm_node_bcast(comm, mine, &map, sizeof map));
  ncc_cores_bound(&out->cores);
  out->numa = ncc_cores_numa(&map, &out->cores);
  ncc_cores_fold(&map, &out->cores);
  NCC_TRY(ncc_comm_node_allgather(comm, NCC_OK, out, sizeof *out, all));
  out->leader = all[0].rank;
  mine = settle_threads(all, comm->node_ranks, comm->node_rank, options->threads, &map, out);
  ncc_devices_settle(all, comm->node_ranks, comm->node_rank, options->gpus, out);
  int64_t use = out->device.use, unused = -use;
  NCC_TRY(ncc_comm_min(comm, mine, &use));
  NCC_TRY(ncc_comm_min(comm, mine, &unused));
  *everywhere = use;
  *anywhere = unused < 0;
cleanup:
  free(all);
  return status;
}
