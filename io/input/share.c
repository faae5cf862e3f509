/** The input for other ranks: where every object's pixels lie, packed by one rank, so that a thousand ranks do not walk
 *  the metadata of 10^5 datasets; and the check that they see the same file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/input/h5_input.h"

enum { SAMPLES = 16 }; /* files that links lead to, and objects that HDF5 has to read, of each kind */

typedef struct head {
  int64_t size_bytes, modified_s;
  int64_t n_files, names_bytes;
  int64_t n_places[2];
  int32_t stack[2], by_hdf5[2];
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

static void put(char **at, const void *data, int64_t bytes) {
  if (bytes > 0) memcpy(*at, data, (size_t)bytes);
  *at += bytes;
}

/** A name of a group that others have to know: HDF5 will ask for it. */
static const char *needed_name(const ncc_input_set *set, int64_t i) {
  return set->names && set->places[i].offset < 0 ? set->names[i] : "";
}

static bool has_names(const ncc_input_set *set) {
  return set->by_hdf5 && !set->stack;
}

/** Sizes and glances of the files. */
static ncc_status look_at_files(ncc_input *input) {
  ncc_status status = NCC_OK;
  int32_t n = input->files.count;
  for (int32_t i = 0; i < n; i++) {
    int64_t size_bytes;
    if (i > 0 && !sampled(i, n)) continue;
    NCC_TRY(ncc_raw_file_glance(&input->files, i, &size_bytes, &input->files.items[i].digest));
  }
cleanup:
  return status;
}

ncc_status ncc_input_pack(ncc_input *input, void **table, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  head h = {.size_bytes = input->size_bytes, .modified_s = input->modified_s, .n_files = input->files.count};
  int64_t bytes = sizeof h;
  *table = NULL;
  NCC_TRY(look_at_files(input));
  for (int32_t i = 0; i < input->files.count; i++)
    bytes += (int64_t)(sizeof(file_entry) + strlen(input->files.items[i].path) + 1);
  for (int kind = 0; kind < 2; kind++) {
    const ncc_input_set *set = &input->sets[kind];
    h.n_places[kind] = set->n_places;
    h.stack[kind] = set->stack;
    h.by_hdf5[kind] = set->by_hdf5;
    bytes += set->n_places * (int64_t)sizeof *set->places;
    for (int64_t i = 0; has_names(set) && i < set->n_places; i++)
      h.names_bytes += (int64_t)strlen(needed_name(set, i)) + 1;
  }
  bytes += h.names_bytes;
  *table = malloc((size_t)bytes);
  NCC_CHECK(*table, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " bytes", input->catalog.path, bytes);
  *n_bytes = bytes;
  char *at = *table;
  put(&at, &h, sizeof h);
  for (int32_t i = 0; i < input->files.count; i++) {
    const ncc_raw_file *file = &input->files.items[i];
    file_entry entry = {file->size_bytes, (int64_t)strlen(file->path) + 1, file->digest};
    put(&at, &entry, sizeof entry);
    put(&at, file->path, entry.path_bytes);
  }
  for (int kind = 0; kind < 2; kind++) {
    const ncc_input_set *set = &input->sets[kind];
    put(&at, set->places, set->n_places * (int64_t)sizeof *set->places);
    for (int64_t i = 0; has_names(set) && i < set->n_places; i++)
      put(&at, needed_name(set, i), (int64_t)strlen(needed_name(set, i)) + 1);
  }
cleanup:
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

static ncc_status unpack_files(reader *from, int64_t n, const char *path, ncc_input *input) {
  ncc_status status = NCC_OK;
  input->files.items = calloc((size_t)n, sizeof *input->files.items);
  NCC_CHECK(input->files.items, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " files", path, n);
  for (int64_t i = 0; i < n; i++) {
    file_entry entry;
    const char *bytes, *name;
    NCC_TRY(take(from, sizeof entry, &bytes));
    memcpy(&entry, bytes, sizeof entry);
    NCC_TRY(take_string(from, &name));
    ncc_raw_file *file = &input->files.items[i];
    *file = (ncc_raw_file){.size_bytes = entry.size_bytes, .digest = entry.digest, .fd = -1};
    file->path = strdup(i == 0 ? path : name);
    NCC_CHECK(file->path, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " files", path, n);
    input->files.count = input->files.capacity = (int32_t)(i + 1);
  }
cleanup:
  return status;
}

static ncc_status unpack_set(reader *from, const head *h, int kind, ncc_input *input) {
  ncc_status status = NCC_OK;
  ncc_input_set *set = &input->sets[kind];
  int64_t n = h->n_places[kind];
  const char *bytes;
  set->stack = h->stack[kind];
  set->by_hdf5 = h->by_hdf5[kind];
  NCC_CHECK(n >= 0 && n <= from->left, NCC_ERR_INTERNAL, "a table of %" PRId64 " places", n);
  set->places = calloc((size_t)n + 1, sizeof *set->places);
  set->names = has_names(set) ? calloc((size_t)n + 1, sizeof *set->names) : NULL;
  NCC_CHECK(set->places && (set->names || !has_names(set)), NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " places",
            input->catalog.path, n);
  NCC_TRY(take(from, n * (int64_t)sizeof *set->places, &bytes));
  memcpy(set->places, bytes, (size_t)n * sizeof *set->places);
  set->n_places = n;
  for (int64_t i = 0; set->names && i < n; i++) {
    NCC_TRY(take_string(from, &bytes));
    if (bytes[0]) set->names[i] = strdup(bytes);
    NCC_CHECK(!bytes[0] || set->names[i], NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " names", input->catalog.path, n);
  }
cleanup:
  return status;
}

/** Whether the files here are those that were packed. */
static ncc_status check_files(ncc_input *input) {
  ncc_status status = NCC_OK;
  for (int32_t i = 0; i < input->files.count; i++) {
    const ncc_raw_file *file = &input->files.items[i];
    int64_t size_bytes;
    uint64_t digest;
    if (file->digest == 0) continue;
    NCC_TRY(ncc_raw_file_glance(&input->files, i, &size_bytes, &digest));
    NCC_CHECK(size_bytes == file->size_bytes && digest == file->digest, NCC_ERR_INPUT,
              "%s: differs from the file that rank 0 sees under this name (%" PRId64 " bytes, %s%" PRId64 ")",
              file->path, size_bytes, size_bytes == file->size_bytes ? "other content; expected " : "expected ",
              file->size_bytes);
  }
cleanup:
  return status;
}

/** Opens some of the objects that HDF5 has to read: are filters and the sources of links there? */
static ncc_status check_objects(ncc_input *input) {
  ncc_status status = NCC_OK;
  for (int kind = 0; kind < 2; kind++) {
    const ncc_input_set *set = &input->sets[kind];
    int64_t n = 0, seen = 0;
    for (int64_t i = 0; i < set->n_places; i++) n += set->places[i].offset < 0;
    for (int64_t i = 0; i < set->n_places; i++) {
      hid_t dataset;
      if (set->places[i].offset < 0 && sampled(seen++, n))
        NCC_TRY(ncc_input_find_dataset(input, (ncc_object_kind)kind, i, &dataset));
    }
  }
cleanup:
  return status;
}

ncc_status ncc_input_attach(const char *path, const ncc_catalog *catalog, const void *table, int64_t n_bytes,
                            ncc_input **out) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  reader from = {table, n_bytes};
  const char *bytes;
  head h;
  *out = NULL;
  ncc_h5_silence();
  NCC_TRY(ncc_input_create(path, &input));
  char *own_path = input->catalog.path;
  input->catalog = *catalog;
  input->catalog.path = own_path;
  input->borrowed = true;
  NCC_TRY(take(&from, sizeof h, &bytes));
  memcpy(&h, bytes, sizeof h);
  input->size_bytes = h.size_bytes;
  input->modified_s = h.modified_s;
  NCC_CHECK(h.n_files >= 1 && h.n_files <= INT32_MAX, NCC_ERR_INTERNAL, "a table of %" PRId64 " files", h.n_files);
  NCC_TRY(unpack_files(&from, h.n_files, path, input));
  for (int kind = 0; kind < 2; kind++) NCC_TRY(unpack_set(&from, &h, kind, input));
  NCC_TRY(check_files(input));
  NCC_TRY(check_objects(input));
  *out = input;
  input = NULL;
cleanup:
  ncc_input_close(&input);
  return status;
}
