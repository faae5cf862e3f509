/** Work arrays by mmap, so that pages are zero, aligned and given back at once; see buffer.h. */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arithmetic.h"
#include "base/error.h"

ncc_status ncc_buffer_reserve(ncc_buffer *buffer, int64_t bytes, const char *what) {
  const int64_t huge = 2 << 20;
  if (bytes <= buffer->bytes) return NCC_OK;
  ncc_buffer_free(buffer);
  // Whole pages; huge ones where there is something to gain.
  int64_t unit = bytes >= huge ? huge : 4096;
  bytes = ncc_round_up(bytes, unit);
  void *data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld MiB of %s", (long long)(bytes >> 20), what);
#ifdef MADV_HUGEPAGE
  if (bytes >= huge) madvise(data, (size_t)bytes, MADV_HUGEPAGE);  // only a wish
#endif
  buffer->data = data;
  buffer->bytes = bytes;
  return NCC_OK;
}

void ncc_buffer_free(ncc_buffer *buffer) {
  if (buffer->data) munmap(buffer->data, (size_t)buffer->bytes);
  *buffer = (ncc_buffer){0};
}

ncc_status ncc_list_grow(void *items, int64_t n, int64_t *capacity, size_t size, const char *what) {
  void *list;
  if (n <= *capacity) return NCC_OK;
  const int64_t larger = ncc_max(n, ncc_max(16, 2 * *capacity));
  memcpy(&list, items, sizeof list); /* whatever it points to */
  list = realloc(list, (size_t)larger * size);
  if (!list) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld %s", (long long)larger, what);
  memcpy(items, &list, sizeof list);
  *capacity = larger;
  return NCC_OK;
}
