/** Lists that grow keep what they have, are given room seldom, and stay as they are where there is no memory. */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check.h"

/** A sanitizer would end the program where there is no memory. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

int main(void) {
  int64_t *list = NULL, capacity = 0, times = 0, bytes = 0;
  char *text = NULL;
  for (int64_t n = 0; n < 100000; n++) {
    const int64_t before = capacity;
    CHECK(ncc_list_grow(&list, n + 1, &capacity, sizeof *list, "numbers") == NCC_OK, "%s", ncc_error_message());
    times += capacity != before;
    list[n] = n * n;
  }
  for (int64_t n = 0; n < 100000; n++) CHECK(list[n] == n * n, "item %lld is %lld", (long long)n, (long long)list[n]);
  CHECK(times <= 14 && capacity < 200000, "%lld times, room for %lld", (long long)times, (long long)capacity);
  const int64_t room = capacity, *items = list;
  CHECK(ncc_list_grow(&list, INT64_MAX / 16, &capacity, sizeof *list, "numbers") == NCC_ERR_NOMEM, "no error");
  CHECK(strstr(ncc_error_message(), "numbers") && list == items && capacity == room, "%s", ncc_error_message());
  CHECK(ncc_list_grow(&text, 0, &bytes, 1, "bytes") == NCC_OK && !text, "room for nothing");
  CHECK(ncc_list_grow(&text, 1000, &bytes, 1, "bytes") == NCC_OK && bytes == 1000, "many at once");
  memset(text, 'x', 1000);
  free(text);
  free(list);
  return 0;
}
