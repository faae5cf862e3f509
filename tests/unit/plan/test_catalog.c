/** Ids are found in stacks and in groups with gaps; 10^7 pairs are checked in seconds; bad pairs are named or marked.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "plan/work.h"

/** Every id between 0 and beyond the last is found exactly where it is. */
static void check_find(const ncc_objects *objects, int64_t beyond) {
  int64_t next = 0;
  for (int64_t id = 0; id < beyond; id++) {
    bool there = next < objects->count && ncc_objects_get(objects, next).id == id;
    int64_t found = ncc_objects_find(objects, id);
    CHECK(found == (there ? next : -1), "id %lld found at %lld", (long long)id, (long long)found);
    next += there;
  }
  CHECK(next == objects->count, "%lld objects met", (long long)next);
  CHECK(ncc_objects_find(objects, -1) == -1 && ncc_objects_find(objects, INT64_MIN) == -1 &&
            ncc_objects_find(objects, INT64_MAX) == -1,
        "ids far outside");
}

static void check_finding(void) {
  ncc_objects stack = {.count = 100, .stack = {.rows = 5, .cols = 6, .stored = NCC_I16}};
  check_find(&stack, 200);
  ncc_object last = ncc_objects_get(&stack, 99);
  CHECK(last.id == 99 && last.rows == 5 && last.cols == 6 && last.dtype == NCC_I16 && last.box_image == -1, "plane");
  ncc_objects none = {0};
  check_find(&none, 5);
  srand(1);
  for (int trial = 0; trial < 200; trial++) {
    ncc_objects group = {0};
    CHECK(ncc_objects_reserve(&group, 40) == NCC_OK, "memory");
    for (int64_t id = trial % 3 ? rand() % 5 : 0; group.count < 1 + trial % 40;
         id += 1 + (trial % 2 && rand() % 3 == 0 ? rand() % 50 : 0))
      CHECK(ncc_objects_add(&group, &(ncc_object){.id = id, .rows = 5}) == NCC_OK, "memory");
    check_find(&group, 2500);
    ncc_objects_clear(&group);
  }
}

static void check_many(void) {
  const int64_t n = 10000000;
  ncc_catalog catalog = {.path = strdup("many.h5"),
                         .images = {.count = 5000, .stack = {.rows = 100, .cols = 100}},
                         .templates = {0},
                         .n_pairs = n,
                         .pairs = malloc((size_t)n * sizeof *catalog.pairs)};
  ncc_work work;
  const ncc_search search = {.crop_y = 3, .crop_x = 4, .min_overlap = 0.5};
  CHECK(catalog.path && ncc_objects_reserve(&catalog.templates, 100000) == NCC_OK && catalog.pairs, "memory");
  for (int64_t i = 0; i < 100000; i++) {
    const ncc_object tmpl = {.id = 3 * i, .rows = 10 + i % 9, .cols = 20, .box_image = -1};
    CHECK(ncc_objects_add(&catalog.templates, &tmpl) == NCC_OK, "memory");
  }
  for (int64_t i = 0; i < n; i++) {
    catalog.pairs[i][0] = i * 7919 % 5000;
    catalog.pairs[i][1] = i * 104729 % 100000 * 3;
  }
  struct timespec start, end;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  CHECK(ncc_work_create(&catalog, &search, false, &work) == NCC_OK, "%s", ncc_error_message());
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
  printf("10^7 pairs: %.2f s\n", seconds);
  CHECK(seconds < 20, "%.1f s for 10^7 pairs", seconds);  // under a second where nothing slows it down
  const ncc_work_row *row = &work.rows[12345];
  CHECK(work.n_bad == 0 && row->image == catalog.pairs[12345][0] && row->tmpl == catalog.pairs[12345][1] / 3 &&
            work.n_kinds == 9 &&
            work.kinds[row->kind].geometry.template_rows == catalog.templates.items[row->tmpl].rows,
        "rows");
  ncc_work_clear(&work);
  ncc_catalog_clear(&catalog);
}

static void check_bad(void) {
  int64_t pairs[6][2] = {{0, 0}, {-1, 1}, {0, 7}, {1, 1}, {0, -2}, {1, -1}};
  ncc_item images[2] = {{.rows = 9, .cols = 9}, {.rows = 3, .cols = 9}};
  ncc_catalog catalog = {.path = (char *)"bad.h5",
                         .images = {.count = 2, .items = images},
                         .templates = {.count = 2, .stack = {.rows = 4, .cols = 4}},
                         .n_pairs = 6,
                         .pairs = pairs};
  const ncc_work_row expected[6] = {{0, 0, 0},
                                    {-1, -1, NCC_WORK_NONE},
                                    {-1, -1, NCC_WORK_BAD},
                                    {-1, -1, NCC_WORK_BAD},
                                    {-1, -1, NCC_WORK_BAD},
                                    {-1, -1, NCC_WORK_NONE}};
  const ncc_search search = {0};
  ncc_work work;
  CHECK(ncc_work_create(&catalog, &search, true, &work) == NCC_OK, "%s", ncc_error_message());
  CHECK(work.n_bad == 3 && work.n_none == 2 && memcmp(work.rows, expected, sizeof expected) == 0, "%lld bad",
        (long long)work.n_bad);
  ncc_work_clear(&work);
  CHECK(ncc_work_create(&catalog, &search, false, &work) == NCC_ERR_INPUT && !work.rows, "row 2");
  CHECK(strstr(ncc_error_message(), "bad.h5: /pairs row 2: template id 7 found, expected 0 to 1"), "%s",
        ncc_error_message());
  pairs[2][1] = 0;
  CHECK(ncc_work_create(&catalog, &search, false, &work) == NCC_ERR_INPUT, "row 3");
  CHECK(strstr(ncc_error_message(), "bad.h5: /pairs row 3 (image id 1, template id 1): "), "%s", ncc_error_message());
}

int main(void) {
  check_finding();
  check_bad();
  check_many();
  return 0;
}
