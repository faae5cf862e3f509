/** Input files, image by image. See input_writer.h.
 *
 *  Contiguous datasets are the default: they are what readers fetch fastest, by offset and without HDF5.
 */
#include "io/input/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/target.h"
#include "base/text.h"
#include "io/base/h5.h"

/** /images or /templates as it is being written. */
typedef struct part {
  hid_t stack, group; /**< one of them, or -1 */
  ncc_storage storage;
  ncc_object shape; /**< of a stack's planes */
  int64_t count;    /**< of a stack's planes */
  int64_t put;      /**< objects written */
  bool boxes, sources;
} part;

/** The object whose rows are being written; rows 0: none. */
typedef struct begun {
  ncc_object_kind kind;
  int64_t id, rows, cols, written;
  ncc_dtype dtype;
  hid_t set; /**< of its own in a group, or -1 */
} begun;

struct ncc_input_writer {
  char *path; /**< as the caller gave it, for messages */
  ncc_target target;
  hid_t file;
  part parts[2];
  begun object;
  bool has_pairs;
};

static const char *const kind_names[] = {"/images", "/templates"};

ncc_status ncc_input_writer_create(const char *path, bool overwrite, ncc_input_writer **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_h5_silence();
  ncc_input_writer *writer = calloc(1, sizeof *writer);
  NCC_CHECK(writer, NCC_ERR_NOMEM, "%s: no memory", path);
  writer->file = writer->object.set = -1;
  for (int kind = 0; kind < 2; kind++) writer->parts[kind].stack = writer->parts[kind].group = -1;
  writer->path = strdup(path);
  NCC_CHECK(writer->path, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(ncc_target_begin(path, "OUTPUT", &writer->target));
  NCC_CHECK(overwrite || access(path, F_OK) != 0, NCC_ERR_OUTPUT, "%s: exists already (--overwrite replaces it)", path);
  NCC_TRY(ncc_h5_create_file(writer->target.temporary, &writer->file));
cleanup:
  if (status == NCC_OK) {
    *out = writer;
  } else {
    ncc_input_writer_destroy(&writer);
  }
  return status;
}

/** Properties of a dataset that keeps no times: the same content is the same bytes. @return -1 on failure. */
static hid_t timeless_properties(void) {
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (properties >= 0) H5Pset_obj_track_times(properties, false);
  return properties;
}

/** Rows of a chunk; 1 where the layout is contiguous. */
static int64_t chunk_rows_of(const ncc_storage *storage, int64_t rows, int64_t cols, ncc_dtype dtype) {
  const bool chunked = storage->chunk_rows > 0 && storage->chunk_cols > 0;
  if (!chunked && storage->gzip_level == 0) return 1;
  const int64_t wanted = chunked ? storage->chunk_rows : (1 << 20) / (cols * (int64_t)ncc_dtype_size(dtype));
  return wanted > rows ? rows : wanted < 1 ? 1 : wanted;
}

/** Creation properties for objects of one shape; `rank` 3 puts one plane into a chunk's first extent. */
static ncc_status make_properties(const ncc_input_writer *writer, const char *label, const ncc_storage *storage,
                                  int rank, int64_t rows, int64_t cols, ncc_dtype dtype, hid_t *out) {
  ncc_status status = NCC_OK;
  *out = timeless_properties();
  NCC_CHECK_H5(*out >= 0, NCC_ERR_INTERNAL, "%s: %s: properties", writer->path, label);
  bool chunked = storage->chunk_rows > 0 && storage->chunk_cols > 0;
  if (!chunked && storage->gzip_level == 0) return NCC_OK;
  const int64_t chunk_cols = chunked && storage->chunk_cols < cols ? storage->chunk_cols : cols;
  const int64_t chunk_rows = chunk_rows_of(storage, rows, cols, dtype);
  hsize_t chunk[3] = {1, (hsize_t)chunk_rows, (hsize_t)chunk_cols};
  NCC_CHECK_H5(H5Pset_chunk(*out, rank, chunk + 3 - rank) >= 0, NCC_ERR_USAGE,
               "%s: %s: chunks of %" PRId64 " x %" PRId64 " pixels", writer->path, label, chunk_rows, chunk_cols);
  if (storage->gzip_level > 0) {
    NCC_CHECK_H5(H5Pset_shuffle(*out) >= 0 && H5Pset_deflate(*out, (unsigned)storage->gzip_level) >= 0, NCC_ERR_USAGE,
                 "%s: %s: gzip level %d", writer->path, label, storage->gzip_level);
  }
cleanup:
  return status;
}

static ncc_status check_storage(const ncc_input_writer *writer, ncc_object_kind kind, const ncc_storage *storage) {
  ncc_status status = NCC_OK;
  const part *p = &writer->parts[kind];
  NCC_CHECK(p->stack < 0 && p->group < 0 && !p->boxes && !p->sources, NCC_ERR_USAGE, "%s: %s was begun already",
            writer->path, kind_names[kind]);
  NCC_CHECK(!storage || (storage->gzip_level >= 0 && storage->gzip_level <= 9 && storage->chunk_rows >= 0 &&
                         storage->chunk_cols >= 0),
            NCC_ERR_USAGE, "%s: %s: chunk or gzip level out of range", writer->path, kind_names[kind]);
cleanup:
  return status;
}

ncc_status ncc_input_writer_stack(ncc_input_writer *writer, ncc_object_kind kind, int64_t count, int64_t rows,
                                  int64_t cols, ncc_dtype dtype, const ncc_storage *storage) {
  ncc_status status = NCC_OK;
  hid_t space = -1, properties = -1;
  part *p = &writer->parts[kind];
  const char *name = kind_names[kind];
  NCC_TRY(check_storage(writer, kind, storage));
  NCC_CHECK(count >= 0 && rows > 0 && cols > 0 && (hsize_t)rows <= NCC_H5_MAX_SIDE && (hsize_t)cols <= NCC_H5_MAX_SIDE,
            NCC_ERR_USAGE, "%s: %s: shape [%" PRId64 ", %" PRId64 ", %" PRId64 "] is out of range", writer->path, name,
            count, rows, cols);
  if (storage) p->storage = *storage;
  // A chunked dataset cannot have a chunk larger than itself, so an empty stack is contiguous.
  static const ncc_storage contiguous = {0};
  NCC_TRY(make_properties(writer, name, count ? &p->storage : &contiguous, 3, rows, cols, dtype, &properties));
  space = H5Screate_simple(3, (hsize_t[3]){(hsize_t)count, (hsize_t)rows, (hsize_t)cols}, NULL);
  p->stack = H5Dcreate2(writer->file, name, ncc_h5_pixel_type(dtype), space, H5P_DEFAULT, properties, H5P_DEFAULT);
  NCC_CHECK_H5(p->stack >= 0, NCC_ERR_OUTPUT, "%s: %s: cannot be created", writer->path, name);
  p->shape = (ncc_object){.rows = rows, .cols = cols, .dtype = dtype};
  p->count = count;
cleanup:
  ncc_h5_close(&space);
  ncc_h5_close(&properties);
  return status;
}

ncc_status ncc_input_writer_group(ncc_input_writer *writer, ncc_object_kind kind, const ncc_storage *storage) {
  ncc_status status = NCC_OK;
  part *p = &writer->parts[kind];
  NCC_TRY(check_storage(writer, kind, storage));
  if (storage) p->storage = *storage;
  p->group = H5Gcreate2(writer->file, kind_names[kind], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  NCC_CHECK_H5(p->group >= 0, NCC_ERR_OUTPUT, "%s: %s: cannot be created", writer->path, kind_names[kind]);
cleanup:
  return status;
}

/** The pixels without gaps between rows: themselves, or a copy in *owned. */
static ncc_status pack_rows(const ncc_array *pixels, const void **data, void **owned) {
  size_t size = ncc_dtype_size(pixels->dtype), row = size * (size_t)pixels->cols;
  *data = pixels->data;
  if (pixels->row_stride == pixels->cols) return NCC_OK;
  *owned = malloc(row * (size_t)pixels->rows);
  if (!*owned) return ncc_error_set(NCC_ERR_NOMEM, "no memory for %" PRId64 " rows", pixels->rows);
  for (int64_t y = 0; y < pixels->rows; y++) {
    memcpy((char *)*owned + (size_t)y * row, (const char *)pixels->data + y * pixels->row_stride * (int64_t)size, row);
  }
  *data = *owned;
  return NCC_OK;
}

static ncc_status begin_plane(ncc_input_writer *writer, const begun *o) {
  ncc_status status = NCC_OK;
  const part *p = &writer->parts[o->kind];
  const char *name = kind_names[o->kind];
  NCC_CHECK(o->id < p->count, NCC_ERR_USAGE, "%s: %s: id %" PRId64 " found, expected 0 to %" PRId64, writer->path, name,
            o->id, p->count - 1);
  NCC_CHECK(o->rows == p->shape.rows && o->cols == p->shape.cols && o->dtype == p->shape.dtype, NCC_ERR_USAGE,
            "%s: %s: id %" PRId64 ": %" PRId64 " x %" PRId64 " %s found, expected %" PRId64 " x %" PRId64 " %s",
            writer->path, name, o->id, o->rows, o->cols, ncc_dtype_name(o->dtype), p->shape.rows, p->shape.cols,
            ncc_dtype_name(p->shape.dtype));
cleanup:
  return status;
}

static ncc_status begin_dataset(ncc_input_writer *writer, begun *o) {
  ncc_status status = NCC_OK;
  part *p = &writer->parts[o->kind];
  hid_t space = -1, properties = -1;
  char name[32];
  snprintf(name, sizeof name, "%" PRId64, o->id);
  if (p->group < 0) NCC_TRY(ncc_input_writer_group(writer, o->kind, NULL));
  NCC_TRY(make_properties(writer, kind_names[o->kind], &p->storage, 2, o->rows, o->cols, o->dtype, &properties));
  space = H5Screate_simple(2, (hsize_t[2]){(hsize_t)o->rows, (hsize_t)o->cols}, NULL);
  o->set = H5Dcreate2(p->group, name, ncc_h5_pixel_type(o->dtype), space, H5P_DEFAULT, properties, H5P_DEFAULT);
  NCC_CHECK_H5(o->set >= 0, NCC_ERR_OUTPUT, "%s: %s/%s: cannot be created", writer->path, kind_names[o->kind], name);
cleanup:
  ncc_h5_close(&space);
  ncc_h5_close(&properties);
  return status;
}

ncc_status ncc_input_writer_begin(ncc_input_writer *writer, ncc_object_kind kind, int64_t id, int64_t rows,
                                  int64_t cols, ncc_dtype dtype) {
  ncc_status status = NCC_OK;
  part *p = &writer->parts[kind];
  begun o = {.kind = kind, .id = id, .rows = rows, .cols = cols, .dtype = dtype, .set = -1};
  NCC_CHECK(!writer->object.rows, NCC_ERR_USAGE, "%s: %s/%" PRId64 " was not ended", writer->path,
            kind_names[writer->object.kind], writer->object.id);
  NCC_CHECK(!p->boxes && !p->sources && id >= 0 && rows > 0 && cols > 0, NCC_ERR_USAGE,
            "%s: %s: id %" PRId64 ": pixels, and an id of at least 0, expected", writer->path, kind_names[kind], id);
  NCC_TRY(p->stack >= 0 ? begin_plane(writer, &o) : begin_dataset(writer, &o));
  writer->object = o;
cleanup:
  return status;
}

int64_t ncc_input_writer_chunk_rows(const ncc_input_writer *writer) {
  const begun *o = &writer->object;
  return chunk_rows_of(&writer->parts[o->kind].storage, o->rows, o->cols, o->dtype);
}

ncc_status ncc_input_writer_rows(ncc_input_writer *writer, const ncc_array *rows) {
  ncc_status status = NCC_OK;
  begun *o = &writer->object;
  const part *p = &writer->parts[o->kind];
  const void *data = NULL;
  void *owned = NULL;
  hid_t space = -1, memory = -1, set = o->set >= 0 ? o->set : p->stack;
  const int rank = o->set >= 0 ? 2 : 3;
  const hsize_t start[3] = {(hsize_t)o->id, (hsize_t)o->written, 0};
  const hsize_t extent[3] = {1, (hsize_t)rows->rows, (hsize_t)rows->cols};
  NCC_CHECK(rows->data && rows->cols == o->cols && rows->dtype == o->dtype && rows->rows <= o->rows - o->written,
            NCC_ERR_USAGE,
            "%s: %s: id %" PRId64 ": %" PRId64 " x %" PRId64 " %s found, expected %" PRId64 " x %" PRId64 " %s",
            writer->path, kind_names[o->kind], o->id, rows->rows, rows->cols, ncc_dtype_name(rows->dtype),
            o->rows - o->written, o->cols, ncc_dtype_name(o->dtype));
  NCC_TRY(pack_rows(rows, &data, &owned));
  space = H5Dget_space(set);
  memory = H5Screate_simple(rank, extent + 3 - rank, NULL);
  NCC_CHECK_H5(H5Sselect_hyperslab(space, H5S_SELECT_SET, start + 3 - rank, NULL, extent + 3 - rank, NULL) >= 0 &&
                   H5Dwrite(set, ncc_h5_pixel_type(o->dtype), memory, space, H5P_DEFAULT, data) >= 0,
               NCC_ERR_OUTPUT, "%s: %s: id %" PRId64 " cannot be written", writer->path, kind_names[o->kind], o->id);
  o->written += rows->rows;
cleanup:
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  free(owned);
  return status;
}

ncc_status ncc_input_writer_end(ncc_input_writer *writer, bool keep) {
  ncc_status status = NCC_OK;
  begun *o = &writer->object;
  part *p = &writer->parts[o->kind];
  char name[32];
  snprintf(name, sizeof name, "%" PRId64, o->id);
  NCC_CHECK(!keep || o->written == o->rows, NCC_ERR_USAGE,
            "%s: %s: id %s: %" PRId64 " of %" PRId64 " rows were written", writer->path, kind_names[o->kind], name,
            o->written, o->rows);
  const bool closed = o->set < 0 || H5Dclose(o->set) >= 0;
  o->set = -1;
  NCC_CHECK_H5(closed, NCC_ERR_OUTPUT, "%s: %s/%s: cannot be written", writer->path, kind_names[o->kind], name);
  if (keep) {
    p->put++;
  } else if (p->group >= 0) {
    NCC_CHECK_H5(H5Ldelete(p->group, name, H5P_DEFAULT) >= 0, NCC_ERR_OUTPUT, "%s: %s/%s: cannot be taken back",
                 writer->path, kind_names[o->kind], name);
  }
cleanup:
  ncc_h5_close(&o->set);
  *o = (begun){.set = -1};
  return status;
}

ncc_status ncc_input_writer_put(ncc_input_writer *writer, ncc_object_kind kind, int64_t id, const ncc_array *pixels) {
  ncc_status status = NCC_OK;
  NCC_CHECK(pixels->data, NCC_ERR_USAGE, "%s: %s: id %" PRId64 ": no pixels found", writer->path, kind_names[kind], id);
  NCC_TRY(ncc_input_writer_begin(writer, kind, id, pixels->rows, pixels->cols, pixels->dtype));
  NCC_TRY(ncc_input_writer_rows(writer, pixels));
  NCC_TRY(ncc_input_writer_end(writer, true));
cleanup:
  return status;
}

/** Writes a whole dataset of n rows of `cols` values (0: one-dimensional). */
static ncc_status write_table(ncc_input_writer *writer, const char *name, hid_t file_type, hid_t memory_type, int64_t n,
                              int64_t cols, const void *data) {
  ncc_status status = NCC_OK;
  hid_t set = -1, properties = timeless_properties();
  hid_t space = H5Screate_simple(cols ? 2 : 1, (hsize_t[2]){(hsize_t)n, (hsize_t)cols}, NULL);
  set = H5Dcreate2(writer->file, name, file_type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  NCC_CHECK_H5(
      properties >= 0 && set >= 0 && (n == 0 || H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0),
      NCC_ERR_OUTPUT, "%s: %s: cannot be written", writer->path, name);
cleanup:
  ncc_h5_close(&set);
  ncc_h5_close(&space);
  ncc_h5_close(&properties);
  return status;
}

ncc_status ncc_input_writer_boxes(ncc_input_writer *writer, int64_t n, const int64_t (*boxes)[5]) {
  ncc_status status = NCC_OK;
  NCC_TRY(check_storage(writer, NCC_TEMPLATE, NULL));
  NCC_TRY(write_table(writer, "/templates", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 5, boxes));
  writer->parts[NCC_TEMPLATE].boxes = true;
cleanup:
  return status;
}

ncc_status ncc_input_writer_pairs(ncc_input_writer *writer, int64_t n, const int64_t (*pairs)[2]) {
  writer->has_pairs = true;
  return write_table(writer, "/pairs", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 2, pairs);
}

ncc_status ncc_input_writer_search(ncc_input_writer *writer, int64_t n, const ncc_rect *windows) {
  _Static_assert(sizeof(ncc_rect) == 4 * sizeof(int64_t), "a window is four numbers");
  return write_table(writer, "/search", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 4, windows);
}

ncc_status ncc_input_writer_near(ncc_input_writer *writer, int64_t n, const int64_t (*near)[4]) {
  return write_table(writer, "/near", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 4, near);
}

ncc_status ncc_input_writer_expected(ncc_input_writer *writer, int64_t n, const int64_t (*coords)[2],
                                     const double *peaks) {
  ncc_status status = NCC_OK;
  hid_t group = H5Gcreate2(writer->file, "/expected", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  NCC_CHECK_H5(group >= 0, NCC_ERR_OUTPUT, "%s: /expected: cannot be created", writer->path);
  if (coords) NCC_TRY(write_table(writer, "/expected/coords", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 2, coords));
  if (peaks) NCC_TRY(write_table(writer, "/expected/peaks", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n, 0, peaks));
cleanup:
  ncc_h5_close(&group);
  return status;
}

ncc_status ncc_input_writer_expected_subpixel(ncc_input_writer *writer, int64_t n, const double (*positions)[2]) {
  return write_table(writer, "/expected/subpixel", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n, 2, positions);
}

ncc_status ncc_input_writer_expected_angles(ncc_input_writer *writer, int64_t n, const double *angles) {
  return write_table(writer, "/expected/angles", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n, 0, angles);
}

/** A string type, UTF-8. @param[in] length  H5T_VARIABLE, or bytes, filled up by zeros. */
static hid_t make_string_type(size_t length) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, length);
  H5Tset_strpad(type, length == H5T_VARIABLE ? H5T_STR_NULLTERM : H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

static ncc_status write_attribute(ncc_input_writer *writer, hid_t owner, const char *name, const char *value) {
  ncc_status status = NCC_OK;
  hid_t space = H5Screate(H5S_SCALAR), type = make_string_type(H5T_VARIABLE);
  hid_t attribute = H5Acreate2(owner, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  char *text = ncc_text_utf8(value);
  NCC_CHECK(text, NCC_ERR_NOMEM, "%s: no memory", writer->path);
  NCC_CHECK_H5(attribute >= 0 && H5Awrite(attribute, type, &text) >= 0, NCC_ERR_OUTPUT,
               "%s: attribute %s: cannot be written", writer->path, name);
cleanup:
  free(text);
  ncc_h5_close(&attribute);
  ncc_h5_close(&type);
  ncc_h5_close(&space);
  return status;
}

ncc_status ncc_input_writer_attribute(ncc_input_writer *writer, const char *name, const char *value) {
  return write_attribute(writer, writer->file, name, value);
}

ncc_status ncc_input_writer_names(ncc_input_writer *writer, ncc_object_kind kind, int64_t n, const char *const *names) {
  hid_t type = make_string_type(H5T_VARIABLE);
  ncc_status status =
      write_table(writer, kind == NCC_IMAGE ? "/image_names" : "/template_names", type, type, n, 0, names);
  ncc_h5_close(&type);
  return status;
}

enum { STRINGS_A_CHUNK = 4096 };

ncc_status ncc_input_writer_strings(ncc_input_writer *writer, const char *name, int64_t n, const char *const *texts) {
  ncc_status status = NCC_OK;
  size_t length = 1;
  for (int64_t i = 0; i < n; i++) length = strlen(texts[i]) > length ? strlen(texts[i]) : length;
  const int64_t most = n < STRINGS_A_CHUNK ? n : STRINGS_A_CHUNK;
  hid_t type = make_string_type(length), space = H5Screate_simple(1, (hsize_t[1]){(hsize_t)n}, NULL);
  hid_t properties = timeless_properties(), set = -1, memory = -1;
  char *block = calloc((size_t)(most ? most : 1), length);
  NCC_CHECK(block, NCC_ERR_NOMEM, "%s: no memory", writer->path);
  if (n > 0) {
    H5Pset_chunk(properties, 1, (hsize_t[1]){(hsize_t)most});
    H5Pset_deflate(properties, 4);
  }
  set = H5Dcreate2(writer->file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  NCC_CHECK_H5(set >= 0, NCC_ERR_OUTPUT, "%s: %s: cannot be created", writer->path, name);
  for (int64_t first = 0; first < n; first += most) {
    const hsize_t at = (hsize_t)first, count = (hsize_t)(n - first < most ? n - first : most);
    for (hsize_t i = 0; i < count; i++) strncpy(block + i * length, texts[at + i], length);
    ncc_h5_close(&memory);
    memory = H5Screate_simple(1, &count, NULL);
    NCC_CHECK_H5(H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &count, NULL) >= 0 &&
                     H5Dwrite(set, type, memory, space, H5P_DEFAULT, block) >= 0,
                 NCC_ERR_OUTPUT, "%s: %s: cannot be written", writer->path, name);
  }
cleanup:
  free(block);
  ncc_h5_close(&memory);
  ncc_h5_close(&set);
  ncc_h5_close(&properties);
  ncc_h5_close(&space);
  ncc_h5_close(&type);
  return status;
}

ncc_status ncc_input_writer_sources(ncc_input_writer *writer, ncc_object_kind kind, int64_t n,
                                    const char *const *sources, const int64_t (*shapes)[2], ncc_dtype dtype,
                                    const char *root) {
  ncc_status status = NCC_OK;
  hid_t set = -1;
  part *p = &writer->parts[kind];
  NCC_TRY(check_storage(writer, kind, NULL));
  NCC_TRY(ncc_input_writer_strings(writer, kind_names[kind], n, sources));
  p->sources = true;
  if (shapes)
    NCC_TRY(write_table(writer, kind == NCC_IMAGE ? "/image_shapes" : "/template_shapes", H5T_STD_I64LE,
                        H5T_NATIVE_INT64, n, 2, shapes));
  set = H5Dopen2(writer->file, kind_names[kind], H5P_DEFAULT);
  NCC_CHECK_H5(set >= 0, NCC_ERR_OUTPUT, "%s: %s: cannot be opened", writer->path, kind_names[kind]);
  if (dtype != NCC_DTYPE_COUNT) NCC_TRY(write_attribute(writer, set, "dtype", ncc_dtype_name(dtype)));
  if (root) NCC_TRY(write_attribute(writer, set, "root", root));
cleanup:
  ncc_h5_close(&set);
  return status;
}

ncc_status ncc_input_writer_integer(ncc_input_writer *writer, const char *name, int64_t value) {
  ncc_status status = NCC_OK;
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(writer->file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  NCC_CHECK_H5(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &value) >= 0, NCC_ERR_OUTPUT,
               "%s: attribute %s: cannot be written", writer->path, name);
cleanup:
  ncc_h5_close(&attribute);
  ncc_h5_close(&space);
  return status;
}

/** Closes what is open in the file, then the file. @return whether HDF5 could write all that it held back. */
static bool close_file(ncc_input_writer *writer) {
  bool good = true;
  ncc_h5_close(&writer->object.set);
  for (int kind = 0; kind < 2; kind++) {
    part *p = &writer->parts[kind];
    if (p->stack >= 0) good = H5Dclose(p->stack) >= 0 && good;
    if (p->group >= 0) good = H5Gclose(p->group) >= 0 && good;
    p->stack = p->group = -1;
  }
  if (writer->file >= 0) good = H5Fclose(writer->file) >= 0 && good;
  writer->file = -1;
  return good;
}

ncc_status ncc_input_writer_finish(ncc_input_writer **writer_in) {
  ncc_status status = NCC_OK;
  ncc_input_writer *writer = *writer_in;
  NCC_CHECK(!writer->object.rows, NCC_ERR_USAGE, "%s: %s/%" PRId64 " was not ended", writer->path,
            kind_names[writer->object.kind], writer->object.id);
  for (int kind = 0; kind < 2; kind++) {
    const part *p = &writer->parts[kind];
    NCC_CHECK(p->stack >= 0 || p->group >= 0 || p->boxes || p->sources, NCC_ERR_USAGE, "%s: %s was never written",
              writer->path, kind_names[kind]);
    NCC_CHECK(p->stack < 0 || p->put == p->count, NCC_ERR_USAGE,
              "%s: %s: %" PRId64 " of %" PRId64 " planes were written", writer->path, kind_names[kind], p->put,
              p->count);
  }
  NCC_CHECK(writer->has_pairs, NCC_ERR_USAGE, "%s: /pairs was never written", writer->path);
  NCC_CHECK_H5(close_file(writer), NCC_ERR_OUTPUT, "%s: cannot be completed", writer->path);
  NCC_TRY(ncc_target_commit(&writer->target));
cleanup:
  ncc_input_writer_destroy(writer_in);
  return status;
}

void ncc_input_writer_destroy(ncc_input_writer **writer_in) {
  ncc_input_writer *writer = *writer_in;
  if (!writer) return;
  close_file(writer);
  ncc_target_end(&writer->target);
  free(writer->path);
  free(writer);
  *writer_in = NULL;
}
