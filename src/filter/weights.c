/** See weights.h. The formulas are scipy.ndimage's. */
#include "filter/weights.h"

#include <stdlib.h>

#include "base/error.h"
#include "filter/exact.h"

int ncc_filter_radius(double sigma) {
  return (int)(4 * sigma + 0.5);
}

ncc_status ncc_filter_weights_make(double sigma, ncc_filter_weights *out) {
  const int radius = ncc_filter_radius(sigma);
  const double variance = sigma * sigma, inverse = 1 / variance;
  *out = (ncc_filter_weights){.radius = radius,
                              .gauss = malloc((size_t)(radius + 1) * sizeof(double)),
                              .second = malloc((size_t)(radius + 1) * sizeof(double))};
  if (!out->gauss || !out->second) {
    ncc_filter_weights_free(out);
    return ncc_error_set(NCC_ERR_NOMEM, "out of memory for a filter of radius %d", radius);
  }
  double sum = 1;
  out->gauss[0] = 1;
  for (int k = radius; k >= 1; k--) {
    out->gauss[k] = ncc_exact_exp(-0.5 / variance * ((double)k * k));
    sum += 2 * out->gauss[k];
  }
  for (int k = 0; k <= radius; k++) {
    out->gauss[k] /= sum;
    out->second[k] = ((double)k * k * (inverse * inverse) - inverse) * out->gauss[k];
  }
  return NCC_OK;
}

void ncc_filter_weights_free(ncc_filter_weights *weights) {
  free(weights->gauss);
  free(weights->second);
  weights->gauss = weights->second = NULL;
}
