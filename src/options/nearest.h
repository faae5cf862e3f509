/** "Did you mean": the known word that a mistyped one is nearest to. */
#ifndef NCC_NEAREST_H
#define NCC_NEAREST_H

#include <stddef.h>

/** Letters left out, added, changed or swapped with their neighbour that make `a` of `b`; case does not count. Words of
 *  more than 63 letters are far from everything. */
size_t ncc_word_distance(const char *a, const char *b);

/** A search for the nearest word: start with {.word = what was typed}, offer all that are known. */
typedef struct ncc_nearest {
  const char *word;
  const char *found; /**< the nearest so far, or NULL where none is near enough to have been meant */
  size_t distance;
} ncc_nearest;

void ncc_nearest_offer(ncc_nearest *nearest, const char *known);

#endif
