/** Small things that reports are made of. */
#ifndef NCC_WORDS_H
#define NCC_WORDS_H

#include <jansson.h>
#include <stdlib.h>

#include <stdint.h>
#include "base/text.h"

static inline const char *ncc_plural(int64_t n) {
  return n == 1 ? "" : "s";
}

/** JSON text is UTF-8; a path need not be. */
static inline json_t *ncc_json_words(const char *text) {
  char *utf8 = text ? ncc_text_utf8(text) : NULL;
  json_t *string = utf8 ? json_string(utf8) : json_null();
  free(utf8);
  return string;
}

#endif
