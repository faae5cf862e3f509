/** A streaming writer of HDF5 input files, for `generate` and `import`.
 *
 *  Images and templates are written one at a time, so that files of any size pass through little memory. The file is
 *  built under a temporary name beside its own and appears under its name only by ncc_input_writer_finish(). One thread
 *  at a time may use HDF5, whatever the writer. Nothing here is collective. The same calls give the same bytes.
 */
#ifndef NCC_INPUT_WRITER_H
#define NCC_INPUT_WRITER_H

#include "io/input/input.h"

typedef struct ncc_input_writer ncc_input_writer;

/** How pixels are laid out in the file; zero-initialised: contiguous. */
typedef struct ncc_storage {
  int64_t chunk_rows, chunk_cols; /**< pixels of a chunk, cut down to the object's shape; 0: contiguous, or chunks of
                                       about 1 MiB where `gzip_level` asks for them */
  int gzip_level;                 /**< 1 .. 9: shuffle and deflate; 0: none */
} ncc_storage;

/** Starts a file.
 *  @param[in] overwrite  false: an existing `path` is an error.
 *  @return NCC_OK; NCC_ERR_OUTPUT naming the path and the reason; NCC_ERR_NOMEM. */
ncc_status ncc_input_writer_create(const char *path, bool overwrite, ncc_input_writer **out);

/** Makes /images or /templates one dataset [count, rows, cols]. To be called before the first ncc_input_writer_put() of
 *  that kind; without this call each object becomes a dataset of its own in a group.
 *  @param[in] storage  or NULL for contiguous.
 *  @return NCC_OK; NCC_ERR_USAGE for values out of range or a kind that exists already; NCC_ERR_OUTPUT. */
ncc_status ncc_input_writer_stack(ncc_input_writer *writer, ncc_object_kind kind, int64_t count, int64_t rows,
                                  int64_t cols, ncc_dtype dtype, const ncc_storage *storage);

/** Makes /images or /templates a group of datasets named by id, in which shapes and types may differ and ids may have
 *  gaps. Only needed to choose the storage, or for a group that stays empty.
 *  @return as ncc_input_writer_stack(). */
ncc_status ncc_input_writer_group(ncc_input_writer *writer, ncc_object_kind kind, const ncc_storage *storage);

/** Writes the pixels of one image or template: plane `id` of a stack, or the dataset `id` of a group. Rows may be
 *  strided (a copy is made then). Ids may come in any order, each once.
 *  @return NCC_OK; NCC_ERR_USAGE where id, shape or type do not fit the stack; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_input_writer_put(ncc_input_writer *writer, ncc_object_kind kind, int64_t id, const ncc_array *pixels);

/** The same in blocks of rows, for objects larger than memory: begins an object; rows follow from the first to the
 * last.
 *  @return as ncc_input_writer_put(). */
ncc_status ncc_input_writer_begin(ncc_input_writer *writer, ncc_object_kind kind, int64_t id, int64_t rows,
                                  int64_t cols, ncc_dtype dtype);

/** Rows of a chunk of the object that was begun, 1 where it is contiguous: blocks of a multiple of it are written in
 * one go. */
int64_t ncc_input_writer_chunk_rows(const ncc_input_writer *writer);

/** Writes the next rows of the object that was begun. @return as ncc_input_writer_put(). */
ncc_status ncc_input_writer_rows(ncc_input_writer *writer, const ncc_array *rows);

/** Ends the object that was begun.
 *  @param[in] keep  false: it is given up and leaves no trace in a group; its space is used again.
 *  @return NCC_OK; NCC_ERR_USAGE where rows are missing of an object that is to be kept; NCC_ERR_OUTPUT. */
ncc_status ncc_input_writer_end(ncc_input_writer *writer, bool keep);

/** Makes /templates boxes of images: rows (image id, y, x, rows, cols); the template's id is its row.
 *  @param[in] boxes  [n][5], borrowed. */
ncc_status ncc_input_writer_boxes(ncc_input_writer *writer, int64_t n, const int64_t (*boxes)[5]);

/** Writes /pairs: (image id, template id), -1 for no pair. Required, also with n = 0. */
ncc_status ncc_input_writer_pairs(ncc_input_writer *writer, int64_t n, const int64_t (*pairs)[2]);

/** Writes /search, one window a pair. */
ncc_status ncc_input_writer_search(ncc_input_writer *writer, int64_t n, const ncc_rect *windows);

/** Writes /near, a predicted offset (y, x, radius_y, radius_x) a pair, instead of windows. */
ncc_status ncc_input_writer_near(ncc_input_writer *writer, int64_t n, const int64_t (*near)[4]);

/** Writes /expected/coords and /expected/peaks, a row a pair; either may be NULL. NaN and -1 where unknown. */
ncc_status ncc_input_writer_expected(ncc_input_writer *writer, int64_t n, const int64_t (*coords)[2],
                                     const double *peaks);

/** Writes /expected/subpixel: peak positions between pixels, (y, x) in the frame of the coordinates. To be called after
 *  ncc_input_writer_expected(). */
ncc_status ncc_input_writer_expected_subpixel(ncc_input_writer *writer, int64_t n, const double (*positions)[2]);

/** Writes /expected/angles, degrees by which templates are to be turned; as ncc_input_writer_expected_subpixel(). */
ncc_status ncc_input_writer_expected_angles(ncc_input_writer *writer, int64_t n, const double *angles);

/** Writes /image_names or /template_names, UTF-8, in order of increasing id. */
ncc_status ncc_input_writer_names(ncc_input_writer *writer, ncc_object_kind kind, int64_t n, const char *const *names);

/** Makes /images or /templates names of where pixels lie, row i for id i; nothing is copied.
 *  @param[in] sources  [n], see docs/file-format.md; bytes, mostly UTF-8.
 *  @param[in] shapes   [n][2] (rows, cols), which spare whoever reads the look at every file; or NULL.
 *  @param[in] dtype    of all of them, or NCC_DTYPE_COUNT: not told.
 *  @param[in] root     where relative names start; NULL: the folder of the file that is written. */
ncc_status ncc_input_writer_sources(ncc_input_writer *writer, ncc_object_kind kind, int64_t n,
                                    const char *const *sources, const int64_t (*shapes)[2], ncc_dtype dtype,
                                    const char *root);

/** Writes a dataset [n] of strings of fixed length, UTF-8, filled up by zeros, in deflated chunks. */
ncc_status ncc_input_writer_strings(ncc_input_writer *writer, const char *name, int64_t n, const char *const *texts);

/** Writes a text attribute of the root group, for example what generated the file. */
ncc_status ncc_input_writer_attribute(ncc_input_writer *writer, const char *name, const char *value);

/** The same of an integer. */
ncc_status ncc_input_writer_integer(ncc_input_writer *writer, const char *name, int64_t value);

/** Completes the file: syncs it, gives it its name, syncs the directory. Frees *writer in any case.
 *  @return NCC_OK; NCC_ERR_USAGE if /images, /templates, /pairs or a plane of a stack was not written; NCC_ERR_OUTPUT;
 * the file does not appear then. */
ncc_status ncc_input_writer_finish(ncc_input_writer **writer);

/** Gives up: removes the temporary file, frees *writer and sets it to NULL; accepts NULL. */
void ncc_input_writer_destroy(ncc_input_writer **writer);

#endif
