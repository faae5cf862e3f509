/** `mpixcorr map`: the NCC map of one pair as a picture or as HDF5, or a contact sheet of doubtful pairs. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/shown.h"
#include "base/target.h"
#include "base/text.h"
#include "io/picture/map_file.h"
#include "io/picture/picture.h"
#include "match/map.h"
#include "match/result.h"
#include "options/run.h"

typedef struct map_options {
  const char *input, *output, *results, *root;
  int64_t pair; /**< -1: not given */
  double below; /**< NaN: not given */
  int most;
  ncc_search search;
  ncc_mask_values mask_values;
  bool overwrite, maps;
} map_options;

enum { TITLE_BYTES = 8400 }; /* two names as long as they are shown */

#define AT(member) offsetof(map_options, member)

static const ncc_operand operands[] = {
    {"INPUT", AT(input), "HDF5 file with /images, /templates and /pairs"},
    {"OUT", AT(output), "picture to write (.png), or HDF5 file (.h5; with --pair)"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "pair",
     .group = "what is shown",
     .kind = NCC_OPTION_INT64,
     .offset = AT(pair),
     .argument = "N",
     .min = 0,
     .max = 1e18,
     .default_words = "none",
     .help = "row N of /pairs, from 0: its image, template, match and whole NCC map"},
    {.name = "below",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(below),
     .argument = "P",
     .min = -1,
     .max = 2,
     .default_words = "none",
     .help = "instead of one pair a contact sheet of those whose peak in --results is below P, worst first"},
    {.name = "most",
     .kind = NCC_OPTION_INT,
     .offset = AT(most),
     .argument = "K",
     .initial = "40",
     .min = 1,
     .max = NCC_SHEET_MOST,
     .help = "pairs on a contact sheet at most"},
    {.name = "maps",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(maps),
     .help = "with --below: NCC maps on the sheet as well"},
    {.name = "results",
     .kind = NCC_OPTION_STRING,
     .offset = AT(results),
     .argument = "OUTPUT",
     .default_words = "none",
     .help = "output file made from INPUT: search as it did, instead of by the options below"},
    NCC_ROOT_OPTION_ROW(map_options, root),
    {.name = "overwrite", .kind = NCC_OPTION_FLAG, .offset = AT(overwrite), .help = "replace an existing OUT"},
    NCC_SEARCH_OPTION_ROWS(map_options, search) NCC_MASK_VALUE_OPTION_ROW(map_options, mask_values),
    {.name = NULL},
};

const ncc_command ncc_map_command = {
    .name = "map",
    .summary = "Show a match: the NCC map of one pair, or a contact sheet of the pairs with low peaks.",
    .examples =
        "mpixcorr map in.h5 pair12.png --pair 12 --results peaks.h5\ta picture to judge a match by\n"
        "mpixcorr map in.h5 pair12.h5 --pair 12\tthe map as float64, /ncc\n"
        "mpixcorr map in.h5 sheet.png --results peaks.h5 --below 0.4\ta contact sheet of the doubtful pairs",
    .operands = operands,
    .options = options,
};

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), k = strlen(end);
  return n >= k && strcmp(text + n - k, end) == 0;
}

static ncc_status check_options(const map_options *o) {
  ncc_status status = NCC_OK;
  const bool png = ends_with(o->output, ".png"), h5 = ends_with(o->output, ".h5"), sheet = !isnan(o->below);
  NCC_CHECK(sheet != (o->pair >= 0), NCC_ERR_USAGE, "map: %s, expected one of --pair and --below",
            sheet ? "both --pair and --below found" : "neither --pair nor --below found");
  NCC_CHECK(sheet || !o->maps, NCC_ERR_USAGE, "map: --maps without --below found, expected a contact sheet");
  NCC_CHECK(!sheet || o->results, NCC_ERR_USAGE, "map: --below without --results found, expected an output file");
  NCC_CHECK(png || (h5 && !sheet), NCC_ERR_USAGE, "map: OUT '%s' found, expected a name that ends in .png%s", o->output,
            sheet ? "" : " or .h5");
  NCC_CHECK(!o->results || (ncc_search_is_default(&o->search) && o->mask_values.n == 0), NCC_ERR_USAGE,
            "map: --results and search options found, expected one of them");
  NCC_CHECK(!png || ncc_picture_available(), NCC_ERR_USAGE,
            "map: this build draws no pictures: cairo was not found when it was configured");
  NCC_TRY(ncc_target_declare(o->output, "OUT", NULL));
  NCC_CHECK(o->overwrite || access(o->output, F_OK) != 0, NCC_ERR_OUTPUT,
            "%s: exists already (--overwrite replaces it)", o->output);

cleanup:
  return status;
}

/** "Pair 12: image 3 (left.tif), template 7 (right.tif)" */
static void make_title(const ncc_pair_source *source, int64_t row, char text[TITLE_BYTES]) {
  const int64_t *pair = ncc_pair_source_catalog(source)->pairs[row];
  const char *image = ncc_text_show(ncc_pair_source_name(source, NCC_IMAGE, pair[0]));
  const char *tmpl = ncc_text_show(ncc_pair_source_name(source, NCC_TEMPLATE, pair[1]));
  snprintf(text, TITLE_BYTES, "Pair %" PRId64 ": image %" PRId64 "%s%s%s, template %" PRId64 "%s%s%s", row, pair[0],
           *image ? " (" : "", image, *image ? ")" : "", pair[1], *tmpl ? " (" : "", tmpl, *tmpl ? ")" : "");
}

/** The certified answer for a pair, sub-pixel position and second peak included. @param[out] peaks
 * [place->search.peaks] */
static ncc_status find_match(const ncc_pair_place *place, const ncc_pair_pixels *p, ncc_result *out, ncc_peak *peaks) {
  ncc_status status = NCC_OK;
  ncc_matcher *matcher = NULL;
  ncc_search with_quality = place->search;
  with_quality.quality = true;
  with_quality.n_filters = 0; /* done when pixels were read */
  NCC_TRY(ncc_matcher_create(&with_quality, &(ncc_config){.threads = ncc_few_threads(), .fft_effort = NCC_FFT_ESTIMATE},
                             &matcher));
  const ncc_group group = {.image_key = -1,
                           .image = &p->image,
                           .image_mask = p->image_mask.data ? &p->image_mask : NULL,
                           .n = 1,
                           .templates = &p->tmpl,
                           .template_masks = p->tmpl_mask.data ? &p->tmpl_mask : NULL,
                           .around = &p->around,
                           .windows = place->windowed ? &place->window : NULL,
                           .results = out,
                           .peaks = peaks};
  NCC_TRY(ncc_matcher_match_groups(matcher, 1, &group));
  ncc_result_move(out, place->y0, place->x0);
  ncc_peaks_move(peaks, place->search.peaks, place->y0, place->x0);

cleanup:
  ncc_matcher_destroy(&matcher);
  return status;
}

static ncc_status show_pair(const map_options *o, ncc_pair_source *source) {
  ncc_status status = NCC_OK;
  ncc_picture_pair shown = {0};
  ncc_map map = {0};
  char title[TITLE_BYTES], note[TITLE_BYTES], *described = NULL;
  ncc_peak peaks[NCC_PEAKS_MOST];
  const ncc_catalog *catalog = ncc_pair_source_catalog(source);
  ncc_pair_pixels pixels;
  ncc_pair_place place;
  NCC_TRY(ncc_pair_source_read_reached(source, &o->search, o->pair, &pixels, &place));
  shown.image = pixels.image;
  shown.image_y0 = place.y0;
  shown.image_x0 = place.x0;
  NCC_TRY(find_match(&place, &pixels, &shown.result, peaks));
  NCC_TRY(ncc_pair_source_turn(source, shown.result.angle, &pixels));
  shown.tmpl = pixels.tmpl;
  NCC_TRY(ncc_shown_map(&place, catalog, o->pair, &pixels, &map));
  shown.peaks = peaks;
  shown.n_peaks = o->search.peaks;
  NCC_TRY(ncc_command_describe(&ncc_map_command, o, true, &described));
  if (ends_with(o->output, ".h5")) {
    const int64_t pair[3] = {o->pair, catalog->pairs[o->pair][0], catalog->pairs[o->pair][1]};
    NCC_TRY(ncc_map_file_write(o->output, &map, &shown.result, o->search.peaks, peaks, pair, catalog->path, described));
  } else {
    const ncc_rect *a = &map.geometry.search;
    make_title(source, o->pair, title);
    snprintf(note, sizeof note,
             "%s   searched: rows %" PRId64 "..%" PRId64 ", columns %" PRId64 "..%" PRId64
             " of the full correlation   %s",
             ncc_text_show(catalog->path), a->y0, a->y1 - 1, a->x0, a->x1 - 1, described);
    shown.title = title;
    NCC_TRY(ncc_picture_write(o->output, &shown, &map, note));
  }
  printf("%s: pair %" PRId64 ", %s, peak %.6f\n", ncc_text_show(o->output), o->pair,
         ncc_pair_status_name((ncc_pair_status)shown.result.status), shown.result.peak);

cleanup:
  free(described);
  ncc_map_clear(&map);
  return status;
}

/* ---- the contact sheet --------------------------------------------------------------------------------------- */

typedef struct low_pair {
  int64_t row;
  double peak;
} low_pair;

static int compare_low(const void *a, const void *b) {
  const low_pair *p = a, *q = b;
  if (p->peak != q->peak) return p->peak < q->peak ? -1 : 1;
  return (p->row > q->row) - (p->row < q->row);
}

static ncc_status show_below(const map_options *o, ncc_pair_source *source, const ncc_output_data *data) {
  ncc_status status = NCC_OK;
  ncc_sheet *sheet = NULL;
  char title[TITLE_BYTES];
  int64_t n = 0, without = 0;
  low_pair *low = malloc((size_t)(data->n_pairs ? data->n_pairs : 1) * sizeof *low);
  NCC_CHECK(low, NCC_ERR_NOMEM, "map: no memory for %" PRId64 " pairs", data->n_pairs);
  for (int64_t row = 0; row < data->n_pairs; row++) {
    const bool no_pair = data->pairs[row][0] == -1 || data->pairs[row][1] == -1;
    without += !no_pair && !ncc_result_has_peak(data->status[row]);
    if (ncc_result_has_peak(data->status[row]) && data->peaks[row] < o->below)
      low[n++] = (low_pair){row, data->peaks[row]};
  }
  qsort(low, (size_t)n, sizeof *low, compare_low);
  const int shown = n < o->most ? (int)n : o->most;
  snprintf(title, sizeof title, "%s: %" PRId64 " of %" PRId64 " pairs with a peak below %g, worst first%s",
           ncc_text_show(o->results), n, data->n_pairs, o->below, shown < n ? "; the worst are shown" : "");
  NCC_TRY(ncc_sheet_create(shown, title, o->maps, &sheet));
  for (int i = 0; i < shown; i++) {
    ncc_picture_pair pair = {.title = title, .result = ncc_shown_result(data, low[i].row)};
    ncc_pair_pixels pixels;
    ncc_pair_place place;
    NCC_TRY(ncc_pair_source_read_reached(source, &o->search, low[i].row, &pixels, &place));
    NCC_TRY(ncc_pair_source_turn(source, pair.result.angle, &pixels));
    pair.image = pixels.image;
    pair.image_y0 = place.y0;
    pair.image_x0 = place.x0;
    pair.tmpl = pixels.tmpl;
    make_title(source, low[i].row, title);
    ncc_map map = {0};
    if (o->maps) NCC_TRY(ncc_shown_map(&place, ncc_pair_source_catalog(source), low[i].row, &pixels, &map));
    status = ncc_sheet_add(sheet, &pair, o->maps ? &map : NULL);
    ncc_map_clear(&map);
    if (status != NCC_OK) goto cleanup;
  }
  NCC_TRY(ncc_sheet_write(sheet, o->output));
  printf("%s: %d of %" PRId64 " pairs with a peak below %g, worst first\n", ncc_text_show(o->output), shown, n,
         o->below);
  if (without) printf("not shown, as they have no answer: %" PRId64 "; 'mpixcorr table' lists them\n", without);

cleanup:
  ncc_sheet_destroy(&sheet);
  free(low);
  return status;
}

ncc_status ncc_cmd_map(int argc, char **argv) {
  ncc_status status = NCC_OK;
  map_options values = {.pair = -1, .below = NAN};
  ncc_pair_source *source = NULL;
  ncc_output_data results = {0};
  bool help = false;
  NCC_TRY(ncc_command_parse(&ncc_map_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_map_command, stdout);
    goto cleanup;
  }
  NCC_TRY(check_options(&values));
  if (values.results) {
    NCC_TRY(ncc_output_load(values.results, &results));
    NCC_TRY(ncc_search_of_results(values.results, &results, &values.search, &values.mask_values));
    NCC_TRY(ncc_pair_source_of_results(&results, values.input, values.root, true, &source));
  } else {
    NCC_TRY(ncc_pair_source_open(values.input, values.root, &source));
  }
  NCC_TRY(ncc_pair_source_filter(source, &values.search, &values.mask_values));
  status = values.pair >= 0 ? show_pair(&values, source) : show_below(&values, source, &results);

cleanup:
  ncc_pair_source_close(&source);
  ncc_output_data_clear(&results);
  return status;
}
