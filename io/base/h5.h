/** What all HDF5 code of this folder shares: silence, reasons, pixel types, shapes in words.
 *
 *  Private to io/. HDF5 is used by one thread at a time (ncc_h5_lock()) and always through its POSIX driver; nothing
 * here calls MPI.
 */
#ifndef NCC_H5_H
#define NCC_H5_H

#include <hdf5.h>

#include "base/error.h"

/** Like NCC_CHECK, with HDF5's own reason at the end of the message. */
#define NCC_CHECK_H5(condition, code, ...)        \
  do {                                            \
    if (!(condition)) {                           \
      status = ncc_h5_error((code), __VA_ARGS__); \
      goto cleanup;                               \
    }                                             \
  } while (0)

/** Sides of an image beyond this are refused, so that byte counts never overflow. */
#define NCC_H5_MAX_SIDE ((hsize_t)1 << 29)

/** HDF5 is not made for several threads: whoever may not be alone holds this lock. It may be taken again by its holder.
 */
void ncc_h5_lock(void);
void ncc_h5_unlock(void);

/** Stops HDF5 from printing its error stack. Called by every entry point of io/; cheap. */
void ncc_h5_silence(void);

/** Records a message followed by the innermost line of HDF5's error stack, and returns `code`. */
ncc_status ncc_h5_error(ncc_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Closes any HDF5 identifier and sets it to -1; accepts -1. Not for files that were written. */
void ncc_h5_close(hid_t *id);

/** Opens a file read-only with a message that says what it is instead where it is no HDF5 file. */
ncc_status ncc_h5_open_file(const char *path, hid_t *out);

/** Creates a file, replacing any of that name, in the default format: old object headers, which carry no checksums and
 *  may therefore be changed in place. */
ncc_status ncc_h5_create_file(const char *path, hid_t *out);

/** UTF-8 of `size` bytes with the 0 at the end. To be closed. */
hid_t ncc_h5_text_type(size_t size);

/** Adds an attribute of n values (0: a scalar) to a file, group or dataset.
 *  @param[in] type  of the values in memory and of the attribute.
 *  @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_h5_put(hid_t object, const char *path, const char *name, hid_t type, hsize_t n, const void *value);

/** Adds a text, which must be UTF-8, as an attribute. */
ncc_status ncc_h5_put_text(hid_t object, const char *path, const char *name, const char *text);

/** The text in an attribute, malloc'd; NULL where there is none, or no memory. One that cannot be read is empty. */
char *ncc_h5_get_text(hid_t object, const char *name);

/** The memory type of a pixel type: native byte order; float16 as its bits. Never to be closed. */
hid_t ncc_h5_pixel_type(ncc_dtype dtype);

/** The pixel type that a file's type is read as.
 *  @return false where it is none of ours. */
bool ncc_h5_pixel_dtype(hid_t type, ncc_dtype *dtype);

/** What has to be done to stored numbers of that type. */
typedef enum ncc_stored_order {
  NCC_STORED_NATIVE = 0,
  NCC_STORED_SWAPPED, /**< the other byte order: swapped by us, which is faster than HDF5 */
  NCC_STORED_OTHER    /**< converted by HDF5: fewer bits than bytes have, or bytes in an odd order */
} ncc_stored_order;

/** How numbers of a file's type are stored that are read as `dtype`. */
ncc_stored_order ncc_h5_stored_order(hid_t type, ncc_dtype dtype);

/** A type in words, as "64-bit signed integers". */
void ncc_h5_type_text(hid_t type, char *text, size_t size);

enum { NCC_H5_TEXT = 160 };

/** What a dataset is, before its data is touched. */
typedef struct ncc_h5_dataset {
  hid_t id, type;
  int rank;
  hsize_t shape[H5S_MAX_RANK];
  H5D_layout_t layout;
  int64_t offset; /**< of its data in the file, where they lie there in one piece as they are; else -1 */
  char shape_text[NCC_H5_TEXT], type_text[NCC_H5_TEXT];
} ncc_h5_dataset;

/** Opens a dataset and checks that its filters are at hand.
 *  @param[in] file  path of the file, for messages.
 *  @param[in] name  path of the object in `parent`; `label` is how messages call it.
 *  @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_h5_dataset_open(hid_t parent, const char *name, const char *file, const char *label,
                               ncc_h5_dataset *out);

void ncc_h5_dataset_close(ncc_h5_dataset *dataset);

/** Reads all of a dataset, of elements of `size` bytes in memory.
 *  @param[in] path, label  of the file it was opened in, and of the dataset there.
 *  @return NCC_OK; NCC_ERR_INPUT, also where a source of a virtual dataset or an external file cannot be read. */
ncc_status ncc_h5_read_all(const ncc_h5_dataset *set, const char *path, const char *label, hid_t type, size_t size,
                           void *out);

/** Reads integers [rows, cols] (cols 0: [rows]) of any integer type into a malloc'd array.
 *  @param[in]  rows  expected number of rows; -1: any.
 *  @param[out] n     rows found, may be NULL. */
ncc_status ncc_h5_read_integers(hid_t file, const char *path, const char *label, int64_t rows, int64_t cols, int64_t *n,
                                int64_t **out);

/** Is given rows [first, first + n) of a table of integers. */
typedef ncc_status (*ncc_h5_take_rows)(void *context, int64_t first, int64_t n, const int64_t *values);

/** Reads integers [rows, cols] a block of rows at a time, for tables that are not kept as they are.
 *  @param[in]  rows  expected number of rows; -1: any.
 *  @param[out] n     rows found, set before the first call of `take`.
 *  @param[in]  take  NULL: they are only read. */
ncc_status ncc_h5_walk_integers(hid_t file, const char *path, const char *label, int64_t rows, int64_t cols, int64_t *n,
                                ncc_h5_take_rows take, void *context);

/** Reads numbers [rows] of any integer or float type as float64 into a malloc'd array. */
ncc_status ncc_h5_read_doubles(hid_t file, const char *path, const char *label, int64_t rows, double **out);

/** Reads strings [rows], of fixed or variable length, into a malloc'd array of malloc'd strings. */
ncc_status ncc_h5_read_strings(hid_t file, const char *path, const char *label, int64_t rows, char ***out);

#endif
