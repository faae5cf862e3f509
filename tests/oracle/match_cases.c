/** Matches the pairs of a raw file and prints the answers, for oracles in other languages: match_cases ENGINE FILE.
 *
 *  The file is a sequence of cases in native byte order: 18 int64 (image rows, columns, type; template rows, columns,
 *  type; crop_y, crop_x, crop_half, normalize, quality + 2 outside + 4 for an image's + 8 for a template's mask;
 *  has_window, y0, x0, y1, x1; peaks, separation), 2 float64 (eps, min_overlap), the image's pixels, the template's,
 * and masks of bytes. One line is printed a case: status y x peak subpixel_y subpixel_x second_y second_x second_peak
 *  curvature_y curvature_x, then y x value of each listed peak.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/gpu.h"
#include "mpixcorr.h"

static int read_pixels(FILE *file, const int64_t *shape, int dtype, ncc_array *out, void **pixels) {
  out->rows = shape[0];
  out->cols = out->row_stride = shape[1];
  out->dtype = (ncc_dtype)dtype;
  size_t bytes = (size_t)(shape[0] * shape[1]) * ncc_dtype_size(out->dtype);
  out->data = *pixels = malloc(bytes);
  return *pixels && fread(*pixels, 1, bytes, file) == bytes;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  ncc_config config = {.fft_effort = NCC_FFT_ESTIMATE};
  if (strcmp(argv[1], "cpu") == 0) config.engine = ncc_engine_cpu();
  if (strcmp(argv[1], "gpu") == 0) config.engine = ncc_engine_gpu();
  if (strcmp(argv[1], "reference") == 0) config.engine = ncc_engine_reference();
  if (!config.engine) return 2;
  FILE *file = fopen(argv[2], "rb");
  if (!file) return 2;
  int64_t head[18];
  double limits[2];
  int failed = 0;
  while (!failed && fread(head, sizeof head, 1, file) == 1 && fread(limits, sizeof limits, 1, file) == 1) {
    ncc_search search = {.crop_y = head[6],
                         .crop_x = head[7],
                         .crop_half = head[8],
                         .normalize = head[9],
                         .quality = head[10] & 1,
                         .outside = (ncc_outside)(head[10] >> 1 & 1),
                         .peaks = (int)head[16],
                         .separation = (int)head[17],
                         .eps = limits[0],
                         .min_overlap = limits[1]};
    ncc_rect window = {head[12], head[13], head[14], head[15]};
    ncc_array image, tmpl, masks[2] = {{0}};
    void *image_pixels = NULL, *tmpl_pixels = NULL, *mask_pixels[2] = {NULL, NULL};
    const bool masked[] = {head[10] & 4, head[10] & 8};
    ncc_matcher *matcher = NULL;
    ncc_result r;
    if (!read_pixels(file, head, (int)head[2], &image, &image_pixels) ||
        !read_pixels(file, head + 3, (int)head[5], &tmpl, &tmpl_pixels) ||
        (masked[0] && !read_pixels(file, head, NCC_U8, &masks[0], &mask_pixels[0])) ||
        (masked[1] && !read_pixels(file, head + 3, NCC_U8, &masks[1], &mask_pixels[1]))) {
      fprintf(stderr, "%s is cut off\n", argv[2]);
      failed = 1;
    } else if (ncc_matcher_create(&search, &config, &matcher) != NCC_OK ||
               ncc_matcher_match_masked(matcher, -1, &image, masked[0] ? &masks[0] : NULL, 1, &tmpl,
                                        masked[1] ? &masks[1] : NULL, head[11] ? &window : NULL, &r) != NCC_OK) {
      fprintf(stderr, "%s\n", ncc_error_message());
      failed = 1;
    } else {
      printf("%d %lld %lld %.17g %.17g %.17g %lld %lld %.17g %.17g %.17g", r.status, (long long)r.y, (long long)r.x,
             r.peak, r.subpixel_y, r.subpixel_x, (long long)r.second_y, (long long)r.second_x, r.second_peak,
             r.curvature_y, r.curvature_x);
      const ncc_peak *peaks = ncc_matcher_peaks(matcher);
      for (int k = 0; k < search.peaks; k++)
        printf(" %lld %lld %.17g", (long long)peaks[k].y, (long long)peaks[k].x, peaks[k].value);
      printf("\n");
    }
    ncc_matcher_destroy(&matcher);
    free(image_pixels);
    free(tmpl_pixels);
    free(mask_pixels[0]);
    free(mask_pixels[1]);
  }
  fclose(file);
  return failed;
}
