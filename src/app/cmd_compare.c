/** `mpixcorr compare`: results against results, or against the known answers of an input file. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "option_table.h"
#include "output.h"

typedef struct compare_options {
  const char *a, *b;
  double peak_tolerance, coord_tolerance;
} compare_options;

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
    {.name = NULL},
};

static const ncc_command command = {
    .name = "compare",
    .summary = "Compare results with results, or with the known answers of an input file.",
    .details =
        "Pairs that have no answer on both sides for the same reason (nonfinite, unreadable, invalid) are the "
        "same.\nExit code 1: something differs.",
    .operands = operands,
    .options = options,
};

/** One of the two files. */
typedef struct side {
  const char *path;
  bool expected; /**< known answers, without a status */
  int64_t n;
  int64_t (*pairs)[2];
  int64_t (*coords)[2]; /**< NULL where an input only knows peaks; -1: not known */
  double *peaks;        /**< NULL where an input only knows coordinates; NaN: not known */
  uint8_t *status;      /**< NULL for known answers */
} side;

static void side_clear(side *s) {
  free(s->pairs);
  free(s->coords);
  free(s->peaks);
  free(s->status);
  *s = (side){0};
}

static ncc_status load_expected(const char *path, side *out) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  NCC_TRY(ncc_input_open(path, &input));
  const ncc_catalog *catalog = ncc_input_catalog(input);
  NCC_TRY(ncc_input_expected(input, &out->coords, &out->peaks));
  NCC_CHECK(out->coords || out->peaks, NCC_ERR_INPUT,
            "%s: an input file without /expected found, expected known answers or an output file", path);
  out->n = catalog->n_pairs;
  out->pairs = malloc((size_t)(out->n ? out->n : 1) * sizeof *out->pairs);
  NCC_CHECK(out->pairs, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs", path, out->n);
  memcpy(out->pairs, catalog->pairs, (size_t)out->n * sizeof *out->pairs);
cleanup:
  ncc_input_close(&input);
  return status;
}

static ncc_status load_output(const char *path, side *out) {
  ncc_status status = NCC_OK;
  ncc_output_data data;
  NCC_TRY(ncc_output_load(path, &data));
  out->n = data.n_pairs;
  out->pairs = data.pairs;
  out->coords = data.coords;
  out->peaks = data.peaks;
  out->status = data.status;
  data.pairs = data.coords = NULL;
  data.peaks = NULL;
  data.status = NULL;
cleanup:
  ncc_output_data_clear(&data);
  return status;
}

static ncc_status side_load(const char *path, side *out) {
  ncc_status status = NCC_OK;
  bool is_output;
  *out = (side){.path = path};
  NCC_TRY(ncc_output_recognise(path, &is_output));
  out->expected = !is_output;
  NCC_TRY(is_output ? load_output(path, out) : load_expected(path, out));
cleanup:
  return status;
}

/** Both files must be about the same pairs. */
static ncc_status check_pairs(const side *a, const side *b) {
  ncc_status status = NCC_OK;
  NCC_CHECK(!a->expected || !b->expected, NCC_ERR_INPUT, "%s, %s: two input files found, expected at least one output",
            a->path, b->path);
  NCC_CHECK(a->n == b->n, NCC_ERR_INPUT, "%s: /pairs: %" PRId64 " rows found, %s has %" PRId64, a->path, a->n, b->path,
            b->n);
  for (int64_t row = 0; row < a->n; ++row) {
    NCC_CHECK(a->pairs[row][0] == b->pairs[row][0] && a->pairs[row][1] == b->pairs[row][1], NCC_ERR_INPUT,
              "%s: /pairs row %" PRId64 ": (%" PRId64 ", %" PRId64 ") found, %s has (%" PRId64 ", %" PRId64 ")",
              a->path, row, a->pairs[row][0], a->pairs[row][1], b->path, b->pairs[row][0], b->pairs[row][1]);
  }
cleanup:
  return status;
}

/** How one row differs. */
typedef struct difference {
  int64_t row;
  bool status;   /**< statuses differ, or one side has no answer */
  double coords; /**< pixels, in the direction where it is more; NaN: not compared */
  double peak;   /**< NaN: not compared */
  bool differs;
} difference;

/** Whether a side gives no position and no peak: failed or pending. */
static bool has_no_answer(const side *s, int64_t row) {
  const int status = s->status ? s->status[row] : NCC_PAIR_OK;
  return status != NCC_PAIR_OK && status != NCC_PAIR_FLAT && status != NCC_PAIR_UNCERTAIN;
}

static difference compare_row(const side *a, const side *b, int64_t row, const compare_options *tolerances) {
  difference d = {.row = row, .coords = NAN, .peak = NAN};
  const bool coords_known =
      a->coords && b->coords && (!a->expected || a->coords[row][0] != -1) && (!b->expected || b->coords[row][0] != -1);
  const bool peaks_known =
      a->peaks && b->peaks && (!a->expected || !isnan(a->peaks[row])) && (!b->expected || !isnan(b->peaks[row]));
  const bool a_fails = has_no_answer(a, row), b_fails = has_no_answer(b, row);
  if (a->status && b->status) {
    d.status = a->status[row] != b->status[row] || a->status[row] == NCC_PAIR_PENDING;
  } else {
    d.status = (a_fails || b_fails) && (coords_known || peaks_known);
  }
  if (!a_fails && !b_fails) {
    if (coords_known) {
      d.coords = fmax(fabs((double)(a->coords[row][0] - b->coords[row][0])),
                      fabs((double)(a->coords[row][1] - b->coords[row][1])));
    }
    if (peaks_known) {
      d.peak = fabs(a->peaks[row] - b->peaks[row]);
      if (isnan(d.peak)) d.peak = INFINITY;  // an answer without a number is as wrong as can be
    }
  }
  d.differs = d.status || d.coords > tolerances->coord_tolerance || d.peak > tolerances->peak_tolerance;
  return d;
}

/** Worst first: statuses, then coordinates, then peaks, then by row. */
static int compare_severity(const void *pa, const void *pb) {
  const difference *a = pa, *b = pb;
  if (a->status != b->status) return a->status ? -1 : 1;
  const double ac = isnan(a->coords) ? 0 : a->coords, bc = isnan(b->coords) ? 0 : b->coords;
  if (ac != bc) return ac > bc ? -1 : 1;
  const double ap = isnan(a->peak) ? 0 : a->peak, bp = isnan(b->peak) ? 0 : b->peak;
  if (ap != bp) return ap > bp ? -1 : 1;
  return (a->row > b->row) - (a->row < b->row);
}

static void print_answer(const side *s, int64_t row) {
  char coords[48] = "-";
  if (s->coords && s->coords[row][0] != -1)
    snprintf(coords, sizeof coords, "(%" PRId64 ", %" PRId64 ")", s->coords[row][0], s->coords[row][1]);
  printf("  %-16s", coords);
  if (s->peaks) {
    printf(" %12.9f", s->peaks[row]);
  } else {
    printf(" %12s", "-");
  }
  printf("  %-10s", s->status ? ncc_pair_status_name((ncc_pair_status)s->status[row]) : "expected");
}

static void print_worst(const side *a, const side *b, difference *differing, int64_t n) {
  enum { MOST = 10 };
  qsort(differing, (size_t)n, sizeof *differing, compare_severity);
  printf("\n%s %" PRId64 " that differ, worst first; first answers of %s, then of %s:\n", n > MOST ? "10 of" : "The", n,
         a->path, b->path);
  printf("%10s %8s %8s  %-16s %12s  %-10s  %-16s %12s  %s\n", "row", "image", "template", "coords", "peak", "status",
         "coords", "peak", "status");
  for (int64_t i = 0; i < n && i < MOST; ++i) {
    const int64_t row = differing[i].row;
    printf("%10" PRId64 " %8" PRId64 " %8" PRId64, row, a->pairs[row][0], a->pairs[row][1]);
    print_answer(a, row);
    print_answer(b, row);
    printf("\n");
  }
}

static ncc_status compare_sides(const side *a, const side *b, const compare_options *tolerances) {
  ncc_status status = NCC_OK;
  int64_t n_differing = 0, n_status = 0, n_coords = 0, same_coords = 0, n_peaks = 0, same_peaks = 0, n_failed = 0;
  double most_coords = 0, most_peak = 0;
  difference *differing = malloc((size_t)(a->n ? a->n : 1) * sizeof *differing);
  NCC_CHECK(differing, NCC_ERR_NOMEM, "compare: no memory for %" PRId64 " pairs", a->n);
  for (int64_t row = 0; row < a->n; ++row) {
    const difference d = compare_row(a, b, row, tolerances);
    if (d.differs) differing[n_differing++] = d;
    n_status += d.status;
    n_failed += !d.status && (has_no_answer(a, row) || has_no_answer(b, row));
    if (!isnan(d.coords)) {
      n_coords++;
      same_coords += d.coords <= tolerances->coord_tolerance;
      most_coords = fmax(most_coords, d.coords);
    }
    if (!isnan(d.peak)) {
      n_peaks++;
      same_peaks += d.peak <= tolerances->peak_tolerance;
      most_peak = fmax(most_peak, d.peak);
    }
  }
  printf("%s and %s%s: %" PRId64 " pairs\n", a->path, b->path,
         a->expected || b->expected ? " (known answers against results)" : "", a->n);
  printf("  coordinates  %" PRId64 " of %" PRId64 " equal within %g px; largest difference %g px\n", same_coords,
         n_coords, tolerances->coord_tolerance, most_coords);
  printf("  peaks        %" PRId64 " of %" PRId64 " equal within %g; largest difference %.3g\n", same_peaks, n_peaks,
         tolerances->peak_tolerance, most_peak);
  if (n_status) printf("  status       differs, or one side has no answer: %" PRId64 "\n", n_status);
  if (n_failed) printf("  no answer    on both sides alike: %" PRId64 "\n", n_failed);
  if (n_differing) print_worst(a, b, differing, n_differing);
  printf("%s\n", n_differing ? "different" : "the same");
  if (n_differing) {
    status = ncc_error_set(NCC_ERR_DIFFERENT, "%s and %s differ in %" PRId64 " of %" PRId64 " pairs", a->path, b->path,
                           n_differing, a->n);
  }
cleanup:
  free(differing);
  return status;
}

ncc_status ncc_cmd_compare(int argc, char **argv) {
  ncc_status status = NCC_OK;
  compare_options values = {0};
  side a = {0}, b = {0};
  bool help = false;
  NCC_TRY(ncc_command_parse(&command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&command, stdout);
    return NCC_OK;
  }
  NCC_TRY(side_load(values.a, &a));
  NCC_TRY(side_load(values.b, &b));
  NCC_TRY(check_pairs(&a, &b));
  NCC_TRY(compare_sides(&a, &b, &values));
cleanup:
  side_clear(&a);
  side_clear(&b);
  return status;
}
