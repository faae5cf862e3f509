/** Ties of `mpixcorr compare`: two places that differ, with the same NCC. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/compare.h"
#include "app/pair_source.h"
#include "base/error.h"
#include "base/text.h"
#include "match/map.h"

/** Opens the pixels behind the results; NULL, and the reason in out->no_pixels, where they are not at hand. */
static ncc_pair_source *open_pixels(const compare_side *a, const compare_side *b, const compare_options *options,
                                    ncc_search *search, comparison *out) {
  const compare_side *results = a->expected ? b : a;
  const char *path = options->input ? options->input : a->expected ? a->path : b->expected ? b->path : NULL;
  ncc_pair_source *source = NULL;
  ncc_mask_values values;
  if (ncc_search_of_results(results->path, &results->data, search, &values) != NCC_OK ||
      ncc_pair_source_of_results(&results->data, path, options->root, true, &source) != NCC_OK ||
      ncc_pair_source_filter(source, search, &values) != NCC_OK) {
    snprintf(out->no_pixels, sizeof out->no_pixels, "%s", ncc_error_message());
    ncc_pair_source_close(&source);
    return NULL;
  }
  ncc_text_show_into(ncc_pair_source_catalog(source)->path, out->pixels, sizeof out->pixels);
  return source;
}

/** A row to be evaluated; sorted by image, so that each image is read once. */
typedef struct candidate {
  int64_t image;
  compare_difference *difference;
} candidate;

static int compare_candidates(const void *pa, const void *pb) {
  const candidate *a = pa, *b = pb;
  if (a->image != b->image) return a->image < b->image ? -1 : 1;
  return (a->difference->row > b->difference->row) - (a->difference->row < b->difference->row);
}

/** Evaluates one row. @return false where its pixels cannot be read or evaluated. */
static bool evaluate(ncc_pair_source *source, const ncc_search *search, const compare_side *a, const compare_side *b,
                     compare_difference *d) {
  ncc_pair_pixels pixels;
  double values[2];
  const int64_t *p = a->data.coords[d->row], *q = b->data.coords[d->row];
  const int64_t places[2][2] = {{p[0], p[1]}, {q[0], q[1]}};
  for (int side = 0; side < 2; side++) {
    const ncc_output_data *own = side ? &b->data : &a->data, *other = side ? &a->data : &b->data;
    const double *angles = own->angles ? own->angles : other->angles;
    if (ncc_pair_source_read(source, d->row, &pixels) != NCC_OK ||
        ncc_pair_source_turn(source, angles ? angles[d->row] : NAN, &pixels) != NCC_OK ||
        ncc_map_evaluate(search, &pixels, ncc_few_threads(), 1, &places[side], &values[side]) != NCC_OK)
      return false;
  }
  d->ncc_a = values[0];
  d->ncc_b = values[1];
  return true;
}

/** Whether the pixels bear out what a side says: results that do not belong to these pixels are no tie. Known answers
 * may have been normalised otherwise. */
static bool borne_out(const compare_side *side, int64_t row, double ncc, double tolerance) {
  return side->expected || fabs(side->data.peaks[row] - ncc) <= tolerance;
}

ncc_status ncc_compare_ties(const compare_side *a, const compare_side *b, const compare_options *options,
                            comparison *out) {
  ncc_status status = NCC_OK;
  ncc_pair_source *source = NULL;
  ncc_search search;
  int64_t n = 0;
  candidate *candidates = malloc((size_t)(out->n_rows ? out->n_rows : 1) * sizeof *candidates);
  NCC_CHECK(candidates, NCC_ERR_NOMEM, "compare: no memory for %lld rows", (long long)out->n_rows);
  for (int64_t i = 0; i < out->n_rows; i++) {
    compare_difference *d = &out->rows[i];
    if (d->elsewhere && !d->status) candidates[n++] = (candidate){a->data.pairs[d->row][0], d};
  }
  if (n == 0) goto cleanup;
  source = open_pixels(a, b, options, &search, out);
  if (!source) goto cleanup;
  qsort(candidates, (size_t)n, sizeof *candidates, compare_candidates);
  for (int64_t i = 0; i < n; i++) {
    compare_difference *d = candidates[i].difference;
    if (!evaluate(source, &search, a, b, d)) continue;
    double tolerance = fmax(options->peak_tolerance, 1e-12);
    d->tie = fabs(d->ncc_a - d->ncc_b) <= tolerance && borne_out(a, d->row, d->ncc_a, tolerance) &&
             borne_out(b, d->row, d->ncc_b, tolerance);
    out->n_ties += d->tie;
  }

cleanup:
  free(candidates);
  ncc_pair_source_close(&source);
  return status;
}
