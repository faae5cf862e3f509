/** `mpixcorr table`: results as rows of text or CSV, worst first. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/pair_source.h"
#include "base/terminal.h"
#include "base/text.h"
#include "options/table.h"

typedef struct table_options {
  const char *output, *input;
  bool csv;
} table_options;

#define AT(member) offsetof(table_options, member)

static const ncc_operand operands[] = {
    {"OUTPUT", AT(output), "output file, or OUTPUT.part"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "csv", .kind = NCC_OPTION_FLAG, .offset = AT(csv), .help = "comma-separated values, with more columns"},
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
    .details = "Rows of /pairs that hold no pair are left out.",
    .examples =
        "mpixcorr table peaks.h5 | head -n 40\tthe worst ones\n"
        "mpixcorr table peaks.h5 --csv > peaks.csv",
    .operands = operands,
    .options = options,
};

/** Lower is worse. */
static int rank_of(uint8_t status) {
  return status == NCC_PAIR_OK || status == NCC_PAIR_FLAT ? 2 : status == NCC_PAIR_UNCERTAIN ? 1 : 0;
}

typedef struct table_row {
  int64_t row;
  int rank;
  double peak; /**< 0 without an answer */
} table_row;

static int compare_rows(const void *a, const void *b) {
  const table_row *p = a, *q = b;
  if (p->rank != q->rank) return p->rank - q->rank;
  if (p->peak != q->peak) return p->peak < q->peak ? -1 : 1;
  return (p->row > q->row) - (p->row < q->row);
}

static bool is_pair(const ncc_output_data *data, int64_t row) {
  return data->pairs[row][0] != -1 && data->pairs[row][1] != -1;
}

static const char *name_of(const ncc_pair_source *names, ncc_object_kind kind, int64_t id) {
  return names ? ncc_pair_source_name(names, kind, id) : "";
}

/* ---- CSV ----------------------------------------------------------------------------------------------------- */

/** A name as RFC 4180 has it, on one line. */
static void print_quoted(const char *name) {
  const char *text = ncc_text_show(name);
  if (!strpbrk(text, ",\"")) {
    fputs(text, stdout);
    return;
  }
  putchar('"');
  for (; *text; text++) {
    if (*text == '"') putchar('"');
    putchar(*text);
  }
  putchar('"');
}

/** A number with all its digits; empty for NaN. */
static void print_number(double value, int digits) {
  putchar(',');
  if (!isnan(value)) printf("%.*g", digits, value);
}

static void print_csv(const ncc_output_data *data, const ncc_pair_source *names, const table_row *rows, int64_t n) {
  printf("row,image,template,image_name,template_name,status,offset_y,offset_x,coord_y,coord_x,peak,overlap,at_border");
  if (data->subpixel) printf(",subpixel_y,subpixel_x,second_y,second_x,second_peak");
  printf("\n");
  for (int64_t i = 0; i < n; i++) {
    const int64_t row = rows[i].row, *pair = data->pairs[row];
    printf("%" PRId64 ",%" PRId64 ",%" PRId64 ",", row, pair[0], pair[1]);
    print_quoted(name_of(names, NCC_IMAGE, pair[0]));
    putchar(',');
    print_quoted(name_of(names, NCC_TEMPLATE, pair[1]));
    printf(",%s", ncc_pair_status_name((ncc_pair_status)data->status[row]));
    if (data->coords[row][0] == -1)
      printf(",,,,");
    else
      printf(",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, data->offsets[row][0], data->offsets[row][1],
             data->coords[row][0], data->coords[row][1]);
    print_number(data->peaks[row], 17);
    print_number((double)data->overlap[row], 9);
    printf(",%d", data->at_border[row]);
    if (data->subpixel) {
      print_number(data->subpixel[row][0], 17);
      print_number(data->subpixel[row][1], 17);
      if (data->second_coords[row][0] == -1)
        printf(",,");
      else
        printf(",%" PRId64 ",%" PRId64, data->second_coords[row][0], data->second_coords[row][1]);
      print_number(data->second_peaks[row], 17);
    }
    printf("\n");
  }
}

/* ---- for people ---------------------------------------------------------------------------------------------- */

enum { LABEL_BYTES = 256, LABEL_COLUMNS = 40, LABEL_LEAST = 8 };

/** "3 left.tif", or "3"; where that takes more columns, its middle is left out: names differ at their ends. */
static void label(const ncc_pair_source *names, ncc_object_kind kind, int64_t id, int most, char text[LABEL_BYTES]) {
  const char *name = ncc_text_show(name_of(names, kind, id));
  char whole[4096];
  snprintf(whole, sizeof whole, *name ? "%" PRId64 " %s" : "%" PRId64, id, name);
  const int columns = ncc_text_columns(whole);
  if (columns <= most) {
    snprintf(text, LABEL_BYTES, "%.*s", LABEL_BYTES - 1, whole);
    return;
  }
  const int begin = most / 3, end = most - begin - 2; /* behind ".." */
  size_t bytes[2] = {0, 0};
  const int upto[2] = {begin, columns - end};
  for (int part = 0; part < 2; part++)
    for (int column = 0; column < upto[part] && whole[bytes[part]]; column++)
      for (bytes[part]++; ((unsigned char)whole[bytes[part]] & 0xc0) == 0x80;) bytes[part]++;
  snprintf(text, LABEL_BYTES, "%.*s..%s", (int)bytes[0], whole, whole + bytes[1]);
}

/** What the widest labels may take, so that a row fits the terminal: half of what the numbers leave. */
static int label_columns(const ncc_output_data *data) {
  const int numbers = data->subpixel ? 82 : 72, columns = ncc_terminal_columns(STDOUT_FILENO);
  if (columns == 0) return LABEL_COLUMNS;
  const int each = (columns - numbers) / 2;
  return each < LABEL_LEAST ? LABEL_LEAST : each > LABEL_COLUMNS ? LABEL_COLUMNS : each;
}

static const char *colour_of(uint8_t status) {
  const int rank = rank_of(status);
  return rank == 2 ? "" : ncc_terminal_colour(stdout, rank == 1 ? NCC_COLOUR_DOUBTFUL : NCC_COLOUR_BAD);
}

/** Prints text and fills up with blanks. */
static void print_column(const char *text, int width) {
  printf("  %s%*s", text, width - ncc_text_columns(text), "");
}

static void print_text(const ncc_output_data *data, const ncc_pair_source *names, const table_row *rows, int64_t n) {
  char text[2][LABEL_BYTES], second[32] = "", offset[2][32], peak[32], overlap[32];
  const int most = label_columns(data);
  int width[2] = {5, 8};
  for (int64_t i = 0; i < n; i++)
    for (int kind = 0; kind < 2; kind++) {
      label(names, (ncc_object_kind)kind, data->pairs[rows[i].row][kind], most, text[kind]);
      const int columns = ncc_text_columns(text[kind]);
      if (columns > width[kind]) width[kind] = columns;
    }
  if (data->subpixel) snprintf(second, sizeof second, "  %8s", "second");
  printf("%8s  %-*s  %-*s  %8s  %8s  %8s%s  %7s  %6s  %s\n", "row", width[0], "image", width[1], "template", "offset y",
         "offset x", "peak", second, "overlap", "border", "status");
  for (int64_t i = 0; i < n; i++) {
    const int64_t row = rows[i].row;
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
    printf("%8" PRId64, row);
    for (int kind = 0; kind < 2; kind++) {
      label(names, (ncc_object_kind)kind, data->pairs[row][kind], most, text[kind]);
      print_column(text[kind], width[kind]);
    }
    printf("  %8s  %8s  %8s%s  %7s  %6s  %s%s%s\n", offset[0], offset[1], peak, second, overlap,
           data->at_border[row] ? "yes" : "", colour_of(data->status[row]),
           ncc_pair_status_name((ncc_pair_status)data->status[row]), ncc_terminal_colour(stdout, NCC_COLOUR_OFF));
  }
}

ncc_status ncc_cmd_table(int argc, char **argv) {
  ncc_status status = NCC_OK;
  table_options values = {0};
  ncc_output_data data = {0};
  ncc_pair_source *names = NULL;
  table_row *rows = NULL;
  int64_t n = 0;
  bool help = false;
  NCC_TRY(ncc_command_parse(&ncc_table_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_table_command, stdout);
    goto cleanup;
  }
  NCC_TRY(ncc_output_load(values.output, &data));
  /* names are a courtesy, unless asked for */
  const ncc_status found = ncc_pair_source_of_results(&data, values.input, &names);
  if (values.input) NCC_TRY(found);
  rows = malloc((size_t)(data.n_pairs ? data.n_pairs : 1) * sizeof *rows);
  NCC_CHECK(rows, NCC_ERR_NOMEM, "table: no memory for %" PRId64 " pairs", data.n_pairs);
  for (int64_t row = 0; row < data.n_pairs; row++) {
    if (!is_pair(&data, row)) continue;
    const int rank = rank_of(data.status[row]);
    rows[n++] = (table_row){row, rank, rank > 0 ? data.peaks[row] : 0};
  }
  qsort(rows, (size_t)n, sizeof *rows, compare_rows);
  if (values.csv)
    print_csv(&data, names, rows, n);
  else
    print_text(&data, names, rows, n);

cleanup:
  free(rows);
  ncc_pair_source_close(&names);
  ncc_output_data_clear(&data);
  return status;
}
