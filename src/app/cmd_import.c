/** `mpixcorr import`: wires options, import and its summary. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/text.h"
#include "io/import/import.h"
#include "io/stage/look.h"
#include "options/table.h"

/** Pixels of a chunk; rows 0: contiguous. */
typedef struct chunk_shape {
  int64_t rows, cols;
} chunk_shape;

typedef struct import_options {
  const char *folder, *output, *pairs;
  int dtype; /* 0: as in the files; else an ncc_dtype + 1 */
  chunk_shape chunk;
  int compress;
  bool link, strict, overwrite;
} import_options;

#define AT(member) offsetof(import_options, member)
#define DTYPE_WORD(id, type, name) "|" name

static bool parse_chunk(const char *text, void *target) {
  chunk_shape shape;
  int length = 0;
  if (sscanf(text, "%" SCNd64 ",%" SCNd64 "%n", &shape.rows, &shape.cols, &length) != 2 || text[length]) return false;
  if (shape.rows < 1 || shape.cols < 1 || shape.rows > 1 << 20 || shape.cols > 1 << 20) return false;
  *(chunk_shape *)target = shape;
  return true;
}

static void format_chunk(const void *target, char *text, size_t text_bytes) {
  const chunk_shape *shape = target;
  if (shape->rows) snprintf(text, text_bytes, "%" PRId64 ",%" PRId64, shape->rows, shape->cols);
}

static const char details[] =
    "what DIR may hold:\n"
    "  the export of an EM client: imageNNNN.tif and templNNNN.tif (numbers may have gaps) and comps.mat with comps "
    "[n, 2] (image, template), and where there Camax [n, 2] (y, x) and Cmax [1, n], which become /expected\n"
    "  pictures and pairs.csv with the columns image,template: file names in DIR, with or without extension, or "
    "sources "
    "in them such as sec.mrc[4] or vol.zarr/s0[0,17] (TIFF, PNG, JPEG, NumPy, MRC, HDF5, Zarr, N5). "
    "With the columns y,x,rows,cols as well, the template is that box of the file, and no pixel is stored twice. "
    "With y0,x0,y1,x1 the peak is sought in that window, with near_y,near_x,radius_y,radius_x around that offset; "
    "expected_y,expected_x,expected_peak become /expected\n"
    "  a stack for images and one for templates: images.npy [n, rows, cols], or images.tif with pages, images.mrc, "
    "images.zarr, images.n5, and templates likewise (or templates.npy with boxes [n, 5]: image, y, x, rows, cols), and "
    "pairs.npy [n, 2] or pairs.csv with numbers for names\n"
    "\n"
    "A file that cannot be used is named and left out: its number stays a gap, and pairs that refer to it become rows "
    "without a pair (-1). The exit code is 6 then.";

static const ncc_operand operands[] = {
    {"DIR", AT(folder), "folder to import"},
    {"OUTPUT", AT(output), "HDF5 input file to write; appears under this name only when it is complete"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "pairs",
     .kind = NCC_OPTION_STRING,
     .offset = AT(pairs),
     .argument = "FILE",
     .default_words = "comps.mat, pairs.csv or pairs.npy in DIR",
     .help = "file that lists the pairs; its extension says what it is"},
    {.name = "dtype",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(dtype),
     .argument = "auto" NCC_DTYPE_TABLE(DTYPE_WORD),
     .initial = "auto",
     .default_words = "as in the files",
     .help = "type of the pixels in OUTPUT: integers are rounded, and a file with a pixel out of range is left out"},
    {.name = "chunk",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(chunk),
     .argument = "ROWS,COLS",
     .default_words = "contiguous, which is read fastest",
     .help = "store images and templates in chunks of this many pixels",
     .expected = "ROWS,COLS of at least 1",
     .parse = parse_chunk,
     .format = format_chunk},
    {.name = "compress",
     .kind = NCC_OPTION_INT,
     .offset = AT(compress),
     .argument = "LEVEL",
     .initial = "0",
     .help = "compress chunks by gzip, 1 (fast) to 9 (small); 0 is off. Chunks are of about 1 MiB unless --chunk is "
             "given",
     .min = 0,
     .max = 9},
    {.name = "link",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(link),
     .help = "write names of where the pixels lie, in place of pixels; they are read from there by every run. Numbers "
             "have no gaps then"},
    {.name = "strict",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(strict),
     .help = "stop at the first file that cannot be used, and write nothing"},
    {.name = "overwrite", .kind = NCC_OPTION_FLAG, .offset = AT(overwrite), .help = "replace an existing file"},
    {.name = NULL},
};

const ncc_command ncc_import_command = {
    .name = "import",
    .summary = "Make an input file of pictures or stacks and a table of pairs.",
    .details = details,
    .examples =
        "mpixcorr import export/ in.h5\timages, templates and pairs of an EM client\n"
        "mpixcorr import tiles/ in.h5 --pairs neighbours.csv --link\tpixels stay where they are",
    .operands = operands,
    .options = options,
};

static void warn(void *context, const char *line) {
  (void)context;
  fprintf(stderr, "mpixcorr: import: %s; left out\n", line);
}

static void print_summary(const char *output, bool link, const ncc_import_summary *s) {
  printf("%s: %" PRId64 " images, %" PRId64 " templates%s, %" PRId64 " pairs, %.1f MiB of pixels%s",
         ncc_text_show(output), s->images, s->templates, s->boxes ? " (boxes of images)" : "", s->pairs,
         (double)s->bytes / (1 << 20), link ? ", which stay where they are" : "");
  if (s->windows) printf("; a search window for every pair");
  if (s->near) printf("; predictions");
  if (s->coords || s->peaks)
    printf("; expected %s%s%s", s->coords ? "coordinates" : "", s->coords && s->peaks ? " and " : "",
           s->peaks ? "peaks" : "");
  putchar('\n');
  if (s->broken || s->lost_pairs)
    printf("%" PRId64 " left out, as named above; %" PRId64 " of %" PRId64 " rows of /pairs hold no pair\n", s->broken,
           s->lost_pairs, s->pairs);
}

ncc_status ncc_cmd_import(int argc, char **argv) {
  ncc_status status = NCC_OK;
  import_options values = {0};
  char *description = NULL, *table = NULL, *root = NULL;
  bool beside = false;
  ncc_import_summary summary;
  bool help;
  NCC_TRY(ncc_command_parse(&ncc_import_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_import_command, stdout);
    goto cleanup;
  }
  NCC_TRY(ncc_command_describe(&ncc_import_command, &values, false, &description));
  NCC_CHECK(!values.link || (!values.dtype && !values.chunk.rows && !values.compress), NCC_ERR_USAGE,
            "import: --link found with --dtype, --chunk or --compress, which need pixels that are copied");
  if (values.link && access(values.folder, F_OK) == 0) { /* else it is told below */
    NCC_CHECK(asprintf(&table, "%s/.", values.folder) >= 0, NCC_ERR_NOMEM, "%s: no memory", values.folder);
    NCC_TRY(ncc_source_root(table, NULL, values.output, &root, &beside));
  }
  const ncc_import_options asked = {
      .folder = values.folder,
      .output = values.output,
      .pairs = values.pairs,
      .dtype = values.dtype ? (ncc_dtype)(values.dtype - 1) : NCC_DTYPE_COUNT,
      .storage = {.chunk_rows = values.chunk.rows, .chunk_cols = values.chunk.cols, .gzip_level = values.compress},
      .link = values.link,
      .root = beside ? NULL : root,
      .strict = values.strict,
      .overwrite = values.overwrite,
      .attribute = description,
      .warn = warn};
  NCC_TRY(ncc_import(&asked, &summary));
  print_summary(values.output, values.link, &summary);
  if (summary.broken) status = NCC_ERR_PAIRS;
cleanup:
  free(root);
  free(table);
  free(description);
  return status;
}
