/** Weights of a Gaussian and of its second derivative, from the centre out. */
#ifndef NCC_FILTER_WEIGHTS_H
#define NCC_FILTER_WEIGHTS_H

#include "mpixcorr.h"

typedef struct ncc_filter_weights {
  int radius;
  double *gauss, *second; /**< [radius + 1], owned */
} ncc_filter_weights;

/** @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_filter_weights_make(double sigma, ncc_filter_weights *out);

void ncc_filter_weights_free(ncc_filter_weights *weights);

/** int(4 sigma + 0.5). */
int ncc_filter_radius(double sigma);

#endif
