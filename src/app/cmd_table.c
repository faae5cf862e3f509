/** `mpixcorr table`: results as rows of text or CSV, worst first. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cells.h"
#include "app/commands.h"
#include "app/shown.h"
#include "app/tiles.h"
#include "base/target.h"
#include "base/terminal.h"
#include "base/text.h"
#include "options/table.h"

typedef enum table_format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON, FORMAT_RENDER } table_format;

/** How far displacements that agree may differ. */
typedef struct agreement {
  double px, percent;
} agreement;

typedef struct table_options {
  const char *output, *input, *field;
  table_format format;
  bool csv, tiles;
  agreement agree;
} table_options;

static bool parse_agreement(const char *text, void *target) {
  agreement a;
  int length = 0;
  if (sscanf(text, "%lf,%lf%n", &a.px, &a.percent, &length) != 2 || text[length]) return false;
  if (!(a.px >= 0 && a.px <= 1e6 && a.percent >= 0 && a.percent <= 100)) return false;
  *(agreement *)target = a;
  return true;
}

static void format_agreement(const void *target, char *text, size_t text_bytes) {
  const agreement *a = target;
  snprintf(text, text_bytes, "%g,%g", a->px, a->percent);
}

#define AT(member) offsetof(table_options, member)

static const ncc_operand operands[] = {
    {"OUTPUT", AT(output), "output file, or OUTPUT.part"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "tiles",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(tiles),
     .help = "a row a pair of images: displacement, spread, whether its templates, boxes of images, agree"},
    {.name = "agree",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(agree),
     .argument = "PX,PERCENT",
     .initial = NCC_TILES_AGREE,
     .help = "displacements agree that differ by at most PX, and PERCENT of the distance between their templates",
     .expected = "PX,PERCENT of at least 0",
     .parse = parse_agreement,
     .format = format_agreement},
    {.name = "format",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(format),
     .argument = "text|csv|json|render",
     .initial = "text",
     .help = "text for people; csv and json have a row a template, with more columns; render: point matches of the "
             "render web services, of what agrees in good pairs of images"},
    {.name = "field",
     .kind = NCC_OPTION_STRING,
     .offset = AT(field),
     .argument = "OUT.h5|OUT.npy",
     .default_words = "none",
     .help = "instead of a table, write the displacements of a regular grid: float32 [pairs of images, 4, ny, nx], dx, "
             "dy, peak, peak over second; NaN unless ok"},
    {.name = "csv", .kind = NCC_OPTION_FLAG, .offset = AT(csv), .help = "the same as --format csv"},
    {.name = "input",
     .kind = NCC_OPTION_STRING,
     .offset = AT(input),
     .argument = "FILE",
     .default_words = "where it was; without names if it is gone",
     .help = "input file of these results, for the names of images and templates"},
    {.name = NULL},
};

const ncc_command ncc_table_command = {
    .name = "table",
    .summary = "Show results as a table, a row a pair: pairs without an answer first, then by peak, lowest first.",
    .details =
        "Rows of /pairs that hold no pair are left out.\n"
        "\n"
        "With --tiles a pair of images is good where 3 or more of its templates, and more than half, agree; doubtful "
        "where\n2 do, or where there is only one; else none. Only answers that are ok and off the border of their "
        "search count.\nPeaks are shown and never used. A displacement, x right and y down, is what leads from a "
        "pixel of the other image to\nthat of the image: the median of those that agree, and the greatest distance "
        "from it.",
    .examples =
        "mpixcorr table peaks.h5 | head -n 40\tthe worst ones\n"
        "mpixcorr table peaks.h5 --csv > peaks.csv\n"
        "mpixcorr table peaks.h5 --tiles\twhich neighbours to trust\n"
        "mpixcorr table peaks.h5 --format render > matches.json",
    .operands = operands,
    .options = options,
};

static const char *name_of(const ncc_pair_source *names, ncc_object_kind kind, int64_t id) {
  return names ? ncc_pair_source_name(names, kind, id) : "";
}

/* ---- for programs -------------------------------------------------------------------------------------------- */

#define COLUMNS                                                                                                      \
  "row", "image", "template", "image_name", "template_name", "status", "offset_y", "offset_x", "coord_y", "coord_x", \
      "peak", "overlap", "at_border"

static void print_record(const ncc_output_data *data, const ncc_pair_source *names, int64_t row, ncc_record *r) {
  const int64_t *pair = data->pairs[row];
  ncc_record_begin(r);
  ncc_record_integer(r, row);
  for (int k = 0; k < 2; k++) ncc_record_integer(r, pair[k]);
  for (int k = 0; k < 2; k++) ncc_record_text(r, name_of(names, (ncc_object_kind)k, pair[k]));
  ncc_record_text(r, ncc_pair_status_name((ncc_pair_status)data->status[row]));
  for (int k = 0; k < 4; k++) {
    if (data->coords[row][0] == -1)
      ncc_record_nothing(r);
    else
      ncc_record_integer(r, k < 2 ? data->offsets[row][k] : data->coords[row][k - 2]);
  }
  ncc_record_number(r, data->peaks[row], 17);
  ncc_record_number(r, (double)data->overlap[row], 9);
  ncc_record_flag(r, data->at_border[row]);
  if (data->subpixel) {
    for (int k = 0; k < 2; k++) ncc_record_number(r, data->subpixel[row][k], 17);
    for (int k = 0; k < 2; k++) {
      if (data->second_coords[row][0] == -1)
        ncc_record_nothing(r);
      else
        ncc_record_integer(r, data->second_coords[row][k]);
    }
    ncc_record_number(r, data->second_peaks[row], 17);
  }
  if (data->angles) ncc_record_number(r, data->angles[row], 17);
  ncc_record_end(r);
}

static void print_records(const ncc_output_data *data, const ncc_pair_source *names, const int64_t *rows, int64_t n,
                          bool json) {
  static const char *const plain[] = {COLUMNS, NULL};
  static const char *const fine[] = {COLUMNS, "subpixel_y", "subpixel_x", "second_y", "second_x", "second_peak", NULL};
  static const char *const turned[] = {COLUMNS, "angle", NULL};
  static const char *const all[] = {COLUMNS,    "subpixel_y",  "subpixel_x", "second_y",
                                    "second_x", "second_peak", "angle",      NULL};
  const char *const *const columns[2][2] = {{plain, turned}, {fine, all}};
  ncc_record record = {.json = json, .columns = columns[data->subpixel != NULL][data->angles != NULL]};
  ncc_record_head(&record);
  for (int64_t i = 0; i < n; i++) {
    if (json) fputs(i ? ",\n" : "[\n", stdout);
    print_record(data, names, rows[i], &record);
  }
  if (json) puts(n ? "\n]" : "[]");
}

/* ---- for people ---------------------------------------------------------------------------------------------- */

static const char *colour_of(uint8_t status) {
  const int rank = ncc_shown_rank(status);
  return rank == 2 ? "" : ncc_terminal_colour(stdout, rank == 1 ? NCC_COLOUR_DOUBTFUL : NCC_COLOUR_BAD);
}

static void print_text(const ncc_output_data *data, const ncc_pair_source *names, const int64_t *rows, int64_t n) {
  char text[2][NCC_LABEL_BYTES], second[32] = "", angle[32] = "", offset[2][32], peak[32], overlap[32];
  const int most = ncc_label_columns((data->subpixel ? 82 : 72) + (data->angles ? 11 : 0));
  int width[2] = {5, 8};
  for (int64_t i = 0; i < n; i++)
    for (int kind = 0; kind < 2; kind++) {
      const int64_t id = data->pairs[rows[i]][kind];
      ncc_label(id, name_of(names, (ncc_object_kind)kind, id), most, text[kind]);
      const int columns = ncc_text_columns(text[kind]);
      if (columns > width[kind]) width[kind] = columns;
    }
  if (data->subpixel) snprintf(second, sizeof second, "  %8s", "second");
  if (data->angles) snprintf(angle, sizeof angle, "  %9s", "angle");
  printf("%8s  %-*s  %-*s  %8s  %8s  %8s%s%s  %7s  %6s  %s\n", "row", width[0], "image", width[1], "template",
         "offset y", "offset x", "peak", second, angle, "overlap", "border", "status");
  for (int64_t i = 0; i < n; i++) {
    const int64_t row = rows[i];
    const bool answered = data->coords[row][0] != -1;
    for (int k = 0; k < 2; k++)
      snprintf(offset[k], sizeof offset[k], answered ? "%" PRId64 : "-", data->offsets[row][k]);
    snprintf(peak, sizeof peak, answered ? "%.5f" : "-", data->peaks[row]);
    snprintf(overlap, sizeof overlap, answered ? "%.1f %%" : "-", 100 * (double)data->overlap[row]);
    if (data->subpixel) {
      const bool has_second = data->second_coords[row][0] != -1;
      char value[24];
      snprintf(value, sizeof value, has_second ? "%.5f" : "-", data->second_peaks[row]);
      snprintf(second, sizeof second, "  %8s", value);
    }
    if (data->angles) snprintf(angle, sizeof angle, answered ? "  %9.7g" : "          -", data->angles[row]);
    printf("%8" PRId64, row);
    for (int kind = 0; kind < 2; kind++) {
      const int64_t id = data->pairs[row][kind];
      ncc_label(id, name_of(names, (ncc_object_kind)kind, id), most, text[kind]);
      ncc_print_column(text[kind], width[kind]);
    }
    printf("  %8s  %8s  %8s%s%s  %7s  %6s  %s%s%s\n", offset[0], offset[1], peak, second, angle, overlap,
           data->at_border[row] ? "yes" : "", colour_of(data->status[row]),
           ncc_pair_status_name((ncc_pair_status)data->status[row]), ncc_terminal_colour(stdout, NCC_COLOUR_OFF));
  }
}

/** A row a pair of /pairs. */
static ncc_status print_pairs(const ncc_output_data *data, const ncc_pair_source *names, table_format format) {
  ncc_status status = NCC_OK;
  int64_t *rows = NULL, n = 0;
  NCC_TRY(ncc_shown_order(data, &rows, &n));
  if (format == FORMAT_TEXT)
    print_text(data, names, rows, n);
  else
    print_records(data, names, rows, n, format == FORMAT_JSON);
cleanup:
  free(rows);
  return status;
}

/** A row a pair of images. */
static ncc_status print_tiles(const ncc_output_data *data, const ncc_pair_source *source, const table_options *values) {
  ncc_status status = NCC_OK;
  ncc_tiles tiles = {0};
  int64_t *order = NULL;
  NCC_TRY(ncc_tiles_create(data, source, &tiles));
  if (values->field) {
    NCC_TRY(ncc_tiles_write_field(&tiles, values->field));
    goto cleanup;
  }
  NCC_TRY(ncc_tiles_judge(&tiles, values->agree.px, values->agree.percent));
  NCC_TRY(ncc_tiles_order(&tiles, &order));
  if (values->format == FORMAT_TEXT)
    ncc_tiles_print_text(&tiles, order);
  else if (values->format == FORMAT_RENDER)
    ncc_tiles_print_render(&tiles);
  else if (values->format == FORMAT_JSON)
    ncc_tiles_print_json(&tiles, order);
  else
    ncc_tiles_print_csv(&tiles, order);
cleanup:
  free(order);
  ncc_tiles_clear(&tiles);
  return status;
}

ncc_status ncc_cmd_table(int argc, char **argv) {
  ncc_status status = NCC_OK;
  table_options values = {0};
  ncc_output_data data = {0};
  ncc_pair_source *names = NULL;
  bool help = false;
  NCC_TRY(ncc_command_parse(&ncc_table_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_table_command, stdout);
    goto cleanup;
  }
  NCC_CHECK(!values.csv || values.format == FORMAT_TEXT || values.format == FORMAT_CSV, NCC_ERR_USAGE,
            "table: --csv found with another --format, expected one of them");
  if (values.csv) values.format = FORMAT_CSV;
  if (values.format == FORMAT_RENDER || values.field) values.tiles = true;
  if (values.field) NCC_TRY(ncc_target_declare(values.field, "--field", NULL)); /* before anything is read */
  NCC_TRY(ncc_output_load(values.output, &data));
  /* names are a courtesy, unless asked for; boxes are not */
  const ncc_status found = ncc_pair_source_of_results(&data, values.input, NULL, false, &names);
  if (values.input || values.tiles) NCC_TRY(found);
  NCC_TRY(values.tiles ? print_tiles(&data, names, &values) : print_pairs(&data, names, values.format));
cleanup:
  ncc_pair_source_close(&names);
  ncc_output_data_clear(&data);
  return status;
}
