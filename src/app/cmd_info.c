/** `mpixcorr info`: what an input or output file holds, in words; with --check, whether an output is complete. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/commands.h"
#include "base/text.h"
#include "io/input/input.h"
#include "io/output/load.h"
#include "options/run.h"

typedef struct info_options {
  const char *file;
  const char *root;
  bool check;
} info_options;

static const ncc_operand operands[] = {
    {"FILE", offsetof(info_options, file), "HDF5 input file, output file or OUTPUT.part"},
    {NULL, 0, NULL},
};

static const ncc_option options[] = {
    {.name = "check",
     .kind = NCC_OPTION_FLAG,
     .offset = offsetof(info_options, check),
     .help = "exit 0 only for a complete output file, else 1 and one line that says why; of an input file, also read a "
             "pixel of every image and template, and name those that cannot be read"},
    NCC_ROOT_OPTION_ROW(info_options, root),
    {.name = NULL},
};

const ncc_command ncc_info_command = {
    .name = "info",
    .summary = "Say in words what an input or output file holds.",
    .examples =
        "mpixcorr info peaks.h5\n"
        "mpixcorr info --check peaks.h5 && echo complete\tin scripts, whatever the launcher returned",
    .operands = operands,
    .options = options,
};

static double file_bytes(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (double)info.st_size : NAN;
}

/* ---- input --------------------------------------------------------------------------------------------------- */

/** One line on all images, or all templates. */
static void print_objects(const char *name, const ncc_objects *objects) {
  const int64_t n = objects->count;
  bool types[NCC_DTYPE_COUNT] = {false}, one_shape = true;
  double bytes = 0;
  printf("  %-11s%" PRId64, name, n);
  if (n == 0) {
    printf("\n");
    return;
  }
  const ncc_object first = ncc_objects_get(objects, 0), last = ncc_objects_get(objects, n - 1);
  ncc_object smallest = first, largest = first;
  const int64_t distinct = objects->items ? n : 1;  // planes of a stack are all alike
  for (int64_t i = 0; i < distinct; ++i) {
    const ncc_object o = ncc_objects_get(objects, i);
    types[o.dtype] = true;
    one_shape = one_shape && o.rows == first.rows && o.cols == first.cols;
    if (o.rows * o.cols < smallest.rows * smallest.cols) smallest = o;
    if (o.rows * o.cols > largest.rows * largest.cols) largest = o;
    bytes += (double)o.rows * (double)o.cols * (double)ncc_dtype_size(o.dtype) * (double)(n / distinct);
  }
  if (last.id - first.id + 1 != n) printf(" (ids from %" PRId64 " to %" PRId64 ", with gaps)", first.id, last.id);
  if (first.id != 0 && last.id - first.id + 1 == n) printf(" (ids %" PRId64 " to %" PRId64 ")", first.id, last.id);
  if (one_shape) {
    printf(" of %" PRId64 " x %" PRId64 " pixels,", first.rows, first.cols);
  } else {
    printf(" of %" PRId64 " x %" PRId64 " to %" PRId64 " x %" PRId64 " pixels,", smallest.rows, smallest.cols,
           largest.rows, largest.cols);
  }
  for (int type = 0; type < NCC_DTYPE_COUNT; ++type)
    if (types[type]) printf(" %s", ncc_dtype_name((ncc_dtype)type));
  if (first.box_image >= 0) {
    printf(", boxes cut from images\n");
  } else {
    printf(", %s\n", ncc_size_words(bytes));
  }
}

/** Where pixels lie, if they are sources. */
static void print_sources(const char *what, const ncc_input *input, ncc_object_kind kind, int64_t n) {
  if (!ncc_input_has_sources(input, kind) || n == 0) return;
  const char *root = ncc_input_root(input, kind);
  printf("  sources    of %s: from '%s' to '%s'", what, ncc_text_show(ncc_input_source(input, kind, 0)),
         ncc_text_show(ncc_input_source(input, kind, n - 1)));
  printf(", relative ones in %s\n", *root ? ncc_text_show(root) : "this folder");
}

/** One line on all masks of a kind. */
static void print_masks(const char *of, const ncc_objects *masks, bool one) {
  printf("  masks      ");
  if (one)
    printf("one for all %s", of);
  else
    printf("%" PRId64 " of %s", masks->count, of);
  printf(", %s, not zero: valid\n", ncc_dtype_name(ncc_objects_get(masks, 0).stored));
}

/** Reads a pixel of every object of an input. It is no output, whatever is found. */
static ncc_status check_input(const char *path, const char *root) {
  enum { MOST_TOLD = 10 };
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  int64_t n = 0, bad = 0;
  NCC_TRY(ncc_input_open(path, root, &input));
  const ncc_catalog *catalog = ncc_input_catalog(input);
  const bool masked = ncc_catalog_masked(catalog);
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) {
    const ncc_objects *objects = kind == NCC_IMAGE      ? &catalog->images
                                 : kind == NCC_TEMPLATE ? &catalog->templates
                                                        : &catalog->masks[kind - NCC_IMAGE_MASK];
    for (int64_t i = 0; i < objects->count; i++) {
      if (ncc_objects_get(objects, i).box_image >= 0) continue;
      n++;
      if (ncc_input_try(input, (ncc_object_kind)kind, i) == NCC_OK) continue;
      if (bad++ < MOST_TOLD) fprintf(stderr, "mpixcorr: %s\n", ncc_error_message());
    }
  }
  printf("%s: %" PRId64 " of %" PRId64 "%s can be read\n", ncc_text_show(path), n - bad, n,
         masked ? " images, templates and masks" : " images and templates");
  status = ncc_error_set(NCC_ERR_DIFFERENT, "%s: an input file found, expected a complete output", path);
cleanup:
  ncc_input_close(&input);
  return status;
}

static ncc_status print_input(const char *path, const char *root) {
  ncc_status status = NCC_OK;
  const char *const *warnings;
  ncc_input *input = NULL;
  ncc_input_identity identity;
  int64_t(*coords)[2] = NULL, empty = 0;
  double *peaks = NULL;
  NCC_TRY(ncc_input_open(path, root, &input));
  NCC_TRY(ncc_input_identify(input, &identity));
  NCC_TRY(ncc_input_expected(input, &coords, &peaks));
  const ncc_catalog *catalog = ncc_input_catalog(input);
  for (int64_t row = 0; row < catalog->n_pairs; ++row)
    empty += catalog->pairs[row][0] == -1 || catalog->pairs[row][1] == -1;
  printf("%s: input file, %s\n", ncc_text_show(path), ncc_size_words((double)identity.size_bytes));
  print_objects("images", &catalog->images);
  print_objects("templates", &catalog->templates);
  print_sources("images", input, NCC_IMAGE, catalog->images.count);
  print_sources("templates", input, NCC_TEMPLATE, catalog->templates.count);
  for (int kind = 0; kind < 2; kind++)
    if (catalog->masks[kind].count > 0)
      print_masks(kind ? "templates" : "images", &catalog->masks[kind], catalog->one_mask[kind]);
  printf("  pairs      %" PRId64, catalog->n_pairs);
  if (empty) printf(" rows, of which %" PRId64 " hold no pair", empty);
  printf("\n  search     %s\n", catalog->windows ? "a window for every pair"
                                : catalog->near  ? "near a prediction for every pair"
                                                 : "everywhere");
  if (coords || peaks)
    printf("  expected   %s%s%s\n", coords ? "coordinates" : "", coords && peaks ? " and " : "", peaks ? "peaks" : "");
  printf("  content    %s\n", identity.fingerprint);
  const int n_warnings = ncc_input_warnings(input, &warnings);
  for (int i = 0; i < n_warnings; i++) printf("  warning    %s\n", ncc_text_show(warnings[i]));
cleanup:
  free(coords);
  free(peaks);
  ncc_input_close(&input);
  return status;
}

/* ---- output -------------------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static ncc_status print_peaks(const ncc_output_data *data) {
  ncc_status status = NCC_OK;
  int64_t n = 0;
  double *peaks = malloc((size_t)(data->n_pairs ? data->n_pairs : 1) * sizeof *peaks);
  NCC_CHECK(peaks, NCC_ERR_NOMEM, "info: no memory for %" PRId64 " peaks", data->n_pairs);
  for (int64_t row = 0; row < data->n_pairs; ++row)
    if (data->status[row] == NCC_PAIR_OK) peaks[n++] = data->peaks[row];
  if (n > 0) {
    qsort(peaks, (size_t)n, sizeof *peaks, compare_doubles);
    printf("  peaks      of ok pairs: lowest %.4f, quarter %.4f, median %.4f, three quarters %.4f, highest %.4f\n",
           peaks[0], peaks[(n - 1) / 4], peaks[(n - 1) / 2], peaks[3 * (n - 1) / 4], peaks[n - 1]);
  }
cleanup:
  free(peaks);
  return status;
}

static ncc_status print_output(const char *path) {
  ncc_status status = NCC_OK;
  ncc_output_data data;
  int64_t counts[NCC_PAIR_STATUS_COUNT] = {0};
  NCC_TRY(ncc_output_load(path, &data));
  for (int64_t row = 0; row < data.n_pairs; ++row) counts[data.status[row]]++;
  printf("%s: %s output file, %s\n", ncc_text_show(path), data.complete ? "complete" : "partial",
         ncc_size_words(file_bytes(path)));
  printf("  pairs      %" PRId64 ":", data.n_pairs);
  bool none = true;
  for (int i = 0; i < NCC_PAIR_STATUS_COUNT; ++i) {
    if (counts[i] == 0) continue;
    printf("%s %" PRId64 " %s", none ? "" : ",", counts[i], ncc_pair_status_name((ncc_pair_status)i));
    none = false;
  }
  printf("%s\n", none ? " none" : "");
  NCC_TRY(print_peaks(&data));
  int64_t at_border = 0;
  for (int64_t row = 0; row < data.n_pairs; ++row) at_border += data.at_border[row];
  if (at_border) printf("  border     %" PRId64 " of the peaks lie at the border of what was searched\n", at_border);
  if (data.subpixel) printf("  quality    sub-pixel positions and second peaks\n");
  if (data.n_peaks) printf("  top peaks  the best %d of each pair\n", data.n_peaks);
  printf("  run\n");
  for (int i = 0; i < data.n_attributes; ++i)
    printf("    %-22s %s\n", ncc_text_show(data.attributes[i].name), ncc_text_show(data.attributes[i].value));
cleanup:
  ncc_output_data_clear(&data);
  return status;
}

/** Whatever keeps a file from being a complete output. */
static ncc_status check_output(const char *path) {
  ncc_status status = NCC_OK;
  ncc_output_data data = {0};
  int64_t pending = 0;
  NCC_TRY(ncc_output_load(path, &data));
  for (int64_t row = 0; row < data.n_pairs; ++row) pending += data.status[row] == NCC_PAIR_PENDING;
  NCC_CHECK(pending == 0, NCC_ERR_DIFFERENT, "%s: not complete: %" PRId64 " of %" PRId64 " pairs are pending", path,
            pending, data.n_pairs);
  NCC_CHECK(data.complete, NCC_ERR_DIFFERENT, "%s: not complete: all pairs are done, but the run did not finish", path);
  printf("%s: complete, %" PRId64 " pairs\n", ncc_text_show(path), data.n_pairs);
cleanup:
  ncc_output_data_clear(&data);
  return status;
}

ncc_status ncc_cmd_info(int argc, char **argv) {
  ncc_status status = NCC_OK;
  info_options values = {0};
  bool help = false, is_output;
  NCC_TRY(ncc_command_parse(&ncc_info_command, argc, argv, &values, &help));
  if (help) {
    ncc_command_print_help(&ncc_info_command, stdout);
    return NCC_OK;
  }
  if (values.check) {
    const bool known = ncc_output_recognise(values.file, &is_output) == NCC_OK;
    if ((known && !is_output ? check_input(values.file, values.root) : check_output(values.file)) != NCC_OK) {
      fprintf(stderr, "mpixcorr: %s\n", ncc_error_message());
      status = NCC_ERR_DIFFERENT;
    }
    return status;
  }
  NCC_TRY(ncc_output_recognise(values.file, &is_output));
  status = is_output ? print_output(values.file) : print_input(values.file, values.root);
cleanup:
  return status;
}
