/** See lattice.h. */
#include "mosaic/lattice.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/error.h"

enum { SPARSEST = 16, FEW_PLACES = 4096 }; /* places of a grid for each point; so many are always allowed */

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

ncc_status ncc_lattice_find(int64_t n, const double (*at)[2], ncc_lattice *out) {
  ncc_status status = NCC_OK;
  *out = (ncc_lattice){.n = {n > 0, n > 0}, .step = {1, 1}};
  for (int k = 0; k < 2 && n > 0; k++) {
    int64_t low = llround(2 * at[0][k]), high = low, step = 0;
    for (int64_t i = 1; i < n; i++) {
      const int64_t twice = llround(2 * at[i][k]);
      step = common_divisor(step, llabs(twice - low));
      low = ncc_min(low, twice);
      high = ncc_max(high, twice);
    }
    out->origin[k] = (double)low / 2;
    if (step == 0) continue;
    out->step[k] = (double)step / 2;
    out->n[k] = (high - low) / step + 1;
  }
  NCC_CHECK((double)out->n[0] * (double)out->n[1] <= (double)n * SPARSEST + FEW_PLACES, NCC_ERR_INPUT,
            "%" PRId64 " templates found that lie on no regular grid, expected those of mpixcorr grid", n);
cleanup:
  return status;
}

int64_t ncc_lattice_place(const ncc_lattice *lattice, const double at[2]) {
  return llround((at[0] - lattice->origin[0]) / lattice->step[0]) * lattice->n[1] +
         llround((at[1] - lattice->origin[1]) / lattice->step[1]);
}

/* ---- predictions --------------------------------------------------------------------------------------------- */

/** Sorts at most nine numbers and answers their median. */
static double median(double *values, int n) {
  for (int i = 1; i < n; i++)
    for (int k = i; k > 0 && values[k] < values[k - 1]; k--) {
      const double swap = values[k];
      values[k] = values[k - 1];
      values[k - 1] = swap;
    }
  return n ? (values[(n - 1) / 2] + values[n / 2]) / 2 : NAN;
}

/** The medians of what is known of the 3 x 3 around a place. @return how many these are. */
static int around(const ncc_lattice *l, const double (*moved)[2], int64_t place, double out[2]) {
  const int64_t y = place / l->n[1], x = place % l->n[1];
  double values[2][9];
  int n = 0;
  for (int64_t v = ncc_max(y - 1, 0); v <= ncc_min(y + 1, l->n[0] - 1); v++)
    for (int64_t u = ncc_max(x - 1, 0); u <= ncc_min(x + 1, l->n[1] - 1); u++) {
      const double *one = moved[v * l->n[1] + u];
      if (isnan(one[0])) continue;
      values[0][n] = one[0];
      values[1][n++] = one[1];
    }
  for (int k = 0; k < 2; k++) out[k] = median(values[k], n);
  return n;
}

/** Replaces what stands out; where fewer than three are known around, nobody can tell. */
static void smooth(const ncc_prior *p, const double (*raw)[2], double tolerance) {
  const int64_t places = p->lattice.n[0] * p->lattice.n[1];
  for (int64_t i = 0; i < places; i++) {
    double middle[2];
    const bool known = !isnan(raw[i][0]), out = around(&p->lattice, raw, i, middle) >= 3 && known &&
                                                hypot(raw[i][0] - middle[0], raw[i][1] - middle[1]) > tolerance;
    for (int k = 0; k < 2; k++) p->moved[i][k] = out ? middle[k] : raw[i][k];
  }
}

/** Fills holes from their rims inwards. @param[in] scratch  [places] */
static void fill(const ncc_prior *p, double (*scratch)[2]) {
  const int64_t places = p->lattice.n[0] * p->lattice.n[1];
  for (int64_t holes = 1; holes > 0;) {
    holes = 0;
    memcpy(scratch, p->moved, (size_t)places * sizeof *scratch);
    for (int64_t i = 0; i < places; i++) {
      if (!isnan(scratch[i][0])) continue;
      holes++;
      around(&p->lattice, (const double(*)[2])scratch, i, p->moved[i]);
    }
  }
}

ncc_status ncc_prior_create(int64_t n, const double (*at)[2], const double (*moved)[2], const uint8_t *counts,
                            double tolerance, ncc_prior *out) {
  ncc_status status = NCC_OK;
  double(*raw)[2] = NULL;
  int64_t known = 0;
  *out = (ncc_prior){0};
  NCC_TRY(ncc_lattice_find(n, at, &out->lattice));
  const size_t places = (size_t)(out->lattice.n[0] * out->lattice.n[1]);
  raw = malloc((places + 1) * sizeof *raw);
  out->moved = malloc((places + 1) * sizeof *out->moved);
  NCC_CHECK(raw && out->moved, NCC_ERR_NOMEM, "no memory for %zu predictions", places);
  for (size_t i = 0; i < places; i++) raw[i][0] = raw[i][1] = NAN;
  for (int64_t i = 0; i < n; i++) {
    if (!counts[i]) continue;
    memcpy(raw[ncc_lattice_place(&out->lattice, at[i])], moved[i], sizeof *raw);
    known++;
  }
  NCC_CHECK(known > 0, NCC_ERR_INPUT, "none of %" PRId64 " templates has an answer off the border of its search", n);
  smooth(out, (const double(*)[2])raw, tolerance);
  fill(out, raw);
cleanup:
  free(raw);
  if (status != NCC_OK) ncc_prior_clear(out);
  return status;
}

void ncc_prior_clear(ncc_prior *prior) {
  free(prior->moved);
  *prior = (ncc_prior){0};
}

void ncc_prior_at(const ncc_prior *prior, const double at[2], double moved[2]) {
  const ncc_lattice *l = &prior->lattice;
  int64_t cell[2], next[2];
  double part[2];
  for (int k = 0; k < 2; k++) {
    const double where = (at[k] - l->origin[k]) / l->step[k];
    cell[k] = ncc_clamp((int64_t)floor(where), 0, ncc_max(l->n[k] - 2, 0));
    next[k] = ncc_min(cell[k] + 1, l->n[k] - 1);
    part[k] = next[k] > cell[k] ? where - (double)cell[k] : 0;
  }
  for (int k = 0; k < 2; k++) {
    const double a = prior->moved[cell[0] * l->n[1] + cell[1]][k], b = prior->moved[cell[0] * l->n[1] + next[1]][k];
    const double c = prior->moved[next[0] * l->n[1] + cell[1]][k], d = prior->moved[next[0] * l->n[1] + next[1]][k];
    const double above = a + part[1] * (b - a), below = c + part[1] * (d - c);
    moved[k] = above + part[0] * (below - above);
  }
}
