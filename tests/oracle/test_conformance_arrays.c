/** How pixels arrive and answers leave: types, strides, bad pixels, many templates, kept images, threads. */
#include "conformance.h"

#include <string.h>

static void every_pair_of_types(void) {
  conf_image small = conf_image_create(26, 23, NCC_F64);
  for (int64_t i = 0; i < 26 * 23; ++i) small.truth[i] = (double)conf_integer(0, 100);
  conf_store(&small);
  conf_image cut = conf_image_cut(&small, 4, 9, 8, 7);
  for (int64_t i = 0; i < 56; ++i) cut.truth[i] = fmax(0, cut.truth[i] + (double)conf_integer(-9, 9));
  conf_store(&cut);
  ncc_result first = conf_check(NULL, &small, &cut, NULL);
  for (int a = 0; a < NCC_DTYPE_COUNT; ++a) {
    for (int b = 0; b < NCC_DTYPE_COUNT; ++b) {
      conf_label("%s image, %s template", ncc_dtype_name((ncc_dtype)a), ncc_dtype_name((ncc_dtype)b));
      conf_image image = conf_image_convert(&small, (ncc_dtype)a), tmpl = conf_image_convert(&cut, (ncc_dtype)b);
      for (int normalized = 0; normalized < 2; ++normalized) {
        ncc_search search = {.normalize = normalized, .min_overlap = normalized ? 0.9 : 0};
        ncc_result r = conf_check(&search, &image, &tmpl, NULL);
        CONF_EXPECT(normalized || (r.y == first.y && r.x == first.x && fabs(r.peak - first.peak) <= CONF_TOLERANCE),
                    "(%lld, %lld) %.17g, as f64 %.17g", (long long)r.y, (long long)r.x, r.peak, first.peak);
      }
      conf_image_free(&image);
      conf_image_free(&tmpl);
    }
  }
  conf_image_free(&small);
  conf_image_free(&cut);
}

/** A view of rows [y, y + rows) and columns [x, x + cols), upside down where `flip`. */
static ncc_array view(const conf_image *image, int64_t y, int64_t x, int64_t rows, int64_t cols, bool flip) {
  ncc_array a = image->array;
  int64_t first = flip ? y + rows - 1 : y;
  a.data = (const char *)a.data + (first * image->cols + x) * (int64_t)ncc_dtype_size(a.dtype);
  a.rows = rows;
  a.cols = cols;
  a.row_stride = flip ? -image->cols : image->cols;
  return a;
}

static void strided_and_flipped_views(void) {
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; ++dtype) {
    for (int flip = 0; flip < 2; ++flip) {
      conf_label("%s flip %d", ncc_dtype_name((ncc_dtype)dtype), flip);
      conf_image big = conf_image_noise(40, 37, (ncc_dtype)dtype, 60, 25);
      ncc_array image_view = view(&big, 3, 5, 30, 29, flip), tmpl_view = view(&big, 10, 12, 9, 11, flip);
      conf_image image = conf_image_cut(&big, 3, 5, 30, 29), tmpl = conf_image_cut(&big, 10, 12, 9, 11);
      for (int64_t y = 0; flip && y < 30; ++y) {
        memcpy(image.truth + y * 29, big.truth + (32 - y) * 37 + 5, 29 * sizeof(double));
        if (y < 9) memcpy(tmpl.truth + y * 11, big.truth + (18 - y) * 37 + 12, 11 * sizeof(double));
      }
      conf_store(&image);
      conf_store(&tmpl);
      ncc_search searches[] = {{.quality = true}, {.normalize = true}, {.crop_half = true}};
      for (int k = 0; k < 3; ++k) {
        ncc_result strided, plain = conf_check(&searches[k], &image, &tmpl, NULL);
        conf_match_many(conf_engine, 1, &searches[k], &image_view, 1, &tmpl_view, NULL, &strided);
        CONF_EXPECT(conf_identical(&strided, &plain), "view (%lld, %lld) %.17g, copy (%lld, %lld) %.17g",
                    (long long)strided.y, (long long)strided.x, strided.peak, (long long)plain.y, (long long)plain.x,
                    plain.peak);
      }
      conf_image_free(&tmpl);
      conf_image_free(&image);
      conf_image_free(&big);
    }
  }
}

static void expect_status(const ncc_result *r, ncc_pair_status expected) {
  CONF_EXPECT(r->status == expected && r->y == -1 && r->x == -1 && isnan(r->peak),
              "status %s (%lld, %lld) %g, expected %s", ncc_pair_status_name((ncc_pair_status)r->status),
              (long long)r->y, (long long)r->x, r->peak, ncc_pair_status_name(expected));
}

static void nonfinite_pixels(void) {
  static const ncc_dtype dtypes[] = {NCC_F16, NCC_F32, NCC_F64};
  static const double bad[] = {NAN, INFINITY, -INFINITY};
  for (int d = 0; d < 3; ++d) {
    for (int b = 0; b < 3; ++b) {
      for (int where = 0; where < 4; ++where) {
        conf_label("%s %g at %d", ncc_dtype_name(dtypes[d]), bad[b], where);
        conf_image image = conf_image_noise(20, 22, dtypes[d], 0, 1), tmpl = conf_image_noise(6, 5, dtypes[d], 0, 1);
        conf_image flat = conf_image_create(6, 5, dtypes[d]);
        double *pixels[] = {&image.truth[0], &image.truth[20 * 22 - 1], &image.truth[215], &tmpl.truth[17]};
        *pixels[where] = bad[b];
        conf_store(&image);
        conf_store(&tmpl);
        // Also where the searched windows never touch the bad pixel.
        ncc_rect far = {10, 9, 12, 11};
        ncc_search normalize = {.normalize = true, .quality = true};
        ncc_result r = conf_check(NULL, &image, &tmpl, NULL);
        expect_status(&r, NCC_PAIR_NONFINITE);
        r = conf_check(&normalize, &image, &tmpl, NULL);
        expect_status(&r, NCC_PAIR_NONFINITE);
        r = conf_check(NULL, &image, &tmpl, &far);
        expect_status(&r, NCC_PAIR_NONFINITE);
        if (where < 3) {  // nonfinite comes before flat
          r = conf_check(NULL, &image, &flat, NULL);
          expect_status(&r, NCC_PAIR_NONFINITE);
        }
        conf_image_free(&flat);
        conf_image_free(&tmpl);
        conf_image_free(&image);
      }
    }
  }
}

static void missing_pixels_and_shapes_that_do_not_fit(void) {
  conf_image image = conf_image_noise(20, 22, NCC_F32, 0, 1), tmpl = conf_image_noise(6, 5, NCC_F32, 0, 1);
  conf_image large = conf_image_noise(21, 5, NCC_F32, 0, 1), broken = conf_image_noise(6, 5, NCC_F32, 0, 1);
  broken.truth[3] = NAN;
  conf_store(&broken);
  ncc_array missing = tmpl.array, large_missing = large.array, no_image = image.array;
  missing.data = large_missing.data = no_image.data = NULL;
  ncc_array templates[] = {tmpl.array, missing, large.array, large_missing, broken.array, tmpl.array};
  ncc_result r[6];
  conf_match_many(conf_engine, 2, NULL, &image.array, 6, templates, NULL, r);
  CONF_EXPECT(r[0].status == NCC_PAIR_OK && conf_identical(&r[0], &r[5]), "good pairs among bad ones");
  conf_compare(NULL, &image, &tmpl, NULL, &r[0]);
  expect_status(&r[1], NCC_PAIR_UNREADABLE);
  expect_status(&r[2], NCC_PAIR_INVALID);
  expect_status(&r[3], NCC_PAIR_INVALID);
  expect_status(&r[4], NCC_PAIR_NONFINITE);
  conf_match_many(conf_engine, 1, NULL, &no_image, 6, templates, NULL, r);
  for (int i = 0; i < 6; ++i) expect_status(&r[i], i == 2 || i == 3 ? NCC_PAIR_INVALID : NCC_PAIR_UNREADABLE);
  conf_match_many(conf_engine, 1, NULL, &image.array, 0, NULL, NULL, r);
  conf_image_free(&image);
  conf_image_free(&tmpl);
  conf_image_free(&large);
  conf_image_free(&broken);
}

/** A batch: one image, templates of mixed shapes and types, search windows for all. */
enum { BATCH = 24 };
typedef struct batch {
  conf_image image, templates[BATCH];
  ncc_array arrays[BATCH];
  ncc_rect windows[BATCH];
} batch;

static void make_batch(batch *b, ncc_dtype dtype) {
  b->image = conf_image_noise(45, 52, dtype, 100, 20);
  for (int i = 0; i < BATCH; ++i) {
    // Shapes repeat now and then, and so do neighbours.
    int64_t m = i % 5 == 1 ? 10 : conf_integer(1, 20), n = i % 5 == 1 ? 9 : conf_integer(2, 20);
    conf_image cut = conf_image_cut(&b->image, conf_integer(0, 45 - m), conf_integer(0, 52 - n), m, n);
    b->templates[i] = conf_image_convert(&cut, i % 3 ? dtype : NCC_F32);
    conf_image_free(&cut);
    if (i % 7 == 3) conf_image_scale(&b->templates[i], 0, 5);  // flat
    if (i % 2) {
      for (int64_t k = 0; k < m * n; ++k) b->templates[i].truth[k] += 5 * conf_normal();
      conf_store(&b->templates[i]);
    }
    b->arrays[i] = b->templates[i].array;
    int64_t y = conf_integer(0, 30), x = conf_integer(0, 30);
    b->windows[i] = (ncc_rect){y, x, y + conf_integer(1, 15), x + conf_integer(1, 20)};
  }
}

static void free_batch(batch *b) {
  conf_image_free(&b->image);
  for (int i = 0; i < BATCH; ++i) conf_image_free(&b->templates[i]);
}

static void many_templates_on_one_image(void) {
  static const ncc_dtype dtypes[] = {NCC_U8, NCC_F32, NCC_F64, NCC_I32};
  ncc_search searches[] = {{0}, {.quality = true}, {.normalize = true}, {.min_overlap = 0.5}, {.crop_half = true}};
  for (int d = 0; d < 4; ++d) {
    batch b;
    make_batch(&b, dtypes[d]);
    for (int k = 0; k < 5; ++k) {
      for (int windowed = 0; windowed < (k < 2 ? 2 : 1); ++windowed) {
        ncc_result together[BATCH], threaded[BATCH], alone;
        const ncc_rect *windows = windowed ? b.windows : NULL;
        conf_match_many(conf_engine, 1, &searches[k], &b.image.array, BATCH, b.arrays, windows, together);
        for (int threads = 2; threads <= 3; ++threads) {
          conf_match_many(conf_engine, threads, &searches[k], &b.image.array, BATCH, b.arrays, windows, threaded);
          for (int i = 0; i < BATCH; ++i) {
            CONF_EXPECT(conf_identical(&together[i], &threaded[i]), "%d threads change template %d", threads, i);
          }
        }
        for (int i = 0; i < BATCH; ++i) {
          conf_label("%s search %d window %d template %d", ncc_dtype_name(dtypes[d]), k, windowed, i);
          const ncc_rect *window = windowed ? &b.windows[i] : NULL;
          conf_compare(&searches[k], &b.image, &b.templates[i], window, &together[i]);
          alone = conf_match(conf_engine, 1, &searches[k], &b.image, &b.templates[i], window);
          CONF_EXPECT(conf_identical(&together[i], &alone), "together (%lld, %lld) %.17g, alone (%lld, %lld) %.17g",
                      (long long)together[i].y, (long long)together[i].x, together[i].peak, (long long)alone.y,
                      (long long)alone.x, alone.peak);
        }
      }
    }
    free_batch(&b);
  }
}

static void a_kept_image_gives_the_same_answers(void) {
  batch a, b;
  make_batch(&a, NCC_U16);
  make_batch(&b, NCC_F32);
  ncc_search search = {.quality = true};
  ncc_config config = {.engine = conf_engine, .threads = 2, .fft_effort = NCC_FFT_ESTIMATE};
  ncc_result fresh[2][BATCH], kept[BATCH];
  conf_match_many(conf_engine, 1, &search, &a.image.array, BATCH, a.arrays, NULL, fresh[0]);
  conf_match_many(conf_engine, 1, &search, &b.image.array, BATCH, b.arrays, NULL, fresh[1]);
  ncc_matcher *matcher = NULL;
  CONF_EXPECT(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  // Keys in a row, alternating, and none; one template at a time and all at once; a key named again after another.
  static const struct {
    int which, key, step;
  } calls[] = {{0, 7, 1}, {0, 7, BATCH}, {1, 9, 5}, {1, -1, BATCH}, {0, 7, 3}, {1, 8, 1}, {0, -1, 1}, {1, 8, BATCH}};
  for (size_t k = 0; matcher && k < sizeof calls / sizeof calls[0]; ++k) {
    conf_label("call %zu", k);
    batch *which = calls[k].which ? &b : &a;
    for (int i = 0; i < BATCH; i += calls[k].step) {
      int n = BATCH - i < calls[k].step ? BATCH - i : calls[k].step;
      ncc_status status =
          ncc_matcher_match(matcher, calls[k].key, &which->image.array, n, which->arrays + i, NULL, kept + i);
      CONF_EXPECT(status == NCC_OK, "%s", ncc_error_message());
    }
    for (int i = 0; i < BATCH; ++i) {
      CONF_EXPECT(conf_identical(&kept[i], &fresh[calls[k].which][i]), "template %d: (%lld, %lld) %.17g", i,
                  (long long)kept[i].y, (long long)kept[i].x, kept[i].peak);
    }
  }
  if (matcher)
    CONF_EXPECT(ncc_matcher_counters(matcher)->pairs == 8 * BATCH, "counted %lld pairs",
                (long long)ncc_matcher_counters(matcher)->pairs);
  ncc_matcher_destroy(&matcher);
  ncc_matcher_destroy(&matcher);
  free_batch(&a);
  free_batch(&b);
}

static void same_key_with_different_windows(void) {
  // What is kept of an image must not depend on what the first call searched of it.
  batch b;
  make_batch(&b, NCC_F32);
  ncc_search search = {.min_overlap = 0.3};
  ncc_config config = {.engine = conf_engine, .threads = 1, .fft_effort = NCC_FFT_ESTIMATE};
  ncc_matcher *matcher = NULL;
  CONF_EXPECT(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  ncc_rect windows[] = {{20, 20, 26, 26}, {10, 12, 40, 40}, {30, 30, 34, 44}};
  for (int i = 0; matcher && i < 9; ++i) {
    conf_label("call %d", i);
    const ncc_rect *window = i % 4 == 3 ? NULL : &windows[i % 3];
    const conf_image *tmpl = &b.templates[1 + 5 * (i % 3)];  // one shape
    ncc_result r;
    ncc_status status = ncc_matcher_match(matcher, 3, &b.image.array, 1, &tmpl->array, window, &r);
    CONF_EXPECT(status == NCC_OK, "%s", ncc_error_message());
    conf_compare(&search, &b.image, tmpl, window, &r);
  }
  ncc_matcher_destroy(&matcher);
  free_batch(&b);
}

static void a_stop_leaves_the_rest_pending(void) {
  batch b;
  make_batch(&b, NCC_U8);
  volatile int stop = 1;
  ncc_search search = {0};
  ncc_config config = {.engine = conf_engine, .threads = 2, .stop = &stop};
  ncc_result r[BATCH];
  ncc_matcher *matcher = NULL;
  CONF_EXPECT(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
  if (!matcher) return;
  memset(r, 0xa5, sizeof r);
  ncc_status status = ncc_matcher_match(matcher, -1, &b.image.array, BATCH, b.arrays, NULL, r);
  CONF_EXPECT(status == NCC_ERR_STOPPED, "status %d", (int)status);
  for (int i = 0; i < BATCH; ++i) {
    CONF_EXPECT(r[i].status == NCC_PAIR_PENDING || r[i].status == NCC_PAIR_OK || r[i].status == NCC_PAIR_FLAT,
                "template %d: %d", i, r[i].status);
  }
  CONF_EXPECT(r[BATCH - 1].status == NCC_PAIR_PENDING, "the last one was reached");
  // The same matcher goes on afterwards.
  stop = 0;
  status = ncc_matcher_match(matcher, -1, &b.image.array, BATCH, b.arrays, NULL, r);
  CONF_EXPECT(status == NCC_OK, "%s", ncc_error_message());
  for (int i = 0; i < BATCH; ++i) conf_compare(&search, &b.image, &b.templates[i], NULL, &r[i]);
  ncc_matcher_destroy(&matcher);
  free_batch(&b);
}

static void threads_share_a_larger_pair(void) {
  if (conf_is_reference) return;
  conf_image image = conf_image_noise(301, 257, NCC_U8, 128, 30), tmpl = conf_image_cut(&image, 130, 20, 101, 90);
  for (int64_t i = 0; i < 101 * 90; ++i) tmpl.truth[i] += 60 * conf_normal();
  conf_store(&tmpl);
  ncc_search searches[] = {{.quality = true}, {.normalize = true, .quality = true}};
  for (int k = 0; k < 2; ++k) {
    ncc_result one = conf_match(conf_engine, 1, &searches[k], &image, &tmpl, NULL);
    for (int threads = 2; threads <= 5; ++threads) {
      ncc_result r = conf_match(conf_engine, threads, &searches[k], &image, &tmpl, NULL);
      CONF_EXPECT(conf_identical(&r, &one), "%d threads: (%lld, %lld) %.17g, one (%lld, %lld) %.17g", threads,
                  (long long)r.y, (long long)r.x, r.peak, (long long)one.y, (long long)one.x, one.peak);
    }
    CONF_EXPECT(one.y == 230 && one.x == 109, "(%lld, %lld)", (long long)one.y, (long long)one.x);
  }
  conf_image_free(&tmpl);
  conf_image_free(&image);
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(every_pair_of_types),
                                    CONF_TEST(strided_and_flipped_views),
                                    CONF_TEST(nonfinite_pixels),
                                    CONF_TEST(missing_pixels_and_shapes_that_do_not_fit),
                                    CONF_TEST(many_templates_on_one_image),
                                    CONF_TEST(a_kept_image_gives_the_same_answers),
                                    CONF_TEST(same_key_with_different_windows),
                                    CONF_TEST(a_stop_leaves_the_rest_pending),
                                    CONF_TEST(threads_share_a_larger_pair)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
