/** See pair_source.h. */
#include "app/pair_source.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/text.h"
#include "match/turn.h"
#include "plan/parts.h"

#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options/run.h"

struct ncc_pair_source {
  ncc_input *input;
  char **names[2]; /**< by index; NULL without names */
  char **groups;   /**< of images, by index; NULL without */
  int64_t bin;
  void *pixels[2];    /**< of the objects read last */
  int64_t indices[2]; /**< which; -1: none */
  ncc_buffer turned;
};

static const ncc_objects *objects_of(const ncc_pair_source *source, ncc_object_kind kind) {
  const ncc_catalog *catalog = ncc_input_catalog(source->input);
  return kind == NCC_IMAGE ? &catalog->images : &catalog->templates;
}

static ncc_status open_source(const char *path, const char *root, bool pixels, ncc_pair_source **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_pair_source *source = calloc(1, sizeof *source);
  NCC_CHECK(source, NCC_ERR_NOMEM, "%s: no memory", path);
  source->indices[0] = source->indices[1] = -1;
  NCC_TRY(pixels ? ncc_input_open(path, root, &source->input) : ncc_input_open_tables(path, &source->input));
  NCC_TRY(ncc_input_names(source->input, NCC_IMAGE, &source->names[NCC_IMAGE]));
  NCC_TRY(ncc_input_names(source->input, NCC_TEMPLATE, &source->names[NCC_TEMPLATE]));
  NCC_TRY(ncc_input_groups(source->input, &source->groups));
  NCC_TRY(ncc_input_bin(source->input, &source->bin));
  *out = source;
  source = NULL;

cleanup:
  ncc_pair_source_close(&source);
  return status;
}

ncc_status ncc_pair_source_open(const char *path, const char *root, ncc_pair_source **out) {
  return open_source(path, root, true, out);
}

void ncc_pair_source_close(ncc_pair_source **source_in) {
  ncc_pair_source *source = *source_in;
  if (!source) return;
  for (int64_t i = 0; source->groups && i < objects_of(source, NCC_IMAGE)->count; i++) free(source->groups[i]);
  free(source->groups);
  for (int kind = 0; kind < 2; kind++) {
    for (int64_t i = 0; source->names[kind] && i < objects_of(source, (ncc_object_kind)kind)->count; i++)
      free(source->names[kind][i]);
    free(source->names[kind]);
    free(source->pixels[kind]);
  }
  ncc_input_close(&source->input);
  ncc_buffer_free(&source->turned);
  free(source);
  *source_in = NULL;
}

ncc_status ncc_pair_source_of_results(const ncc_output_data *results, const char *path, const char *root, bool pixels,
                                      ncc_pair_source **out) {
  ncc_status status = NCC_OK;
  ncc_input_identity identity;
  const char *expected = ncc_output_data_attribute(results, "input_fingerprint");
  char *bytes = NULL; /* the file's name, where it is no UTF-8 */
  const char *name = path ? path : results->input_path;
  if (!path && access(name, F_OK) != 0) {
    bytes = ncc_text_bytes(name);
    if (bytes && access(bytes, F_OK) == 0) name = bytes;
  }
  NCC_TRY(open_source(name, root, pixels, out));
  NCC_TRY(ncc_input_identify((*out)->input, &identity));
  NCC_CHECK(strcmp(identity.fingerprint, expected) == 0, NCC_ERR_INPUT,
            "%s: content %.16s found, the results were made from content %.16s", name, identity.fingerprint, expected);

cleanup:
  free(bytes);
  if (status != NCC_OK) ncc_pair_source_close(out);
  return status;
}

ncc_status ncc_pair_source_filter(ncc_pair_source *source, ncc_search *search, const ncc_mask_values *values) {
  ncc_status status = ncc_input_filter(source->input, search, values);
  if (status == NCC_OK) status = ncc_search_settle(search, ncc_catalog_masked(ncc_input_catalog(source->input)));
  ncc_input_threads(source->input, ncc_few_threads());
  return status;
}

const ncc_catalog *ncc_pair_source_catalog(const ncc_pair_source *source) {
  return ncc_input_catalog(source->input);
}

/** @param[in] part  of an image, which is read anew; NULL: all of the object */
static ncc_status read_object(ncc_pair_source *source, ncc_object_kind kind, int64_t index, const ncc_rect *part,
                              ncc_array *out, ncc_array *mask) {
  ncc_status status = NCC_OK;
  ncc_object object = ncc_input_object(source->input, kind, index);
  if (part) {
    object.rows = part->y1 - part->y0;
    object.cols = part->x1 - part->x0;
    source->indices[kind] = -1;
  }
  const ncc_margins *a = &object.around;
  const int64_t stride = a->left + object.cols + a->right;
  if (source->indices[kind] != index) {
    source->indices[kind] = -1;
    free(source->pixels[kind]);
    source->pixels[kind] = malloc((size_t)ncc_object_bytes(&object));
    NCC_CHECK(source->pixels[kind], NCC_ERR_NOMEM, "no memory for %" PRId64 "x%" PRId64 " pixels", object.rows,
              object.cols);
    NCC_TRY(part ? ncc_input_read_part(source->input, kind, index, part, source->pixels[kind])
                 : ncc_input_read(source->input, kind, index, source->pixels[kind]));
    source->indices[kind] = part ? -1 : index;
  }
  *out = (ncc_array){source->pixels[kind], object.dtype, object.rows, object.cols, stride};
  *mask = (ncc_array){NULL, NCC_U8, object.rows, object.cols, stride};
  const int64_t pixels = (a->above + object.rows + a->below) * stride;
  if (object.masked) {
    mask->data = (const char *)source->pixels[kind] + pixels * (int64_t)ncc_dtype_size(object.dtype);
    mask->data = ncc_array_at(mask, a->above, a->left);
  }
  out->data = ncc_array_at(out, a->above, a->left);

cleanup:
  return status;
}

/** Indices of a row's image and template. */
static ncc_status find_pair(const ncc_pair_source *source, int64_t row, int64_t *image, int64_t *tmpl) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = ncc_input_catalog(source->input);
  NCC_CHECK(row >= 0 && row < catalog->n_pairs, NCC_ERR_INPUT, "%s: pair %" PRId64 " asked for, expected 0 to %" PRId64,
            catalog->path, row, catalog->n_pairs - 1);
  const int64_t *pair = catalog->pairs[row];
  NCC_CHECK(pair[0] != -1 && pair[1] != -1, NCC_ERR_INPUT, "%s: /pairs row %" PRId64 " holds no pair", catalog->path,
            row);
  *image = ncc_objects_find(&catalog->images, pair[0]);
  *tmpl = ncc_objects_find(&catalog->templates, pair[1]);
  NCC_CHECK(*image >= 0, NCC_ERR_INPUT, "%s: /pairs row %" PRId64 ": image %" PRId64 " does not exist", catalog->path,
            row, pair[0]);
  NCC_CHECK(*tmpl >= 0, NCC_ERR_INPUT, "%s: /pairs row %" PRId64 ": template %" PRId64 " does not exist", catalog->path,
            row, pair[1]);

cleanup:
  return status;
}

static ncc_status read_pair(ncc_pair_source *source, int64_t image, int64_t tmpl, const ncc_rect *part,
                            ncc_pair_pixels *pixels) {
  ncc_status status = NCC_OK;
  NCC_TRY(read_object(source, NCC_IMAGE, image, part, &pixels->image, &pixels->image_mask));
  NCC_TRY(read_object(source, NCC_TEMPLATE, tmpl, NULL, &pixels->tmpl, &pixels->tmpl_mask));
  pixels->around = ncc_input_object(source->input, NCC_TEMPLATE, tmpl).around;

cleanup:
  return status;
}

ncc_status ncc_pair_source_read(ncc_pair_source *source, int64_t row, ncc_pair_pixels *pixels) {
  int64_t image = -1, tmpl = -1;
  ncc_status status = find_pair(source, row, &image, &tmpl);
  return status == NCC_OK ? read_pair(source, image, tmpl, NULL, pixels) : status;
}

/** Where a row is searched in its whole image. */
static ncc_status find_window(const ncc_catalog *catalog, const ncc_object *image, const ncc_object *tmpl, int64_t row,
                              ncc_pair_place *place) {
  place->windowed = catalog->near || catalog->windows;
  if (catalog->windows) place->window = catalog->windows[row];
  if (!catalog->near) return NCC_OK;
  return ncc_geometry_near(&place->search, catalog->near[row], image->rows, image->cols, tmpl->rows, tmpl->cols,
                           &place->window);
}

ncc_status ncc_pair_source_read_reached(ncc_pair_source *source, const ncc_search *search, int64_t row,
                                        ncc_pair_pixels *pixels, ncc_pair_place *place) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = ncc_input_catalog(source->input);
  int64_t i = -1, t = -1;
  *place = (ncc_pair_place){.search = *search};
  *pixels = (ncc_pair_pixels){0};
  NCC_TRY(find_pair(source, row, &i, &t));
  const ncc_object image = ncc_input_object(source->input, NCC_IMAGE, i);
  const ncc_object tmpl = ncc_input_object(source->input, NCC_TEMPLATE, t);
  const bool part = ncc_object_in_parts(&catalog->images, &image);
  if (!part) NCC_TRY(read_pair(source, i, t, NULL, pixels));
  status = find_window(catalog, &image, &tmpl, row, place);
  if (status == NCC_OK && part) {
    const ncc_search areas = ncc_catalog_search(catalog, search);
    ncc_geometry whole;
    NCC_TRY(ncc_geometry_create(&areas, &place->window, image.rows, image.cols, tmpl.rows, tmpl.cols, &whole));
    const ncc_image_part reached = ncc_image_part_of(&whole, true);
    place->search = ncc_parts_search(search);
    place->window = reached.window;
    place->y0 = reached.pixels.y0;
    place->x0 = reached.pixels.x0;
    NCC_TRY(read_pair(source, i, t, &reached.pixels, pixels));
  }

cleanup:
  if (status == NCC_ERR_SHAPE) ncc_error_prefix("%s: pair %" PRId64, catalog->path, row);
  return status;
}

ncc_status ncc_pair_source_turn(ncc_pair_source *source, double degrees, ncc_pair_pixels *p) {
  ncc_status status = NCC_OK;
  const bool masked = ncc_catalog_masked(ncc_pair_source_catalog(source));
  const int64_t rows = p->tmpl.rows, cols = p->tmpl.cols;
  ncc_buffer *turned = &source->turned;
  if (isnan(degrees)) return NCC_OK;
  NCC_TRY(ncc_buffer_reserve(turned, rows * cols * (int64_t)(sizeof(float) + 1), "a turned template"));
  uint8_t *valid = masked ? (uint8_t *)((float *)turned->data + rows * cols) : NULL;
  NCC_TRY(ncc_turn_array(&p->tmpl, &p->tmpl_mask, &p->around, ncc_turn_micro(degrees), turned->data, valid));
  p->tmpl = (ncc_array){turned->data, NCC_F32, rows, cols, cols};
  p->tmpl_mask = (ncc_array){valid, NCC_U8, rows, cols, cols};
  p->around = (ncc_margins){0};

cleanup:
  return status;
}

const char *ncc_pair_source_name(const ncc_pair_source *source, ncc_object_kind kind, int64_t id) {
  const int64_t index = source->names[kind] ? ncc_objects_find(objects_of(source, kind), id) : -1;
  return index >= 0 ? source->names[kind][index] : "";
}

const char *ncc_pair_source_group(const ncc_pair_source *source, int64_t id) {
  const int64_t index = source->groups ? ncc_objects_find(objects_of(source, NCC_IMAGE), id) : -1;
  return index >= 0 ? source->groups[index] : "";
}

int64_t ncc_pair_source_bin(const ncc_pair_source *source) {
  return source->bin;
}

ncc_status ncc_search_of_results(const char *path, const ncc_output_data *results, ncc_search *out,
                                 ncc_mask_values *values_out) {
  typedef struct recorded_options {
    ncc_search search;
    ncc_mask_values mask_values;
  } recorded_options;
  static const ncc_option rows[] = {
      NCC_SEARCH_OPTION_ROWS(recorded_options, search) NCC_MASK_VALUE_OPTION_ROW(recorded_options, mask_values),
      {.name = "quality", .kind = NCC_OPTION_FLAG, .offset = offsetof(recorded_options, search.quality)},
      {.name = NULL}};
  static const ncc_operand operands[] = {{NULL, 0, NULL}};
  static const ncc_command recorded = {.name = "result_options", .summary = "", .operands = operands, .options = rows};
  enum { MOST = 32 };
  ncc_status status = NCC_OK;
  recorded_options values = {0};
  char *argv[MOST + 1] = {(char *)recorded.name}, *rest = NULL;
  int argc = 1;
  bool help;
  char *text = strdup(ncc_output_data_attribute(results, "result_options"));
  NCC_CHECK(text, NCC_ERR_NOMEM, "%s: no memory", path);
  for (char *word = strtok_r(text, " ", &rest); word && argc < MOST; word = strtok_r(NULL, " ", &rest))
    argv[argc++] = word;
  if (ncc_command_parse(&recorded, argc, argv, &values, &help) != NCC_OK) {
    ncc_error_prefix("%s", path);
    status = NCC_ERR_INPUT;
    goto cleanup;
  }
  NCC_TRY(ncc_search_settle(&values.search, values.mask_values.n > 0));
  *out = values.search;
  *values_out = values.mask_values;

cleanup:
  free(text);
  return status;
}

int ncc_few_threads(void) {
  cpu_set_t set;
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return cores < 1 ? 1 : cores > 16 ? 16 : cores;
}
