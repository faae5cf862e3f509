/** Search windows of predictions against a look at every position, with numbers of any size. */
#include "base/error.h"
#include "check.h"
#include "match/geometry.h"
#include "random.h"

/** A small number, or one at the end of what 64 bits hold. */
static int64_t odd_number(int64_t low, int64_t high) {
  switch (between(0, 19)) {
    case 0:
      return INT64_MAX - between(0, 2);
    case 1:
      return INT64_MIN + between(0, 2);
    default:
      return between(low, high);
  }
}

static bool within(int64_t offset, int64_t predicted, int64_t radius) {
  const __int128 away = (__int128)offset - predicted;
  return away <= radius && -away <= radius;
}

static int64_t empty, open_ended;

static void check_one(void) {
  const int64_t M = between(1, 12), N = between(1, 12), m = between(1, M), n = between(1, N);
  const ncc_search search = {.crop_y = between(0, 2), .crop_x = between(0, 2)};
  const int64_t near[4] = {odd_number(-14, 14), odd_number(-14, 14), odd_number(-2, 6), odd_number(-2, 6)};
  ncc_rect window;
  ncc_geometry whole, g;
  const ncc_status status = ncc_geometry_near(&search, near, M, N, m, n, &window);
  const bool predicted = near[2] >= 0 && near[3] >= 0;
  bool any = false;
  if (ncc_geometry_create(&search, NULL, M, N, m, n, &whole) == NCC_OK) {
    for (int64_t y = whole.search.y0; y < whole.search.y1; y++)
      for (int64_t x = whole.search.x0; x < whole.search.x1; x++) {
        const bool wanted =
            !predicted || (within(y - (m - 1), near[0], near[2]) && within(x - (n - 1), near[1], near[3]));
        const bool found = y >= window.y0 && y < window.y1 && x >= window.x0 && x < window.x1;
        CHECK(wanted == found, "(%lld,%lld) on %lldx%lld, template %lldx%lld, near (%lld,%lld,%lld,%lld)", (long long)y,
              (long long)x, (long long)M, (long long)N, (long long)m, (long long)n, (long long)near[0],
              (long long)near[1], (long long)near[2], (long long)near[3]);
        any |= wanted;
      }
  }
  CHECK((status == NCC_OK) == any, "status %d, but %s is left", status, any ? "something" : "nothing");
  if (!any) {
    CHECK(status == NCC_ERR_SHAPE && ncc_error_message()[0] && window.y0 == window.y1, "an error that says why");
    empty++;
    return;
  }
  open_ended += !predicted;
  CHECK(ncc_geometry_create(&search, &window, M, N, m, n, &g) == NCC_OK, "%s", ncc_error_message());
  CHECK(g.search.y0 == window.y0 && g.search.x0 == window.x0 && g.search.y1 == window.y1 && g.search.x1 == window.x1,
        "the search is the window");
}

int main(void) {
  for (int i = 0; i < 200000; i++) check_one();
  printf("%lld empty, %lld without a prediction\n", (long long)empty, (long long)open_ended);
  CHECK(empty > 1000 && open_ended > 1000, "cases that matter");
  return 0;
}
