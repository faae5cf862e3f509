/** See load.h. Reads through HDF5 alone. */
#include "io/output/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/target.h"
#include "io/output/file.h"

ncc_status ncc_output_recognise(const char *path, bool *is_output) {
  ncc_status status = NCC_OK;
  hid_t file = -1;
  char *format = NULL;
  *is_output = false;
  NCC_TRY(ncc_h5_open_file(path, &file));
  // An unreadable attribute of that name is an odd input's own business.
  if (ncc_output_file_text(file, path, "format", &format) == NCC_OK && format) {
    *is_output = strcmp(format, ncc_output_format_name) == 0;
  }
cleanup:
  free(format);
  ncc_h5_close(&file);
  return status;
}

/** Reads one dataset whole, as the file format says it is. @param[in] n  rows; -1: any, told in *found.
 *  @param[in,out] peaks  those of a row, of a dataset that lists them; 0: any */
static ncc_status load_lists(hid_t file, const char *path, ncc_table_id id, hid_t memory_type, int64_t n, int *peaks,
                             int64_t *found, void **out) {
  ncc_status status = NCC_OK;
  const ncc_table *table = &ncc_tables[id];
  const bool lists = ncc_table_lists((int)id);
  const int cols = table->cols, rank = 1 + lists + (cols > 0);
  ncc_h5_dataset set;
  *out = NULL;
  NCC_TRY(ncc_h5_dataset_open(file, table->name, path, table->name, &set));
  char rows[64] = "n";
  if (n >= 0) snprintf(rows, sizeof rows, "%" PRId64, n);
  if (lists) snprintf(rows + strlen(rows), sizeof rows - strlen(rows), *peaks ? ", %d" : ", N", *peaks);
  const hsize_t listed = lists && set.rank == rank ? set.shape[1] : 1;
  NCC_CHECK(set.rank == rank && (n < 0 || set.shape[0] == (hsize_t)n) &&
                (!lists || (*peaks ? listed == (hsize_t)*peaks : listed >= 1 && listed <= NCC_PEAKS_MOST)) &&
                (!cols || set.shape[rank - 1] == (hsize_t)cols) && set.shape[0] < (hsize_t)1 << 40,
            NCC_ERR_INPUT, "%s: %s: shape %s found, expected [%s%s]", path, table->name, set.shape_text, rows,
            cols ? ", 2" : "");
  if (found) *found = (int64_t)set.shape[0];
  if (lists) *peaks = (int)listed;
  *out = malloc((size_t)(set.shape[0] ? set.shape[0] : 1) * (size_t)listed * table->row_bytes);
  NCC_CHECK(*out, NCC_ERR_NOMEM, "%s: %s: no memory for shape %s", path, table->name, set.shape_text);
  // Enumerated values are read as what they are based on.
  hid_t type = id == NCC_TABLE_STATUS ? set.type : memory_type;
  NCC_CHECK(id != NCC_TABLE_STATUS || H5Tget_size(set.type) == 1, NCC_ERR_INPUT,
            "%s: /status: %s found, expected enumerated values of 8 bits", path, set.type_text);
  NCC_TRY(ncc_h5_read_all(&set, path, table->name, type, H5Tget_size(type), *out));
cleanup:
  ncc_h5_dataset_close(&set);
  if (status != NCC_OK) free(*out), *out = NULL;
  return status;
}

static ncc_status load_table(hid_t file, const char *path, ncc_table_id id, hid_t memory_type, int64_t n,
                             int64_t *found, void **out) {
  return load_lists(file, path, id, memory_type, n, NULL, found, out);
}

/** Where attributes are gathered. */
typedef struct gathering {
  const char *path;
  ncc_output_data *data;
  ncc_status status;
} gathering;

/** An attribute's value in words; malloc'd. */
static ncc_status attribute_text(hid_t file, const char *path, const char *name, char **value) {
  ncc_status status = NCC_OK;
  hid_t type = -1, space = -1, attribute = H5Aopen(file, name, H5P_DEFAULT);
  double real;
  int64_t integer;
  *value = NULL;
  type = attribute < 0 ? -1 : H5Aget_type(attribute);
  space = attribute < 0 ? -1 : H5Aget_space(attribute);
  NCC_CHECK_H5(type >= 0 && space >= 0, NCC_ERR_INPUT, "%s: attribute %s cannot be read", path, name);
  H5T_class_t class = H5Tget_class(type);
  bool single = H5Sget_simple_extent_npoints(space) == 1;
  int printed = 0;
  if (class == H5T_STRING && single && H5Tis_variable_str(type) <= 0) {
    NCC_TRY(ncc_output_file_text(file, path, name, value));
  } else if (class == H5T_INTEGER && single) {
    NCC_CHECK_H5(H5Aread(attribute, H5T_NATIVE_INT64, &integer) >= 0, NCC_ERR_INPUT, "%s: attribute %s cannot be read",
                 path, name);
    printed = asprintf(value, "%" PRId64, integer);
  } else if (class == H5T_FLOAT && single) {
    NCC_CHECK_H5(H5Aread(attribute, H5T_NATIVE_DOUBLE, &real) >= 0, NCC_ERR_INPUT, "%s: attribute %s cannot be read",
                 path, name);
    printed = asprintf(value, "%.6g", real);
  } else {
    printed = asprintf(value, "(not shown)");
  }
  NCC_CHECK(printed >= 0 && *value, NCC_ERR_NOMEM, "%s: no memory", path);
cleanup:
  ncc_h5_close(&space);
  ncc_h5_close(&type);
  ncc_h5_close(&attribute);
  return status;
}

/** Adds a name and its value, which is then the list's. */
static ncc_status keep(const char *path, ncc_output_data *data, const char *name, char *value) {
  ncc_status status = NCC_OK;
  char *copy = strdup(name);
  void *larger = realloc(data->attributes, (size_t)(data->n_attributes + 1) * sizeof *data->attributes);
  if (larger) data->attributes = larger;
  NCC_CHECK(copy && larger && value, NCC_ERR_NOMEM, "%s: no memory", path);
  data->attributes[data->n_attributes].name = copy;
  data->attributes[data->n_attributes++].value = value;
cleanup:
  if (status != NCC_OK) {
    free(copy);
    free(value);
  }
  return status;
}

static herr_t gather(hid_t file, const char *name, const H5A_info_t *info, void *client) {
  gathering *g = client;
  char *value = NULL;
  (void)info;
  g->status = attribute_text(file, g->path, name, &value);
  if (g->status == NCC_OK) g->status = keep(g->path, g->data, name, value);
  return g->status != NCC_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static ncc_status read_record(hid_t file, const char *path, ncc_output_record *record) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set = {.id = -1, .type = -1};
  hid_t type = ncc_output_record_type();
  int64_t place;
  *record = (ncc_output_record){.complete = 0};
  NCC_TRY(ncc_output_file_find_record(file, path, &place));
  NCC_TRY(ncc_h5_dataset_open(file, ncc_output_record_name, path, ncc_output_record_name, &set));
  NCC_CHECK_H5(H5Dread(set.id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, record) >= 0, NCC_ERR_INPUT,
               "%s: %s: cannot be read", path, ncc_output_record_name);
cleanup:
  ncc_h5_dataset_close(&set);
  ncc_h5_close(&type);
  return status;
}

ncc_status ncc_output_is_partial(const char *path, bool *partial) {
  ncc_status status = NCC_OK;
  ncc_output_record record;
  hid_t file = -1;
  NCC_TRY(ncc_output_file_open(path, &file));
  NCC_TRY(read_record(file, path, &record));
  *partial = record.complete == 0;
cleanup:
  ncc_h5_close(&file);
  return status;
}

/** Reads /run; its members are told among the attributes. */
static ncc_status load_record(hid_t file, const char *path, ncc_output_data *data) {
  ncc_status status = NCC_OK;
  ncc_output_record record;
  hid_t type = ncc_output_record_type();
  NCC_TRY(read_record(file, path, &record));
  for (unsigned i = 0; i < (unsigned)H5Tget_nmembers(type); i++) {
    const char *from = (const char *)&record + H5Tget_member_offset(type, i);
    const H5T_class_t class = H5Tget_member_class(type, i);
    char *name = H5Tget_member_name(type, i), *value = NULL;
    double real;
    int64_t integer;
    memcpy(&real, from, sizeof real);
    memcpy(&integer, from, sizeof integer);
    const int printed = class == H5T_STRING    ? asprintf(&value, "%.31s", from)
                        : class == H5T_INTEGER ? asprintf(&value, "%" PRId64, integer)
                                               : asprintf(&value, "%.6g", real);
    status = keep(path, data, name ? name : "", printed < 0 ? NULL : value);
    H5free_memory(name);
    NCC_TRY(status);
  }
  data->complete = record.complete == 1;
cleanup:
  ncc_h5_close(&type);
  return status;
}

ncc_status ncc_output_load(const char *path, ncc_output_data *out) {
  ncc_status status = NCC_OK;
  hid_t file = -1;
  *out = (ncc_output_data){0};
  NCC_TRY(ncc_target_spare(path, NULL));
  NCC_TRY(ncc_output_file_open(path, &file));
  NCC_TRY(load_table(file, path, NCC_TABLE_PAIRS, H5T_NATIVE_INT64, -1, &out->n_pairs, (void **)&out->pairs));
  const int64_t n = out->n_pairs;
  NCC_TRY(load_table(file, path, NCC_TABLE_COORDS, H5T_NATIVE_INT64, n, NULL, (void **)&out->coords));
  NCC_TRY(load_table(file, path, NCC_TABLE_OFFSETS, H5T_NATIVE_INT64, n, NULL, (void **)&out->offsets));
  NCC_TRY(load_table(file, path, NCC_TABLE_PEAKS, H5T_NATIVE_DOUBLE, n, NULL, (void **)&out->peaks));
  NCC_TRY(load_table(file, path, NCC_TABLE_OVERLAP, H5T_NATIVE_FLOAT, n, NULL, (void **)&out->overlap));
  NCC_TRY(load_table(file, path, NCC_TABLE_STATUS, -1, n, NULL, (void **)&out->status));
  NCC_TRY(load_table(file, path, NCC_TABLE_AT_BORDER, H5T_NATIVE_UINT8, n, NULL, (void **)&out->at_border));
  if (H5Lexists(file, "/subpixel", H5P_DEFAULT) > 0) {
    NCC_TRY(load_table(file, path, NCC_TABLE_SUBPIXEL, H5T_NATIVE_DOUBLE, n, NULL, (void **)&out->subpixel));
    NCC_TRY(load_table(file, path, NCC_TABLE_SECOND_COORDS, H5T_NATIVE_INT64, n, NULL, (void **)&out->second_coords));
    NCC_TRY(load_table(file, path, NCC_TABLE_SECOND_PEAKS, H5T_NATIVE_DOUBLE, n, NULL, (void **)&out->second_peaks));
  }
  if (H5Lexists(file, "/curvature", H5P_DEFAULT) > 0)
    NCC_TRY(load_table(file, path, NCC_TABLE_CURVATURE, H5T_NATIVE_DOUBLE, n, NULL, (void **)&out->curvature));
  if (H5Lexists(file, "/angles", H5P_DEFAULT) > 0)
    NCC_TRY(load_table(file, path, NCC_TABLE_ANGLES, H5T_NATIVE_DOUBLE, n, NULL, (void **)&out->angles));
  if (H5Lexists(file, "/top_coords", H5P_DEFAULT) > 0) {
    int *peaks = &out->n_peaks;
    NCC_TRY(load_lists(file, path, NCC_TABLE_TOP_COORDS, H5T_NATIVE_INT64, n, peaks, NULL, (void **)&out->top_coords));
    NCC_TRY(load_lists(file, path, NCC_TABLE_TOP_PEAKS, H5T_NATIVE_DOUBLE, n, peaks, NULL, (void **)&out->top_peaks));
  }
  NCC_TRY(load_record(file, path, out));
  for (int64_t row = 0; row < n; row++) {
    NCC_CHECK(out->status[row] < NCC_PAIR_STATUS_COUNT, NCC_ERR_INPUT,
              "%s: /status row %" PRId64 ": %d found, expected 0 to %d", path, row, out->status[row],
              NCC_PAIR_STATUS_COUNT - 1);
    if (out->status[row] == NCC_PAIR_PENDING) out->complete = false;
  }
  gathering g = {path, out, NCC_OK};
  herr_t walked = H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_INC, NULL, gather, &g);
  NCC_TRY(g.status);
  NCC_CHECK_H5(walked >= 0, NCC_ERR_INPUT, "%s: attributes cannot be listed", path);
  qsort(out->attributes, (size_t)out->n_attributes, sizeof *out->attributes, compare_names);
  NCC_TRY(ncc_output_file_text(file, path, "input_path", &out->input_path));
cleanup:
  ncc_h5_close(&file);
  if (status != NCC_OK) ncc_output_data_clear(out);
  return status;
}

ncc_status ncc_output_examine(const char *path) {
  static const char *const texts[] = {"result_options", "input_fingerprint", "input_path", "input_modified"};
  ncc_status status = NCC_OK;
  int64_t place;
  ncc_h5_dataset set = {.id = -1, .type = -1};
  char *text = NULL;
  int64_t number;
  hid_t file = -1;
  NCC_TRY(ncc_output_file_open(path, &file));
  NCC_TRY(ncc_output_file_integer(file, path, "numerics_revision", -1, &number));
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    NCC_TRY(ncc_output_file_text(file, path, texts[i], &text));
    free(text);
    text = NULL;
  }
  for (int i = 0; i < NCC_TABLE_COUNT; i++) {
    if (H5Lexists(file, ncc_tables[i].name, H5P_DEFAULT) <= 0) continue;
    NCC_TRY(ncc_h5_dataset_open(file, ncc_tables[i].name, path, ncc_tables[i].name, &set));
    (void)H5Dget_offset(set.id);
    ncc_h5_dataset_close(&set);
  }
  NCC_TRY(ncc_h5_walk_integers(file, path, "/pairs", -1, 2, &number, NULL, NULL));
  NCC_TRY(ncc_output_file_find_record(file, path, &place));
cleanup:
  free(text);
  ncc_h5_dataset_close(&set);
  ncc_h5_close(&file);
  return status;
}

const char *ncc_output_data_attribute(const ncc_output_data *data, const char *name) {
  for (int i = 0; i < data->n_attributes; i++) {
    if (strcmp(data->attributes[i].name, name) == 0) return data->attributes[i].value;
  }
  return "";
}

void ncc_output_data_clear(ncc_output_data *data) {
  for (int i = 0; i < data->n_attributes; i++) {
    free(data->attributes[i].name);
    free(data->attributes[i].value);
  }
  free(data->attributes);
  free(data->pairs);
  free(data->coords);
  free(data->offsets);
  free(data->peaks);
  free(data->overlap);
  free(data->status);
  free(data->at_border);
  free(data->subpixel);
  free(data->curvature);
  free(data->second_coords);
  free(data->second_peaks);
  free(data->angles);
  free(data->top_coords);
  free(data->top_peaks);
  free(data->input_path);
  *data = (ncc_output_data){0};
}
