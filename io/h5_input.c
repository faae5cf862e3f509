/** Opening the input file and reading pixels, names and expected answers. See input.h.
 *
 *  What the file holds is worked out in h5_inspect.c, its identity in h5_identity.c.
 */
#include "h5_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const ncc_input_names_of_kinds[2] = {"/images", "/templates"};

ncc_status ncc_input_open(const char *path, ncc_input **out) {
  ncc_status status = NCC_OK;
  struct stat info;
  *out = NULL;
  ncc_input *input = calloc(1, sizeof *input);
  NCC_CHECK(input, NCC_ERR_NOMEM, "%s: no memory", path);
  input->file = -1;
  for (int kind = 0; kind < 2; kind++) {
    ncc_input_set *set = &input->sets[kind];
    set->stack = set->group = set->open = -1;
  }
  input->catalog.path = strdup(path);
  NCC_CHECK(input->catalog.path, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(ncc_h5_open_file(path, &input->file));
  NCC_CHECK(stat(path, &info) == 0, NCC_ERR_INPUT, "%s: cannot be inspected: %s", path, strerror(errno));
  input->size_bytes = info.st_size;
  input->modified_s = info.st_mtime;
  NCC_TRY(ncc_input_inspect(input));
cleanup:
  if (status == NCC_OK) {
    *out = input;
  } else {
    ncc_input_close(&input);
  }
  return status;
}

void ncc_input_close(ncc_input **input_in) {
  ncc_input *input = *input_in;
  if (!input) return;
  const ncc_objects *objects[2] = {&input->catalog.images, &input->catalog.templates};
  for (int kind = 0; kind < 2; kind++) {
    ncc_input_set *set = &input->sets[kind];
    for (int64_t i = 0; set->names && i < objects[kind]->count; i++) free(set->names[i]);
    free(set->names);
    ncc_h5_close(&set->open);
    ncc_h5_close(&set->group);
    ncc_h5_close(&set->stack);
  }
  ncc_h5_close(&input->file);
  ncc_catalog_clear(&input->catalog);
  free(input);
  *input_in = NULL;
}

const ncc_catalog *ncc_input_catalog(const ncc_input *input) {
  return &input->catalog;
}

/** The dataset that holds an object's pixels; borrowed. */
static ncc_status find_dataset(ncc_input *input, ncc_object_kind kind, int64_t index, hid_t *out) {
  ncc_status status = NCC_OK;
  ncc_input_set *set = &input->sets[kind];
  *out = set->stack;
  if (set->stack >= 0) return NCC_OK;
  if (set->open < 0 || set->open_index != index) {
    ncc_h5_close(&set->open);
    set->open = H5Dopen2(set->group, set->names[index], H5P_DEFAULT);
    NCC_CHECK_H5(set->open >= 0, NCC_ERR_UNREADABLE, "%s: %s/%s: cannot be opened", input->catalog.path,
                 ncc_input_names_of_kinds[kind], set->names[index]);
    set->open_index = index;
  }
  *out = set->open;
cleanup:
  return status;
}

ncc_status ncc_input_read_rect(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               void *pixels) {
  ncc_status status = NCC_OK;
  hid_t dataset, space = -1, memory = -1;
  ncc_object object = ncc_objects_get(kind == NCC_IMAGE ? &input->catalog.images : &input->catalog.templates, index);
  if (object.box_image >= 0) {
    ncc_rect inside = {rect->y0 + object.box_y, rect->x0 + object.box_x, rect->y1 + object.box_y,
                       rect->x1 + object.box_x};
    return ncc_input_read_rect(input, NCC_IMAGE, object.box_image, &inside, pixels);
  }
  NCC_TRY(find_dataset(input, kind, index, &dataset));
  // A dataset of a group has no first extent.
  int skip = input->sets[kind].stack >= 0 ? 0 : 1;
  hsize_t start[3] = {(hsize_t)index, (hsize_t)rect->y0, (hsize_t)rect->x0};
  hsize_t extent[3] = {1, (hsize_t)(rect->y1 - rect->y0), (hsize_t)(rect->x1 - rect->x0)};
  space = H5Dget_space(dataset);
  memory = H5Screate_simple(3 - skip, extent + skip, NULL);
  NCC_CHECK_H5(space >= 0 && memory >= 0 &&
                   H5Sselect_hyperslab(space, H5S_SELECT_SET, start + skip, NULL, extent + skip, NULL) >= 0 &&
                   H5Dread(dataset, ncc_h5_pixel_type(object.dtype), memory, space, H5P_DEFAULT, pixels) >= 0,
               NCC_ERR_UNREADABLE, "%s: %s: id %" PRId64 " cannot be read", input->catalog.path,
               ncc_input_names_of_kinds[kind], object.id);
cleanup:
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
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

ncc_status ncc_input_read(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels) {
  ncc_object object = ncc_objects_get(kind == NCC_IMAGE ? &input->catalog.images : &input->catalog.templates, index);
  ncc_rect whole = {0, 0, object.rows, object.cols};
  ncc_h5_silence();
  ncc_status status = ncc_input_read_rect(input, kind, index, &whole, pixels);
  return status == NCC_OK ? check_still_whole(input) : status;
}

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
