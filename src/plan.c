#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* A share is 1 / SHARE_DIVISOR of a rank's part of what is left. A rank holds two shares (one ahead): with 8 a rank
 * three times slower than the others still finishes with them. */
#define SHARE_DIVISOR 8.0
#define SHARE_MIN_S 0.005     /* seconds of a rank's work: below this, messages cost more than balance gains */
#define SHARE_MIN_RANK_S 1e-4 /* and so much for each rank, so that rank 0 is asked at most 10,000 times a second */
#define SHARE_MAX_S 1.0       /* results reach the output, and a stop is heard, at least this often */

/* Measured on one core of a 2-core AVX-512 machine: 5.8 ms a pair and 5.3 ms an image for 681x782 with 340x391, 78 ms
 * and 120 ms for 3600x3600 with 442x442 and crop 221. */
#define PAIR_S_PER_NLOGN 2.35e-10
#define IMAGE_S_PER_NLOGN 3.0e-10
#define PAIR_S_MIN 2e-5
#define IMAGE_S_MIN 2e-5

/** Consecutive entries of the order with one image. Mixed shapes share their mean cost: only the schedule sees it. */
typedef struct group {
  int64_t next, end; /* of the order; what is left to hand out */
  int64_t max_count; /* pairs that a chunk may have, by bytes */
  float image_s, pair_s;
} group;

/** An entry of the heap. What a group has left only shrinks, so `left_s` is a bound, made exact at the top. */
typedef struct shared_group {
  double left_s;
  int64_t index;
} shared_group;

struct ncc_plan {
  ncc_plan_options options;
  int64_t *order; /* [pairs] rows of /pairs */
  int64_t pairs;
  group *groups; /* [n_groups], in the order in which they are started */
  int64_t n_groups;
  int64_t cursor;       /* groups before it have been started */
  int64_t *current;     /* [ranks] the group of the rank's last chunk, or -1 */
  shared_group *shared; /* max-heap: groups that ranks without one may join; made once all are started */
  int64_t n_shared;     /* -1: not made yet */
  ncc_chunk *returned;
  int64_t n_returned, returned_capacity;
  int64_t next_id;
  double total_s, left_s;
  double scale; /* real seconds per predicted second, observed */
};

static int64_t min_i64(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static int64_t max_i64(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* ---- cost ------------------------------------------------------------------------------------------------------- */

void ncc_cost_predict(const ncc_search *search, const ncc_object *image, const ncc_object *tmpl, double *image_s,
                      double *pair_s) {
  int64_t crop_y = search->crop_half ? tmpl->rows / 2 : search->crop_y;
  int64_t crop_x = search->crop_half ? tmpl->cols / 2 : search->crop_x;
  double rows = (double)(image->rows + tmpl->rows - 1 - min_i64(crop_y, tmpl->rows - 1));
  double cols = (double)(image->cols + tmpl->cols - 1 - min_i64(crop_x, tmpl->cols - 1));
  double n_log_n = rows * cols * log2(rows * cols + 1);
  *image_s = IMAGE_S_MIN + IMAGE_S_PER_NLOGN * n_log_n;
  *pair_s = PAIR_S_MIN + PAIR_S_PER_NLOGN * n_log_n;
}

/** Remembers the last shapes: nearly all pairs of an input are alike. */
typedef struct cost_cache {
  int64_t image_rows, image_cols, template_rows, template_cols;
  double image_s, pair_s;
} cost_cache;

static void predict(cost_cache *cache, const ncc_search *search, const ncc_object *image, const ncc_object *tmpl) {
  if (cache->image_rows == image->rows && cache->image_cols == image->cols && cache->template_rows == tmpl->rows &&
      cache->template_cols == tmpl->cols)
    return;
  ncc_cost_predict(search, image, tmpl, &cache->image_s, &cache->pair_s);
  cache->image_rows = image->rows;
  cache->image_cols = image->cols;
  cache->template_rows = tmpl->rows;
  cache->template_cols = tmpl->cols;
}

/* ---- building --------------------------------------------------------------------------------------------------- */

static bool has_work(const int64_t (*indices)[2], const uint8_t *done, int64_t row) {
  return indices[row][0] >= 0 && indices[row][1] >= 0 && !(done && done[row]);
}

/** Fills the order: all rows with work, sorted by image (stable counting sort) or as they come. */
static ncc_status make_order(ncc_plan *plan, const ncc_catalog *catalog, const int64_t (*indices)[2],
                             const uint8_t *done) {
  ncc_status status = NCC_OK;
  int64_t *starts = NULL;
  int64_t pairs = 0;
  for (int64_t row = 0; row < catalog->n_pairs; row++) pairs += has_work(indices, done, row);
  plan->pairs = pairs;
  plan->order = malloc((size_t)max_i64(pairs, 1) * sizeof *plan->order);
  NCC_CHECK(plan->order, NCC_ERR_NOMEM, "out of memory for the plan of %lld pairs", (long long)pairs);
  if (!plan->options.group) {
    int64_t at = 0;
    for (int64_t row = 0; row < catalog->n_pairs; row++)
      if (has_work(indices, done, row)) plan->order[at++] = row;
    goto cleanup;
  }
  starts = calloc((size_t)catalog->images.count + 1, sizeof *starts);
  NCC_CHECK(starts, NCC_ERR_NOMEM, "out of memory for the plan of %lld images", (long long)catalog->images.count);
  for (int64_t row = 0; row < catalog->n_pairs; row++)
    if (has_work(indices, done, row)) starts[indices[row][0] + 1]++;
  for (int64_t i = 0; i < catalog->images.count; i++) starts[i + 1] += starts[i];
  for (int64_t row = 0; row < catalog->n_pairs; row++)
    if (has_work(indices, done, row)) plan->order[starts[indices[row][0]]++] = row;
cleanup:
  free(starts);
  return status;
}

typedef struct shape_order {
  const ncc_objects *templates;
  const int64_t (*indices)[2];
} shape_order;

static int compare_shapes(const void *left, const void *right, void *context) {
  const shape_order *by = context;
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  ncc_object ta = ncc_objects_get(by->templates, by->indices[a][1]);
  ncc_object tb = ncc_objects_get(by->templates, by->indices[b][1]);
  if (ta.rows != tb.rows) return ta.rows < tb.rows ? -1 : 1;
  if (ta.cols != tb.cols) return ta.cols < tb.cols ? -1 : 1;
  return (a > b) - (a < b);
}

/** Cost and limits of the pairs [first, end) of the order, which have one image; like shapes are brought together. */
static group make_group(ncc_plan *plan, const ncc_catalog *catalog, const ncc_search *search,
                        const int64_t (*indices)[2], cost_cache *cache, int64_t first, int64_t end) {
  group g = {.next = first, .end = end, .max_count = plan->options.max_pairs > 0 ? plan->options.max_pairs : INT64_MAX};
  ncc_object image = ncc_objects_get(&catalog->images, indices[plan->order[first]][0]);
  double image_s = 0, pairs_s = 0;
  int64_t template_bytes = 1, rows = -1, cols = -1;
  bool mixed = false;
  for (int64_t i = first; i < end; i++) {
    ncc_object tmpl = ncc_objects_get(&catalog->templates, indices[plan->order[i]][1]);
    predict(cache, search, &image, &tmpl);
    image_s = fmax(image_s, cache->image_s);
    pairs_s += cache->pair_s;
    template_bytes = max_i64(template_bytes, tmpl.rows * tmpl.cols * (int64_t)ncc_dtype_size(tmpl.dtype));
    mixed = mixed || (i > first && (tmpl.rows != rows || tmpl.cols != cols));
    rows = tmpl.rows;
    cols = tmpl.cols;
  }
  g.image_s = (float)image_s;
  g.pair_s = (float)(pairs_s / (double)(end - first));
  if (mixed && plan->options.group) {
    shape_order by = {&catalog->templates, indices};
    qsort_r(plan->order + first, (size_t)(end - first), sizeof *plan->order, compare_shapes, &by);
  }
  if (plan->options.max_bytes > 0) {
    int64_t image_bytes = image.rows * image.cols * (int64_t)ncc_dtype_size(image.dtype);
    g.max_count = min_i64(g.max_count, max_i64(1, (plan->options.max_bytes - image_bytes) / template_bytes));
  }
  return g;
}

static double group_left_s(const group *g) {
  return (double)(g->end - g->next) * g->pair_s;
}

static int compare_groups(const void *left, const void *right) {
  const group *a = left, *b = right;
  double cost_a = group_left_s(a) + a->image_s, cost_b = group_left_s(b) + b->image_s;
  if (cost_a != cost_b) return cost_a > cost_b ? -1 : 1;
  return (a->next > b->next) - (a->next < b->next); /* equal costs stay in order of the file */
}

static ncc_status make_groups(ncc_plan *plan, const ncc_catalog *catalog, const ncc_search *search,
                              const int64_t (*indices)[2]) {
  ncc_status status = NCC_OK;
  cost_cache cache = {.image_rows = -1};
  int64_t n = 0;
  bool sorted = true;
  for (int64_t i = 0; i < plan->pairs; i++) n += i == 0 || indices[plan->order[i]][0] != indices[plan->order[i - 1]][0];
  plan->groups = malloc((size_t)max_i64(n, 1) * sizeof *plan->groups);
  NCC_CHECK(plan->groups, NCC_ERR_NOMEM, "out of memory for the plan of %lld groups", (long long)n);
  for (int64_t first = 0, end; first < plan->pairs; first = end) {
    int64_t image = indices[plan->order[first]][0];
    for (end = first + 1; end < plan->pairs && indices[plan->order[end]][0] == image;) end++;
    group *g = &plan->groups[plan->n_groups];
    *g = make_group(plan, catalog, search, indices, &cache, first, end);
    sorted = sorted && (plan->n_groups == 0 || compare_groups(g - 1, g) <= 0);
    plan->total_s += group_left_s(g) + g->image_s;
    plan->n_groups++;
  }
  if (plan->options.group && !sorted) qsort(plan->groups, (size_t)plan->n_groups, sizeof *plan->groups, compare_groups);
  plan->left_s = plan->total_s;
cleanup:
  return status;
}

ncc_status ncc_plan_create(const ncc_catalog *catalog, const ncc_search *search, const int64_t (*indices)[2],
                           const uint8_t *done, const ncc_plan_options *options, ncc_plan **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_plan *plan = calloc(1, sizeof *plan);
  NCC_CHECK(plan, NCC_ERR_NOMEM, "out of memory for the plan");
  plan->options = *options;
  plan->n_shared = -1;
  plan->scale = 1;
  plan->current = malloc((size_t)options->ranks * sizeof *plan->current);
  plan->shared = malloc((size_t)options->ranks * sizeof *plan->shared);
  NCC_CHECK(plan->current && plan->shared, NCC_ERR_NOMEM, "out of memory for the plan of %d ranks", options->ranks);
  for (int rank = 0; rank < options->ranks; rank++) plan->current[rank] = -1;
  NCC_TRY(make_order(plan, catalog, indices, done));
  NCC_TRY(make_groups(plan, catalog, search, indices));
  *out = plan;
  plan = NULL;
cleanup:
  ncc_plan_destroy(&plan);
  return status;
}

void ncc_plan_destroy(ncc_plan **plan) {
  if (!plan || !*plan) return;
  free((*plan)->order);
  free((*plan)->groups);
  free((*plan)->current);
  free((*plan)->shared);
  free((*plan)->returned);
  free(*plan);
  *plan = NULL;
}

int64_t ncc_plan_pairs(const ncc_plan *plan) {
  return plan->pairs;
}
int64_t ncc_plan_groups(const ncc_plan *plan) {
  return plan->n_groups;
}
double ncc_plan_cost(const ncc_plan *plan) {
  return plan->total_s;
}
int64_t ncc_plan_row(const ncc_plan *plan, int64_t position) {
  return plan->order[position];
}

/* ---- handing out ------------------------------------------------------------------------------------------------ */

double ncc_plan_share(const ncc_plan *plan) {
  double unit = plan->options.threads / plan->scale; /* predicted seconds in a second of a rank */
  double least = unit * fmax(SHARE_MIN_S, SHARE_MIN_RANK_S * plan->options.ranks);
  double most = fmax(unit * SHARE_MAX_S, least);
  double share = plan->left_s / (SHARE_DIVISOR * plan->options.ranks);
  return fmin(fmax(share, least), most);
}

static void sift_down(shared_group *heap, int64_t n, int64_t slot) {
  for (;;) {
    int64_t largest = slot;
    for (int64_t child = 2 * slot + 1; child <= 2 * slot + 2 && child < n; child++)
      if (heap[child].left_s > heap[largest].left_s) largest = child;
    if (largest == slot) return;
    shared_group moved = heap[slot];
    heap[slot] = heap[largest];
    heap[largest] = moved;
    slot = largest;
  }
}

/** The started group with most left, or -1 if joining none would pay. */
static int64_t richest_group(ncc_plan *plan) {
  shared_group *heap = plan->shared;
  if (plan->n_shared < 0) { /* all groups are started; each unfinished one is some rank's current one */
    plan->n_shared = 0;
    for (int rank = 0; rank < plan->options.ranks; rank++) {
      int64_t index = plan->current[rank];
      if (index >= 0) heap[plan->n_shared++] = (shared_group){group_left_s(&plan->groups[index]), index};
    }
    for (int64_t slot = plan->n_shared / 2; slot >= 0; slot--) sift_down(heap, plan->n_shared, slot);
  }
  while (plan->n_shared > 0) {
    const group *g = &plan->groups[heap->index];
    double left_s = group_left_s(g);
    if (left_s > 0 && left_s >= heap->left_s) return left_s > g->image_s ? heap->index : -1;
    heap->left_s = left_s;
    if (left_s <= 0) heap[0] = heap[--plan->n_shared];
    sift_down(heap, plan->n_shared, 0);
  }
  return -1;
}

static bool exhausted(const ncc_plan *plan, int64_t g) {
  return g < 0 || plan->groups[g].next >= plan->groups[g].end;
}

bool ncc_plan_next(ncc_plan *plan, int rank, double limit_s, ncc_chunk *chunk) {
  if (plan->n_returned > 0) {
    *chunk = plan->returned[--plan->n_returned];
    chunk->id = plan->next_id++;
    plan->left_s -= chunk->cost;
    return true;
  }
  int64_t index = plan->current[rank];
  bool prepare = exhausted(plan, index), started = false;
  if (prepare) {
    started = plan->cursor < plan->n_groups;
    index = started ? plan->cursor++ : richest_group(plan);
    if (index < 0) return false;
    plan->current[rank] = index;
  }
  group *g = &plan->groups[index];
  int64_t left = g->end - g->next;
  double budget_s = prepare ? fmax(limit_s - g->image_s, g->image_s) : limit_s; /* half of it at least is not setup */
  int64_t count = budget_s >= (double)left * g->pair_s ? left : max_i64(1, (int64_t)(budget_s / g->pair_s));
  if (left - count < count / 4) count = left; /* no crumbs */
  count = min_i64(count, g->max_count);
  *chunk = (ncc_chunk){.id = plan->next_id++, .first = g->next, .count = count};
  chunk->cost = (double)count * g->pair_s + (prepare ? g->image_s : 0);
  plan->left_s -= (double)count * g->pair_s + (started ? g->image_s : 0);
  g->next += count;
  return true;
}

ncc_status ncc_plan_return(ncc_plan *plan, const ncc_chunk *chunk) {
  if (plan->n_returned == plan->returned_capacity) {
    int64_t capacity = max_i64(16, 2 * plan->returned_capacity);
    ncc_chunk *grown = realloc(plan->returned, (size_t)capacity * sizeof *grown);
    if (!grown) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld returned chunks", (long long)capacity);
    plan->returned = grown;
    plan->returned_capacity = capacity;
  }
  plan->returned[plan->n_returned++] = *chunk;
  plan->left_s += chunk->cost;
  return NCC_OK;
}

void ncc_plan_observe(ncc_plan *plan, double predicted_s, double elapsed_s, int threads) {
  if (predicted_s <= 0 || elapsed_s <= 0) return;
  double ratio = elapsed_s * threads / predicted_s;
  plan->scale = fmin(fmax(0.8 * plan->scale + 0.2 * ratio, 1e-3), 1e3);
}
