/** See nearest.h. */
#include "options/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MOST = 64 };

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

size_t ncc_word_distance(const char *a, const char *b) {
  const size_t n = strlen(a), m = strlen(b);
  size_t cost[MOST][MOST]; /* of the first i letters of a and the first k of b */
  if (n >= MOST || m >= MOST) return SIZE_MAX;
  for (size_t i = 0; i <= n; i++)
    for (size_t k = 0; k <= m; k++) {
      cost[i][k] = i + k;
      if (i == 0 || k == 0) continue;
      const int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[k - 1]);
      cost[i][k] = least(cost[i - 1][k - 1] + (p != q), 1 + least(cost[i - 1][k], cost[i][k - 1]));
      if (i > 1 && k > 1 && p == tolower((unsigned char)b[k - 2]) && q == tolower((unsigned char)a[i - 2]))
        cost[i][k] = least(cost[i][k], cost[i - 2][k - 2] + 1);
    }
  return cost[n][m];
}

void ncc_nearest_offer(ncc_nearest *nearest, const char *known) {
  const size_t typed = strlen(nearest->word);
  const bool begins = typed >= 2 && strncmp(known, nearest->word, typed) == 0; /* cut short */
  const size_t distance = begins ? 1 : ncc_word_distance(nearest->word, known);
  if (distance > 1 + typed / 4 || (nearest->found && distance >= nearest->distance)) return;
  nearest->found = known;
  nearest->distance = distance;
}
