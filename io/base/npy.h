/** The header of NumPy's .npy files, as numpy.save writes it: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 40,
 *  50), }. The format is https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3.
 *  Private to io/.
 */
#ifndef NCC_NPY_H
#define NCC_NPY_H

#include "base/error.h"

enum { NCC_NPY_RANK = 8 };

typedef struct ncc_npy_header {
  char kind;    /**< 'u', 'i' or 'f' */
  int size;     /**< bytes of a value */
  bool swapped; /**< stored in the other byte order */
  bool fortran;
  int rank;
  int64_t shape[NCC_NPY_RANK];
  int64_t offset; /**< of the first value */
} ncc_npy_header;

/** Reads it, and checks that the file holds all values.
 *  @param[in] fd  open; it stays open. @return NCC_OK; NCC_ERR_UNREADABLE; NCC_ERR_NOMEM. */
ncc_status ncc_npy_header_read(const char *path, int fd, ncc_npy_header *out);

/** The pixel type of its values. @return false where it is none of ours. */
bool ncc_npy_dtype(const ncc_npy_header *header, ncc_dtype *dtype);

#endif
