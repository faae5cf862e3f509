/** Edges in words and in formats of other programs: see tiles.h. All of them are written as they go. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/cells.h"
#include "app/tiles.h"
#include "base/terminal.h"
#include "base/text.h"

static const char *name_of(const ncc_tiles *tiles, int64_t id) {
  return ncc_pair_source_name(tiles->source, NCC_IMAGE, id);
}

static const char *group_of(const ncc_tiles *tiles, int64_t id) {
  return ncc_pair_source_group(tiles->source, id);
}

/* ---- for people ---------------------------------------------------------------------------------------------- */

void ncc_tiles_print_text(const ncc_tiles *tiles, const int64_t *order) {
  char text[2][NCC_LABEL_BYTES], number[3][32], peaks[32], agree[32];
  const int most = ncc_label_columns(86);
  int width[2] = {5, 5};
  int64_t counts[3] = {0};
  for (int64_t e = 0; e < tiles->n_edges; e++)
    for (int k = 0; k < 2; k++) {
      const int64_t id = k ? tiles->edges[e].other : tiles->edges[e].image;
      ncc_label(id, name_of(tiles, id), most, text[k]);
      const int columns = ncc_text_columns(text[k]);
      if (columns > width[k]) width[k] = columns;
    }
  printf("  %-*s  %-*s  %10s  %10s  %7s  %9s  %15s  verdict\n", width[0], "image", width[1], "other", "dx", "dy",
         "spread", "agree", "peaks");
  for (int64_t i = 0; i < tiles->n_edges; i++) {
    const ncc_tile_edge *edge = &tiles->edges[order[i]];
    double low = NAN, high = NAN;
    for (int64_t p = edge->first; p < edge->first + edge->n; p++) {
      const double peak = tiles->data->peaks[tiles->points[p].row];
      low = fmin(low, peak);
      high = fmax(high, peak);
    }
    for (int k = 0; k < 3; k++)
      snprintf(number[k], sizeof number[k], edge->n_agree ? "%.2f" : "-", k < 2 ? edge->moved[1 - k] : edge->spread);
    snprintf(agree, sizeof agree, "%" PRId64 " of %" PRId64, edge->n_agree, edge->n);
    snprintf(peaks, sizeof peaks, isnan(low) ? "-" : "%.3f - %.3f", low, high);
    for (int k = 0; k < 2; k++) {
      const int64_t id = k ? edge->other : edge->image;
      ncc_label(id, name_of(tiles, id), most, text[0]);
      ncc_print_column(text[0], width[k]);
    }
    printf(
        "  %10s  %10s  %7s  %9s  %15s  %s%s%s\n", number[0], number[1], number[2], agree, peaks,
        edge->verdict == NCC_VERDICT_GOOD
            ? ""
            : ncc_terminal_colour(stdout, edge->verdict == NCC_VERDICT_DOUBTFUL ? NCC_COLOUR_DOUBTFUL : NCC_COLOUR_BAD),
        ncc_verdict_name(edge->verdict), ncc_terminal_colour(stdout, NCC_COLOUR_OFF));
    counts[edge->verdict]++;
  }
  printf("%" PRId64 " pairs of images: %" PRId64 " good, %" PRId64 " doubtful, %" PRId64 " none\n", tiles->n_edges,
         counts[NCC_VERDICT_GOOD], counts[NCC_VERDICT_DOUBTFUL], counts[NCC_VERDICT_NONE]);
}

/* ---- CSV ----------------------------------------------------------------------------------------------------- */

static void print_record(const ncc_tiles *tiles, const ncc_tile_edge *edge, const ncc_tile_point *point,
                         ncc_record *r) {
  const ncc_output_data *data = tiles->data;
  const int64_t row = point->row;
  ncc_record_begin(r);
  ncc_record_integer(r, row);
  if (!r->json) {
    ncc_record_integer(r, edge->image);
    ncc_record_integer(r, edge->other);
    ncc_record_text(r, name_of(tiles, edge->image));
    ncc_record_text(r, name_of(tiles, edge->other));
  }
  ncc_record_text(r, ncc_pair_status_name((ncc_pair_status)data->status[row]));
  for (int k = 1; k >= 0; k--) ncc_record_number(r, point->found[k], 12);
  for (int k = 1; k >= 0; k--) ncc_record_number(r, point->at[k], 12);
  for (int k = 1; k >= 0; k--) ncc_record_number(r, point->moved[k], 12);
  ncc_record_number(r, data->peaks[row], 17);
  ncc_record_number(r, data->second_peaks ? data->second_peaks[row] : NAN, 17);
  ncc_record_flag(r, data->at_border[row]);
  ncc_record_flag(r, point->agrees);
  if (!r->json) ncc_record_text(r, ncc_verdict_name(edge->verdict));
  ncc_record_end(r);
}

#define POINT_COLUMNS \
  "status", "image_x", "image_y", "other_x", "other_y", "dx", "dy", "peak", "second_peak", "at_border", "agrees"

void ncc_tiles_print_csv(const ncc_tiles *tiles, const int64_t *order) {
  static const char *const columns[] = {"row",        "image",       "other",   "image_name",
                                        "other_name", POINT_COLUMNS, "verdict", NULL};
  ncc_record record = {.columns = columns};
  ncc_record_head(&record);
  for (int64_t i = 0; i < tiles->n_edges; i++) {
    const ncc_tile_edge *edge = &tiles->edges[order[i]];
    for (int64_t p = 0; p < edge->n; p++) print_record(tiles, edge, &tiles->points[edge->first + p], &record);
  }
}

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

void ncc_tiles_print_json(const ncc_tiles *tiles, const int64_t *order) {
  static const char *const columns[] = {"image",       "other",   "image_name", "other_name", "image_group",
                                        "other_group", "verdict", "agree",      "listed",     "dx",
                                        "dy",          "spread",  NULL};
  static const char *const point_columns[] = {"row", POINT_COLUMNS, NULL};
  ncc_record r = {.json = true, .columns = columns}, point = {.json = true, .columns = point_columns};
  for (int64_t i = 0; i < tiles->n_edges; i++) {
    const ncc_tile_edge *edge = &tiles->edges[order[i]];
    fputs(i ? ",\n" : "[\n", stdout);
    ncc_record_begin(&r);
    ncc_record_integer(&r, edge->image);
    ncc_record_integer(&r, edge->other);
    ncc_record_text(&r, name_of(tiles, edge->image));
    ncc_record_text(&r, name_of(tiles, edge->other));
    ncc_record_text(&r, group_of(tiles, edge->image));
    ncc_record_text(&r, group_of(tiles, edge->other));
    ncc_record_text(&r, ncc_verdict_name(edge->verdict));
    ncc_record_integer(&r, edge->n_agree);
    ncc_record_integer(&r, edge->n);
    ncc_record_number(&r, edge->moved[1], 12);
    ncc_record_number(&r, edge->moved[0], 12);
    ncc_record_number(&r, edge->spread, 12);
    fputs(",\"templates\":[", stdout);
    for (int64_t p = 0; p < edge->n; p++) {
      if (p) putchar(',');
      print_record(tiles, edge, &tiles->points[edge->first + p], &point);
    }
    putchar(']');
    ncc_record_end(&r);
  }
  puts(tiles->n_edges ? "\n]" : "[]");
}

/* ---- render -------------------------------------------------------------------------------------------------- */

/** Coordinates of the agreeing points of an edge. */
static void print_points(const ncc_tiles *tiles, const ncc_tile_edge *edge, bool of_image, int axis) {
  const char *comma = "";
  putchar('[');
  for (int64_t p = edge->first; p < edge->first + edge->n; p++) {
    const ncc_tile_point *point = &tiles->points[p];
    if (!point->agrees) continue;
    printf("%s%.12g", comma, of_image ? point->found[axis] : point->at[axis]);
    comma = ",";
  }
  putchar(']');
}

/** Render takes p to be the lesser of the two by group and then by name. */
void ncc_tiles_print_render(const ncc_tiles *tiles) {
  static const char *const columns[] = {"pGroupId", "pId", "qGroupId", "qId", NULL};
  ncc_record r = {.json = true, .columns = columns};
  const char *comma = "";
  char id[2][32];
  putchar('[');
  for (int64_t e = 0; e < tiles->n_edges; e++) {
    const ncc_tile_edge *edge = &tiles->edges[e];
    if (edge->verdict != NCC_VERDICT_GOOD) continue;
    const int64_t ids[2] = {edge->image, edge->other};
    const char *names[2], *groups[2];
    for (int k = 0; k < 2; k++) {
      snprintf(id[k], sizeof id[k], "%" PRId64, ids[k]);
      names[k] = *name_of(tiles, ids[k]) ? name_of(tiles, ids[k]) : id[k];
      groups[k] = group_of(tiles, ids[k]);
    }
    const int order = strcmp(groups[0], groups[1]) ? strcmp(groups[0], groups[1]) : strcmp(names[0], names[1]);
    const int p = order > 0; /* which of the two is p */
    printf("%s\n", comma);
    ncc_record_begin(&r);
    ncc_record_text(&r, groups[p]);
    ncc_record_text(&r, names[p]);
    ncc_record_text(&r, groups[1 - p]);
    ncc_record_text(&r, names[1 - p]);
    printf(",\"matches\":{\"p\":[");
    print_points(tiles, edge, p == 0, 1);
    putchar(',');
    print_points(tiles, edge, p == 0, 0);
    printf("],\"q\":[");
    print_points(tiles, edge, p != 0, 1);
    putchar(',');
    print_points(tiles, edge, p != 0, 0);
    printf("],\"w\":[");
    for (int64_t k = 0; k < edge->n_agree; k++) printf(k ? ",1.0" : "1.0");
    fputs("]}", stdout);
    ncc_record_end(&r);
    comma = ",";
  }
  printf("\n]\n");
}
