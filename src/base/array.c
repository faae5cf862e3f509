/** Pixel types by one table; see array.h. */
#include "base/array.h"

#include <string.h>

size_t ncc_dtype_size(ncc_dtype dtype) {
  static const size_t sizes[] = {
#define SIZE(name, type, text) [name] = sizeof(type),
      NCC_DTYPE_TABLE(SIZE)
#undef SIZE
  };
  return (unsigned)dtype < NCC_DTYPE_COUNT ? sizes[dtype] : 0;
}

const char *ncc_dtype_name(ncc_dtype dtype) {
  static const char *const names[] = {
#define NAME(name, type, text) [name] = text,
      NCC_DTYPE_TABLE(NAME)
#undef NAME
  };
  return (unsigned)dtype < NCC_DTYPE_COUNT ? names[dtype] : "unknown";
}

const char *ncc_pair_status_name(ncc_pair_status status) {
  static const char *const names[] = {"pending",    "ok",        "flat",    "nonfinite",
                                      "unreadable", "uncertain", "invalid", "masked"};
  return (unsigned)status < NCC_PAIR_STATUS_COUNT ? names[status] : "unknown";
}

float ncc_half_to_float(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, magnitude = bits & 0x7fffu, out;
  if (magnitude >= 0x7c00u) {  // Inf, NaN
    out = sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13);
  } else if (magnitude >= 0x0400u) {  // normal: rebias the exponent
    out = sign | ((magnitude << 13) + ((127u - 15u) << 23));
  } else {  // zero, subnormal: magnitude * 2^-24
    float value = (float)magnitude * 0x1p-24f;
    memcpy(&out, &value, sizeof out);
    out |= sign;
  }
  float result;
  memcpy(&result, &out, sizeof result);
  return result;
}

double ncc_array_value(const ncc_array *a, int64_t row, int64_t col) {
  const void *p = ncc_array_at(a, row, col);
  switch (a->dtype) {
    case NCC_U8:
      return *(const uint8_t *)p;
    case NCC_I8:
      return *(const int8_t *)p;
    case NCC_U16:
      return *(const uint16_t *)p;
    case NCC_I16:
      return *(const int16_t *)p;
    case NCC_U32:
      return *(const uint32_t *)p;
    case NCC_I32:
      return *(const int32_t *)p;
    case NCC_F16:
      return (double)ncc_half_to_float(*(const uint16_t *)p);
    case NCC_F32:
      return (double)*(const float *)p;
    default:
      return *(const double *)p;
  }
}

bool ncc_array_row_equals(const ncc_array *a, int64_t row, int64_t col, int64_t n, double value) {
  for (int64_t x = 0; x < n; x++)
    if (ncc_array_value(a, row, col + x) != value) return false;
  return true;
}
