#include "plan/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/error.h"
#include "plan/cost.h"

/* A share is 1 / SHARE_DIVISOR of a rank's part of what is left. A rank holds two shares (one ahead): with 8 a rank
 * three times slower than the others still finishes with them. */
#define SHARE_DIVISOR 8.0
#define SHARE_MIN_S 0.005 /* seconds of a rank's work: below this, messages cost more than balance gains */
#define SHARE_MIN_RANK_S \
  4e-5                  /* and so much for each rank: rank 0 is asked at most 25,000 times a second, as it can be */
#define SHARE_MAX_S 1.0 /* results reach the output, and a stop is heard, at least this often */

/* A class's first observation counts in full, later ones less and less, but never less than this. */
#define LEARN_LEAST 0.2

/** Pairs of one geometry, or those of one image where these are mixed: their mean cost, which only the schedule sees.
 */
typedef struct kind {
  double image_s, pair_s;          /* by the model */
  double image_scale, pair_scale;  /* real seconds for one of the model's, observed */
  int64_t seen;                    /* observations; 0: the plan's own scale serves */
  int64_t image_bytes, pair_bytes; /* pixels */
  int64_t max_count;               /* pairs that a chunk may have */
} kind;

/** Consecutive entries of the order with one image. */
typedef struct group {
  int64_t next, end; /* of the order; what is left to hand out */
  int32_t kind;
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
  kind *kinds; /* [n_kinds] */
  int64_t n_kinds, kind_capacity;
  int64_t cursor;       /* groups before it have been started */
  int64_t *current;     /* [ranks] the group of the rank's last chunk, or -1 */
  shared_group *shared; /* max-heap: groups that ranks without one may join; made once all are started */
  int64_t n_shared;     /* -1: not made yet */
  ncc_chunk *returned;
  int64_t n_returned, returned_capacity;
  int64_t next_id;
  double total_s, left_s; /* by the model */
  double scale;           /* real seconds per predicted second, observed over all kinds */
  int64_t seen;
};

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
  plan->order = malloc((size_t)ncc_max(pairs, 1) * sizeof *plan->order);
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

/* ---- geometries ------------------------------------------------------------------------------------------------- */

/** What a pair's cost follows from. Where a window lies matters less than how large it is. */
typedef struct shape {
  int64_t image_rows, image_cols, template_rows, template_cols, window_rows, window_cols;
} shape;

/** Costs and kinds by hash; a collision only costs time. */
enum { CACHE_SIZE = 4096 };
typedef struct cached {
  shape shape;
  ncc_cost cost;
  int32_t kind; /* -1: none yet */
} cached;

/** What the groups are made from. */
typedef struct source {
  const ncc_catalog *catalog;
  const ncc_search *search;
  const int64_t (*indices)[2];
  cached *cache; /* [CACHE_SIZE] */
} source;

static ncc_object image_of(const source *s, int64_t row) {
  return ncc_objects_get(&s->catalog->images, s->indices[row][0]);
}
static ncc_object template_of(const source *s, int64_t row) {
  return ncc_objects_get(&s->catalog->templates, s->indices[row][1]);
}

static int64_t object_bytes(const ncc_object *object) {
  return object->rows * object->cols * (int64_t)ncc_dtype_size(object->dtype);
}

/** The entry of a row's geometry. */
static cached *look_up(const source *s, int64_t row) {
  const ncc_object image = image_of(s, row), tmpl = template_of(s, row);
  const ncc_rect *window = s->catalog->windows ? &s->catalog->windows[row] : NULL;
  const shape key = {.image_rows = image.rows,
                     .image_cols = image.cols,
                     .template_rows = tmpl.rows,
                     .template_cols = tmpl.cols,
                     .window_rows = window ? window->y1 - window->y0 : -1,
                     .window_cols = window ? window->x1 - window->x0 : -1};
  const int64_t parts[] = {key.image_rows,    key.image_cols,  key.template_rows,
                           key.template_cols, key.window_rows, key.window_cols};
  uint64_t hash = 0;
  for (int i = 0; i < 6; i++) hash = (hash + (uint64_t)parts[i]) * 0x9E3779B97F4A7C15u;
  cached *entry = &s->cache[hash >> 52];
  if (memcmp(&entry->shape, &key, sizeof key) == 0) return entry;
  entry->shape = key;
  entry->kind = -1;
  if (ncc_cost_predict(s->search, window, image.rows, image.cols, tmpl.rows, tmpl.cols, &entry->cost) != NCC_OK)
    entry->cost = (ncc_cost){1e-6, 1e-6}; /* its answer is `invalid`, at once */
  return entry;
}

static ncc_status add_kind(ncc_plan *plan, const ncc_cost *cost, int64_t image_bytes, int64_t pair_bytes,
                           int32_t *index) {
  ncc_status status = NCC_OK;
  if (plan->n_kinds == plan->kind_capacity) {
    int64_t capacity = ncc_max(16, 2 * plan->kind_capacity);
    kind *grown = realloc(plan->kinds, (size_t)capacity * sizeof *grown);
    NCC_CHECK(grown, NCC_ERR_NOMEM, "out of memory for the plan of %lld geometries", (long long)capacity);
    plan->kinds = grown;
    plan->kind_capacity = capacity;
  }
  kind k = {.image_s = cost->image_s, .pair_s = cost->pair_s, .image_bytes = image_bytes, .pair_bytes = pair_bytes};
  k.max_count = plan->options.max_pairs > 0 ? plan->options.max_pairs : INT64_MAX;
  if (plan->options.max_bytes > 0)
    k.max_count = ncc_min(k.max_count, ncc_max(1, (plan->options.max_bytes - image_bytes) / ncc_max(1, pair_bytes)));
  *index = (int32_t)plan->n_kinds;
  plan->kinds[plan->n_kinds++] = k;
cleanup:
  return status;
}

/** Within an image: like templates, and of these like windows, are brought together, for they share its transforms. */
static int compare_rows(const void *left, const void *right, void *context) {
  const source *s = context;
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  const ncc_object ta = template_of(s, a), tb = template_of(s, b);
  if (ta.rows != tb.rows) return ta.rows < tb.rows ? -1 : 1;
  if (ta.cols != tb.cols) return ta.cols < tb.cols ? -1 : 1;
  if (s->catalog->windows) {
    const ncc_rect u = s->catalog->windows[a], v = s->catalog->windows[b];
    if (u.y0 != v.y0) return u.y0 < v.y0 ? -1 : 1;
    if (u.x0 != v.x0) return u.x0 < v.x0 ? -1 : 1;
    if (u.y1 != v.y1) return u.y1 < v.y1 ? -1 : 1;
    if (u.x1 != v.x1) return u.x1 < v.x1 ? -1 : 1;
  }
  return (a > b) - (a < b);
}

/** Rows of one image share what is prepared from it. */
static bool same_geometry(const source *s, int64_t a, int64_t b) {
  const ncc_object ta = template_of(s, a), tb = template_of(s, b);
  return ta.rows == tb.rows && ta.cols == tb.cols &&
         (!s->catalog->windows || memcmp(&s->catalog->windows[a], &s->catalog->windows[b], sizeof(ncc_rect)) == 0);
}

/** The pairs [first, end) of the order, which have one image. */
static ncc_status make_group(ncc_plan *plan, const source *s, int64_t first, int64_t end, group *out) {
  ncc_status status = NCC_OK;
  int64_t *order = plan->order, pair_bytes = 0;
  bool mixed = false;
  *out = (group){.next = first, .end = end};
  for (int64_t i = first; i < end; i++) {
    const ncc_object tmpl = template_of(s, order[i]);
    pair_bytes = ncc_max(pair_bytes, object_bytes(&tmpl));
    mixed = mixed || !same_geometry(s, order[first], order[i]);
  }
  const ncc_object image = image_of(s, order[first]);
  if (!mixed) {
    cached *entry = look_up(s, order[first]);
    if (entry->kind < 0 || plan->kinds[entry->kind].image_bytes != object_bytes(&image) ||
        plan->kinds[entry->kind].pair_bytes != pair_bytes)
      NCC_TRY(add_kind(plan, &entry->cost, object_bytes(&image), pair_bytes, &entry->kind));
    out->kind = entry->kind;
    goto cleanup;
  }
  if (plan->options.group) qsort_r(order + first, (size_t)(end - first), sizeof *order, compare_rows, (void *)s);
  ncc_cost mean = {0}; /* every further geometry prepares the image once more: that is the pairs' cost */
  for (int64_t i = first; i < end; i++) {
    const ncc_cost cost = look_up(s, order[i])->cost;
    if (i == first)
      mean.image_s = cost.image_s;
    else if (!same_geometry(s, order[i - 1], order[i]))
      mean.pair_s += cost.image_s / (double)(end - first);
    mean.pair_s += cost.pair_s / (double)(end - first);
  }
  NCC_TRY(add_kind(plan, &mean, object_bytes(&image), pair_bytes, &out->kind));
cleanup:
  return status;
}

static double pairs_left_s(const ncc_plan *plan, const group *g) {
  return (double)(g->end - g->next) * plan->kinds[g->kind].pair_s;
}

static int compare_groups(const void *left, const void *right, void *context) {
  const ncc_plan *plan = context;
  const group *a = left, *b = right;
  double cost_a = pairs_left_s(plan, a) + plan->kinds[a->kind].image_s;
  double cost_b = pairs_left_s(plan, b) + plan->kinds[b->kind].image_s;
  if (cost_a != cost_b) return cost_a > cost_b ? -1 : 1;
  return (a->next > b->next) - (a->next < b->next); /* equal costs stay in order of the file */
}

static ncc_status make_groups(ncc_plan *plan, const source *s) {
  ncc_status status = NCC_OK;
  const int64_t(*indices)[2] = s->indices;
  int64_t n = 0;
  bool sorted = true;
  for (int64_t i = 0; i < plan->pairs; i++) n += i == 0 || indices[plan->order[i]][0] != indices[plan->order[i - 1]][0];
  plan->groups = malloc((size_t)ncc_max(n, 1) * sizeof *plan->groups);
  NCC_CHECK(plan->groups, NCC_ERR_NOMEM, "out of memory for the plan of %lld groups", (long long)n);
  for (int64_t first = 0, end; first < plan->pairs; first = end) {
    int64_t image = indices[plan->order[first]][0];
    for (end = first + 1; end < plan->pairs && indices[plan->order[end]][0] == image;) end++;
    group *g = &plan->groups[plan->n_groups];
    NCC_TRY(make_group(plan, s, first, end, g));
    sorted = sorted && (plan->n_groups == 0 || compare_groups(g - 1, g, plan) <= 0);
    plan->total_s += pairs_left_s(plan, g) + plan->kinds[g->kind].image_s;
    plan->n_groups++;
  }
  if (plan->options.group && !sorted)
    qsort_r(plan->groups, (size_t)plan->n_groups, sizeof *plan->groups, compare_groups, plan);
  plan->left_s = plan->total_s;
cleanup:
  return status;
}

ncc_status ncc_plan_create(const ncc_catalog *catalog, const ncc_search *search, const int64_t (*indices)[2],
                           const uint8_t *done, const ncc_plan_options *options, ncc_plan **out) {
  ncc_status status = NCC_OK;
  source s = {.catalog = catalog, .search = search, .indices = indices};
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
  s.cache = calloc(CACHE_SIZE, sizeof *s.cache);
  NCC_CHECK(s.cache, NCC_ERR_NOMEM, "out of memory for the plan");
  NCC_TRY(make_order(plan, catalog, indices, done));
  NCC_TRY(make_groups(plan, &s));
  *out = plan;
  plan = NULL;
cleanup:
  free(s.cache);
  ncc_plan_destroy(&plan);
  return status;
}

void ncc_plan_destroy(ncc_plan **plan) {
  if (!plan || !*plan) return;
  free((*plan)->order);
  free((*plan)->groups);
  free((*plan)->kinds);
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
double ncc_plan_total_s(const ncc_plan *plan) {
  return plan->total_s;
}
int64_t ncc_plan_row(const ncc_plan *plan, int64_t position) {
  return plan->order[position];
}

/* ---- handing out ------------------------------------------------------------------------------------------------ */

double ncc_plan_share(const ncc_plan *plan) {
  double threads = plan->options.threads;
  double least = threads * fmax(SHARE_MIN_S, SHARE_MIN_RANK_S * plan->options.ranks);
  double most = fmax(threads * SHARE_MAX_S, least);
  double share = plan->left_s * plan->scale / (SHARE_DIVISOR * plan->options.ranks);
  return fmin(fmax(share, least), most);
}

/** What things cost on this machine. */
static double real_image_s(const ncc_plan *plan, const kind *k) {
  return k->image_s * (k->seen ? k->image_scale : plan->scale);
}
static double real_pair_s(const ncc_plan *plan, const kind *k) {
  return k->pair_s * (k->seen ? k->pair_scale : plan->scale);
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
      if (index >= 0) heap[plan->n_shared++] = (shared_group){pairs_left_s(plan, &plan->groups[index]), index};
    }
    for (int64_t slot = plan->n_shared / 2; slot >= 0; slot--) sift_down(heap, plan->n_shared, slot);
  }
  while (plan->n_shared > 0) {
    const group *g = &plan->groups[heap->index];
    double left_s = pairs_left_s(plan, g);
    if (left_s > 0 && left_s >= heap->left_s) {
      const kind *k = &plan->kinds[g->kind];
      return (double)(g->end - g->next) * real_pair_s(plan, k) > real_image_s(plan, k) ? heap->index : -1;
    }
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
    plan->left_s -= chunk->cost.image_s + chunk->cost.pairs_s;
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
  const kind *k = &plan->kinds[g->kind];
  const double image_s = real_image_s(plan, k), pair_s = real_pair_s(plan, k);
  int64_t left = g->end - g->next;
  double budget_s = prepare ? fmax(limit_s - image_s, image_s) : limit_s; /* half of it at least is not setup */
  int64_t count = budget_s >= (double)left * pair_s ? left : ncc_max(1, (int64_t)(budget_s / pair_s));
  if (left - count < count / 4) count = left; /* no crumbs */
  count = ncc_min(count, k->max_count);
  *chunk = (ncc_chunk){.id = plan->next_id++, .first = g->next, .count = count};
  chunk->cost = (ncc_plan_cost){.seconds = (double)count * pair_s + (prepare ? image_s : 0),
                                .image_s = prepare ? k->image_s : 0,
                                .pairs_s = (double)count * k->pair_s,
                                .kind = g->kind};
  plan->left_s -= chunk->cost.pairs_s + (started ? k->image_s : 0);
  g->next += count;
  return true;
}

ncc_status ncc_plan_take(ncc_plan *plan, int rank, int64_t n_given, ncc_plan_work *work) {
  ncc_status status = NCC_OK;
  const int64_t part = n_given == 0 ? 8 : n_given == 1 ? 2 : 1;
  const double share_s = ncc_plan_share(plan) / (double)part;
  const int64_t max_pairs = plan->options.max_pairs > 0 ? plan->options.max_pairs : INT64_MAX;
  const int64_t max_bytes = plan->options.max_bytes > 0 ? plan->options.max_bytes / (2 * part) : INT64_MAX;
  work->n_chunks = work->n_pairs = work->bytes = 0;
  work->cost = (ncc_plan_cost){.kind = -1};
  while (work->cost.seconds < share_s && work->n_pairs < max_pairs && work->bytes < max_bytes) {
    if (work->n_chunks == work->capacity) {
      int64_t capacity = ncc_max(64, 2 * work->capacity);
      ncc_chunk *grown = realloc(work->chunks, (size_t)capacity * sizeof *grown);
      NCC_CHECK(grown, NCC_ERR_NOMEM, "out of memory for %lld chunks", (long long)capacity);
      work->chunks = grown;
      work->capacity = capacity;
    }
    ncc_chunk *chunk = &work->chunks[work->n_chunks];
    if (!ncc_plan_next(plan, rank, share_s - work->cost.seconds, chunk)) break;
    const kind *k = &plan->kinds[chunk->cost.kind];
    work->cost.kind = work->n_chunks == 0 || work->cost.kind == chunk->cost.kind ? chunk->cost.kind : -1;
    work->n_chunks++;
    work->n_pairs += chunk->count;
    work->cost.seconds += chunk->cost.seconds;
    work->cost.image_s += chunk->cost.image_s;
    work->cost.pairs_s += chunk->cost.pairs_s;
    work->bytes += k->image_bytes + chunk->count * k->pair_bytes;
  }
cleanup:
  return status;
}

bool ncc_plan_may_have_more(const ncc_plan *plan, int n, double cost_s, int64_t bytes) {
  if (n < 2 || n >= NCC_PLAN_AHEAD) return n < 2;
  return cost_s < ncc_plan_share(plan) && (plan->options.max_bytes <= 0 || bytes <= 2 * plan->options.max_bytes);
}

void ncc_plan_work_clear(ncc_plan_work *work) {
  free(work->chunks);
  memset(work, 0, sizeof *work);
}

ncc_status ncc_plan_return(ncc_plan *plan, const ncc_chunk *chunk) {
  if (plan->n_returned == plan->returned_capacity) {
    int64_t capacity = ncc_max(16, 2 * plan->returned_capacity);
    ncc_chunk *grown = realloc(plan->returned, (size_t)capacity * sizeof *grown);
    if (!grown) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld returned chunks", (long long)capacity);
    plan->returned = grown;
    plan->returned_capacity = capacity;
  }
  plan->returned[plan->n_returned++] = *chunk;
  plan->left_s += chunk->cost.image_s + chunk->cost.pairs_s;
  return NCC_OK;
}

static void learn(double *scale, int64_t seen, double real_s, double predicted_s) {
  if (real_s <= 0 || predicted_s <= 0) return;
  double weight = fmax(LEARN_LEAST, 1.0 / (double)(seen + 1));
  *scale = fmin(fmax((1 - weight) * *scale + weight * real_s / predicted_s, 1e-3), 1e3);
}

void ncc_plan_observe(ncc_plan *plan, const ncc_plan_cost *cost, double elapsed_s, double image_s, int threads) {
  const double real_s = elapsed_s * threads, predicted_s = cost->image_s + cost->pairs_s;
  if (predicted_s <= 0 || elapsed_s <= 0) return;
  learn(&plan->scale, plan->seen++, real_s, predicted_s);
  if (cost->kind < 0) return; /* of several geometries: which of them it was is not known */
  kind *k = &plan->kinds[cost->kind];
  if (k->seen == 0) k->image_scale = k->pair_scale = real_s / predicted_s; /* where only one part is seen */
  if (image_s > 0 && image_s < elapsed_s && cost->image_s > 0) {
    learn(&k->image_scale, k->seen, image_s * threads, cost->image_s);
    learn(&k->pair_scale, k->seen, real_s - image_s * threads, cost->pairs_s);
  } else {
    learn(&k->pair_scale, k->seen, real_s, predicted_s);
    if (cost->image_s > 0) learn(&k->image_scale, k->seen, real_s, predicted_s);
  }
  k->seen++;
}
