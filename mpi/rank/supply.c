#include "mpi/rank/supply.h"

#include <stdlib.h>

#include "base/error.h"

/** The counts of both objects of a row. */
static void counts_of(const ncc_supply *supply, int64_t row, uint32_t *counts[2]) {
  const ncc_work_row *pair = &supply->work->rows[row];
  counts[NCC_IMAGE] = &supply->uses[NCC_IMAGE][pair->image];
  counts[NCC_TEMPLATE] = &supply->uses[NCC_TEMPLATE][pair->tmpl];
}

ncc_status ncc_supply_create(const ncc_work *work, ncc_schedule *schedule, const ncc_input *named, int n_peaks,
                             ncc_supply *out) {
  ncc_status status = NCC_OK;
  const ncc_objects *objects[2] = {&work->catalog->images, &work->catalog->templates};
  *out = (ncc_supply){.work = work, .schedule = schedule, .named = named, .n_peaks = n_peaks};
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
  for (int kind = 0; kind < 2; kind++) free(supply->uses[kind]);
  *supply = (ncc_supply){0};
}

void ncc_supplied_clear(ncc_supplied *supplied) {
  ncc_batch_destroy(&supplied->batch);
  free(supplied->rows);
  supplied->rows = NULL;
}

/** Counts a batch's pairs as handed out, and marks what others will need again. */
static void take_uses(ncc_supply *supply, ncc_supplied *supplied) {
  const ncc_batch *batch = supplied->batch;
  for (int64_t i = 0; i < batch->n_pairs; i++) {
    uint32_t *counts[2];
    counts_of(supply, supplied->rows[i], counts);
    for (int kind = 0; kind < 2; kind++) *counts[kind] -= *counts[kind] < UINT32_MAX;
  }
  for (int64_t i = 0; i < batch->needs.n; i++) {
    ncc_need *need = &batch->needs.items[i];
    ncc_object object = ncc_catalog_object(supply->work->catalog, (ncc_object_kind)need->kind, need->index);
    need->again = supply->uses[need->kind][need->index] > 0;
    supplied->pixel_bytes += ncc_object_bytes(&object);
  }
}

ncc_status ncc_supply_next(ncc_supply *supply, int rank, int64_t n_given, ncc_supplied *out) {
  ncc_status status = NCC_OK;
  const ncc_work *work = supply->work;
  const ncc_rect *windows = work->windows;
  ncc_assignment *assignment = &supply->assignment;
  ncc_batch *batch = NULL;
  int64_t at = 0;
  *out = (ncc_supplied){0};
  NCC_TRY(ncc_schedule_take(supply->schedule, rank, n_given, assignment));
  if (assignment->n_chunks == 0) return NCC_OK;
  NCC_TRY(ncc_batch_create(assignment->n_chunks, assignment->n_pairs, windows != NULL, supply->n_peaks, &batch));
  out->batch = batch;
  out->cost = assignment->cost;
  out->rows = malloc((size_t)batch->n_pairs * sizeof *out->rows);
  NCC_CHECK(out->rows, NCC_ERR_NOMEM, "out of memory for a batch of %lld pairs", (long long)batch->n_pairs);
  for (int64_t i = 0; i < assignment->n_chunks; i++) {
    const ncc_chunk *chunk = &assignment->chunks[i];
    batch->pieces[i].image = work->rows[ncc_schedule_row(supply->schedule, chunk->first)].image;
    batch->pieces[i].count = chunk->count;
    for (int64_t k = 0; k < chunk->count; k++, at++) {
      int64_t row = out->rows[at] = ncc_schedule_row(supply->schedule, chunk->first + k);
      batch->templates[at] = work->rows[row].tmpl;
      if (windows) batch->windows[at] = windows[row];
    }
  }
  NCC_TRY(ncc_batch_find_needs(batch));
  if (supply->named && rank > 0) NCC_TRY(ncc_batch_find_names(batch, supply->named));
  take_uses(supply, out);
  batch->id = supply->n_batches++;
  supply->n_chunks += assignment->n_chunks;
cleanup:
  if (status != NCC_OK) ncc_supplied_clear(out);
  return status;
}
