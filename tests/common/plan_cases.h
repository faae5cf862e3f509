/** Catalogs made up for the tests of the plan: shapes and pairs without a file. */
#ifndef NCC_TESTS_PLAN_CASES_H
#define NCC_TESTS_PLAN_CASES_H

#include <string.h>

#include "check.h"
#include "plan/schedule.h"

/** xorshift64*: the same everywhere. */
static inline uint64_t random_u64(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 2685821657736338717u;
}

static inline int64_t random_below(uint64_t *state, int64_t n) {
  return (int64_t)(random_u64(state) % (uint64_t)n);
}

/** A catalog of stacks, with room for n pairs. */
static inline ncc_catalog make_catalog(int64_t images, int64_t templates, int64_t n_pairs) {
  ncc_catalog catalog = {.n_pairs = n_pairs};
  catalog.images.count = images;
  catalog.images.stack = (ncc_object){.rows = 681, .cols = 782, .stored = NCC_U8, .box_image = -1};
  catalog.templates.count = templates;
  catalog.templates.stack = (ncc_object){.rows = 340, .cols = 391, .stored = NCC_U8, .box_image = -1};
  catalog.pairs = malloc((size_t)(n_pairs + 1) * sizeof *catalog.pairs);
  CHECK(catalog.pairs, "out of memory");
  return catalog;
}

/** Gives every template its own shape. */
static inline void mix_templates(ncc_catalog *catalog, uint64_t *state) {
  ncc_objects *templates = &catalog->templates;
  const int64_t n = templates->count;
  templates->count = 0;
  CHECK(ncc_objects_reserve(templates, n) == NCC_OK, "out of memory");
  for (int64_t i = 0; i < n; i++) {
    ncc_object tmpl = templates->stack;
    tmpl.id = i;
    tmpl.rows = 8 + 16 * random_below(state, 4);
    CHECK(ncc_objects_add(templates, &tmpl) == NCC_OK, "out of memory");
  }
}

/** The catalog's pairs, each of which fits. */
static inline ncc_work make_work(const ncc_catalog *catalog) {
  const ncc_search search = {0};
  ncc_work work;
  CHECK(ncc_work_create(catalog, &search, false, &work) == NCC_OK, "%s", ncc_error_message());
  return work;
}

static inline void clear_catalog(ncc_catalog *catalog) {
  ncc_catalog_clear(catalog);
}

#endif
