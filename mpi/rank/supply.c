#include "mpi/rank/supply.h"

#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/error.h"
#include "plan/parts.h"

/** The counts of both objects of a row. */
static void counts_of(const ncc_supply *supply, int64_t row, uint32_t *counts[2]) {
  const ncc_work_row *pair = &supply->work->rows[row];
  counts[NCC_IMAGE] = &supply->uses[NCC_IMAGE][pair->image];
  counts[NCC_TEMPLATE] = &supply->uses[NCC_TEMPLATE][pair->tmpl];
}

ncc_status ncc_supply_create(const ncc_work *work, ncc_schedule *schedule, const ncc_search *search,
                             const ncc_input *named, ncc_supply *out) {
  ncc_status status = NCC_OK;
  const ncc_objects *objects[2] = {&work->catalog->images, &work->catalog->templates};
  *out = (ncc_supply){.work = work, .schedule = schedule, .search = search, .named = named};
  for (int kind = 0; kind < 2; kind++) {
    out->uses[kind] = calloc((size_t)objects[kind]->count + 1, sizeof *out->uses[kind]);
    NCC_CHECK(out->uses[kind], NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)objects[kind]->count);
  }
  for (int64_t i = 0; i < ncc_schedule_pairs(schedule); i++) {
    uint32_t *counts[2];
    counts_of(out, ncc_schedule_row(schedule, i), counts);
    for (int kind = 0; kind < 2; kind++) *counts[kind] += *counts[kind] < UINT32_MAX; /* what does not fit stays so */
  }
cleanup:
  return status;
}

void ncc_supply_clear(ncc_supply *supply) {
  ncc_assignment_clear(&supply->assignment);
  free(supply->again);
  for (int kind = 0; kind < 2; kind++) free(supply->uses[kind]);
  *supply = (ncc_supply){0};
}

void ncc_supplied_clear(ncc_supplied *supplied) {
  ncc_batch_destroy(&supplied->batch);
  free(supplied->rows);
  supplied->rows = NULL;
}

/** Counts a chunk's pairs as handed out, of a pair whose angles are shared the last of them. */
static void take_uses(ncc_supply *supply, const ncc_chunk *chunk) {
  if (chunk->turns > 0 && chunk->turn + chunk->turns < supply->work->turns) return;
  for (int64_t i = 0; i < chunk->count; i++) {
    uint32_t *counts[2];
    counts_of(supply, ncc_schedule_row(supply->schedule, chunk->first + i), counts);
    for (int kind = 0; kind < 2; kind++) *counts[kind] -= *counts[kind] < UINT32_MAX;
  }
}

/** Works out what a batch needs, and marks what others will need again. */
static ncc_status find_needs(ncc_supply *supply, int rank, ncc_supplied *supplied) {
  ncc_status status = NCC_OK;
  ncc_batch *batch = supplied->batch;
  NCC_TRY(ncc_batch_find_needs(batch));
  if (supply->named && rank > 0) NCC_TRY(ncc_batch_find_names(batch, supply->named));
  for (int64_t i = 0; i < batch->needs.n; i++) {
    ncc_need *need = &batch->needs.items[i];
    ncc_rect part;
    need->again = need->piece == NCC_WHOLE && supply->uses[need->kind][need->index] > 0;
    supplied->pixel_bytes += ncc_need_bytes(batch, need, supply->work->catalog, &part);
  }
  batch->id = supply->n_batches++;
cleanup:
  return status;
}

/** Adds the pair of a row to the end of a batch that has room for it, to the piece at its end where that needs the same
 *  of its image. @param[in] kind  of a new piece, its turn and whether it is tried */
static ncc_status add_pair(const ncc_supply *supply, int64_t row, bool new_piece, const ncc_piece *kind,
                           ncc_supplied *supplied) {
  ncc_status status = NCC_OK;
  ncc_batch *batch = supplied->batch;
  const ncc_work *work = supply->work;
  const ncc_catalog *catalog = work->catalog;
  const ncc_work_row *r = &work->rows[row];
  ncc_piece *last = new_piece ? NULL : &batch->pieces[batch->n_pieces - 1];
  const int64_t at = batch->n_pairs++;
  ncc_rect pixels = {0};
  supplied->rows[at] = row;
  batch->templates[at] = r->tmpl;
  if (batch->windows) batch->windows[at] = work->windows[row];
  if (catalog->images.in_parts) {
    ncc_image_part part;
    const ncc_object image = ncc_objects_get(&catalog->images, r->image);
    NCC_TRY(ncc_work_part(work, supply->search, row, &part));
    batch->windows[at] = part.window;
    if (ncc_object_in_parts(&catalog->images, &image)) pixels = part.pixels;
    if (last && memcmp(&last->part, &pixels, sizeof pixels) != 0) last = NULL;
  }
  if (!last) {
    last = &batch->pieces[batch->n_pieces++];
    *last = (ncc_piece){.image = r->image, .turn = kind->turn, .tried = kind->tried, .part = pixels};
  }
  last->count++;
cleanup:
  return status;
}

/** Makes an empty batch that has room. */
static ncc_status make_room(const ncc_supply *supply, int64_t n_pieces, int64_t n_pairs, ncc_supplied *out) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_batch_create(n_pieces, n_pairs, supply->work->windows != NULL, supply->search->peaks, &out->batch));
  out->batch->n_pieces = out->batch->n_pairs = 0;
  out->rows = malloc((size_t)n_pairs * sizeof *out->rows);
  NCC_CHECK(out->rows, NCC_ERR_NOMEM, "out of memory for a batch of %lld pairs", (long long)n_pairs);
cleanup:
  return status;
}

ncc_status ncc_supply_again(ncc_supply *supply, int64_t row, int64_t turn) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&supply->again, supply->n_again + 1, &supply->again_capacity, sizeof *supply->again, "rows"));
  supply->again[supply->n_again++] = (ncc_supply_row){row, turn};
cleanup:
  return status;
}

static ncc_status take_again(ncc_supply *supply, int rank, ncc_supplied *out) {
  ncc_status status = NCC_OK;
  const ncc_work *work = supply->work;
  const ncc_supply_row again = supply->again[--supply->n_again];
  const ncc_cost *cost = &work->kinds[work->rows[again.row].kind].cost;
  const double pair_s = cost->pair_s / (double)(again.turn > 0 ? work->turns : 1);
  out->cost =
      (ncc_schedule_cost){.seconds = cost->image_s + pair_s, .image_s = cost->image_s, .pairs_s = pair_s, .kind = -1};
  NCC_TRY(make_room(supply, 1, 1, out));
  NCC_TRY(add_pair(supply, again.row, true, &(ncc_piece){.turn = again.turn}, out));
  NCC_TRY(find_needs(supply, rank, out));
cleanup:
  if (status != NCC_OK) ncc_supplied_clear(out);
  return status;
}

/** Adds a chunk's pairs, or the angles of its one pair. */
static ncc_status add_chunk(const ncc_supply *supply, const ncc_chunk *chunk, ncc_supplied *out) {
  ncc_status status = NCC_OK;
  const ncc_piece kind = {.turn = chunk->turns > 0 ? chunk->turn + 1 : 0, .tried = chunk->turns > 0};
  for (int64_t k = 0; k < ncc_max(chunk->count, chunk->turns); k++) {
    const int64_t row = ncc_schedule_row(supply->schedule, chunk->first + (kind.tried ? 0 : k));
    NCC_TRY(add_pair(supply, row, k == 0, &kind, out));
  }
cleanup:
  return status;
}

ncc_status ncc_supply_next(ncc_supply *supply, int rank, int64_t n_given, ncc_supplied *out) {
  ncc_status status = NCC_OK;
  const ncc_work *work = supply->work;
  ncc_assignment *assignment = &supply->assignment;
  *out = (ncc_supplied){0};
  if (supply->n_again > 0) return take_again(supply, rank, out);
  NCC_TRY(ncc_schedule_take(supply->schedule, rank, n_given, assignment));
  if (assignment->n_chunks == 0) return NCC_OK;
  const int64_t n_pairs = assignment->n_pairs;
  NCC_TRY(make_room(supply, work->catalog->images.in_parts ? n_pairs : assignment->n_chunks, n_pairs, out));
  out->cost = assignment->cost;
  for (int64_t i = 0; i < assignment->n_chunks; i++) {
    NCC_TRY(add_chunk(supply, &assignment->chunks[i], out));
    take_uses(supply, &assignment->chunks[i]);
  }
  NCC_TRY(find_needs(supply, rank, out));
  supply->n_chunks += assignment->n_chunks;
cleanup:
  if (status != NCC_OK) ncc_supplied_clear(out);
  return status;
}
