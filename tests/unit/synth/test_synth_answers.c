/** The known answers of preset tiny are the arg max of the whole full correlation, of every pixel type, cut at or
 *  between pixels, and the peaks are the NCC there. The other presets' peaks are checked where they are said to be. */
#include "synth_cases.h"

/** NCC at every position of the full correlation by direct sums; returns its maximum. */
static double search_all(const ncc_array *image, const ncc_array *templ, int64_t *best_y, int64_t *best_x) {
  const int64_t m = templ->rows, n = templ->cols, width = image->cols + 2 * (n - 1);
  double *padded = unpack(image, m - 1, n - 1), *t = unpack(templ, 0, 0), mean = 0, tt = 0, best = -2;
  for (int64_t i = 0; i < m * n; ++i) mean += t[i];
  mean /= (double)(m * n);
  for (int64_t i = 0; i < m * n; ++i) {
    t[i] -= mean;
    tt += t[i] * t[i];
  }
  for (int64_t y = 0; y <= image->rows + m - 2; ++y)
    for (int64_t x = 0; x <= image->cols + n - 2; ++x) {
      double sum = 0, squares = 0, products = 0;
      for (int64_t i = 0; i < m; ++i) {
        const double *w = padded + (y + i) * width + x;
        for (int64_t j = 0; j < n; ++j) {
          sum += w[j];
          squares += w[j] * w[j];
          products += w[j] * t[i * n + j];
        }
      }
      const double ssd = squares - sum * sum / (double)(m * n);
      const double value = ssd > 1e-9 * squares ? products / sqrt(ssd * tt) : 0;
      if (value <= best) continue;
      best = value;
      *best_y = y;
      *best_x = x;
    }
  free(padded);
  free(t);
  return best;
}

static void check_tiny(ncc_dtype dtype, bool subpixel_shift, uint64_t seed) {
  ncc_synth *synth = start(NCC_SYNTH_TINY, seed, dtype, subpixel_shift);
  ncc_array image, templ;
  CHECK(ncc_synth_image(synth, 0, &image) == NCC_OK, "%s", ncc_error_message());
  CHECK(image.dtype == dtype, "%s", ncc_dtype_name(image.dtype));
  for (int64_t i = 0; i < 2; ++i) {
    ncc_synth_answer answer;
    int64_t y = -1, x = -1;
    ncc_synth_template(synth, i, &templ, &answer);
    const double peak = search_all(&image, &templ, &y, &x);
    CHECK(answer.y == y && answer.x == x, "%s, template %lld: said (%lld, %lld), found (%lld, %lld) of NCC %g",
          ncc_dtype_name(dtype), (long long)i, (long long)answer.y, (long long)answer.x, (long long)y, (long long)x,
          peak);
    const double shift_y = answer.subpixel_y - (double)y, shift_x = answer.subpixel_x - (double)x;
    CHECK(subpixel_shift ? fabs(shift_y) < 1.5 && fabs(shift_x) < 1.5 : shift_y == 0 && shift_x == 0, "cut at (%g, %g)",
          answer.subpixel_y, answer.subpixel_x);
  }
  ncc_synth_destroy(&synth);
}

static void check_peak_values(ncc_synth_preset preset, ncc_dtype dtype) {
  ncc_synth *synth = start(preset, 3, dtype, false);
  const ncc_synth_shape *s = ncc_synth_get_shape(synth);
  ncc_array image, templ;
  CHECK(ncc_synth_image(synth, 0, &image) == NCC_OK, "%s", ncc_error_message());
  double *pixels = unpack(&image, 0, 0);
  for (int64_t i = 0; i < s->templates && i < 5; ++i) {
    ncc_synth_answer answer;
    ncc_synth_template(synth, i, &templ, &answer);
    double *t = unpack(&templ, 0, 0);
    const int64_t y = answer.y - (templ.rows - 1), x = answer.x - (templ.cols - 1);
    const double *window = pixels + y * image.cols + x;
    const double peak = ncc_by_definition(window, image.cols, t, templ.rows, templ.cols);
    CHECK(fabs(peak - answer.peak) <= 1e-13 && peak > 0.6, "%s: said %.17g, found %.17g", ncc_synth_preset_name(preset),
          answer.peak, peak);
    free(t);
  }
  free(pixels);
  ncc_synth_destroy(&synth);
}

int main(void) {
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; ++dtype)
    for (int subpixel = 0; subpixel < 2; ++subpixel) check_tiny((ncc_dtype)dtype, subpixel, 10 + (uint64_t)dtype);
  check_peak_values(NCC_SYNTH_STITCH2D, NCC_U8);
  check_peak_values(NCC_SYNTH_STITCH2D, NCC_U32);
  check_peak_values(NCC_SYNTH_ALIGN3D, NCC_F32);
  return 0;
}
