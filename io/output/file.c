/** Building and checking output files. See file.h. */
#include "io/output/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "match/result.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "rows are written as they lie in memory, in little-endian datasets"
#endif

const ncc_table ncc_tables[NCC_TABLE_COUNT] = {
#define TABLE(id, name, cols, type, when) [id] = {name, cols, sizeof(type) * (cols ? cols : 1), when},
    NCC_TABLE_LIST(TABLE)
#undef TABLE
};

const char ncc_output_format_name[] = "mpixcorr output";
const char ncc_output_record_name[] = "/run";

/** Attributes live in object header messages of at most 64 KiB. */
enum { TEXT_LIMIT = 32000 };

/* ---- types -------------------------------------------------------------------------------------------------- */

/** The HDF5 enum of /status; to be closed. */
static hid_t make_status_type(void) {
  hid_t type = H5Tenum_create(H5T_STD_U8LE);
  for (int i = 0; i < NCC_PAIR_STATUS_COUNT; i++) {
    uint8_t value = (uint8_t)i;
    H5Tenum_insert(type, ncc_pair_status_name((ncc_pair_status)i), &value);
  }
  return type;
}

/** The type of a dataset in the file, and what its rows are before they are computed; to be closed. */
static hid_t make_table_type(ncc_table_id id, const void **fill) {
  static const int64_t none = -1;
  static const uint8_t pending = NCC_PAIR_PENDING, no = 0;
  static double not_a_number;
  static float not_a_float;
  not_a_number = NAN;
  not_a_float = NAN;
  switch (id) {
    case NCC_TABLE_STATUS:
      *fill = &pending;
      return make_status_type();
    case NCC_TABLE_AT_BORDER:
      *fill = &no;
      return H5Tcopy(H5T_STD_U8LE);
    case NCC_TABLE_OVERLAP:
      *fill = &not_a_float;
      return H5Tcopy(H5T_IEEE_F32LE);
    case NCC_TABLE_PEAKS:
    case NCC_TABLE_SUBPIXEL:
    case NCC_TABLE_SUBPIXEL_OFFSETS:
    case NCC_TABLE_CURVATURE:
    case NCC_TABLE_SECOND_PEAKS:
    case NCC_TABLE_TOP_PEAKS:
    case NCC_TABLE_ANGLES:
      *fill = &not_a_number;
      return H5Tcopy(H5T_IEEE_F64LE);
    default:
      *fill = &none;
      return H5Tcopy(H5T_STD_I64LE);
  }
}

hid_t ncc_output_record_type(void) {
#define FIELD(member) #member, offsetof(ncc_output_record, member)
#define TIMING(member) #member, offsetof(ncc_output_record, timings.member)
  hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(ncc_output_record)), text = ncc_h5_text_type(32);
  H5Tinsert(type, FIELD(end_time), text);
  H5Tinsert(type, TIMING(elapsed_s), H5T_IEEE_F64LE);
  H5Tinsert(type, TIMING(reading_s), H5T_IEEE_F64LE);
  H5Tinsert(type, TIMING(planning_s), H5T_IEEE_F64LE);
  H5Tinsert(type, TIMING(computing_s), H5T_IEEE_F64LE);
  H5Tinsert(type, TIMING(waiting_s), H5T_IEEE_F64LE);
  H5Tinsert(type, TIMING(writing_s), H5T_IEEE_F64LE);
  H5Tinsert(type, FIELD(resumes), H5T_STD_I64LE);
  H5Tinsert(type, FIELD(complete), H5T_STD_I64LE);
  ncc_h5_close(&text);
  return type;
#undef FIELD
#undef TIMING
}

/** Whether an output of this search has the dataset. */
static bool has_table(const ncc_search *search, int id) {
  switch (ncc_tables[id].when) {
    case NCC_TABLE_QUALITY:
      return search->quality;
    case NCC_TABLE_PEAKS_LISTED:
      return search->peaks > 0;
    case NCC_TABLE_TURNED:
      return search->rotate_step > 0;
    default:
      return true;
  }
}

/** The shape of a dataset. @return its rank */
static int table_shape(const ncc_output_spec *spec, int id, hsize_t shape[3]) {
  int rank = 0;
  shape[rank++] = (hsize_t)spec->catalog->n_pairs;
  if (ncc_table_lists(id)) shape[rank++] = (hsize_t)spec->search->peaks;
  if (ncc_tables[id].cols) shape[rank++] = (hsize_t)ncc_tables[id].cols;
  return rank;
}

/* ---- building ----------------------------------------------------------------------------------------------- */

/** A text as an attribute holds it: UTF-8, not too long; malloc'd; NULL without memory. */
static char *attribute_text(const char *value) {
  char *text = ncc_text_utf8(value ? value : "");
  if (text) text[ncc_text_cut(text, TEXT_LIMIT)] = '\0';
  return text;
}

static ncc_status put_text(hid_t file, const char *path, const char *name, const char *value) {
  ncc_status status = NCC_OK;
  char *clipped = attribute_text(value);
  NCC_CHECK(clipped, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(ncc_h5_put_text(file, path, name, clipped));
cleanup:
  free(clipped);
  return status;
}

static ncc_status put_integer(hid_t file, const char *path, const char *name, int64_t value) {
  return ncc_h5_put(file, path, name, H5T_STD_I64LE, 0, &value);
}

/** Attributes known at the start. */
static ncc_status put_known(hid_t file, const char *path, const ncc_output_spec *spec) {
  ncc_status status = NCC_OK;
  const ncc_run_info *info = spec->info;
  char start[32], modified[32];
  char *input = realpath(spec->catalog->path, NULL);
  ncc_file_time_text(time(NULL), start, sizeof start);
  ncc_file_time_text(spec->identity->modified_s, modified, sizeof modified);
  NCC_TRY(put_text(file, path, "format", ncc_output_format_name));
  NCC_TRY(put_integer(file, path, "format_version", NCC_OUTPUT_FORMAT_VERSION));
  NCC_TRY(put_text(file, path, "program", "mpixcorr"));
  NCC_TRY(put_text(file, path, "program_version", ncc_version()));
  NCC_TRY(put_text(file, path, "program_commit", info->commit));
  NCC_TRY(put_integer(file, path, "numerics_revision", ncc_numerics_revision()));
  NCC_TRY(put_text(file, path, "command_line", info->command_line));
  NCC_TRY(put_text(file, path, "options", info->options));
  NCC_TRY(put_text(file, path, "result_options", info->result_options));
  NCC_TRY(put_text(file, path, "input_path", input ? input : spec->catalog->path));
  NCC_TRY(put_integer(file, path, "input_size_bytes", spec->identity->size_bytes));
  NCC_TRY(put_text(file, path, "input_modified", modified));
  NCC_TRY(put_text(file, path, "input_fingerprint", spec->identity->fingerprint));
  NCC_TRY(put_text(file, path, "start_time", start));
  NCC_TRY(put_integer(file, path, "ranks", info->ranks));
  NCC_TRY(put_integer(file, path, "nodes", info->nodes));
  NCC_TRY(put_integer(file, path, "threads_per_rank", info->threads));
  NCC_TRY(put_text(file, path, "devices", info->devices));
  NCC_TRY(put_text(file, path, "engine", info->engine));
  NCC_TRY(put_text(file, path, "fft_library", info->fft_library));
  const int64_t separation_px = ncc_separation_px(spec->search);
  if (spec->search->quality) NCC_TRY(put_integer(file, path, "second_peak_radius_px", separation_px));
  if (spec->search->peaks > 0) NCC_TRY(put_integer(file, path, "separation_px", separation_px));
cleanup:
  free(input);
  return status;
}

/** The record of an unfinished run. */
static ncc_status put_record(hid_t file, const char *path, int64_t *offset) {
  ncc_status status = NCC_OK;
  const ncc_output_record none = {.timings = {NAN, NAN, NAN, NAN, NAN, NAN}};
  hid_t type = ncc_output_record_type(), space = H5Screate(H5S_SCALAR), set = -1;
  set = H5Dcreate2(file, ncc_output_record_name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  NCC_CHECK_H5(set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &none) >= 0, NCC_ERR_OUTPUT,
               "%s: %s cannot be written", path, ncc_output_record_name);
  const haddr_t address = H5Dget_offset(set);
  NCC_CHECK_H5(address != HADDR_UNDEF, NCC_ERR_INTERNAL, "%s: %s has no place in the file", path,
               ncc_output_record_name);
  *offset = (int64_t)address;
cleanup:
  if (set >= 0 && H5Dclose(set) < 0 && status == NCC_OK) { /* HDF5 may write only then */
    status = ncc_h5_error(NCC_ERR_OUTPUT, "%s: %s cannot be written", path, ncc_output_record_name);
  }
  ncc_h5_close(&space);
  ncc_h5_close(&type);
  return status;
}

static ncc_status put_table(hid_t file, const char *path, const ncc_output_spec *spec, ncc_table_id id,
                            int64_t *offset) {
  ncc_status status = NCC_OK;
  const ncc_table *table = &ncc_tables[id];
  const int64_t n = spec->catalog->n_pairs;
  const void *fill;
  hid_t type = make_table_type(id, &fill), properties = H5Pcreate(H5P_DATASET_CREATE), set = -1;
  hsize_t shape[3];
  const int rank = table_shape(spec, (int)id, shape);
  hid_t space = H5Screate_simple(rank, shape, NULL);
  NCC_CHECK_H5(type >= 0 && space >= 0 && properties >= 0 && H5Pset_layout(properties, H5D_CONTIGUOUS) >= 0 &&
                   H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0 &&
                   H5Pset_fill_time(properties, H5D_FILL_TIME_ALLOC) >= 0 &&
                   H5Pset_fill_value(properties, type, fill) >= 0,
               NCC_ERR_INTERNAL, "%s: %s: properties", path, table->name);
  set = H5Dcreate2(file, table->name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  NCC_CHECK_H5(set >= 0, NCC_ERR_OUTPUT, "%s: %s cannot be created", path, table->name);
  if (n > 0) {
    haddr_t address = H5Dget_offset(set);
    NCC_CHECK_H5(address != HADDR_UNDEF, NCC_ERR_INTERNAL, "%s: %s has no place in the file", path, table->name);
    *offset = (int64_t)address;
    NCC_CHECK_H5(id != NCC_TABLE_PAIRS ||
                     H5Dwrite(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, spec->catalog->pairs) >= 0,
                 NCC_ERR_OUTPUT, "%s: /pairs cannot be written", path);
  }
cleanup:
  if (set >= 0 && H5Dclose(set) < 0 && status == NCC_OK) {
    status = ncc_h5_error(NCC_ERR_OUTPUT, "%s: %s cannot be written", path, table->name);
  }
  ncc_h5_close(&space);
  ncc_h5_close(&properties);
  ncc_h5_close(&type);
  return status;
}

bool ncc_output_file_pwrite(int fd, const void *data, size_t size, int64_t offset) {
  const char *from = data;
  while (size > 0) {
    ssize_t n = pwrite(fd, from, size, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    from += n;
    size -= (size_t)n;
    offset += n;
  }
  return true;
}

ncc_status ncc_output_file_build(const char *path, const ncc_output_spec *spec, ncc_output_layout *layout) {
  ncc_status status = NCC_OK;
  hid_t file = -1;
  *layout = (ncc_output_layout){.n_pairs = spec->catalog->n_pairs, .peaks = spec->search->peaks};
  for (int i = 0; i < NCC_TABLE_COUNT; i++) layout->tables[i] = -1;
  NCC_TRY(ncc_h5_create_file(path, &file));
  NCC_TRY(put_known(file, path, spec));
  NCC_TRY(put_record(file, path, &layout->record));
  for (int i = 0; i < NCC_TABLE_COUNT; i++) {
    if (!has_table(spec->search, i)) continue;
    NCC_TRY(put_table(file, path, spec, (ncc_table_id)i, &layout->tables[i]));
  }
  herr_t closed = H5Fclose(file);
  file = -1;
  NCC_CHECK_H5(closed >= 0, NCC_ERR_OUTPUT, "%s: cannot be completed", path);
  NCC_TRY(ncc_file_sync(path));
cleanup:
  ncc_h5_close(&file);
  if (status != NCC_OK) unlink(path);
  return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

ncc_status ncc_output_file_text(hid_t file, const char *path, const char *name, char **value) {
  ncc_status status = NCC_OK;
  hid_t attribute = -1, type = -1, memory = -1;
  *value = NULL;
  if (H5Aexists(file, name) <= 0) return NCC_OK;
  attribute = H5Aopen(file, name, H5P_DEFAULT);
  type = attribute < 0 ? -1 : H5Aget_type(attribute);
  NCC_CHECK_H5(type >= 0, NCC_ERR_INPUT, "%s: attribute %s cannot be read", path, name);
  NCC_CHECK(H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) <= 0, NCC_ERR_INPUT,
            "%s: attribute %s: expected a string of fixed length", path, name);
  memory = ncc_h5_text_type(H5Tget_size(type) + 1);
  *value = calloc(1, H5Tget_size(type) + 1);
  NCC_CHECK(*value, NCC_ERR_NOMEM, "%s: no memory", path);
  H5Tset_cset(memory, H5Tget_cset(type));
  NCC_CHECK_H5(H5Aread(attribute, memory, *value) >= 0, NCC_ERR_INPUT, "%s: attribute %s cannot be read", path, name);
cleanup:
  ncc_h5_close(&memory);
  ncc_h5_close(&type);
  ncc_h5_close(&attribute);
  if (status != NCC_OK) free(*value), *value = NULL;
  return status;
}

ncc_status ncc_output_file_integer(hid_t file, const char *path, const char *name, int64_t missing, int64_t *value) {
  ncc_status status = NCC_OK;
  hid_t attribute = -1, space = -1;
  *value = missing;
  if (H5Aexists(file, name) <= 0) return NCC_OK;
  attribute = H5Aopen(file, name, H5P_DEFAULT);
  space = attribute < 0 ? -1 : H5Aget_space(attribute);
  NCC_CHECK_H5(
      space >= 0 && H5Sget_simple_extent_npoints(space) == 1 && H5Aread(attribute, H5T_NATIVE_INT64, value) >= 0,
      NCC_ERR_INPUT, "%s: attribute %s: expected one integer", path, name);
cleanup:
  ncc_h5_close(&space);
  ncc_h5_close(&attribute);
  return status;
}

ncc_status ncc_output_file_open(const char *path, hid_t *out) {
  ncc_status status = NCC_OK;
  char *format = NULL;
  int64_t version;
  NCC_TRY(ncc_h5_open_file(path, out));
  NCC_TRY(ncc_output_file_text(*out, path, "format", &format));
  NCC_CHECK(format && strcmp(format, ncc_output_format_name) == 0, NCC_ERR_INPUT, "%s: not an output file of mpixcorr",
            path);
  NCC_TRY(ncc_output_file_integer(*out, path, "format_version", -1, &version));
  NCC_CHECK(version == NCC_OUTPUT_FORMAT_VERSION, NCC_ERR_INPUT,
            "%s: format version %" PRId64 " found, this program (%s) reads version %d", path, version, ncc_version(),
            NCC_OUTPUT_FORMAT_VERSION);
cleanup:
  free(format);
  if (status != NCC_OK) ncc_h5_close(out);
  return status;
}

/** Place, shape and type of one dataset of an existing file. */
static ncc_status match_table(hid_t file, const char *path, const ncc_output_spec *spec, ncc_table_id id,
                              int64_t *offset) {
  ncc_status status = NCC_OK;
  const ncc_table *table = &ncc_tables[id];
  const int64_t n = spec->catalog->n_pairs;
  const void *fill;
  hsize_t shape[3];
  const int rank = table_shape(spec, (int)id, shape);
  ncc_h5_dataset set;
  hid_t type = make_table_type(id, &fill);
  NCC_TRY(ncc_h5_dataset_open(file, table->name, path, table->name, &set));
  bool fits = H5Tequal(set.type, type) > 0 && set.layout == H5D_CONTIGUOUS && set.rank == rank;
  for (int i = 0; i < rank && fits; i++) fits = set.shape[i] == shape[i];
  NCC_CHECK(fits, NCC_ERR_INPUT,
            "%s: %s: %s of shape %s found, which is not what this run would write for %" PRId64 " pairs", path,
            table->name, set.type_text, set.shape_text, n);
  NCC_CHECK(n == 0 || set.offset > 0, NCC_ERR_INPUT, "%s: %s has no place in the file", path, table->name);
  if (n > 0) *offset = set.offset;
cleanup:
  ncc_h5_dataset_close(&set);
  ncc_h5_close(&type);
  return status;
}

/** Compares a text attribute with what this run has. */
static ncc_status match_text(hid_t file, const char *path, const char *name, const char *what, const char *expected) {
  ncc_status status = NCC_OK;
  char *found = NULL, *clipped = attribute_text(expected);
  NCC_CHECK(clipped, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(ncc_output_file_text(file, path, name, &found));
  NCC_CHECK(found && strcmp(found, clipped) == 0, NCC_ERR_INPUT,
            "%s: cannot be resumed: %s differ: the file has \"%s\", this run \"%s\"", path, what, found ? found : "",
            clipped);
cleanup:
  free(found);
  free(clipped);
  return status;
}

/** A moved or restaged input is worth a word, no more. */
static void warn_moved(hid_t file, const char *path, const ncc_output_spec *spec) {
  char *found_path = NULL, *found_time = NULL, modified[32];
  char *real = realpath(spec->catalog->path, NULL), *input = real ? attribute_text(real) : NULL;
  ncc_file_time_text(spec->identity->modified_s, modified, sizeof modified);
  if (ncc_output_file_text(file, path, "input_path", &found_path) == NCC_OK && found_path && input &&
      strcmp(found_path, input) != 0) {
    fprintf(stderr, "mpixcorr: warning: %s was begun with input %s, now %s; the content is the same\n",
            ncc_text_show(path), ncc_text_show(found_path), ncc_text_show(input));
  } else if (ncc_output_file_text(file, path, "input_modified", &found_time) == NCC_OK && found_time &&
             strcmp(found_time, modified) != 0) {
    fprintf(stderr, "mpixcorr: warning: %s was modified at %s, when %s was begun at %s; the content is the same\n",
            ncc_text_show(spec->catalog->path), modified, ncc_text_show(path), found_time);
  }
  free(found_path);
  free(found_time);
  free(real);
  free(input);
}

ncc_status ncc_output_file_find_record(hid_t file, const char *path, int64_t *offset) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set;
  hsize_t size = 0;
  hid_t type = ncc_output_record_type();
  NCC_TRY(ncc_h5_dataset_open(file, ncc_output_record_name, path, ncc_output_record_name, &set));
  NCC_CHECK(H5Tequal(set.type, type) > 0 && set.rank == 0, NCC_ERR_INPUT,
            "%s: %s: %s of shape %s found, which is not what this program writes", path, ncc_output_record_name,
            set.type_text, set.shape_text);
  NCC_CHECK_H5(H5Fget_filesize(file, &size) >= 0, NCC_ERR_INPUT, "%s: size unknown", path);
  NCC_CHECK(set.offset > 0 && set.offset <= (int64_t)size - (int64_t)sizeof(ncc_output_record), NCC_ERR_INPUT,
            "%s: %s: place %" PRId64 " found, expected one in the file", path, ncc_output_record_name, set.offset);
  *offset = set.offset;
cleanup:
  ncc_h5_dataset_close(&set);
  ncc_h5_close(&type);
  return status;
}

/** What the pairs of a part are compared with. */
typedef struct pairs_match {
  const char *path;
  const ncc_catalog *catalog;
} pairs_match;

static ncc_status match_pairs(void *context, int64_t first, int64_t n, const int64_t *pairs) {
  ncc_status status = NCC_OK;
  const pairs_match *m = context;
  for (int64_t i = 0; i < n; i++) {
    const int64_t *expected = m->catalog->pairs[first + i];
    NCC_CHECK(pairs[2 * i] == expected[0] && pairs[2 * i + 1] == expected[1], NCC_ERR_INPUT,
              "%s: cannot be resumed: /pairs row %" PRId64 ": (%" PRId64 ", %" PRId64 ") found, the input has (%" PRId64
              ", %" PRId64 ")",
              m->path, first + i, pairs[2 * i], pairs[2 * i + 1], expected[0], expected[1]);
  }
cleanup:
  return status;
}

ncc_status ncc_output_file_match(const char *path, const ncc_output_spec *spec, ncc_output_layout *layout) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = spec->catalog;
  int64_t revision, n_pairs;
  hid_t file = -1;
  *layout = (ncc_output_layout){.n_pairs = catalog->n_pairs, .peaks = spec->search->peaks};
  NCC_TRY(ncc_output_file_open(path, &file));
  NCC_TRY(ncc_output_file_integer(file, path, "numerics_revision", -1, &revision));
  NCC_CHECK(revision == ncc_numerics_revision(), NCC_ERR_INPUT,
            "%s: cannot be resumed: numerics revision %" PRId64 " found, this program has %d", path, revision,
            ncc_numerics_revision());
  NCC_TRY(match_text(file, path, "result_options", "options that may change results", spec->info->result_options));
  NCC_TRY(
      match_text(file, path, "input_fingerprint", "fingerprints of the input's content", spec->identity->fingerprint));
  for (int i = 0; i < NCC_TABLE_COUNT; i++) {
    layout->tables[i] = -1;
    if (!has_table(spec->search, i)) continue;
    NCC_TRY(match_table(file, path, spec, (ncc_table_id)i, &layout->tables[i]));
  }
  pairs_match match = {path, catalog};
  NCC_TRY(ncc_h5_walk_integers(file, path, "/pairs", catalog->n_pairs, 2, &n_pairs, match_pairs, &match));
  NCC_TRY(ncc_output_file_find_record(file, path, &layout->record));
  warn_moved(file, path, spec);
cleanup:
  ncc_h5_close(&file);
  return status;
}
