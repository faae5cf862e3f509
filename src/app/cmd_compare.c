/** `mpixcorr compare`: results against results, or against the known answers of an input file. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/compare.h"
#include "app/report.h"
#include "base/text.h"
#include "io/input/input.h"
#include "options/run.h"

#define AT(member) offsetof(compare_options, member)

static const ncc_operand operands[] = {
    {"A", AT(a), "output file"},
    {"B", AT(b), "output file, or input file with /expected; A and B may change places"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "peak-tolerance",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(peak_tolerance),
     .argument = "T",
     .initial = "1e-9",
     .help = "peaks that differ by no more are the same",
     .min = 0,
     .max = 2},
    {.name = "coord-tolerance",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(coord_tolerance),
     .argument = "PX",
     .initial = "0",
     .help = "coordinates that differ by no more pixels in each direction are the same",
     .min = 0,
     .max = 1e9},
    {.name = "angle-tolerance",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(angle_tolerance),
     .argument = "DEG",
     .initial = "0",
     .help = "angles of turned templates that differ by no more degrees are the same",
     .min = 0,
     .max = 360},
    {.name = "ties",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(ties),
     .initial = "on",
     .default_words = "on",
     .help = "where coordinates differ, evaluate the NCC at both places in float64; values that differ by no more than "
             "--peak-tolerance are a tie, and a tie is no difference"},
    {.name = "input",
     .kind = NCC_OPTION_STRING,
     .offset = AT(input),
     .argument = "FILE",
     .default_words = "A or B, or where the results say that it was",
     .help = "input file with the pixels for that"},
    NCC_ROOT_OPTION_ROW(compare_options, root),
    {.name = "report",
     .kind = NCC_OPTION_STRING,
     .offset = AT(report),
     .argument = "FILE.json",
     .default_words = "none",
     .help = "write counts, largest differences and the worst pairs to a JSON file"},
    {.name = NULL},
};

const ncc_command ncc_compare_command = {
    .name = "compare",
    .summary = "Compare results with results, or with the known answers of an input file.",
    .details =
        "Pairs that have no answer on both sides for the same reason (nonfinite, unreadable, invalid) are the "
        "same.\nExit code 1: something differs.",
    .examples =
        "mpixcorr compare peaks.h5 in.h5\tagainst the known answers of 'generate'\n"
        "mpixcorr compare new.h5 old.h5 --coord-tolerance 1",
    .operands = operands,
    .options = options,
};

static ncc_status load_expected(const char *path, ncc_output_data *out) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  NCC_TRY(ncc_input_open_tables(path, &input));
  const ncc_catalog *catalog = ncc_input_catalog(input);
  NCC_TRY(ncc_input_expected(input, &out->coords, &out->peaks));
  NCC_TRY(ncc_input_expected_angles(input, &out->angles));
  NCC_CHECK(out->coords || out->peaks, NCC_ERR_INPUT,
            "%s: an input file without /expected found, expected known answers or an output file", path);
  out->n_pairs = catalog->n_pairs;
  out->pairs = malloc((size_t)(catalog->n_pairs ? catalog->n_pairs : 1) * sizeof *out->pairs);
  NCC_CHECK(out->pairs, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs", path, catalog->n_pairs);
  memcpy(out->pairs, catalog->pairs, (size_t)catalog->n_pairs * sizeof *out->pairs);
cleanup:
  ncc_input_close(&input);
  return status;
}

static ncc_status side_load(const char *path, compare_side *out) {
  ncc_status status = NCC_OK;
  bool is_output;
  *out = (compare_side){.path = path};
  NCC_TRY(ncc_output_recognise(path, &is_output));
  out->expected = !is_output;
  NCC_TRY(is_output ? ncc_output_load(path, &out->data) : load_expected(path, &out->data));
cleanup:
  return status;
}

/** Both files must be about the same pairs. */
static ncc_status check_pairs(const compare_side *a, const compare_side *b) {
  ncc_status status = NCC_OK;
  const ncc_output_data *p = &a->data, *q = &b->data;
  NCC_CHECK(!a->expected || !b->expected, NCC_ERR_INPUT, "%s, %s: two input files found, expected at least one output",
            a->path, b->path);
  NCC_CHECK(p->n_pairs == q->n_pairs, NCC_ERR_INPUT, "%s: /pairs: %" PRId64 " rows found, %s has %" PRId64, a->path,
            p->n_pairs, b->path, q->n_pairs);
  for (int64_t row = 0; row < p->n_pairs; ++row) {
    NCC_CHECK(p->pairs[row][0] == q->pairs[row][0] && p->pairs[row][1] == q->pairs[row][1], NCC_ERR_INPUT,
              "%s: /pairs row %" PRId64 ": (%" PRId64 ", %" PRId64 ") found, %s has (%" PRId64 ", %" PRId64 ")",
              a->path, row, p->pairs[row][0], p->pairs[row][1], b->path, q->pairs[row][0], q->pairs[row][1]);
  }
cleanup:
  return status;
}

/** Whether a side gives no position and no peak: failed or pending. */
static bool has_no_answer(const compare_side *s, int64_t row) {
  const int status = s->data.status ? s->data.status[row] : NCC_PAIR_OK;
  return status != NCC_PAIR_OK && status != NCC_PAIR_FLAT && status != NCC_PAIR_UNCERTAIN;
}

static bool coords_known(const compare_side *s, int64_t row) {
  return s->data.coords && (!s->expected || s->data.coords[row][0] != -1);
}

static bool peak_known(const compare_side *s, int64_t row) {
  return s->data.peaks && (!s->expected || !isnan(s->data.peaks[row]));
}

static compare_difference compare_row(const compare_side *a, const compare_side *b, int64_t row,
                                      const compare_options *tolerances) {
  compare_difference d = {.row = row, .coords = NAN, .peak = NAN, .angle = NAN, .ncc_a = NAN, .ncc_b = NAN};
  const bool both_coords = coords_known(a, row) && coords_known(b, row);
  const bool both_peaks = peak_known(a, row) && peak_known(b, row);
  const bool a_fails = has_no_answer(a, row), b_fails = has_no_answer(b, row);
  if (a->data.status && b->data.status) {
    d.status = a->data.status[row] != b->data.status[row] || a->data.status[row] == NCC_PAIR_PENDING;
  } else {
    d.status = (a_fails || b_fails) && (both_coords || both_peaks);
  }
  if (!a_fails && !b_fails) {
    if (both_coords) {
      const int64_t *p = a->data.coords[row], *q = b->data.coords[row];
      d.coords = fmax(fabs((double)(p[0] - q[0])), fabs((double)(p[1] - q[1])));
    }
    if (both_peaks) {
      d.peak = fabs(a->data.peaks[row] - b->data.peaks[row]);
      if (isnan(d.peak)) d.peak = INFINITY;  // an answer without a number is as wrong as can be
    }
  }
  if (!a_fails && !b_fails && a->data.angles && b->data.angles)
    d.angle = fabs(a->data.angles[row] - b->data.angles[row]);
  d.turned = d.angle > tolerances->angle_tolerance;
  d.elsewhere = d.coords > tolerances->coord_tolerance;
  d.differs = d.status || d.elsewhere || d.turned || d.peak > tolerances->peak_tolerance;
  return d;
}

/** Worst first: statuses, then coordinates, then peaks, then by row. */
static int compare_severity(const void *pa, const void *pb) {
  const compare_difference *a = pa, *b = pb;
  if (a->status != b->status) return a->status ? -1 : 1;
  const double ac = isnan(a->coords) || a->tie ? 0 : a->coords, bc = isnan(b->coords) || b->tie ? 0 : b->coords;
  if (ac != bc) return ac > bc ? -1 : 1;
  const double ap = isnan(a->peak) ? 0 : a->peak, bp = isnan(b->peak) ? 0 : b->peak;
  if (ap != bp) return ap > bp ? -1 : 1;
  return (a->row > b->row) - (a->row < b->row);
}

/** Compares all rows; keeps those that differ, worst first. */
static ncc_status compare_sides(const compare_side *a, const compare_side *b, const compare_options *tolerances,
                                comparison *out) {
  ncc_status status = NCC_OK;
  const int64_t n = a->data.n_pairs;
  out->rows = malloc((size_t)(n ? n : 1) * sizeof *out->rows);
  NCC_CHECK(out->rows, NCC_ERR_NOMEM, "compare: no memory for %" PRId64 " pairs", n);
  for (int64_t row = 0; row < n; ++row) {
    const compare_difference d = compare_row(a, b, row, tolerances);
    if (d.differs) out->rows[out->n_rows++] = d;
    out->n_status += d.status;
    out->n_failed += !d.status && (has_no_answer(a, row) || has_no_answer(b, row));
    if (!isnan(d.coords)) {
      out->n_coords++;
      out->same_coords += !d.elsewhere;
      out->most_coords = fmax(out->most_coords, d.coords);
    }
    if (!isnan(d.peak)) {
      out->n_peaks++;
      out->same_peaks += d.peak <= tolerances->peak_tolerance;
      out->most_peak = fmax(out->most_peak, d.peak);
    }
    if (!isnan(d.angle)) {
      out->n_angles++;
      out->same_angles += !d.turned;
      out->most_angle = fmax(out->most_angle, d.angle);
    }
  }
  if (tolerances->ties) NCC_TRY(ncc_compare_ties(a, b, tolerances, out));
  for (int64_t i = 0; i < out->n_rows; ++i) {
    compare_difference *d = &out->rows[i];
    if (d->tie) d->differs = d->turned || d->peak > tolerances->peak_tolerance;
    if (d->differs) out->rows[out->n_differing++] = *d;
  }
  qsort(out->rows, (size_t)out->n_differing, sizeof *out->rows, compare_severity);
cleanup:
  return status;
}

/* ---- in words -------------------------------------------------------------------------------------------------- */

static void print_answer(const compare_side *s, int64_t row) {
  char coords[48] = "-";
  if (s->data.coords && s->data.coords[row][0] != -1)
    snprintf(coords, sizeof coords, "(%" PRId64 ", %" PRId64 ")", s->data.coords[row][0], s->data.coords[row][1]);
  printf("  %-16s", coords);
  if (s->data.peaks) {
    printf(" %12.9f", s->data.peaks[row]);
  } else {
    printf(" %12s", "-");
  }
  printf("  %-10s", s->data.status ? ncc_pair_status_name((ncc_pair_status)s->data.status[row]) : "expected");
}

static void print_worst(const compare_side *a, const compare_side *b, const comparison *c) {
  const int64_t n = c->n_differing;
  const bool evaluated = c->pixels[0] != '\0';
  printf("\n%s %" PRId64 " that differ, worst first; first answers of %s, then of %s%s:\n",
         n > COMPARE_WORST ? "10 of" : "The", n, ncc_text_show(a->path), ncc_text_show(b->path),
         evaluated ? ", then the NCC at both places" : "");
  printf("%10s %8s %8s  %-16s %12s  %-10s  %-16s %12s  %-10s%s\n", "row", "image", "template", "coords", "peak",
         "status", "coords", "peak", "status", evaluated ? "  NCC at first  NCC at second" : "");
  for (int64_t i = 0; i < n && i < COMPARE_WORST; ++i) {
    const compare_difference *d = &c->rows[i];
    printf("%10" PRId64 " %8" PRId64 " %8" PRId64, d->row, a->data.pairs[d->row][0], a->data.pairs[d->row][1]);
    print_answer(a, d->row);
    print_answer(b, d->row);
    if (!isnan(d->ncc_a) || !isnan(d->ncc_b)) printf("  %12.9f  %13.9f", d->ncc_a, d->ncc_b);
    printf("\n");
  }
}

static void print_comparison(const compare_side *a, const compare_side *b, const compare_options *tolerances,
                             const comparison *c) {
  printf("%s and %s%s: %" PRId64 " pairs\n", ncc_text_show(a->path), ncc_text_show(b->path),
         a->expected || b->expected ? " (known answers against results)" : "", a->data.n_pairs);
  printf("  coordinates  %" PRId64 " of %" PRId64 " equal within %g px; largest difference %g px\n", c->same_coords,
         c->n_coords, tolerances->coord_tolerance, c->most_coords);
  if (c->n_ties)
    printf("  ties         %" PRId64 " of the other places have the same NCC within %g (float64, pixels of %s)\n",
           c->n_ties, tolerances->peak_tolerance, c->pixels);
  if (c->no_pixels[0]) printf("  ties         not looked for: %s\n", c->no_pixels);
  printf("  peaks        %" PRId64 " of %" PRId64 " equal within %g; largest difference %.3g\n", c->same_peaks,
         c->n_peaks, tolerances->peak_tolerance, c->most_peak);
  if (c->n_angles)
    printf("  angles       %" PRId64 " of %" PRId64 " equal within %g degrees; largest difference %g degrees\n",
           c->same_angles, c->n_angles, tolerances->angle_tolerance, c->most_angle);
  if (c->n_status) printf("  status       %" PRId64 " pairs differ or have no answer\n", c->n_status);
  if (c->n_failed) printf("  no answer    %" PRId64 " pairs, alike on both sides\n", c->n_failed);
  if (c->n_differing) print_worst(a, b, c);
  printf("%s\n", c->n_differing ? "different" : "the same");
}

ncc_status ncc_cmd_compare(int argc, char **argv) {
  ncc_status status = NCC_OK;
  compare_options values = {0};
  compare_side a = {0}, b = {0};
  comparison found = {0};
  bool help = false;
  NCC_TRY(ncc_command_parse(&ncc_compare_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_compare_command, stdout);
    return NCC_OK;
  }
  if (values.report) NCC_TRY(ncc_report_check(values.report));
  NCC_TRY(side_load(values.a, &a));
  NCC_TRY(side_load(values.b, &b));
  NCC_TRY(check_pairs(&a, &b));
  NCC_TRY(compare_sides(&a, &b, &values, &found));
  print_comparison(&a, &b, &values, &found);
  if (values.report) NCC_TRY(ncc_compare_report(&a, &b, &values, &found));
  NCC_CHECK(found.n_differing == 0, NCC_ERR_DIFFERENT, "%s and %s differ in %" PRId64 " of %" PRId64 " pairs", a.path,
            b.path, found.n_differing, a.data.n_pairs);
cleanup:
  free(found.rows);
  ncc_output_data_clear(&a.data);
  ncc_output_data_clear(&b.data);
  return status;
}
