/** `mpixcorr report`: one web page that stands alone: what was found, what to doubt, where the time went. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/page.h"
#include "app/page_tiles.h"
#include "app/shown.h"
#include "app/words.h"
#include "base/files.h"
#include "base/target.h"
#include "base/text.h"
#include "io/picture/picture.h"
#include "options/run.h"

typedef struct report_options {
  const char *output, *page, *input, *root, *run;
  int rows, pictures, mib;
  bool overwrite;
} report_options;

#define AT(member) offsetof(report_options, member)

static const ncc_operand operands[] = {
    {"OUTPUT", AT(output), "output file, or OUTPUT.part"},
    {"REPORT.html", AT(page), "page to write; needs nothing beside itself"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "rows",
     .kind = NCC_OPTION_INT,
     .offset = AT(rows),
     .argument = "N",
     .initial = "1000",
     .min = 0,
     .max = 20000,
     .help = "rows on the page at most, the most doubtful ones"},
    {.name = "pictures",
     .kind = NCC_OPTION_INT,
     .offset = AT(pictures),
     .argument = "N",
     .initial = "24",
     .min = 0,
     .max = 1000,
     .help = "pictures of rows on the page at most, worst first: image with box, template, the image there, overlay, "
             "NCC map"},
    {.name = "mib",
     .kind = NCC_OPTION_INT,
     .offset = AT(mib),
     .argument = "MIB",
     .initial = "8",
     .min = 1,
     .max = 1024,
     .help = "MiB of pictures at most"},
    {.name = "run",
     .kind = NCC_OPTION_STRING,
     .offset = AT(run),
     .argument = "FILE.json",
     .default_words = "none",
     .help = "the run's own --report: times of the least and the greatest rank, nodes, GPUs, memory"},
    {.name = "input",
     .kind = NCC_OPTION_STRING,
     .offset = AT(input),
     .argument = "FILE",
     .default_words = "where it was; without names and pictures if it is gone",
     .help = "input file of these results"},
    NCC_ROOT_OPTION_ROW(report_options, root),
    {.name = "overwrite", .kind = NCC_OPTION_FLAG, .offset = AT(overwrite), .help = "replace an existing page"},
    {.name = NULL},
};

const ncc_command ncc_report_command = {
    .name = "report",
    .summary = "One web page that stands alone: what was found, what to doubt, where the time went.",
    .examples =
        "mpixcorr report peaks.h5 peaks.html\n"
        "mpixcorr report peaks.h5 peaks.html --run run.json --pictures 100\twith the times of 'run --report'",
    .operands = operands,
    .options = options,
};

/** The strip of a row as base64. @param[out] text  malloc'd; NULL on failure. */
static ncc_status draw_row(const ncc_output_data *data, ncc_pair_source *source, const ncc_search *search, int64_t row,
                           char **text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  ncc_status status = NCC_OK;
  ncc_picture_pair pair = {.title = "", .result = ncc_shown_result(data, row)};
  ncc_pair_pixels pixels;
  ncc_pair_place place;
  ncc_map map = {0};
  unsigned char *png = NULL;
  size_t bytes = 0, n = 0;
  *text = NULL;
  /* pixels that are NaN, or nothing to search: there is no map, but there are pictures */
  status = ncc_pair_source_read_reached(source, search, row, &pixels, &place);
  bool mapped = status == NCC_OK;
  if (!mapped && (status != NCC_ERR_SHAPE || !pixels.image.data)) return status;
  NCC_TRY(ncc_pair_source_turn(source, pair.result.angle, &pixels));
  pair.image = pixels.image;
  pair.image_y0 = place.y0;
  pair.image_x0 = place.x0;
  pair.tmpl = pixels.tmpl;
  mapped = mapped && ncc_shown_map(&place, ncc_pair_source_catalog(source), row, &pixels, &map) == NCC_OK;
  NCC_TRY(ncc_picture_strip(&pair, mapped ? &map : NULL, &png, &bytes));
  *text = malloc(4 * (bytes / 3 + 1) + 1);
  NCC_CHECK(*text, NCC_ERR_NOMEM, "no memory for a picture of %zu bytes", bytes);
  for (size_t i = 0; i < bytes; i += 3) {
    const size_t left = bytes - i;
    const unsigned three =
        (unsigned)png[i] << 16 | (left > 1 ? (unsigned)png[i + 1] << 8 : 0) | (left > 2 ? png[i + 2] : 0);
    for (unsigned k = 0; k < 4; k++) (*text)[n++] = k <= left ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  (*text)[n] = '\0';
cleanup:
  ncc_map_clear(&map);
  free(png);
  return status;
}

/** Pictures of the first rows, as many as fit. What cannot be read has none. */
static ncc_status add_pictures(const report_options *o, const ncc_output_data *data, ncc_pair_source *source,
                               const int64_t *rows, int64_t n, json_t *page) {
  ncc_status status = NCC_OK;
  ncc_search search;
  ncc_mask_values values;
  size_t room = (size_t)o->mib << 20;
  json_t *pictures = json_object_get(page, "pictures");
  NCC_TRY(ncc_search_of_results(o->output, data, &search, &values));
  NCC_TRY(ncc_pair_source_filter(source, &search, &values));
  for (int64_t i = 0; i < n && i < o->pictures; i++) {
    char *text, name[32];
    const ncc_status drawn = draw_row(data, source, &search, rows[i], &text);
    if (drawn == NCC_ERR_NOMEM) status = drawn;
    const size_t length = drawn == NCC_OK ? strlen(text) : 0;
    snprintf(name, sizeof name, "%" PRId64, rows[i]);
    if (drawn == NCC_OK && length <= room) {
      json_object_set_new(pictures, name, json_string(text));
      room -= length;
    }
    free(text);
    if (status != NCC_OK || length > room) break;
  }
cleanup:
  return status;
}

static ncc_status add_run(const char *path, json_t *page) {
  ncc_status status = NCC_OK;
  json_error_t error;
  json_t *run = json_load_file(path, 0, &error);
  NCC_CHECK(run, NCC_ERR_INPUT, "%s: no JSON file: %s", path, error.text);
  const json_t *seconds = json_object_get(run, "seconds"), *counters = json_object_get(run, "counters");
  NCC_CHECK(json_is_object(json_object_get(seconds, "computing")) && json_is_object(counters), NCC_ERR_INPUT,
            "%s: no report of 'mpixcorr run --report'", path);
  json_object_set(page, "run", run);
cleanup:
  json_decref(run);
  return status;
}

static ncc_status write_page(const char *path, const json_t *page) {
  ncc_status status = NCC_OK;
  ncc_target target;
  NCC_TRY(ncc_target_begin(path, "REPORT.html", &target));
  FILE *file = fopen(target.temporary, "w");
  NCC_CHECK(file, NCC_ERR_OUTPUT, "%s: the page cannot be written: %s", path, strerror(errno));
  errno = 0;
  const bool written = ncc_page_write(file, page);
  const int error = ncc_file_close(file, written ? 0 : errno);
  NCC_CHECK(written && error == 0, NCC_ERR_OUTPUT, "%s: the page cannot be written: %s", path, ncc_error_words(error));
  NCC_TRY(ncc_target_commit(&target));
cleanup:
  ncc_target_end(&target);
  return status;
}

ncc_status ncc_cmd_report(int argc, char **argv) {
  ncc_status status = NCC_OK;
  report_options values = {0};
  ncc_output_data data = {0};
  ncc_pair_source *source = NULL;
  json_t *page = NULL, *tiles = NULL;
  bool *astray = NULL;
  int64_t *order = NULL, *rows = NULL, n = 0, n_rows = 0;
  char why[512] = "";
  bool help = false;
  NCC_TRY(ncc_command_parse(&ncc_report_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_report_command, stdout);
    goto cleanup;
  }
  NCC_TRY(ncc_target_declare(values.page, "REPORT.html", NULL));
  NCC_CHECK(values.overwrite || access(values.page, F_OK) != 0, NCC_ERR_OUTPUT,
            "%s: exists already (--overwrite replaces it)", values.page);
  NCC_TRY(ncc_output_load(values.output, &data));
  if (ncc_pair_source_of_results(&data, values.input, values.root, true, &source) != NCC_OK) {
    NCC_CHECK(!values.input, NCC_ERR_INPUT, "%s", ncc_error_message());
    snprintf(why, sizeof why, "Without names and pictures: %s.", ncc_error_message());
  } else if (values.pictures > 0 && !ncc_picture_available()) {
    snprintf(why, sizeof why, "Without pictures: this build draws none.");
  }
  NCC_TRY(ncc_shown_order(&data, &order, &n));
  if (source) NCC_TRY(ncc_page_tiles(&data, source, &tiles, &astray));
  ncc_page_content content = {
      .output = values.output, .data = &data, .source = source, .astray = astray, .no_pictures = why[0] ? why : NULL};
  NCC_TRY(ncc_page_choose(&content, order, n, values.rows, &rows, &n_rows));
  content.rows = rows;
  content.n_rows = n_rows;
  NCC_TRY(ncc_page_describe(&content, &page));
  json_object_set(page, "tiles", tiles ? tiles : json_null());
  if (values.run) NCC_TRY(add_run(values.run, page));
  if (!why[0]) NCC_TRY(add_pictures(&values, &data, source, rows, n_rows, page));
  NCC_TRY(write_page(values.page, page));
  printf("%s: %" PRId64 " of %" PRId64 " pairs listed, the most doubtful, %zu with pictures\n",
         ncc_text_show(values.page), n_rows, n, json_object_size(json_object_get(page, "pictures")));
cleanup:
  json_decref(page);
  json_decref(tiles);
  free(astray);
  free(order);
  free(rows);
  ncc_pair_source_close(&source);
  ncc_output_data_clear(&data);
  return status;
}
