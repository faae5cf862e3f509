/** Pixel arrays: access, exact conversion to float64, flatness. Knows every pixel type; knows no image from a template.
 */
#ifndef NCC_ARRAY_H
#define NCC_ARRAY_H

#include "mpixcorr.h"

/** Address of pixel (row, col). */
static inline const void *ncc_array_at(const ncc_array *a, int64_t row, int64_t col) {
  return (const char *)a->data + (row * a->row_stride + col) * (int64_t)ncc_dtype_size(a->dtype);
}

/** Whether all n pixels from (row, col) on in that row equal `value` exactly (a value of ncc_array_value()). */
bool ncc_array_row_equals(const ncc_array *a, int64_t row, int64_t col, int64_t n, double value);

/** Pixel (row, col) in float64; exact for every type. */
double ncc_array_value(const ncc_array *a, int64_t row, int64_t col);

/** Whether [n, rows, cols] is rather one picture [rows, cols, channels]: no image is so long and so narrow. */
static inline bool ncc_shape_is_colour(int64_t rows, int64_t cols) {
  return (cols == 3 || cols == 4) && rows >= 16;
}

/** IEEE binary16 bits to float; exact. */
float ncc_half_to_float(uint16_t bits);

#endif
