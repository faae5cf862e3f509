/** Common part of the conformance suite; see conformance.h. */
#include "conformance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gpu/gpu.h"
#include "match/engine.h"

const ncc_engine_ops *conf_engine;
bool conf_is_reference;

static int failures;
static char label[512], worst_label[512];
static double worst_peak_error;
static int64_t pairs_compared, coordinates_tied, borders_met[2];
static uint64_t digest = 0xcbf29ce484222325u;  // of all results compared (FNV-1a)

/* ---- running ------------------------------------------------------------------------------------------------ */

/** The engines of this build. */
static const ncc_engine_ops *find_engine(const char *name) {
  if (strcmp(name, "reference") == 0) return ncc_engine_reference();
  if (strcmp(name, "cpu") == 0) return ncc_engine_cpu();
  if (strcmp(name, "cpu-transforming") == 0) return ncc_engine_cpu_transforming();
  if (strcmp(name, "cpu-half") == 0) return ncc_engine_cpu_half();
  if (strcmp(name, "cpu-direct") == 0) return ncc_engine_cpu_direct();
  if (strcmp(name, "gpu") == 0) return ncc_engine_gpu();
  return NULL;
}

void conf_fail(const char *file, int line, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *slash = strrchr(file, '/');
  // A broken engine fails everywhere: the first failures tell enough.
  if (++failures <= 20) {
    printf("  %s:%d: ", slash ? slash + 1 : file, line);
    vprintf(format, args);
    printf("%s%s%s\n", label[0] ? " [" : "", label, label[0] ? "]" : "");
  }
  va_end(args);
}

void conf_label(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(label, sizeof label, format, args);
  va_end(args);
}

int conf_main(int argc, char **argv, const conf_test *tests, size_t count) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s ENGINE [TEST]\n", argv[0]);
    return 2;
  }
  conf_engine = find_engine(argv[1]);
  if (!conf_engine) {
    printf("skipped: no engine \"%s\" in this build\n", argv[1]);
    return 77;
  }
  conf_is_reference = conf_engine == ncc_engine_reference();
  setvbuf(stdout, NULL, _IOLBF, 0);
  int total = 0;
  for (size_t i = 0; i < count; ++i) {
    if (argc > 2 && !strstr(tests[i].name, argv[2])) continue;
    failures = 0;
    label[0] = 0;
    conf_seed(1);
    tests[i].run();
    printf("%s %s\n", failures ? "FAILED" : "ok    ", tests[i].name);
    total += failures;
  }
  printf(
      "%lld pairs, %lld with other coordinates of a tied value, %lld at a border, largest error of a "
      "peak %.2g%s%s%s\n",
      (long long)pairs_compared, (long long)coordinates_tied, (long long)borders_met[1], worst_peak_error,
      worst_label[0] ? " [" : "", worst_label, worst_label[0] ? "]" : "");
  printf("digest of all answers %016llx\n", (unsigned long long)digest);
  if (total) printf("%d failures\n", total);
  return total ? 1 : 0;
}

/* ---- matching ----------------------------------------------------------------------------------------------- */

void conf_match_many(const ncc_engine_ops *engine, int threads, const ncc_search *search, const ncc_array *image,
                     int64_t n, const ncc_array *templates, const ncc_rect *windows, ncc_result *results) {
  static const ncc_search whole = {0};
  ncc_config config = {.engine = engine, .threads = threads, .fft_effort = NCC_FFT_ESTIMATE};
  ncc_matcher *matcher = NULL;
  memset(results, 0xa5, (size_t)n * sizeof *results);
  ncc_status status = ncc_matcher_create(search ? search : &whole, &config, &matcher);
  if (status == NCC_OK) status = ncc_matcher_match(matcher, -1, image, n, templates, windows, results);
  CONF_EXPECT(status == NCC_OK, "%s: %s: %s", ncc_engine_name(engine), ncc_status_text(status), ncc_error_message());
  ncc_matcher_destroy(&matcher);
  CONF_EXPECT(matcher == NULL, "destroy left a pointer");
}

ncc_result conf_match(const ncc_engine_ops *engine, int threads, const ncc_search *search, const conf_image *image,
                      const conf_image *tmpl, const ncc_rect *window) {
  ncc_result result;
  conf_match_many(engine, threads, search, &image->array, 1, &tmpl->array, window, &result);
  return result;
}

/** What --normalize makes of an array: ((v - first) - shift) / deviation, rounded to float64. */
typedef struct normalization {
  bool wanted;
  long double shift, deviation;
} normalization;

static normalization find_normalization(const ncc_search *search, const conf_image *image) {
  normalization out = {.wanted = search && search->normalize};
  int64_t n = image->rows * image->cols;
  bool flat = true;
  for (int64_t i = 0; out.wanted && i < n; ++i) {
    out.shift += (long double)image->truth[i] - image->truth[0];
    if (image->truth[i] != image->truth[0]) flat = false;
  }
  out.shift /= n;  // once, so that a background that is the mean exactly becomes exactly 0
  for (int64_t i = 0; out.wanted && i < n; ++i) {
    long double d = ((long double)image->truth[i] - image->truth[0]) - out.shift;
    out.deviation += d * d / n;
  }
  out.deviation = flat ? INFINITY : sqrtl(out.deviation);
  return out;
}

/** Pixel (y, x) of the image (normalised or not) and zero outside. */
static double pixel_at(const conf_image *image, const normalization *norm, int64_t y, int64_t x) {
  if (y < 0 || y >= image->rows || x < 0 || x >= image->cols) return 0;
  double value = image->truth[y * image->cols + x];
  return norm->wanted ? (double)((((long double)value - image->truth[0]) - norm->shift) / norm->deviation) : value;
}

/** Whether a pixel of the window counts: all do where zeros are outside the image. */
static bool counts(const ncc_search *search, const conf_image *image, int64_t y, int64_t x) {
  return !search || search->outside == NCC_OUTSIDE_ZERO || (y >= 0 && y < image->rows && x >= 0 && x < image->cols);
}

double conf_value_at(const ncc_search *search, const conf_image *image, const conf_image *tmpl, int64_t y, int64_t x,
                     double *energy) {
  normalization image_norm = find_normalization(search, image), tmpl_norm = find_normalization(search, tmpl);
  int64_t m = tmpl->rows, n = tmpl->cols;
  const bool ignores = search && search->outside == NCC_OUTSIDE_IGNORE;
  int64_t top = ignores && y < m - 1 ? m - 1 - y : 0, left = ignores && x < n - 1 ? n - 1 - x : 0, count = 0;
  long double w0 = pixel_at(image, &image_norm, y - m + 1 + top, x - n + 1 + left);
  long double t0 = pixel_at(tmpl, &tmpl_norm, top, left);
  long double means[2] = {0, 0}, ww = 0, tt = 0, wt = 0;
  for (int64_t i = 0; i < m * n; ++i) count += counts(search, image, y - m + 1 + i / n, x - n + 1 + i % n);
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        if (!counts(search, image, y - m + 1 + i, x - n + 1 + j)) continue;
        long double w = pixel_at(image, &image_norm, y - m + 1 + i, x - n + 1 + j) - w0;
        long double t = pixel_at(tmpl, &tmpl_norm, i, j) - t0;
        if (pass == 0) {
          means[0] += w / count;
          means[1] += t / count;
        } else {
          ww += (w - means[0]) * (w - means[0]);
          tt += (t - means[1]) * (t - means[1]);
          wt += (w - means[0]) * (t - means[1]);
        }
      }
    }
  }
  // Equal pixels differ from the first by exactly nothing, so a flat window has exactly no energy.
  long double root = sqrtl(ww * tt);
  if (energy) *energy = (double)root;
  if (root == 0 || (search && search->eps > 0 && root <= search->eps)) return 0;
  return (double)(wt / root);
}

/** What two evaluations of the NCC at a position may differ by. The copy that --normalize makes is rounded to float64,
 * so that a window of little deviation far from the mean (beside a hot pixel) is known to that precision only. */
static double tolerance_at(const ncc_search *search, const conf_image *image, const conf_image *tmpl, int64_t y,
                           int64_t x) {
  if (!search || !search->normalize) return CONF_TOLERANCE;
  normalization norm = find_normalization(search, image);
  long double area = 0, sum = 0, squares = 0, about_mean = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < tmpl->rows; ++i) {
      for (int64_t j = 0; j < tmpl->cols; ++j) {
        if (!counts(search, image, y - tmpl->rows + 1 + i, x - tmpl->cols + 1 + j)) continue;
        long double w = pixel_at(image, &norm, y - tmpl->rows + 1 + i, x - tmpl->cols + 1 + j);
        if (pass == 0) {
          area += 1;
          sum += w;
          squares += w * w;
        } else {
          about_mean += (w - sum / area) * (w - sum / area);
        }
      }
    }
  }
  return CONF_TOLERANCE + (about_mean > 0 ? 4e-16 * (double)sqrtl(squares / about_mean) : 0);
}

bool conf_identical(const ncc_result *a, const ncc_result *b) {
  return a->y == b->y && a->x == b->x && a->status == b->status && memcmp(&a->peak, &b->peak, sizeof a->peak) == 0 &&
         memcmp(&a->subpixel_y, &b->subpixel_y, sizeof a->subpixel_y) == 0 &&
         memcmp(&a->subpixel_x, &b->subpixel_x, sizeof a->subpixel_x) == 0 &&
         memcmp(&a->curvature_y, &b->curvature_y, sizeof a->curvature_y) == 0 &&
         memcmp(&a->curvature_x, &b->curvature_x, sizeof a->curvature_x) == 0 && a->second_y == b->second_y &&
         a->second_x == b->second_x && memcmp(&a->second_peak, &b->second_peak, sizeof a->second_peak) == 0 &&
         a->at_border == b->at_border;
}

/** Whether a sub-pixel coordinate is the reference's, as far as the parabola's curvature determines it. */
static bool same_subpixel(double found, double expected, double before, double middle, double after, double tolerance) {
  if (found == expected) return true;
  double curvature = fabs(2 * middle - before - after);
  return fabs(found - expected) <= 4 * tolerance / curvature;
}

/** NaN in both, or the same as far as three values determine it. */
static bool same_curvature(double found, double expected, double tolerance) {
  return isnan(found) == isnan(expected) && !(fabs(found - expected) > 8 * tolerance);
}

static void compare_quality(const ncc_search *search, const conf_image *image, const conf_image *tmpl,
                            const ncc_result *r, const ncc_result *e) {
  double limit = r->status == NCC_PAIR_OK ? 0.5 : 0;
  CONF_EXPECT(limit == 0 ? isnan(r->subpixel_y) && isnan(r->subpixel_x)
                         : fabs(r->subpixel_y - (double)r->y) <= limit && fabs(r->subpixel_x - (double)r->x) <= limit,
              "sub-pixel (%.17g, %.17g) of (%lld, %lld)", r->subpixel_y, r->subpixel_x, (long long)r->y,
              (long long)r->x);
  if (r->y != e->y || r->x != e->x) return;
  if (r->status == NCC_PAIR_OK) {
    double middle = conf_value_at(search, image, tmpl, r->y, r->x, NULL);
    double tolerance =
        fmax(tolerance_at(search, image, tmpl, r->y - 1, r->x), tolerance_at(search, image, tmpl, r->y + 1, r->x));
    tolerance = fmax(tolerance, fmax(tolerance_at(search, image, tmpl, r->y, r->x - 1),
                                     tolerance_at(search, image, tmpl, r->y, r->x + 1)));
    double up = conf_value_at(search, image, tmpl, r->y - 1, r->x, NULL);
    double down = conf_value_at(search, image, tmpl, r->y + 1, r->x, NULL);
    double left = conf_value_at(search, image, tmpl, r->y, r->x - 1, NULL);
    double right = conf_value_at(search, image, tmpl, r->y, r->x + 1, NULL);
    CONF_EXPECT(same_subpixel(r->subpixel_y, e->subpixel_y, up, middle, down, tolerance) &&
                    same_subpixel(r->subpixel_x, e->subpixel_x, left, middle, right, tolerance),
                "sub-pixel (%.17g, %.17g), reference (%.17g, %.17g)", r->subpixel_y, r->subpixel_x, e->subpixel_y,
                e->subpixel_x);
    CONF_EXPECT(same_curvature(r->curvature_y, e->curvature_y, tolerance) &&
                    same_curvature(r->curvature_x, e->curvature_x, tolerance),
                "curvature (%.17g, %.17g), reference (%.17g, %.17g)", r->curvature_y, r->curvature_x, e->curvature_y,
                e->curvature_x);
  } else {
    CONF_EXPECT(isnan(r->curvature_y) && isnan(r->curvature_x), "curvature (%g, %g) of a pair that is not ok",
                r->curvature_y, r->curvature_x);
  }
  if (e->second_y == -1) {
    CONF_EXPECT(r->second_y == -1 && r->second_x == -1 && isnan(r->second_peak),
                "second peak (%lld, %lld) %.17g where none is left", (long long)r->second_y, (long long)r->second_x,
                r->second_peak);
    return;
  }
  const int64_t apart = search->separation ? search->separation : NCC_SEPARATION_PX;
  bool outside = llabs(r->second_y - r->y) > apart || llabs(r->second_x - r->x) > apart;
  double value = conf_value_at(search, image, tmpl, r->second_y, r->second_x, NULL);
  double tolerance = tolerance_at(search, image, tmpl, r->second_y, r->second_x);
  bool same = r->second_y == e->second_y && r->second_x == e->second_x;
  CONF_EXPECT(
      outside && (same || fabs(value - e->second_peak) <= 2 * tolerance) && fabs(r->second_peak - value) <= tolerance,
      "second peak (%lld, %lld) %.17g, reference (%lld, %lld) %.17g", (long long)r->second_y, (long long)r->second_x,
      r->second_peak, (long long)e->second_y, (long long)e->second_x, e->second_peak);
}

static void digest_bytes(const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) digest = (digest ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
}

static void digest_result(const ncc_result *r) {
  digest_bytes(&r->y, sizeof r->y);
  digest_bytes(&r->x, sizeof r->x);
  digest_bytes(&r->peak, sizeof r->peak);
  digest_bytes(&r->subpixel_y, sizeof r->subpixel_y);
  digest_bytes(&r->subpixel_x, sizeof r->subpixel_x);
  digest_bytes(&r->curvature_y, sizeof r->curvature_y);
  digest_bytes(&r->curvature_x, sizeof r->curvature_x);
  digest_bytes(&r->second_y, sizeof r->second_y);
  digest_bytes(&r->second_x, sizeof r->second_x);
  digest_bytes(&r->second_peak, sizeof r->second_peak);
  digest_bytes(&r->status, sizeof r->status);
}

static bool all_finite(const conf_image *image) {
  for (int64_t i = 0; i < image->rows * image->cols; ++i) {
    if (!isfinite(image->truth[i])) return false;
  }
  return true;
}

/** Looks at each of the eight neighbours of (y, x): is there one that crop or window alone leave out? */
static bool at_border(const ncc_search *search, const conf_image *image, const conf_image *tmpl, const ncc_rect *window,
                      int64_t y, int64_t x) {
  const int64_t rows = image->rows + tmpl->rows - 1, cols = image->cols + tmpl->cols - 1;
  const int64_t crop_y = !search ? 0 : search->crop_half ? tmpl->rows / 2 : search->crop_y;
  const int64_t crop_x = !search ? 0 : search->crop_half ? tmpl->cols / 2 : search->crop_x;
  for (int64_t i = y - 1; i <= y + 1; ++i) {
    for (int64_t j = x - 1; j <= x + 1; ++j) {
      if (i < 0 || j < 0 || i >= rows || j >= cols) continue;
      if (i < crop_y || j < crop_x || i >= rows - crop_y || j >= cols - crop_x) return true;
      if (window && (i < window->y0 || j < window->x0 || i >= window->y1 || j >= window->x1)) return true;
    }
  }
  return false;
}

void conf_compare(const ncc_search *search, const conf_image *image, const conf_image *tmpl, const ncc_rect *window,
                  const ncc_result *r) {
  ++pairs_compared;
  digest_result(r);
  ncc_result e = conf_is_reference ? *r : conf_match(ncc_engine_reference(), 1, search, image, tmpl, window);
  CONF_EXPECT(r->status == e.status, "status %d (%lld, %lld), reference %d (%lld, %lld) %.17g", r->status,
              (long long)r->y, (long long)r->x, e.status, (long long)e.y, (long long)e.x, e.peak);
  // The matcher looks for bad pixels before any engine does, the reference included: ask the pixels.
  bool finite = all_finite(image) && all_finite(tmpl);
  CONF_EXPECT(r->status == NCC_PAIR_INVALID || finite == (r->status != NCC_PAIR_NONFINITE),
              "status %d, but the pixels are %sfinite", r->status, finite ? "" : "not ");
  if (e.status != NCC_PAIR_OK && e.status != NCC_PAIR_FLAT) {
    CONF_EXPECT(r->y == -1 && r->x == -1 && isnan(r->peak), "(%lld, %lld) %g without an answer", (long long)r->y,
                (long long)r->x, r->peak);
    CONF_EXPECT(!r->at_border, "at the border without an answer");
    return;
  }
  CONF_EXPECT(r->at_border == at_border(search, image, tmpl, window, r->y, r->x), "at_border %d at (%lld, %lld)",
              r->at_border, (long long)r->y, (long long)r->x);
  ++borders_met[r->at_border];
  double value = conf_value_at(search, image, tmpl, r->y, r->x, NULL), error = fabs(r->peak - value);
  if (r->status == NCC_PAIR_FLAT) {
    CONF_EXPECT(value == 0, "flat, but the NCC is %.17g at (%lld, %lld)", value, (long long)r->y, (long long)r->x);
    CONF_EXPECT(r->peak == 0 && r->y == e.y && r->x == e.x, "flat: (%lld, %lld) %.17g, first searched (%lld, %lld)",
                (long long)r->y, (long long)r->x, r->peak, (long long)e.y, (long long)e.x);
  }
  CONF_EXPECT(r->peak >= -1 && r->peak <= 1, "peak %.17g", r->peak);
  double tolerance = tolerance_at(search, image, tmpl, r->y, r->x);
  CONF_EXPECT(error <= tolerance, "peak %.17g at (%lld, %lld), where the NCC is %.17g", r->peak, (long long)r->y,
              (long long)r->x, value);
  if (error > worst_peak_error) {
    worst_peak_error = error;
    snprintf(worst_label, sizeof worst_label, "%s", label);
  }
  if (r->y != e.y || r->x != e.x) {
    ++coordinates_tied;
    CONF_EXPECT(fabs(value - e.peak) <= 2 * tolerance,
                "(%lld, %lld) where the NCC is %.17g, reference (%lld, %lld) %.17g", (long long)r->y, (long long)r->x,
                value, (long long)e.y, (long long)e.x, e.peak);
  }
  if (search && search->quality) compare_quality(search, image, tmpl, r, &e);
}

ncc_result conf_check(const ncc_search *search, const conf_image *image, const conf_image *tmpl,
                      const ncc_rect *window) {
  ncc_result result = conf_match(conf_engine, 1, search, image, tmpl, window);
  conf_compare(search, image, tmpl, window, &result);
  return result;
}
