#include "mpi/rank/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "match/result.h"

int64_t ncc_batch_pair_bytes(bool windows, int n_peaks) {
  /* a row of /pairs, and a piece with an image where each has but one pair */
  return (int64_t)(sizeof(int64_t) + sizeof(ncc_piece) + sizeof(int64_t) + sizeof(ncc_result) + 2 * sizeof(ncc_need) +
                   (windows ? sizeof(ncc_rect) : 0) + (size_t)n_peaks * sizeof(ncc_peak));
}

ncc_status ncc_batch_create(int64_t n_pieces, int64_t n_pairs, bool windows, int n_peaks, ncc_batch **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_batch *batch = calloc(1, sizeof *batch);
  NCC_CHECK(batch, NCC_ERR_NOMEM, "out of memory for a batch");
  batch->n_pieces = n_pieces;
  batch->n_pairs = n_pairs;
  size_t n = (size_t)n_pairs;
  batch->pieces = calloc((size_t)n_pieces, sizeof *batch->pieces);
  batch->templates = calloc(n, sizeof *batch->templates);
  batch->results = calloc(n, sizeof *batch->results); /* all pending */
  if (windows) batch->windows = calloc(n, sizeof *batch->windows);
  batch->n_peaks = n_peaks;
  if (n_peaks) batch->peaks = calloc(n * (size_t)n_peaks, sizeof *batch->peaks);
  NCC_CHECK(
      batch->pieces && batch->templates && batch->results && (!windows || batch->windows) && (!n_peaks || batch->peaks),
      NCC_ERR_NOMEM, "out of memory for a batch of %lld pairs", (long long)n_pairs);
  *out = batch;
  batch = NULL;
cleanup:
  ncc_batch_destroy(&batch);
  return status;
}

void ncc_batch_destroy(ncc_batch **out) {
  ncc_batch *batch = *out;
  if (!batch) return;
  ncc_batch_drop_pixels(batch);
  free(batch->pieces);
  free(batch->templates);
  free(batch->windows);
  free(batch->needs.items);
  free(batch->names);
  free(batch->name_text);
  free(batch->results);
  free(batch->peaks);
  free(batch->unreadable);
  free(batch);
  *out = NULL;
}

/** Images before templates, each by its row. */
static int compare_objects(int64_t a_kind, int64_t a, int64_t b_kind, int64_t b) {
  return a_kind != b_kind ? (a_kind < b_kind ? -1 : 1) : (a > b) - (a < b);
}

static int compare_need_objects(const void *left, const void *right) {
  const ncc_need *a = left, *b = right;
  return compare_objects(a->kind, a->index, b->kind, b->index);
}

static int compare_needs(const void *left, const void *right) {
  const int order = compare_need_objects(left, right);
  const ncc_need *a = left, *b = right;
  return order ? order : (a->piece > b->piece) - (a->piece < b->piece);
}

/** The piece that an image is needed for. */
static int64_t key_piece(const ncc_batch *batch, int64_t piece) {
  return batch->pieces[piece].part.y1 > 0 ? piece : NCC_WHOLE;
}

ncc_status ncc_batch_find_needs(ncc_batch *batch) {
  ncc_status status = NCC_OK;
  int64_t n = 0;
  ncc_needs *needs = &batch->needs;
  ncc_need *items = needs->items = calloc((size_t)(batch->n_pieces + batch->n_pairs), sizeof *items);
  NCC_CHECK(items, NCC_ERR_NOMEM, "out of memory for a batch of %lld pairs", (long long)batch->n_pairs);
  for (int64_t i = 0; i < batch->n_pieces; i++)
    items[n++] = (ncc_need){.kind = NCC_IMAGE, .index = batch->pieces[i].image, .piece = key_piece(batch, i)};
  for (int64_t i = 0; i < batch->n_pairs; i++)
    items[n++] = (ncc_need){.kind = NCC_TEMPLATE, .index = batch->templates[i], .piece = NCC_WHOLE};
  bool sorted = true; /* most are: images and templates come in the file's order */
  for (int64_t i = 1; i < n && sorted; i++) sorted = compare_needs(&items[i - 1], &items[i]) <= 0;
  if (!sorted) qsort(items, (size_t)n, sizeof *items, compare_needs);
  for (int64_t i = 0; i < n; i++)
    if (i == 0 || compare_needs(&items[needs->n - 1], &items[i]) != 0) items[needs->n++] = items[i];
cleanup:
  return status;
}

/* ---- names of sources ---------------------------------------------------------------------------------------------
 */

static int compare_names(const void *left, const void *right) {
  const ncc_batch_name *a = left, *b = right;
  return compare_objects(a->kind, a->index, b->kind, b->index);
}

ncc_status ncc_batch_find_names(ncc_batch *batch, const ncc_input *input) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = ncc_input_catalog(input);
  int64_t n = 0;
  bool any = false;
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) any |= ncc_input_has_sources(input, (ncc_object_kind)kind);
  if (!any) return NCC_OK;
  ncc_batch_name *names = batch->names = malloc(2 * (size_t)batch->needs.n * sizeof *names);
  NCC_CHECK(names, NCC_ERR_NOMEM, "out of memory for %lld sources", (long long)batch->needs.n);
  for (int64_t i = 0; i < batch->needs.n; i++) {
    ncc_batch_name name = {.index = batch->needs.items[i].index, .kind = batch->needs.items[i].kind};
    ncc_object_kind mask = (ncc_object_kind)name.kind;
    const int64_t mask_index = ncc_input_mask_index(input, &mask, name.index);
    if (mask_index >= 0 && ncc_input_has_sources(input, mask))
      names[n++] = (ncc_batch_name){.index = mask_index, .kind = mask};
    const ncc_object object = ncc_catalog_object(catalog, (ncc_object_kind)name.kind, name.index);
    if (object.box_image >= 0) name = (ncc_batch_name){.index = object.box_image, .kind = NCC_IMAGE};
    if (ncc_input_has_sources(input, (ncc_object_kind)name.kind)) names[n++] = name;
  }
  qsort(names, (size_t)n, sizeof *names, compare_names);
  for (int64_t i = 0; i < n; i++)
    if (i == 0 || compare_names(&names[batch->n_names - 1], &names[i]) != 0) names[batch->n_names++] = names[i];
  for (int64_t i = 0; i < batch->n_names; i++) {
    names[i].at = batch->name_bytes;
    batch->name_bytes += (int64_t)strlen(ncc_input_source(input, (ncc_object_kind)names[i].kind, names[i].index)) + 1;
  }
  batch->name_text = malloc((size_t)batch->name_bytes + 1);
  NCC_CHECK(batch->name_text, NCC_ERR_NOMEM, "out of memory for %lld sources", (long long)n);
  for (int64_t i = 0; i < batch->n_names; i++)
    strcpy(batch->name_text + names[i].at, ncc_input_source(input, (ncc_object_kind)names[i].kind, names[i].index));
cleanup:
  return status;
}

const char *ncc_batch_name_of(void *context, ncc_object_kind kind, int64_t index) {
  const ncc_batch *batch = context;
  const ncc_batch_name key = {.index = index, .kind = kind};
  const ncc_batch_name *found =
      batch->n_names == 0 ? NULL : bsearch(&key, batch->names, (size_t)batch->n_names, sizeof key, compare_names);
  return found ? batch->name_text + found->at : NULL;
}

ncc_need *ncc_batch_image(const ncc_batch *batch, int64_t piece) {
  return ncc_needs_find(&batch->needs, NCC_IMAGE, batch->pieces[piece].image, key_piece(batch, piece));
}

ncc_need *ncc_batch_template(const ncc_batch *batch, int64_t pair) {
  return ncc_needs_find(&batch->needs, NCC_TEMPLATE, batch->templates[pair], NCC_WHOLE);
}

int64_t ncc_need_bytes(const ncc_batch *batch, const ncc_need *need, const ncc_catalog *catalog, ncc_rect *part) {
  const ncc_object object = ncc_catalog_object(catalog, (ncc_object_kind)need->kind, need->index);
  *part = need->piece == NCC_WHOLE ? ncc_object_rect(&object) : batch->pieces[need->piece].part;
  return ncc_object_bytes_of(&object, (part->y1 - part->y0) * (part->x1 - part->x0));
}

void ncc_batch_move_results(ncc_batch *batch) {
  for (int64_t i = 0, pair = 0; i < batch->n_pieces; pair += batch->pieces[i++].count) {
    const ncc_rect *part = &batch->pieces[i].part;
    if (part->y0 == 0 && part->x0 == 0) continue;
    for (int64_t k = pair; k < pair + batch->pieces[i].count; k++) {
      ncc_result_move(&batch->results[k], part->y0, part->x0);
      if (batch->peaks && batch->results[k].status != NCC_PAIR_PENDING)
        ncc_peaks_move(batch->peaks + k * batch->n_peaks, batch->n_peaks, part->y0, part->x0);
    }
  }
}

int64_t ncc_batch_shipped_bytes(const ncc_batch *batch) {
  int64_t bytes = 0;
  for (int64_t i = 0; i < batch->needs.n; i++) {
    const ncc_need *need = &batch->needs.items[i];
    if (need->state == NCC_NEED_SHIPPED && need->pixels) bytes += need->pixels->bytes;
  }
  return bytes;
}

void ncc_batch_drop_pixels(ncc_batch *batch) {
  for (int64_t i = 0; i < batch->needs.n; i++) ncc_pixels_release(&batch->needs.items[i].pixels);
}

ncc_status ncc_batch_note_unreadable(ncc_batch *batch, ncc_object_kind kind, int64_t index) {
  ncc_status status = NCC_OK;
  const ncc_unreadable *last = batch->n_unreadable ? &batch->unreadable[batch->n_unreadable - 1] : NULL;
  if (last && last->kind == (int64_t)kind && last->index == index) return NCC_OK;
  ncc_unreadable *list = realloc(batch->unreadable, (size_t)(batch->n_unreadable + 1) * sizeof *list);
  NCC_CHECK(list, NCC_ERR_NOMEM, "out of memory for objects that cannot be read");
  batch->unreadable = list;
  list += batch->n_unreadable++;
  *list = (ncc_unreadable){.index = index, .kind = kind};
  snprintf(list->reason, sizeof list->reason, "%.*s", NCC_MESSAGE_TEXT - 1, ncc_error_message());
cleanup:
  return status;
}

ncc_need *ncc_needs_find(const ncc_needs *needs, ncc_object_kind kind, int64_t index, int64_t piece) {
  ncc_need key = {.kind = (uint8_t)kind, .index = index, .piece = piece};
  return needs->n == 0 ? NULL : bsearch(&key, needs->items, (size_t)needs->n, sizeof key, compare_needs);
}

bool ncc_needs_some(const ncc_needs *needs, ncc_object_kind kind, int64_t index) {
  ncc_need key = {.kind = (uint8_t)kind, .index = index};
  return needs->n > 0 && bsearch(&key, needs->items, (size_t)needs->n, sizeof key, compare_need_objects);
}

ncc_status ncc_needs_remember(ncc_needs *had, const ncc_batch *batch) {
  ncc_status status = NCC_OK;
  ncc_need *items = malloc((size_t)batch->needs.n * sizeof *items);
  NCC_CHECK(items, NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)batch->needs.n);
  free(had->items);
  *had = (ncc_needs){.items = items};
  for (int64_t i = 0; i < batch->needs.n; i++) {
    if (batch->needs.items[i].state == NCC_NEED_MISSING || batch->needs.items[i].piece != NCC_WHOLE) continue;
    items[had->n] = batch->needs.items[i];
    items[had->n++].pixels = NULL;
  }
cleanup:
  return status;
}
