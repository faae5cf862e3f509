/** How much an input file's tables will take, by shapes alone. */
#include <string.h>

#include "io/input/h5_input.h"

/** Shape of a dataset; rank 0 where there is none such. */
static int shape_of(hid_t object, hsize_t shape[H5S_MAX_RANK]) {
  hid_t space = H5Dget_space(object);
  int rank = space < 0 ? 0 : H5Sget_simple_extent_dims(space, shape, NULL);
  ncc_h5_close(&space);
  for (int i = 0; i < rank; i++)
    if (shape[i] > (hsize_t)1 << 40) shape[i] = (hsize_t)1 << 40; /* opening will say so */
  return rank < 0 ? 0 : rank;
}

/** Bytes of names of sources as rank 0 keeps them: of variable length, a guess. */
static int64_t name_bytes_of(hid_t object, int64_t count) {
  enum { GUESS = 128 };
  hid_t type = H5Dget_type(object);
  const bool fixed = type >= 0 && H5Tis_variable_str(type) == 0;
  const int64_t bytes = count * (fixed ? (int64_t)H5Tget_size(type) + 1 : GUESS);
  ncc_h5_close(&type);
  return bytes;
}

static void measure_kind(hid_t file, const char *name, int64_t *count, ncc_input_size *out) {
  hsize_t shape[H5S_MAX_RANK];
  H5G_info_t group;
  int64_t named = 0, boxes = 0, source_bytes = 0;
  hid_t object = H5Lexists(file, name, H5P_DEFAULT) > 0 ? H5Oopen(file, name, H5P_DEFAULT) : -1;
  if (object < 0) return;
  if (H5Iget_type(object) == H5I_GROUP) {
    if (H5Gget_info(object, &group) >= 0) *count = named = (int64_t)group.nlinks;
  } else if (H5Iget_type(object) == H5I_DATASET) {
    const int rank = shape_of(object, shape);
    if (rank > 0) *count = (int64_t)shape[0];
    if (rank == 2 && strcmp(name, "/templates") == 0) boxes = *count;
    if (rank == 1) source_bytes = name_bytes_of(object, *count);
  }
  ncc_h5_close(&object);
  /* A rank that takes over the list of places has it twice for a moment. */
  const int64_t named_bytes = (int64_t)(sizeof(ncc_item) + sizeof(int64_t) + 2 * sizeof(ncc_place));
  const int64_t name_bytes = 96; /* while they are sorted and looked at */
  if (source_bytes > 0) {        /* shapes may differ, on every rank; names are rank 0's alone */
    out->rank_bytes += *count * (int64_t)sizeof(ncc_item);
    out->open_bytes += *count * (int64_t)(2 * sizeof(ncc_item) + 2 * sizeof(int64_t)) + source_bytes;
  }
  out->rank_bytes += boxes * (int64_t)sizeof(ncc_item) + named * named_bytes;
  out->open_bytes += boxes * (int64_t)sizeof(ncc_item) + named * (named_bytes + name_bytes);
}

ncc_status ncc_input_measure(const char *path, ncc_input_size *out) {
  ncc_status status = NCC_OK;
  hsize_t shape[H5S_MAX_RANK];
  hid_t file = -1, pairs = -1;
  *out = (ncc_input_size){0};
  NCC_TRY(ncc_h5_open_file(path, &file));
  measure_kind(file, "/images", &out->images, out);
  measure_kind(file, "/templates", &out->templates, out);
  int64_t masks = 0; /* their tables are counted, not they */
  measure_kind(file, "/image_masks", &masks, out);
  measure_kind(file, "/template_masks", &masks, out);
  pairs = H5Lexists(file, "/pairs", H5P_DEFAULT) > 0 ? H5Oopen(file, "/pairs", H5P_DEFAULT) : -1;
  if (pairs >= 0 && H5Iget_type(pairs) == H5I_DATASET && shape_of(pairs, shape) > 0) out->pairs = (int64_t)shape[0];
  const bool near = H5Lexists(file, "/near", H5P_DEFAULT) > 0; /* windows are made of them beside */
  out->windows = near || H5Lexists(file, "/search", H5P_DEFAULT) > 0;
  const int64_t window_bytes = out->windows ? (int64_t)sizeof(ncc_rect) : 0;
  out->open_bytes += out->pairs * (int64_t)(2 * sizeof(int64_t));
  out->open_bytes += out->pairs * (near ? 2 * window_bytes : window_bytes);
cleanup:
  ncc_h5_close(&pairs);
  ncc_h5_close(&file);
  return status;
}
