/** Pictures for people who judge a match: one pair in full, or a contact sheet of many. PNG files.
 *
 *  Drawn by cairo; where it was absent when the program was built, every function that writes returns NCC_ERR_USAGE and
 *  says so.
 */
#ifndef NCC_PICTURE_H
#define NCC_PICTURE_H

#include "match/map.h"

/** Whether this build draws. */
bool ncc_picture_available(void);

/** A pair to be shown. */
typedef struct ncc_picture_pair {
  const char *title;          /**< what it is: row, ids, names; UTF-8, borrowed */
  ncc_array image, tmpl;      /**< borrowed */
  int64_t image_y0, image_x0; /**< where `image` begins, of which it may be a part */
  ncc_result result;          /**< with quality where known: NaN and -1 where not; y = -1: there is no match to show */
  const ncc_peak *peaks;      /**< [n_peaks] as ncc_matcher_peaks() has them, or NULL; borrowed */
  int n_peaks;
} ncc_picture_pair;

/** Draws a pair: the image with the template's box, the NCC map with its peaks, the template, the image at the match,
 *  both laid over each other, and the map around the peak; with axes in pixels.
 *  @param[in] path  replaced if it exists.
 *  @param[in] note  a line below the title: options, bounds; may be NULL.
 *  @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_NOMEM; NCC_ERR_USAGE (see above). */
ncc_status ncc_picture_write(const char *path, const ncc_picture_pair *pair, const ncc_map *map, const char *note);

/** A contact sheet: pairs in rows, each with image and box, template, image at the match, overlay, and maybe NCC map.
 */
typedef struct ncc_sheet ncc_sheet;

/** Starts a sheet of n pairs.
 *  @param[in]  title  of the whole sheet.
 *  @param[in]  maps   there is room for the NCC map of each pair.
 *  @param[out] out    owned by the caller; NULL on failure. */
ncc_status ncc_sheet_create(int n, const char *title, bool maps, ncc_sheet **out);

/** Draws the next pair. @param[in] map  of a sheet with maps; else, or where there is none, NULL. */
ncc_status ncc_sheet_add(ncc_sheet *sheet, const ncc_picture_pair *pair, const ncc_map *map);

/** Writes the sheet. @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_sheet_write(ncc_sheet *sheet, const char *path);

void ncc_sheet_destroy(ncc_sheet **sheet);

/** A pair in a strip: the panels of a sheet with maps, without words, as a PNG file in memory.
 *  @param[in]  map   may be NULL.
 *  @param[out] png   [bytes], malloc'd, caller frees; NULL on failure.
 *  @return NCC_OK; NCC_ERR_NOMEM; NCC_ERR_USAGE (see above). */
ncc_status ncc_picture_strip(const ncc_picture_pair *pair, const ncc_map *map, unsigned char **png, size_t *bytes);

/** Most pairs of a sheet; beyond this a picture is too high. */
enum { NCC_SHEET_MOST = 200 };

#endif
