/** Small things that reports are made of. */
#ifndef NCC_WORDS_H
#define NCC_WORDS_H

#include <jansson.h>
#include <stdint.h>

static inline const char *ncc_plural(int64_t n) {
  return n == 1 ? "" : "s";
}

/** JSON text is UTF-8; a path need not be. */
static inline json_t *ncc_json_words(const char *text) {
  json_t *string = json_string(text);
  return string ? string : json_string("(not UTF-8)");
}

#endif
