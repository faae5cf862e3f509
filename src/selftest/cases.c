/** See cases.h. */
#include "selftest/cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/** What a picture shows. */
typedef enum picture { NOISE, SMOOTH, PERIODIC, HOT_PIXEL, FLAT, OFFSET, BLACK_BORDER, ONE_NAN, PICTURES } picture;

/** splitmix64 of a place: pictures need no order of drawing. */
static uint64_t hash(uint64_t seed, int64_t y, int64_t x) {
  uint64_t z = seed * 0x9E3779B97F4A7C15u + (uint64_t)y * 0xD1B54A32D192ED03u + (uint64_t)x * 0x8CB92BA72F3D8DD7u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/** A number of 0 .. n-1 for the k-th choice of a case. */
static int64_t draw(uint64_t seed, int k, int64_t n) {
  return (int64_t)(hash(seed, -1, k) % (uint64_t)n);
}

/** A grey level of 0 .. 255 in steps of 1/8: exact in every type of floats. */
static double level(picture what, uint64_t seed, int64_t cols, int64_t y, int64_t x) {
  uint64_t sum = 0;
  switch (what) {
    case SMOOTH:
      for (int i = 0; i < 9; i++) sum += hash(seed, y + i / 3, x + i % 3) % 225;
      return (double)sum / 8;
    case PERIODIC:
      return (double)(y % 3 * 20 + x % 5 * 30);
    case HOT_PIXEL:
      return y == 1 && x == 2 ? 255 : 7;
    case FLAT:
      return 90;
    case OFFSET:
      return 250 + (double)(hash(seed, y, x) % 2);
    case BLACK_BORDER:
      return x < cols / 3 ? 0 : (double)(hash(seed, y, x) % 200);
    default:
      return (double)(hash(seed, y, x) % 2041) / 8;
  }
}

/** Bits of a binary16 for a value that it holds exactly, 0 <= value < 65536. */
static uint16_t half_bits(double value) {
  int exponent = 0;
  if (value == 0) return 0;
  const double mantissa = frexp(value, &exponent); /* in [1/2, 1) */
  return (uint16_t)(((exponent + 14) << 10) + (int)ldexp(mantissa - 0.5, 11));
}

/** Stores a grey level as the type has it: integers spread over their range, floats also tiny or huge. */
static void store(const ncc_array *a, int64_t i, double value, int exponent) {
  void *data = (char *)a->data + (size_t)i * ncc_dtype_size(a->dtype);
  switch (a->dtype) {
    case NCC_U8:
      *(uint8_t *)data = (uint8_t)value;
      break;
    case NCC_I8:
      *(int8_t *)data = (int8_t)((int)value - 128);
      break;
    case NCC_U16:
      *(uint16_t *)data = (uint16_t)(value * 256);
      break;
    case NCC_I16:
      *(int16_t *)data = (int16_t)((int)(value * 256) - 32768);
      break;
    case NCC_U32:
      *(uint32_t *)data = (uint32_t)(value * 16777216);
      break;
    case NCC_I32:
      *(int32_t *)data = (int32_t)((int64_t)(value * 16777216) - 2147483648);
      break;
    case NCC_F16:
      *(uint16_t *)data = isnan(value) ? 0x7E00 : half_bits(value);
      break;
    case NCC_F32:
      *(float *)data = ldexpf((float)value - 100, exponent / 8);
      break;
    default:
      *(double *)data = ldexp(value - 100, exponent);
      break;
  }
}

static bool allocate(ncc_array *a, ncc_dtype dtype, int64_t rows, int64_t cols) {
  *a = (ncc_array){.dtype = dtype, .rows = rows, .cols = cols, .row_stride = cols};
  a->data = malloc((size_t)(rows * cols) * ncc_dtype_size(dtype));
  return a->data != NULL;
}

/** Fills an array with the part of a picture at (y0, x0). */
static void paint(const ncc_array *a, picture what, uint64_t seed, int64_t picture_cols, int64_t y0, int64_t x0) {
  const int exponent = (int)draw(seed, 40, 3) * 200 - 200;
  const bool floats = a->dtype == NCC_F16 || a->dtype == NCC_F32 || a->dtype == NCC_F64;
  for (int64_t i = 0; i < a->rows * a->cols; i++)
    store(a, i, level(what, seed, picture_cols, y0 + i / a->cols, x0 + i % a->cols), exponent);
  if (what == ONE_NAN && floats) store(a, draw(seed, 41, a->rows * a->cols), NAN, 0);
}

/** What is asked: each kind of search in turn. */
static ncc_search choose_search(int index, uint64_t seed, int64_t rows, int64_t cols) {
  ncc_search s = {0};
  switch (index % 8) {
    case 1:
      s.crop_y = draw(seed, 20, rows / 2 + 1), s.crop_x = draw(seed, 21, cols / 2 + 1);
      break;
    case 2:
      s.crop_half = true;
      break;
    case 3:
      s.normalize = true;
      break;
    case 4:
      s.min_overlap = 1;
      break;
    case 5:
      s.min_overlap = 0.375;
      break;
    case 6:
      s.quality = true;
      break;
    case 7:
      s.quality = s.normalize = s.crop_half = true;
      break;
    default:
      break;
  }
  if (index % 24 == 8) s.eps = (double)draw(seed, 22, 4000);
  return s;
}

static ncc_status make_small(int index, ncc_selftest_case *c) {
  const uint64_t seed = (uint64_t)index + 1;
  static const int64_t sides[] = {1, 2, 3, 5, 7, 8, 11, 13, 16, 17, 19, 23, 24};
  enum { SIDES = sizeof sides / sizeof sides[0] };
  const int64_t rows = sides[draw(seed, 0, SIDES)], cols = sides[draw(seed, 1, SIDES)];
  const bool whole = index % 15 == 7, own = index % 5 == 3;
  const int64_t m = whole ? rows : 1 + draw(seed, 2, rows), n = whole ? cols : 1 + draw(seed, 3, cols);
  const picture what = (picture)(index / 9 % PICTURES);
  c->search = choose_search(index, seed, rows, cols);
  if (!allocate(&c->image, (ncc_dtype)(index % NCC_DTYPE_COUNT), rows, cols) ||
      !allocate(&c->tmpl, own ? (ncc_dtype)draw(seed, 4, NCC_DTYPE_COUNT) : c->image.dtype, m, n))
    return NCC_ERR_NOMEM;
  paint(&c->image, what, seed, cols, 0, 0);
  if (own)
    paint(&c->tmpl, SMOOTH, seed + 1000, n, 0, 0);
  else
    paint(&c->tmpl, what == ONE_NAN ? NOISE : what, seed, cols, draw(seed, 5, rows - m + 1),
          draw(seed, 6, cols - n + 1));
  c->has_window = index % 4 == 0;
  const int64_t y0 = draw(seed, 7, rows + m - 1), x0 = draw(seed, 8, cols + n - 1);
  c->window = (ncc_rect){y0, x0, y0 + 1 + draw(seed, 9, rows + m - 1 - y0), x0 + 1 + draw(seed, 10, cols + n - 1 - x0)};
  return NCC_OK;
}

static ncc_status make_large(int index, ncc_selftest_case *c) {
  static const int64_t shapes[][4] = {{257, 263, 61, 67},   {512, 384, 128, 96},  {640, 640, 33, 470},
                                      {700, 500, 300, 300}, {128, 2048, 100, 90}, {1031, 97, 89, 31}};
  static const ncc_dtype dtypes[] = {NCC_U8, NCC_U16, NCC_F32, NCC_F64};
  const int64_t *s = shapes[index % 6];
  const uint64_t seed = (uint64_t)index + 7000;
  const int64_t y = draw(seed, 0, s[0] - s[2] + 1), x = draw(seed, 1, s[1] - s[3] + 1);
  c->search.quality = index % 2 == 1;
  if (!allocate(&c->image, dtypes[index / 6], s[0], s[1]) || !allocate(&c->tmpl, c->image.dtype, s[2], s[3]))
    return NCC_ERR_NOMEM;
  paint(&c->image, SMOOTH, seed, s[1], 0, 0);
  paint(&c->tmpl, SMOOTH, seed, s[1], y, x);
  c->known_y = y + s[2] - 1;
  c->known_x = x + s[3] - 1;
  return NCC_OK;
}

ncc_status ncc_selftest_case_make(int index, ncc_selftest_case *out) {
  *out = (ncc_selftest_case){.known_y = -1, .known_x = -1};
  const bool small = index < NCC_SELFTEST_SMALL;
  if ((small ? make_small(index, out) : make_large(index - NCC_SELFTEST_SMALL, out)) == NCC_OK) return NCC_OK;
  ncc_selftest_case_clear(out);
  return ncc_error_set(NCC_ERR_NOMEM, "out of memory for pair %d of the self-test", index);
}

void ncc_selftest_case_clear(ncc_selftest_case *c) {
  free((void *)c->image.data);
  free((void *)c->tmpl.data);
  c->image.data = c->tmpl.data = NULL;
}
