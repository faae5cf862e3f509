/** Datasets of HDF5 files. Chunks whose filters are known here are taken from HDF5 as they are stored, and decoded
 *  outside of the lock under which HDF5 works; all else it reads itself, by io/base/sources.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "io/base/sources.h"
#include "io/volume/format.h"

typedef struct hdf5_array {
  ncc_sources sources; /* where HDF5 reads by itself */
  int32_t index;
  char *path;         /* of the file that holds the dataset */
  int64_t size_bytes; /* when it was opened */
  hid_t file, dataset;
  bool fill_known;
} hdf5_array;

static void hdf5_close(ncc_volume *v) {
  hdf5_array *h = v->own;
  if (!h) return;
  ncc_h5_lock();
  ncc_h5_close(&h->dataset);
  ncc_h5_close(&h->file);
  ncc_sources_clear(&h->sources);
  ncc_h5_unlock();
  free(h->path);
  free(h);
}

/* ---- chunks as they are stored -------------------------------------------------------------------------------------
 */

/** Beyond the end of a file that was cut short HDF5 finds zeros. */
static ncc_status check_whole(const hdf5_array *h) {
  struct stat info;
  if (stat(h->path, &info) == 0 && info.st_size >= h->size_bytes) return NCC_OK;
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: has shrunk since it was opened, or is gone", h->path);
}

/** Asked for only where a chunk is absent: HDF5 1.10 crashes on fill values that are damaged. HDF5 is locked. */
static ncc_status find_fill(ncc_volume *v) {
  ncc_status status = NCC_OK;
  hdf5_array *h = v->own;
  H5D_fill_value_t defined = H5D_FILL_VALUE_ERROR;
  if (h->fill_known) return NCC_OK;
  hid_t properties = H5Dget_create_plist(h->dataset);
  NCC_CHECK_H5(properties >= 0 && H5Pfill_value_defined(properties, &defined) >= 0 &&
                   (defined != H5D_FILL_VALUE_USER_DEFINED ||
                    H5Pget_fill_value(properties, ncc_h5_pixel_type(v->dtype), v->fill) >= 0),
               NCC_ERR_UNREADABLE, "%s", v->path);
  h->fill_known = true;
cleanup:
  ncc_h5_close(&properties);
  return status;
}

/** Bytes that a chunk takes as it is stored, 0 where it was never written: which HDF5 1.10 calls an error, and tells
 * from others only by a walk over all chunks. HDF5 is locked. */
static ncc_status find_bytes(const ncc_volume *v, const hsize_t *offset, hsize_t *bytes) {
  ncc_status status = NCC_OK;
  const hdf5_array *h = v->own;
  bool absent = false;
  if (H5Dget_chunk_storage_size(h->dataset, offset, bytes) >= 0) return NCC_OK;
#if H5_VERSION_GE(1, 10, 5)
  haddr_t address = 0;
  unsigned mask;
  absent = H5Dget_chunk_info_by_coord(h->dataset, offset, &mask, &address, bytes) >= 0 && address == HADDR_UNDEF;
#endif
  NCC_CHECK_H5(absent, NCC_ERR_UNREADABLE, "%s", v->path);
  *bytes = 0;
cleanup:
  return status;
}

static ncc_status fetch(ncc_volume *v, const int64_t *at, ncc_volume_work *work, bool *absent, uint32_t *mask) {
  ncc_status status = NCC_OK;
  const hdf5_array *h = v->own;
  hsize_t offset[NCC_VOLUME_RANK], bytes = 0;
  for (int d = 0; d < v->rank; d++) offset[d] = (hsize_t)(at[d] * v->chunk[d]);
  ncc_h5_lock();
  NCC_TRY(find_bytes(v, offset, &bytes));
  *absent = bytes == 0;
  if (*absent) {
    NCC_TRY(find_fill(v));
    goto cleanup;
  }
  NCC_CHECK((int64_t)bytes <= h->size_bytes, NCC_ERR_UNREADABLE, "%s: a chunk of %llu bytes in a file of %" PRId64,
            v->path, (unsigned long long)bytes, h->size_bytes);
  NCC_TRY(ncc_volume_work_in(work, (int64_t)bytes));
  NCC_CHECK_H5(H5Dread_chunk(h->dataset, H5P_DEFAULT, offset, mask, work->in) >= 0, NCC_ERR_UNREADABLE, "%s", v->path);
  v->bytes_read += (long long)bytes;
cleanup:
  ncc_h5_unlock();
  return status;
}

static ncc_status hdf5_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  ncc_volume as_filtered = {.path = v->path, .rank = v->rank, .dtype = v->dtype, .swapped = v->swapped};
  uint32_t mask = 0;
  NCC_TRY(fetch(v, at, work, &chunk->absent, &mask));
  NCC_TRY(check_whole(v->own));
  if (chunk->absent) goto cleanup;
  for (int i = 0; i < v->codecs.n; i++) /* filters may have been left out of single chunks */
    if (!(mask >> i & 1)) as_filtered.codecs.items[as_filtered.codecs.n++] = v->codecs.items[i];
  status = ncc_volume_decode(&as_filtered, work, chunk);
  if (status == NCC_ERR_UNREADABLE) ncc_error_prefix("%s", v->path);
cleanup:
  return status;
}

/** The codec of a filter. @return false where it is none that is known here. */
static bool codec_of(H5Z_filter_t filter, size_t n, const unsigned *values, int size, ncc_codec *out) {
  *out = (ncc_codec){.size = size};
  switch (filter) {
    case H5Z_FILTER_DEFLATE:
      return out->kind = NCC_CODEC_DEFLATE, true;
    case H5Z_FILTER_SHUFFLE:
      return out->kind = NCC_CODEC_SHUFFLE, true;
    case 32000:
      return out->kind = NCC_CODEC_LZF, true;
    case 32001:
      return out->kind = NCC_CODEC_BLOSC, true;
    case 32004:
      return out->kind = NCC_CODEC_LZ4_BLOCKS, true;
    case 32015:
      return out->kind = NCC_CODEC_ZSTD, true;
    case 32008:
      if (n < 3 || values[2] != (unsigned)size || (n > 3 && values[3] > 1 << 24)) return false;
      out->block = n > 3 ? (int)values[3] : 0;
      out->kind = n > 4 && values[4] == 2   ? NCC_CODEC_BITSHUFFLE_LZ4
                  : n > 4 && values[4] == 3 ? NCC_CODEC_BITSHUFFLE_ZSTD
                                            : NCC_CODEC_BITSHUFFLE;
      return n <= 4 || values[4] == 0 || values[4] == 2 || values[4] == 3;
    default:
      return false;
  }
}

/** Whether the dataset is in chunks that are decoded here; fills chunks and codecs then. */
static bool take_chunks(ncc_volume *v, hid_t dataset) {
  H5D_fill_value_t defined;
  hsize_t chunk[NCC_VOLUME_RANK];
  bool known = false, packed = false;
  hid_t properties = H5Dget_create_plist(dataset);
  if (properties < 0 || H5Pget_layout(properties) != H5D_CHUNKED ||
      H5Pget_chunk(properties, v->rank, chunk) != v->rank || H5Pfill_value_defined(properties, &defined) < 0 ||
      defined == H5D_FILL_VALUE_UNDEFINED)
    goto cleanup;
  const int n = H5Pget_nfilters(properties);
  known = n > 0 && n <= NCC_CODEC_MOST;
  for (int i = 0; i < n && known; i++) {
    unsigned flags, config, values[16] = {0};
    size_t n_values = 16;
    ncc_codec codec;
    const H5Z_filter_t filter = H5Pget_filter2(properties, (unsigned)i, &flags, &n_values, values, 0, NULL, &config);
    known = codec_of(filter, ncc_min((int64_t)n_values, 16), values, (int)ncc_dtype_size(v->dtype), &codec) &&
            ncc_codecs_add(&v->codecs, codec) == NCC_OK;
    packed = packed || codec.kind != NCC_CODEC_SHUFFLE;
  }
  known = known && packed; /* what is not packed would not tell damage */
  for (int d = 0; d < v->rank && known; d++) v->chunk[d] = (int64_t)chunk[d];
cleanup:
  if (!known) v->codecs.n = 0;
  ncc_h5_close(&properties);
  return known;
}

/* ---- by HDF5 -------------------------------------------------------------------------------------------------------
 */

static ncc_status read_box(ncc_volume *v, const ncc_box *box, void *out) {
  hdf5_array *h = v->own;
  const ncc_element element = {ncc_h5_pixel_type(v->dtype), (int32_t)ncc_dtype_size(v->dtype), true, v->dtype};
  int64_t n = element.size;
  for (int d = 0; d < v->rank; d++) n *= box->n[d];
  ncc_h5_lock();
  const ncc_status status = ncc_sources_read(&h->sources, h->index, &element, box, out);
  ncc_h5_unlock();
  if (status == NCC_OK) v->bytes_read += n;
  return status;
}

static ncc_status hdf5_read(ncc_volume *v, const int64_t *at, int row_axis, int64_t rows, int64_t cols, void *out) {
  ncc_box box;
  for (int d = 0; d < v->rank; d++) {
    box.at[d] = at[d];
    box.n[d] = d == row_axis ? rows : d == v->rank - 1 ? cols : 1;
  }
  return read_box(v, &box, out);
}

static ncc_status hdf5_load_box(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_box box;
  (void)work;
  for (int d = 0; d < v->rank; d++) {
    box.at[d] = at[d] * v->chunk[d];
    box.n[d] = chunk->n[d] = ncc_min(v->chunk[d], v->shape[d] - box.at[d]);
  }
  return read_box(v, &box, chunk->data);
}

static ncc_status take_source(ncc_volume *v, hid_t file, const char *path, const char *inner) {
  ncc_status status = NCC_OK;
  hdf5_array *h = v->own;
  ncc_h5_dataset set = {.id = -1, .type = -1};
  int32_t index;
  const ncc_element element = {ncc_h5_pixel_type(v->dtype), (int32_t)ncc_dtype_size(v->dtype), true, v->dtype};
  NCC_TRY(ncc_raw_files_add(&h->sources.files, path, &index));
  NCC_TRY(ncc_h5_dataset_open(file, inner, path, inner, &set));
  NCC_TRY(ncc_sources_add(&h->sources, &set, index, inner, &element, &h->index));
  const ncc_source *source = &h->sources.items[h->index];
  NCC_CHECK(source->kind != NCC_SOURCE_LOST, NCC_ERR_UNREADABLE, "%s", source->text);
  NCC_CHECK(v->rank <= NCC_SOURCE_RANK, NCC_ERR_UNREADABLE, "%s: %d dimensions found, expected at most %d", v->path,
            v->rank, NCC_SOURCE_RANK);
  int64_t bytes = element.size;
  for (int d = v->rank - 1; d >= 0; d--) { /* across the last axis it is read by blocks of at most 16 MB */
    v->chunk[d] = d < v->rank - 3 ? 1 : ncc_clamp(((int64_t)16 << 20) / bytes, 1, ncc_max(v->shape[d], 1));
    bytes *= v->chunk[d];
  }
cleanup:
  ncc_h5_dataset_close(&set);
  return status;
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

/** Shape and type of the dataset. */
static ncc_status describe(ncc_volume *v, hid_t type, const char *inner) {
  ncc_status status = NCC_OK;
  const hdf5_array *h = v->own;
  hsize_t shape[H5S_MAX_RANK];
  char words[NCC_H5_TEXT];
  hid_t space = H5Dget_space(h->dataset);
  const int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, shape, NULL);
  ncc_h5_type_text(type, words, sizeof words);
  NCC_CHECK(ncc_h5_pixel_dtype(type, &v->dtype), NCC_ERR_UNREADABLE,
            "%s: %s: %s found, expected pixels of 8, 16 or 32-bit integers or 16, 32 or 64-bit floats", h->path, inner,
            words);
  NCC_CHECK(rank >= 2 && rank <= NCC_VOLUME_RANK, NCC_ERR_UNREADABLE, "%s: %s: %d dimensions found, expected 2 to %d",
            h->path, inner, rank, NCC_VOLUME_RANK);
  v->rank = rank;
  for (int d = 0; d < rank; d++) v->shape[d] = (int64_t)ncc_min((int64_t)shape[d], INT64_MAX);
cleanup:
  ncc_h5_close(&space);
  return status;
}

static ncc_status open_locked(ncc_volume *v, const char *path, const char *inner) {
  static const ncc_volume_format chunks = {hdf5_load, NULL, hdf5_close}, boxes = {hdf5_load_box, hdf5_read, hdf5_close};
  ncc_status status = NCC_OK;
  char name[NCC_H5_TEXT * 16];
  hid_t type = -1, object = -1, holder = -1;
  struct stat info;
  v->format = &boxes;
  hdf5_array *h = v->own = calloc(1, sizeof *h);
  NCC_CHECK(h, NCC_ERR_NOMEM, "%s: no memory", path);
  h->file = h->dataset = -1;
  ncc_sources_init(&h->sources);
  NCC_TRY(ncc_h5_open_file(path, &h->file));
  NCC_CHECK(inner[0], NCC_ERR_UNREADABLE, "%s: an HDF5 file, expected a dataset's path behind its name", path);
  object = H5Oopen(h->file, inner, H5P_DEFAULT);
  NCC_CHECK_H5(object >= 0, NCC_ERR_UNREADABLE, "%s: %s: cannot be opened", path, inner);
  NCC_CHECK(H5Iget_type(object) == H5I_DATASET, NCC_ERR_UNREADABLE, "%s: %s: a group found, expected a dataset", path,
            inner);
  h->dataset = object;
  object = -1;
  holder = H5Iget_file_id(h->dataset); /* links may lead elsewhere */
  NCC_CHECK_H5(holder >= 0 && H5Fget_name(holder, name, sizeof name) >= 0, NCC_ERR_UNREADABLE, "%s: %s", path, inner);
  h->path = strdup(name);
  NCC_CHECK(h->path, NCC_ERR_NOMEM, "%s: no memory", path);
  h->size_bytes = stat(name, &info) == 0 ? info.st_size : 0;
  type = H5Dget_type(h->dataset);
  NCC_CHECK_H5(type >= 0, NCC_ERR_UNREADABLE, "%s: %s", path, inner);
  NCC_TRY(describe(v, type, inner));
  const ncc_stored_order order = ncc_h5_stored_order(type, v->dtype);
  if (order != NCC_STORED_OTHER && take_chunks(v, h->dataset)) {
    v->format = &chunks;
    v->swapped = order == NCC_STORED_SWAPPED;
  } else {
    NCC_TRY(take_source(v, h->file, path, inner));
    ncc_h5_close(&h->dataset);
    h->sources.input = h->file;
    h->file = -1;
  }
cleanup:
  ncc_h5_close(&holder);
  ncc_h5_close(&type);
  ncc_h5_close(&object);
  return status == NCC_ERR_INPUT ? NCC_ERR_UNREADABLE : status;
}

ncc_status ncc_hdf5_volume(ncc_volume *v, const char *path, const char *inner) {
  ncc_h5_lock();
  ncc_h5_silence();
  const ncc_status status = open_locked(v, path, inner);
  ncc_h5_unlock();
  return status;
}
