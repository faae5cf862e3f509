/** What is to be imported: which files become which objects, and the pairs. Private to io/.
 *
 *  Made from the table of pairs and the folder's names alone (plan.c and tiles.c); no pixel is read.
 *  import.c carries it out.
 */
#ifndef NCC_IMPORT_PLAN_H
#define NCC_IMPORT_PLAN_H

#include "io/input/input.h"

/** A picture that becomes an image or template. */
typedef struct ncc_import_file {
  int64_t id;
  char *name;         /**< in the folder; owned */
  bool missing;       /**< a pair names it, but it is not there */
  int64_t rows, cols; /**< once imported; 0 where it is broken */
  int64_t number;     /**< its id in the output, once imported */
} ncc_import_file;

/** Pictures in order of increasing id. */
typedef struct ncc_import_files {
  int64_t n;
  ncc_import_file *items; /**< [n], owned */
} ncc_import_files;

typedef struct ncc_import_plan {
  char *source;              /**< path of the table of pairs; owned */
  ncc_import_files files[2]; /**< by ncc_object_kind */
  const char *stacks[2];     /**< or names of stacks in the folder; NULL where there is none */
  bool has_boxes;            /**< or, for templates, boxes of images */
  int64_t n_boxes;
  int64_t (*boxes)[5];  /**< [n_boxes] (image id, y, x, rows, cols); owned */
  int64_t n;            /**< pairs */
  int64_t (*pairs)[2];  /**< [n] image id, template id; owned */
  int64_t *lines;       /**< [n] line of the CSV file, or NULL: messages count rows from 0; owned */
  ncc_rect *windows;    /**< [n] or NULL; owned */
  int64_t (*near)[4];   /**< [n] predicted offset and radii (y, x, radius_y, radius_x), or NULL; owned */
  int64_t (*coords)[2]; /**< [n] or NULL; owned */
  double *peaks;        /**< [n] or NULL; owned */
} ncc_import_plan;

/** Makes the plan. @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_import_plan_make(const char *folder, const char *pairs, ncc_import_plan *plan);

/** Fills pairs, windows, expected values, and files or boxes from a CSV file.
 *  @param[in] by_id  images and templates are named by number (stacks), not by file. */
ncc_status ncc_import_plan_csv(const char *folder, const char *path, bool by_id, ncc_import_plan *plan);

/** "FILE: line 3" or "FILE: row 2": where a pair comes from; thread-local, valid until the next call. */
const char *ncc_import_plan_where(const ncc_import_plan *plan, int64_t pair);

/** malloc'd "folder/name", or NULL without memory. */
char *ncc_import_path(const char *folder, const char *name);

/** Index of an id among files, or -1. */
int64_t ncc_import_files_find(const ncc_import_files *files, int64_t id);

void ncc_import_plan_clear(ncc_import_plan *plan);

#endif
