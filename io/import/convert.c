/** See convert.h. Every type passes through float64, which holds each of them exactly. */
#include "io/import/convert.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/array.h"

enum { BLOCK = 1024 };

/** Nearest binary16, ties to even; infinite from the largest finite one's upper neighbour on. */
static uint16_t half_from_double(double value) {
  const uint16_t sign = signbit(value) ? 0x8000 : 0;
  const double magnitude = fabs(value);
  if (isnan(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 0x1p-14) return sign | (uint16_t)nearbyint(magnitude * 0x1p24); /* subnormal, or the least normal */
  const int exponent = ilogb(magnitude);
  const double fraction = scalbn(magnitude, -exponent) - 1;
  return sign | (uint16_t)(((exponent + 15) << 10) + (int)nearbyint(fraction * 1024)); /* a carry raises the exponent */
}

/** Range of an integer type. @return false for floats. */
static bool integer_range(ncc_dtype dtype, double *low, double *high) {
  static const struct {
    double low, high;
  } ranges[] = {
      [NCC_U8] = {0, UINT8_MAX},          [NCC_I8] = {INT8_MIN, INT8_MAX}, [NCC_U16] = {0, UINT16_MAX},
      [NCC_I16] = {INT16_MIN, INT16_MAX}, [NCC_U32] = {0, UINT32_MAX},     [NCC_I32] = {INT32_MIN, INT32_MAX},
  };
  if (dtype > NCC_I32) return false;
  *low = ranges[dtype].low;
  *high = ranges[dtype].high;
  return true;
}

#define STORE(name, type)                                                                  \
  case name:                                                                               \
    for (int64_t i = 0; i < n; i++) ((type *)out)[first + i] = (type)nearbyint(values[i]); \
    break;

static void store(const double *values, int64_t n, ncc_dtype to, void *out, int64_t first) {
  switch (to) {
    STORE(NCC_U8, uint8_t)
    STORE(NCC_I8, int8_t)
    STORE(NCC_U16, uint16_t)
    STORE(NCC_I16, int16_t)
    STORE(NCC_U32, uint32_t)
    STORE(NCC_I32, int32_t)
    case NCC_F16:
      for (int64_t i = 0; i < n; i++) ((uint16_t *)out)[first + i] = half_from_double(values[i]);
      break;
    case NCC_F32:
      for (int64_t i = 0; i < n; i++) ((float *)out)[first + i] = (float)values[i];
      break;
    default:
      memcpy((double *)out + first, values, (size_t)n * sizeof *values);
  }
}

void ncc_convert_pixels(ncc_dtype from, const void *in, int64_t n, ncc_dtype to, void *out, int64_t *bad,
                        double *value) {
  double values[BLOCK], low, high;
  const bool integer = integer_range(to, &low, &high);
  const ncc_array pixels = {.data = in, .dtype = from, .rows = 1, .cols = n, .row_stride = n};
  const double beyond = to == NCC_F16 ? 65520 : to == NCC_F32 ? 0x1.ffffffp127 : HUGE_VAL; /* rounds to infinity */
  *bad = -1;
  if (from == to) {
    memcpy(out, in, (size_t)n * ncc_dtype_size(to));
    return;
  }
  for (int64_t first = 0; first < n; first += BLOCK) {
    const int64_t m = n - first < BLOCK ? n - first : BLOCK;
    for (int64_t i = 0; i < m; i++) {
      values[i] = ncc_array_value(&pixels, 0, first + i);
      const double v = integer ? nearbyint(values[i]) : fabs(values[i]);
      const bool held = integer ? v >= low && v <= high : !(v >= beyond) || isinf(v);
      if (held) continue;
      *bad = first + i;
      *value = values[i];
      return;
    }
    store(values, m, to, out, first);
  }
}
