/** Opening the input file and reading pixels, names and expected answers. See input.h.
 *
 *  What the file holds is worked out in inspect.c, its identity in identity.c; share.c lets other ranks read.
 */
#include "io/input/h5_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "base/crash.h"
#include "io/input/filtered.h"
#include "plan/parts.h"

const char *const ncc_input_names_of_kinds[NCC_INPUT_SETS] = {"/images", "/templates", "/image_masks",
                                                              "/template_masks"};

ncc_status ncc_input_create(const char *path, const char *root, ncc_input **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_input *input = calloc(1, sizeof *input);
  NCC_CHECK(input, NCC_ERR_NOMEM, "%s: no memory", path);
  ncc_sources_init(&input->sources);
  pthread_mutex_init(&input->filtering, NULL);
  input->catalog.path = strdup(path);
  if (root) input->root = strdup(root);
  NCC_CHECK(input->catalog.path && (input->root || !root), NCC_ERR_NOMEM, "%s: no memory", path);
  *out = input;
  input = NULL;
cleanup:
  if (input) free(input->catalog.path);
  free(input);
  return status;
}

static ncc_status open_input(const char *path, const char *root, bool tables_alone, ncc_input **out) {
  ncc_status status = NCC_OK;
  struct stat info;
  int32_t index;
  ncc_input *input = NULL;
  const char *before = ncc_crash_reading(path);
  *out = NULL;
  NCC_TRY(ncc_input_create(path, root, &input));
  input->tables_alone = tables_alone;
  ncc_raw_files *files = &input->sources.files;
  NCC_TRY(ncc_h5_open_file(path, &input->sources.input));
  NCC_TRY(ncc_raw_files_add(files, path, &index));
  NCC_TRY(ncc_raw_file_open(files, index));
  NCC_CHECK(fstat(files->items[index].fd, &info) == 0, NCC_ERR_INPUT, "%s: cannot be inspected: %s", path,
            strerror(errno));
  input->size_bytes = files->items[index].size_bytes = info.st_size;
  input->modified_s = info.st_mtime;
  NCC_TRY(ncc_input_inspect(input));
  *out = input;
  input = NULL;
cleanup:
  ncc_input_close(&input);
  ncc_crash_reading(before);
  return status;
}

ncc_status ncc_input_open(const char *path, const char *root, ncc_input **out) {
  return open_input(path, root, false, out);
}

ncc_status ncc_input_open_tables(const char *path, ncc_input **out) {
  return open_input(path, NULL, true, out);
}

void ncc_input_close(ncc_input **input_in) {
  ncc_input *input = *input_in;
  if (!input) return;
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) {
    free(input->sets[kind].places);
    ncc_named_clear(&input->sets[kind].named);
  }
  free(input->root);
  for (int i = 0; i < input->n_warnings; i++) free(input->warnings[i]);
  ncc_sources_clear(&input->sources);
  if (input->borrowed)
    free(input->catalog.path);
  else
    ncc_catalog_clear(&input->catalog);
  ncc_input_filters_destroy(&input->filters);
  pthread_mutex_destroy(&input->filtering);
  free(input);
  *input_in = NULL;
}

const ncc_catalog *ncc_input_catalog(const ncc_input *input) {
  return &input->catalog;
}

int ncc_input_warnings(const ncc_input *input, const char *const **texts) {
  *texts = (const char *const *)input->warnings;
  return input->n_warnings;
}

static bool has_own_volumes(const ncc_input *input, int kind) {
  return input->sets[kind].named.used && !input->sets[kind].named.borrows;
}

int64_t ncc_input_bytes_read(const ncc_input *input) {
  int64_t bytes = input->sources.files.bytes_read + input->sources.hdf5_bytes_read;
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++)
    if (has_own_volumes(input, kind)) bytes += ncc_volumes_bytes_read(input->sets[kind].named.volumes);
  return bytes;
}

int64_t ncc_input_decode_bytes(const ncc_input *input) {
  int64_t bytes = 0;
  for (int kind = 0; kind < 2; kind++)
    if (has_own_volumes(input, kind)) bytes += ncc_volumes_thread_bytes(input->sets[kind].named.volumes);
  return bytes;
}

void ncc_input_limit(ncc_input *input, int64_t chunk_bytes) {
  input->sources.chunk_bytes = ncc_min(chunk_bytes, input->sources.chunk_bytes);
  ncc_sources_close_datasets(&input->sources);
  int used = 0;
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) used += input->sets[kind].named.used;
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) {
    if (!has_own_volumes(input, kind)) continue;
    int sharing = 0; /* images and templates have a part each; masks take of it */
    for (int other = 0; other < NCC_INPUT_SETS; other++)
      sharing += input->sets[other].named.volumes == input->sets[kind].named.volumes;
    ncc_volumes_limit(input->sets[kind].named.volumes, 2 * chunk_bytes / ncc_max(used, 2) * sharing);
  }
}

ncc_status ncc_input_start_named(ncc_input *input, ncc_object_kind kind, const char *root) {
  ncc_volumes *others = NULL;
  for (int other = 0; other < (int)kind; other++) {
    const ncc_named *named = &input->sets[other].named;
    if (named->used && strcmp(named->root, root) == 0) others = named->volumes;
  }
  return ncc_named_start(&input->sets[kind].named, root, others);
}

bool ncc_input_shares_chunks(const ncc_input *input) {
  return input->sets[NCC_IMAGE].named.used && input->sets[NCC_TEMPLATE].named.borrows;
}

/* ---- pixels ------------------------------------------------------------------------------------------------------
 */

static const ncc_place *place_of(const ncc_input *input, ncc_object_kind kind, int64_t index) {
  const ncc_input_set *set = &input->sets[kind];
  return &set->places[set->stack ? 0 : index];
}

static ncc_raw_rect raw_rect(const ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_object *object,
                             const ncc_rect *rect) {
  const ncc_place *place = place_of(input, kind, index);
  int64_t size = (int64_t)ncc_dtype_size(object->stored), plane = input->sets[kind].stack ? index : 0;
  return (ncc_raw_rect){.file = place->index,
                        .offset = place->offset + ((plane * object->rows + rect->y0) * object->cols + rect->x0) * size,
                        .rows = rect->y1 - rect->y0,
                        .row_bytes = (rect->x1 - rect->x0) * size,
                        .step = object->cols * size,
                        .swap_bytes = place->order == NCC_STORED_SWAPPED ? (int)size : 0};
}

void ncc_input_resolve_box(const ncc_input *input, ncc_object_kind *kind, int64_t *index, ncc_object *object,
                           ncc_rect *rect) {
  if (object->box_image < 0) return;
  int64_t dy = object->box_y, dx = object->box_x;
  *rect = (ncc_rect){rect->y0 + dy, rect->x0 + dx, rect->y1 + dy, rect->x1 + dx};
  *kind = NCC_IMAGE;
  *index = object->box_image;
  *object = ncc_objects_get(&input->catalog.images, *index);
}

/** The source of an image or template that is no box. */
static const char *source_of(const ncc_input *input, ncc_object_kind kind, int64_t index) {
  const ncc_named *named = &input->sets[kind].named;
  return named->n > 0 ? ncc_named_get(named, index) : input->name_of(input->name_context, kind, index);
}

const char *ncc_input_source(const ncc_input *input, ncc_object_kind kind, int64_t index) {
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  ncc_rect whole = {0};
  ncc_input_resolve_box(input, &kind, &index, &object, &whole);
  return input->sets[kind].named.used ? source_of(input, kind, index) : NULL;
}

bool ncc_input_has_sources(const ncc_input *input, ncc_object_kind kind) {
  return input->sets[kind].named.used;
}

const char *ncc_input_root(const ncc_input *input, ncc_object_kind kind) {
  return input->sets[kind].named.root;
}

ncc_status ncc_input_try(ncc_input *input, ncc_object_kind kind, int64_t index) {
  const ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  const int64_t y = object.rows / 2, x = object.cols / 2;
  const ncc_rect middle = {y, x, y + 1, x + 1};
  double pixel; /* as large as the largest */
  return ncc_input_read_rect(input, kind, index, &middle, &pixel);
}

void ncc_input_lend_names(ncc_input *input, ncc_input_name_of name_of, void *context) {
  input->name_of = name_of;
  input->name_context = context;
}

/** From a source that has a name; what it says of itself is all that there is to be told. */
static ncc_status read_named(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_object *object,
                             const ncc_rect *rect, void *pixels) {
  const char *source = source_of(input, kind, index);
  if (!source)
    return ncc_error_set(NCC_ERR_INTERNAL, "no source is known of %s number %" PRId64, ncc_input_names_of_kinds[kind],
                         index);
  const ncc_status status = ncc_volumes_read(input->sets[kind].named.volumes, source, object->rows, object->cols,
                                             object->stored, rect, pixels);
  return status == NCC_ERR_OUTPUT ? NCC_ERR_UNREADABLE : status;
}

static ncc_status read_by_source(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_object *object,
                                 const ncc_rect *rect, void *pixels) {
  const bool stack = input->sets[kind].stack;
  const ncc_element element = ncc_input_element(object->stored);
  // A dataset of a group has no first direction.
  ncc_box box = {.at = {index, rect->y0, rect->x0}, .n = {1, rect->y1 - rect->y0, rect->x1 - rect->x0}};
  if (!stack) box = (ncc_box){.at = {box.at[1], box.at[2]}, .n = {box.n[1], box.n[2]}};
  return ncc_sources_read(&input->sources, place_of(input, kind, index)->index, &element, &box, pixels);
}

ncc_status ncc_input_read_rect(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect_in,
                               void *pixels) {
  ncc_status status;
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  ncc_rect rect = *rect_in;
  ncc_input_resolve_box(input, &kind, &index, &object, &rect);
  if (input->sets[kind].named.used) return read_named(input, kind, index, &object, &rect, pixels);
  const char *before = ncc_crash_reading(input->catalog.path);
  ncc_h5_lock();
  ncc_h5_silence();
  if (place_of(input, kind, index)->offset < 0) {
    status = read_by_source(input, kind, index, &object, &rect, pixels);
  } else {
    ncc_raw_rect raw = raw_rect(input, kind, index, &object, &rect);
    status = ncc_raw_read(&input->sources.files, &raw, pixels);
  }
  ncc_h5_unlock();
  ncc_crash_reading(before);
  if (status == NCC_ERR_UNREADABLE)
    ncc_error_prefix("%s: %s: id %" PRId64 " cannot be read", input->catalog.path, ncc_input_names_of_kinds[kind],
                     object.id);
  return status;
}

ncc_status ncc_input_reach(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect_in,
                           ncc_source_chunk_seen seen, void *context) {
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  ncc_rect rect = *rect_in;
  ncc_input_resolve_box(input, &kind, &index, &object, &rect);
  if (!input->sets[kind].named.used) return NCC_OK;
  const ncc_status status =
      ncc_volumes_reach(input->sets[kind].named.volumes, source_of(input, kind, index), &rect, seen, context);
  return status == NCC_ERR_UNREADABLE || status == NCC_ERR_OUTPUT ? NCC_OK : status;
}

ncc_object ncc_input_object(const ncc_input *input, ncc_object_kind kind, int64_t index) {
  return kind == NCC_TEMPLATE ? ncc_template_get(&input->catalog, index)
                              : ncc_objects_get(ncc_input_objects(input, kind), index);
}

ncc_status ncc_input_read_part(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               void *pixels) {
  const ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  const int64_t n = (rect->y1 - rect->y0) * (rect->x1 - rect->x0);
  const ncc_status status = ncc_input_read_rect(input, kind, index, rect, pixels);
  if (status != NCC_OK || !object.masked) return status;
  uint8_t *valid = (uint8_t *)pixels + n * (int64_t)ncc_dtype_size(object.stored);
  return ncc_input_read_mask(input, kind, index, rect, pixels, valid);
}

static ncc_status read_stored(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels, uint8_t *valid) {
  const ncc_object object = ncc_input_object(input, kind, index);
  const ncc_rect whole = ncc_object_rect(&object);
  const ncc_status status = ncc_input_read_rect(input, kind, index, &whole, pixels);
  return status == NCC_OK && valid ? ncc_input_read_mask(input, kind, index, &whole, pixels, valid) : status;
}

ncc_status ncc_input_read(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels) {
  if (!input->filters) {
    const ncc_object object = ncc_input_object(input, kind, index);
    const ncc_rect whole = ncc_object_rect(&object);
    return ncc_input_read_part(input, kind, index, &whole, pixels);
  }
  pthread_mutex_lock(&input->filtering); /* they keep the last image, and have threads of their own */
  const ncc_status status = ncc_input_filters_read(input->filters, input, read_stored, kind, index, pixels);
  pthread_mutex_unlock(&input->filtering);
  return status;
}

ncc_status ncc_input_filter(ncc_input *input, const ncc_search *search, const ncc_mask_values *values) {
  input->mask_values = *values;
  input->catalog.images.masked |= values->n > 0;
  input->catalog.templates.masked |= values->n > 0;
  if (!input->borrowed) ncc_catalog_choose_parts(&input->catalog, search);
  input->sources.in_parts = input->catalog.images.in_parts;
  input->catalog.images.filtered = input->catalog.templates.filtered = search->n_filters > 0;
  ncc_catalog_choose_turn(&input->catalog, search);
  return search->n_filters > 0 ? ncc_input_filters_create(search, &input->filters) : NCC_OK;
}

void ncc_input_threads(ncc_input *input, int threads) {
  if (input->filters) ncc_input_filters_threads(input->filters, threads);
}

void ncc_input_hint(ncc_input *input, ncc_object_kind kind, int64_t index) {
  ncc_object object = ncc_input_object(input, kind, index);
  ncc_rect rect = ncc_object_rect(&object);
  ncc_input_resolve_box(input, &kind, &index, &object, &rect);
  if (input->sets[kind].named.used || place_of(input, kind, index)->offset < 0) return;
  ncc_raw_rect raw = raw_rect(input, kind, index, &object, &rect);
  ncc_h5_lock();
  ncc_raw_hint(&input->sources.files, &raw);
  ncc_h5_unlock();
}

/* ---- beside the pixels --------------------------------------------------------------------------------------------
 */

/** Whether a path exists, asking for its first part first, as HDF5 wants it. */
static bool exists(hid_t file, const char *group, const char *path) {
  return (!group || H5Lexists(file, group, H5P_DEFAULT) > 0) && H5Lexists(file, path, H5P_DEFAULT) > 0;
}

ncc_status ncc_input_expected_angles(ncc_input *input, double **angles) {
  const ncc_catalog *catalog = &input->catalog;
  ncc_h5_silence();
  *angles = NULL;
  if (!exists(input->sources.input, "/expected", "/expected/angles")) return NCC_OK;
  return ncc_h5_read_doubles(input->sources.input, catalog->path, "/expected/angles", catalog->n_pairs, angles);
}

ncc_status ncc_input_expected(ncc_input *input, int64_t (**coords)[2], double **peaks) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = &input->catalog;
  int64_t *flat = NULL;
  ncc_h5_silence();
  *coords = NULL;
  *peaks = NULL;
  if (exists(input->sources.input, "/expected", "/expected/coords")) {
    NCC_TRY(ncc_h5_read_integers(input->sources.input, catalog->path, "/expected/coords", catalog->n_pairs, 2, NULL,
                                 &flat));
    *coords = (int64_t(*)[2])flat;
  }
  if (exists(input->sources.input, "/expected", "/expected/peaks")) {
    NCC_TRY(ncc_h5_read_doubles(input->sources.input, catalog->path, "/expected/peaks", catalog->n_pairs, peaks));
  }
cleanup:
  if (status != NCC_OK) {
    free(*coords);
    *coords = NULL;
  }
  return status;
}

/** Strings of all objects of a kind, without those of objects that cannot be opened. */
static ncc_status read_labels(ncc_input *input, ncc_object_kind kind, const char *label, char ***names) {
  const ncc_objects *objects = ncc_input_objects(input, kind);
  ncc_h5_silence();
  *names = NULL;
  if (!exists(input->sources.input, NULL, label))
    return input->sets[kind].named.n > 0 ? ncc_named_copy(&input->sets[kind].named, names) : NCC_OK;
  ncc_status status =
      ncc_h5_read_strings(input->sources.input, input->catalog.path, label, objects->count + objects->n_lost, names);
  for (int64_t i = 0, lost = 0; status == NCC_OK && objects->n_lost > 0 && i < objects->count + objects->n_lost; i++) {
    if (lost < objects->n_lost &&
        (i - lost == objects->count || objects->lost[lost].id < ncc_objects_get(objects, i - lost).id)) {
      free((*names)[i]);
      lost++;
    } else {
      (*names)[i - lost] = (*names)[i];
    }
  }
  return status;
}

ncc_status ncc_input_names(ncc_input *input, ncc_object_kind kind, char ***names) {
  return read_labels(input, kind, kind == NCC_IMAGE ? "/image_names" : "/template_names", names);
}

ncc_status ncc_input_groups(ncc_input *input, char ***groups) {
  return read_labels(input, NCC_IMAGE, "/image_groups", groups);
}

ncc_status ncc_input_bin(ncc_input *input, int64_t *bin) {
  ncc_status status = NCC_OK;
  hid_t attribute = -1;
  *bin = 1;
  ncc_h5_silence();
  if (H5Aexists(input->sources.input, "bin") <= 0) return NCC_OK;
  attribute = H5Aopen(input->sources.input, "bin", H5P_DEFAULT);
  const bool read = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_INT64, bin) >= 0;
  NCC_CHECK(read && *bin >= 1 && *bin <= NCC_INPUT_MAX_BIN, NCC_ERR_INPUT,
            "%s: attribute bin: expected an integer from 1 to %d", input->catalog.path, NCC_INPUT_MAX_BIN);
cleanup:
  ncc_h5_close(&attribute);
  return status;
}
