/** Cores of one node: sets of them, fair shares, and who gets in whose way. No MPI in here.
 *
 *  A core counts once, however many hardware threads it has: a second one adds little to arithmetic. In a set a core
 *  stands under the number of its first hardware thread, which is its own number where it has only one.
 */
#ifndef NCC_CORES_H
#define NCC_CORES_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef cpu_set_t ncc_core_set;

/** What each hardware thread belongs to. */
typedef struct ncc_core_map {
  int16_t core[CPU_SETSIZE]; /**< the first hardware thread of its core */
  int16_t numa[CPU_SETSIZE]; /**< NUMA domain; -1: not known */
} ncc_core_map;

/** Asks hwloc; without it every hardware thread is a core of its own in an unknown domain. */
void ncc_core_map_find(ncc_core_map *map);

/** The calling thread's cores; those that are online where the kernel will not say. */
void ncc_cores_bound(ncc_core_set *cpus);

/** What the kernel would grant this process, whatever a launcher bound it to. */
void ncc_cores_usable(ncc_core_set *cpus);

/** From hardware threads to cores. */
void ncc_cores_fold(const ncc_core_map *map, ncc_core_set *set);

/** NUMA domains of some cores, as bits; domains from 64 on are left out. */
uint64_t ncc_cores_numa(const ncc_core_map *map, const ncc_core_set *set);

/** A rank's threads: each core is shared equally by the ranks that are bound to it, and ranks with the same binding
 *  split what that is worth, the first ones getting the remainder; at least 1.
 *  @param[in] sets  [ranks] of one node */
int32_t ncc_cores_share(const ncc_core_set *sets, int ranks, int rank);

/** "0-3,8", cut to fit. */
void ncc_cores_words(const ncc_core_set *set, char *text, size_t text_bytes);

/** "0-1" of bits. */
void ncc_numa_words(uint64_t domains, char *text, size_t text_bytes);

/** How a node's threads fit on its cores. */
typedef struct ncc_cores_fit {
  int32_t at_once;        /**< threads that can run at the same time */
  int32_t crowded;        /**< threads more than there are cores for them */
  ncc_core_set contested; /**< cores of one such place; empty: none */
  int contested_threads;
} ncc_cores_fit;

/** @param[in] sets, threads  [ranks] of one node */
void ncc_cores_check(const ncc_core_set *sets, const int32_t *threads, int ranks, ncc_cores_fit *out);

#endif
