/** Full-mode geometry; see geometry.h. */
#include "match/geometry.h"

#include "base/arithmetic.h"
#include "base/error.h"
#include "match/arguments.h"
#include "match/formulas.h"

/** First coordinate at which the overlap in one direction reaches `need` (1 .. tmpl); the last is its mirror image. */
static int64_t first_with_overlap(int64_t need) {
  return need - 1;
}

/** Fewest columns whose product with `rows_overlap` rows satisfies the overlap rule; tmpl + 1 where none does. */
static int64_t needed_columns(const ncc_geometry *g, int64_t rows_overlap) {
  // A quotient, because 0.07 * 100 rounds to more than 7.
  double area = (double)(g->template_rows * g->template_cols);
  int64_t lo = 1, hi = g->template_cols + 1;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if ((double)(rows_overlap * mid) / area >= g->min_overlap)
      hi = mid;
    else
      lo = mid + 1;
  }
  return lo;
}

void ncc_geometry_span(const ncc_geometry *g, int64_t y, int64_t *x0, int64_t *x1) {
  *x0 = g->search.x0;
  *x1 = g->search.x1;
  if (y < g->search.y0 || y >= g->search.y1) {
    *x1 = *x0;
    return;
  }
  if (g->min_overlap <= 0) return;
  int64_t need = needed_columns(g, ncc_overlap(g->image_rows, g->template_rows, y));
  if (need > g->template_cols) {
    *x1 = *x0;
    return;
  }
  // The overlap rises, stays and falls along a row, symmetrically about the middle of 0 .. N+n-2.
  *x0 = ncc_max(*x0, first_with_overlap(need));
  *x1 = ncc_min(*x1, g->image_cols + g->template_cols - 1 - first_with_overlap(need));
}

/** Where, from column x of row y on, excluded columns begin or end; `end` where they do not before.
 *  @param[out] excluded  whether those from x on are */
static int64_t next_change(const ncc_geometry *g, int64_t y, int64_t x, int64_t end, bool *excluded) {
  int64_t closed = x, open = end;
  for (int64_t i = 0; i < g->n_exclude; i++) {
    const ncc_rect *e = &g->exclude[i];
    if (y < e->y0 || y >= e->y1) continue;
    if (e->x0 <= x)
      closed = ncc_max(closed, e->x1);
    else
      open = ncc_min(open, e->x0);
  }
  *excluded = closed > x;
  return *excluded ? closed : open;
}

int ncc_geometry_segments(const ncc_geometry *g, int64_t y, int64_t segments[NCC_SEGMENTS_MOST][2]) {
  int64_t x, end;
  bool excluded;
  int count = 0;
  ncc_geometry_span(g, y, &x, &end);
  for (int64_t next; x < end; x = next) {
    next = next_change(g, y, x, end, &excluded);
    if (excluded) continue;
    segments[count][0] = x;
    segments[count++][1] = next;
  }
  return count;
}

int64_t ncc_geometry_overlap_px(const ncc_geometry *g, int64_t y, int64_t x) {
  return ncc_overlap(g->image_rows, g->template_rows, y) * ncc_overlap(g->image_cols, g->template_cols, x);
}

bool ncc_geometry_first(const ncc_geometry *g, int64_t *y, int64_t *x) {
  int64_t segments[NCC_SEGMENTS_MOST][2];
  for (*y = g->search.y0; *y < g->search.y1; ++*y)
    if (ncc_geometry_segments(g, *y, segments) > 0) {
      *x = segments[0][0];
      return true;
    }
  return false;
}

bool ncc_geometry_at_border(const ncc_geometry *g, int64_t y, int64_t x) {
  const ncc_rect *p = &g->permitted;
  const int64_t full_rows = g->image_rows + g->template_rows - 1, full_cols = g->image_cols + g->template_cols - 1;
  return (y == p->y0 && y > 0) || (x == p->x0 && x > 0) || (y == p->y1 - 1 && y < full_rows - 1) ||
         (x == p->x1 - 1 && x < full_cols - 1);
}

static bool rect_equal(const ncc_rect *a, const ncc_rect *b) {
  return a->y0 == b->y0 && a->x0 == b->x0 && a->y1 == b->y1 && a->x1 == b->x1;
}

bool ncc_geometry_equal(const ncc_geometry *a, const ncc_geometry *b) {
  return a->image_rows == b->image_rows && a->image_cols == b->image_cols && a->template_rows == b->template_rows &&
         a->template_cols == b->template_cols && rect_equal(&a->search, &b->search) &&
         a->min_overlap == b->min_overlap && a->ignores_outside == b->ignores_outside;
}

int64_t ncc_geometry_min_fft(int64_t image, int64_t tmpl, int64_t first, int64_t last) {
  // Linear correlation fills 0 .. image+tmpl-2; index i also lands on i - L. Keep that away from [first, last].
  return ncc_max(ncc_max(image + tmpl - 1 - first, last + 1), ncc_max(image, tmpl));
}

static bool row_has_position(const ncc_geometry *g, int64_t y) {
  int64_t x0, x1;
  ncc_geometry_span(g, y, &x0, &x1);
  return x0 < x1;
}

/** Drops rows without a permitted column at top and bottom of the search, then columns likewise: less to transform. The
 *  overlap of rows grows towards the row where it is largest, and with it the permitted columns, which are nested. So
 *  halving finds the border, whatever size a file declares. @return false if no position is left. */
static bool drop_empty_border(ncc_geometry *g) {
  const int64_t best = ncc_min(ncc_max(g->template_rows - 1, g->search.y0), g->search.y1 - 1);
  int64_t x0, x1, above = g->search.y0 - 1, top = best, last = best, below = g->search.y1;
  ncc_geometry_span(g, best, &x0, &x1);
  if (x0 >= x1) return false;
  while (top - above > 1) {
    const int64_t middle = above + (top - above) / 2;
    *(row_has_position(g, middle) ? &top : &above) = middle;
  }
  while (below - last > 1) {
    const int64_t middle = last + (below - last) / 2;
    *(row_has_position(g, middle) ? &last : &below) = middle;
  }
  g->search = (ncc_rect){top, x0, last + 1, x1};
  return true;
}

/** What the crop leaves of the full correlation. */
static ncc_status crop_full(const ncc_search *search, int64_t image_rows, int64_t image_cols, int64_t template_rows,
                            int64_t template_cols, ncc_rect *out) {
  ncc_status status = NCC_OK;
  NCC_CHECK(image_rows > 0 && image_cols > 0 && template_rows > 0 && template_cols > 0, NCC_ERR_SHAPE,
            "image of %lldx%lld, template of %lldx%lld: expected at least one pixel in each direction",
            (long long)image_rows, (long long)image_cols, (long long)template_rows, (long long)template_cols);
  NCC_CHECK(template_rows <= image_rows && template_cols <= image_cols, NCC_ERR_SHAPE,
            "template of %lldx%lld pixels is larger than its image of %lldx%lld", (long long)template_rows,
            (long long)template_cols, (long long)image_rows, (long long)image_cols);
  int64_t full_rows = image_rows + template_rows - 1, full_cols = image_cols + template_cols - 1;
  int64_t crop_y = search->crop_half ? template_rows / 2 : search->crop_y;
  int64_t crop_x = search->crop_half ? template_cols / 2 : search->crop_x;
  NCC_CHECK(crop_y >= 0 && crop_x >= 0, NCC_ERR_SHAPE, "crop %lld,%lld: expected no negative number", (long long)crop_x,
            (long long)crop_y);
  // Compared without adding, so that a huge crop cannot overflow.
  NCC_CHECK(crop_y < full_rows - crop_y && crop_x < full_cols - crop_x, NCC_ERR_SHAPE,
            "crop %lld,%lld leaves nothing of the full correlation of %lld columns and %lld rows", (long long)crop_x,
            (long long)crop_y, (long long)full_cols, (long long)full_rows);
  *out = (ncc_rect){crop_y, crop_x, full_rows - crop_y, full_cols - crop_x};

cleanup:
  return status;
}

static int64_t add_saturating(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? INT64_MIN : INT64_MAX;
}

/** Along one direction: positions [*first, *end) without those farther than `radius` from the offset. */
static void cut_to_prediction(int64_t offset, int64_t radius, int64_t tmpl, int64_t *first, int64_t *end) {
  // Cut as offsets, so that what is left is small before it becomes positions.
  const int64_t least = *first - (tmpl - 1), after = *end - (tmpl - 1);
  *first = ncc_clamp(add_saturating(offset, -radius), least, after) + tmpl - 1;
  *end = ncc_clamp(add_saturating(add_saturating(offset, radius), 1), least, after) + tmpl - 1;
}

ncc_status ncc_geometry_near(const ncc_search *search, const int64_t near[4], int64_t image_rows, int64_t image_cols,
                             int64_t template_rows, int64_t template_cols, ncc_rect *window) {
  ncc_status status = NCC_OK;
  ncc_rect r;
  *window = (ncc_rect){0};
  NCC_TRY(crop_full(search, image_rows, image_cols, template_rows, template_cols, &r));
  if (near[2] >= 0 && near[3] >= 0) {
    cut_to_prediction(near[0], near[2], template_rows, &r.y0, &r.y1);
    cut_to_prediction(near[1], near[3], template_cols, &r.x0, &r.x1);
    NCC_CHECK(r.y0 < r.y1 && r.x0 < r.x1, NCC_ERR_SHAPE,
              "prediction (%lld,%lld) within (%lld,%lld): no such offset of a template of %lldx%lld on an image of "
              "%lldx%lld is searched",
              (long long)near[0], (long long)near[1], (long long)near[2], (long long)near[3], (long long)template_rows,
              (long long)template_cols, (long long)image_rows, (long long)image_cols);
  }
  *window = r;

cleanup:
  return status;
}

ncc_status ncc_windows_near(const ncc_search *search, const ncc_array *image, int64_t n, const ncc_array *templates,
                            const int64_t (*near)[4], ncc_rect *windows) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_check_search(search));
  NCC_TRY(ncc_check_match(image, n, templates, windows, "windows"));
  if (n > 0) NCC_TRY(ncc_check_pointer(near, "near"));
  for (int64_t i = 0; i < n; i++)  // what is an error leaves an empty window, and so an invalid pair
    ncc_geometry_near(search, near[i], image->rows, image->cols, templates[i].rows, templates[i].cols, &windows[i]);

cleanup:
  return status;
}

ncc_status ncc_geometry_create(const ncc_search *search, const ncc_rect *window, int64_t image_rows, int64_t image_cols,
                               int64_t template_rows, int64_t template_cols, ncc_geometry *out) {
  ncc_status status = NCC_OK;
  ncc_geometry g = {.image_rows = image_rows,
                    .image_cols = image_cols,
                    .template_rows = template_rows,
                    .template_cols = template_cols,
                    .min_overlap = search->min_overlap};
  NCC_TRY(crop_full(search, image_rows, image_cols, template_rows, template_cols, &g.permitted));
  const int64_t full_rows = image_rows + template_rows - 1, full_cols = image_cols + template_cols - 1;
  if (window) {
    NCC_CHECK(window->y0 < window->y1 && window->x0 < window->x1 && window->y0 >= 0 && window->x0 >= 0 &&
                  window->y1 <= full_rows && window->x1 <= full_cols,
              NCC_ERR_SHAPE,
              "search window (%lld,%lld,%lld,%lld): expected a half-open, non-empty (y0,x0,y1,x1) inside the full "
              "correlation of %lld rows and %lld columns",
              (long long)window->y0, (long long)window->x0, (long long)window->y1, (long long)window->x1,
              (long long)full_rows, (long long)full_cols);
    g.permitted.y0 = ncc_max(g.permitted.y0, window->y0);
    g.permitted.x0 = ncc_max(g.permitted.x0, window->x0);
    g.permitted.y1 = ncc_min(g.permitted.y1, window->y1);
    g.permitted.x1 = ncc_min(g.permitted.x1, window->x1);
    NCC_CHECK(g.permitted.y0 < g.permitted.y1 && g.permitted.x0 < g.permitted.x1, NCC_ERR_SHAPE,
              "crop and search window leave no position");
  }
  g.search = g.permitted;
  if (g.min_overlap > 0)
    NCC_CHECK(drop_empty_border(&g), NCC_ERR_SHAPE, "a minimum overlap of %g leaves no position", g.min_overlap);
  g.trim = (ncc_rect){ncc_max(0, g.search.y0 - template_rows + 1), ncc_max(0, g.search.x0 - template_cols + 1),
                      ncc_min(image_rows, g.search.y1), ncc_min(image_cols, g.search.x1)};
  g.ignores_outside = search->outside == NCC_OUTSIDE_IGNORE && ncc_geometry_overhangs(&g);
  *out = g;

cleanup:
  return status;
}
