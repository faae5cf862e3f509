/** What halves an image and a template for proposals from a half grid (half.c, half_shrink.c). */
#ifndef NCC_CPU_HALF_H
#define NCC_CPU_HALF_H

#include "match/cpu/state.h"

struct ncc_cpu_half {
  ncc_engine_context context;
  ncc_counters counters; /* of the engines below: their time is that of a stage here */
  ncc_cpu *coarse, *direct;
  ncc_buffer image_px, tmpl_px, map, work;
  ncc_prepared image, tmpl;
  int64_t serial; /* of `image`; -1: none */
  ncc_geometry geometry;
  double image_unit, tmpl_unit; /* powers of two by which `image` and `tmpl` are larger: float32 holds their squares */
  double distance, beyond;      /* ||d in W||, sum of |d| beyond W */
  struct {
    int vain, pass;
  } tries[2]; /* [1]: of tasks with a peak to be reached, below which their bounds are far more often */
  bool used, off, mapped;
  ncc_bounds bounds; /* of the map */
  ncc_candidate any; /* a position that was summed, by which the judge sees whether sums are what they are taken for */
  double *most;      /* [strips][blocks] of stats: numerator over the root of ssd, but for the constant */
};

/** Rows or columns by half of an image and of a template, with what they have beyond their rims. */
static inline int64_t ncc_half_image(int64_t n) {
  return n / 2 + 2;
}

static inline int64_t ncc_half_template(int64_t n) {
  return (n + 1) / 2 + 2;
}

/** Halves the image of e->task: h->image. */
ncc_status ncc_half_take_image(ncc_cpu *e, ncc_cpu_half *h);
/** Halves the template of e->task: h->tmpl, and measures its distance from the template. */
ncc_status ncc_half_take_template(ncc_cpu *e, ncc_cpu_half *h);

#endif
