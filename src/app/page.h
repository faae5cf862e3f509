/** The web page of `report`: what it holds, as JSON that its own script draws. */
#ifndef NCC_PAGE_H
#define NCC_PAGE_H

#include <stdio.h>

#include "app/pair_source.h"

struct json_t;

typedef struct ncc_page_content {
  const char *output;            /**< its path */
  const ncc_output_data *data;   /**< borrowed */
  const ncc_pair_source *source; /**< for names; NULL: none. Borrowed */
  const bool *astray;            /**< [n_pairs] of ncc_page_tiles(), or NULL. Borrowed */
  const int64_t *rows;           /**< [n_rows] that are listed; borrowed */
  int64_t n_rows;
  const char *no_pictures; /**< why there are none, or NULL */
} ncc_page_content;

/** The rows to be listed: a part each for those without a certain answer, at the edge of what was searched, astray and
 *  with a second peak nearly as high; the rest for the lowest peaks. Worst first.
 *  @param[in]  content  without rows yet. @param[in] order  [n] of ncc_shown_order(). @param[in] most  rows at most.
 *  @param[out] rows     [n_rows], malloc'd, caller frees; NULL on failure. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_page_choose(const ncc_page_content *content, const int64_t *order, int64_t n, int64_t most,
                           int64_t **rows, int64_t *n_rows);

/** All but pictures: counts, histograms, rows, attributes, digest.
 *  @param[out] out  a new reference; NULL on failure. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_page_describe(const ncc_page_content *content, struct json_t **out);

/** Puts the JSON into the page. @return whether all was written. */
bool ncc_page_write(FILE *stream, const struct json_t *data);

#endif
