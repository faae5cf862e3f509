/** `mpixcorr grid`: pairs of sections to an input file of a regular grid of patches, each with a prediction. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/next_step.h"
#include "app/sides.h"
#include "app/tiles.h"
#include "base/arithmetic.h"
#include "base/target.h"
#include "base/text.h"
#include "io/input/writer.h"
#include "io/stage/look.h"
#include "io/stage/section_pairs.h"
#include "io/volume/volume.h"
#include "mosaic/grid.h"

typedef struct grid_options {
  const char *pairs, *output, *prior, *root;
  ncc_sides patch, step;
  int64_t radius; /* -1: not given */
  double scale;
  int64_t bin;
  bool overwrite;
} grid_options;

#define AT(member) offsetof(grid_options, member)
enum {
  STRIP_BYTES = 64 << 20, /* of an image that is averaged */
  OUTSTANDS_PX = 3        /* by which predictions may differ from those around them, in pixels that they were made of */
};

static const char details[] =
    "PAIRS.csv has the columns template,image, sources as in /images (docs/file-format.md): patches of template are\n"
    "sought in image. With the columns dy,dx, point (y, x) of template is expected at (y + dy, x + dx) of image.\n"
    "Patches that cannot lie inside the image anywhere near where they are expected are left out and counted.\n"
    "\n"
    "From coarse to fine: --bin N averages N x N pixels, which OUTPUT then holds, so that a large radius is cheap. "
    "What\n"
    "came out is the --prior of a second grid: what stands out from its neighbours gives way to their median, holes "
    "are\n"
    "filled, and between its points it is linear. --patch, --step, --radius and all displacements stay in pixels of "
    "the\n"
    "full resolution. --scale S is for a prior of other, smaller pictures: displacements times S, positions p to\n"
    "S (p + 1/2) - 1/2; pairs are then known by their order in PAIRS.csv.";

static const ncc_operand operands[] = {
    {"PAIRS.csv", AT(pairs), "pairs of images"},
    {"OUTPUT", AT(output), "HDF5 input file to write; appears under this name only when it is complete"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "patch",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(patch),
     .argument = "H,W",
     .default_words = "must be given",
     .help = "size of patches",
     .expected = "H,W of at least 1",
     .parse = ncc_sides_parse,
     .format = ncc_sides_format},
    {.name = "step",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(step),
     .argument = "H,W",
     .default_words = "must be given",
     .help = "from one patch to the next",
     .expected = "H,W of at least 1",
     .parse = ncc_sides_parse,
     .format = ncc_sides_format},
    {.name = "radius",
     .kind = NCC_OPTION_INT64,
     .offset = AT(radius),
     .argument = "PX",
     .default_words = "must be given",
     .help = "how far around the prediction peaks are sought, in y and x each",
     .min = 0,
     .max = 1e6},
    {.name = "prior",
     .kind = NCC_OPTION_STRING,
     .offset = AT(prior),
     .argument = "PEAKS.h5",
     .default_words = "dy,dx of PAIRS.csv",
     .help = "results of an earlier, coarser grid of the same pairs, for predictions"},
    {.name = "scale",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(scale),
     .argument = "S",
     .initial = "1",
     .help = "pixels of these images for one of the prior's, where it was made of other pictures",
     .min = 1e-3,
     .max = 1e3},
    {.name = "bin",
     .kind = NCC_OPTION_INT64,
     .offset = AT(bin),
     .argument = "N",
     .initial = "1",
     .help = "average N x N pixels; --patch and --step have to be multiples of it",
     .min = 1,
     .max = NCC_INPUT_MAX_BIN},
    {.name = "root",
     .kind = NCC_OPTION_STRING,
     .offset = AT(root),
     .argument = "DIR",
     .default_words = "PAIRS.csv's folder",
     .help = "where relative names of files start"},
    {.name = "overwrite", .kind = NCC_OPTION_FLAG, .offset = AT(overwrite), .help = "replace an existing file"},
    {.name = NULL},
};

const ncc_command ncc_grid_command = {
    .name = "grid",
    .summary = "Make an input file from pairs of sections: a regular grid of patches of one, sought in the other.",
    .details = details,
    .examples =
        "mpixcorr grid pairs.csv coarse.h5 --bin 4 --patch 640,640 --step 320,320 --radius 200\n"
        "mpixcorr grid pairs.csv fine.h5 --patch 160,160 --step 40,40 --radius 12 --prior coarse_peaks.h5",
    .operands = operands,
    .options = options,
};

/* ---- predictions --------------------------------------------------------------------------------------------- */

/** Fields of an earlier output, by the edges of its tiles. */
typedef struct priors {
  ncc_output_data data;
  ncc_pair_source *source;
  ncc_tiles tiles;
  ncc_prior *fields; /**< [tiles.n_edges] */
} priors;

static void priors_clear(priors *p) {
  for (int64_t e = 0; p->fields && e < p->tiles.n_edges; e++) ncc_prior_clear(&p->fields[e]);
  free(p->fields);
  ncc_tiles_clear(&p->tiles);
  ncc_pair_source_close(&p->source);
  ncc_output_data_clear(&p->data);
}

/** The field of one edge of an earlier output. */
static ncc_status make_field(const priors *p, int64_t e, double scale, ncc_prior *out) {
  ncc_status status = NCC_OK;
  const ncc_tile_edge *edge = &p->tiles.edges[e];
  const size_t n = (size_t)edge->n;
  double(*at)[2] = malloc((n + 1) * sizeof *at), (*moved)[2] = malloc((n + 1) * sizeof *moved);
  uint8_t *counts = malloc(n + 1);
  NCC_CHECK(at && moved && counts, NCC_ERR_NOMEM, "no memory for %zu predictions", n);
  for (size_t i = 0; i < n; i++) {
    const ncc_tile_point *point = &p->tiles.points[edge->first + (int64_t)i];
    for (int k = 0; k < 2; k++) at[i][k] = point->at[k], moved[i][k] = point->moved[k];
    counts[i] = point->counts;
  }
  const double tolerance = OUTSTANDS_PX * (double)ncc_pair_source_bin(p->source);
  NCC_TRY(ncc_prior_create((int64_t)n, (const double(*)[2])at, (const double(*)[2])moved, counts, tolerance, out));
  for (int k = 0; k < 2; k++) {
    out->lattice.origin[k] = scale * (out->lattice.origin[k] + 0.5) - 0.5;
    out->lattice.step[k] *= scale;
    for (int64_t i = 0; i < out->lattice.n[0] * out->lattice.n[1]; i++) out->moved[i][k] *= scale;
  }
cleanup:
  free(at);
  free(moved);
  free(counts);
  return status;
}

static ncc_status priors_load(const grid_options *values, const ncc_section_pairs *sections, priors *p) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_output_load(values->prior, &p->data));
  NCC_TRY(ncc_pair_source_of_results(&p->data, NULL, NULL, false, &p->source));
  NCC_TRY(ncc_tiles_create(&p->data, p->source, &p->tiles));
  p->fields = calloc((size_t)p->tiles.n_edges + 1, sizeof *p->fields);
  NCC_CHECK(p->fields, NCC_ERR_NOMEM, "%s: no memory", values->prior);
  for (int64_t e = 0; e < p->tiles.n_edges; e++) {
    const ncc_tile_edge *edge = &p->tiles.edges[e];
    const int64_t ids[2] = {edge->image, edge->other};
    for (int k = 0; k < 2 && values->scale == 1; k++) {
      const char *name = ncc_pair_source_name(p->source, NCC_IMAGE, ids[k]);
      NCC_CHECK(ids[k] < sections->n_sources && (!*name || strcmp(name, sections->sources[ids[k]]) == 0), NCC_ERR_INPUT,
                "%s: image %" PRId64 " %s found, expected %s as in %s", values->prior, ids[k], ncc_text_show(name),
                ncc_text_show(ids[k] < sections->n_sources ? sections->sources[ids[k]] : "the same pairs"),
                values->pairs);
    }
    if (make_field(p, e, values->scale, &p->fields[e]) != NCC_OK) {
      ncc_error_prefix("%s: images %" PRId64 " and %" PRId64, values->prior, edge->image, edge->other);
      status = NCC_ERR_INPUT;
      goto cleanup;
    }
  }
cleanup:
  return status;
}

/** The field of a pair of images, or NULL. */
static const ncc_prior *priors_find(const priors *p, const int64_t pair[2]) {
  int64_t low = 0, high = p->tiles.n_edges;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const ncc_tile_edge *edge = &p->tiles.edges[middle];
    if (edge->image < pair[0] || (edge->image == pair[0] && edge->other < pair[1]))
      low = middle + 1;
    else
      high = middle;
  }
  if (low == p->tiles.n_edges || p->tiles.edges[low].image != pair[0] || p->tiles.edges[low].other != pair[1])
    return NULL;
  return &p->fields[low];
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

/** What is to be written. */
typedef struct plan {
  ncc_section_pairs sections;
  char *root;
  bool beside;
  int64_t (*shapes)[2]; /**< [n_sources] as the sources have them */
  ncc_dtype *dtypes;    /**< [n_sources] */
  ncc_grid grid;
  int64_t predicted; /**< pairs with a prior */
} plan;

static ncc_status make_plan(const grid_options *values, plan *p) {
  ncc_status status = NCC_OK;
  ncc_section_pairs *s = &p->sections;
  priors earlier = {0};
  const int64_t bin = values->bin;
  const ncc_grid_spec spec = {.patch = {values->patch.rows / bin, values->patch.cols / bin},
                              .step = {values->step.rows / bin, values->step.cols / bin},
                              .radius = ncc_ceil_div(values->radius, bin),
                              .bin = bin};
  NCC_TRY(ncc_section_pairs_load(values->pairs, s));
  NCC_TRY(ncc_source_root(values->pairs, values->root, values->output, &p->root, &p->beside));
  p->shapes = malloc((size_t)s->n_sources * sizeof *p->shapes);
  p->dtypes = malloc((size_t)s->n_sources * sizeof *p->dtypes);
  NCC_CHECK(p->shapes && p->dtypes, NCC_ERR_NOMEM, "grid: no memory for %" PRId64 " images", s->n_sources);
  NCC_TRY(ncc_look_at_sources(values->pairs, p->root, s->n_sources, s->sources, s->lines, p->shapes, p->dtypes));
  if (values->prior) NCC_TRY(priors_load(values, s, &earlier));
  for (int64_t i = 0; i < s->n; i++) {
    const int64_t *pair = s->pairs[i];
    ncc_grid_pair one = {.image = pair[0], .other = pair[1], .prior = priors_find(&earlier, pair)};
    for (int k = 0; k < 2; k++) {
      one.image_shape[k] = p->shapes[pair[0]][k] / bin;
      one.other_shape[k] = p->shapes[pair[1]][k] / bin;
      one.moved[k] = s->moved[i][k];
    }
    p->predicted += one.prior != NULL;
    NCC_TRY(ncc_grid_add(&p->grid, &spec, &one));
  }
  NCC_CHECK(p->grid.n > 0, NCC_ERR_INPUT,
            "%s: no patch of %" PRId64 " x %" PRId64 " px lies inside its image where it is expected; %" PRId64
            " are expected outside",
            values->pairs, values->patch.rows, values->patch.cols, p->grid.outside);
cleanup:
  priors_clear(&earlier);
  return status;
}

/** Averages a source strip by strip. */
static ncc_status write_binned(ncc_input_writer *writer, ncc_volumes *volumes, const plan *p, int64_t id, int64_t bin) {
  ncc_status status = NCC_OK;
  const int64_t rows = p->shapes[id][0], cols = p->shapes[id][1], n_rows = rows / bin, n_cols = cols / bin;
  const ncc_dtype from = p->dtypes[id], to = ncc_bin_dtype(from);
  const int64_t strip = ncc_clamp(STRIP_BYTES / (cols * (int64_t)ncc_dtype_size(from) * bin), 1, ncc_max(n_rows, 1));
  void *in = malloc((size_t)(strip * bin * cols) * ncc_dtype_size(from));
  void *out = malloc((size_t)(strip * ncc_max(n_cols, 1)) * ncc_dtype_size(to));
  NCC_CHECK(in && out, NCC_ERR_NOMEM, "grid: no memory for a strip of %" PRId64 " columns", cols);
  NCC_CHECK(n_rows > 0 && n_cols > 0, NCC_ERR_INPUT, "%s: %" PRId64 " x %" PRId64 " pixels, fewer than --bin",
            p->sections.sources[id], rows, cols);
  NCC_TRY(ncc_input_writer_begin(writer, NCC_IMAGE, id, n_rows, n_cols, to));
  for (int64_t y = 0; y < n_rows; y += strip) {
    const int64_t n = ncc_min(strip, n_rows - y);
    const ncc_rect rect = {y * bin, 0, (y + n) * bin, cols};
    NCC_TRY(ncc_volumes_read(volumes, p->sections.sources[id], rows, cols, from, &rect, in));
    const ncc_array pixels = {in, from, n * bin, cols, cols}, means = {out, to, n, n_cols, n_cols};
    ncc_bin_pixels(&pixels, bin, &means);
    NCC_TRY(ncc_input_writer_rows(writer, &means));
  }
  NCC_TRY(ncc_input_writer_end(writer, true));
cleanup:
  free(in);
  free(out);
  return status;
}

static ncc_status write_file(const grid_options *values, const plan *p) {
  ncc_status status = NCC_OK;
  const ncc_section_pairs *s = &p->sections;
  const ncc_grid *grid = &p->grid;
  ncc_input_writer *writer = NULL;
  ncc_volumes *volumes = NULL;
  char *description = NULL;
  NCC_TRY(ncc_command_describe(&ncc_grid_command, values, false, &description));
  NCC_TRY(ncc_input_writer_create(values->output, values->overwrite, &writer));
  NCC_TRY(ncc_input_writer_attribute(writer, "made_by", description));
  if (values->bin == 1) {
    NCC_TRY(ncc_input_writer_sources(writer, NCC_IMAGE, s->n_sources, s->sources, (const int64_t(*)[2])p->shapes,
                                     ncc_common_dtype(s->n_sources, p->dtypes), p->beside ? NULL : p->root));
  } else {
    NCC_TRY(ncc_volumes_create(p->root, &volumes));
    NCC_TRY(ncc_input_writer_integer(writer, "bin", values->bin));
    for (int64_t id = 0; id < s->n_sources; id++) NCC_TRY(write_binned(writer, volumes, p, id, values->bin));
  }
  NCC_TRY(ncc_input_writer_strings(writer, "/image_names", s->n_sources, s->sources));
  NCC_TRY(ncc_input_writer_boxes(writer, grid->n, (const int64_t(*)[5])grid->boxes));
  NCC_TRY(ncc_input_writer_pairs(writer, grid->n, (const int64_t(*)[2])grid->pairs));
  NCC_TRY(ncc_input_writer_near(writer, grid->n, (const int64_t(*)[4])grid->near));
  NCC_TRY(ncc_input_writer_finish(&writer));
cleanup:
  ncc_input_writer_destroy(&writer);
  ncc_volumes_destroy(&volumes);
  free(description);
  return status;
}

static void print_summary(const grid_options *values, const plan *p) {
  printf("%s: %" PRId64 " images, %" PRId64 " pairs of them; %" PRId64 " patches of %" PRId64 " x %" PRId64
         " px, one each %" PRId64 " x %" PRId64 " px\n",
         ncc_text_show(values->output), p->sections.n_sources, p->sections.n, p->grid.n, values->patch.rows,
         values->patch.cols, values->step.rows, values->step.cols);
  if (values->bin > 1) printf("pixels       averages of %" PRId64 " x %" PRId64 "\n", values->bin, values->bin);
  printf("search       within %" PRId64 " px of ", values->radius);
  if (values->prior)
    printf("what %s found, for %" PRId64 " of %" PRId64 " pairs; of dy, dx for the others\n",
           ncc_text_show(values->prior), p->predicted, p->sections.n);
  else
    puts("dy, dx");
  printf("left out     %" PRId64 " patches, expected outside their image\n", p->grid.outside);
  ncc_next_step_print(values->output, "--quality", "--field field.h5");
}

static ncc_status check_options(const grid_options *values) {
  ncc_status status = NCC_OK;
  const int64_t bin = values->bin;
  NCC_CHECK(values->patch.rows && values->step.rows && values->radius >= 0, NCC_ERR_USAGE,
            "grid: %s is missing, expected --patch H,W --step H,W --radius PX",
            !values->patch.rows  ? "--patch"
            : !values->step.rows ? "--step"
                                 : "--radius");
  NCC_CHECK(values->patch.rows % bin == 0 && values->patch.cols % bin == 0 && values->step.rows % bin == 0 &&
                values->step.cols % bin == 0,
            NCC_ERR_USAGE, "grid: --patch or --step found that is no multiple of --bin %" PRId64, bin);
  NCC_CHECK(values->scale == 1 || values->prior, NCC_ERR_USAGE, "grid: --scale found without --prior");
cleanup:
  return status;
}

ncc_status ncc_cmd_grid(int argc, char **argv) {
  ncc_status status = NCC_OK;
  grid_options values = {.radius = -1};
  plan p = {0};
  bool help;
  NCC_TRY(ncc_command_parse(&ncc_grid_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_grid_command, stdout);
    goto cleanup;
  }
  NCC_TRY(check_options(&values));
  NCC_TRY(ncc_target_declare(values.output, "OUTPUT", NULL)); /* before anything is read */
  NCC_TRY(make_plan(&values, &p));
  NCC_TRY(write_file(&values, &p));
  print_summary(&values, &p);
cleanup:
  ncc_section_pairs_clear(&p.sections);
  ncc_grid_clear(&p.grid);
  free(p.root);
  free(p.shapes);
  free(p.dtypes);
  return status;
}
