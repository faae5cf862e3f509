#include "mpi/rank/handout.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

ncc_status ncc_handout_create(int64_t n_pieces, int64_t n_pairs, bool windows, bool rows, ncc_handout **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_handout *handout = calloc(1, sizeof *handout);
  NCC_CHECK(handout, NCC_ERR_NOMEM, "out of memory for a hand-out");
  handout->refs = 1;
  handout->n_pieces = n_pieces;
  handout->n_pairs = n_pairs;
  size_t n = (size_t)n_pairs;
  handout->pieces = calloc((size_t)n_pieces, sizeof *handout->pieces);
  handout->templates = calloc(n, sizeof *handout->templates);
  handout->results = calloc(n, sizeof *handout->results); /* all pending */
  if (windows) handout->windows = calloc(n, sizeof *handout->windows);
  if (rows) handout->rows = calloc(n, sizeof *handout->rows);
  NCC_CHECK(handout->pieces && handout->templates && handout->results && (!windows || handout->windows) &&
                (!rows || handout->rows),
            NCC_ERR_NOMEM, "out of memory for a hand-out of %lld pairs", (long long)n_pairs);
  *out = handout;
  handout = NULL;
cleanup:
  ncc_handout_release(handout);
  return status;
}

void ncc_handout_release(void *object) {
  ncc_handout *handout = object;
  if (!handout || --handout->refs > 0) return;
  ncc_handout_drop_pixels(handout);
  free(handout->pieces);
  free(handout->templates);
  free(handout->windows);
  free(handout->rows);
  free(handout->needs);
  free(handout->results);
  free(handout);
}

/* ---- needs ------------------------------------------------------------------------------------------------------ */

static int compare_needs(const void *left, const void *right) {
  const ncc_need *a = left, *b = right;
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  return (a->index > b->index) - (a->index < b->index);
}

ncc_status ncc_handout_find_needs(ncc_handout *handout) {
  ncc_status status = NCC_OK;
  int64_t n = 0;
  free(handout->needs);
  handout->n_needs = 0;
  ncc_need *needs = handout->needs = calloc((size_t)(handout->n_pieces + handout->n_pairs), sizeof *needs);
  NCC_CHECK(needs, NCC_ERR_NOMEM, "out of memory for a hand-out of %lld pairs", (long long)handout->n_pairs);
  for (int64_t i = 0; i < handout->n_pieces; i++)
    needs[n++] = (ncc_need){.kind = NCC_IMAGE, .index = handout->pieces[i].image};
  for (int64_t i = 0; i < handout->n_pairs; i++)
    needs[n++] = (ncc_need){.kind = NCC_TEMPLATE, .index = handout->templates[i]};
  bool sorted = true; /* most are: images and templates come in the file's order */
  for (int64_t i = 1; i < n && sorted; i++) sorted = compare_needs(&needs[i - 1], &needs[i]) <= 0;
  if (!sorted) qsort(needs, (size_t)n, sizeof *needs, compare_needs);
  for (int64_t i = 0; i < n; i++)
    if (i == 0 || compare_needs(&needs[handout->n_needs - 1], &needs[i]) != 0) needs[handout->n_needs++] = needs[i];
cleanup:
  return status;
}

ncc_need *ncc_handout_need(const ncc_handout *handout, ncc_object_kind kind, int64_t index) {
  ncc_need key = {.kind = (uint8_t)kind, .index = index};
  return bsearch(&key, handout->needs, (size_t)handout->n_needs, sizeof key, compare_needs);
}

const ncc_pixels *ncc_handout_pixels(const ncc_handout *handout, ncc_object_kind kind, int64_t index) {
  const ncc_need *need = ncc_handout_need(handout, kind, index);
  return need ? need->pixels : NULL;
}

void ncc_handout_drop_pixels(ncc_handout *handout) {
  for (int64_t i = 0; i < handout->n_needs; i++) ncc_pixels_release(&handout->needs[i].pixels);
}

/* ---- what is kept ----------------------------------------------------------------------------------------------- */

const ncc_need *ncc_kept_find(const ncc_kept *kept, const ncc_need *need) {
  if (kept->n_needs == 0) return NULL;
  return bsearch(need, kept->needs, (size_t)kept->n_needs, sizeof *need, compare_needs);
}

ncc_status ncc_kept_replace(ncc_kept *kept, const ncc_handout *handout, bool with_pixels) {
  ncc_status status = NCC_OK;
  ncc_need *needs = malloc((size_t)handout->n_needs * sizeof *needs);
  NCC_CHECK(needs, NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)handout->n_needs);
  ncc_kept_clear(kept);
  kept->needs = needs;
  for (int64_t i = 0; i < handout->n_needs; i++) {
    if (handout->needs[i].state == NCC_NEED_MISSING) continue;
    needs[kept->n_needs] = handout->needs[i];
    needs[kept->n_needs++].pixels = with_pixels ? ncc_pixels_share(handout->needs[i].pixels) : NULL;
  }
cleanup:
  return status;
}

void ncc_kept_clear(ncc_kept *kept) {
  for (int64_t i = 0; i < kept->n_needs; i++) ncc_pixels_release(&kept->needs[i].pixels);
  free(kept->needs);
  *kept = (ncc_kept){0};
}
