/** See grid.h. */
#include "mosaic/grid.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/error.h"

static ncc_status reserve(ncc_grid *grid, int64_t more) {
  ncc_status status = NCC_OK;
  if (grid->n + more <= grid->capacity) return NCC_OK;
  const size_t capacity = (size_t)ncc_max(grid->n + more, grid->capacity + grid->capacity / 2);
  void *boxes = realloc(grid->boxes, capacity * sizeof *grid->boxes);
  if (boxes) grid->boxes = boxes;
  void *pairs = realloc(grid->pairs, capacity * sizeof *grid->pairs);
  if (pairs) grid->pairs = pairs;
  void *near = realloc(grid->near, capacity * sizeof *grid->near);
  if (near) grid->near = near;
  NCC_CHECK(boxes && pairs && near, NCC_ERR_NOMEM, "no memory for %zu patches", capacity);
  grid->capacity = (int64_t)capacity;
cleanup:
  return status;
}

/** The predicted offset of a patch. @return whether it can lie inside the image there. */
static bool predict(const ncc_grid_spec *spec, const ncc_grid_pair *pair, const int64_t corner[2], int64_t near[4]) {
  double at[2], moved[2] = {pair->moved[0], pair->moved[1]};
  const double bin = (double)spec->bin;
  for (int k = 0; k < 2; k++) at[k] = bin * ((double)corner[k] + (double)spec->patch[k] / 2) - 0.5;
  if (pair->prior) ncc_prior_at(pair->prior, at, moved);
  bool inside = true;
  for (int k = 0; k < 2; k++) {
    near[k] = corner[k] + llround(fmax(-0x1p40, fmin(moved[k] / bin, 0x1p40)));
    near[2 + k] = spec->radius;
    inside = inside && near[k] + spec->radius >= 0 && near[k] - spec->radius + spec->patch[k] <= pair->image_shape[k];
  }
  return inside;
}

ncc_status ncc_grid_add(ncc_grid *grid, const ncc_grid_spec *spec, const ncc_grid_pair *pair) {
  ncc_status status = NCC_OK;
  int64_t n[2], first[2], corner[2];
  for (int k = 0; k < 2; k++) {
    const int64_t room = pair->other_shape[k] - spec->patch[k];
    n[k] = room < 0 ? 0 : room / spec->step[k] + 1;
    first[k] = n[k] ? (room - (n[k] - 1) * spec->step[k]) / 2 : 0;
  }
  NCC_TRY(reserve(grid, n[0] * n[1]));
  for (int64_t v = 0; v < n[0]; v++)
    for (int64_t u = 0; u < n[1]; u++) {
      corner[0] = first[0] + v * spec->step[0];
      corner[1] = first[1] + u * spec->step[1];
      const int64_t i = grid->n;
      if (!predict(spec, pair, corner, grid->near[i])) {
        grid->outside++;
        continue;
      }
      const int64_t box[5] = {pair->other, corner[0], corner[1], spec->patch[0], spec->patch[1]};
      for (int k = 0; k < 5; k++) grid->boxes[i][k] = box[k];
      grid->pairs[i][0] = pair->image;
      grid->pairs[i][1] = i;
      grid->n++;
    }
cleanup:
  return status;
}

void ncc_grid_clear(ncc_grid *grid) {
  free(grid->boxes);
  free(grid->pairs);
  free(grid->near);
  *grid = (ncc_grid){0};
}

/* ---- averaging ----------------------------------------------------------------------------------------------- */

ncc_dtype ncc_bin_dtype(ncc_dtype dtype) {
  return dtype == NCC_F16 ? NCC_F32 : dtype;
}

/** Stores the mean of n pixels; float64 holds the sum of a million of any integer type exactly. */
static void store(const ncc_array *out, int64_t at, double mean) {
  void *data = (void *)out->data;
  switch (out->dtype) {
    case NCC_U8:
      ((uint8_t *)data)[at] = (uint8_t)rint(mean);
      break;
    case NCC_I8:
      ((int8_t *)data)[at] = (int8_t)rint(mean);
      break;
    case NCC_U16:
      ((uint16_t *)data)[at] = (uint16_t)rint(mean);
      break;
    case NCC_I16:
      ((int16_t *)data)[at] = (int16_t)rint(mean);
      break;
    case NCC_U32:
      ((uint32_t *)data)[at] = (uint32_t)rint(mean);
      break;
    case NCC_I32:
      ((int32_t *)data)[at] = (int32_t)rint(mean);
      break;
    case NCC_F32:
      ((float *)data)[at] = (float)mean;
      break;
    default:
      ((double *)data)[at] = mean;
  }
}

void ncc_bin_pixels(const ncc_array *in, int64_t bin, const ncc_array *out) {
  for (int64_t y = 0; y < out->rows; y++)
    for (int64_t x = 0; x < out->cols; x++) {
      double sum = 0;
      for (int64_t v = 0; v < bin; v++)
        for (int64_t u = 0; u < bin; u++) sum += ncc_array_value(in, y * bin + v, x * bin + u);
      store(out, y * out->row_stride + x, sum / (double)(bin * bin));
    }
}
