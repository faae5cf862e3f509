/** Options that are two sides in pixels: "H,W". */
#ifndef NCC_SIDES_H
#define NCC_SIDES_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/** 0, 0: not given. */
typedef struct ncc_sides {
  int64_t rows, cols;
} ncc_sides;

enum { NCC_SIDES_MOST = 1 << 29 };

static inline bool ncc_sides_parse(const char *text, void *target) {
  ncc_sides s;
  int length = 0;
  if (sscanf(text, "%" SCNd64 ",%" SCNd64 "%n", &s.rows, &s.cols, &length) != 2 || text[length]) return false;
  if (s.rows < 1 || s.cols < 1 || s.rows > NCC_SIDES_MOST || s.cols > NCC_SIDES_MOST) return false;
  *(ncc_sides *)target = s;
  return true;
}

static inline void ncc_sides_format(const void *target, char *text, size_t text_bytes) {
  const ncc_sides *s = target;
  if (s->rows) snprintf(text, text_bytes, "%" PRId64 ",%" PRId64, s->rows, s->cols);
}

#endif
