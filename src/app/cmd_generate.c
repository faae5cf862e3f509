/** `mpixcorr generate`: passes synthetic images and templates to a file, one at a time. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/commands.h"
#include "base/text.h"
#include "io/input/writer.h"
#include "options/table.h"
#include "synth/series.h"

typedef struct generate_options {
  const char *output;
  ncc_synth_preset preset;
  int64_t images, templates; /* 0: as the preset has it */
  int64_t seed;
  int dtype; /* 0: as the preset has it; else an ncc_dtype + 1 */
  double noise;
  double turn;
  bool subpixel_shift, overwrite;
} generate_options;

#define AT(member) offsetof(generate_options, member)
#define TEXT(macro) TEXT_OF(macro)
#define TEXT_OF(text) #text

/* The words come from the same tables as the values: "|a|b|c". */
#define PRESET_WORD(id, name, ...) "|" name
#define DTYPE_WORD(id, type, name) "|" name
#define SIZE_TEXT(rows, cols) TEXT(rows) " x " TEXT(cols)
#define PRESET_LINE(id, name, rows, cols, template_rows, template_cols, ...) \
  "  " name ": images of " SIZE_TEXT(rows, cols) " pixels, templates of " SIZE_TEXT(template_rows, template_cols) "\n"

static const char details[] =
    "presets:\n" NCC_SYNTH_TABLE(PRESET_LINE)
    "\n"
    "The templates of a sweep are one place after the other, turned in small steps around zero degrees, with the zero "
    "corners that a rotation leaves. /expected/coords and /expected/peaks hold where each template belongs and the NCC "
    "there by direct sums; -1, -1 and NaN where that is not known.";

static const ncc_operand operands[] = {
    {"OUTPUT", AT(output), "HDF5 input file to write; appears under this name only when it is complete"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "preset",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(preset),
     .argument = &(NCC_SYNTH_TABLE(PRESET_WORD))[1],
     .initial = "stitch2d",
     .help = "what is imitated, see below"},
    {.name = "images",
     .kind = NCC_OPTION_INT64,
     .offset = AT(images),
     .argument = "N",
     .default_words = "as the preset has it",
     .help = "number of images",
     .min = 1,
     .max = 1e6},
    {.name = "templates",
     .kind = NCC_OPTION_INT64,
     .offset = AT(templates),
     .argument = "N",
     .default_words = "as the preset has it",
     .help = "number of templates of each image",
     .min = 1,
     .max = 1e6},
    {.name = "seed",
     .kind = NCC_OPTION_INT64,
     .offset = AT(seed),
     .argument = "N",
     .initial = "1",
     .help = "the same seed and options give the same pixels on every machine",
     .min = 0,
     .max = 9e18},
    {.name = "dtype",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(dtype),
     .argument = "auto" NCC_DTYPE_TABLE(DTYPE_WORD),
     .initial = "auto",
     .default_words = "u8 for stitch2d and tiny, f32 for align3d and sweep",
     .help =
         "type of the pixels; integers use their whole range, floats have mean 0 and standard deviation 1 or about"},
    {.name = "noise",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(noise),
     .argument = "S",
     .initial = TEXT(NCC_SYNTH_NOISE),
     .help = "standard deviation of the camera noise of images and templates in grey levels of 0 .. 255; 0 to " TEXT(
         NCC_SYNTH_MAX_NOISE),
     .min = 0,
     .max = NCC_SYNTH_MAX_NOISE},
    {.name = "subpixel-shift",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(subpixel_shift),
     .help = "cut templates between pixels and write the true positions to /expected/subpixel; not for sweep"},
    {.name = "turn",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(turn),
     .argument = "DEG",
     .initial = "0",
     .help =
         "turn the templates of an image by -DEG to DEG in 10 steps, one after the other, and write to "
         "/expected/angles by how much 'run --rotate' must turn them; not for sweep; 0 to " TEXT(NCC_SYNTH_MAX_TURN),
     .min = 0,
     .max = NCC_SYNTH_MAX_TURN},
    {.name = "overwrite", .kind = NCC_OPTION_FLAG, .offset = AT(overwrite), .help = "replace an existing file"},
    {.name = NULL},
};

const ncc_command ncc_generate_command = {
    .name = "generate",
    .summary = "Make EM-like images, templates cut from them with noise, gain and offset, and the known answers.",
    .details = details,
    .examples =
        "mpixcorr generate in.h5 --preset tiny\tready in a moment\n"
        "mpixcorr generate big.h5 --preset stitch2d --images 1000\tenough to measure a rate",
    .operands = operands,
    .options = options,
};

/** The answers of all pairs, as the writer takes them. */
typedef struct answers {
  int64_t n, unknown;
  int64_t (*pairs)[2], (*coords)[2];
  double *peaks, *angles, (*subpixel)[2];
} answers;

static ncc_status answers_create(answers *a, int64_t n) {
  ncc_status status = NCC_OK;
  a->n = n;
  a->pairs = malloc((size_t)n * sizeof *a->pairs);
  a->coords = malloc((size_t)n * sizeof *a->coords);
  a->peaks = malloc((size_t)n * sizeof *a->peaks);
  a->angles = malloc((size_t)n * sizeof *a->angles);
  a->subpixel = malloc((size_t)n * sizeof *a->subpixel);
  NCC_CHECK(a->pairs && a->coords && a->peaks && a->angles && a->subpixel, NCC_ERR_NOMEM,
            "generate: no memory for %" PRId64 " pairs", n);
cleanup:
  return status;
}

static void answers_clear(answers *a) {
  free(a->pairs);
  free(a->coords);
  free(a->peaks);
  free(a->angles);
  free(a->subpixel);
}

static ncc_status write_image(ncc_synth *synth, ncc_input_writer *writer, int64_t image, answers *a) {
  ncc_status status = NCC_OK;
  const int64_t templates = ncc_synth_get_shape(synth)->templates;
  ncc_array pixels;
  NCC_TRY(ncc_synth_image(synth, image, &pixels));
  NCC_TRY(ncc_input_writer_put(writer, NCC_IMAGE, image, &pixels));
  for (int64_t i = 0; i < templates; ++i) {
    const int64_t row = image * templates + i;
    ncc_synth_answer answer;
    ncc_synth_template(synth, i, &pixels, &answer);
    NCC_TRY(ncc_input_writer_put(writer, NCC_TEMPLATE, row, &pixels));
    a->pairs[row][0] = image;
    a->pairs[row][1] = row;
    a->coords[row][0] = answer.y;
    a->coords[row][1] = answer.x;
    a->peaks[row] = answer.peak;
    a->angles[row] = answer.angle;
    a->subpixel[row][0] = answer.subpixel_y;
    a->subpixel[row][1] = answer.subpixel_x;
    a->unknown += answer.y < 0;
  }
cleanup:
  return status;
}

static ncc_status write_file(const generate_options *values, ncc_synth *synth, ncc_input_writer *writer, answers *a) {
  ncc_status status = NCC_OK;
  const ncc_synth_shape *s = ncc_synth_get_shape(synth);
  char *description = NULL;
  NCC_TRY(ncc_command_describe(&ncc_generate_command, values, false, &description));
  NCC_TRY(ncc_input_writer_attribute(writer, "generated_by", description));
  NCC_TRY(ncc_input_writer_stack(writer, NCC_IMAGE, s->images, s->image_rows, s->image_cols, s->dtype, NULL));
  NCC_TRY(ncc_input_writer_stack(writer, NCC_TEMPLATE, a->n, s->template_rows, s->template_cols, s->dtype, NULL));
  for (int64_t image = 0; image < s->images; ++image) NCC_TRY(write_image(synth, writer, image, a));
  NCC_TRY(ncc_input_writer_pairs(writer, a->n, (const int64_t(*)[2])a->pairs));
  NCC_TRY(ncc_input_writer_expected(writer, a->n, (const int64_t(*)[2])a->coords, a->peaks));
  if (values->subpixel_shift)
    NCC_TRY(ncc_input_writer_expected_subpixel(writer, a->n, (const double(*)[2])a->subpixel));
  if (values->turn > 0) NCC_TRY(ncc_input_writer_expected_angles(writer, a->n, a->angles));
cleanup:
  free(description);
  return status;
}

ncc_status ncc_cmd_generate(int argc, char **argv) {
  ncc_status status = NCC_OK;
  generate_options values = {0};
  ncc_synth *synth = NULL;
  ncc_input_writer *writer = NULL;
  answers a = {0};
  bool help;
  NCC_TRY(ncc_command_parse(&ncc_generate_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_generate_command, stdout);
    goto cleanup;
  }
  const ncc_synth_options asked = {.preset = values.preset,
                                   .images = values.images,
                                   .templates = values.templates,
                                   .dtype = values.dtype ? (ncc_dtype)(values.dtype - 1) : NCC_DTYPE_COUNT,
                                   .seed = (uint64_t)values.seed,
                                   .noise = values.noise,
                                   .subpixel_shift = values.subpixel_shift,
                                   .turn_deg = values.turn};
  NCC_CHECK(!values.subpixel_shift || values.preset != NCC_SYNTH_SWEEP, NCC_ERR_USAGE,
            "generate: --subpixel-shift: found with --preset sweep, expected another preset");
  NCC_CHECK(values.turn == 0 || values.preset != NCC_SYNTH_SWEEP, NCC_ERR_USAGE,
            "generate: --turn: found with --preset sweep, expected another preset");
  NCC_TRY(ncc_synth_create(&asked, &synth));
  const ncc_synth_shape *s = ncc_synth_get_shape(synth);
  NCC_TRY(answers_create(&a, s->images * s->templates));
  NCC_TRY(ncc_input_writer_create(values.output, values.overwrite, &writer));
  NCC_TRY(write_file(&values, synth, writer, &a));
  NCC_TRY(ncc_input_writer_finish(&writer));
  printf("%s: %" PRId64 " images of %" PRId64 " x %" PRId64 ", %" PRId64 " templates of %" PRId64 " x %" PRId64
         ", pixels %s; known answers for %" PRId64 " of %" PRId64 " pairs\n",
         ncc_text_show(values.output), s->images, s->image_rows, s->image_cols, a.n, s->template_rows, s->template_cols,
         ncc_dtype_name(s->dtype), a.n - a.unknown, a.n);
cleanup:
  ncc_input_writer_destroy(&writer);
  ncc_synth_destroy(&synth);
  answers_clear(&a);
  return status;
}
