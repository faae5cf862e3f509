#include "io/base/npy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADER = 1 << 16 };

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

/** "(3, 40, 50)", or as Python 2 has it, "(3L, 40L, 50L)". @return false where it is no shape of 1 to NCC_NPY_RANK
 *  dimensions. */
static bool parse_shape(const char *text, ncc_npy_header *out) {
  if (!text || (*text != '(' && *text != '[')) return false;
  const char close = *text++ == '(' ? ')' : ']';
  for (out->rank = 0; out->rank < NCC_NPY_RANK;) {
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
static bool parse_type(const char *text, ncc_npy_header *out) {
  static const char *const words[] = {"uint", "int", "float"};
  const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  if (!text || !*text || !strchr("'\"", *text)) return false;
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
  const size_t number = strtoul(text + 1, &end, 10), size = number / unit;
  out->size = (int)size;
  return *end == quote && number % unit == 0 && (size == 1 || size == 2 || size == 4 || size == 8);
}

static bool read_exactly(int fd, int64_t offset, void *out, size_t n) {
  return pread(fd, out, n, offset) == (ssize_t)n;
}

ncc_status ncc_npy_header_read(const char *path, int fd, ncc_npy_header *out) {
  ncc_status status = NCC_OK;
  char *header = NULL;
  unsigned char start[12];
  struct stat info;
  *out = (ncc_npy_header){0};
  NCC_CHECK(fstat(fd, &info) == 0, NCC_ERR_UNREADABLE, "%s: %s", path, strerror(errno));
  NCC_CHECK(read_exactly(fd, 0, start, 10) && memcmp(start, "\x93NUMPY", 6) == 0, NCC_ERR_UNREADABLE,
            "%s: no NumPy file", path);
  NCC_CHECK(start[6] >= 1 && start[6] <= 3, NCC_ERR_UNREADABLE, "%s: NumPy's format version %d found, expected 1 to 3",
            path, start[6]);
  size_t length = start[8] | (size_t)start[9] << 8;
  out->offset = start[6] > 1 ? 12 : 10;
  if (start[6] > 1) {
    NCC_CHECK(read_exactly(fd, 10, start + 10, 2), NCC_ERR_UNREADABLE, "%s: the header is cut off", path);
    length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
  }
  NCC_CHECK(length <= MAX_HEADER, NCC_ERR_UNREADABLE, "%s: a header of %zu bytes found, expected at most %d", path,
            length, MAX_HEADER);
  header = calloc(1, length + 1);
  NCC_CHECK(header, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_CHECK(read_exactly(fd, out->offset, header, length), NCC_ERR_UNREADABLE, "%s: the header is cut off", path);
  out->offset += (int64_t)length;
  NCC_CHECK(parse_type(header_value(header, "descr"), out), NCC_ERR_UNREADABLE,
            "%s: header %.80s: expected 8 to 64-bit integers or 16 to 64-bit floats", path, header);
  NCC_CHECK(parse_shape(header_value(header, "shape"), out), NCC_ERR_UNREADABLE,
            "%s: header %.80s: expected 1 to %d dimensions", path, header, NCC_NPY_RANK);
  const char *fortran = header_value(header, "fortran_order");
  out->fortran = fortran && strncmp(fortran, "True", 4) == 0;
  NCC_CHECK(fortran && (out->fortran || strncmp(fortran, "False", 5) == 0), NCC_ERR_UNREADABLE,
            "%s: header %.80s: expected 'fortran_order': True or False", path, header);
  double bytes = (double)out->size;
  for (int i = 0; i < out->rank; i++) bytes *= (double)out->shape[i];
  bytes += (double)out->offset;
  NCC_CHECK((double)info.st_size >= bytes, NCC_ERR_UNREADABLE, "%s: %lld bytes found, expected %.0f", path,
            (long long)info.st_size, bytes);
cleanup:
  free(header);
  return status;
}

bool ncc_npy_dtype(const ncc_npy_header *header, ncc_dtype *dtype) {
  static const struct {
    char kind;
    int size;
    ncc_dtype dtype;
  } known[] = {{'u', 1, NCC_U8},  {'u', 2, NCC_U16}, {'u', 4, NCC_U32}, {'i', 1, NCC_I8}, {'i', 2, NCC_I16},
               {'i', 4, NCC_I32}, {'f', 2, NCC_F16}, {'f', 4, NCC_F32}, {'f', 8, NCC_F64}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (known[i].kind != header->kind || known[i].size != header->size) continue;
    *dtype = known[i].dtype;
    return true;
  }
  return false;
}
