/** Reading by sources, whatever they are made of. See sources.h; how they are found is in resolve.c. */
#include "io/base/sources.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "base/buffer.h"

static const int64_t default_chunk_bytes = 256 << 20;

/* ---- what there is ---------------------------------------------------------------------------------------------- */

void ncc_sources_init(ncc_sources *sources) {
  *sources = (ncc_sources){.input = -1, .chunk_bytes = default_chunk_bytes};
  for (int i = 0; i < NCC_OPEN_DATASETS; i++) sources->open[i] = (ncc_open_dataset){.file = -1, .id = -1};
}

void ncc_sources_close_datasets(ncc_sources *sources) {
  for (int i = 0; i < NCC_OPEN_DATASETS; i++) {
    ncc_h5_close(&sources->open[i].id);
    ncc_h5_close(&sources->open[i].file);
  }
}

void ncc_sources_clear(ncc_sources *sources) {
  ncc_sources_close_datasets(sources);
  ncc_h5_close(&sources->input);
  for (int64_t i = 0; i < sources->count; i++) free(sources->items[i].text);
  free(sources->items);
  free(sources->parts);
  free(sources->pieces);
  ncc_raw_files_clear(&sources->files);
  ncc_sources_init(sources);
}

ncc_status ncc_sources_add_lost(ncc_sources *sources, const char *reason, int32_t *index) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&sources->items, sources->count + 1, &sources->capacity, sizeof *sources->items,
                        "sources of datasets"));
  ncc_source *source = &sources->items[sources->count];
  *source = (ncc_source){.kind = NCC_SOURCE_LOST, .text = strdup(reason)};
  NCC_CHECK(source->text, NCC_ERR_NOMEM, "no memory for a source of a dataset");
  *index = (int32_t)sources->count++;
cleanup:
  return status;
}

int64_t ncc_sources_lost(const ncc_sources *sources, const char **first) {
  int64_t n = 0;
  *first = NULL;
  for (int64_t i = 0; i < sources->count; i++) {
    if (sources->items[i].kind != NCC_SOURCE_LOST) continue;
    if (n++ == 0) *first = sources->items[i].text;
  }
  return n;
}

/* ---- by HDF5 ------------------------------------------------------------------------------------------------------
 */

/** Where a chunk spans several planes of a stack, room for all chunks of a plane, so that reading plane after plane
 *  inflates each chunk once; where parts of planes are read, room for the chunks that neighbours share.
 *  @return -1 where HDF5's default will do. */
static hid_t chunk_cache(int64_t chunk_bytes, bool in_parts, hid_t dataset) {
  hsize_t chunk[3] = {1}, shape[3] = {1};
  hid_t access = -1, space = -1, type = -1, properties = H5Dget_create_plist(dataset);
  space = H5Dget_space(dataset);
  type = H5Dget_type(dataset);
  const int rank = space < 0 ? 0 : H5Sget_simple_extent_ndims(space), last = 3 - rank;
  if (properties < 0 || type < 0 || (rank != 2 && rank != 3) || H5Pget_layout(properties) != H5D_CHUNKED ||
      H5Pget_chunk(properties, rank, chunk + last) != rank ||
      H5Sget_simple_extent_dims(space, shape + last, NULL) != rank)
    goto cleanup;
  double bytes = (double)((shape[1] + chunk[1] - 1) / chunk[1]) * (double)((shape[2] + chunk[2] - 1) / chunk[2]) *
                 (double)chunk[0] * (double)chunk[1] * (double)chunk[2] * (double)H5Tget_size(type);
  if (!in_parts && (chunk[0] < 2 || bytes > (double)chunk_bytes)) goto cleanup;
  access = H5Pcreate(H5P_DATASET_ACCESS);
  if (access >= 0)
    H5Pset_chunk_cache(access, 10007, (size_t)fmin(bytes, (double)chunk_bytes) + 1, in_parts ? 0.75 : 1.0);
cleanup:
  ncc_h5_close(&type);
  ncc_h5_close(&space);
  ncc_h5_close(&properties);
  return access;
}

/** The file of an index, opened if need be. @param[out] file  to be closed. */
static ncc_status open_file(ncc_sources *sources, int32_t index, hid_t *file) {
  const char *path = sources->files.items[index].path;
  ncc_status status = NCC_OK;
  hid_t known = index == 0 ? sources->input : -1;
  for (int i = 0; i < NCC_OPEN_DATASETS && known < 0; i++) {
    const ncc_open_dataset *open = &sources->open[i];
    if (open->id >= 0 && sources->items[open->source].file == index) known = open->file;
  }
  if (known < 0) {
    NCC_TRY(ncc_h5_open_file(path, file));
    if (index == 0) sources->input = known = *file;
  }
  if (known >= 0) {
    *file = known;
    NCC_CHECK_H5(H5Iinc_ref(known) >= 0, NCC_ERR_INTERNAL, "%s: cannot be held", path);
  }
cleanup:
  return status;
}

/** A source's dataset, opened if need be; borrowed. */
static ncc_status open_dataset(ncc_sources *sources, int32_t index, hid_t *out) {
  ncc_status status = NCC_OK;
  const ncc_source *source = &sources->items[index];
  ncc_open_dataset *slot = &sources->open[0];
  ncc_h5_dataset set = {.id = -1, .type = -1};
  hid_t access = -1, file = -1;
  for (int i = 0; i < NCC_OPEN_DATASETS; i++) {
    ncc_open_dataset *open = &sources->open[i];
    if (open->id >= 0 && open->source == index) {
      open->used = ++sources->clock;
      *out = open->id;
      return NCC_OK;
    }
    if (slot->id >= 0 && (open->id < 0 || open->used < slot->used)) slot = open;
  }
  ncc_h5_close(&slot->id);
  ncc_h5_close(&slot->file);
  NCC_TRY(open_file(sources, source->file, &file));
  NCC_TRY(ncc_h5_dataset_open(file, source->text, sources->files.items[source->file].path, source->text, &set));
  if ((access = chunk_cache(sources->chunk_bytes, sources->in_parts, set.id)) >= 0) {
    ncc_h5_close(&set.id);
    set.id = H5Dopen2(file, source->text, access);
    NCC_CHECK_H5(set.id >= 0, NCC_ERR_INPUT, "%s: %s: cannot be opened again", sources->files.items[source->file].path,
                 source->text);
  }
  *slot = (ncc_open_dataset){.source = index, .file = file, .id = set.id, .used = ++sources->clock};
  *out = set.id;
  file = set.id = -1;
cleanup:
  ncc_h5_close(&access);
  ncc_h5_dataset_close(&set);
  ncc_h5_close(&file);
  return status;
}

ncc_status ncc_sources_try(ncc_sources *sources, int32_t index) {
  hid_t dataset;
  return sources->items[index].kind == NCC_SOURCE_HDF5 ? open_dataset(sources, index, &dataset) : NCC_OK;
}

/** HDF5 takes what lies beyond the end of a file for zeros: to be called after it has read. */
static ncc_status check_still_whole(const ncc_sources *sources, const ncc_source *source, hid_t dataset) {
  ncc_status status = NCC_OK;
  void *descriptor = NULL;
  struct stat info;
  const ncc_raw_file *holder = &sources->files.items[source->holder];
  hid_t file = H5Iget_file_id(dataset);
  NCC_CHECK_H5(file >= 0 && H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) >= 0, NCC_ERR_UNREADABLE,
               "%s: its length cannot be found", holder->path);
  NCC_CHECK(fstat(*(int *)descriptor, &info) == 0, NCC_ERR_UNREADABLE, "%s: cannot be inspected: %s", holder->path,
            strerror(errno));
  NCC_CHECK(info.st_size >= holder->size_bytes, NCC_ERR_UNREADABLE, "%s: has shrunk to %lld bytes, expected %lld",
            holder->path, (long long)info.st_size, (long long)holder->size_bytes);
  for (int64_t i = 0; i < source->count; i++) {
    const ncc_piece *piece = &sources->pieces[source->first + i];
    const char *path = sources->files.items[piece->file].path;
    const int64_t end = piece->offset + piece->end - piece->start;
    NCC_CHECK(stat(path, &info) == 0, NCC_ERR_UNREADABLE, "%s: cannot be inspected: %s", path, strerror(errno));
    NCC_CHECK(info.st_size >= end, NCC_ERR_UNREADABLE, "%s: ends at byte %lld, expected %lld", path,
              (long long)info.st_size, (long long)end);
  }
cleanup:
  ncc_h5_close(&file);
  return status;
}

/** Numbers in the other byte order are read as they are stored: HDF5's own conversion takes as long as reading them
 *  from the system's cache. */
static ncc_status read_by_hdf5(ncc_sources *sources, int32_t index, const ncc_element *element, const ncc_box *box,
                               void *out) {
  ncc_status status = NCC_OK;
  const ncc_source *source = &sources->items[index];
  const bool swapped = element->pixels && source->order == NCC_STORED_SWAPPED;
  hid_t dataset, space = -1, memory = -1, type = -1;
  hsize_t start[NCC_SOURCE_RANK], extent[NCC_SOURCE_RANK];
  int64_t n = 1;
  for (int d = 0; d < source->rank; d++) {
    start[d] = (hsize_t)box->at[d];
    extent[d] = (hsize_t)box->n[d];
    n *= box->n[d];
  }
  if (open_dataset(sources, index, &dataset) != NCC_OK) return NCC_ERR_UNREADABLE;
  space = H5Dget_space(dataset);
  memory = H5Screate_simple(source->rank, extent, NULL);
  if (swapped) type = H5Dget_type(dataset);
  NCC_CHECK_H5(space >= 0 && memory >= 0 &&
                   H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
                   H5Dread(dataset, swapped ? type : element->type, memory, space, H5P_DEFAULT, out) >= 0,
               NCC_ERR_UNREADABLE, "%s: %s", sources->files.items[source->file].path, source->text);
  NCC_TRY(check_still_whole(sources, source, dataset));
  if (swapped) ncc_swap(out, n, (size_t)source->size);
  sources->hdf5_bytes_read += n * source->size;
cleanup:
  ncc_h5_close(&type);
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  return status;
}

/* ---- from pieces of files ---------------------------------------------------------------------------------------- */

/** Bytes [at, at + n) of a dataset, across its pieces. */
static ncc_status read_bytes(ncc_sources *sources, const ncc_source *source, int64_t at, int64_t n, char *out) {
  ncc_status status = NCC_OK;
  const ncc_piece *pieces = sources->pieces + source->first;
  for (int64_t i = 0; i < source->count && n > 0; i++) {
    if (pieces[i].end <= at) continue;
    const int64_t bytes = ncc_min(n, pieces[i].end - at);
    const ncc_raw_rect rect = {pieces[i].file, pieces[i].offset + at - pieces[i].start, 1, bytes, bytes, 0};
    NCC_TRY(ncc_raw_read(&sources->files, &rect, out));
    at += bytes;
    out += bytes;
    n -= bytes;
  }
  NCC_CHECK(n == 0, NCC_ERR_UNREADABLE, "pieces of files hold %lld bytes too few", (long long)n);
cleanup:
  return status;
}

static ncc_status read_raw(ncc_sources *sources, const ncc_source *source, const ncc_box *box, char *out) {
  ncc_status status = NCC_OK;
  const int last = source->rank - 1, before = last - 1;
  const int64_t size = source->size, row_bytes = box->n[last] * size, step = source->shape[last] * size;
  const int64_t rows = before >= 0 ? box->n[before] : 1;
  const bool swapped = source->order == NCC_STORED_SWAPPED;
  int64_t at[NCC_SOURCE_RANK], n_planes = 1;
  memcpy(at, box->at, sizeof at);
  for (int d = 0; d < before; d++) n_planes *= box->n[d];
  for (int64_t plane = 0; plane < n_planes; plane++) {
    int64_t element = 0;
    for (int d = 0; d <= last; d++) element = element * source->shape[d] + at[d];
    if (source->count == 1) {
      const ncc_piece *piece = &sources->pieces[source->first];
      const ncc_raw_rect rect = {piece->file, piece->offset + element * size, rows, row_bytes,
                                 step,        swapped ? (int)size : 0};
      NCC_TRY(ncc_raw_read(&sources->files, &rect, out));
    } else {
      for (int64_t y = 0; y < rows; y++)
        NCC_TRY(read_bytes(sources, source, element * size + y * step, row_bytes, out + y * row_bytes));
      if (swapped) ncc_swap(out, rows * box->n[last], (size_t)size);
    }
    out += rows * row_bytes;
    for (int d = before - 1; d >= 0 && ++at[d] == box->at[d] + box->n[d]; d--) at[d] = box->at[d];
  }
cleanup:
  return status;
}

/* ---- by parts ---------------------------------------------------------------------------------------------------- */

static int64_t index_of(const ncc_indices *indices, int64_t k) {
  return indices->start + k / indices->block * indices->step + k % indices->block;
}

/** How many of n indices lie before x. */
static int64_t count_before(const ncc_indices *indices, int64_t n, int64_t x) {
  const int64_t distance = x - indices->start;
  if (distance <= 0) return 0;
  return ncc_min(n, distance / indices->step * indices->block + ncc_min(distance % indices->step, indices->block));
}

/** Which of a part's indices meet a box, and the box of the source that holds what stands there. */
typedef struct meeting {
  int64_t first[NCC_VIRTUAL_RANK], end[NCC_VIRTUAL_RANK];
  ncc_box from;
  bool whole; /* all of the box, and nothing else is in `from` */
} meeting;

/** @return whether they meet at all. */
static bool meet(const ncc_part *part, int rank, const ncc_box *box, meeting *m) {
  m->whole = true;
  for (int d = 0; d < rank; d++) {
    m->from.at[d] = part->base[d];
    m->from.n[d] = 1;
  }
  for (int d = 0; d < NCC_VIRTUAL_RANK; d++) {
    m->first[d] = count_before(&part->to[d], part->n[d], box->at[d]);
    m->end[d] = count_before(&part->to[d], part->n[d], box->at[d] + box->n[d]);
    const int64_t n = m->end[d] - m->first[d];
    if (n <= 0) return false;
    m->whole = m->whole && n == box->n[d];
    if (part->axis[d] < 0) continue;
    const int64_t low = index_of(&part->from[d], m->first[d]), high = index_of(&part->from[d], m->end[d] - 1);
    m->from.at[part->axis[d]] = low;
    m->from.n[part->axis[d]] = high + 1 - low;
    m->whole = m->whole && high + 1 - low == n;
  }
  return true;
}

/** Whether indices first .. end - 1 follow each other without gaps. */
static bool is_run(const ncc_indices *indices, int64_t first, int64_t end) {
  return index_of(indices, end - 1) - index_of(indices, first) == end - 1 - first;
}

/** Puts the elements of a part where they belong, by runs along the last direction where it can. */
static void scatter(const ncc_part *part, const meeting *m, int rank, const ncc_box *box, size_t size, const char *from,
                    char *to) {
  int64_t stride[NCC_VIRTUAL_RANK], k[NCC_VIRTUAL_RANK], run = 1;
  for (int d = 0; d < NCC_VIRTUAL_RANK; d++) {
    stride[d] = part->axis[d] < 0 ? 0 : 1;
    for (int e = part->axis[d] + 1; e < rank && stride[d]; e++) stride[d] *= m->from.n[e];
  }
  if (stride[2] == 1 && is_run(&part->to[2], m->first[2], m->end[2]) && is_run(&part->from[2], m->first[2], m->end[2]))
    run = m->end[2] - m->first[2];
  for (k[0] = m->first[0]; k[0] < m->end[0]; k[0]++)
    for (k[1] = m->first[1]; k[1] < m->end[1]; k[1]++)
      for (k[2] = m->first[2]; k[2] < m->end[2]; k[2] += run) {
        int64_t source = 0, target = 0;
        for (int d = 0; d < NCC_VIRTUAL_RANK; d++) {
          if (stride[d]) source += (index_of(&part->from[d], k[d]) - m->from.at[part->axis[d]]) * stride[d];
          target = target * box->n[d] + index_of(&part->to[d], k[d]) - box->at[d];
        }
        memcpy(to + (size_t)target * size, from + (size_t)source * size, (size_t)run * size);
      }
}

static ncc_status read_part(ncc_sources *sources, const ncc_part *part, const ncc_element *element, const ncc_box *box,
                            const meeting *m, char *out) {
  ncc_status status = NCC_OK;
  const int rank = sources->items[part->source].rank;
  const size_t size = (size_t)element->size;
  if (m->whole) return ncc_sources_read(sources, part->source, element, &m->from, out);
  size_t bytes = size;
  for (int d = 0; d < rank; d++) bytes *= (size_t)m->from.n[d];
  char *elements = malloc(bytes);
  NCC_CHECK(elements, NCC_ERR_NOMEM, "no memory for %zu bytes of a virtual dataset", bytes);
  NCC_TRY(ncc_sources_read(sources, part->source, element, &m->from, elements));
  scatter(part, m, rank, box, size, elements, out);
cleanup:
  free(elements);
  return status;
}

/** The first part that may reach x along the first direction; they are sorted by where they start. */
static int64_t first_reaching(const ncc_part *parts, int64_t n, int64_t x) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (parts[middle].reach > x)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static void fill(const ncc_source *source, size_t size, const ncc_box *box, char *out) {
  size_t n = (size_t)(box->n[0] * box->n[1] * box->n[2]);
  if (size > sizeof source->fill) {
    memset(out, 0, n * size);
    return;
  }
  for (size_t i = 0; i < n; i++) memcpy(out + i * size, source->fill, size);
}

static ncc_status read_virtual(ncc_sources *sources, int32_t index, const ncc_element *element, const ncc_box *box_in,
                               char *out) {
  ncc_status status = NCC_OK;
  const ncc_source *source = &sources->items[index];
  const ncc_part *parts = sources->parts + source->first;
  const int missing = NCC_VIRTUAL_RANK - source->rank;
  ncc_box box = {.at = {0}, .n = {1, 1, 1}};
  bool covered = false;
  meeting m;
  for (int d = 0; d < source->rank; d++) {
    box.at[missing + d] = box_in->at[d];
    box.n[missing + d] = box_in->n[d];
  }
  const int64_t begin = first_reaching(parts, source->count, box.at[0]), end = box.at[0] + box.n[0];
  for (int64_t i = begin; i < source->count && parts[i].to[0].start < end && !covered; i++) {
    int64_t n = 1;
    if (!meet(&parts[i], sources->items[parts[i].source].rank, &box, &m)) continue;
    for (int d = 0; d < NCC_VIRTUAL_RANK; d++) n *= m.end[d] - m.first[d];
    covered = n == box.n[0] * box.n[1] * box.n[2];
  }
  if (!covered) fill(source, (size_t)element->size, &box, out);
  for (int64_t i = begin; i < source->count && parts[i].to[0].start < end; i++)
    if (meet(&parts[i], sources->items[parts[i].source].rank, &box, &m))
      NCC_TRY(read_part(sources, &parts[i], element, &box, &m, out));
cleanup:
  return status;
}

ncc_status ncc_sources_read(ncc_sources *sources, int32_t index, const ncc_element *element, const ncc_box *box,
                            void *out) {
  ncc_status status = NCC_OK;
  const ncc_source *source = &sources->items[index];
  NCC_CHECK(source->kind != NCC_SOURCE_LOST, NCC_ERR_UNREADABLE, "%s", source->text);
  for (int d = 0; d < source->rank; d++)
    NCC_CHECK(box->at[d] >= 0 && box->at[d] + box->n[d] <= source->shape[d], NCC_ERR_UNREADABLE,
              "%s: %s: %lld found along direction %d, expected at least %lld", sources->files.items[source->file].path,
              source->text ? source->text : "dataset", (long long)source->shape[d], d,
              (long long)(box->at[d] + box->n[d]));
  switch (source->kind) {
    case NCC_SOURCE_RAW:
      return read_raw(sources, source, box, out);
    case NCC_SOURCE_VIRTUAL:
      return read_virtual(sources, index, element, box, out);
    default:
      return read_by_hdf5(sources, index, element, box, out);
  }
cleanup:
  return status;
}
