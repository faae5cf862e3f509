/** See turn.h. Compiled once per instruction set; every pixel is its own, so width changes no byte. */
#include "match/kernels/turn.h"

#include "match/kernels/vec.h"

enum { RUN = 128 };

static void turn(const ncc_turn_line *line, int64_t from, int64_t end, float *out) {
  const double cx = line->cx, cosine = line->cosine, sine = line->sine, y_part = line->y_part, x_part = line->x_part;
  const double above = line->above, left = line->left, width = (double)line->width;
  int32_t at[RUN];
  double fy[RUN], fx[RUN];
  for (int64_t first = from; first < end; first += RUN) {
    const int n = (int)(end - first < RUN ? end - first : RUN);
    for (int i = 0; i < n; i++) {
      const double dx = (double)(int32_t)(first + i) - cx, sy = y_part + dx * sine, sx = (cx + dx * cosine) - x_part;
      const double row = ncc_turn_floor(sy), col = ncc_turn_floor(sx);
      fy[i] = sy - row;
      fx[i] = sx - col;
      at[i] = (int32_t)((row + above) * width + (col + left));
    }
    for (int i = 0; i < n; i++) {
      const double *a = line->pixels + at[i], *b = a + line->width;
      const double upper = ncc_turn_between(a[0], a[1], fx[i]), lower = ncc_turn_between(b[0], b[1], fx[i]);
      out[first + i] = (float)ncc_turn_between(upper, lower, fy[i]);
    }
  }
}

const ncc_turn_kernels NCC_CAT(ncc_turn_kernels_, NCC_ISA) = {.turn = turn};
