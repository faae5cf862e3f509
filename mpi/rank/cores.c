#include "mpi/rank/cores.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef NCC_HAVE_HWLOC
#include <hwloc.h>
#endif

/* ---- what there is ---------------------------------------------------------------------------------------------- */

#ifdef NCC_HAVE_HWLOC
static void ask_hwloc(ncc_core_map *map) {
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology) != 0) return;
  if (hwloc_topology_load(topology) == 0) {
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core));)
      for (int cpu = hwloc_bitmap_first(core->cpuset); cpu >= 0 && cpu < CPU_SETSIZE;
           cpu = hwloc_bitmap_next(core->cpuset, cpu))
        map->core[cpu] = (int16_t)hwloc_bitmap_first(core->cpuset);
    for (hwloc_obj_t node = NULL; (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node));)
      for (int cpu = hwloc_bitmap_first(node->cpuset); cpu >= 0 && cpu < CPU_SETSIZE;
           cpu = hwloc_bitmap_next(node->cpuset, cpu))
        map->numa[cpu] = (int16_t)node->os_index;
  }
  hwloc_topology_destroy(topology);
}
#endif

void ncc_core_map_find(ncc_core_map *map) {
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    map->core[cpu] = (int16_t)cpu;
    map->numa[cpu] = -1;
  }
#ifdef NCC_HAVE_HWLOC
  ask_hwloc(map);
#endif
}

void ncc_cores_bound(ncc_core_set *cpus) {
  if (sched_getaffinity(0, sizeof *cpus, cpus) == 0 && CPU_COUNT(cpus) > 0) return;
  CPU_ZERO(cpus);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  for (long i = 0; i < online && i < CPU_SETSIZE; i++) CPU_SET(i, cpus);
}

/** Asks for all cores; the kernel grants those of the job's cpuset. */
static void *widen(void *result) {
  cpu_set_t all;
  memset(&all, 0xff, sizeof all);
  sched_setaffinity(0, sizeof all, &all);
  ncc_cores_bound(result);
  return NULL;
}

void ncc_cores_usable(ncc_core_set *cpus) {
  pthread_t thread; /* a thread of its own, so that nobody's binding changes */
  ncc_cores_bound(cpus);
  if (pthread_create(&thread, NULL, widen, cpus) == 0) pthread_join(thread, NULL);
}

/* ---- sets ------------------------------------------------------------------------------------------------------- */

void ncc_cores_fold(const ncc_core_map *map, ncc_core_set *set) {
  ncc_core_set cores;
  CPU_ZERO(&cores);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, set)) CPU_SET(map->core[cpu], &cores);
  *set = cores;
}

uint64_t ncc_cores_numa(const ncc_core_map *map, const ncc_core_set *set) {
  uint64_t domains = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, set) && map->numa[cpu] >= 0 && map->numa[cpu] < 64) domains |= (uint64_t)1 << map->numa[cpu];
  return domains;
}

int32_t ncc_cores_share(const ncc_core_set *sets, int ranks, int rank) {
  double worth = 0;
  int alike = 0, before = 0;
  for (int core = 0; core < CPU_SETSIZE; core++) {
    int sharers = 0;
    if (!CPU_ISSET(core, &sets[rank])) continue;
    for (int r = 0; r < ranks; r++) sharers += CPU_ISSET(core, &sets[r]) != 0;
    worth += 1.0 / sharers;
  }
  for (int r = 0; r < ranks; r++)
    if (CPU_EQUAL(&sets[r], &sets[rank])) {
      alike++;
      before += r < rank;
    }
  int32_t whole = (int32_t)floor(alike * worth + 1e-6);
  int32_t mine = whole / alike + (before < whole % alike);
  return mine > 0 ? mine : 1;
}

/** A list of numbers in ranges: those for which `has` holds. */
static void range_words(bool (*has)(const void *set, int number), const void *set, int end, char *text,
                        size_t text_bytes) {
  size_t at = 0;
  text[0] = '\0';
  for (int i = 0; i < end; i++) {
    if (!has(set, i)) continue;
    int last = i;
    while (last + 1 < end && has(set, last + 1)) last++;
    char range[32];
    int length = last > i ? snprintf(range, sizeof range, "%s%d-%d", at ? "," : "", i, last)
                          : snprintf(range, sizeof range, "%s%d", at ? "," : "", i);
    if (at + (size_t)length + 5 > text_bytes) { /* room for this and ",..." */
      snprintf(text + at, text_bytes - at, ",...");
      return;
    }
    memcpy(text + at, range, (size_t)length + 1);
    at += (size_t)length;
    i = last;
  }
}

static bool has_core(const void *set, int core) {
  return CPU_ISSET(core, (const ncc_core_set *)set);
}
static bool has_bit(const void *set, int bit) {
  return *(const uint64_t *)set >> bit & 1;
}

void ncc_cores_words(const ncc_core_set *set, char *text, size_t text_bytes) {
  range_words(has_core, set, CPU_SETSIZE, text, text_bytes);
}

void ncc_numa_words(uint64_t domains, char *text, size_t text_bytes) {
  range_words(has_bit, &domains, 64, text, text_bytes);
}

/* ---- threads on cores ------------------------------------------------------------------------------------------- */

static bool overlap(const ncc_core_set *a, const ncc_core_set *b) {
  ncc_core_set both;
  CPU_AND(&both, a, b);
  return CPU_COUNT(&both) > 0;
}

static bool within(const ncc_core_set *inner, const ncc_core_set *outer) {
  ncc_core_set both;
  CPU_AND(&both, inner, outer);
  return CPU_EQUAL(&both, inner);
}

/** Threads that cannot leave `place` and that there are no cores for; the worst place is remembered. */
static void check_place(const ncc_core_set *place, const ncc_core_set *sets, const int32_t *threads, int ranks,
                        ncc_cores_fit *out, int *worst) {
  int inside = 0, cores = CPU_COUNT(place);
  for (int r = 0; r < ranks; r++)
    if (within(&sets[r], place)) inside += threads[r];
  if (inside - cores <= *worst) return;
  *worst = inside - cores;
  out->contested = *place;
  out->contested_threads = inside;
}

void ncc_cores_check(const ncc_core_set *sets, const int32_t *threads, int ranks, ncc_cores_fit *out) {
  bool *seen = calloc((size_t)ranks, sizeof *seen);
  int worst = 0, busy = 0;
  memset(out, 0, sizeof *out);
  for (int first = 0; seen && first < ranks; first++) {
    /* All ranks that are linked to this one by shared cores. */
    ncc_core_set together = sets[first];
    int32_t demand = 0;
    if (seen[first]) continue;
    for (bool grown = true; grown;) {
      grown = false;
      for (int r = first; r < ranks; r++) {
        if (seen[r] || !overlap(&sets[r], &together)) continue;
        CPU_OR(&together, &together, &sets[r]);
        demand += threads[r];
        seen[r] = grown = true;
        if (r == first || !CPU_EQUAL(&sets[r], &sets[first])) check_place(&sets[r], sets, threads, ranks, out, &worst);
      }
    }
    int32_t cores = CPU_COUNT(&together);
    out->at_once += demand < cores ? demand : cores;
    busy += demand;
    check_place(&together, sets, threads, ranks, out, &worst);
  }
  /* Inside a group of linked ranks, some may wait while cores of others idle. */
  if (busy - out->at_once < worst) out->at_once = busy - worst;
  out->crowded = busy - out->at_once;
  free(seen);
}
