/** What all readers of TIFF share: libtiff's reasons, and pixel types. Only in builds with libtiff. */
#ifndef NCC_LIBTIFF_H
#define NCC_LIBTIFF_H

#include "base/error.h"
#include "mpixcorr.h"

/** Opens libtiff, and keeps its reasons for this thread rather than have them printed.
 *  @return NCC_OK; NCC_ERR_UNREADABLE where the library is missing. */
ncc_status ncc_libtiff_begin(void);

/** Forgets what went wrong before. */
void ncc_libtiff_forget(void);

/** Whether there was any reason to since ncc_libtiff_forget(): also where pixels came out, made up where a strip was
 *  damaged. */
bool ncc_libtiff_complained(void);

/** Why libtiff failed in this thread: the first reason since ncc_libtiff_forget(). */
const char *ncc_libtiff_reason(void);

/** The pixel type of a sample format and bits. @return false where it is none of ours. */
bool ncc_libtiff_dtype(int format, int bits, ncc_dtype *dtype);

#endif
