/** Fuzz target: the validation of what was read. The tables of an input (objects with ids, shapes and boxes, pairs,
 *  search windows) are made of the fuzzer's bytes, resolved, and scheduled. What is let through is inside every array;
 * what is refused comes with a message; and the schedule hands out every pair exactly once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "match/geometry.h"
#include "plan/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_OBJECTS = 12, MOST_PAIRS = 24 };

typedef struct bytes {
  const uint8_t *data;
  size_t left;
} bytes;

static uint8_t take(bytes *b) {
  if (b->left == 0) return 0;
  b->left--;
  return *b->data++;
}

/** A number that is mostly small, and now and then one where something overflows. */
static int64_t take_number(bytes *b, int64_t small) {
  static const int64_t odd[] = {-1,         -2,        0,         1,         INT64_MAX, INT64_MIN, INT32_MAX,
                                -INT32_MAX, 1LL << 29, 1LL << 31, 1LL << 40, 1LL << 62, 1 << 20,   (1LL << 29) + 1};
  const uint8_t first = take(b);
  if (first < 230) return first % small;
  if (first < 250) return odd[(first + take(b)) % (sizeof odd / sizeof odd[0])];
  uint64_t all = 0;
  for (int i = 0; i < 8; i++) all = all << 8 | take(b);
  return (int64_t)all;
}

/** As io/ makes them: ids that increase, sides between 1 and 2^29. */
static void make_objects(bytes *b, ncc_objects *objects) {
  int64_t id = 0;
  const int64_t count = take(b) % (MOST_OBJECTS + 1);
  const bool stack = take(b) % 3 == 0;
  if (stack)
    objects->count = count;
  else if (ncc_objects_reserve(objects, count) != NCC_OK)
    abort();
  for (int64_t i = 0; i < (stack ? 1 : count); i++) {
    ncc_object object = {.id = id, .box_image = -1, .stored = (ncc_dtype)(take(b) % 9)};
    int64_t *sides[] = {&object.rows, &object.cols};
    for (int k = 0; k < 2; k++) {
      const int64_t side = take_number(b, 60);
      *sides[k] = side < 1 ? 1 : side > 1 << 29 ? 1 << 29 : side;
    }
    id += 1 + (take(b) % 4 == 0 ? take(b) : 0);
    if (stack)
      objects->stack = object;
    else if (ncc_objects_add(objects, &object) != NCC_OK)
      abort();
  }
}

static void check_work(const ncc_work *work, const ncc_search *search, bool skip) {
  const ncc_catalog *catalog = work->catalog;
  for (int64_t row = 0; row < catalog->n_pairs; row++) {
    const int64_t image = work->rows[row].image, tmpl = work->rows[row].tmpl;
    if (work->rows[row].kind < 0) {
      if (image != -1 || tmpl != -1) abort();
      if (!skip && catalog->pairs[row][0] != -1 && catalog->pairs[row][1] != -1) abort(); /* lost */
      continue;
    }
    if (image < 0 || image >= catalog->images.count || tmpl < 0 || tmpl >= catalog->templates.count) abort();
    const ncc_object a = ncc_objects_get(&catalog->images, image), b = ncc_objects_get(&catalog->templates, tmpl);
    if (a.id != catalog->pairs[row][0] || b.id != catalog->pairs[row][1]) abort();
    if (b.rows > a.rows || b.cols > a.cols) abort();
    ncc_geometry g;
    if (ncc_geometry_create(search, catalog->windows ? &catalog->windows[row] : NULL, a.rows, a.cols, b.rows, b.cols,
                            &g) != NCC_OK)
      abort();
    const ncc_rect *r = &g.search;
    const ncc_work_kind *k = &work->kinds[work->rows[row].kind];
    if (k->geometry.image_rows != a.rows || k->geometry.template_cols != b.cols || k->image_dtype != a.dtype) abort();
    if (!k->windows_vary && memcmp(r, &k->geometry.search, sizeof *r) != 0) abort();
    if (r->y0 < 0 || r->x0 < 0 || r->y1 <= r->y0 || r->x1 <= r->x0) abort();
    if (r->y1 > a.rows + b.rows - 1 || r->x1 > a.cols + b.cols - 1) abort();
  }
}

static void check_schedule(const ncc_work *work, const ncc_schedule_options *options) {
  const int64_t n = work->catalog->n_pairs;
  uint8_t done[MOST_PAIRS] = {0}, seen[MOST_PAIRS] = {0};
  ncc_schedule *schedule = NULL;
  int64_t pairs = 0;
  if (ncc_schedule_create(work, done, options, &schedule) != NCC_OK) return;
  for (bool any = true; any;) {
    any = false;
    for (int rank = 0; rank < options->ranks; rank++) {
      ncc_chunk chunk;
      if (!ncc_schedule_next(schedule, rank, ncc_schedule_share(schedule), &chunk)) continue;
      any = true;
      for (int64_t i = 0; i < chunk.count; i++) {
        const int64_t row = ncc_schedule_row(schedule, chunk.first + i);
        if (row < 0 || row >= n || seen[row]++) abort();
        pairs++;
      }
    }
  }
  if (pairs != ncc_schedule_pairs(schedule)) abort();
  for (int64_t row = 0; row < n; row++)
    if (seen[row] != (work->rows[row].kind >= 0)) abort();
  ncc_schedule_destroy(&schedule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  ncc_catalog catalog = {.path = (char *)"fuzz.h5"};
  int64_t pairs[MOST_PAIRS][2];
  ncc_work work;
  ncc_rect windows[MOST_PAIRS];
  const bool skip = take(&b) % 2;
  ncc_search search = {.min_overlap = (take(&b) % 5) / 4.0};
  if (take(&b) % 2) search.crop_y = take_number(&b, 20), search.crop_x = take_number(&b, 20);
  if (search.crop_y < 0 || search.crop_x < 0) search.crop_half = true, search.crop_y = search.crop_x = 0;
  make_objects(&b, &catalog.images);
  make_objects(&b, &catalog.templates);
  catalog.n_pairs = take(&b) % (MOST_PAIRS + 1);
  catalog.pairs = pairs;
  if (take(&b) % 2) catalog.windows = windows;
  for (int64_t row = 0; row < catalog.n_pairs; row++) {
    for (int i = 0; i < 2; i++) pairs[row][i] = take_number(&b, MOST_OBJECTS);
    if (catalog.windows)
      windows[row] = (ncc_rect){take_number(&b, 60), take_number(&b, 60), take_number(&b, 120), take_number(&b, 120)};
  }
  ncc_error_set(NCC_OK, "%s", "");
  const ncc_status status = ncc_work_create(&catalog, &search, skip, &work);
  if (status == NCC_OK) {
    const ncc_schedule_options options = {.ranks = 1 + take(&b) % 4,
                                          .threads = 1,
                                          .group = take(&b) % 2,
                                          .max_bytes = 1 << 20,
                                          .max_pairs = 1 + take(&b)};
    check_work(&work, &search, skip);
    check_schedule(&work, &options);
  } else if (!ncc_error_message()[0] || work.rows) {
    abort();
  }
  ncc_work_clear(&work);
  ncc_objects_clear(&catalog.images);
  ncc_objects_clear(&catalog.templates);
  return 0;
}
