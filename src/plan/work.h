/** The work: every row of /pairs, resolved and checked once; all that follows takes it from here.
 *
 *  A row is a pair (image, template, kind), or no pair. Pairs of one kind have the same shapes and pixel types, and
 *  search windows of about the same size: they cost the same, and need the same transforms and memory.
 */
#ifndef NCC_WORK_H
#define NCC_WORK_H

#include "plan/catalog.h"
#include "plan/cost.h"
#include "plan/parts.h"

/** What stands for `kind` in rows without work; both are below 0. */
enum { NCC_WORK_NONE = -1 /**< the row holds no pair */, NCC_WORK_BAD = -2 /**< a bad pair that is left out */ };

typedef struct ncc_work_row {
  int32_t image, tmpl; /**< indices into the catalog; -1 without work */
  int32_t kind;        /**< index of a kind, NCC_WORK_NONE or NCC_WORK_BAD */
} ncc_work_row;

typedef struct ncc_work_kind {
  ncc_geometry geometry; /**< of its first pair */
  ncc_geometry matched;  /**< the same, or on the part of the image that is matched */
  bool part;             /**< pairs have parts of about this size, each its own */
  bool windows_vary;     /**< other pairs of the kind are searched elsewhere */
  ncc_dtype image_dtype, template_dtype;
  bool masked;                         /**< there may be masked pixels in them */
  int64_t image_bytes, template_bytes; /**< of the pixels of one, the largest part */
  int64_t fft_rows, fft_cols;          /**< lengths of its transforms */
  ncc_cost cost;
  int64_t pairs;
} ncc_work_kind;

typedef struct ncc_work {
  const ncc_catalog *catalog; /**< borrowed */
  ncc_work_row *rows;         /**< [catalog->n_pairs], owned */
  ncc_work_kind *kinds;       /**< [n_kinds] in order of appearance, so that the first one's pair is the first; owned */
  int32_t n_kinds;
  int64_t turns;           /**< angles of each pair; 1: templates are as they are */
  const ncc_rect *windows; /**< [catalog->n_pairs] search windows, the catalog's or `predicted`; or NULL */
  ncc_rect *predicted;     /**< what the catalog's predictions leave to search, or NULL; owned */
  int64_t n_none, n_bad;   /**< rows that hold no pair; bad pairs */
} ncc_work;

/** Looks up ids and checks every pair against shapes and search options. Time: linear; memory: see
 *  ncc_work_bytes().
 *  @param[in] catalog   borrowed as long as the work is used.
 *  @param[in] skip_bad  false: the first bad pair is an error; true: bad pairs are marked and left out. Rows of /pairs
 *                       holding -1 are no error in either mode.
 *  @param[out] out      cleared by ncc_work_clear(), also after a failure.
 *  @return NCC_OK; NCC_ERR_INPUT with file, row, what was found and what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_work_create(const ncc_catalog *catalog, const ncc_search *search, bool skip_bad, ncc_work *out);

/** Bytes of a work. */
static inline int64_t ncc_work_bytes(int64_t rows, int64_t kinds) {
  return rows * (int64_t)sizeof(ncc_work_row) + kinds * (int64_t)sizeof(ncc_work_kind);
}

/** Frees what the work owns and zeroes it. */
void ncc_work_clear(ncc_work *work);

/** What a row that has a window reaches of its image: all of it where that is matched whole, with what is searched. */
ncc_status ncc_work_part(const ncc_work *work, const ncc_search *search, int64_t row, ncc_image_part *out);

/** A row's search window, or NULL. */
static inline const ncc_rect *ncc_work_window(const ncc_work *work, int64_t row) {
  return work->windows ? &work->windows[row] : NULL;
}

#endif
