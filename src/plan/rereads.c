#include "plan/rereads.h"

#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

/** Of a dry run: what is counted takes some seconds at most, also where files are far away, and some 100 MB. */
enum { MOST_SEEN = 1 << 23, MOST_ENTRIES = 1 << 20, MOST_S = 10 };

/** What stands for the array of a chunk in entries that are objects which a rank has: this, or for templates one more.
 */
enum { OBJECTS = 0 };

/** A chunk in the memory of a rank, or a chunk as such (cache -1), or an object that a rank has. */
typedef struct entry {
  uint64_t array;
  int64_t number, bytes, reads;
  int32_t cache; /* two a rank: of images, and of templates */
  bool used, kept;
  int64_t older, newer; /* of those kept in its cache, by use; -1: none */
} entry;

typedef struct cache {
  int64_t oldest, newest, bytes;
} cache;

struct ncc_rereads_walk {
  entry *entries; /* [capacity], open addressing */
  int64_t capacity, n, seen;
  double until_s;
  cache *caches;
  int64_t kept_bytes;
  int32_t at;           /* the cache of what is being read */
  int64_t object_bytes; /* of its chunks so far */
  ncc_reached_chunk first;
  ncc_reread_counts counts;
  ncc_rereads *out; /* NULL: chunks were counted before */
};

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int64_t slot_of(const ncc_rereads_walk *w, uint64_t array, int64_t number, int32_t at) {
  uint64_t hash = (array ^ (uint64_t)number * 0x9E3779B97F4A7C15U ^ (uint64_t)(uint32_t)at << 40) * 0xD6E8FEB86659FD93U;
  hash ^= hash >> 32;
  int64_t slot = (int64_t)(hash & (uint64_t)(w->capacity - 1));
  for (; w->entries[slot].used; slot = (slot + 1) & (w->capacity - 1)) {
    const entry *e = &w->entries[slot];
    if (e->array == array && e->number == number && e->cache == at) break;
  }
  return slot;
}

static bool has_room(const ncc_rereads_walk *w) {
  return w->n + 2 < w->capacity - w->capacity / 8;
}

static entry *find(ncc_rereads_walk *w, uint64_t array, int64_t number, int32_t at, bool *is_new) {
  entry *e = &w->entries[slot_of(w, array, number, at)];
  *is_new = !e->used;
  if (*is_new) *e = (entry){.array = array, .number = number, .cache = at, .used = true};
  w->n += *is_new;
  return e;
}

/* ---- what ranks keep --------------------------------------------------------------------------------------------- */

static void unlink_use(ncc_rereads_walk *w, entry *e) {
  cache *c = &w->caches[e->cache];
  *(e->older >= 0 ? &w->entries[e->older].newer : &c->oldest) = e->newer;
  *(e->newer >= 0 ? &w->entries[e->newer].older : &c->newest) = e->older;
}

static void link_newest(ncc_rereads_walk *w, entry *e) {
  cache *c = &w->caches[e->cache];
  e->older = c->newest;
  e->newer = -1;
  *(c->newest >= 0 ? &w->entries[c->newest].newer : &c->oldest) = e - w->entries;
  c->newest = e - w->entries;
}

/** Keeps a chunk that was read, where it fits. */
static void keep(ncc_rereads_walk *w, entry *e) {
  cache *c = &w->caches[e->cache];
  if (e->bytes > w->kept_bytes) return;
  while (c->bytes + e->bytes > w->kept_bytes) {
    entry *oldest = &w->entries[c->oldest];
    unlink_use(w, oldest);
    oldest->kept = false;
    c->bytes -= oldest->bytes;
  }
  c->bytes += e->bytes;
  e->kept = true;
  link_newest(w, e);
}

ncc_status ncc_rereads_see(ncc_rereads_walk *w, const ncc_reached_chunk *chunk) {
  bool is_new;
  if (w->object_bytes == 0) w->first = *chunk;
  w->object_bytes += chunk->bytes;
  w->seen++;
  if (!has_room(w)) return NCC_OK; /* this object is the last */
  entry *e = find(w, chunk->array, chunk->number, w->at, &is_new);
  e->bytes = chunk->bytes;
  if (e->kept) {
    unlink_use(w, e);
    link_newest(w, e);
    return NCC_OK;
  }
  entry *all = find(w, chunk->array, chunk->number, -1, &is_new);
  if (is_new && w->out) {
    w->out->chunks++;
    w->out->chunk_bytes += chunk->bytes;
  }
  w->counts.reads++;
  w->counts.read_bytes += chunk->bytes;
  w->counts.most = ncc_max(w->counts.most, ++all->reads);
  if (!chunk->all) keep(w, e);
  return NCC_OK;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

/** Where an image, or a part of it, begins. */
typedef struct place {
  uint64_t array; /* 0: in no chunk */
  int64_t number;
} place;

/** A pair that was counted. */
typedef struct counted {
  int64_t row;
  int32_t image;
  place place;
} counted;

typedef struct counting {
  const ncc_rereads_how *how;
  counted *pairs; /* [n] of [capacity] */
  int64_t n, capacity;
  place *places; /* of whole images that were read, by index */
} counting;

static ncc_status walk_create(const ncc_rereads_how *how, ncc_rereads *out, ncc_rereads_walk *w) {
  const int n = 2 * how->readers;
  *w = (ncc_rereads_walk){
      .capacity = 2 * MOST_ENTRIES, .kept_bytes = how->kept_bytes, .out = out, .until_s = ncc_clock_s() + MOST_S};
  w->entries = calloc((size_t)w->capacity, sizeof *w->entries);
  w->caches = malloc((size_t)n * sizeof *w->caches);
  if (!w->entries || !w->caches) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %d chunks", MOST_ENTRIES);
  for (int i = 0; i < n; i++) w->caches[i] = (cache){-1, -1, 0};
  return NCC_OK;
}

static void walk_clear(ncc_rereads_walk *w) {
  free(w->entries);
  free(w->caches);
}

static bool is_full(const ncc_rereads_walk *w) {
  return w->seen >= MOST_SEEN || w->n >= MOST_ENTRIES || ncc_clock_s() > w->until_s;
}

/** One object that a rank needs; a whole one that it has already is not read. `w->at` is set. */
static ncc_status read_object(const ncc_rereads_how *how, ncc_rereads_walk *w, bool tmpl, int64_t index,
                              const ncc_rect *part, bool whole) {
  bool is_new = true;
  w->object_bytes = 0;
  w->first = (ncc_reached_chunk){0};
  if (whole && has_room(w)) (void)find(w, OBJECTS + tmpl, index, w->at, &is_new);
  if (!is_new) return NCC_OK;
  const ncc_status status = how->reach(how->context, tmpl, index, part, w);
  if (w->out) w->out->object_bytes = ncc_max(w->out->object_bytes, w->object_bytes);
  return status;
}

/** @param[in,out] begins  set where something is read of the image */
static ncc_status read_pair(const ncc_rereads_how *how, ncc_rereads_walk *w, int64_t row, int reader, place *begins) {
  ncc_status status = NCC_OK;
  const ncc_work_row *r = &how->work->rows[row];
  const ncc_catalog *catalog = how->work->catalog;
  const bool in_parts = how->work->kinds[r->kind].part;
  const ncc_object image = ncc_objects_get(&catalog->images, r->image), tmpl = ncc_template_get(catalog, r->tmpl);
  const ncc_rect box = ncc_object_rect(&tmpl);
  ncc_image_part part = {.pixels = {0, 0, image.rows, image.cols}};
  if (in_parts) NCC_TRY(ncc_work_part(how->work, how->search, row, &part));
  w->at = 2 * reader;
  NCC_TRY(read_object(how, w, false, r->image, &part.pixels, !in_parts));
  if (w->first.array) *begins = (place){w->first.array, w->first.number};
  w->at = 2 * reader + (tmpl.box_image < 0 && !how->together); /* boxes are cut from images */
  NCC_TRY(read_object(how, w, true, r->tmpl, &box, true));
cleanup:
  return status;
}

static ncc_status count_pair(counting *c, ncc_rereads_walk *w, int64_t row, int reader) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&c->pairs, c->n + 1, &c->capacity, sizeof *c->pairs, "pairs"));
  const int32_t image = c->how->work->rows[row].image;
  counted *pair = &c->pairs[c->n++];
  NCC_TRY(read_pair(c->how, w, row, reader, &c->places[image]));
  *pair = (counted){row, image, c->places[image]};
cleanup:
  return status;
}

/** All hand-outs, to one rank after the other. */
static ncc_status count_planned(counting *c, const uint8_t *done, ncc_rereads *out) {
  ncc_status status = NCC_OK;
  const ncc_rereads_how *how = c->how;
  const int ranks = how->schedule.ranks;
  ncc_rereads_walk w;
  ncc_schedule *schedule = NULL;
  ncc_assignment given = {0};
  bool left = true;
  NCC_TRY(walk_create(how, out, &w));
  NCC_TRY(ncc_schedule_create(how->work, done, &how->schedule, &schedule));
  for (int64_t n = 0; left && !is_full(&w); n++) {
    left = false;
    for (int rank = 0; rank < ranks && !is_full(&w); rank++) {
      NCC_TRY(ncc_schedule_take(schedule, rank, n, &given));
      left = left || given.n_chunks > 0;
      for (int64_t i = 0; i < given.n_chunks; i++)
        for (int64_t k = 0; k < given.chunks[i].count && !is_full(&w); k++)
          NCC_TRY(count_pair(c, &w, ncc_schedule_row(schedule, given.chunks[i].first + k), rank % how->readers));
    }
  }
  out->planned = w.counts;
cleanup:
  ncc_assignment_clear(&given);
  ncc_schedule_destroy(&schedule);
  walk_clear(&w);
  return status;
}

static int compare_places(const void *left, const void *right) {
  const counted *a = left, *b = right;
  const place *p = &a->place, *q = &b->place;
  if (p->array != q->array) return p->array < q->array ? -1 : 1;
  if (p->number != q->number) return p->number < q->number ? -1 : 1;
  if (a->image != b->image) return a->image < b->image ? -1 : 1;
  return (a->row > b->row) - (a->row < b->row);
}

/** The same pairs in order of chunks, each rank a part. */
static ncc_status count_by_chunk(counting *c, ncc_rereads *out) {
  ncc_status status = NCC_OK;
  ncc_rereads_walk w;
  NCC_TRY(walk_create(c->how, NULL, &w));
  out->images = malloc((size_t)ncc_max(c->n, 1) * sizeof *out->images);
  NCC_CHECK(out->images, NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)c->n);
  qsort(c->pairs, (size_t)c->n, sizeof *c->pairs, compare_places);
  for (int64_t i = 0; i < c->n; i++) {
    const counted *pair = &c->pairs[i];
    place begins;
    if (i == 0 || pair[-1].image != pair->image) out->images[out->n_images++] = pair->image;
    NCC_TRY(read_pair(c->how, &w, pair->row, (int)(i * c->how->readers / c->n), &begins));
  }
  out->by_chunk = w.counts;
cleanup:
  walk_clear(&w);
  return status;
}

ncc_status ncc_rereads_count(const ncc_rereads_how *how, const uint8_t *done, ncc_rereads *out) {
  ncc_status status = NCC_OK;
  counting c = {.how = how};
  *out = (ncc_rereads){.kept_bytes = how->kept_bytes};
  c.places = calloc((size_t)how->work->catalog->images.count + 1, sizeof *c.places);
  NCC_CHECK(c.places, NCC_ERR_NOMEM, "out of memory for %lld images", (long long)how->work->catalog->images.count);
  NCC_TRY(count_planned(&c, done, out));
  out->pairs = out->chunks > 0 ? c.n : 0;
  out->by_chunk = out->planned;
  if (out->planned.reads > out->chunks) NCC_TRY(count_by_chunk(&c, out));
cleanup:
  free(c.pairs);
  free(c.places);
  return status;
}

void ncc_rereads_clear(ncc_rereads *rereads) {
  free(rereads->images);
  *rereads = (ncc_rereads){0};
}
