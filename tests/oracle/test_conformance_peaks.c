/** Lists of peaks: each is the best of what is farther than the separation from all better ones, by direct sums. */
#include "conformance.h"

static bool too_near(const ncc_peak *peaks, int n, int64_t separation, int64_t y, int64_t x) {
  for (int k = 0; k < n; ++k)
    if (llabs(y - peaks[k].y) <= separation && llabs(x - peaks[k].x) <= separation) return true;
  return false;
}

/** A list against values [rows, cols] by direct sums, NaN where not searched. */
static void check_list(const ncc_search *search, const double *values, int64_t rows, int64_t cols,
                       const ncc_peak *peaks) {
  const int64_t apart = search->separation ? search->separation : NCC_SEPARATION_PX;
  for (int k = 0; k < search->peaks; ++k) {
    double best = -2;
    for (int64_t i = 0; i < rows * cols; ++i)
      if (values[i] > best && !too_near(peaks, k, apart, i / cols, i % cols)) best = values[i];
    const ncc_peak *p = &peaks[k];
    if (best == -2) {
      for (; k < search->peaks; ++k)
        CONF_EXPECT(peaks[k].y == -1 && peaks[k].x == -1 && isnan(peaks[k].value), "peak %d where none is left", k);
      return;
    }
    const bool inside = p->y >= 0 && p->y < rows && p->x >= 0 && p->x < cols;
    const double value = inside ? values[p->y * cols + p->x] : NAN;
    CONF_EXPECT(fabs(p->value - value) <= CONF_TOLERANCE, "peak %d (%lld, %lld) %.17g, where the NCC is %.17g", k,
                (long long)p->y, (long long)p->x, p->value, value);
    CONF_EXPECT(value >= best - 2 * CONF_TOLERANCE, "peak %d (%lld, %lld) %.17g, the best is %.17g", k, (long long)p->y,
                (long long)p->x, p->value, best);
    if (!inside) return;
    CONF_EXPECT(!too_near(peaks, k, apart, p->y, p->x), "peak %d (%lld, %lld) is too near to a better one", k,
                (long long)p->y, (long long)p->x);
  }
}

/** Matches with the engine under test and with the reference; checks both lists. @param[in] exact  both are the same */
static void check_pair(const ncc_search *search, const conf_image *image, const conf_image *tmpl,
                       const ncc_rect *window, bool exact) {
  const int64_t rows = image->rows + tmpl->rows - 1, cols = image->cols + tmpl->cols - 1;
  const ncc_engine_ops *engines[2] = {conf_engine, ncc_engine_reference()};
  ncc_peak *lists[2];
  double *values = malloc((size_t)(rows * cols) * sizeof *values);
  if (!values) exit(1);
  const int64_t crop_y = search->crop_half ? tmpl->rows / 2 : search->crop_y;
  const int64_t crop_x = search->crop_half ? tmpl->cols / 2 : search->crop_x;
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < cols; ++x) {
      const bool left_out = y < crop_y || x < crop_x || y >= rows - crop_y || x >= cols - crop_x ||
                            (window && (y < window->y0 || x < window->x0 || y >= window->y1 || x >= window->x1));
      double energy, value = left_out ? NAN : conf_value_at(search, image, tmpl, y, x, &energy);
      values[y * cols + x] = !left_out && search->eps > 0 && energy <= search->eps ? 0 : value;
    }
  for (int e = 0; e < 2; ++e) {
    const ncc_config config = {.engine = engines[e], .fft_effort = NCC_FFT_ESTIMATE, .threads = 2};
    ncc_matcher *matcher = NULL;
    ncc_result r;
    const bool done = ncc_matcher_create(search, &config, &matcher) == NCC_OK &&
                      ncc_matcher_match(matcher, -1, &image->array, 1, &tmpl->array, window, &r) == NCC_OK;
    CONF_EXPECT(done, "%s", ncc_error_message());
    lists[e] = calloc((size_t)search->peaks, sizeof *lists[e]);
    if (!lists[e] || !done) exit(1);
    for (int k = 0; k < search->peaks; ++k) lists[e][k] = ncc_matcher_peaks(matcher)[k];
    check_list(search, values, rows, cols, lists[e]);
    CONF_EXPECT(lists[e][0].y == r.y && lists[e][0].x == r.x && lists[e][0].value == r.peak,
                "the first is not the peak");
    if (search->quality && search->peaks > 1 && r.status == NCC_PAIR_OK)
      CONF_EXPECT(lists[e][1].y == r.second_y && lists[e][1].x == r.second_x, "the second is not the second peak");
    ncc_matcher_destroy(&matcher);
  }
  for (int k = 0; exact && k < search->peaks; ++k)
    CONF_EXPECT(lists[0][k].y == lists[1][k].y && lists[0][k].x == lists[1][k].x,
                "peak %d (%lld, %lld) %.17g, reference (%lld, %lld) %.17g", k, (long long)lists[0][k].y,
                (long long)lists[0][k].x, lists[0][k].value, (long long)lists[1][k].y, (long long)lists[1][k].x,
                lists[1][k].value);
  free(lists[0]);
  free(lists[1]);
  free(values);
}

static void random_pairs(void) {
  static const ncc_dtype dtypes[] = {NCC_U8, NCC_I16, NCC_F32, NCC_F64};
  static const int counts[] = {1, 2, 7, 60}, separations[] = {0, 1, 4, 30};
  for (int i = 0; i < 16; ++i) {
    conf_image image = conf_image_noise(conf_integer(20, 44), conf_integer(20, 44), dtypes[i % 4], 90, 30);
    conf_image tmpl = conf_image_cut(&image, 3, 2, conf_integer(4, 12), conf_integer(4, 12));
    const ncc_search search = {.peaks = counts[i / 4],
                               .separation = separations[(i + i / 4) % 4],
                               .quality = i % 3 == 0,
                               .normalize = i % 5 == 4,
                               .crop_half = i % 7 == 3,
                               .crop_y = i % 7 == 5 ? 3 : 0};
    const ncc_rect window = {2, 3, 17, 15};
    conf_label("pair %d", i);
    check_pair(&search, &image, &tmpl, i % 4 == 1 ? &window : NULL, false);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

/** Hundreds of equal maxima, of 1 and below it, also where most of the image is flat. */
static void lattices(void) {
  for (int kind = 0; kind < 4; ++kind) {
    conf_label("lattice %d", kind);
    conf_image image = conf_image_create(60, 64, kind == 1 ? NCC_F32 : NCC_U8);
    for (int64_t y = 0; y < 60; ++y)
      for (int64_t x = 0; x < 64; ++x) {
        const bool blank = kind == 3 && y >= 20;
        image.truth[y * 64 + x] = blank ? 7 : 40 + 13 * (double)(y % 5 * (y % 5)) + 29 * (double)(x % 4);
      }
    conf_store(&image);
    conf_image tmpl = conf_image_cut(&image, 5, 8, 9, 10);
    if (kind == 2) {
      tmpl.truth[31] += 60;  // the maxima are below 1
      conf_store(&tmpl);
    }
    const ncc_search few = {.peaks = 20}, many = {.peaks = 200, .separation = 3, .quality = true};
    const ncc_search crowded = {.peaks = 90, .separation = 1, .min_overlap = 1};
    check_pair(&few, &image, &tmpl, NULL, true);
    check_pair(&many, &image, &tmpl, NULL, true);
    const ncc_rect inside = {8, 9, 60, 64};
    ncc_search windowed = crowded;
    windowed.min_overlap = 0;
    check_pair(&windowed, &image, &tmpl, &inside, true);
    conf_image_free(&tmpl);
    conf_image_free(&image);
  }
}

/** Where all is 0, the places are those of the first positions left. */
static void flat_pairs(void) {
  conf_image image = conf_image_noise(20, 22, NCC_U8, 90, 30), flat = conf_image_create(6, 5, NCC_U8);
  conf_image blank = conf_image_create(20, 22, NCC_F32), tmpl = conf_image_cut(&image, 3, 2, 6, 5);
  const ncc_search search = {.peaks = 12, .separation = 6, .quality = true};
  check_pair(&search, &image, &flat, NULL, true);
  check_pair(&search, &blank, &tmpl, NULL, true);
  conf_image_free(&image);
  conf_image_free(&flat);
  conf_image_free(&blank);
  conf_image_free(&tmpl);
}

static void values_out_of_range_are_refused(void) {
  const ncc_search bad[] = {{.peaks = -1}, {.peaks = NCC_PEAKS_MOST + 1}, {.separation = -1}};
  const ncc_config config = {.engine = conf_engine};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    ncc_matcher *matcher;
    CONF_EXPECT(ncc_matcher_create(&bad[i], &config, &matcher) == NCC_ERR_USAGE && !matcher, "case %zu", i);
  }
}

int main(int argc, char **argv) {
  static const conf_test tests[] = {CONF_TEST(random_pairs), CONF_TEST(lattices), CONF_TEST(flat_pairs),
                                    CONF_TEST(values_out_of_range_are_refused)};
  return conf_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
