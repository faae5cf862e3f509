/** `mpixcorr mosaic`: stage positions to an input file that holds names, boxes and predictions, and no pixels. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/next_step.h"
#include "app/sides.h"
#include "base/target.h"
#include "base/text.h"
#include "io/input/writer.h"
#include "io/stage/look.h"
#include "io/stage/stage.h"
#include "mosaic/mosaic.h"
#include "options/table.h"

typedef struct mosaic_options {
  const char *stage, *output, *root;
  double stage_error; /* negative: not given */
  ncc_sides template, shape;
  int64_t per_edge;
  double pixel_size;
  int flip; /* 0: none; 1: x; 2: y */
  bool overwrite;
} mosaic_options;

#define AT(member) offsetof(mosaic_options, member)

static const char details[] =
    "what STAGE may be:\n"
    "  a table (CSV) with the columns file,x,y, where a tile's top-left pixel is: x right, y down. A column section:\n"
    "    neighbours only within one; a column id: names for people and for render\n"
    "  Zeiss full_image_coordinates.txt; a FEABAS coordinate file; Fiji's TileConfiguration.txt\n"
    "Names of files are as in /images, see docs/file-format.md; relative ones start at STAGE's folder, or at FEABAS'\n"
    "{ROOT_DIR}.\n"
    "\n"
    "Of two tiles that overlap, the first in STAGE is the image; templates are boxes of the other, placed so that "
    "they\n"
    "are inside the image as long as the prediction is wrong by no more than the stage error. Overlaps too small for\n"
    "three of them, and corners, shorter than a third of a tile, are left out and counted. No pixel is copied.";

static const ncc_operand operands[] = {
    {"STAGE", AT(stage), "positions of tiles"},
    {"OUTPUT", AT(output), "HDF5 input file to write; appears under this name only when it is complete"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "stage-error",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(stage_error),
     .argument = "PX",
     .default_words = "half the overlap",
     .help = "how far positions of neighbours may be wrong, in y and x each: peaks are sought that far around",
     .min = 0,
     .max = 1e6},
    {.name = "template",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(template),
     .argument = "H,W",
     .default_words = "across the overlap what the stage error leaves of it, at least 48; along it 2.5 times that, at "
                      "most 512",
     .help = "size of templates of tiles side by side; turned for tiles above each other",
     .expected = "H,W of at least 1",
     .parse = ncc_sides_parse,
     .format = ncc_sides_format},
    {.name = "per-edge",
     .kind = NCC_OPTION_INT64,
     .offset = AT(per_edge),
     .argument = "N",
     .initial = "5",
     .help = "templates of two neighbours; fewer, but at least 3, where more would overlap",
     .min = NCC_MOSAIC_FEWEST,
     .max = 1000},
    {.name = "pixel-size",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(pixel_size),
     .argument = "S",
     .initial = "1",
     .help = "size of a pixel in the unit of STAGE's positions",
     .min = 1e-12,
     .max = 1e12},
    {.name = "flip",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(flip),
     .argument = "none|x|y",
     .initial = "none",
     .help = "turn an axis of STAGE around: where x grows to the left, or y upwards"},
    {.name = "shape",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(shape),
     .argument = "ROWS,COLS",
     .default_words = "every file is looked at",
     .help = "shape of every tile, which spares the look",
     .expected = "ROWS,COLS of at least 1",
     .parse = ncc_sides_parse,
     .format = ncc_sides_format},
    {.name = "root",
     .kind = NCC_OPTION_STRING,
     .offset = AT(root),
     .argument = "DIR",
     .default_words = "STAGE's folder",
     .help = "where relative names of files start"},
    {.name = "overwrite", .kind = NCC_OPTION_FLAG, .offset = AT(overwrite), .help = "replace an existing file"},
    {.name = NULL},
};

const ncc_command ncc_mosaic_command = {
    .name = "mosaic",
    .summary = "Make an input file from stage positions: neighbours, templates in their overlaps, predictions.",
    .details = details,
    .examples =
        "mpixcorr mosaic stage.csv tiles.h5 --stage-error 60\tpositions within 60 px\n"
        "mpixcorr mosaic full_image_coordinates.txt tiles.h5 --shape 2724,3127",
    .operands = operands,
    .options = options,
};

/** Tiles as they are used. */
typedef struct tiles {
  ncc_stage stage;
  ncc_tile *items;      /**< [stage.n] */
  int64_t (*shapes)[2]; /**< [stage.n] */
  ncc_dtype dtype;      /**< of all; NCC_DTYPE_COUNT: not known, or not the same */
  char *root;
  bool beside; /**< OUTPUT lies in that folder */
} tiles;

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/** Numbers sections by their names. */
static ncc_status number_sections(const ncc_stage *stage, ncc_tile *items) {
  ncc_status status = NCC_OK;
  const char **names = malloc((size_t)stage->n * sizeof *names);
  NCC_CHECK(names, NCC_ERR_NOMEM, "mosaic: no memory for %" PRId64 " tiles", stage->n);
  memcpy(names, stage->sections, (size_t)stage->n * sizeof *names);
  qsort(names, (size_t)stage->n, sizeof *names, compare_texts);
  for (int64_t i = 0; i < stage->n; i++) {
    int64_t low = 0, high = stage->n - 1; /* the first of equal names */
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (strcmp(names[middle], stage->sections[i]) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    items[i].section = low;
  }
cleanup:
  free(names);
  return status;
}

static ncc_status load_tiles(const mosaic_options *values, tiles *t) {
  ncc_status status = NCC_OK;
  ncc_stage *s = &t->stage;
  ncc_dtype *dtypes = NULL;
  NCC_TRY(ncc_stage_load(values->stage, s));
  NCC_TRY(ncc_source_root(values->stage, values->root ? values->root : s->root, values->output, &t->root, &t->beside));
  t->items = calloc((size_t)s->n, sizeof *t->items);
  t->shapes = malloc((size_t)s->n * sizeof *t->shapes);
  t->dtype = NCC_DTYPE_COUNT;
  dtypes = malloc((size_t)s->n * sizeof *dtypes);
  NCC_CHECK(t->items && t->shapes && dtypes, NCC_ERR_NOMEM, "mosaic: no memory for %" PRId64 " tiles", s->n);
  const ncc_sides shape = values->shape.rows ? values->shape : (ncc_sides){s->rows, s->cols};
  if (shape.rows)
    for (int64_t i = 0; i < s->n; i++) t->shapes[i][0] = shape.rows, t->shapes[i][1] = shape.cols;
  else {
    NCC_TRY(ncc_look_at_sources(values->stage, t->root, s->n, s->files, s->lines, t->shapes, dtypes));
    t->dtype = ncc_common_dtype(s->n, dtypes);
  }
  for (int64_t i = 0; i < s->n; i++) {
    const double x = s->positions[i][0] / values->pixel_size, y = s->positions[i][1] / values->pixel_size;
    NCC_CHECK(fabs(x) <= NCC_MOSAIC_MAX_POSITION && fabs(y) <= NCC_MOSAIC_MAX_POSITION, NCC_ERR_INPUT,
              "%s: line %" PRId64 ": position %g, %g px found, expected at most 2^30; is --pixel-size right?",
              values->stage, s->lines[i], x, y);
    t->items[i].x = values->flip == 1 ? -x : x;
    t->items[i].y = values->flip == 2 ? -y : y;
    t->items[i].rows = t->shapes[i][0];
    t->items[i].cols = t->shapes[i][1];
  }
  if (s->sections) NCC_TRY(number_sections(s, t->items));
cleanup:
  free(dtypes);
  return status;
}

static ncc_status write_file(const mosaic_options *values, const tiles *t, const ncc_mosaic *m) {
  ncc_status status = NCC_OK;
  const ncc_stage *s = &t->stage;
  ncc_input_writer *writer = NULL;
  char *description = NULL;
  NCC_TRY(ncc_command_describe(&ncc_mosaic_command, values, false, &description));
  NCC_TRY(ncc_input_writer_create(values->output, values->overwrite, &writer));
  NCC_TRY(ncc_input_writer_attribute(writer, "made_by", description));
  NCC_TRY(ncc_input_writer_sources(writer, NCC_IMAGE, s->n, s->files, (const int64_t(*)[2])t->shapes, t->dtype,
                                   t->beside ? NULL : t->root));
  NCC_TRY(ncc_input_writer_strings(writer, "/image_names", s->n, s->ids ? s->ids : s->files));
  if (s->sections) NCC_TRY(ncc_input_writer_strings(writer, "/image_groups", s->n, s->sections));
  NCC_TRY(ncc_input_writer_boxes(writer, m->n, (const int64_t(*)[5])m->boxes));
  NCC_TRY(ncc_input_writer_pairs(writer, m->n, (const int64_t(*)[2])m->pairs));
  NCC_TRY(ncc_input_writer_near(writer, m->n, (const int64_t(*)[4])m->near));
  NCC_TRY(ncc_input_writer_finish(&writer));
cleanup:
  ncc_input_writer_destroy(&writer);
  free(description);
  return status;
}

/** "48" or "48 to 95". */
static const char *range_words(const int64_t range[2], char text[48]) {
  snprintf(text, 48, range[0] == range[1] ? "%" PRId64 : "%" PRId64 " to %" PRId64, range[0], range[1]);
  return text;
}

static void print_summary(const mosaic_options *values, const tiles *t, const ncc_mosaic *m) {
  char across[48], along[48];
  printf("%s: %" PRId64 " images (%s), %" PRId64 " templates on %" PRId64 " edges\n", ncc_text_show(values->output),
         t->stage.n, t->stage.format, m->n, m->edges);
  printf("overlap      %.0f px, the median\n", m->overlap);
  printf("stage error  %.6g px%s: peaks are sought that far around the prediction\n", m->stage_error,
         values->stage_error < 0 ? ", half the overlap" : "");
  printf("templates    %s px across the overlap, %s along it; %" PRId64 " an edge, fewer where they would overlap\n",
         range_words(m->across, across), range_words(m->along, along), values->per_edge);
  printf("left out     %" PRId64 " of %" PRId64 " overlaps, corners or too small; %" PRId64
         " images are without an edge\n",
         m->overlapping - m->edges, m->overlapping, m->alone);
  ncc_next_step_print(values->output, "--quality", "--tiles");
}

ncc_status ncc_cmd_mosaic(int argc, char **argv) {
  ncc_status status = NCC_OK;
  mosaic_options values = {.stage_error = -1};
  tiles t = {0};
  ncc_mosaic mosaic = {0};
  bool help;
  NCC_TRY(ncc_command_parse(&ncc_mosaic_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_mosaic_command, stdout);
    goto cleanup;
  }
  NCC_TRY(ncc_target_declare(values.output, "OUTPUT", NULL)); /* before anything is read */
  NCC_TRY(load_tiles(&values, &t));
  const ncc_mosaic_options asked = {.stage_error = values.stage_error,
                                    .across = values.template.cols,
                                    .along = values.template.rows,
                                    .per_edge = values.per_edge};
  status = ncc_mosaic_plan(t.stage.n, t.items, &asked, &mosaic);
  if (status == NCC_ERR_INPUT) ncc_error_prefix("%s", values.stage);
  NCC_TRY(status);
  NCC_TRY(write_file(&values, &t, &mosaic));
  print_summary(&values, &t, &mosaic);
cleanup:
  ncc_mosaic_clear(&mosaic);
  ncc_stage_clear(&t.stage);
  free(t.items);
  free(t.shapes);
  free(t.root);
  return status;
}
