/** Pixels of one type as another: every binary16 survives, rounding is to the nearest even, nothing wraps. */
#include "io/import/convert.h"

#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "check.h"

/** Converts one value of float64. @return whether the type holds it. */
static bool convert(double value, ncc_dtype to, void *out) {
  int64_t bad;
  double found;
  ncc_convert_pixels(NCC_F64, &value, 1, to, out, &bad, &found);
  CHECK(bad == -1 || (bad == 0 && (found == value || isnan(value))), "bad pixel %lld", (long long)bad);
  return bad == -1;
}

/** Every binary16 there and back, and the middle between each two neighbours. */
static void check_half(void) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const uint16_t half = (uint16_t)bits;
    uint16_t back;
    const double value = (double)ncc_half_to_float(half);
    CHECK(convert(value, NCC_F16, &back), "%04x is refused", bits);
    if (isnan(value)) {
      CHECK(isnan(ncc_half_to_float(back)), "%04x became %04x", bits, back);
      continue;
    }
    CHECK(back == half, "%04x became %04x", bits, back);
    if ((bits & 0x7fff) >= 0x7bff) continue; /* the largest, and infinity */
    const double next = (double)ncc_half_to_float((uint16_t)(half + 1)), middle = (value + next) / 2;
    const uint16_t even = half & 1 ? half + 1 : half;
    CHECK(convert(middle, NCC_F16, &back) && back == even, "%g became %04x, expected %04x", middle, back, even);
    CHECK(convert(middle + (next - value) / 1024, NCC_F16, &back) && back == (uint16_t)(half + 1), "above %g: %04x",
          middle, back);
  }
}

static void check_bounds(void) {
  static const struct {
    ncc_dtype dtype;
    double low, high;
  } types[] = {{NCC_U8, 0, 255},         {NCC_I8, -128, 127},        {NCC_U16, 0, 65535},
               {NCC_I16, -32768, 32767}, {NCC_U32, 0, 4294967295.0}, {NCC_I32, -2147483648.0, 2147483647.0}};
  _Alignas(8) char out[8];
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    const ncc_dtype dtype = types[i].dtype;
    CHECK(convert(types[i].low, dtype, out) && convert(types[i].high, dtype, out), "%s", ncc_dtype_name(dtype));
    CHECK(convert(types[i].low - 0.5 + 1e-6, dtype, out), "%s rounds", ncc_dtype_name(dtype));
    CHECK(!convert(types[i].low - 1, dtype, out) && !convert(types[i].high + 0.51, dtype, out), "%s wraps",
          ncc_dtype_name(dtype));
    CHECK(!convert(NAN, dtype, out) && !convert(INFINITY, dtype, out), "%s takes NaN", ncc_dtype_name(dtype));
  }
  CHECK(convert(0x1.fffffep127, NCC_F32, out) && convert(0x1.fffffefp127, NCC_F32, out), "the largest float32");
  CHECK(!convert(0x1.ffffffp127, NCC_F32, out) && !convert(-1e300, NCC_F32, out), "float32 overflows");
  CHECK(convert(INFINITY, NCC_F32, out) && *(float *)out == INFINITY, "float32 holds infinity");
  CHECK(convert(65519.9, NCC_F16, out) && *(uint16_t *)out == 0x7bff, "the largest float16");
  CHECK(!convert(65520, NCC_F16, out), "float16 overflows");
}

/** Long runs pass in blocks; the index of a bad pixel counts over all of them. */
static void check_runs(void) {
  enum { N = 5000 };
  int32_t *in = malloc(N * sizeof *in);
  uint8_t *out = malloc(N);
  int64_t bad;
  double value;
  for (int i = 0; i < N; i++) in[i] = i % 256;
  ncc_convert_pixels(NCC_I32, in, N, NCC_U8, out, &bad, &value);
  CHECK(bad == -1, "pixel %lld", (long long)bad);
  for (int i = 0; i < N; i++) CHECK(out[i] == i % 256, "pixel %d is %d", i, out[i]);
  in[4321] = 256;
  ncc_convert_pixels(NCC_I32, in, N, NCC_U8, out, &bad, &value);
  CHECK(bad == 4321 && value == 256, "pixel %lld, %g", (long long)bad, value);
  free(in);
  free(out);
}

int main(void) {
  check_half();
  check_bounds();
  check_runs();
  return 0;
}
