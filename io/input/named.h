/** Images or templates that are names of sources (io/volume/volume.h) instead of pixels. Private to io/input. */
#ifndef NCC_INPUT_NAMED_H
#define NCC_INPUT_NAMED_H

#include "io/base/h5.h"
#include "io/volume/volume.h"
#include "plan/catalog.h"

/** Names behind each other. */
typedef struct ncc_named {
  bool used;            /**< the kind is names at all */
  int64_t n;            /**< 0 on ranks that get names with their batches */
  char *text;           /**< owned */
  int64_t *at;          /**< [n] offset of each in `text`; owned */
  char *root;           /**< where relative ones start; owned */
  ncc_volumes *volumes; /**< owned, or that of another kind whose names start there too: they find its chunks */
  bool borrows;         /**< the latter */
} ncc_named;

enum { NCC_NAMED_SAMPLES = 64 }; /**< names that each node tries before work */

/** Sets the root and makes ready to read. @param[in] others  of the same root, which outlive it, or NULL; borrowed
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_named_start(ncc_named *named, const char *root, ncc_volumes *others);
void ncc_named_clear(ncc_named *named);

static inline const char *ncc_named_get(const ncc_named *named, int64_t index) {
  return named->text + named->at[index];
}

/** The names as a malloc'd list of malloc'd strings. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_named_copy(const ncc_named *named, char ***out);

/** Reads the names of a dataset of strings, a block at a time. @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_named_read(ncc_named *named, const ncc_h5_dataset *set, const char *path, const char *label);

/** Looks all sources up, in several threads, and adds them to `objects`, whose ids are their numbers. What cannot be
 *  opened is taken to be as large as the largest: reading it will fail, with the reason.
 *  @param[out] n_failed, reason  how many, and why the first; `reason` is malloc'd, NULL where there is none.
 *  @return NCC_OK; NCC_ERR_INPUT where none can be opened; NCC_ERR_NOMEM. */
ncc_status ncc_named_look(const ncc_named *named, const char *label, ncc_objects *objects, int64_t *n_failed,
                          char **reason);

/** The same with shapes that the file has. @param[in] shapes  [n][2]. */
ncc_status ncc_named_shapes(const ncc_named *named, const int64_t (*shapes)[2], ncc_dtype dtype, const char *path,
                            const char *label, ncc_objects *objects);

/** Tries names spread over the list. @return NCC_OK; NCC_ERR_INPUT where none of them can be opened. */
ncc_status ncc_named_try(const ncc_named *named, const char *label);

#endif
