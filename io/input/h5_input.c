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

static const int64_t default_chunk_bytes = 256 << 20;

const char *const ncc_input_names_of_kinds[2] = {"/images", "/templates"};

ncc_status ncc_input_create(const char *path, ncc_input **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_input *input = calloc(1, sizeof *input);
  NCC_CHECK(input, NCC_ERR_NOMEM, "%s: no memory", path);
  input->file = -1;
  input->chunk_bytes = default_chunk_bytes;
  for (int kind = 0; kind < 2; kind++) input->sets[kind].group = input->sets[kind].open = -1;
  input->catalog.path = strdup(path);
  NCC_CHECK(input->catalog.path, NCC_ERR_NOMEM, "%s: no memory", path);
  *out = input;
  input = NULL;
cleanup:
  free(input);
  return status;
}

ncc_status ncc_input_open(const char *path, ncc_input **out) {
  ncc_status status = NCC_OK;
  struct stat info;
  int32_t index;
  ncc_input *input = NULL;
  *out = NULL;
  NCC_TRY(ncc_input_create(path, &input));
  NCC_TRY(ncc_h5_open_file(path, &input->file));
  NCC_TRY(ncc_raw_files_add(&input->files, path, &index));
  NCC_TRY(ncc_raw_file_open(&input->files, index));
  NCC_CHECK(fstat(input->files.items[index].fd, &info) == 0, NCC_ERR_INPUT, "%s: cannot be inspected: %s", path,
            strerror(errno));
  input->size_bytes = input->files.items[index].size_bytes = info.st_size;
  input->modified_s = info.st_mtime;
  NCC_TRY(ncc_input_inspect(input));
  *out = input;
  input = NULL;
cleanup:
  ncc_input_close(&input);
  return status;
}

void ncc_input_close(ncc_input **input_in) {
  ncc_input *input = *input_in;
  if (!input) return;
  for (int kind = 0; kind < 2; kind++) {
    ncc_input_set *set = &input->sets[kind];
    for (int64_t i = 0; set->names && i < set->n_places; i++) free(set->names[i]);
    free(set->names);
    free(set->places);
    ncc_h5_close(&set->open);
    ncc_h5_close(&set->group);
  }
  ncc_h5_close(&input->file);
  ncc_raw_files_clear(&input->files);
  if (input->borrowed)
    free(input->catalog.path);
  else
    ncc_catalog_clear(&input->catalog);
  free(input);
  *input_in = NULL;
}

const ncc_catalog *ncc_input_catalog(const ncc_input *input) {
  return &input->catalog;
}

int64_t ncc_input_bytes_read(const ncc_input *input) {
  return input->files.bytes_read + input->hdf5_bytes_read;
}

/* ---- by HDF5 ------------------------------------------------------------------------------------------------------
 */

/** Where a chunk spans several planes of a stack, room for all chunks of a plane, so that reading plane after plane
 *  inflates each chunk once. @return -1 where HDF5's default will do. */
static hid_t chunk_cache(const ncc_input *input, hid_t dataset) {
  hsize_t chunk[3], shape[3];
  hid_t access = -1, space = -1, type = -1, properties = H5Dget_create_plist(dataset);
  if (properties < 0 || H5Pget_layout(properties) != H5D_CHUNKED || H5Pget_chunk(properties, 3, chunk) != 3 ||
      chunk[0] < 2)
    goto cleanup;
  space = H5Dget_space(dataset);
  type = H5Dget_type(dataset);
  if (space < 0 || type < 0 || H5Sget_simple_extent_dims(space, shape, NULL) != 3) goto cleanup;
  double bytes = (double)((shape[1] + chunk[1] - 1) / chunk[1]) * (double)((shape[2] + chunk[2] - 1) / chunk[2]) *
                 (double)chunk[0] * (double)chunk[1] * (double)chunk[2] * (double)H5Tget_size(type);
  if (bytes > (double)input->chunk_bytes) goto cleanup;
  access = H5Pcreate(H5P_DATASET_ACCESS);
  if (access >= 0) H5Pset_chunk_cache(access, 10007, (size_t)bytes + 1, 1.0);
cleanup:
  ncc_h5_close(&type);
  ncc_h5_close(&space);
  ncc_h5_close(&properties);
  return access;
}

void ncc_input_limit(ncc_input *input, int64_t chunk_bytes) {
  input->chunk_bytes = chunk_bytes < default_chunk_bytes ? chunk_bytes : default_chunk_bytes;
  for (int kind = 0; kind < 2; kind++) ncc_h5_close(&input->sets[kind].open);
}

ncc_status ncc_input_find_dataset(ncc_input *input, ncc_object_kind kind, int64_t index, hid_t *out) {
  ncc_status status = NCC_OK;
  ncc_input_set *set = &input->sets[kind];
  const char *path = input->catalog.path, *label = ncc_input_names_of_kinds[kind];
  ncc_h5_dataset found = {.id = -1, .type = -1};
  char name[NCC_H5_TEXT];
  hid_t access = -1;
  int64_t wanted = set->stack ? 0 : index;
  snprintf(name, sizeof name, "%s%s%s", label, set->stack ? "" : "/", set->stack ? "" : set->names[index]);
  if (set->open < 0 || set->open_index != wanted) {
    ncc_h5_close(&set->open);
    if (input->file < 0) NCC_TRY(ncc_h5_open_file(path, &input->file));
    if (!set->stack && set->group < 0) set->group = H5Gopen2(input->file, label, H5P_DEFAULT);
    NCC_CHECK_H5(set->stack || set->group >= 0, NCC_ERR_INPUT, "%s: %s: cannot be opened", path, label);
    NCC_TRY(ncc_h5_dataset_open(set->stack ? input->file : set->group, set->stack ? label : set->names[index], path,
                                name, &found));
    if (found.layout == H5D_VIRTUAL) NCC_TRY(ncc_input_check_virtual(input, name, found.id));
    if (set->stack && (access = chunk_cache(input, found.id)) >= 0) {
      ncc_h5_close(&found.id);
      found.id = H5Dopen2(input->file, label, access);
      NCC_CHECK_H5(found.id >= 0, NCC_ERR_INPUT, "%s: %s: cannot be opened again", path, label);
    }
    set->open = found.id;
    set->open_index = wanted;
    found.id = -1;
  }
  *out = set->open;
cleanup:
  ncc_h5_close(&access);
  ncc_h5_dataset_close(&found);
  return status;
}

/** HDF5 takes what lies beyond the end of a file for zeros: a file that lost its end since it was opened would give
 *  wrong pixels in silence. To be called after reading. */
static ncc_status check_still_whole(const ncc_input *input) {
  void *descriptor = NULL;
  struct stat info;
  if (H5Fget_vfd_handle(input->file, H5P_DEFAULT, &descriptor) < 0 || fstat(*(int *)descriptor, &info) != 0 ||
      info.st_size >= input->size_bytes) {
    return NCC_OK;
  }
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: has shrunk to %lld bytes, expected %lld", input->catalog.path,
                       (long long)info.st_size, (long long)input->size_bytes);
}

/** Numbers in the other byte order are read as they are stored: HDF5's own conversion takes as long as reading them
 * from the system's cache. */
static ncc_status read_by_hdf5(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_object *object,
                               const ncc_rect *rect, bool swapped, void *pixels) {
  ncc_status status = NCC_OK;
  hid_t dataset, space = -1, memory = -1, type = -1;
  // A dataset of a group has no first extent.
  int skip = input->sets[kind].stack ? 0 : 1;
  hsize_t start[3] = {(hsize_t)index, (hsize_t)rect->y0, (hsize_t)rect->x0};
  hsize_t extent[3] = {1, (hsize_t)(rect->y1 - rect->y0), (hsize_t)(rect->x1 - rect->x0)};
  if (ncc_input_find_dataset(input, kind, index, &dataset) != NCC_OK) return NCC_ERR_UNREADABLE;
  space = H5Dget_space(dataset);
  memory = H5Screate_simple(3 - skip, extent + skip, NULL);
  if (swapped) type = H5Dget_type(dataset);
  NCC_CHECK_H5(
      space >= 0 && memory >= 0 &&
          H5Sselect_hyperslab(space, H5S_SELECT_SET, start + skip, NULL, extent + skip, NULL) >= 0 &&
          H5Dread(dataset, swapped ? type : ncc_h5_pixel_type(object->dtype), memory, space, H5P_DEFAULT, pixels) >= 0,
      NCC_ERR_UNREADABLE, "%s: %s: id %" PRId64 " cannot be read", input->catalog.path, ncc_input_names_of_kinds[kind],
      object->id);
  int64_t n = (rect->y1 - rect->y0) * (rect->x1 - rect->x0);
  size_t size = ncc_dtype_size(object->dtype);
  if (swapped) ncc_swap(pixels, n, size);
  input->hdf5_bytes_read += n * (int64_t)size;
  NCC_TRY(check_still_whole(input));
cleanup:
  ncc_h5_close(&type);
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  return status;
}

/* ---- either way ---------------------------------------------------------------------------------------------------
 */

static const ncc_place *place_of(const ncc_input *input, ncc_object_kind kind, int64_t index) {
  const ncc_input_set *set = &input->sets[kind];
  return &set->places[set->stack ? 0 : index];
}

static ncc_raw_rect raw_rect(const ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_object *object,
                             const ncc_rect *rect) {
  const ncc_place *place = place_of(input, kind, index);
  int64_t size = (int64_t)ncc_dtype_size(object->dtype), plane = input->sets[kind].stack ? index : 0;
  return (ncc_raw_rect){.file = place->file,
                        .offset = place->offset + ((plane * object->rows + rect->y0) * object->cols + rect->x0) * size,
                        .rows = rect->y1 - rect->y0,
                        .row_bytes = (rect->x1 - rect->x0) * size,
                        .step = object->cols * size,
                        .swap_bytes = place->order == NCC_STORED_SWAPPED ? (int)size : 0};
}

/** The image and the rectangle in it that a box's rectangle is. */
static void resolve_box(const ncc_input *input, ncc_object_kind *kind, int64_t *index, ncc_object *object,
                        ncc_rect *rect) {
  if (object->box_image < 0) return;
  int64_t dy = object->box_y, dx = object->box_x;
  *rect = (ncc_rect){rect->y0 + dy, rect->x0 + dx, rect->y1 + dy, rect->x1 + dx};
  *kind = NCC_IMAGE;
  *index = object->box_image;
  *object = ncc_objects_get(&input->catalog.images, *index);
}

ncc_status ncc_input_read_rect(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect_in,
                               void *pixels) {
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  ncc_rect rect = *rect_in;
  resolve_box(input, &kind, &index, &object, &rect);
  const ncc_place *place = place_of(input, kind, index);
  if (place->offset < 0)
    return read_by_hdf5(input, kind, index, &object, &rect, place->order == NCC_STORED_SWAPPED, pixels);
  ncc_raw_rect raw = raw_rect(input, kind, index, &object, &rect);
  ncc_status status = ncc_raw_read(&input->files, &raw, pixels);
  if (status != NCC_OK)
    ncc_error_prefix("%s: %s: id %" PRId64 " cannot be read", input->catalog.path, ncc_input_names_of_kinds[kind],
                     object.id);
  return status;
}

ncc_status ncc_input_read(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels) {
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  ncc_rect whole = {0, 0, object.rows, object.cols};
  ncc_h5_silence();
  return ncc_input_read_rect(input, kind, index, &whole, pixels);
}

void ncc_input_hint(ncc_input *input, ncc_object_kind kind, int64_t index) {
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  ncc_rect rect = {0, 0, object.rows, object.cols};
  resolve_box(input, &kind, &index, &object, &rect);
  if (place_of(input, kind, index)->offset < 0) return;
  ncc_raw_rect raw = raw_rect(input, kind, index, &object, &rect);
  ncc_raw_hint(&input->files, &raw);
}

/* ---- beside the pixels --------------------------------------------------------------------------------------------
 */

/** Whether a path exists, asking for its first part first, as HDF5 wants it. */
static bool exists(hid_t file, const char *group, const char *path) {
  return (!group || H5Lexists(file, group, H5P_DEFAULT) > 0) && H5Lexists(file, path, H5P_DEFAULT) > 0;
}

ncc_status ncc_input_expected(ncc_input *input, int64_t (**coords)[2], double **peaks) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = &input->catalog;
  int64_t *flat = NULL;
  ncc_h5_silence();
  *coords = NULL;
  *peaks = NULL;
  if (exists(input->file, "/expected", "/expected/coords")) {
    NCC_TRY(ncc_h5_read_integers(input->file, catalog->path, "/expected/coords", catalog->n_pairs, 2, NULL, &flat));
    *coords = (int64_t(*)[2])flat;
  }
  if (exists(input->file, "/expected", "/expected/peaks")) {
    NCC_TRY(ncc_h5_read_doubles(input->file, catalog->path, "/expected/peaks", catalog->n_pairs, peaks));
  }
cleanup:
  if (status != NCC_OK) {
    free(*coords);
    *coords = NULL;
  }
  return status;
}

ncc_status ncc_input_names(ncc_input *input, ncc_object_kind kind, char ***names) {
  const char *label = kind == NCC_IMAGE ? "/image_names" : "/template_names";
  const ncc_catalog *catalog = &input->catalog;
  ncc_h5_silence();
  *names = NULL;
  if (!exists(input->file, NULL, label)) return NCC_OK;
  return ncc_h5_read_strings(input->file, catalog->path, label,
                             kind == NCC_IMAGE ? catalog->images.count : catalog->templates.count, names);
}
