/** Pixels of every type show the same scene, use their type's range, are not clipped and vary everywhere. */
#include "synth_cases.h"

typedef struct moments {
  double mean, deviation, least, greatest;
} moments;

static moments measure(const double *values, int64_t n) {
  moments m = {0, 0, INFINITY, -INFINITY};
  for (int64_t i = 0; i < n; ++i) {
    CHECK(isfinite(values[i]), "pixel %lld", (long long)i);
    m.mean += values[i] / (double)n;
    m.least = fmin(m.least, values[i]);
    m.greatest = fmax(m.greatest, values[i]);
  }
  for (int64_t i = 0; i < n; ++i) m.deviation += (values[i] - m.mean) * (values[i] - m.mean) / (double)n;
  m.deviation = sqrt(m.deviation);
  return m;
}

static void check_dtype(ncc_dtype dtype, double mean, double deviation) {
  ncc_synth *exact = start(NCC_SYNTH_TINY, 7, NCC_F64, false), *synth = start(NCC_SYNTH_TINY, 7, dtype, false);
  ncc_array reference, image;
  CHECK(ncc_synth_image(exact, 0, &reference) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_synth_image(synth, 0, &image) == NCC_OK, "%s", ncc_error_message());
  double *expected = unpack(&reference, 0, 0), *found = unpack(&image, 0, 0);
  const moments m = measure(found, image.rows * image.cols);
  CHECK(fabs(m.mean - mean) < 0.6 * deviation, "%s: mean %g, expected about %g", ncc_dtype_name(dtype), m.mean, mean);
  CHECK(fabs(m.deviation / deviation - 1) < 0.4, "%s: deviation %g, expected about %g", ncc_dtype_name(dtype),
        m.deviation, deviation);
  const double same = ncc_by_definition(found, image.cols, expected, image.rows, image.cols);
  CHECK(same > 0.9999, "%s: NCC with f64 pixels %.9g", ncc_dtype_name(dtype), same);
  free(expected);
  free(found);
  ncc_synth_destroy(&exact);
  ncc_synth_destroy(&synth);
}

/** No part of an image as large as the smallest template is dull, and few pixels are clipped. */
static void check_texture(void) {
  enum { PART = 32 };
  ncc_synth *synth = start(NCC_SYNTH_STITCH2D, 2, NCC_U8, false);
  ncc_array image;
  CHECK(ncc_synth_image(synth, 0, &image) == NCC_OK, "%s", ncc_error_message());
  int64_t clipped = 0;
  for (int64_t y = 0; y + PART <= image.rows; y += PART)
    for (int64_t x = 0; x + PART <= image.cols; x += PART) {
      const ncc_array part = {(const uint8_t *)image.data + y * image.row_stride + x, NCC_U8, PART, PART,
                              image.row_stride};
      double *values = unpack(&part, 0, 0);
      CHECK(measure(values, PART * PART).deviation > 8, "dull at (%lld, %lld)", (long long)y, (long long)x);
      for (int i = 0; i < PART * PART; ++i) clipped += values[i] == 0 || values[i] == 255;
      free(values);
    }
  CHECK(clipped < image.rows * image.cols / 200, "%lld pixels are black or white", (long long)clipped);
  ncc_synth_destroy(&synth);
}

int main(void) {
  check_dtype(NCC_U8, 140, 32);
  check_dtype(NCC_I8, 12, 32);
  check_dtype(NCC_U16, 140 * 0x1p8, 32 * 0x1p8);
  check_dtype(NCC_I16, 12 * 0x1p8, 32 * 0x1p8);
  check_dtype(NCC_U32, 140 * 0x1p24, 32 * 0x1p24);
  check_dtype(NCC_I32, 12 * 0x1p24, 32 * 0x1p24);
  check_dtype(NCC_F16, 0, 1);
  check_dtype(NCC_F32, 0, 1);
  check_dtype(NCC_F64, 0, 1);
  check_texture();
  return 0;
}
