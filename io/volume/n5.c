/** N5: attributes.json and a file a block, each with a header of its own. Axes are reversed: N5's first is the fastest.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/codec/plain.h"
#include "io/volume/json.h"

static void n5_close(ncc_volume *v) {
  free(v->own);
}

/** Takes the header off a block, which may be cut short at the array's end. */
static ncc_status take_header(const ncc_volume *v, ncc_volume_work *work, ncc_volume_chunk *chunk, int64_t *skip) {
  ncc_status status = NCC_OK;
  const unsigned char *h = work->in;
  const int64_t bytes = 4 + 4 * (int64_t)v->rank;
  NCC_CHECK(work->in_bytes >= bytes, NCC_ERR_UNREADABLE, "a block of %" PRId64 " bytes found", work->in_bytes);
  const int mode = h[0] << 8 | h[1], rank = h[2] << 8 | h[3];
  NCC_CHECK((mode == 0 || mode == 1) && rank == v->rank, NCC_ERR_UNREADABLE,
            "a block of mode %d with %d dimensions found, expected mode 0 or 1 with %d", mode, rank, v->rank);
  for (int d = 0; d < rank; d++) {
    const int64_t n = ncc_be32(h + 4 + 4 * (rank - 1 - d));
    NCC_CHECK(n >= 1 && n <= v->chunk[d], NCC_ERR_UNREADABLE,
              "a block of %" PRId64 " along axis %d found, expected 1 to %" PRId64, n, d, v->chunk[d]);
    chunk->n[d] = n;
  }
  *skip = bytes + (mode == 1 ? 4 : 0);
  NCC_CHECK(work->in_bytes >= *skip, NCC_ERR_UNREADABLE, "a block of %" PRId64 " bytes found", work->in_bytes);
cleanup:
  return status;
}

static ncc_status n5_load(ncc_volume *v, const int64_t *at, ncc_volume_work *work, ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  int64_t skip = 0;
  char *path = ncc_chunk_path(v->own, "", '/', v->rank, true, at);
  NCC_TRY(ncc_chunk_file(v, path, work, &chunk->absent));
  if (chunk->absent) goto cleanup;
  status = take_header(v, work, chunk, &skip);
  if (status == NCC_OK) {
    work->in_bytes -= skip;
    memmove(work->in, work->in + skip, (size_t)work->in_bytes);
    status = ncc_volume_decode(v, work, chunk);
  }
  if (status == NCC_ERR_UNREADABLE) ncc_error_prefix("%s", path);
cleanup:
  free(path);
  return status;
}

ncc_status ncc_n5_volume(ncc_volume *v, const char *folder) {
  static const ncc_volume_format format = {n5_load, NULL, n5_close};
  ncc_status status = NCC_OK;
  json_t *meta = NULL;
  v->format = &format;
  NCC_TRY(ncc_json_load(folder, "attributes.json", &meta));
  NCC_CHECK(meta && json_object_get(meta, "dimensions"), NCC_ERR_UNREADABLE,
            "%s: an N5 group found, expected an array (name one inside)", folder);
  const char *dtype = ncc_json_string(meta, "dataType");
  const json_t *compression = json_object_get(meta, "compression");
  const char *type = json_is_object(compression) ? ncc_json_string(compression, "type")
                                                 : ncc_json_string(meta, "compressionType"); /* N5 1 */
  NCC_CHECK(dtype && strlen(dtype) > 3 && ncc_volume_dtype(dtype, &v->dtype), NCC_ERR_UNREADABLE,
            "%s: type '%.40s' found, expected pixels of 8, 16 or 32-bit integers or 32 or 64-bit floats", folder,
            dtype ? dtype : "");
  NCC_CHECK(ncc_json_integers(meta, "dimensions", true, &v->rank, v->shape) &&
                ncc_json_integers(meta, "blockSize", true, &v->rank, v->chunk),
            NCC_ERR_UNREADABLE, "%s/attributes.json: no dimensions and block size of up to %d axes found", folder,
            NCC_VOLUME_RANK);
  v->swapped = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  NCC_CHECK(type, NCC_ERR_UNREADABLE, "%s/attributes.json: no compression found", folder);
  if (strcmp(type, "lz4") == 0)
    NCC_TRY(ncc_volume_add_codec(v, (ncc_codec){.kind = NCC_CODEC_LZ4_STREAM}));
  else if (strcmp(type, "raw") != 0)
    NCC_TRY(ncc_codecs_add_named(v, type));
  NCC_CHECK((v->own = strdup(folder)) && asprintf(&v->description, "%s/attributes.json", folder) >= 0, NCC_ERR_NOMEM,
            "%s: no memory", folder);
cleanup:
  json_decref(meta);
  return status;
}
