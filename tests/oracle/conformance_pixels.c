/** Random numbers and pictures of the conformance suite; see conformance.h. */
#include <stdio.h>
#include <string.h>

#include "conformance.h"

static void *allocate(size_t bytes) {
  void *p = calloc(1, bytes ? bytes : 1);
  if (!p) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return p;
}

static uint64_t random_state = 1;

void conf_seed(uint64_t seed) {
  random_state = seed;
}

uint64_t conf_random(void) {  // splitmix64
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double conf_uniform(double low, double high) {
  return low + (high - low) * ldexp((double)(conf_random() >> 11), -53);
}

int64_t conf_integer(int64_t low, int64_t high) {
  return low + (int64_t)(conf_random() % (uint64_t)(high - low + 1));
}

double conf_normal(void) {
  double radius = sqrt(-2 * log(1 - conf_uniform(0, 1)));
  return radius * cos(2 * 3.14159265358979323846 * conf_uniform(0, 1));
}

conf_image conf_image_create(int64_t rows, int64_t cols, ncc_dtype dtype) {
  conf_image image = {.rows = rows, .cols = cols};
  image.truth = allocate((size_t)(rows * cols) * sizeof *image.truth);
  image.storage = allocate((size_t)(rows * cols) * ncc_dtype_size(dtype));
  image.array = (ncc_array){.data = image.storage, .dtype = dtype, .rows = rows, .cols = cols, .row_stride = cols};
  return image;
}

void conf_image_free(conf_image *image) {
  free(image->truth);
  free(image->storage);
  *image = (conf_image){0};
}

/** Rounds to IEEE binary16 and returns the bits; *value becomes what they mean. */
static uint16_t half_bits(double *value) {
  uint16_t sign = signbit(*value) ? 0x8000 : 0;
  double magnitude = fabs(*value);
  if (isnan(magnitude)) return 0x7e00;
  if (isinf(magnitude)) return sign | 0x7c00;
  magnitude = fmin(magnitude, 65504);
  // The spacing of the numbers around it, that of the subnormals at least.
  int exponent = magnitude < ldexp(1, -14) ? -14 : ilogb(magnitude);
  double steps = rint(ldexp(magnitude, 10 - exponent));
  *value = copysign(ldexp(steps, exponent - 10), *value);
  // Steps count on from the subnormals: 1024 of them are the exponent's 1, and a carry is right by itself.
  return sign | (uint16_t)((exponent + 14) * 1024 + (int)steps);
}

static double clamp_round(double value, double low, double high) {
  return isnan(value) ? 0 : fmin(high, fmax(low, rint(value)));
}

void conf_store(conf_image *image) {
  for (int64_t i = 0; i < image->rows * image->cols; ++i) {
    double *v = &image->truth[i];
    switch (image->array.dtype) {
#define STORE_INTEGER(tag, type, low, high)                                \
  case tag:                                                                \
    ((type *)image->storage)[i] = (type)(*v = clamp_round(*v, low, high)); \
    break;
      STORE_INTEGER(NCC_U8, uint8_t, 0, 255)
      STORE_INTEGER(NCC_I8, int8_t, -128, 127)
      STORE_INTEGER(NCC_U16, uint16_t, 0, 65535)
      STORE_INTEGER(NCC_I16, int16_t, -32768, 32767)
      STORE_INTEGER(NCC_U32, uint32_t, 0, UINT32_MAX)
      STORE_INTEGER(NCC_I32, int32_t, INT32_MIN, INT32_MAX)
#undef STORE_INTEGER
      case NCC_F16:
        ((uint16_t *)image->storage)[i] = half_bits(v);
        break;
      case NCC_F32:
        *v = ((float *)image->storage)[i] = (float)*v;
        break;
      case NCC_F64:
        ((double *)image->storage)[i] = *v;
        break;
      default:
        abort();
    }
  }
}

conf_image conf_image_convert(const conf_image *image, ncc_dtype dtype) {
  conf_image other = conf_image_create(image->rows, image->cols, dtype);
  memcpy(other.truth, image->truth, (size_t)(image->rows * image->cols) * sizeof *other.truth);
  conf_store(&other);
  return other;
}

conf_image conf_image_cut(const conf_image *image, int64_t y, int64_t x, int64_t rows, int64_t cols) {
  conf_image cut = conf_image_create(rows, cols, image->array.dtype);
  for (int64_t i = 0; i < rows; ++i) {
    memcpy(cut.truth + i * cols, image->truth + (y + i) * image->cols + x, (size_t)cols * sizeof *cut.truth);
  }
  conf_store(&cut);
  return cut;
}

void conf_image_scale(conf_image *image, double gain, double offset) {
  for (int64_t i = 0; i < image->rows * image->cols; ++i) image->truth[i] = offset + gain * image->truth[i];
  conf_store(image);
}

conf_image conf_image_noise(int64_t rows, int64_t cols, ncc_dtype dtype, double mean, double sigma) {
  conf_image image = conf_image_create(rows, cols, dtype);
  for (int64_t i = 0; i < rows * cols; ++i) image.truth[i] = mean + sigma * conf_normal();
  conf_store(&image);
  return image;
}
