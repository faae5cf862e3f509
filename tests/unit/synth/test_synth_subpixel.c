/** Templates cut between pixels really lie there: a parabola through the NCC of the nearest positions finds them. */
#include "synth_cases.h"

/** Where the parabola through three values, at -1, 0 and 1, has its top. */
static double parabola_top(double before, double at, double after) {
  return 0.5 * (before - after) / (before - 2 * at + after);
}

int main(void) {
  ncc_synth *synth = start(NCC_SYNTH_STITCH2D, 6, NCC_U8, true);
  const ncc_synth_shape *s = ncc_synth_get_shape(synth);
  ncc_array image, templ;
  ncc_synth_answer answer;
  double square_error = 0, square_shift = 0;
  int n = 0;
  for (int64_t i = 0; i < 2; ++i) {
    CHECK(ncc_synth_image(synth, i, &image) == NCC_OK, "%s", ncc_error_message());
    double *pixels = unpack(&image, 1, 1); /* a frame, so that neighbours of any position can be asked for */
    const int64_t width = image.cols + 2;
    for (int64_t k = 0; k < s->templates; ++k) {
      ncc_synth_template(synth, k, &templ, &answer);
      double *t = unpack(&templ, 0, 0), value[3][3];
      const int64_t y = answer.y - (templ.rows - 1), x = answer.x - (templ.cols - 1);
      CHECK(y >= 0 && x >= 0, "no answer");
      for (int dy = 0; dy < 3; ++dy)
        for (int dx = 0; dx < 3; ++dx)
          value[dy][dx] = ncc_by_definition(pixels + (y + dy) * width + x + dx, width, t, templ.rows, templ.cols);
      const double shift_y = answer.subpixel_y - (double)answer.y, shift_x = answer.subpixel_x - (double)answer.x;
      const double error_y = parabola_top(value[0][1], value[1][1], value[2][1]) - shift_y;
      const double error_x = parabola_top(value[1][0], value[1][1], value[1][2]) - shift_x;
      square_error += error_y * error_y + error_x * error_x;
      square_shift += shift_y * shift_y + shift_x * shift_x;
      n += 2;
      free(t);
    }
    free(pixels);
  }
  ncc_synth_destroy(&synth);
  CHECK(sqrt(square_shift / n) > 0.15, "shifts of only %g px", sqrt(square_shift / n));
  CHECK(sqrt(square_error / n) < 0.05, "error of %g px", sqrt(square_error / n));
  return 0;
}
