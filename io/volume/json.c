#include "io/volume/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_JSON = 16 << 20 };

ncc_status ncc_json_load(const char *folder, const char *name, json_t **out) {
  ncc_status status = NCC_OK;
  char *path = NULL, *text = NULL;
  int fd = -1;
  int64_t size_bytes = 0, got = 0;
  json_error_t error;
  *out = NULL;
  NCC_CHECK(asprintf(&path, "%s/%s", folder, name) >= 0, NCC_ERR_NOMEM, "%s: no memory", folder);
  NCC_TRY(ncc_volume_file_open(path, folder, &fd, &size_bytes));
  if (fd < 0) goto cleanup;
  NCC_CHECK(size_bytes <= MOST_JSON, NCC_ERR_UNREADABLE, "%s: %" PRId64 " bytes of JSON found, expected at most %d",
            path, size_bytes, MOST_JSON);
  text = malloc((size_t)size_bytes + 1);
  NCC_CHECK(text, NCC_ERR_NOMEM, "%s: no memory", path);
  for (ssize_t n; got < size_bytes; got += n) {
    n = pread(fd, text + got, (size_t)(size_bytes - got), got);
    NCC_CHECK(n > 0, NCC_ERR_UNREADABLE, "%s: cannot be read: %s", path, n < 0 ? strerror(errno) : "it is cut short");
  }
  *out = json_loadb(text, (size_t)size_bytes, 0, &error);
  NCC_CHECK(*out, NCC_ERR_UNREADABLE, "%s: line %d: no JSON: %s", path, error.line, error.text);
  NCC_CHECK(json_is_object(*out), NCC_ERR_UNREADABLE, "%s: no JSON object", path);
cleanup:
  if (status != NCC_OK) {
    json_decref(*out);
    *out = NULL;
  }
  if (fd >= 0) close(fd);
  free(text);
  free(path);
  return status;
}

const char *ncc_json_string(const json_t *object, const char *name) {
  return json_string_value(json_object_get(object, name));
}

bool ncc_json_integers(const json_t *object, const char *name, bool reversed, int *n, int64_t *out) {
  const json_t *list = json_object_get(object, name);
  const size_t found = json_array_size(list);
  if (found < 1 || found > NCC_VOLUME_RANK || (*n > 0 && found != (size_t)*n)) return false;
  for (size_t i = 0; i < found; i++) {
    const json_t *item = json_array_get(list, reversed ? found - 1 - i : i);
    if (!json_is_integer(item) || json_integer_value(item) < 0) return false;
    out[i] = json_integer_value(item);
  }
  *n = (int)found;
  return true;
}

char *ncc_chunk_path(const char *folder, const char *prefix, char mark, int rank, bool reversed, const int64_t *at) {
  const size_t size = strlen(folder) + strlen(prefix) + 2 + 21 * (size_t)rank;
  char *path = malloc(size);
  if (!path) return NULL;
  size_t used = (size_t)snprintf(path, size, "%s/%s", folder, prefix);
  for (int d = 0; d < rank; d++) {
    if (d > 0) path[used++] = mark;
    used += (size_t)snprintf(path + used, size - used, "%" PRId64, at[reversed ? rank - 1 - d : d]);
  }
  return path;
}

ncc_status ncc_chunk_file(ncc_volume *volume, const char *path, ncc_volume_work *work, bool *absent) {
  ncc_status status = NCC_OK;
  int fd = -1;
  int64_t size_bytes = 0;
  NCC_CHECK(path, NCC_ERR_NOMEM, "%s: no memory", volume->path);
  NCC_TRY(ncc_volume_file_open(path, volume->description, &fd, &size_bytes));
  *absent = fd < 0;
  if (*absent) goto cleanup;
  NCC_TRY(ncc_volume_work_in(work, size_bytes));
  NCC_TRY(ncc_volume_file_read(volume, path, fd, 0, size_bytes, work->in));
cleanup:
  if (fd >= 0) close(fd);
  return status;
}

ncc_status ncc_volume_add_codec(ncc_volume *volume, ncc_codec codec) {
  const ncc_status status = ncc_codecs_add(&volume->codecs, codec);
  if (status != NCC_OK) ncc_error_prefix("%s", volume->path);
  return status;
}

ncc_status ncc_codecs_add_named(ncc_volume *volume, const char *name) {
  static const struct {
    const char *name;
    ncc_codec_kind kind;
  } known[] = {{"blosc", NCC_CODEC_BLOSC},      {"gzip", NCC_CODEC_DEFLATE}, {"zlib", NCC_CODEC_DEFLATE},
               {"zstd", NCC_CODEC_ZSTD},        {"lz4", NCC_CODEC_LZ4},      {"numcodecs.zlib", NCC_CODEC_DEFLATE},
               {"numcodecs.lz4", NCC_CODEC_LZ4}};
  for (size_t i = 0; name && i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(name, known[i].name) == 0) return ncc_volume_add_codec(volume, (ncc_codec){.kind = known[i].kind});
  }
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: codec '%.60s' found, expected blosc, gzip, zlib, zstd or lz4",
                       volume->path, name ? name : "");
}

/* ---- fill values ---------------------------------------------------------------------------------------------------
 */

/** Bits of a float16 of a value that is one. */
static uint16_t half_of(double value) {
  const float f = (float)value;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000;
  if (isnan(f)) return (uint16_t)(sign | 0x7E00);
  const int exponent = (int)(bits >> 23 & 0xFF) - 112;
  if (exponent >= 31) return (uint16_t)(sign | 0x7C00);
  if (exponent <= 0) return (uint16_t)sign;
  return (uint16_t)(sign | (uint32_t)exponent << 10 | (bits >> 13 & 0x3FF));
}

static void store(ncc_volume *v, double value) {
  switch (v->dtype) {
#define STORE(code, type)          \
  case code: {                     \
    const type x = (type)value;    \
    memcpy(v->fill, &x, sizeof x); \
    break;                         \
  }
    STORE(NCC_U8, uint8_t)
    STORE(NCC_I8, int8_t)
    STORE(NCC_U16, uint16_t)
    STORE(NCC_I16, int16_t)
    STORE(NCC_U32, uint32_t)
    STORE(NCC_I32, int32_t)
    STORE(NCC_F32, float)
    STORE(NCC_F64, double)
    default: {
      const uint16_t x = half_of(value);
      memcpy(v->fill, &x, sizeof x);
    }
#undef STORE
  }
}

ncc_status ncc_json_fill(ncc_volume *v, const json_t *value) {
  static const struct {
    ncc_dtype dtype;
    double low, high;
  } ranges[] = {{NCC_U8, 0, 255},         {NCC_I8, -128, 127},        {NCC_U16, 0, 65535},
                {NCC_I16, -32768, 32767}, {NCC_U32, 0, 4294967295.0}, {NCC_I32, -2147483648.0, 2147483647.0}};
  double number = 0;
  bool good = true;
  const char *word = json_string_value(value);
  if (!value || json_is_null(value)) {
    number = 0;
  } else if (json_is_number(value)) {
    number = json_number_value(value);
  } else if (json_is_boolean(value)) {
    number = json_is_true(value);
  } else if (word && strcmp(word, "NaN") == 0) {
    number = NAN;
  } else if (word && (strcmp(word, "Infinity") == 0 || strcmp(word, "-Infinity") == 0)) {
    number = word[0] == '-' ? -INFINITY : INFINITY;
  } else {
    good = false;
  }
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
    if (ranges[i].dtype == v->dtype) good = good && number >= ranges[i].low && number <= ranges[i].high;
  if (!good)
    return ncc_error_set(NCC_ERR_UNREADABLE, "%s: a fill value found that %s cannot hold", v->path,
                         ncc_dtype_name(v->dtype));
  store(v, number);
  return NCC_OK;
}
