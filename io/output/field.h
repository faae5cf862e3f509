/** Fields of displacements on a regular grid, one a pair of images, as HDF5 or as a NumPy array. */
#ifndef NCC_FIELD_H
#define NCC_FIELD_H

#include "base/error.h"

enum { NCC_FIELD_LAYERS = 4 }; /**< dx, dy, peak, peak over second */

typedef struct ncc_field_writer ncc_field_writer;

/** Starts a file, whose extension says what it is: .h5 or .npy.
 *  @param[in] pairs   [n][2] (image, other); of .npy not written, nor are origin and step.
 *  @param[in] origin, step  of the grid's points, (y, x) in pixels.
 *  @return NCC_OK; NCC_ERR_USAGE for another extension; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_field_create(const char *path, int64_t n, const int64_t (*pairs)[2], const int64_t shape[2],
                            const double origin[2], const double step[2], ncc_field_writer **out);

/** Writes the next pair's field. @param[in] layers  [NCC_FIELD_LAYERS, ny, nx]. @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_field_put(ncc_field_writer *writer, const float *layers);

/** Completes the file and frees the writer in any case. @return NCC_OK; NCC_ERR_OUTPUT: no file appears. */
ncc_status ncc_field_finish(ncc_field_writer **writer);

/** Gives up; accepts NULL. */
void ncc_field_destroy(ncc_field_writer **writer);

#endif
