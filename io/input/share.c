/** The input for other ranks: where every object's pixels lie, packed by one rank, so that a thousand ranks do not walk
 *  the metadata of 10^5 datasets; and the check that they see the same file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "io/input/h5_input.h"

enum { SAMPLES = 16 }; /* files that links lead to, and objects that HDF5 has to read, of each kind */

typedef struct head {
  int64_t size_bytes, modified_s;
  int64_t n_files, n_sources, n_parts, n_pieces;
  int64_t n_places[NCC_INPUT_SETS];
  int32_t stack[NCC_INPUT_SETS], named[NCC_INPUT_SETS];
} head;

typedef struct file_entry {
  int64_t size_bytes, path_bytes;
  uint64_t digest;
} file_entry;

/** Whether the i-th of n is one of those that are looked at. */
static bool sampled(int64_t i, int64_t n) {
  int64_t step = n / SAMPLES + 1;
  return i % step == 0;
}

/* ---- packing ------------------------------------------------------------------------------------------------------
 */

/** A table that grows. */
typedef struct packer {
  char *bytes;
  int64_t used, capacity;
  bool failed;
} packer;

static void put(packer *to, const void *data, int64_t bytes) {
  to->failed = to->failed || ncc_list_grow(&to->bytes, to->used + bytes, &to->capacity, 1, "bytes of a table");
  if (to->failed) return;
  if (bytes > 0) memcpy(to->bytes + to->used, data, (size_t)bytes);
  to->used += bytes;
}

static void put_string(packer *to, const char *text) {
  put(to, text, (int64_t)strlen(text) + 1);
}

/** Sizes and glances of the files that are there. */
static ncc_status look_at_files(ncc_raw_files *files) {
  ncc_status status = NCC_OK;
  for (int32_t i = 0; i < files->count; i++) {
    int64_t size_bytes;
    if (files->items[i].size_bytes < 0 || (i > 0 && !sampled(i, files->count))) continue;
    NCC_TRY(ncc_raw_file_glance(files, i, &size_bytes, &files->items[i].digest));
  }
cleanup:
  return status;
}

/** The root and a sample of the names: all of them come with the batches that need them. */
static void put_named(packer *to, const ncc_named *named) {
  const int64_t n = ncc_min(named->n, NCC_NAMED_SAMPLES);
  put_string(to, named->root);
  put(to, &n, sizeof n);
  for (int64_t i = 0; i < n; i++)
    put_string(to, ncc_named_get(named, n < 2 ? 0 : (int64_t)((__int128)i * (named->n - 1) / (n - 1))));
}

ncc_status ncc_input_pack(ncc_input *input, void **table, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  const ncc_sources *sources = &input->sources;
  const ncc_raw_files *files = &sources->files;
  packer to = {0};
  head h = {.size_bytes = input->size_bytes,
            .modified_s = input->modified_s,
            .n_files = files->count,
            .n_sources = sources->count,
            .n_parts = sources->n_parts,
            .n_pieces = sources->n_pieces};
  *table = NULL;
  NCC_TRY(look_at_files(&input->sources.files));
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) {
    h.n_places[kind] = input->sets[kind].n_places;
    h.stack[kind] = input->sets[kind].stack;
    h.named[kind] = input->sets[kind].named.used;
  }
  put(&to, &h, sizeof h);
  for (int32_t i = 0; i < files->count; i++) {
    file_entry entry = {files->items[i].size_bytes, (int64_t)strlen(files->items[i].path) + 1, files->items[i].digest};
    put(&to, &entry, sizeof entry);
    put_string(&to, files->items[i].path);
  }
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++)
    put(&to, input->sets[kind].places, h.n_places[kind] * (int64_t)sizeof *input->sets[kind].places);
  put(&to, sources->items, h.n_sources * (int64_t)sizeof *sources->items);
  put(&to, sources->parts, h.n_parts * (int64_t)sizeof *sources->parts);
  put(&to, sources->pieces, h.n_pieces * (int64_t)sizeof *sources->pieces);
  for (int64_t i = 0; i < sources->count; i++) put_string(&to, sources->items[i].text);
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++)
    if (h.named[kind]) put_named(&to, &input->sets[kind].named);
  NCC_CHECK(!to.failed, NCC_ERR_NOMEM, "%s: no memory for a table of places", input->catalog.path);
  *table = to.bytes;
  *n_bytes = to.used;
  to.bytes = NULL;
cleanup:
  free(to.bytes);
  return status;
}

/* ---- unpacking ----------------------------------------------------------------------------------------------------
 */

typedef struct reader {
  const char *at;
  int64_t left;
} reader;

/** The next bytes of the table. */
static ncc_status take(reader *from, int64_t bytes, const char **out) {
  *out = NULL;
  if (bytes < 0 || bytes > from->left)
    return ncc_error_set(NCC_ERR_INTERNAL, "a table of places with %" PRId64 " bytes left, expected %" PRId64,
                         from->left, bytes);
  *out = from->at;
  from->at += bytes;
  from->left -= bytes;
  return NCC_OK;
}

static ncc_status take_string(reader *from, const char **out) {
  size_t length = strnlen(from->at, (size_t)from->left);
  return take(from, (int64_t)length + 1, out);
}

static ncc_status unpack_files(reader *from, int64_t n, const char *path, ncc_raw_files *files) {
  ncc_status status = NCC_OK;
  files->items = calloc((size_t)n, sizeof *files->items);
  NCC_CHECK(files->items, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " files", path, n);
  for (int64_t i = 0; i < n; i++) {
    file_entry entry;
    const char *bytes, *name;
    NCC_TRY(take(from, sizeof entry, &bytes));
    memcpy(&entry, bytes, sizeof entry);
    NCC_TRY(take_string(from, &name));
    ncc_raw_file *file = &files->items[i];
    *file = (ncc_raw_file){.size_bytes = entry.size_bytes, .digest = entry.digest, .fd = -1};
    file->path = strdup(i == 0 ? path : name);
    NCC_CHECK(file->path, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " files", path, n);
    files->count = files->capacity = (int32_t)(i + 1);
  }
cleanup:
  return status;
}

/** The next n items of the table, in memory of their own. */
static ncc_status take_items(reader *from, int64_t n, size_t size, const char *path, void **out) {
  ncc_status status = NCC_OK;
  const char *bytes;
  NCC_CHECK(n >= 0 && n <= from->left, NCC_ERR_INTERNAL, "a table of %" PRId64 " places", n);
  NCC_TRY(take(from, n * (int64_t)size, &bytes));
  *out = malloc((size_t)n * size + 1);
  NCC_CHECK(*out, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " places", path, n);
  memcpy(*out, bytes, (size_t)n * size);
cleanup:
  return status;
}

static ncc_status unpack_sources(reader *from, const head *h, const char *path, ncc_sources *sources) {
  ncc_status status = NCC_OK;
  void *items = NULL, *parts = NULL, *pieces = NULL;
  NCC_TRY(take_items(from, h->n_sources, sizeof *sources->items, path, &items));
  sources->items = items;
  for (int64_t i = 0; i < h->n_sources; i++) sources->items[i].text = NULL;
  sources->count = h->n_sources;
  NCC_TRY(take_items(from, h->n_parts, sizeof *sources->parts, path, &parts));
  sources->parts = parts;
  sources->n_parts = h->n_parts;
  NCC_TRY(take_items(from, h->n_pieces, sizeof *sources->pieces, path, &pieces));
  sources->pieces = pieces;
  sources->n_pieces = h->n_pieces;
  for (int64_t i = 0; i < h->n_sources; i++) {
    const char *text;
    NCC_TRY(take_string(from, &text));
    sources->items[i].text = strdup(text);
    NCC_CHECK(sources->items[i].text, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " sources", path, h->n_sources);
  }
cleanup:
  return status;
}

/** Makes ready to read sources, if one of the names that were packed can be opened here. */
static ncc_status unpack_named(reader *from, const char *own_root, ncc_input *input, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  const ncc_named *named = &input->sets[kind].named;
  const char *root, *bytes, *name;
  int64_t n, rows, cols;
  ncc_dtype dtype;
  bool good = false;
  NCC_TRY(take_string(from, &root));
  NCC_TRY(ncc_input_start_named(input, kind, own_root ? own_root : root));
  NCC_TRY(take(from, sizeof n, &bytes));
  memcpy(&n, bytes, sizeof n);
  for (int64_t i = 0; i < n; i++) {
    NCC_TRY(take_string(from, &name));
    good = good || ncc_volumes_look(named->volumes, name, &rows, &cols, &dtype) == NCC_OK;
  }
  if (good || n == 0) goto cleanup;
  ncc_error_prefix("%s: none of %" PRId64 " sources that were tried can be opened, one of them",
                   ncc_input_names_of_kinds[kind], n);
  status = NCC_ERR_INPUT;
cleanup:
  return status;
}

/** Whether the files here are those that were packed. */
static ncc_status check_files(ncc_raw_files *files) {
  ncc_status status = NCC_OK;
  for (int32_t i = 0; i < files->count; i++) {
    const ncc_raw_file *file = &files->items[i];
    int64_t size_bytes;
    uint64_t digest;
    if (file->digest == 0) continue;
    NCC_TRY(ncc_raw_file_glance(files, i, &size_bytes, &digest));
    NCC_CHECK(size_bytes == file->size_bytes && digest == file->digest, NCC_ERR_INPUT,
              "%s: differs from the file that rank 0 sees under this name (%" PRId64 " bytes, %s%" PRId64 ")",
              file->path, size_bytes, size_bytes == file->size_bytes ? "other content; expected " : "expected ",
              file->size_bytes);
  }
cleanup:
  return status;
}

/** Opens some of the datasets that HDF5 has to read: are filters and what links lead to there? */
static ncc_status check_datasets(ncc_sources *sources) {
  ncc_status status = NCC_OK;
  int64_t n = 0, seen = 0;
  for (int64_t i = 0; i < sources->count; i++) n += sources->items[i].kind == NCC_SOURCE_HDF5;
  for (int64_t i = 0; i < sources->count; i++)
    if (sources->items[i].kind == NCC_SOURCE_HDF5 && sampled(seen++, n)) NCC_TRY(ncc_sources_try(sources, (int32_t)i));
cleanup:
  return status;
}

ncc_status ncc_input_attach(const char *path, const char *root, const ncc_catalog *catalog, const void *table,
                            int64_t n_bytes, ncc_input **out) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  reader from = {table, n_bytes};
  const char *bytes;
  head h;
  *out = NULL;
  ncc_h5_silence();
  NCC_TRY(ncc_input_create(path, root, &input));
  char *own_path = input->catalog.path;
  input->catalog = *catalog;
  input->catalog.path = own_path;
  input->borrowed = true;
  NCC_TRY(take(&from, sizeof h, &bytes));
  memcpy(&h, bytes, sizeof h);
  input->size_bytes = h.size_bytes;
  input->modified_s = h.modified_s;
  NCC_CHECK(h.n_files >= 1 && h.n_files <= INT32_MAX, NCC_ERR_INTERNAL, "a table of %" PRId64 " files", h.n_files);
  NCC_TRY(unpack_files(&from, h.n_files, path, &input->sources.files));
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++) {
    void *places = NULL;
    NCC_TRY(take_items(&from, h.n_places[kind], sizeof *input->sets[kind].places, path, &places));
    input->sets[kind] = (ncc_input_set){.stack = h.stack[kind], .n_places = h.n_places[kind], .places = places};
  }
  NCC_TRY(unpack_sources(&from, &h, path, &input->sources));
  for (int kind = 0; kind < NCC_INPUT_SETS; kind++)
    if (h.named[kind]) NCC_TRY(unpack_named(&from, root, input, (ncc_object_kind)kind));
  NCC_TRY(check_files(&input->sources.files));
  NCC_TRY(check_datasets(&input->sources));
  *out = input;
  input = NULL;
cleanup:
  ncc_input_close(&input);
  return status;
}
