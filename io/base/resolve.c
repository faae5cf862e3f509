/** What a dataset is made of: virtual datasets taken apart, and external files. See sources.h.
 *
 *  One process does this once for an input; the others get the result. Every source is opened, one at a time, so
 *  that what is not there is known before any work, and however few descriptors there are.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "io/base/source_names.h"
#include "io/base/sources.h"

/** The source that a virtual dataset names, once it was looked for. Begins with its key. */
typedef struct known {
  char *key;
  int32_t index; /* -1: it is being resolved */
} known;

/* ---- selections -------------------------------------------------------------------------------------------------- */

/** The indices of a selection along each direction, where it is a product of such. */
typedef struct selection {
  int rank; /* -1: all of the dataset, whatever its shape */
  ncc_indices indices[H5S_MAX_RANK];
  int64_t n[H5S_MAX_RANK]; /* -1: without end */
} selection;

/** @return whether it is one that is followed. */
static bool read_selection(hid_t space, selection *out) {
  hsize_t start[H5S_MAX_RANK], stride[H5S_MAX_RANK], count[H5S_MAX_RANK], block[H5S_MAX_RANK];
  const H5S_sel_type type = H5Sget_select_type(space);
  *out = (selection){.rank = -1};
  if (type == H5S_SEL_ALL) return true;
  if (type != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0 ||
      H5Sget_regular_hyperslab(space, start, stride, count, block) < 0)
    return false;
  out->rank = H5Sget_simple_extent_ndims(space);
  for (int d = 0; d < out->rank; d++) {
    const bool endless = count[d] == H5S_UNLIMITED || block[d] == H5S_UNLIMITED;
    const bool one_run = block[d] == H5S_UNLIMITED || count[d] == 1;
    // Without gaps one step is as good as another; so long a one cannot be passed.
    const int64_t step = one_run ? INT64_MAX / 2 : (int64_t)stride[d];
    out->indices[d] = (ncc_indices){(int64_t)start[d], step, one_run ? INT64_MAX / 2 : (int64_t)block[d]};
    out->n[d] = endless ? -1 : (int64_t)(count[d] * block[d]);
  }
  return true;
}

/** All of a dataset. */
static void select_all(selection *out, int rank, const int64_t *shape) {
  out->rank = rank;
  for (int d = 0; d < rank; d++) {
    out->indices[d] = (ncc_indices){0, INT64_MAX / 2, INT64_MAX / 2};
    out->n[d] = shape[d];
  }
}

/** How many of the indices lie below an extent. */
static int64_t count_below(const ncc_indices *indices, int64_t n, int64_t extent) {
  const int64_t distance = extent - indices->start;
  if (distance <= 0) return 0;
  const int64_t most = distance / indices->step * indices->block + ncc_min(distance % indices->step, indices->block);
  return n < 0 ? most : ncc_min(n, most);
}

/** Pairs the directions of a virtual selection and a source's, in order, leaving out those of one index.
 *  @return whether they have the same lengths. */
static bool pair_directions(const selection *to, const selection *from, ncc_part *part) {
  const int missing = NCC_VIRTUAL_RANK - to->rank;
  int e = 0;
  for (int d = 0; d < from->rank; d++) part->base[d] = from->indices[d].start;
  for (int d = 0; d < to->rank; d++) {
    if (to->n[d] == 1) continue;
    while (e < from->rank && from->n[e] == 1) e++;
    if (e == from->rank || from->n[e] != to->n[d]) return false;
    part->axis[missing + d] = e;
    part->from[missing + d] = from->indices[e++];
  }
  while (e < from->rank && from->n[e] == 1) e++;
  return e == from->rank;
}

/* ---- datasets ---------------------------------------------------------------------------------------------------- */

/** What is the same for all that one dataset is made of. */
typedef struct walk {
  ncc_sources *sources;
  const ncc_element *element;
  void **known;
} walk;

static ncc_status add_set(walk *w, const ncc_h5_dataset *set, int32_t file, const char *name, int32_t *index);

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const known *)a)->key, ((const known *)b)->key);
}

/** A virtual dataset while it is taken apart. */
typedef struct virtual_set {
  const ncc_h5_dataset *set;
  int32_t holder; /* the file it lies in */
  ncc_part *parts;
  int64_t n_parts, capacity;
  char file_name[NCC_NAME_BYTES]; /* of the source file that is open */
  ncc_source_attempt open;
  int32_t file;
} virtual_set;

/** Opens the file of a source unless it is the one that is open; "." is the one that names it. */
static ncc_status open_file_of(walk *w, virtual_set *v, const char *name) {
  ncc_status status = NCC_OK;
  if (v->open.file >= 0 && strcmp(name, v->file_name) == 0) return NCC_OK;
  ncc_h5_close(&v->open.file);
  if (strcmp(name, ".") == 0) {
    v->open.file = H5Iget_file_id(v->set->id);
    v->file = v->holder;
  } else {
    ncc_source_open(&v->open, w->sources->files.items[v->holder].path, name);
    if (v->open.file >= 0) NCC_TRY(ncc_raw_files_add(&w->sources->files, v->open.path, &v->file));
  }
  snprintf(v->file_name, sizeof v->file_name, "%s", name);
cleanup:
  return status;
}

static ncc_status look_up(walk *w, virtual_set *v, const char *file_name, const char *name, int32_t *index) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set = {.id = -1, .type = -1};
  NCC_TRY(open_file_of(w, v, file_name));
  if (v->open.file < 0) return ncc_sources_add_lost(w->sources, v->open.reason, index);
  status = ncc_h5_dataset_open(v->open.file, name, w->sources->files.items[v->file].path, name, &set);
  if (status == NCC_ERR_INPUT) return ncc_sources_add_lost(w->sources, ncc_error_message(), index);
  if (status == NCC_OK) status = add_set(w, &set, v->file, name, index);
cleanup:
  ncc_h5_dataset_close(&set);
  return status;
}

/** The source that a virtual dataset names; each is looked up once. */
static ncc_status find_source(walk *w, virtual_set *v, const char *file_name, const char *name, int32_t *index) {
  ncc_status status = NCC_OK;
  char reason[NCC_REASON_BYTES];
  known *mine = calloc(1, sizeof *mine), **found = NULL;
  NCC_CHECK(mine && asprintf(&mine->key, "%d|%s|%s|%d", v->holder, file_name, name, (int)w->element->dtype) >= 0,
            NCC_ERR_NOMEM, "no memory for the sources of a virtual dataset");
  mine->index = -1;
  found = tsearch(mine, w->known, compare_keys);
  NCC_CHECK(found, NCC_ERR_NOMEM, "no memory for the sources of a virtual dataset");
  if (*found == mine) {
    mine = NULL;
    known *added = *found;  // the node moves as others are added
    NCC_TRY(look_up(w, v, file_name, name, index));
    added->index = *index;
  } else if ((*found)->index >= 0) {
    *index = (*found)->index;
  } else {
    snprintf(reason, sizeof reason, "%s: %s: a virtual dataset that contains itself", file_name, name);
    NCC_TRY(ncc_sources_add_lost(w->sources, reason, index));
  }
cleanup:
  if (mine) free(mine->key);
  free(mine);
  return status;
}

/** Adds a part, unless nothing is selected. */
static ncc_status add_part(walk *w, virtual_set *v, const selection *to, const selection *from_in, bool followed,
                           const char *file_name, const char *name) {
  ncc_status status = NCC_OK;
  const int missing = NCC_VIRTUAL_RANK - v->set->rank;
  selection from = *from_in;
  char reason[NCC_REASON_BYTES];
  ncc_part part = {.n = {1, 1, 1}, .axis = {-1, -1, -1}};
  for (int d = 0; d < NCC_VIRTUAL_RANK; d++) part.to[d] = part.from[d] = (ncc_indices){0, 1, 1};
  for (int d = 0; d < to->rank; d++) {
    if (to->n[d] == 0) return NCC_OK;
    part.n[missing + d] = to->n[d];
    part.to[missing + d] = to->indices[d];
  }
  NCC_TRY(find_source(w, v, file_name, name, &part.source));
  const ncc_source *source = &w->sources->items[part.source];
  if (source->kind != NCC_SOURCE_LOST) {
    if (from.rank < 0) select_all(&from, source->rank, source->shape);
    if (!followed || from.rank != source->rank || !pair_directions(to, &from, &part)) {
      snprintf(reason, sizeof reason, "%s: %s: %s", w->sources->files.items[source->file].path, name,
               followed ? "its shape is not what the virtual dataset expects of its source"
                        : "selected for a virtual dataset in a way that is not followed (h5repack makes a plain one)");
      for (int d = 0; d < NCC_VIRTUAL_RANK; d++) part.axis[d] = -1;
      NCC_TRY(ncc_sources_add_lost(w->sources, reason, &part.source));
    }
  }
  NCC_TRY(ncc_list_grow(&v->parts, v->n_parts + 1, &v->capacity, sizeof *v->parts, "sources of datasets"));
  v->parts[v->n_parts++] = part;
cleanup:
  return status;
}

/** One mapping of a virtual dataset: a part, or one for each block where names have numbers. */
static ncc_status add_mapping(walk *w, virtual_set *v, hid_t properties, size_t i, const char *label) {
  ncc_status status = NCC_OK;
  char file_pattern[NCC_NAME_BYTES], pattern[NCC_NAME_BYTES], file_name[NCC_NAME_BYTES], name[NCC_NAME_BYTES];
  int64_t shape[NCC_VIRTUAL_RANK];
  selection to, from;
  hid_t space = -1, source_space = -1;
  const ssize_t file_bytes = H5Pget_virtual_filename(properties, i, file_pattern, sizeof file_pattern);
  const ssize_t bytes = H5Pget_virtual_dsetname(properties, i, pattern, sizeof pattern);
  space = H5Pget_virtual_vspace(properties, i);
  source_space = H5Pget_virtual_srcspace(properties, i);
  NCC_CHECK_H5(file_bytes >= 0 && file_bytes < NCC_NAME_BYTES && bytes >= 0 && bytes < NCC_NAME_BYTES && space >= 0 &&
                   source_space >= 0,
               NCC_ERR_INPUT, "%s: virtual layout cannot be read", label);
  for (int d = 0; d < v->set->rank; d++) shape[d] = (int64_t)v->set->shape[d];
  bool followed = read_selection(space, &to);
  if (!followed || to.rank != v->set->rank) select_all(&to, v->set->rank, shape);
  followed = read_selection(source_space, &from) && followed;
  const bool numbered = ncc_source_numbered(file_pattern) || ncc_source_numbered(pattern);
  int endless = -1;
  for (int d = 0; d < to.rank; d++) {
    if (to.n[d] < 0) endless = d;
    to.n[d] = count_below(&to.indices[d], to.n[d], shape[d]);
  }
  for (int d = 0; d < from.rank; d++) {
    if (from.n[d] >= 0) continue;
    followed = followed && endless >= 0;
    from.n[d] = endless >= 0 ? to.n[endless] : 0;
  }
  if (!numbered || endless < 0) {
    ncc_source_expand(file_pattern, 0, file_name);
    ncc_source_expand(pattern, 0, name);
    NCC_TRY(add_part(w, v, &to, &from, followed, file_name, name));
  } else {
    const ncc_indices all = to.indices[endless];
    const int64_t n = to.n[endless];
    for (int64_t k = 0; k < n; k += all.block) {
      to.indices[endless] = (ncc_indices){all.start + k / all.block * all.step, INT64_MAX / 2, INT64_MAX / 2};
      to.n[endless] = ncc_min(all.block, n - k);
      ncc_source_expand(file_pattern, k / all.block, file_name);
      ncc_source_expand(pattern, k / all.block, name);
      NCC_TRY(add_part(w, v, &to, &from, followed, file_name, name));
    }
  }
cleanup:
  ncc_h5_close(&source_space);
  ncc_h5_close(&space);
  return status;
}

static int compare_parts(const void *a, const void *b) {
  const int64_t x = ((const ncc_part *)a)->to[0].start, y = ((const ncc_part *)b)->to[0].start;
  return (x > y) - (x < y);
}

/** Sorts the parts and puts them behind those of other sources. */
static ncc_status keep_parts(ncc_sources *sources, virtual_set *v, ncc_source *source) {
  ncc_status status = NCC_OK;
  int64_t reach = 0;
  bool sorted = true;
  for (int64_t i = 1; i < v->n_parts; i++) sorted = sorted && compare_parts(&v->parts[i - 1], &v->parts[i]) <= 0;
  if (!sorted) qsort(v->parts, (size_t)v->n_parts, sizeof *v->parts, compare_parts);
  source->first = sources->n_parts;
  source->count = v->n_parts;
  for (int64_t i = 0; i < v->n_parts; i++) {
    const ncc_part *part = &v->parts[i];
    const int64_t last = part->n[0] - 1;
    const ncc_indices *to = &part->to[0];
    reach = ncc_max(reach, to->start + last / to->block * to->step + last % to->block + 1);
    v->parts[i].reach = reach;
    NCC_TRY(ncc_list_grow(&sources->parts, sources->n_parts + 1, &sources->parts_capacity, sizeof *sources->parts,
                          "sources of datasets"));
    sources->parts[sources->n_parts++] = v->parts[i];
  }
cleanup:
  return status;
}

/** @param[in,out] source  becomes lost where all of its parts are. */
static ncc_status describe_virtual(walk *w, const ncc_h5_dataset *set, ncc_source *source) {
  ncc_status status = NCC_OK;
  virtual_set *v = calloc(1, sizeof *v);
  size_t n = 0;
  int64_t n_lost = 0;
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  hid_t properties = H5Dget_create_plist(set->id);
  NCC_CHECK(v, NCC_ERR_NOMEM, "%s: no memory", source->text);
  v->open.file = -1;
  v->set = set;
  v->holder = source->holder;
  NCC_CHECK_H5(
      properties >= 0 && H5Pget_virtual_count(properties, &n) >= 0 && H5Pfill_value_defined(properties, &defined) >= 0,
      NCC_ERR_INPUT, "%s: virtual layout cannot be read", source->text);
  if (defined != H5D_FILL_VALUE_UNDEFINED && w->element->size <= (int32_t)sizeof source->fill)
    NCC_CHECK_H5(H5Pget_fill_value(properties, w->element->type, source->fill) >= 0, NCC_ERR_INPUT,
                 "%s: fill value cannot be read", source->text);
  for (size_t i = 0; i < n; i++) NCC_TRY(add_mapping(w, v, properties, i, source->text));
  const char *reason = NULL;
  for (int64_t i = 0; i < v->n_parts; i++) {
    const ncc_source *part = &w->sources->items[v->parts[i].source];
    n_lost += part->kind == NCC_SOURCE_LOST;
    if (n_lost == 1) reason = part->text;
  }
  if (n_lost > 0 && n_lost == v->n_parts) {
    char *text = strdup(reason);
    NCC_CHECK(text, NCC_ERR_NOMEM, "%s: no memory", source->text);
    free(source->text);
    source->text = text;
    source->kind = NCC_SOURCE_LOST;
  } else {
    source->kind = NCC_SOURCE_VIRTUAL;
    NCC_TRY(keep_parts(w->sources, v, source));
  }
cleanup:
  if (v) ncc_h5_close(&v->open.file);
  if (v) free(v->parts);
  free(v);
  ncc_h5_close(&properties);
  return status;
}

static ncc_status add_piece(ncc_sources *sources, ncc_source *source, int64_t start, int64_t bytes, int64_t offset,
                            int32_t file) {
  ncc_status status = ncc_list_grow(&sources->pieces, sources->n_pieces + 1, &sources->pieces_capacity,
                                    sizeof *sources->pieces, "pieces of datasets");
  if (status != NCC_OK) return status;
  if (source->count++ == 0) source->first = sources->n_pieces;
  sources->pieces[sources->n_pieces++] = (ncc_piece){start, start + bytes, offset, file};
  return NCC_OK;
}

/** The external files of a dataset that has them. */
static ncc_status add_external(ncc_sources *sources, const ncc_h5_dataset *set, int64_t bytes, ncc_source *source) {
  ncc_status status = NCC_OK;
  char name[NCC_NAME_BYTES], path[NCC_NAME_BYTES];
  int64_t start = 0;
  hid_t properties = H5Dget_create_plist(set->id);
  const int n = properties >= 0 ? H5Pget_external_count(properties) : -1;
  NCC_CHECK_H5(n >= 0, NCC_ERR_INPUT, "%s: layout cannot be read", source->text);
  for (int i = 0; i < n && start < bytes; i++) {
    off_t offset = 0;
    hsize_t size = 0;
    int32_t file;
    NCC_CHECK_H5(H5Pget_external(properties, (unsigned)i, sizeof name, name, &offset, &size) >= 0, NCC_ERR_INPUT,
                 "%s: external files cannot be read", source->text);
    name[sizeof name - 1] = '\0';
    ncc_external_path(sources->files.items[source->holder].path, name, path);
    NCC_TRY(ncc_raw_files_add(&sources->files, path, &file));
    const int64_t piece = size == H5F_UNLIMITED ? bytes - start : ncc_min((int64_t)size, bytes - start);
    NCC_TRY(add_piece(sources, source, start, piece, (int64_t)offset, file));
    start += piece;
  }
cleanup:
  ncc_h5_close(&properties);
  return status;
}

/** A dataset that is not virtual. */
static ncc_status describe_stored(walk *w, const ncc_h5_dataset *set, ncc_source *source) {
  ncc_status status = NCC_OK;
  ncc_dtype dtype;
  int64_t bytes = (int64_t)H5Tget_size(set->type);
  for (int d = 0; d < set->rank; d++) bytes *= source->shape[d];
  source->kind = NCC_SOURCE_HDF5;
  source->order = NCC_STORED_OTHER;
  if (w->element->pixels && ncc_h5_pixel_dtype(set->type, &dtype) && dtype == w->element->dtype)
    source->order = (int32_t)ncc_h5_stored_order(set->type, dtype);
  if (set->offset >= 0) NCC_TRY(add_piece(w->sources, source, 0, bytes, set->offset, source->holder));
  if (set->offset < 0 && set->layout == H5D_CONTIGUOUS) NCC_TRY(add_external(w->sources, set, bytes, source));
  if (source->count > 0 && source->order != NCC_STORED_OTHER) source->kind = NCC_SOURCE_RAW;
cleanup:
  return status;
}

static ncc_status add_set(walk *w, const ncc_h5_dataset *set, int32_t file, const char *name, int32_t *index) {
  ncc_status status = NCC_OK;
  ncc_sources *sources = w->sources;
  char path[NCC_NAME_BYTES], reason[NCC_REASON_BYTES];
  ncc_source source = {.rank = set->rank, .file = file, .holder = file, .size = w->element->size, .text = strdup(name)};
  hid_t id = H5Iget_file_id(set->id);
  NCC_CHECK(source.text, NCC_ERR_NOMEM, "%s: no memory", name);
  NCC_CHECK_H5(id >= 0 && H5Fget_name(id, path, sizeof path) >= 0, NCC_ERR_INPUT, "%s: file of the dataset", name);
  if (strcmp(path, sources->files.items[file].path) != 0)
    NCC_TRY(ncc_raw_files_add(&sources->files, path, &source.holder));
  const int most = set->layout == H5D_VIRTUAL ? NCC_VIRTUAL_RANK : NCC_SOURCE_RANK;
  if (set->rank < 1 || set->rank > most) {
    snprintf(reason, sizeof reason, "%s: %s: shape %s found, expected 1 to %d directions of a %s", path, name,
             set->shape_text, most, set->layout == H5D_VIRTUAL ? "virtual dataset" : "dataset");
    NCC_TRY(ncc_sources_add_lost(sources, reason, index));
    goto cleanup;
  }
  for (int d = 0; d < set->rank; d++) source.shape[d] = (int64_t)set->shape[d];
  NCC_TRY(set->layout == H5D_VIRTUAL ? describe_virtual(w, set, &source) : describe_stored(w, set, &source));
  NCC_TRY(ncc_list_grow(&sources->items, sources->count + 1, &sources->capacity, sizeof *sources->items,
                        "sources of datasets"));
  sources->items[sources->count] = source;
  source.text = NULL;
  *index = (int32_t)sources->count++;
cleanup:
  free(source.text);
  ncc_h5_close(&id);
  return status;
}

static void free_known(void *node) {
  free(((known *)node)->key);
  free(node);
}

ncc_status ncc_sources_add(ncc_sources *sources, const ncc_h5_dataset *set, int32_t file, const char *name,
                           const ncc_element *element, int32_t *index) {
  void *tree = NULL;
  walk w = {.sources = sources, .element = element, .known = &tree};
  ncc_status status = add_set(&w, set, file, name, index);
  tdestroy(tree, free_known);
  return status;
}

ncc_status ncc_h5_read_all(const ncc_h5_dataset *set, const char *path, const char *label, hid_t type, size_t size,
                           void *out) {
  ncc_status status = NCC_OK;
  const ncc_element element = {.type = type, .size = (int32_t)size, .dtype = NCC_DTYPE_COUNT};
  ncc_sources sources;
  ncc_box box = {0};
  char name[NCC_NAME_BYTES];
  int32_t index;
  ncc_sources_init(&sources);
  for (int d = 0; d < set->rank; d++) {
    if (set->shape[d] == 0) return NCC_OK;
    if (d < NCC_SOURCE_RANK) box.n[d] = (int64_t)set->shape[d];
  }
  NCC_TRY(ncc_raw_files_add_open(&sources.files, path, &index));
  sources.input = H5Iget_file_id(set->id);
  if (H5Fget_name(sources.input, name, sizeof name) < 0 || strcmp(name, path) != 0) ncc_h5_close(&sources.input);
  NCC_TRY(ncc_sources_add(&sources, set, index, label, &element, &index));
  NCC_TRY(ncc_sources_read(&sources, index, &element, &box, out));
cleanup:
  if (status == NCC_ERR_UNREADABLE) {
    ncc_error_prefix("%s: %s: cannot be read", path, label);
    status = NCC_ERR_INPUT;
  }
  ncc_sources_clear(&sources);
  return status;
}
