/** NumPy's .npy files: a stack of planes as a raster, small tables as matrices. See raster.h and table_file.h.
 *
 *  The header is a Python dictionary in text, as numpy.save writes it: {'descr': '<f4', 'fortran_order': False,
 * 'shape': (3, 40, 50), }. The format is https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html,
 * versions 1 to 3.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/target.h"
#include "io/base/table_file.h"
#include "io/import/raster.h"

enum { MAX_RANK = 3, MAX_HEADER = 1 << 16 };

typedef struct npy_file {
  FILE *stream; /**< at the first value */
  char kind;    /**< 'u', 'i' or 'f' */
  size_t size;  /**< bytes of a value */
  bool swapped; /**< stored in the other byte order */
  bool fortran;
  int rank;
  int64_t shape[MAX_RANK];
} npy_file;

/** Behind blanks, as Python has them. */
static const char *skip_blanks(const char *text) {
  return text + strspn(text, " \t\r\n\f");
}

/** What follows 'key': or "key": in the header, or NULL. */
static const char *header_value(const char *header, const char *key) {
  const size_t length = strlen(key);
  for (const char *at = header; (at = strstr(at, key)); at += length) {
    if (at == header || !strchr("'\"", at[-1]) || at[length] != at[-1]) continue;
    const char *colon = skip_blanks(at + length + 1);
    if (*colon == ':') return skip_blanks(colon + 1);
  }
  return NULL;
}

/** "(3, 40, 50)", or as Python 2 has it, "(3L, 40L, 50L)". @return false where it is no shape of 1 to MAX_RANK
 *  dimensions. */
static bool parse_shape(const char *text, npy_file *out) {
  if (!text || (*text != '(' && *text != '[')) return false;
  const char close = *text++ == '(' ? ')' : ']';
  for (out->rank = 0; out->rank < MAX_RANK;) {
    char *end;
    errno = 0;
    text = skip_blanks(text);
    const long long side = strtoll(text, &end, 10);
    if (end == text || side < 0 || errno) return false;
    out->shape[out->rank++] = side;
    text = skip_blanks(end + (*end == 'L'));
    if (*text == ',') text = skip_blanks(text + 1);
    if (*text == close) return true;
  }
  return false;
}

/** "'<f4'", or "'float32'" without an order. @return false where it is no integer or float. */
static bool parse_type(const char *text, npy_file *out) {
  static const char *const words[] = {"uint", "int", "float"};
  const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  if (!text || !strchr("'\"", *text)) return false;
  const char quote = *text++, order = *text && strchr("<>|=", *text) ? *text++ : '=';
  char *end;
  out->swapped = (order == '<' && !little) || (order == '>' && little);
  out->kind = *text;
  size_t unit = 1;
  for (int i = 0; i < 3; i++) {
    const size_t length = strlen(words[i]);
    if (strncmp(text, words[i], length) != 0) continue;
    text += length - 1;
    unit = 8; /* its number is one of bits */
  }
  if (!out->kind || !strchr("uif", out->kind)) return false;
  const size_t number = strtoul(text + 1, &end, 10);
  out->size = number / unit;
  return *end == quote && number % unit == 0 && (out->size == 1 || out->size == 2 || out->size == 4 || out->size == 8);
}

/** Opens a file, reads its header and checks that all values are there. */
static ncc_status npy_start(const char *path, npy_file *out) {
  ncc_status status = NCC_OK;
  char *header = NULL;
  unsigned char start[12];
  struct stat info;
  *out = (npy_file){0};
  NCC_TRY(ncc_target_spare(path, NULL));
  out->stream = fopen(path, "rbe");
  NCC_CHECK(out->stream && fstat(fileno(out->stream), &info) == 0, NCC_ERR_UNREADABLE, "%s: %s", path, strerror(errno));
  NCC_CHECK(fread(start, 1, 10, out->stream) == 10 && memcmp(start, "\x93NUMPY", 6) == 0, NCC_ERR_UNREADABLE,
            "%s: no NumPy file", path);
  NCC_CHECK(start[6] >= 1 && start[6] <= 3, NCC_ERR_UNREADABLE, "%s: NumPy's format version %d found, expected 1 to 3",
            path, start[6]);
  size_t length = start[8] | (size_t)start[9] << 8;
  if (start[6] > 1) {
    NCC_CHECK(fread(start + 10, 1, 2, out->stream) == 2, NCC_ERR_UNREADABLE, "%s: the header is cut off", path);
    length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
  }
  NCC_CHECK(length <= MAX_HEADER, NCC_ERR_UNREADABLE, "%s: a header of %zu bytes found, expected at most %d", path,
            length, MAX_HEADER);
  header = calloc(1, length + 1);
  NCC_CHECK(header, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_CHECK(fread(header, 1, length, out->stream) == length, NCC_ERR_UNREADABLE, "%s: the header is cut off", path);
  NCC_CHECK(parse_type(header_value(header, "descr"), out), NCC_ERR_UNREADABLE,
            "%s: header %.80s: expected 8 to 64-bit integers or 16 to 64-bit floats", path, header);
  NCC_CHECK(parse_shape(header_value(header, "shape"), out), NCC_ERR_UNREADABLE,
            "%s: header %.80s: expected 1 to %d dimensions", path, header, MAX_RANK);
  const char *fortran = header_value(header, "fortran_order");
  out->fortran = fortran && strncmp(fortran, "True", 4) == 0;
  NCC_CHECK(fortran && (out->fortran || strncmp(fortran, "False", 5) == 0), NCC_ERR_UNREADABLE,
            "%s: header %.80s: expected 'fortran_order': True or False", path, header);
  double bytes = (double)ftell(out->stream);
  double values = (double)out->size;
  for (int i = 0; i < out->rank; i++) values *= (double)out->shape[i];
  bytes += values;
  NCC_CHECK((double)info.st_size >= bytes, NCC_ERR_UNREADABLE, "%s: %lld bytes found, expected %.0f", path,
            (long long)info.st_size, bytes);
cleanup:
  free(header);
  if (status != NCC_OK && out->stream) {
    fclose(out->stream);
    out->stream = NULL;
  }
  return status;
}

/** Reads n values in native byte order. */
static bool read_values(npy_file *file, int64_t n, void *values) {
  if (fread(values, file->size, (size_t)n, file->stream) != (size_t)n) return false;
  if (!file->swapped) return true;
  switch (file->size) {
    case 2:
      for (uint16_t *p = values, *end = p + n; p < end; p++) *p = __builtin_bswap16(*p);
      break;
    case 4:
      for (uint32_t *p = values, *end = p + n; p < end; p++) *p = __builtin_bswap32(*p);
      break;
    case 8:
      for (uint64_t *p = values, *end = p + n; p < end; p++) *p = __builtin_bswap64(*p);
      break;
    default:
      break;
  }
  return true;
}

/* ---- a stack of planes ----------------------------------------------------------------------------------------- */

static bool pixel_type(const npy_file *file, ncc_dtype *dtype) {
  static const struct {
    char kind;
    size_t size;
    ncc_dtype dtype;
  } known[] = {{'u', 1, NCC_U8},  {'u', 2, NCC_U16}, {'u', 4, NCC_U32}, {'i', 1, NCC_I8}, {'i', 2, NCC_I16},
               {'i', 4, NCC_I32}, {'f', 2, NCC_F16}, {'f', 4, NCC_F32}, {'f', 8, NCC_F64}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (known[i].kind != file->kind || known[i].size != file->size) continue;
    *dtype = known[i].dtype;
    return true;
  }
  return false;
}

static ncc_status npy_open(ncc_raster *raster) {
  ncc_status status = NCC_OK;
  npy_file *file = raster->file = calloc(1, sizeof *file);
  NCC_CHECK(file, NCC_ERR_NOMEM, "%s: no memory", raster->path);
  NCC_TRY(npy_start(raster->path, file));
  NCC_CHECK(file->rank == 3, NCC_ERR_UNREADABLE, "%s: %d dimensions found, expected [n, rows, cols]", raster->path,
            file->rank);
  NCC_CHECK(pixel_type(file, &raster->dtype), NCC_ERR_UNREADABLE,
            "%s: %c%zu values found, expected pixels of 8, 16 or 32-bit integers or 16, 32 or 64-bit floats",
            raster->path, file->kind, 8 * file->size);
  NCC_CHECK(!file->fortran, NCC_ERR_UNREADABLE,
            "%s: Fortran order found, in which no image can be read by itself, expected C order (save "
            "numpy.ascontiguousarray(a))",
            raster->path);
  NCC_CHECK(!ncc_shape_is_colour(file->shape[1], file->shape[2]), NCC_ERR_UNREADABLE,
            "%s: shape [%" PRId64 ", %" PRId64 ", %" PRId64
            "] found, one picture in colours, expected grey [n, rows, cols]",
            raster->path, file->shape[0], file->shape[1], file->shape[2]);
  raster->planes = file->shape[0];
  raster->rows = file->shape[1];
  raster->cols = file->shape[2];
cleanup:
  return status;
}

static ncc_status npy_read(ncc_raster *raster, int64_t n, void *pixels) {
  if (read_values(raster->file, n * raster->cols, pixels)) return NCC_OK;
  return ncc_error_set(NCC_ERR_UNREADABLE, "%s: row %" PRId64 ": cannot be read: %s", raster->path, raster->next,
                       ferror(((npy_file *)raster->file)->stream) ? strerror(errno) : "the file has become shorter");
}

static void npy_close(ncc_raster *raster) {
  npy_file *file = raster->file;
  if (file && file->stream) fclose(file->stream);
  free(file);
}

const ncc_raster_format ncc_npy_format = {npy_open, npy_read, npy_close};

/* ---- a table --------------------------------------------------------------------------------------------------- */

static double value_at(const npy_file *file, const void *values, int64_t i) {
  switch (file->kind == 'f' ? -(int)file->size : file->kind == 'i' ? (int)file->size : 8 + (int)file->size) {
    case -2:
      return (double)ncc_half_to_float(((const uint16_t *)values)[i]);
    case -4:
      return (double)((const float *)values)[i];
    case -8:
      return ((const double *)values)[i];
    case 1:
      return (double)((const int8_t *)values)[i];
    case 2:
      return (double)((const int16_t *)values)[i];
    case 4:
      return (double)((const int32_t *)values)[i];
    case 8:
      return (double)((const int64_t *)values)[i];
    case 9:
      return (double)((const uint8_t *)values)[i];
    case 10:
      return (double)((const uint16_t *)values)[i];
    case 12:
      return (double)((const uint32_t *)values)[i];
    default:
      return (double)((const uint64_t *)values)[i];
  }
}

ncc_status ncc_npy_read(const char *path, ncc_matrix *out) {
  ncc_status status = NCC_OK;
  npy_file file;
  void *values = NULL;
  *out = (ncc_matrix){0};
  NCC_TRY(npy_start(path, &file));
  NCC_CHECK(file.rank <= 2, NCC_ERR_UNREADABLE, "%s: %d dimensions found, expected a table", path, file.rank);
  NCC_CHECK(file.kind != 'f' || file.size > 1, NCC_ERR_UNREADABLE, "%s: f8 values found, expected numbers", path);
  out->rows = file.shape[0];
  out->cols = file.rank == 2 ? file.shape[1] : 1;
  const int64_t n = out->rows * out->cols;
  values = malloc((size_t)(n ? n : 1) * file.size);
  out->values = malloc((size_t)(n ? n : 1) * sizeof *out->values);
  NCC_CHECK(values && out->values, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " numbers", path, n);
  NCC_CHECK(read_values(&file, n, values), NCC_ERR_UNREADABLE, "%s: cannot be read", path);
  for (int64_t y = 0; y < out->rows; y++) {
    for (int64_t x = 0; x < out->cols; x++) {
      out->values[y * out->cols + x] = value_at(&file, values, file.fortran ? x * out->rows + y : y * out->cols + x);
    }
  }
cleanup:
  free(values);
  if (file.stream) fclose(file.stream);
  if (status == NCC_ERR_UNREADABLE) status = NCC_ERR_INPUT;
  if (status != NCC_OK) ncc_matrix_clear(out);
  return status;
}

ncc_status ncc_npy_rank(const char *path, int *rank) {
  npy_file file;
  const ncc_status status = npy_start(path, &file);
  *rank = file.rank;
  if (file.stream) fclose(file.stream);
  return status == NCC_ERR_UNREADABLE ? NCC_ERR_INPUT : status;
}
