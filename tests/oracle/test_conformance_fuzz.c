/** Hundreds of small random pairs with random options: ENGINE [SEED [COUNT]]; a failure names its seed. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static uint64_t first_seed = 1;
static int64_t count = 600;

static ncc_dtype random_dtype(void) {
  return (ncc_dtype)conf_integer(0, NCC_DTYPE_COUNT - 1);
}

static double random_scale(ncc_dtype dtype) {
  if (dtype == NCC_F64 && conf_random() % 4 == 0) return pow(10, conf_uniform(-150, 150));
  if ((dtype == NCC_F64 || dtype == NCC_F32) && conf_random() % 3 == 0) return pow(10, conf_uniform(-30, 30));
  return 1;
}

enum { KINDS = 12 };

/** One of several kinds of picture. */
static conf_image random_image(int64_t rows, int64_t cols, ncc_dtype dtype, int kind) {
  conf_image image = conf_image_create(rows, cols, dtype);
  double offset = conf_uniform(-50, 200), sigma = pow(10, conf_uniform(-1, 2)), step = (double)conf_integer(1, 60);
  int64_t period_y = conf_integer(1, 6), period_x = conf_integer(1, 6);
  for (int64_t i = 0; i < rows * cols; ++i) {
    double *v = &image.truth[i];
    int64_t y = i / cols, x = i % cols;
    switch (kind) {
      case 0:
        *v = sigma * conf_normal();
        break;
      case 1:
        *v = offset + sigma * conf_normal();
        break;
      case 2:
        *v = 10000 + conf_normal();
        break;
      case 3:
        *v = (double)conf_integer(0, 1);
        break;
      case 4:
        *v = (double)conf_integer(0, 3) * step;
        break;
      case 5:
        *v = offset;
        break;
      case 6:
        *v = conf_random() % 40 ? offset : offset + sigma * conf_normal();
        break;
      case 7:
        *v = (double)((y % period_y) * 3 + x % period_x) * step;
        break;
      case 8:
        *v = offset + 0.7 * (double)y - 1.3 * (double)x;
        break;
      case 9:
        *v = y < rows / 4 || x < cols / 3 ? 0 : offset + (x > cols / 2 ? 0 : sigma * conf_normal());
        break;
      case 10:
        *v = dtype == NCC_F64 ? nextafter(0.1, (double)(conf_random() % 2))
                              : nextafterf(0.1f, (float)(conf_random() % 2));
        break;
      default:
        *v = hypot((double)(y - rows / 2), (double)(x - cols / 2)) < (double)rows / 3 ? offset + sigma * conf_normal()
                                                                                      : 0;
        break;
    }
  }
  if (conf_random() % 8 == 0) image.truth[conf_integer(0, rows * cols - 1)] = 1e6;
  double scale = random_scale(dtype);
  for (int64_t i = 0; i < rows * cols; ++i) image.truth[i] *= scale;
  if (conf_random() % 60 == 0) image.truth[conf_integer(0, rows * cols - 1)] = NAN;  // 0 in integers
  conf_store(&image);
  return image;
}

/** A template of its own, or cut from the image: exact, brighter, or noisy. */
static conf_image random_template(const conf_image *image) {
  int64_t m = conf_integer(1, image->rows), n = conf_integer(1, image->cols);
  if (conf_random() % 2) {  // small ones leave more to search
    m = 1 + m / 3;
    n = 1 + n / 3;
  }
  int how = (int)conf_integer(0, 4);
  if (how == 0) return random_image(m, n, random_dtype(), (int)conf_integer(0, KINDS - 1));
  conf_image cut = conf_image_cut(image, conf_integer(0, image->rows - m), conf_integer(0, image->cols - n), m, n);
  if (how >= 3) {
    double largest = 0;
    for (int64_t i = 0; i < m * n; ++i) largest = fmax(largest, fabs(cut.truth[i] - cut.truth[0]));
    for (int64_t i = 0; i < m * n; ++i) cut.truth[i] += (how == 3 ? 0.02 : 0.5) * largest * conf_normal();
    conf_store(&cut);
  }
  if (how == 2) conf_image_scale(&cut, conf_uniform(0.3, 3), conf_uniform(-5, 30));
  if (conf_random() % 2) return cut;
  conf_image other = conf_image_convert(&cut, random_dtype());
  conf_image_free(&cut);
  return other;
}

static ncc_search random_search(const conf_image *image, const conf_image *tmpl) {
  ncc_search search = {0};
  if (conf_random() % 4 == 0) {
    search.crop_y = conf_integer(0, (image->rows + tmpl->rows - 2) / 2);
    search.crop_x = conf_integer(0, (image->cols + tmpl->cols - 2) / 2);
  }
  search.crop_half = conf_random() % 6 == 0;
  search.normalize = conf_random() % 3 == 0;
  if (conf_random() % 3 == 0) search.min_overlap = conf_random() % 3 ? conf_uniform(0, 1) : 1;
  if (conf_random() % 3 == 0) search.outside = NCC_OUTSIDE_IGNORE;
  search.quality = conf_random() % 3 == 0;
  if (conf_random() % 4 == 0) {
    conf_value_at(&search, image, tmpl, conf_integer(0, image->rows + tmpl->rows - 2),
                  conf_integer(0, image->cols + tmpl->cols - 2), &search.eps);
    search.eps *= conf_random() % 2 ? 1 + conf_uniform(-1e-7, 1e-7) : conf_uniform(0.1, 2);
    if (!isfinite(search.eps)) search.eps = 0;
  }
  return search;
}

static void one_case(uint64_t seed) {
  conf_seed(seed * 0x9e3779b97f4a7c15u + 12345);
  int64_t largest = conf_random() % 4 ? 24 : 40;
  int kind = (int)conf_integer(0, KINDS - 1);
  conf_image image = random_image(conf_integer(1, largest), conf_integer(1, largest), random_dtype(), kind);
  conf_image tmpl = random_template(&image);
  ncc_search search = random_search(&image, &tmpl);
  ncc_rect window, *used = NULL;
  if (conf_random() % 4 == 0) {
    int64_t rows = image.rows + tmpl.rows - 1, cols = image.cols + tmpl.cols - 1;
    window.y0 = conf_integer(0, rows - 1);
    window.x0 = conf_integer(0, cols - 1);
    window.y1 = conf_integer(window.y0 + 1, rows);
    window.x1 = conf_integer(window.x0 + 1, cols);
    used = &window;
  }
  int threads = (int)conf_integer(1, 3);
  conf_label(
      "seed %llu: %lldx%lld %s kind %d, %lldx%lld %s; crop %lld,%lld half %d normalize %d eps %.17g overlap %.17g "
      "quality %d outside %d window %d",
      (unsigned long long)seed, (long long)image.rows, (long long)image.cols, ncc_dtype_name(image.array.dtype), kind,
      (long long)tmpl.rows, (long long)tmpl.cols, ncc_dtype_name(tmpl.array.dtype), (long long)search.crop_x,
      (long long)search.crop_y, search.crop_half, search.normalize, search.eps, search.min_overlap, search.quality,
      (int)search.outside, used != NULL);
  ncc_result r = conf_match(conf_engine, threads, &search, &image, &tmpl, used);
  conf_compare(&search, &image, &tmpl, used, &r);
  conf_image_free(&image);
  conf_image_free(&tmpl);
}

/** Seeds that once found a fault. */
static void pairs_that_once_failed(void) {
  static const uint64_t seeds[] = {792,    28996,  50920,   57362,   102037,  127248,  136598,
                                   143975, 150749, 1002591, 2091305, 2097865, 3047276, 3054713};
  for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; ++i) one_case(seeds[i]);
}

static void random_pairs(void) {
  for (int64_t i = 0; i < count; ++i) one_case(first_seed + (uint64_t)i);
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(random_pairs), CONF_TEST(pairs_that_once_failed)};
  if (argc > 2) {
    first_seed = strtoull(argv[2], NULL, 10);
    count = argc > 3 ? strtoll(argv[3], NULL, 10) : 1;
  }
  return conf_main(argc > 2 ? 2 : argc, argv, tests, argc > 2 ? 1 : 2);
}
