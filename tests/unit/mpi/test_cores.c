/** Threads, bindings and cores: fair shares, who waits for whom, and the words for it; hardware threads of one core are
 *  one core. hwloc, where it is built in, is given made-up machines by its own environment variables. */
#include <string.h>

#include "check.h"
#include "mpi/rank/cores.h"

static ncc_core_set set_of(int first, int last) {
  ncc_core_set set;
  CPU_ZERO(&set);
  for (int i = first; i <= last; i++) CPU_SET(i, &set);
  return set;
}

static void check_fit(const char *name, int ranks, const ncc_core_set *sets, const int32_t *threads, int at_once,
                      int crowded, const char *contested) {
  ncc_cores_fit fit;
  char words[32];
  ncc_cores_check(sets, threads, ranks, &fit);
  ncc_cores_words(&fit.contested, words, sizeof words);
  CHECK(fit.at_once == at_once && fit.crowded == crowded && strcmp(words, contested) == 0,
        "%s: %d at once, %d too many on '%s', expected %d, %d, '%s'", name, fit.at_once, fit.crowded, words, at_once,
        crowded, contested);
}

static void check_shares(void) {
  ncc_core_set all[] = {set_of(0, 4), set_of(0, 4), set_of(0, 4)};
  ncc_core_set own[] = {set_of(0, 1), set_of(2, 2), set_of(2, 2)};
  CHECK(ncc_cores_share(all, 3, 0) == 2 && ncc_cores_share(all, 3, 1) == 2 && ncc_cores_share(all, 3, 2) == 1,
        "five cores for three are not 2, 2 and 1");
  CHECK(ncc_cores_share(own, 3, 0) == 2 && ncc_cores_share(own, 3, 1) == 1 && ncc_cores_share(own, 3, 2) == 1,
        "each rank has a thread, though two share a core");
}

static void check_fits(void) {
  const ncc_core_set apart[] = {set_of(0, 1), set_of(2, 3)}, same[] = {set_of(0, 3), set_of(0, 3)};
  const ncc_core_set core[] = {set_of(1, 1), set_of(1, 1)};
  const ncc_core_set nested[] = {set_of(0, 3), set_of(0, 0), set_of(0, 0), set_of(0, 0)};
  const ncc_core_set chain[] = {set_of(0, 1), set_of(1, 2), set_of(2, 3)};
  check_fit("apart", 2, apart, (int32_t[]){2, 2}, 4, 0, "");
  check_fit("apart, one with too many", 2, apart, (int32_t[]){2, 3}, 4, 1, "2-3");
  check_fit("unbound", 2, same, (int32_t[]){2, 2}, 4, 0, "");
  check_fit("unbound, too many", 2, same, (int32_t[]){4, 2}, 4, 2, "0-3");
  check_fit("on one core", 2, core, (int32_t[]){1, 1}, 1, 1, "1");
  check_fit("crowd in a corner", 4, nested, (int32_t[]){1, 1, 1, 1}, 2, 2, "0");
  check_fit("chain", 3, chain, (int32_t[]){1, 2, 1}, 4, 0, "");
  check_fit("idle", 1, apart, (int32_t[]){1}, 1, 0, "");
}

static void check_words(void) {
  char words[24];
  ncc_core_set set = set_of(0, 3);
  CPU_SET(8, &set);
  CPU_SET(1023, &set);
  ncc_cores_words(&set, words, sizeof words);
  CHECK(strcmp(words, "0-3,8,1023") == 0, "'%s'", words);
  CPU_ZERO(&set);
  for (int i = 0; i < 100; i += 2) CPU_SET(i, &set);
  ncc_cores_words(&set, words, sizeof words);
  CHECK(strcmp(words, "0,2,4,6,8,10,12,14,...") == 0, "'%s'", words);
  ncc_numa_words(5, words, sizeof words);
  CHECK(strcmp(words, "0,2") == 0, "'%s'", words);
  ncc_numa_words(0, words, sizeof words);
  CHECK(words[0] == '\0', "'%s'", words);
}

/** Two domains of two cores with two hardware threads each, numbered as on most servers: 0-3, then their twins 4-7. */
static void check_hwloc(void) {
  ncc_core_map map;
  setenv("HWLOC_SYNTHETIC", "numa:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", 1);
  setenv("HWLOC_THISSYSTEM", "1", 1);
  ncc_core_map_find(&map);
  if (map.numa[0] < 0) {
    printf("built without hwloc: its part was not tried\n");
    return;
  }
  ncc_core_set set = set_of(3, 6);
  CHECK(ncc_cores_numa(&map, &set) == 3, "domains %llx", (unsigned long long)ncc_cores_numa(&map, &set));
  ncc_cores_fold(&map, &set);
  const ncc_core_set expected = set_of(0, 3);
  CHECK(CPU_EQUAL(&set, &expected), "hardware threads 3-6 are cores 0-3");
  set = set_of(4, 5);
  CHECK(ncc_cores_numa(&map, &set) == 1, "domains %llx", (unsigned long long)ncc_cores_numa(&map, &set));
}

int main(void) {
  check_shares();
  check_fits();
  check_words();
  check_hwloc();
  return 0;
}
