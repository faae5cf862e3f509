#include "plan/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/error.h"
#include "plan/parts.h"

/* A share is 1 / SHARE_DIVISOR of a rank's part of what is left. A rank holds two shares (one ahead): with 8 a rank
 * three times slower than the others still finishes with them. */
#define SHARE_DIVISOR 8.0
#define SHARE_MIN_S 0.005 /* seconds of a rank's work: below this, messages cost more than balance gains */
#define SHARE_MIN_RANK_S \
  4e-5                  /* and so much for each rank: rank 0 is asked at most 25,000 times a second, as it can be */
#define SHARE_MAX_S 1.0 /* results reach the output, and a stop is heard, at least this often */

/* A class's first observation counts in full, later ones less and less, but never less than this. */
#define LEARN_LEAST 0.2

/** A kind of the work, or after these one made up for an image whose pairs are of several: their mean cost. */
typedef struct kind {
  double image_s, pair_s;          /* by the model */
  double image_scale, pair_scale;  /* real seconds for one of the model's, observed */
  int64_t seen;                    /* observations; 0: the schedule's own scale serves */
  int64_t image_bytes, pair_bytes; /* pixels */
  int64_t max_count;               /* pairs that a chunk may have */
} kind;

/** Consecutive entries of the order with one image. */
typedef struct group {
  int64_t next, end; /* of the order; what is left to hand out */
  int64_t turn;      /* of pair `next`, so many angles are handed out */
  int32_t kind;
} group;

/** An entry of the heap. What a group has left only shrinks, so `left_s` is a bound, made exact at the top. */
typedef struct shared_group {
  double left_s;
  int64_t index;
} shared_group;

struct ncc_schedule {
  ncc_schedule_options options;
  int64_t *order;       /* [pairs] rows of /pairs */
  int64_t pairs, turns; /* angles of each */
  group *groups;        /* [n_groups], in the order in which they are started */
  int64_t n_groups;
  kind *kinds; /* [n_kinds]: those of the work, then those of mixed groups */
  int64_t n_kinds, kind_capacity;
  int64_t cursor;       /* groups before it have been started */
  int64_t *current;     /* [ranks] the group of the rank's last chunk, or -1 */
  shared_group *shared; /* max-heap: groups that ranks without one may join; made once all are started */
  int64_t n_shared;     /* -1: not made yet */
  int64_t next_id;
  double total_s, left_s; /* by the model */
  double scale;           /* real seconds per predicted second, observed over all kinds */
  int64_t seen;
};

/* ---- building --------------------------------------------------------------------------------------------------- */

static bool has_work(const ncc_work *work, const uint8_t *done, int64_t row) {
  return work->rows[row].kind >= 0 && !(done && done[row]);
}

/** Fills the order: all rows with work, sorted by image (stable counting sort) or as they come. */
static ncc_status make_order(ncc_schedule *schedule, const ncc_work *work, const uint8_t *done) {
  ncc_status status = NCC_OK;
  const int64_t n = work->catalog->n_pairs, n_images = work->catalog->images.count;
  int64_t *starts = NULL;
  int64_t pairs = 0;
  for (int64_t row = 0; row < n; row++) pairs += has_work(work, done, row);
  schedule->pairs = pairs;
  schedule->order = malloc((size_t)ncc_max(pairs, 1) * sizeof *schedule->order);
  NCC_CHECK(schedule->order, NCC_ERR_NOMEM, "out of memory for the schedule of %lld pairs", (long long)pairs);
  if (!schedule->options.group) {
    int64_t at = 0;
    for (int64_t row = 0; row < n; row++)
      if (has_work(work, done, row)) schedule->order[at++] = row;
    goto cleanup;
  }
  starts = calloc((size_t)n_images + 1, sizeof *starts);
  NCC_CHECK(starts, NCC_ERR_NOMEM, "out of memory for the schedule of %lld images", (long long)n_images);
  for (int64_t row = 0; row < n; row++)
    if (has_work(work, done, row)) starts[work->rows[row].image + 1]++;
  for (int64_t i = 0; i < n_images; i++) starts[i + 1] += starts[i];
  for (int64_t row = 0; row < n; row++)
    if (has_work(work, done, row)) schedule->order[starts[work->rows[row].image]++] = row;
cleanup:
  free(starts);
  return status;
}

/** Adds a kind after those that there are. */
static ncc_status add_kind(ncc_schedule *schedule, ncc_cost cost, int64_t image_bytes, int64_t pair_bytes) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&schedule->kinds, schedule->n_kinds + 1, &schedule->kind_capacity, sizeof *schedule->kinds,
                        "kinds of pairs"));
  kind k = {.image_s = cost.image_s, .pair_s = cost.pair_s, .image_bytes = image_bytes, .pair_bytes = pair_bytes};
  k.max_count = schedule->options.max_pairs > 0 ? schedule->options.max_pairs : INT64_MAX;
  if (schedule->options.max_bytes > 0)
    k.max_count =
        ncc_min(k.max_count, ncc_max(1, (schedule->options.max_bytes - image_bytes) / ncc_max(1, pair_bytes)));
  schedule->kinds[schedule->n_kinds++] = k;
cleanup:
  return status;
}

/** Whether a row's image, and so those of all rows of that image, is matched in parts. */
static bool in_parts(const ncc_work *work, int64_t row) {
  return work->kinds[work->rows[row].kind].part;
}

static int compare_windows(const ncc_work *work, int64_t a, int64_t b) {
  if (!work->windows) return 0;
  const ncc_rect u = work->windows[a], v = work->windows[b];
  if (u.y0 != v.y0) return u.y0 < v.y0 ? -1 : 1;
  if (u.x0 != v.x0) return u.x0 < v.x0 ? -1 : 1;
  if (u.y1 != v.y1) return u.y1 < v.y1 ? -1 : 1;
  return (u.x1 > v.x1) - (u.x1 < v.x1);
}

/** Within an image: pairs of a kind, and of these those with one window, are brought together, for they share its
 *  transforms; of parts first of all neighbours, for they share what is read. */
static int compare_rows(const void *left, const void *right, void *context) {
  const ncc_work *work = context;
  const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  const int place = in_parts(work, a) ? ncc_parts_compare(&work->windows[a], &work->windows[b]) : 0;
  if (place) return place;
  if (work->rows[a].kind != work->rows[b].kind) return work->rows[a].kind < work->rows[b].kind ? -1 : 1;
  const int windows = compare_windows(work, a, b);
  return windows ? windows : (a > b) - (a < b);
}

/** Rows of one image share what is prepared from it. */
static bool same_geometry(const ncc_work *work, int64_t a, int64_t b) {
  return work->rows[a].kind == work->rows[b].kind && compare_windows(work, a, b) == 0;
}

/** Where the group of pair `first` of the order ends: with its image, or with the block of parts. */
static int64_t end_of_group(const ncc_schedule *schedule, const ncc_work *work, int64_t first) {
  const int64_t *order = schedule->order;
  const int32_t image = work->rows[order[first]].image;
  const bool parts = schedule->options.group && in_parts(work, order[first]);
  int64_t end = first + 1;
  while (end < schedule->pairs && work->rows[order[end]].image == image &&
         (!parts || ncc_parts_together(&work->windows[order[first]], &work->windows[order[end]])))
    end++;
  return end;
}

/** The pairs [first, end) of the order, which have one image. */
static ncc_status make_group(ncc_schedule *schedule, const ncc_work *work, int64_t first, int64_t end, group *out) {
  ncc_status status = NCC_OK;
  int64_t *order = schedule->order, pair_bytes = 0;
  bool mixed = false;
  *out = (group){.next = first, .end = end, .kind = work->rows[order[first]].kind};
  for (int64_t i = first + 1; i < end && !mixed; i++) mixed = !same_geometry(work, order[first], order[i]);
  if (!mixed) goto cleanup;
  if (schedule->options.group) qsort_r(order + first, (size_t)(end - first), sizeof *order, compare_rows, (void *)work);
  ncc_cost mean = {0}; /* every further geometry prepares the image once more: that is the pairs' cost */
  for (int64_t i = first; i < end; i++) {
    const ncc_work_kind *k = &work->kinds[work->rows[order[i]].kind];
    if (i == first)
      mean.image_s = k->cost.image_s;
    else if (!same_geometry(work, order[i - 1], order[i]))
      mean.pair_s += k->cost.image_s / (double)(end - first);
    mean.pair_s += k->cost.pair_s / (double)(end - first);
    pair_bytes = ncc_max(pair_bytes, k->template_bytes + (k->part ? k->image_bytes : 0));
  }
  NCC_TRY(add_kind(schedule, mean, work->kinds[work->rows[order[first]].kind].image_bytes, pair_bytes));
  out->kind = (int32_t)(schedule->n_kinds - 1);
cleanup:
  return status;
}

static double pairs_left(const ncc_schedule *schedule, const group *g) {
  return (double)(g->end - g->next) - (double)g->turn / (double)schedule->turns;
}

static double pairs_left_s(const ncc_schedule *schedule, const group *g) {
  return pairs_left(schedule, g) * schedule->kinds[g->kind].pair_s;
}

static int compare_groups(const void *left, const void *right, void *context) {
  const ncc_schedule *schedule = context;
  const group *a = left, *b = right;
  double cost_a = pairs_left_s(schedule, a) + schedule->kinds[a->kind].image_s;
  double cost_b = pairs_left_s(schedule, b) + schedule->kinds[b->kind].image_s;
  if (cost_a != cost_b) return cost_a > cost_b ? -1 : 1;
  return (a->next > b->next) - (a->next < b->next); /* equal costs stay in order of the file */
}

/** Brings together what is to be a group of parts; the order is sorted by image. */
static void sort_parts(ncc_schedule *schedule, const ncc_work *work) {
  int64_t *order = schedule->order;
  if (!work->catalog->images.in_parts) return;
  for (int64_t first = 0, end; first < schedule->pairs; first = end) {
    for (end = first + 1; end < schedule->pairs && work->rows[order[end]].image == work->rows[order[first]].image;)
      end++;
    if (in_parts(work, order[first]))
      qsort_r(order + first, (size_t)(end - first), sizeof *order, compare_rows, (void *)work);
  }
}

static ncc_status make_groups(ncc_schedule *schedule, const ncc_work *work) {
  ncc_status status = NCC_OK;
  int64_t n = 0;
  bool sorted = true;
  if (schedule->options.group) sort_parts(schedule, work);
  for (int64_t first = 0; first < schedule->pairs; first = end_of_group(schedule, work, first)) n++;
  schedule->groups = malloc((size_t)ncc_max(n, 1) * sizeof *schedule->groups);
  NCC_CHECK(schedule->groups, NCC_ERR_NOMEM, "out of memory for the schedule of %lld groups", (long long)n);
  for (int64_t first = 0, end; first < schedule->pairs; first = end) {
    end = end_of_group(schedule, work, first);
    group *g = &schedule->groups[schedule->n_groups];
    NCC_TRY(make_group(schedule, work, first, end, g));
    sorted = sorted && (schedule->n_groups == 0 || compare_groups(g - 1, g, schedule) <= 0);
    schedule->total_s += pairs_left_s(schedule, g) + schedule->kinds[g->kind].image_s;
    schedule->n_groups++;
  }
  if (schedule->options.group && !sorted)
    qsort_r(schedule->groups, (size_t)schedule->n_groups, sizeof *schedule->groups, compare_groups, schedule);
  schedule->left_s = schedule->total_s;
cleanup:
  return status;
}

ncc_status ncc_schedule_create(const ncc_work *work, const uint8_t *done, const ncc_schedule_options *options,
                               ncc_schedule **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_schedule *schedule = calloc(1, sizeof *schedule);
  NCC_CHECK(schedule, NCC_ERR_NOMEM, "out of memory for the schedule");
  schedule->options = *options;
  schedule->turns = work->turns;
  schedule->n_shared = -1;
  schedule->scale = 1;
  schedule->current = malloc((size_t)options->ranks * sizeof *schedule->current);
  schedule->shared = malloc((size_t)options->ranks * sizeof *schedule->shared);
  NCC_CHECK(schedule->current && schedule->shared, NCC_ERR_NOMEM, "out of memory for the schedule of %d ranks",
            options->ranks);
  for (int rank = 0; rank < options->ranks; rank++) schedule->current[rank] = -1;
  for (int32_t i = 0; i < work->n_kinds; i++)
    NCC_TRY(add_kind(schedule, work->kinds[i].cost, work->kinds[i].image_bytes, work->kinds[i].template_bytes));
  NCC_TRY(make_order(schedule, work, done));
  NCC_TRY(make_groups(schedule, work));
  *out = schedule;
  schedule = NULL;
cleanup:
  ncc_schedule_destroy(&schedule);
  return status;
}

int64_t ncc_schedule_bytes(int64_t pairs, int64_t groups, bool mixed) {
  return pairs * (int64_t)sizeof(int64_t) + groups * (int64_t)(sizeof(group) + (mixed ? sizeof(kind) : 0));
}

void ncc_schedule_destroy(ncc_schedule **schedule) {
  if (!schedule || !*schedule) return;
  free((*schedule)->order);
  free((*schedule)->groups);
  free((*schedule)->kinds);
  free((*schedule)->current);
  free((*schedule)->shared);
  free(*schedule);
  *schedule = NULL;
}

int64_t ncc_schedule_pairs(const ncc_schedule *schedule) {
  return schedule->pairs;
}
int64_t ncc_schedule_groups(const ncc_schedule *schedule) {
  return schedule->n_groups;
}
double ncc_schedule_total_s(const ncc_schedule *schedule) {
  return schedule->total_s;
}
int64_t ncc_schedule_row(const ncc_schedule *schedule, int64_t position) {
  return schedule->order[position];
}

/* ---- handing out ------------------------------------------------------------------------------------------------ */

/** Below this, messages cost more than balance gains. */
static double least_share(const ncc_schedule *schedule) {
  return schedule->options.threads * fmax(SHARE_MIN_S, SHARE_MIN_RANK_S * schedule->options.ranks);
}

/** What keeps ranks in balance. */
static double balanced_share(const ncc_schedule *schedule) {
  const double share = schedule->left_s * schedule->scale / (SHARE_DIVISOR * schedule->options.ranks);
  return fmax(share, least_share(schedule));
}

double ncc_schedule_share(const ncc_schedule *schedule) {
  const double most = fmax(schedule->options.threads * SHARE_MAX_S, least_share(schedule));
  return fmin(balanced_share(schedule), most);
}

/** What things cost on this machine. */
static double real_image_s(const ncc_schedule *schedule, const kind *k) {
  return k->image_s * (k->seen ? k->image_scale : schedule->scale);
}
static double real_pair_s(const ncc_schedule *schedule, const kind *k) {
  return k->pair_s * (k->seen ? k->pair_scale : schedule->scale);
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
static int64_t richest_group(ncc_schedule *schedule) {
  shared_group *heap = schedule->shared;
  if (schedule->n_shared < 0) { /* all groups are started; each unfinished one is some rank's current one */
    schedule->n_shared = 0;
    for (int rank = 0; rank < schedule->options.ranks; rank++) {
      int64_t index = schedule->current[rank];
      if (index >= 0)
        heap[schedule->n_shared++] = (shared_group){pairs_left_s(schedule, &schedule->groups[index]), index};
    }
    for (int64_t slot = schedule->n_shared / 2; slot >= 0; slot--) sift_down(heap, schedule->n_shared, slot);
  }
  while (schedule->n_shared > 0) {
    const group *g = &schedule->groups[heap->index];
    double left_s = pairs_left_s(schedule, g);
    if (left_s > 0 && left_s >= heap->left_s) {
      const kind *k = &schedule->kinds[g->kind];
      return pairs_left(schedule, g) * real_pair_s(schedule, k) > real_image_s(schedule, k) ? heap->index : -1;
    }
    heap->left_s = left_s;
    if (left_s <= 0) heap[0] = heap[--schedule->n_shared];
    sift_down(heap, schedule->n_shared, 0);
  }
  return -1;
}

static bool exhausted(const ncc_schedule *schedule, int64_t g) {
  return g < 0 || schedule->groups[g].next >= schedule->groups[g].end;
}

/** So many angles of a group's next pair are handed out by themselves; 0: none are. The best peak so far spares a rank
 *  work at the other angles, so that pairs stay whole as long as that keeps ranks in balance. */
static int64_t turns_apart(const ncc_schedule *schedule, const group *g, double pair_s, double budget_s) {
  const int64_t left = schedule->turns - g->turn;
  if (g->turn == 0 && (left == 1 || schedule->options.ranks == 1 || balanced_share(schedule) >= pair_s)) return 0;
  int64_t count = ncc_max(1, (int64_t)ceil(budget_s / pair_s * (double)schedule->turns));
  if (schedule->options.max_pairs > 0) count = ncc_min(count, schedule->options.max_pairs);
  if (left - count < count / 4) count = left; /* no crumbs */
  return count < schedule->turns ? ncc_min(count, left) : 0;
}

bool ncc_schedule_next(ncc_schedule *schedule, int rank, double limit_s, ncc_chunk *chunk) {
  int64_t index = schedule->current[rank];
  bool prepare = exhausted(schedule, index), started = false;
  if (prepare) {
    started = schedule->cursor < schedule->n_groups;
    index = started ? schedule->cursor++ : richest_group(schedule);
    if (index < 0) return false;
    schedule->current[rank] = index;
  }
  group *g = &schedule->groups[index];
  const kind *k = &schedule->kinds[g->kind];
  const double image_s = real_image_s(schedule, k), pair_s = real_pair_s(schedule, k);
  int64_t left = g->end - g->next;
  double budget_s = prepare ? fmax(limit_s - image_s, image_s) : limit_s; /* half of it at least is not setup */
  const int64_t turns = turns_apart(schedule, g, pair_s, budget_s);
  int64_t count = budget_s >= (double)left * pair_s ? left : ncc_max(1, (int64_t)(budget_s / pair_s));
  if (left - count < count / 4) count = left; /* no crumbs */
  count = turns > 0 ? 1 : ncc_min(count, k->max_count);
  const double pairs = turns > 0 ? (double)turns / (double)schedule->turns : (double)count;
  *chunk = (ncc_chunk){.id = schedule->next_id++, .first = g->next, .count = count, .turn = g->turn, .turns = turns};
  chunk->cost = (ncc_schedule_cost){.seconds = pairs * pair_s + (prepare ? image_s : 0),
                                    .image_s = prepare ? k->image_s : 0,
                                    .pairs_s = pairs * k->pair_s,
                                    .kind = g->kind};
  schedule->left_s -= chunk->cost.pairs_s + (started ? k->image_s : 0);
  g->turn += turns;
  if (turns > 0 && g->turn < schedule->turns) return true;
  g->turn = 0;
  g->next += count;
  return true;
}

ncc_status ncc_schedule_take(ncc_schedule *schedule, int rank, int64_t n_given, ncc_assignment *out) {
  ncc_status status = NCC_OK;
  const int64_t part = n_given == 0 ? 8 : n_given == 1 ? 2 : 1;
  const double share_s = ncc_schedule_share(schedule) / (double)part;
  const int64_t max_pairs = schedule->options.max_pairs > 0 ? schedule->options.max_pairs : INT64_MAX;
  const int64_t max_bytes = schedule->options.max_bytes > 0 ? schedule->options.max_bytes / (2 * part) : INT64_MAX;
  out->n_chunks = out->n_pairs = out->bytes = 0;
  out->cost = (ncc_schedule_cost){.kind = -1};
  while (out->cost.seconds < share_s && out->n_pairs < max_pairs && out->bytes < max_bytes) {
    NCC_TRY(ncc_list_grow(&out->chunks, out->n_chunks + 1, &out->capacity, sizeof *out->chunks, "chunks"));
    ncc_chunk *chunk = &out->chunks[out->n_chunks];
    if (!ncc_schedule_next(schedule, rank, share_s - out->cost.seconds, chunk)) break;
    const kind *k = &schedule->kinds[chunk->cost.kind];
    out->cost.kind = out->n_chunks == 0 || out->cost.kind == chunk->cost.kind ? chunk->cost.kind : -1;
    out->n_chunks++;
    out->n_pairs += ncc_max(chunk->count, chunk->turns);
    out->cost.seconds += chunk->cost.seconds;
    out->cost.image_s += chunk->cost.image_s;
    out->cost.pairs_s += chunk->cost.pairs_s;
    out->bytes += k->image_bytes + chunk->count * k->pair_bytes;
  }
cleanup:
  return status;
}

bool ncc_schedule_may_have_more(const ncc_schedule *schedule, int n, double cost_s, int64_t bytes) {
  if (n < 2 || n >= NCC_SCHEDULE_AHEAD) return n < 2;
  return cost_s < ncc_schedule_share(schedule) &&
         (schedule->options.max_bytes <= 0 || bytes <= 2 * schedule->options.max_bytes);
}

void ncc_assignment_clear(ncc_assignment *assignment) {
  free(assignment->chunks);
  memset(assignment, 0, sizeof *assignment);
}

static void learn(double *scale, int64_t seen, double real_s, double predicted_s) {
  if (real_s <= 0 || predicted_s <= 0) return;
  double weight = fmax(LEARN_LEAST, 1.0 / (double)(seen + 1));
  *scale = fmin(fmax((1 - weight) * *scale + weight * real_s / predicted_s, 1e-3), 1e3);
}

void ncc_schedule_observe(ncc_schedule *schedule, const ncc_schedule_cost *cost, double elapsed_s, double image_s,
                          int threads) {
  const double real_s = elapsed_s * threads, predicted_s = cost->image_s + cost->pairs_s;
  if (predicted_s <= 0 || elapsed_s <= 0) return;
  learn(&schedule->scale, schedule->seen++, real_s, predicted_s);
  if (cost->kind < 0) return; /* of several geometries: which of them it was is not known */
  kind *k = &schedule->kinds[cost->kind];
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
