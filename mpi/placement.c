#include "placement.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** The calling thread's cores; all that are online where the kernel will not say. */
static void bound_cores(cpu_set_t *cores) {
  if (sched_getaffinity(0, sizeof *cores, cores) == 0 && CPU_COUNT(cores) > 0) return;
  CPU_ZERO(cores);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  for (long i = 0; i < online && i < CPU_SETSIZE; i++) CPU_SET(i, cores);
}

/** Asks for all cores; the kernel grants those of the job's cpuset, whatever the launcher bound the rank to. */
static void *widen(void *result) {
  cpu_set_t all;
  memset(&all, 0xff, sizeof all);
  sched_setaffinity(0, sizeof all, &all);
  bound_cores(&all);
  *(int32_t *)result = CPU_COUNT(&all);
  return NULL;
}

static int32_t usable_cores(int32_t bound) {
  pthread_t thread; /* a thread of its own, so that nobody's binding changes */
  int32_t count = bound;
  if (pthread_create(&thread, NULL, widen, &count) == 0) pthread_join(thread, NULL);
  return count;
}

/** A rank's fair share of its cores: ranks with the same binding split what that is worth, the first ones getting the
 *  remainder. */
static int32_t share(const cpu_set_t *cores, int ranks, int rank) {
  double worth = 0;
  int alike = 0, before = 0;
  for (int core = 0; core < CPU_SETSIZE; core++) {
    int sharers = 0;
    if (!CPU_ISSET(core, &cores[rank])) continue;
    for (int r = 0; r < ranks; r++) sharers += CPU_ISSET(core, &cores[r]) != 0;
    worth += 1.0 / sharers;
  }
  for (int r = 0; r < ranks; r++)
    if (CPU_EQUAL(&cores[r], &cores[rank])) {
      alike++;
      before += r < rank;
    }
  int32_t whole = (int32_t)floor(alike * worth + 1e-6);
  int32_t mine = whole / alike + (before < whole % alike);
  return mine > 0 ? mine : 1;
}

ncc_status ncc_placement_find(const ncc_comm *comm, int threads, ncc_placement *out) {
  ncc_status status = NCC_OK;
  MPI_Comm node = MPI_COMM_NULL;
  cpu_set_t *cores = NULL, mine;
  int rank, ranks;
  memset(out, 0, sizeof *out);
  NCC_TRY_MPI(MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node));
  NCC_TRY_MPI(MPI_Comm_rank(node, &rank));
  NCC_TRY_MPI(MPI_Comm_size(node, &ranks));
  cores = malloc((size_t)ranks * sizeof *cores);
  NCC_CHECK(cores, NCC_ERR_NOMEM, "out of memory for the cores of %d ranks", ranks);
  bound_cores(&mine);
  NCC_TRY_MPI(MPI_Allgather(&mine, sizeof mine, MPI_BYTE, cores, sizeof mine, MPI_BYTE, node));
  out->leader = rank == 0;
  out->cores = CPU_COUNT(&mine);
  out->threads = threads > 0 ? threads : share(cores, ranks, rank);
  out->node_cores = usable_cores(out->cores);
  NCC_TRY_MPI(MPI_Allreduce(&out->threads, &out->node_busy, 1, MPI_INT32_T, MPI_SUM, node));
cleanup:
  free(cores);
  if (node != MPI_COMM_NULL) MPI_Comm_free(&node);
  return status;
}
