/** Zarr, format 2 (.zarray) and 3 (zarr.json), a file a chunk or, sharded, many chunks in a file. Absent chunks are the
 *  fill value, as the format has it. A group with `multiscales` (OME-Zarr) stands for its first level.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "io/codec/plain.h"
#include "io/volume/json.h"

enum { INDEX_ENTRY = 16, KEPT_SHARDS = 16 };
static const uint64_t no_entry = UINT64_MAX;

/** The index of a shard that was looked at. */
typedef struct shard {
  int64_t number; /* -1: none */
  bool absent;
  unsigned char *index; /* [entries][INDEX_ENTRY] */
  int64_t used;
} shard;

typedef struct zarr_array {
  char *folder;
  const char *prefix; /* of chunks' names: "" or "c/" */
  char mark;
  bool sharded, index_first, index_sum;
  int64_t inner[NCC_VOLUME_RANK]; /* chunks of a shard, by axis */
  int64_t entries;
  bool transposed;
  int order[NCC_VOLUME_RANK];
  pthread_mutex_t mutex;
  shard shards[KEPT_SHARDS];
  int64_t clock;
} zarr_array;

static void zarr_close(ncc_volume *v) {
  zarr_array *z = v->own;
  if (!z) return;
  for (int i = 0; i < KEPT_SHARDS; i++) free(z->shards[i].index);
  pthread_mutex_destroy(&z->mutex);
  free(z->folder);
  free(z);
}

/* ---- shards --------------------------------------------------------------------------------------------------------
 */

/** Reads the index of an open shard. */
static ncc_status read_index(ncc_volume *v, const char *path, int fd, int64_t size_bytes, unsigned char **out) {
  ncc_status status = NCC_OK;
  const zarr_array *z = v->own;
  const int64_t bytes = z->entries * INDEX_ENTRY, all = bytes + (z->index_sum ? 4 : 0);
  unsigned char *index = malloc((size_t)all);
  NCC_CHECK(index, NCC_ERR_NOMEM, "%s: no memory for an index of %" PRId64 " chunks", path, z->entries);
  NCC_CHECK(size_bytes >= all, NCC_ERR_UNREADABLE, "%s: a shard of %" PRId64 " bytes found, expected at least %" PRId64,
            path, size_bytes, all);
  NCC_TRY(ncc_volume_file_read(v, path, fd, z->index_first ? 0 : size_bytes - all, all, index));
  NCC_CHECK(!z->index_sum || ncc_crc32c(index, bytes) == ncc_le32(index + bytes), NCC_ERR_UNREADABLE,
            "%s: the shard's index has another checksum than it says", path);
  *out = index;
  index = NULL;
cleanup:
  free(index);
  return status;
}

/** Where an inner chunk lies. @param[out] absent  of the shard or of the chunk. */
static ncc_status find_in_shard(ncc_volume *v, const char *path, int fd, int64_t size_bytes, int64_t number,
                                int64_t entry, int64_t *offset, int64_t *bytes) {
  ncc_status status = NCC_OK;
  zarr_array *z = v->own;
  unsigned char *index = NULL;
  pthread_mutex_lock(&z->mutex);
  shard *s = &z->shards[0];
  for (int i = 0; i < KEPT_SHARDS; i++) {
    if (z->shards[i].number == number) {
      s = &z->shards[i];
      break;
    }
    if (z->shards[i].used < s->used) s = &z->shards[i];
  }
  if (s->number != number) {
    NCC_TRY(read_index(v, path, fd, size_bytes, &index));
    free(s->index);
    *s = (shard){.number = number, .index = index};
  }
  s->used = ++z->clock;
  const uint64_t at = ncc_le64(s->index + entry * INDEX_ENTRY), n = ncc_le64(s->index + entry * INDEX_ENTRY + 8);
  *offset = *bytes = -1;
  if (at == no_entry && n == no_entry) goto cleanup;
  NCC_CHECK(at <= (uint64_t)size_bytes && n <= (uint64_t)size_bytes - at, NCC_ERR_UNREADABLE,
            "%s: the shard's index has a chunk of %" PRIu64 " bytes at %" PRIu64 ", beyond its %" PRId64 " bytes", path,
            n, at, size_bytes);
  *offset = (int64_t)at;
  *bytes = (int64_t)n;
cleanup:
  pthread_mutex_unlock(&z->mutex);
  return status;
}

/** Reads the bytes of an inner chunk. `logical` are its indices among all chunks. */
static ncc_status read_from_shard(ncc_volume *v, const int64_t *logical, ncc_volume_work *work, bool *absent) {
  ncc_status status = NCC_OK;
  const zarr_array *z = v->own;
  int64_t outer[NCC_VOLUME_RANK], entry = 0, number = 0, size_bytes = 0, offset, bytes;
  char *path = NULL;
  int fd = -1;
  for (int d = 0; d < v->rank; d++) {
    outer[d] = logical[d] / z->inner[d];
    entry = entry * z->inner[d] + logical[d] % z->inner[d];
    const int64_t across = ncc_ceil_div(v->shape[v->axis[d]], v->chunk[v->axis[d]] * z->inner[d]);
    number = number * across + outer[d];
  }
  path = ncc_chunk_path(z->folder, z->prefix, z->mark, v->rank, false, outer);
  NCC_CHECK(path, NCC_ERR_NOMEM, "%s: no memory", v->path);
  NCC_TRY(ncc_volume_file_open(path, v->description, &fd, &size_bytes));
  *absent = fd < 0;
  if (*absent) goto cleanup;
  NCC_TRY(find_in_shard(v, path, fd, size_bytes, number, entry, &offset, &bytes));
  *absent = offset < 0;
  if (*absent) goto cleanup;
  NCC_TRY(ncc_volume_work_in(work, bytes));
  NCC_TRY(ncc_volume_file_read(v, path, fd, offset, bytes, work->in));
cleanup:
  if (fd >= 0) close(fd);
  free(path);
  return status;
}

static ncc_status zarr_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  const zarr_array *z = v->own;
  int64_t logical[NCC_VOLUME_RANK];
  char *path = NULL;
  for (int d = 0; d < v->rank; d++) logical[d] = at[v->axis[d]];
  if (z->sharded) {
    NCC_TRY(read_from_shard(v, logical, work, &chunk->absent));
  } else {
    path = ncc_chunk_path(z->folder, z->prefix, z->mark, v->rank, false, logical);
    NCC_TRY(ncc_chunk_file(v, path, work, &chunk->absent));
  }
  if (chunk->absent) goto cleanup;
  status = ncc_volume_decode(v, work, chunk);
  if (status != NCC_OK) ncc_error_prefix("%s, chunk %" PRId64 ",%" PRId64 ",...", v->path, logical[0], logical[1]);
cleanup:
  free(path);
  return status;
}

/* ---- what both formats have
 * ------------------------------------------------------------------------------------------ */

static ncc_status zarr_new(ncc_volume *v, const char *folder, const char *description, zarr_array **out) {
  static const ncc_volume_format format = {zarr_load, NULL, zarr_close};
  ncc_status status = NCC_OK;
  v->format = &format;
  zarr_array *z = *out = v->own = calloc(1, sizeof *z);
  NCC_CHECK(z, NCC_ERR_NOMEM, "%s: no memory", folder);
  pthread_mutex_init(&z->mutex, NULL);
  for (int i = 0; i < KEPT_SHARDS; i++) z->shards[i].number = -1;
  NCC_CHECK((z->folder = strdup(folder)) && asprintf(&v->description, "%s/%s", folder, description) >= 0, NCC_ERR_NOMEM,
            "%s: no memory", folder);
  z->prefix = "";
  z->mark = '.';
cleanup:
  return status;
}

/** Puts shape and chunks, which are by axis of the array, in the order in which they are stored. */
static void set_order(ncc_volume *v, const int64_t *shape, const int64_t *chunk) {
  const zarr_array *z = v->own;
  for (int k = 0; k < v->rank; k++) {
    const int d = z->transposed ? z->order[k] : k; /* stored axis k is axis d */
    v->axis[d] = k;
    v->shape[k] = shape[d];
    v->chunk[k] = chunk[d];
  }
}

/** NumPy's "<u2". */
static bool parse_typestr(const char *text, ncc_volume *v) {
  const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  if (!text || !*text || !strchr("<>|", *text)) return false;
  v->swapped = (*text == '<' && !little) || (*text == '>' && little);
  return ncc_volume_dtype(text + 1, &v->dtype);
}

/* ---- format 2 ------------------------------------------------------------------------------------------------------
 */

static ncc_status add_v2_codecs(ncc_volume *v, const json_t *meta) {
  ncc_status status = NCC_OK;
  const json_t *filters = json_object_get(meta, "filters"), *compressor = json_object_get(meta, "compressor");
  for (size_t i = 0; i < json_array_size(filters); i++) {
    const json_t *filter = json_array_get(filters, i);
    const char *id = ncc_json_string(filter, "id");
    const int64_t size = json_integer_value(json_object_get(filter, "elementsize"));
    NCC_CHECK(id && strcmp(id, "shuffle") == 0 && size >= 1 && size <= 255, NCC_ERR_UNREADABLE,
              "%s: filter '%.60s' found, expected none or shuffle", v->path, id ? id : "");
    NCC_TRY(ncc_volume_add_codec(v, (ncc_codec){.kind = NCC_CODEC_SHUFFLE, .size = (int)size}));
  }
  if (json_is_object(compressor)) NCC_TRY(ncc_codecs_add_named(v, ncc_json_string(compressor, "id")));
cleanup:
  return status;
}

static ncc_status open_v2(ncc_volume *v, const char *folder, const json_t *meta) {
  ncc_status status = NCC_OK;
  zarr_array *z;
  int64_t shape[NCC_VOLUME_RANK], chunk[NCC_VOLUME_RANK];
  NCC_TRY(zarr_new(v, folder, ".zarray", &z));
  const char *dtype = ncc_json_string(meta, "dtype"), *order = ncc_json_string(meta, "order"),
             *mark = ncc_json_string(meta, "dimension_separator");
  NCC_CHECK(parse_typestr(dtype, v), NCC_ERR_UNREADABLE,
            "%s: type '%.40s' found, expected pixels of 8, 16 or 32-bit integers or 16, 32 or 64-bit floats", folder,
            dtype ? dtype : "");
  NCC_CHECK(ncc_json_integers(meta, "shape", false, &v->rank, shape) &&
                ncc_json_integers(meta, "chunks", false, &v->rank, chunk),
            NCC_ERR_UNREADABLE, "%s/.zarray: no shape and chunks of up to %d dimensions found", folder,
            NCC_VOLUME_RANK);
  NCC_CHECK(!mark || strcmp(mark, ".") == 0 || strcmp(mark, "/") == 0, NCC_ERR_UNREADABLE,
            "%s/.zarray: dimension separator '%.20s' found, expected . or /", folder, mark);
  if (mark) z->mark = *mark;
  NCC_CHECK(order && (strcmp(order, "C") == 0 || strcmp(order, "F") == 0), NCC_ERR_UNREADABLE,
            "%s/.zarray: order '%.20s' found, expected C or F", folder, order ? order : "");
  z->transposed = *order == 'F';
  for (int k = 0; k < v->rank; k++) z->order[k] = v->rank - 1 - k;
  set_order(v, shape, chunk);
  NCC_TRY(add_v2_codecs(v, meta));
  NCC_TRY(ncc_json_fill(v, json_object_get(meta, "fill_value")));
cleanup:
  return status;
}

/* ---- format 3 ------------------------------------------------------------------------------------------------------
 */

static ncc_status take_order(ncc_volume *v, const json_t *configuration) {
  ncc_status status = NCC_OK;
  zarr_array *z = v->own;
  int64_t order[NCC_VOLUME_RANK];
  unsigned seen = 0;
  NCC_CHECK(ncc_json_integers(configuration, "order", false, &v->rank, order), NCC_ERR_UNREADABLE,
            "%s: transpose without an order of %d axes", v->path, v->rank);
  for (int k = 0; k < v->rank; k++) {
    if (order[k] < v->rank) seen |= 1U << order[k];
    z->order[k] = (int)order[k];
  }
  NCC_CHECK(seen == (1U << v->rank) - 1, NCC_ERR_UNREADABLE, "%s: transpose without an order of %d axes", v->path,
            v->rank);
  z->transposed = true;
cleanup:
  return status;
}

static ncc_status take_endian(ncc_volume *v, const json_t *configuration) {
  const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  const char *endian = ncc_json_string(configuration, "endian");
  if (!endian && ncc_dtype_size(v->dtype) > 1)
    return ncc_error_set(NCC_ERR_UNREADABLE, "%s: codec 'bytes' without a byte order", v->path);
  if (endian && strcmp(endian, "little") != 0 && strcmp(endian, "big") != 0)
    return ncc_error_set(NCC_ERR_UNREADABLE, "%s: byte order '%.20s' found, expected little or big", v->path, endian);
  v->swapped = endian && (*endian == 'l') != little;
  return NCC_OK;
}

/** The codecs of a shard's index: bytes in little-endian order, and perhaps a checksum. */
static ncc_status take_index_codecs(ncc_volume *v, const json_t *list) {
  ncc_status status = NCC_OK;
  zarr_array *z = v->own;
  bool bytes = false;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    const char *name = ncc_json_string(item, "name");
    const char *endian = ncc_json_string(json_object_get(item, "configuration"), "endian");
    NCC_CHECK(name && ((i == 0 && strcmp(name, "bytes") == 0 && endian && strcmp(endian, "little") == 0) ||
                       (i == 1 && strcmp(name, "crc32c") == 0)),
              NCC_ERR_UNREADABLE, "%s: index codec '%.40s' found, expected little-endian bytes, then crc32c", v->path,
              name ? name : "");
    bytes = true;
    z->index_sum = i == 1;
  }
  NCC_CHECK(bytes, NCC_ERR_UNREADABLE, "%s: a shard's index without codecs", v->path);
cleanup:
  return status;
}

static ncc_status take_codecs(ncc_volume *v, const json_t *list, int64_t *chunk, bool inside);

/** The chunks of a shard are the volume's chunks. */
static ncc_status take_shards(ncc_volume *v, const json_t *configuration, int64_t *chunk) {
  ncc_status status = NCC_OK;
  zarr_array *z = v->own;
  int64_t inner[NCC_VOLUME_RANK];
  const char *place = ncc_json_string(configuration, "index_location");
  NCC_CHECK(ncc_json_integers(configuration, "chunk_shape", false, &v->rank, inner), NCC_ERR_UNREADABLE,
            "%s: shards without a chunk shape of %d axes", v->path, v->rank);
  NCC_CHECK(!place || strcmp(place, "end") == 0 || strcmp(place, "start") == 0, NCC_ERR_UNREADABLE,
            "%s: index location '%.20s' found, expected start or end", v->path, place);
  z->sharded = true;
  z->index_first = place && *place == 's';
  z->entries = 1;
  for (int d = 0; d < v->rank; d++) {
    NCC_CHECK(inner[d] > 0 && chunk[d] > 0 && chunk[d] % inner[d] == 0, NCC_ERR_UNREADABLE,
              "%s: shards of %" PRId64 " along axis %d with chunks of %" PRId64 ", expected a multiple", v->path,
              chunk[d], d, inner[d]);
    z->inner[d] = chunk[d] / inner[d];
    chunk[d] = inner[d];
    NCC_CHECK(z->inner[d] <= (int64_t)1 << 26 && (z->entries *= z->inner[d]) <= (int64_t)1 << 26, NCC_ERR_UNREADABLE,
              "%s: more than 2^26 chunks in a shard", v->path);
  }
  NCC_TRY(take_index_codecs(v, json_object_get(configuration, "index_codecs")));
  NCC_TRY(take_codecs(v, json_object_get(configuration, "codecs"), chunk, true));
cleanup:
  return status;
}

static ncc_status take_codecs(ncc_volume *v, const json_t *list, int64_t *chunk, bool inside) {
  ncc_status status = NCC_OK;
  bool bytes = false;
  NCC_CHECK(json_array_size(list) > 0, NCC_ERR_UNREADABLE, "%s: no list of codecs found", v->path);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i), *configuration = json_object_get(item, "configuration");
    const char *name = json_is_string(item) ? json_string_value(item) : ncc_json_string(item, "name");
    NCC_CHECK(name, NCC_ERR_UNREADABLE, "%s: a codec without a name", v->path);
    if (strcmp(name, "transpose") == 0 && !bytes) {
      NCC_CHECK(i == 0, NCC_ERR_UNREADABLE, "%s: several transposes found, expected one", v->path);
      NCC_TRY(take_order(v, configuration));
    } else if (strcmp(name, "bytes") == 0 && !bytes) {
      NCC_TRY(take_endian(v, configuration));
      bytes = true;
    } else if (strcmp(name, "sharding_indexed") == 0 && !inside && i == 0 && json_array_size(list) == 1) {
      NCC_TRY(take_shards(v, configuration, chunk));
      bytes = true;
    } else {
      NCC_CHECK(bytes, NCC_ERR_UNREADABLE, "%s: codec '%.60s' found before 'bytes'", v->path, name);
      NCC_TRY(strcmp(name, "crc32c") == 0 ? ncc_volume_add_codec(v, (ncc_codec){.kind = NCC_CODEC_CRC32C})
                                          : ncc_codecs_add_named(v, name));
    }
  }
  NCC_CHECK(bytes, NCC_ERR_UNREADABLE, "%s: no codec 'bytes' found", v->path);
cleanup:
  return status;
}

static ncc_status take_keys(ncc_volume *v, const json_t *encoding) {
  zarr_array *z = v->own;
  const char *name = ncc_json_string(encoding, "name");
  const char *mark = ncc_json_string(json_object_get(encoding, "configuration"), "separator");
  const bool v2 = name && strcmp(name, "v2") == 0;
  if (!name || (!v2 && strcmp(name, "default") != 0) || (mark && strcmp(mark, ".") != 0 && strcmp(mark, "/") != 0))
    return ncc_error_set(NCC_ERR_UNREADABLE, "%s: chunk key encoding '%.40s' found, expected default or v2", v->path,
                         name ? name : "");
  z->mark = mark ? *mark : v2 ? '.' : '/';
  z->prefix = v2 ? "" : z->mark == '/' ? "c/" : "c.";
  return NCC_OK;
}

static ncc_status open_v3(ncc_volume *v, const char *folder, const json_t *meta) {
  ncc_status status = NCC_OK;
  zarr_array *z;
  int64_t shape[NCC_VOLUME_RANK], chunk[NCC_VOLUME_RANK];
  NCC_TRY(zarr_new(v, folder, "zarr.json", &z));
  const char *dtype = ncc_json_string(meta, "data_type");
  const json_t *grid = json_object_get(meta, "chunk_grid");
  const char *grid_name = ncc_json_string(grid, "name");
  NCC_CHECK(dtype && strlen(dtype) > 3 && ncc_volume_dtype(dtype, &v->dtype), NCC_ERR_UNREADABLE,
            "%s: type '%.40s' found, expected pixels of 8, 16 or 32-bit integers or 16, 32 or 64-bit floats", folder,
            dtype ? dtype : "");
  NCC_CHECK(grid_name && strcmp(grid_name, "regular") == 0, NCC_ERR_UNREADABLE,
            "%s: chunk grid '%.40s' found, expected a regular one", folder, grid_name ? grid_name : "");
  NCC_CHECK(ncc_json_integers(meta, "shape", false, &v->rank, shape) &&
                ncc_json_integers(json_object_get(grid, "configuration"), "chunk_shape", false, &v->rank, chunk),
            NCC_ERR_UNREADABLE, "%s/zarr.json: no shape and chunks of up to %d dimensions found", folder,
            NCC_VOLUME_RANK);
  NCC_CHECK(json_array_size(json_object_get(meta, "storage_transformers")) == 0, NCC_ERR_UNREADABLE,
            "%s: storage transformers found, expected none", folder);
  NCC_TRY(take_keys(v, json_object_get(meta, "chunk_key_encoding")));
  NCC_TRY(take_codecs(v, json_object_get(meta, "codecs"), chunk, false));
  set_order(v, shape, chunk);
  NCC_TRY(ncc_json_fill(v, json_object_get(meta, "fill_value")));
cleanup:
  return status;
}

/* ---- which
 * ----------------------------------------------------------------------------------------------------------- */

/** The first level of a group's `multiscales`, or NULL. */
static const char *first_level(const json_t *attributes) {
  const json_t *ome = json_object_get(attributes, "ome");
  const json_t *scales = json_object_get(ome ? ome : attributes, "multiscales");
  return ncc_json_string(json_array_get(json_object_get(json_array_get(scales, 0), "datasets"), 0), "path");
}

static ncc_status open_level(ncc_volume *v, const char *folder, const json_t *attributes, bool inside);

static ncc_status open_array(ncc_volume *v, const char *folder, bool inside) {
  ncc_status status = NCC_OK;
  json_t *meta = NULL;
  NCC_TRY(ncc_json_load(folder, "zarr.json", &meta));
  if (meta) {
    const char *type = ncc_json_string(meta, "node_type");
    NCC_TRY(type && strcmp(type, "array") == 0 ? open_v3(v, folder, meta)
                                               : open_level(v, folder, json_object_get(meta, "attributes"), inside));
    goto cleanup;
  }
  NCC_TRY(ncc_json_load(folder, ".zarray", &meta));
  if (meta) {
    NCC_TRY(open_v2(v, folder, meta));
    goto cleanup;
  }
  NCC_TRY(ncc_json_load(folder, ".zattrs", &meta));
  NCC_TRY(open_level(v, folder, meta, inside));
cleanup:
  json_decref(meta);
  return status;
}

static ncc_status open_level(ncc_volume *v, const char *folder, const json_t *attributes, bool inside) {
  ncc_status status = NCC_OK;
  char *path = NULL;
  const char *level = first_level(attributes);
  NCC_CHECK(level && !inside, NCC_ERR_UNREADABLE, "%s: a Zarr group found, expected an array (name one inside)",
            folder);
  NCC_CHECK(asprintf(&path, "%s/%s", folder, level) >= 0, NCC_ERR_NOMEM, "%s: no memory", folder);
  NCC_TRY(open_array(v, path, true));
cleanup:
  free(path);
  return status;
}

ncc_status ncc_zarr_volume(ncc_volume *v, const char *path) {
  return open_array(v, path, false);
}
