/** The NCC map of one pair as an HDF5 file. */
#ifndef NCC_MAP_FILE_H
#define NCC_MAP_FILE_H

#include "match/map.h"

/** Writes /ncc float64 [rows, cols], NaN where not searched, with the attribute `origin`: the full-correlation (y, x)
 *  of its first value. Attributes of the root group: `row`, `image`, `template` (of /pairs), `status`, `coords`,
 *  `offset`, `peak`, `angle` (where templates are turned), `subpixel`, `subpixel_offset`, `curvature`, `second_coords`,
 * `second_peak`, `options`, `input_path`, `program_version`. With listed peaks also /top_coords and /top_peaks.
 *  @param[in] path     replaced if it exists.
 *  @param[in] peaks    [n_peaks] as ncc_matcher_peaks() has them
 *  @param[in] pair     row, image id, template id.
 *  @param[in] options  search options as typed.
 *  @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_map_file_write(const char *path, const ncc_map *map, const ncc_result *result, int n_peaks,
                              const ncc_peak *peaks, const int64_t pair[3], const char *input, const char *options);

#endif
