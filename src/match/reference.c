/** The reference engine: NCC by direct sums, slow and obvious; the oracle that every other engine is tested against.
 *
 *  It reads the stored pixels by itself and shares no numeric code with the other engines, the judge included; only the
 *  integer geometry (which positions are searched) is common. Every sum is two-pass in long double around a pixel of
 *  the window, so that 1-ulp ripples on large offsets survive. On x86-64 and AArch64 Linux a long double's exponent
 *  also takes the squares of any float64, so nothing is scaled. Threads, memory bounds and counters do not exist here.
 */
#include "base/arithmetic.h"
#include "base/error.h"
#include "match/engine.h"
#include "match/geometry.h"
#include "match/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** Positions within this of the maximum are ties, and the first of them in row-major order is the peak. */
static const double TIE = 1e-12;

static double half_to_double(uint16_t bits) {
  int exponent = (bits >> 10) & 0x1f;
  double fraction = bits & 0x3ff, magnitude;
  if (exponent == 0) {
    magnitude = ldexp(fraction, -24);
  } else if (exponent == 0x1f) {
    magnitude = fraction != 0 ? NAN : INFINITY;
  } else {
    magnitude = ldexp(1024 + fraction, exponent - 25);
  }
  return bits & 0x8000 ? -magnitude : magnitude;
}

static double read_pixel(const ncc_array *a, int64_t y, int64_t x) {
  int64_t i = y * a->row_stride + x;
  switch (a->dtype) {
    case NCC_U8:
      return ((const uint8_t *)a->data)[i];
    case NCC_I8:
      return ((const int8_t *)a->data)[i];
    case NCC_U16:
      return ((const uint16_t *)a->data)[i];
    case NCC_I16:
      return ((const int16_t *)a->data)[i];
    case NCC_U32:
      return ((const uint32_t *)a->data)[i];
    case NCC_I32:
      return ((const int32_t *)a->data)[i];
    case NCC_F16:
      return half_to_double(((const uint16_t *)a->data)[i]);
    case NCC_F32:
      return ((const float *)a->data)[i];
    case NCC_F64:
      return ((const double *)a->data)[i];
    default:
      return NAN;
  }
}

static bool all_equal(const double *values, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    if (values[i] != values[0]) return false;
  }
  return true;
}

/** Subtracts the mean of the valid pixels and divides by their (population) standard deviation; only the quotient is
 *  rounded to float64. */
static void normalize(double *values, const uint8_t *valid, int64_t n) {
  long double mean = 0, ssd = 0;
  double pivot = 0;
  bool equal = true;
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!valid[i]) continue;
    if (count++ == 0) pivot = values[i];
    equal &= values[i] == pivot;
    mean += (long double)values[i] - pivot;
  }
  if (count > 0) mean /= count;
  for (int64_t i = 0; i < n; ++i)
    if (valid[i]) ssd += (((long double)values[i] - pivot) - mean) * (((long double)values[i] - pivot) - mean);
  const long double deviation = count > 0 ? sqrtl(ssd / count) : 0;
  for (int64_t i = 0; i < n; ++i)
    values[i] = equal ? 0 : (double)((((long double)values[i] - pivot) - mean) / deviation);
}

/** Which pixels are valid, 1 or 0; all where there is no mask. NULL when out of memory. */
static uint8_t *load_valid(const ncc_array *mask, const ncc_array *of) {
  uint8_t *valid = malloc((size_t)(of->rows * of->cols));
  for (int64_t i = 0; valid && i < of->rows * of->cols; ++i)
    valid[i] = !mask || !mask->data || read_pixel(mask, i / of->cols, i % of->cols) != 0;
  return valid;
}

/** Copies the pixels into [rows + 2 pad_y, cols + 2 pad_x] with zeros around, and in place of masked ones; *finite
 * tells whether all others are. Returns NULL when out of memory. */
static double *load_padded(const ncc_array *a, const uint8_t *valid, bool normalized, int64_t pad_y, int64_t pad_x,
                           bool *finite) {
  int64_t cols = a->cols + 2 * pad_x;
  double *pixels = malloc((size_t)(a->rows * a->cols) * sizeof *pixels);
  double *padded = calloc((size_t)((a->rows + 2 * pad_y) * cols), sizeof *padded);
  if (!pixels || !padded) {
    free(pixels);
    free(padded);
    return NULL;
  }
  *finite = true;
  for (int64_t i = 0; i < a->rows * a->cols; ++i) {
    pixels[i] = valid[i] ? read_pixel(a, i / a->cols, i % a->cols) : 0;
    if (!isfinite(pixels[i])) *finite = false;
  }
  if (normalized && *finite) normalize(pixels, valid, a->rows * a->cols);
  for (int64_t y = 0; y < a->rows; ++y) {
    for (int64_t x = 0; x < a->cols; ++x) padded[(y + pad_y) * cols + x + pad_x] = pixels[y * a->cols + x];
  }
  free(pixels);
  return padded;
}

/** A template made mean-free. */
typedef struct mean_free {
  int64_t rows, cols;
  long double *values; /**< [rows, cols], T - mean T */
  long double ssd;
} mean_free;

/** NCC of one window. @param[in] window  first pixel of W in the padded image, `stride` pixels a row.
 *  @return false where the response is 0 by rule: W is flat, or sqrt(ssd(W) ssd(T)) <= eps. */
static bool window_ncc(const double *window, int64_t stride, const mean_free *t, double eps, double *value) {
  *value = 0;
  long double pivot = window[0], sum = 0;
  bool flat = true;
  for (int64_t y = 0; y < t->rows; ++y) {
    const double *row = window + y * stride;
    for (int64_t x = 0; x < t->cols; ++x) {
      if (row[x] != window[0]) flat = false;
      sum += row[x] - pivot;
    }
  }
  if (flat) return false;

  long double mean = sum / (t->rows * t->cols), ssd = 0, numerator = 0;
  for (int64_t y = 0; y < t->rows; ++y) {
    const double *row = window + y * stride;
    for (int64_t x = 0; x < t->cols; ++x) {
      long double deviation = (row[x] - pivot) - mean;
      ssd += deviation * deviation;
      numerator += deviation * t->values[y * t->cols + x];
    }
  }
  long double denominator = sqrtl(ssd * t->ssd);
  if (eps > 0 && denominator <= eps) return false;
  *value = (double)fminl(1, fmaxl(-1, numerator / denominator));
  return true;
}

/** The same where nothing is outside the image: over the valid pixels of image and template that overlap at full
 * position (y, x). @param[in] image, tmpl  [rows, cols], neither padded nor mean-free
 *  @param[out] count  of these pixels */
static bool overlap_ncc(const ncc_geometry *g, const double *image, const uint8_t *valid, const double *tmpl,
                        const uint8_t *t_valid, int64_t y, int64_t x, double eps, int64_t *count, double *value) {
  const int64_t top = y - g->template_rows + 1, left = x - g->template_cols + 1;
  long double w_sum = 0, t_sum = 0, w_ssd = 0, t_ssd = 0, numerator = 0;
  double w_pivot = 0, t_pivot = 0;
  int64_t n = 0;
  bool w_flat = true, t_flat = true;
  *value = 0;
  for (int pass = 0; pass < 2; ++pass)
    for (int64_t i = 0; i < g->template_rows; ++i) {
      for (int64_t j = 0; j < g->template_cols; ++j) {
        if (top + i < 0 || top + i >= g->image_rows || left + j < 0 || left + j >= g->image_cols) continue;
        const int64_t of_w = (top + i) * g->image_cols + left + j, of_t = i * g->template_cols + j;
        if (!valid[of_w] || !t_valid[of_t]) continue;
        const double w = image[of_w], t = tmpl[of_t];
        if (pass == 0) {
          if (n++ == 0) {
            w_pivot = w;
            t_pivot = t;
          }
          w_flat &= w == w_pivot;
          t_flat &= t == t_pivot;
          w_sum += (long double)w - w_pivot;
          t_sum += (long double)t - t_pivot;
        } else {
          const long double w_deviation = ((long double)w - w_pivot) - w_sum / n;
          const long double t_deviation = ((long double)t - t_pivot) - t_sum / n;
          w_ssd += w_deviation * w_deviation;
          t_ssd += t_deviation * t_deviation;
          numerator += w_deviation * t_deviation;
        }
      }
    }
  *count = n;
  if (n == 0 || w_flat || t_flat) return false;
  const long double denominator = sqrtl(w_ssd * t_ssd);
  if (eps > 0 && denominator <= eps) return false;
  *value = (double)fminl(1, fmaxl(-1, numerator / denominator));
  return true;
}

/** The best of a map [rows, cols] (NaN: not searched) that is farther than `radius` in y or x from n better peaks.
 *  @return false where no position is left. */
static bool best_of(const double *map, int64_t rows, int64_t cols, const ncc_peak *better, int n, int64_t radius,
                    ncc_peak *out) {
  double best = -INFINITY;
  // First the maximum, then the first position that ties with it.
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        double value = map[i * cols + j];
        bool left_out = isnan(value);
        for (int k = 0; k < n; ++k) left_out |= llabs(i - better[k].y) <= radius && llabs(j - better[k].x) <= radius;
        if (left_out) continue;
        if (pass == 0) {
          best = fmax(best, value);
        } else if (value >= best - TIE) {
          *out = (ncc_peak){i, j, value};
          return true;
        }
      }
    }
  }
  return false;
}

/** Vertex of the parabola through three equidistant values, as a shift from the middle one in [-0.5, 0.5]; 0 where a
 *  neighbour was not searched (NaN) or the parabola is not strictly concave.
 *  @param[out] curvature  their second difference; NaN where a neighbour was not searched */
static double parabola_shift(double before, double middle, double after, double *curvature) {
  *curvature = (before - middle) + (after - middle);
  if (!(*curvature < 0)) return 0;
  return fmin(0.5, fmax(-0.5, (before - after) / (2 * *curvature)));
}

static double map_at(const double *map, int64_t rows, int64_t cols, int64_t y, int64_t x) {
  return y < 0 || y >= rows || x < 0 || x >= cols ? NAN : map[y * cols + x];
}

/** Sub-pixel position and curvature at the peak (y, x) of a map. */
static void find_quality(const double *map, int64_t rows, int64_t cols, int64_t y, int64_t x, ncc_result *out) {
  double peak = map[y * cols + x];
  out->subpixel_y = (double)out->y + parabola_shift(map_at(map, rows, cols, y - 1, x), peak,
                                                    map_at(map, rows, cols, y + 1, x), &out->curvature_y);
  out->subpixel_x = (double)out->x + parabola_shift(map_at(map, rows, cols, y, x - 1), peak,
                                                    map_at(map, rows, cols, y, x + 1), &out->curvature_x);
}

/** What a map comes to. @param[in] any  some response is not 0 by rule. @param[out] peaks  see engine.h */
static ncc_status find_peaks(const double *map, const ncc_search *search, const ncc_geometry *g, bool any,
                             ncc_result *out, ncc_peak *peaks) {
  ncc_status status = NCC_OK;
  const int64_t rows = g->search.y1 - g->search.y0, cols = g->search.x1 - g->search.x0;
  const int listed = peaks ? search->peaks : 0, wanted = ncc_max(listed, search->quality ? 2 : 1);
  ncc_peak *found = malloc((size_t)wanted * sizeof *found);
  int n = 0;
  NCC_CHECK(found, NCC_ERR_NOMEM, "reference engine: out of memory");
  while (n < wanted && best_of(map, rows, cols, found, n, ncc_separation_px(search), &found[n])) n++;
  NCC_CHECK(n > 0, NCC_ERR_INTERNAL, "reference engine: nothing to search");
  out->y = g->search.y0 + found[0].y;
  out->x = g->search.x0 + found[0].x;
  out->peak = found[0].value;
  out->status = any ? NCC_PAIR_OK : NCC_PAIR_FLAT;
  if (any && search->quality) find_quality(map, rows, cols, found[0].y, found[0].x, out);
  for (int k = 0; k < n; ++k)
    found[k] = (ncc_peak){g->search.y0 + found[k].y, g->search.x0 + found[k].x, found[k].value};
  if (any && search->quality && n > 1) {
    out->second_y = found[1].y;
    out->second_x = found[1].x;
    out->second_peak = found[1].value;
  }
  if (peaks) memcpy(peaks, found, (size_t)ncc_min(n, listed) * sizeof *found);

cleanup:
  free(found);
  return status;
}

/** Matches one pair; see engine.h. It looks for bad pixels itself, whatever the matcher has rejected before. */
static ncc_status reference_match(void *state, const ncc_search *search, const ncc_geometry *g, const ncc_array *image,
                                  const ncc_array *image_mask, const ncc_array *tmpl, const ncc_array *tmpl_mask,
                                  ncc_result *out, ncc_peak *peaks) {
  (void)state;
  ncc_status status = NCC_OK;
  int64_t m = tmpl->rows, n = tmpl->cols, stride = image->cols + 2 * (n - 1);
  int64_t rows = g->search.y1 - g->search.y0, cols = g->search.x1 - g->search.x0;
  double *padded = NULL, *template_pixels = NULL, *map = NULL;
  mean_free t = {.rows = m, .cols = n};
  const bool ignores = search->outside == NCC_OUTSIDE_IGNORE, masked = image_mask || tmpl_mask;
  bool image_finite, template_finite;
  uint8_t *valid = load_valid(image_mask, image), *t_valid = load_valid(tmpl_mask, tmpl);
  int64_t n_tmpl = 0;

  *out = ncc_result_none(NCC_PAIR_NONFINITE);
  NCC_CHECK(valid && t_valid, NCC_ERR_NOMEM, "reference engine: out of memory");
  padded = load_padded(image, valid, search->normalize, ignores ? 0 : m - 1, ignores ? 0 : n - 1, &image_finite);
  template_pixels = load_padded(tmpl, t_valid, search->normalize, 0, 0, &template_finite);
  map = malloc((size_t)(rows * cols) * sizeof *map);
  t.values = malloc((size_t)(m * n) * sizeof *t.values);
  NCC_CHECK(padded && template_pixels && map && t.values, NCC_ERR_NOMEM, "reference engine: out of memory");
  if (!image_finite || !template_finite) goto cleanup;

  for (int64_t i = 0; i < m * n; ++i) n_tmpl += t_valid[i];
  bool template_flat = !masked && all_equal(template_pixels, m * n);
  long double pivot = template_pixels[0], sum = 0;
  for (int64_t i = 0; i < m * n; ++i) sum += template_pixels[i] - pivot;
  for (int64_t i = 0; i < m * n; ++i) {
    t.values[i] = (template_pixels[i] - pivot) - sum / (m * n);
    t.ssd += t.values[i] * t.values[i];
  }

  bool any = false;
  for (int64_t y = g->search.y0; y < g->search.y1; ++y) {
    int64_t x0, x1;
    ncc_geometry_span(g, y, &x0, &x1);
    double *map_row = map + (y - g->search.y0) * cols;
    for (int64_t x = g->search.x0; x < g->search.x1; ++x) {
      double *value = &map_row[x - g->search.x0];
      if (x < x0 || x >= x1) {
        *value = NAN;
      } else if (template_flat) {
        *value = 0;
      } else if (ignores) {
        int64_t count;
        const bool counts = overlap_ncc(g, padded, valid, template_pixels, t_valid, y, x, search->eps, &count, value);
        if (masked && (count == 0 || (double)count / (double)n_tmpl < search->min_overlap)) *value = NAN;
        any |= counts && !isnan(*value);
      } else if (window_ncc(padded + y * stride + x, stride, &t, search->eps, value)) {
        any = true;
      }
    }
  }

  if (masked) {
    bool some = false;
    for (int64_t i = 0; i < rows * cols; ++i) some |= !isnan(map[i]);
    *out = ncc_result_none(NCC_PAIR_MASKED);
    if (!some) goto cleanup;
  }
  NCC_TRY(find_peaks(map, search, g, any, out, peaks));

cleanup:
  free(valid);
  free(t_valid);
  free(padded);
  free(template_pixels);
  free(map);
  free(t.values);
  return status;
}

static ncc_status reference_create(const ncc_engine_context *context, void **state) {
  (void)context;
  *state = NULL;
  return NCC_OK;
}

static void reference_destroy(void *state) {
  (void)state;
}

/** The padded image, its copy, the map and the template. */
static int64_t reference_bytes(const ncc_geometry *g, int threads) {
  (void)threads;
  int64_t m = g->template_rows, n = g->template_cols, full_rows = g->image_rows + m - 1,
          full_cols = g->image_cols + n - 1;
  int64_t padded = (full_rows + m - 1) * (full_cols + n - 1);
  return (padded + g->image_rows * g->image_cols + full_rows * full_cols + 2 * m * n) * (int64_t)sizeof(double) +
         m * n * (int64_t)sizeof(long double);
}

const ncc_engine_ops *ncc_engine_reference(void) {
  static const ncc_engine_ops ops = {.name = "reference",
                                     .create = reference_create,
                                     .destroy = reference_destroy,
                                     .match = reference_match,
                                     .bytes = reference_bytes};
  return &ops;
}
