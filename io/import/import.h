/** Import: a folder of pictures, stacks and tables to an input file, or names of them. See docs/file-format.md for what
 * a folder may hold.
 *
 *  Pixels pass in blocks of rows, one file after the other, so that a folder of any size passes through little memory.
 *  Tables of pairs are loaded whole. A broken file costs its own object and the pairs that refer to it, nothing else,
 *  unless `strict` says otherwise.
 */
#ifndef NCC_IMPORT_H
#define NCC_IMPORT_H

#include "io/input/writer.h"

typedef struct ncc_import_options {
  const char *folder, *output;
  const char *pairs;   /**< file that lists the pairs, or NULL: the one in the folder */
  ncc_dtype dtype;     /**< type of the pixels in the file; NCC_DTYPE_COUNT: as in the files */
  ncc_storage storage; /**< of images and templates */
  bool link;           /**< names of where the pixels lie, in place of pixels */
  const char *root;    /**< with `link`: the folder, absolute; NULL: OUTPUT lies in it */
  bool strict;         /**< the first broken file is an error */
  bool overwrite;
  const char *attribute; /**< text of the attribute `imported_by`, or NULL */
  /** Told of everything that is left out, in one line. */
  void (*warn)(void *context, const char *line);
  void *context;
} ncc_import_options;

typedef struct ncc_import_summary {
  int64_t images, templates, pairs;
  bool boxes;         /**< templates are boxes of images */
  int64_t broken;     /**< objects that were left out: files that cannot be used or are not there */
  int64_t lost_pairs; /**< rows of /pairs that hold no pair because of that */
  bool windows, near, coords, peaks;
  int64_t bytes; /**< of pixels written */
} ncc_import_summary;

/** Imports a folder.
 *  @return NCC_OK, also where something was left out (see the summary); NCC_ERR_INPUT, and NCC_ERR_UNREADABLE where
 *          strict, naming file, line or object, what was found and what was expected; NCC_ERR_OUTPUT; NCC_ERR_NOMEM.
 *          Then no output appears. */
ncc_status ncc_import(const ncc_import_options *options, ncc_import_summary *summary);

#endif
