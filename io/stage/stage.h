/** Stage positions of tiles, in the formats that microscopes and stitchers write.
 *
 *  A table with the columns file,x,y and perhaps section and id (CSV); Zeiss' full_image_coordinates.txt and FEABAS'
 *  coordinate files (tabs, no header); Fiji's TileConfiguration.txt. What a file is comes from what is in it.
 */
#ifndef NCC_STAGE_H
#define NCC_STAGE_H

#include "io/base/table_file.h"

/** Where tiles were, as the file has it. */
typedef struct ncc_stage {
  const char *format;     /**< in words; static */
  int64_t n;              /**< tiles */
  const char **files;     /**< [n] as written, but for `\` which became `/` */
  double (*positions)[2]; /**< [n] x, y */
  int64_t *lines;         /**< [n] line of the file, from 1 */
  const char **sections;  /**< [n] or NULL */
  const char **ids;       /**< [n] or NULL */
  const char *root;       /**< folder that the file names, or NULL */
  int64_t rows, cols;     /**< of every tile, where the file tells; else 0 */
  char *text;             /**< what all strings point into, or `table` */
  ncc_csv table;
} ncc_stage;

/** Loads a file. Each tile may be listed once.
 *  @return NCC_OK; NCC_ERR_INPUT naming file, line, what was found and what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_stage_load(const char *path, ncc_stage *out);

/** Frees what it owns and zeroes it. */
void ncc_stage_clear(ncc_stage *stage);

#endif
