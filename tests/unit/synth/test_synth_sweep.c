/** The templates of a sweep: zero corners as a rotation leaves them, and answers that are the arg max around the cut.
 */
#include "synth_cases.h"

enum { AROUND_PX = 10 };

static int64_t count_zeros(const ncc_array *a, int64_t y0, int64_t x0, int64_t size) {
  int64_t zeros = 0;
  for (int64_t y = y0; y < y0 + size; ++y)
    for (int64_t x = x0; x < x0 + size; ++x) zeros += pixel(a, y, x) == 0;
  return zeros;
}

static void check_corners(const ncc_array *t, int64_t turn) {
  const int64_t last_y = t->rows - 1, last_x = t->cols - 1, middle = count_zeros(t, 150, 150, 100);
  CHECK(middle == 0, "%lld zeros in the middle", (long long)middle);
  const int64_t zeros = count_zeros(t, 0, 0, t->rows);
  if (turn == 0) {
    CHECK(zeros == 0, "not rotated: %lld zeros", (long long)zeros);
    return;
  }
  /* along half of each side a thin triangle, in whole pixels */
  const double slope = fabs((double)turn) * NCC_SYNTH_STEP_DEG * 3.14159265 / 180;
  double expected = 0;
  for (int64_t i = 0; i < t->rows / 2; ++i) expected += 4 * ceil(((double)i + 0.5) * slope);
  CHECK(fabs((double)zeros - expected) <= 0.03 * expected, "turn %lld: %lld zeros, expected about %g", (long long)turn,
        (long long)zeros, expected);
  CHECK(pixel(t, 0, 0) == 0 && pixel(t, 0, last_x) == 0 && pixel(t, last_y, 0) == 0 && pixel(t, last_y, last_x) == 0,
        "turn %lld: a corner is not zero", (long long)turn);
}

static void check_answer(const ncc_array *image, const ncc_array *templ, const ncc_synth_answer *answer, int64_t turn) {
  const int64_t y0 = answer->y - (templ->rows - 1), x0 = answer->x - (templ->cols - 1);
  CHECK(y0 >= 0 && x0 >= 0, "turn %lld: no answer", (long long)turn);
  CHECK(fabs(answer->subpixel_y - (double)answer->y) <= 2 && fabs(answer->subpixel_x - (double)answer->x) <= 2,
        "turn %lld: the peak is far from the cut", (long long)turn);
  double *t = unpack(templ, 0, 0);
  for (int64_t y = y0 - AROUND_PX; y <= y0 + AROUND_PX; y += y < y0 - 2 || y >= y0 + 2 ? 4 : 1)
    for (int64_t x = x0 - AROUND_PX; x <= x0 + AROUND_PX; x += x < x0 - 2 || x >= x0 + 2 ? 4 : 1) {
      if (y < 0 || x < 0 || y + templ->rows > image->rows || x + templ->cols > image->cols) continue;
      const ncc_array part = {(const float *)image->data + y * image->row_stride + x, image->dtype, templ->rows,
                              templ->cols, image->row_stride};
      double *window = unpack(&part, 0, 0);
      const double value = ncc_by_definition(window, templ->cols, t, templ->rows, templ->cols);
      if (y == y0 && x == x0)
        CHECK(fabs(value - answer->peak) <= 1e-13, "turn %lld: said %.17g, found %.17g", (long long)turn, answer->peak,
              value);
      else
        CHECK(value < answer->peak, "turn %lld: %g at (%lld, %lld), %g at (%lld, %lld)", (long long)turn, value,
              (long long)y, (long long)x, answer->peak, (long long)y0, (long long)x0);
      free(window);
    }
  free(t);
}

int main(void) {
  ncc_synth *synth = start(NCC_SYNTH_SWEEP, 4, NCC_DTYPE_COUNT, false);
  const ncc_synth_shape *s = ncc_synth_get_shape(synth);
  ncc_array image, templ;
  ncc_synth_answer answer;
  double peaks[NCC_SYNTH_ANGLES];
  CHECK(s->images == 1 && s->templates == NCC_SYNTH_ANGLES && s->dtype == NCC_F32, "other defaults");
  CHECK(ncc_synth_image(synth, 0, &image) == NCC_OK, "%s", ncc_error_message());
  for (int64_t i = 0; i < NCC_SYNTH_ANGLES; ++i) {
    const int64_t turn = i - NCC_SYNTH_ANGLES / 2;
    ncc_synth_template(synth, i, &templ, &answer);
    check_corners(&templ, turn);
    if (turn % 10 == 0) check_answer(&image, &templ, &answer, turn);
    peaks[i] = answer.peak;
  }
  for (int i = 1; i < NCC_SYNTH_ANGLES; ++i)
    CHECK((peaks[i] > peaks[i - 1]) == (i <= NCC_SYNTH_ANGLES / 2), "peaks %g and %g: not best at 0 degrees",
          peaks[i - 1], peaks[i]);
  ncc_synth_destroy(&synth);
  return 0;
}
