/** Large work arrays that are kept and reused: fresh pages are dear, and huge pages save TLB misses. */
#ifndef NCC_BUFFER_H
#define NCC_BUFFER_H

#include "mpixcorr.h"

typedef struct ncc_buffer {
  void *data; /**< aligned to 64 bytes, from 2 MiB on to huge pages */
  int64_t bytes;
} ncc_buffer;

/** Makes room for `bytes`; the content is lost where the buffer grows, and zero where it is new.
 *  @return NCC_OK; NCC_ERR_NOMEM naming `what`. */
ncc_status ncc_buffer_reserve(ncc_buffer *buffer, int64_t bytes, const char *what);
void ncc_buffer_free(ncc_buffer *buffer);

#endif
