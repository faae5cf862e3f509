/** See h5.h. */
#include "io/base/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/crash.h"
#include "io/base/hdf5_version.h"

enum { REASON_BYTES = 2048, NUMBER_BYTES = 64 };

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void ncc_h5_lock(void) {
  pthread_mutex_lock(&lock);
}

void ncc_h5_unlock(void) {
  pthread_mutex_unlock(&lock);
}

void ncc_h5_silence(void) {
  ncc_h5_lock();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  ncc_h5_unlock();
}

/** Keeps the first line that is visited: the innermost. */
static herr_t keep_reason(unsigned n, const H5E_error2_t *error, void *client) {
  (void)n;
  if (error->desc) snprintf(client, REASON_BYTES, "%s", error->desc);
  return 1;
}

/** Of a failed system call HDF5 tells time, buffers and sizes: keeps "what failed: the system's words" in place. */
static void shorten_reason(char *reason) {
  static const char mark[] = "error message = '";
  char *colon = strstr(reason, ": "), *words = strstr(reason, mark);
  char *end = words ? strchr(words + sizeof mark - 1, '\'') : NULL;
  if (!colon || !end || colon > words) return;
  words += sizeof mark - 1;
  memmove(colon + 2, words, (size_t)(end - words));
  colon[2 + (end - words)] = '\0';
}

ncc_status ncc_h5_error(ncc_status code, const char *format, ...) {
  char reason[REASON_BYTES] = "no reason given by HDF5", text[1024];
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, reason);
  for (char *c = reason; *c; c++) {
    if (*c == '\n') *c = ' ';
  }
  shorten_reason(reason);
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  // Versions of structures that are unknown here, or damage.
  const bool newer = strstr(reason, "version") != NULL;
  return newer ? ncc_error_set(code,
                               "%s: %s (written by an HDF5 newer than %s, which reads it here? h5repack makes a file "
                               "of the old format)",
                               text, reason, ncc_hdf5_version())
               : ncc_error_set(code, "%s: %s", text, reason);
}

void ncc_h5_close(hid_t *id) {
  if (*id >= 0) H5Idec_ref(*id);
  *id = -1;
}

/** Plain questions first: the system's words are clearer than HDF5's. */
static ncc_status check_regular(const char *path) {
  ncc_status status = NCC_OK;
  struct stat info;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // a pipe would wait for a writer
  NCC_CHECK(fd >= 0, NCC_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
  NCC_CHECK(fstat(fd, &info) == 0, NCC_ERR_INPUT, "%s: cannot be inspected: %s", path, strerror(errno));
  NCC_CHECK(S_ISREG(info.st_mode), NCC_ERR_INPUT, "%s: %s found, expected an HDF5 file", path,
            S_ISDIR(info.st_mode) ? "a directory" : "not a regular file");
cleanup:
  if (fd >= 0) close(fd);
  return status;
}

/** Replaces HDF5's words about locking: a writer elsewhere, or a file system that cannot lock. */
static void say_why_not_locked(const char *path) {
  const char *number = strstr(ncc_error_message(), "errno = ");
  int code = number ? atoi(number + strlen("errno = ")) : 0;
  if (code == EAGAIN || code == EACCES)
    ncc_error_set(NCC_ERR_INPUT,
                  "%s: is locked: another program has it open for writing (HDF5_USE_FILE_LOCKING=FALSE in the "
                  "environment overrides this)",
                  path);
  else
    ncc_error_set(NCC_ERR_INPUT,
                  "%s: its file system cannot lock it (%s): set HDF5_USE_FILE_LOCKING=FALSE in the environment of all "
                  "ranks",
                  path, code ? strerror(code) : "no reason given");
}

ncc_status ncc_h5_open_file(const char *path, hid_t *out) {
  ncc_status status = NCC_OK;
  hid_t access = -1;
  const char *before = ncc_crash_reading(path);
  *out = -1;
  ncc_h5_silence();
  NCC_TRY(check_regular(path));
  htri_t is_hdf5 = H5Fis_hdf5(path);
  NCC_CHECK(is_hdf5 != 0, NCC_ERR_INPUT, "%s: not an HDF5 file", path);
  access = H5Pcreate(H5P_FILE_ACCESS);
  // Lock where the file system can, so that a file being written elsewhere is noticed; do without where it cannot.
  // External links usually point into few files: keep those open. No sieve buffer: after a read error HDF5 1.10 takes
  // what was in it for the data that could not be read.
  NCC_CHECK_H5(access >= 0 && H5Pset_file_locking(access, 1, 1) >= 0 && H5Pset_elink_file_cache_size(access, 16) >= 0 &&
                   H5Pset_sieve_buf_size(access, 0) >= 0,
               NCC_ERR_INTERNAL, "%s: HDF5 access properties", path);
  *out = H5Fopen(path, H5F_ACC_RDONLY, access);
  if (*out < 0) {
    status = ncc_h5_error(NCC_ERR_INPUT, "%s: cannot be opened as HDF5", path);
    if (strstr(ncc_error_message(), "lock file")) say_why_not_locked(path);
  }
cleanup:
  ncc_h5_close(&access);
  ncc_crash_reading(before);
  return status;
}

ncc_status ncc_h5_create_file(const char *path, hid_t *out) {
  ncc_status status = NCC_OK;
  *out = -1;
  ncc_h5_silence();
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  // Nobody else knows the temporary name; not every shared file system can lock.
  NCC_CHECK_H5(access >= 0 && H5Pset_file_locking(access, 0, 1) >= 0 &&
                   H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST) >= 0,
               NCC_ERR_INTERNAL, "%s: HDF5 access properties", path);
  *out = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
  NCC_CHECK_H5(*out >= 0, NCC_ERR_OUTPUT, "%s: cannot be created", path);
cleanup:
  ncc_h5_close(&access);
  return status;
}

/** IEEE binary16 in the byte order of `like`. */
static hid_t make_float16(hid_t like) {
  hid_t type = H5Tcopy(like);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

hid_t ncc_h5_pixel_type(ncc_dtype dtype) {
  static hid_t float16 = -1;
  switch (dtype) {
    case NCC_U8:
      return H5T_NATIVE_UINT8;
    case NCC_I8:
      return H5T_NATIVE_INT8;
    case NCC_U16:
      return H5T_NATIVE_UINT16;
    case NCC_I16:
      return H5T_NATIVE_INT16;
    case NCC_U32:
      return H5T_NATIVE_UINT32;
    case NCC_I32:
      return H5T_NATIVE_INT32;
    case NCC_F16:
      if (float16 < 0) float16 = make_float16(H5T_NATIVE_FLOAT);
      return float16;
    case NCC_F32:
      return H5T_NATIVE_FLOAT;
    case NCC_F64:
      return H5T_NATIVE_DOUBLE;
    default:
      return -1;
  }
}

/** Whether a float type is the given native type, in either byte order. */
static bool is_float(hid_t type, hid_t native) {
  hid_t swapped = H5Tcopy(native);
  H5Tset_order(swapped, H5Tget_order(native) == H5T_ORDER_LE ? H5T_ORDER_BE : H5T_ORDER_LE);
  bool same = H5Tequal(type, native) > 0 || H5Tequal(type, swapped) > 0;
  H5Tclose(swapped);
  return same;
}

bool ncc_h5_pixel_dtype(hid_t type, ncc_dtype *dtype) {
  size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: {
      bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
      if (size == 1) return *dtype = is_signed ? NCC_I8 : NCC_U8, true;
      if (size == 2) return *dtype = is_signed ? NCC_I16 : NCC_U16, true;
      if (size == 4) return *dtype = is_signed ? NCC_I32 : NCC_U32, true;
      return false;
    }
    case H5T_FLOAT:
      *dtype = size == 2 ? NCC_F16 : size == 4 ? NCC_F32 : NCC_F64;
      return is_float(type, ncc_h5_pixel_type(*dtype));
    default:
      return false;
  }
}

ncc_stored_order ncc_h5_stored_order(hid_t type, ncc_dtype dtype) {
  static hid_t swapped[NCC_DTYPE_COUNT];  // HDF5 gives no identifier 0
  hid_t native = ncc_h5_pixel_type(dtype);
  if (H5Tequal(type, native) > 0) return NCC_STORED_NATIVE;
  if (!swapped[dtype]) {
    swapped[dtype] = H5Tcopy(native);
    H5Tset_order(swapped[dtype], H5Tget_order(native) == H5T_ORDER_LE ? H5T_ORDER_BE : H5T_ORDER_LE);
  }
  return H5Tequal(type, swapped[dtype]) > 0 ? NCC_STORED_SWAPPED : NCC_STORED_OTHER;
}

void ncc_h5_type_text(hid_t type, char *text, size_t size) {
  static const char *const names[] = {[H5T_TIME] = "times",
                                      [H5T_STRING] = "strings",
                                      [H5T_BITFIELD] = "bit fields",
                                      [H5T_OPAQUE] = "opaque data",
                                      [H5T_COMPOUND] = "compounds",
                                      [H5T_REFERENCE] = "references",
                                      [H5T_ENUM] = "enumerated values (or booleans)",
                                      [H5T_VLEN] = "sequences of variable length",
                                      [H5T_ARRAY] = "arrays"};
  H5T_class_t class = H5Tget_class(type);
  int bits = (int)(8 * H5Tget_size(type));
  if (class == H5T_INTEGER) {
    snprintf(text, size, "%d-bit %s integers", bits, H5Tget_sign(type) == H5T_SGN_2 ? "signed" : "unsigned");
  } else if (class == H5T_FLOAT) {
    ncc_dtype dtype;
    snprintf(text, size, "%d-bit floats%s", bits,
             bits <= 64 && !ncc_h5_pixel_dtype(type, &dtype) ? " that are not IEEE" : "");
  } else if (class == H5T_COMPOUND && H5Tget_nmembers(type) == 2) {
    snprintf(text, size, "complex numbers or compounds");
  } else {
    snprintf(text, size, "%s", class >= 0 && class < H5T_NCLASSES && names[class] ? names[class] : "unknown data");
  }
}

/** A shape in words, as "[3, 4]". */
static void shape_text(int rank, const hsize_t *shape, char *text, size_t size) {
  size_t used = 0;
  snprintf(text, size, rank == 0 ? "a scalar" : "[");
  for (int i = 0; i < rank && (used = strlen(text)) < size; i++) {
    snprintf(text + used, size - used, "%s%llu%s", i ? ", " : "", (unsigned long long)shape[i],
             i == rank - 1 ? "]" : "");
  }
}

/** An unavailable filter would else be noticed only in the middle of the run. */
static ncc_status check_filters(hid_t dataset, const char *file, const char *label, H5D_layout_t *layout,
                                int64_t *offset) {
  ncc_status status = NCC_OK;
  hid_t plist = -1;
  // Only contiguous data has a place of its own, and no filters; asking that is cheap where there are 10^5 datasets.
  *layout = H5D_CONTIGUOUS;
  haddr_t address = H5Dget_offset(dataset);
  // Of data never written behind a user block (512 bytes or a larger power of two) HDF5 1.10 says "user block - 1".
  bool odd = address >= 511 && (address & (address + 1)) == 0;
  *offset = address == HADDR_UNDEF || odd ? -1 : (int64_t)address;
  if (*offset >= 0) return NCC_OK;
  plist = H5Dget_create_plist(dataset);
  NCC_CHECK_H5(plist >= 0, NCC_ERR_INPUT, "%s: %s: layout cannot be read", file, label);
  *layout = H5Pget_layout(plist);
  int n = *layout == H5D_CHUNKED ? H5Pget_nfilters(plist) : 0;
  for (int i = 0; i < n; i++) {
    char name[64] = "";
    unsigned flags, config = 0;
    size_t n_values = 0;
    H5Z_filter_t filter = H5Pget_filter2(plist, (unsigned)i, &flags, &n_values, NULL, sizeof name, name, &config);
    NCC_CHECK(H5Zfilter_avail(filter) > 0, NCC_ERR_INPUT,
              "%s: %s: stored with HDF5 filter %d%s%s%s, which this installation does not have (plugins are sought in "
              "HDF5_PLUGIN_PATH)",
              file, label, (int)filter, name[0] ? " (" : "", name, name[0] ? ")" : "");
  }
cleanup:
  ncc_h5_close(&plist);
  return status;
}

ncc_status ncc_h5_dataset_open(hid_t parent, const char *name, const char *file, const char *label,
                               ncc_h5_dataset *out) {
  ncc_status status = NCC_OK;
  hid_t space = -1, object = -1;
  hsize_t most[H5S_MAX_RANK];
  H5T_class_t class;
  size_t bytes;
  *out = (ncc_h5_dataset){.id = -1, .type = -1};
  object = H5Oopen(parent, name, H5P_DEFAULT);
  NCC_CHECK_H5(object >= 0, NCC_ERR_INPUT, "%s: %s: cannot be opened", file, label);
  NCC_CHECK(H5Iget_type(object) == H5I_DATASET, NCC_ERR_INPUT, "%s: %s: a %s found, expected a dataset", file, label,
            H5Iget_type(object) == H5I_GROUP ? "group" : "named type");
  out->id = object;
  object = -1;
  out->type = H5Dget_type(out->id);
  space = H5Dget_space(out->id);
  NCC_CHECK_H5(out->type >= 0 && space >= 0, NCC_ERR_INPUT, "%s: %s: type or shape cannot be read", file, label);
  class = H5Tget_class(out->type);
  bytes = H5Tget_size(out->type);
  // Of such numbers HDF5 would allocate one before it notices that the file is shorter.
  NCC_CHECK((class != H5T_INTEGER && class != H5T_FLOAT) || bytes <= NUMBER_BYTES, NCC_ERR_INPUT,
            "%s: %s: damaged: numbers of %zu bytes each", file, label, bytes);
  ncc_h5_type_text(out->type, out->type_text, sizeof out->type_text);
  NCC_CHECK(H5Sget_simple_extent_type(space) != H5S_NULL, NCC_ERR_INPUT, "%s: %s: an empty dataset found", file, label);
  out->rank = H5Sget_simple_extent_dims(space, out->shape, most);
  NCC_CHECK_H5(out->rank >= 0, NCC_ERR_INPUT, "%s: %s: shape cannot be read", file, label);
  shape_text(out->rank, out->shape, out->shape_text, sizeof out->shape_text);
  for (int i = 0; i < out->rank; i++) {
    NCC_CHECK(out->shape[i] <= most[i], NCC_ERR_INPUT, "%s: %s: damaged: shape %s is beyond its own limit", file, label,
              out->shape_text);
  }
  NCC_TRY(check_filters(out->id, file, label, &out->layout, &out->offset));
cleanup:
  ncc_h5_close(&space);
  ncc_h5_close(&object);
  if (status != NCC_OK) ncc_h5_dataset_close(out);
  return status;
}

void ncc_h5_dataset_close(ncc_h5_dataset *dataset) {
  ncc_h5_close(&dataset->type);
  ncc_h5_close(&dataset->id);
}

/** Checks shape [rows] or [rows, cols] and gives the number of values. */
static ncc_status check_table(const ncc_h5_dataset *set, const char *file, const char *label, int64_t rows,
                              int64_t cols, const char *what, size_t *n_values) {
  ncc_status status = NCC_OK;
  char expected[64], any[32] = "n";
  if (rows >= 0) snprintf(any, sizeof any, "%lld", (long long)rows);
  snprintf(expected, sizeof expected, cols ? "[%s, %lld]" : "[%s]", any, (long long)cols);
  bool fits = set->rank == (cols ? 2 : 1) && (!cols || set->shape[1] == (hsize_t)cols) &&
              (rows < 0 || set->shape[0] == (hsize_t)rows);
  NCC_CHECK(fits, NCC_ERR_INPUT, "%s: %s: shape %s found, expected %s of %s", file, label, set->shape_text, expected,
            what);
  NCC_CHECK(set->shape[0] < (hsize_t)1 << 40, NCC_ERR_INPUT, "%s: %s: %s rows are more than the 2^40 that fit", file,
            label, set->shape_text);
  *n_values = (size_t)set->shape[0] * (size_t)(cols ? cols : 1);
cleanup:
  return status;
}

ncc_status ncc_h5_read_integers(hid_t file, const char *path, const char *label, int64_t rows, int64_t cols, int64_t *n,
                                int64_t **out) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set;
  size_t n_values;
  *out = NULL;
  NCC_TRY(ncc_h5_dataset_open(file, label, path, label, &set));
  NCC_CHECK(H5Tget_class(set.type) == H5T_INTEGER, NCC_ERR_INPUT, "%s: %s: %s found, expected integers", path, label,
            set.type_text);
  NCC_TRY(check_table(&set, path, label, rows, cols, "integers", &n_values));
  *out = malloc((n_values ? n_values : 1) * sizeof **out);
  NCC_CHECK(*out, NCC_ERR_NOMEM, "%s: %s: no memory for shape %s", path, label, set.shape_text);
  NCC_TRY(ncc_h5_read_all(&set, path, label, H5T_NATIVE_INT64, sizeof **out, *out));
  if (n) *n = (int64_t)set.shape[0];
cleanup:
  ncc_h5_dataset_close(&set);
  if (status != NCC_OK) free(*out), *out = NULL;
  return status;
}

/** Rows of a block: about half a million numbers, and whole chunks, so that none is inflated twice. */
static int64_t block_rows(const ncc_h5_dataset *set, int64_t cols) {
  hsize_t chunk[2] = {1, 1};
  hid_t properties = H5Dget_create_plist(set->id);
  if (properties < 0 || set->layout != H5D_CHUNKED || H5Pget_chunk(properties, 2, chunk) != 2) chunk[0] = 1;
  ncc_h5_close(&properties);
  return ncc_min((int64_t)set->shape[0], ncc_round_up((1 << 19) / cols, (int64_t)chunk[0]));
}

ncc_status ncc_h5_walk_integers(hid_t file, const char *path, const char *label, int64_t rows, int64_t cols, int64_t *n,
                                ncc_h5_take_rows take, void *context) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set;
  size_t n_values;
  int64_t *values = NULL;
  hid_t space = -1, memory = -1;
  NCC_TRY(ncc_h5_dataset_open(file, label, path, label, &set));
  NCC_CHECK(H5Tget_class(set.type) == H5T_INTEGER, NCC_ERR_INPUT, "%s: %s: %s found, expected integers", path, label,
            set.type_text);
  NCC_TRY(check_table(&set, path, label, rows, cols, "integers", &n_values));
  *n = (int64_t)set.shape[0];
  const int64_t block = block_rows(&set, cols);
  values = malloc((size_t)(block * cols + 1) * sizeof *values);
  NCC_CHECK(values, NCC_ERR_NOMEM, "%s: %s: no memory for %" PRId64 " rows", path, label, block);
  space = H5Dget_space(set.id);
  for (int64_t first = 0; first < *n; first += block) {
    const int64_t count = ncc_min(block, *n - first);
    const hsize_t start[2] = {(hsize_t)first, 0}, extent[2] = {(hsize_t)count, (hsize_t)cols};
    ncc_h5_close(&memory);
    memory = H5Screate_simple(2, extent, NULL);
    NCC_CHECK_H5(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
                     H5Dread(set.id, H5T_NATIVE_INT64, memory, space, H5P_DEFAULT, values) >= 0,
                 NCC_ERR_INPUT, "%s: %s: cannot be read", path, label);
    if (take) NCC_TRY(take(context, first, count, values));
  }
cleanup:
  free(values);
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  ncc_h5_dataset_close(&set);
  return status;
}

ncc_status ncc_h5_read_doubles(hid_t file, const char *path, const char *label, int64_t rows, double **out) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set;
  size_t n_values;
  *out = NULL;
  NCC_TRY(ncc_h5_dataset_open(file, label, path, label, &set));
  NCC_CHECK(H5Tget_class(set.type) == H5T_FLOAT || H5Tget_class(set.type) == H5T_INTEGER, NCC_ERR_INPUT,
            "%s: %s: %s found, expected floats", path, label, set.type_text);
  NCC_TRY(check_table(&set, path, label, rows, 0, "floats", &n_values));
  *out = malloc((n_values ? n_values : 1) * sizeof **out);
  NCC_CHECK(*out, NCC_ERR_NOMEM, "%s: %s: no memory for shape %s", path, label, set.shape_text);
  NCC_TRY(ncc_h5_read_all(&set, path, label, H5T_NATIVE_DOUBLE, sizeof **out, *out));
cleanup:
  ncc_h5_dataset_close(&set);
  if (status != NCC_OK) free(*out), *out = NULL;
  return status;
}

ncc_status ncc_h5_read_strings(hid_t file, const char *path, const char *label, int64_t rows, char ***out) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set;
  hid_t memory = -1, space = -1;
  size_t n = 0, fixed = 0;
  char *text = NULL, **pointers = NULL;
  bool variable = false;
  *out = NULL;
  NCC_TRY(ncc_h5_dataset_open(file, label, path, label, &set));
  NCC_CHECK(H5Tget_class(set.type) == H5T_STRING, NCC_ERR_INPUT, "%s: %s: %s found, expected strings", path, label,
            set.type_text);
  NCC_TRY(check_table(&set, path, label, rows, 0, "strings", &n));
  variable = H5Tis_variable_str(set.type) > 0;
  fixed = variable ? 0 : H5Tget_size(set.type) + 1;
  memory = H5Tcopy(H5T_C_S1);
  H5Tset_cset(memory, H5Tget_cset(set.type));
  NCC_CHECK_H5(memory >= 0 && H5Tset_size(memory, variable ? H5T_VARIABLE : fixed) >= 0, NCC_ERR_INTERNAL,
               "%s: %s: string type", path, label);
  *out = calloc(n ? n : 1, sizeof **out);
  if (variable) {
    pointers = calloc(n ? n : 1, sizeof *pointers);
  } else {
    text = calloc(n ? n : 1, fixed);
  }
  NCC_CHECK(*out && (pointers || text), NCC_ERR_NOMEM, "%s: %s: no memory for shape %s", path, label, set.shape_text);
  space = H5Dget_space(set.id);
  NCC_TRY(ncc_h5_read_all(&set, path, label, memory, variable ? sizeof *pointers : fixed,
                          variable ? (void *)pointers : (void *)text));
  for (size_t i = 0; i < n; i++) {
    const char *from = variable ? pointers[i] : text + i * fixed;
    (*out)[i] = strdup(from ? from : "");
    NCC_CHECK((*out)[i], NCC_ERR_NOMEM, "%s: %s: no memory", path, label);
  }
cleanup:
  if (pointers && space >= 0) H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers);
  free(pointers);
  free(text);
  ncc_h5_close(&space);
  ncc_h5_close(&memory);
  ncc_h5_dataset_close(&set);
  if (status != NCC_OK && *out) {
    for (size_t i = 0; i < n; i++) free((*out)[i]);
    free(*out);
    *out = NULL;
  }
  return status;
}
