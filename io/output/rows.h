/** Rows on their way to the disk: a buffer and a thread of its own, so that the caller never waits for a disk.
 *
 *  The thread makes no HDF5 and no MPI calls: it knows a file descriptor and the offsets of the datasets. Private to
 *  io/.
 */
#ifndef NCC_OUTPUT_ROWS_H
#define NCC_OUTPUT_ROWS_H

#include "io/output/file.h"

/** One row of every dataset but those that list peaks. */
typedef struct ncc_output_row {
  int64_t row;
  int64_t coords[2], offsets[2];
  double peak;
  double subpixel[2], subpixel_offsets[2], curvature[2];
  int64_t second_coords[2];
  double second_peak, angle;
  float overlap;
  uint8_t status, at_border;
  int64_t peaks; /**< where its peaks begin in the writer's buffer; the writer's own */
} ncc_output_row;

typedef struct ncc_row_writer ncc_row_writer;

/** Starts the thread.
 *  @param[in] fd      of the part, open for writing; borrowed.
 *  @param[in] path    of the part, for messages; copied.
 *  @param[in] layout  copied. */
ncc_status ncc_row_writer_create(int fd, const char *path, const ncc_output_layout *layout, ncc_row_writer **out);

/** Takes n rows, however far the disk is behind, and returns at once.
 *  @param[in] peaks  [n][layout.peaks] their lists; NULL: none, or empty lists
 *  @return NCC_OK; NCC_ERR_OUTPUT if writing failed, now or before: nothing is written any more then. */
ncc_status ncc_row_writer_put(ncc_row_writer *writer, int64_t n, const ncc_output_row *rows, const ncc_peak *peaks);

/** Rows that are taken and not yet durable. */
int64_t ncc_row_writer_unwritten(ncc_row_writer *writer);

/** Waits until all rows taken so far, and their statuses, are on disk. */
ncc_status ncc_row_writer_sync(ncc_row_writer *writer);

/** How often rows were made durable so far, and for how many seconds the thread was at it. */
void ncc_row_writer_spent(ncc_row_writer *writer, int64_t *times, double *elapsed_s);

/** Writes what is left, ends the thread, frees and sets to NULL; accepts NULL. */
ncc_status ncc_row_writer_destroy(ncc_row_writer **writer);

#endif
