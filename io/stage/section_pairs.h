/** Pairs of sections from a table: template,image and perhaps dy,dx. */
#ifndef NCC_SECTION_PAIRS_H
#define NCC_SECTION_PAIRS_H

#include "io/base/table_file.h"

typedef struct ncc_section_pairs {
  int64_t n;
  int64_t (*pairs)[2]; /**< [n] image, other: patches of the other, the column `template`, are sought in the image */
  double (*moved)[2];  /**< [n] (dy, dx), 0 where the table has none */
  int64_t n_sources;
  const char **sources; /**< [n_sources] each once, in order of appearance; they point into `table` */
  int64_t *lines;       /**< [n_sources] where each appears first */
  ncc_csv table;
} ncc_section_pairs;

/** Loads a table; each pair may be listed once.
 *  @return NCC_OK; NCC_ERR_INPUT naming file, line, what was found and what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_section_pairs_load(const char *path, ncc_section_pairs *out);

/** Frees what it owns and zeroes it. */
void ncc_section_pairs_clear(ncc_section_pairs *pairs);

#endif
