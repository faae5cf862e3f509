/** Large work arrays that are kept and reused: fresh pages are dear, and huge pages save TLB misses. And lists that
 * grow. */
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

/** Makes room for `n` items of `size` bytes in a list by realloc, at least twice as many as there were where it grows.
 *  @param[in,out] items     address of the pointer to the items; as it was on errors, as is `capacity`
 *  @param[in,out] capacity  for how many there is room
 *  @return NCC_OK; NCC_ERR_NOMEM naming `what`. */
ncc_status ncc_list_grow(void *items, int64_t n, int64_t *capacity, size_t size, const char *what);

#endif
