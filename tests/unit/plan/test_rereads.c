/** How often chunks are read, on paper: slices of a volume, whose chunks hold DEEP of them, in good order and in a bad
 * one, with and without room to keep a layer of chunks. */
#include "plan/rereads.h"
#include "plan_cases.h"

enum { SLICES = 32, DEEP = 8, LAYER = 3, CHUNK_BYTES = 1000 };

/** Image i is slice place[i] of one array; templates lie in no chunks. */
static ncc_status reach(void *context, bool tmpl, int64_t index, const ncc_rect *part, ncc_rereads_walk *walk) {
  const int64_t *place = context;
  (void)part;
  for (int64_t k = 0; k < LAYER && !tmpl; k++) {
    const ncc_reached_chunk chunk = {.array = 7, .number = place[index] / DEEP * LAYER + k, .bytes = CHUNK_BYTES};
    const ncc_status status = ncc_rereads_see(walk, &chunk);
    if (status != NCC_OK) return status;
  }
  return NCC_OK;
}

static ncc_rereads count(const ncc_work *work, const int64_t *place, int ranks, int readers, int64_t kept_bytes) {
  static const ncc_search search = {0};
  ncc_rereads out;
  const ncc_rereads_how how = {.work = work,
                               .search = &search,
                               .schedule = {.ranks = ranks, .threads = 1, .group = true},
                               .readers = readers,
                               .kept_bytes = kept_bytes,
                               .reach = reach,
                               .context = (void *)place};
  CHECK(ncc_rereads_count(&how, NULL, &out) == NCC_OK, "%s", ncc_error_message());
  CHECK(out.pairs == work->catalog->n_pairs && out.chunks == SLICES / DEEP * LAYER, "%lld chunks of %lld pairs",
        (long long)out.chunks, (long long)out.pairs);
  CHECK(out.chunk_bytes == out.chunks * CHUNK_BYTES && out.object_bytes == LAYER * CHUNK_BYTES, "bytes");
  CHECK(out.planned.read_bytes == out.planned.reads * CHUNK_BYTES, "bytes");
  return out;
}

#define EXPECT(rereads, now, most_, then)                                                                       \
  do {                                                                                                          \
    ncc_rereads r = rereads;                                                                                    \
    CHECK(r.planned.reads == (now) && r.planned.most == (most_) && r.by_chunk.reads == (then),                  \
          "%lld reads, at most %lld, and %lld in order", (long long)r.planned.reads, (long long)r.planned.most, \
          (long long)r.by_chunk.reads);                                                                         \
    ncc_rereads_clear(&r);                                                                                      \
  } while (0)

int main(void) {
  int64_t in_order[SLICES], apart[SLICES];
  ncc_catalog catalog = make_catalog(SLICES, 4, 2 * SLICES);
  const int64_t all = SLICES / DEEP * LAYER, each = (int64_t)SLICES * LAYER;
  for (int64_t i = 0; i < SLICES; i++) {
    in_order[i] = i;
    apart[i] = i % (SLICES / DEEP) * DEEP + i / (SLICES / DEEP); /* each slice far from the last one */
  }
  for (int64_t row = 0; row < catalog.n_pairs; row++) {
    catalog.pairs[row][0] = row / 2; /* two pairs an image, which is read once */
    catalog.pairs[row][1] = row % 4;
  }
  ncc_work work = make_work(&catalog);
  EXPECT(count(&work, in_order, 1, 1, LAYER * CHUNK_BYTES), all, 1, all);
  EXPECT(count(&work, apart, 1, 1, all * CHUNK_BYTES), all, 1, all);
  EXPECT(count(&work, apart, 1, 1, LAYER * CHUNK_BYTES), each, DEEP, all);
  EXPECT(count(&work, in_order, 1, 1, LAYER * CHUNK_BYTES - 1), each, DEEP, each); /* the least recently used is next */
  EXPECT(count(&work, in_order, 1, 1, 0), each, DEEP, each);
  EXPECT(count(&work, in_order, 3, 1, all * CHUNK_BYTES), all, 1, all); /* rank 0 reads for all */
  ncc_rereads r = count(&work, apart, 2, 2, LAYER * CHUNK_BYTES);
  CHECK(r.planned.reads == each && r.by_chunk.reads == all && r.n_images == SLICES, "%lld", (long long)r.planned.reads);
  for (int64_t i = 0; i < SLICES; i++) /* by chunks, and there by number */
    CHECK(apart[r.images[i]] / DEEP == i / DEEP && (i % DEEP == 0 || r.images[i] > r.images[i - 1]), "image %lld",
          (long long)r.images[i]);
  ncc_rereads_clear(&r);
  ncc_work_clear(&work);
  clear_catalog(&catalog);
  return 0;
}
