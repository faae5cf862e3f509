/** The JSON report of `mpixcorr compare`. */
#include <jansson.h>
#include <math.h>

#include "app/compare.h"
#include "app/report.h"
#include "app/words.h"
#include "base/error.h"

/** JSON knows no NaN and no infinity. */
static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *answer(const compare_side *s, int64_t row) {
  const ncc_output_data *d = &s->data;
  json_t *coords = d->coords && d->coords[row][0] != -1
                       ? json_pack("[I, I]", (json_int_t)d->coords[row][0], (json_int_t)d->coords[row][1])
                       : json_null();
  return json_pack("{s:o, s:o, s:s}", "coords", coords, "peak", d->peaks ? number(d->peaks[row]) : json_null(),
                   "status", d->status ? ncc_pair_status_name((ncc_pair_status)d->status[row]) : "expected");
}

static json_t *worst(const compare_side *a, const compare_side *b, const comparison *c) {
  json_t *rows = json_array();
  for (int64_t i = 0; rows && i < c->n_differing && i < COMPARE_WORST; i++) {
    const compare_difference *d = &c->rows[i];
    json_array_append_new(
        rows, json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "row", (json_int_t)d->row, "image",
                        (json_int_t)a->data.pairs[d->row][0], "template", (json_int_t)a->data.pairs[d->row][1], "a",
                        answer(a, d->row), "b", answer(b, d->row), "coords_px", number(d->coords), "peak",
                        number(d->peak), "ncc_at_a", number(d->ncc_a), "ncc_at_b", number(d->ncc_b)));
  }
  return rows;
}

ncc_status ncc_compare_report(const compare_side *a, const compare_side *b, const compare_options *options,
                              const comparison *c) {
  json_t *report = json_pack(
      "{s:o, s:o, s:I, s:b, s:I, s:{s:f, s:f, s:f}, s:{s:I, s:I, s:f}, s:{s:I, s:I, s:o}, s:{s:I, s:I, s:f}, s:I, s:I, "
      "s:I, s:o, s:o}",
      "a", ncc_json_words(a->path), "b", ncc_json_words(b->path), "pairs", (json_int_t)a->data.n_pairs, "same",
      c->n_differing == 0, "differing", (json_int_t)c->n_differing, "tolerances", "coords_px", options->coord_tolerance,
      "peak", options->peak_tolerance, "angle_degrees", options->angle_tolerance, "coords", "compared",
      (json_int_t)c->n_coords, "equal", (json_int_t)c->same_coords, "largest_px", c->most_coords, "peaks", "compared",
      (json_int_t)c->n_peaks, "equal", (json_int_t)c->same_peaks, "largest", number(c->most_peak), "angles", "compared",
      (json_int_t)c->n_angles, "equal", (json_int_t)c->same_angles, "largest_degrees", c->most_angle, "status_differs",
      (json_int_t)c->n_status, "no_answer_on_both", (json_int_t)c->n_failed, "ties", (json_int_t)c->n_ties,
      "ties_evaluated_from", c->pixels[0] ? ncc_json_words(c->pixels) : json_null(), "worst", worst(a, b, c));
  return ncc_report_write_json(options->report, report);
}
