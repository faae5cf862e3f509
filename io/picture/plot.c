/** See plot.h. */
#include "io/picture/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/target.h"
#include "base/text.h"

static const ncc_colour INK = {0.13, 0.13, 0.15};
static const double TICK_TEXT = 12, TITLE_TEXT = 15;

ncc_panel ncc_panel_create(cairo_t *cr, double left, double top, double width, double height, ncc_view view) {
  ncc_panel p = {.cr = cr, .box_left = left, .box_width = width, .view = view};
  p.scale = fmin(width / (view.x1 - view.x0), height / (view.y1 - view.y0));
  p.width = fmax(1, round((view.x1 - view.x0) * p.scale));
  p.height = fmax(1, round((view.y1 - view.y0) * p.scale));
  p.left = round(left + (width - p.width) / 2);
  p.top = top;
  return p;
}

static double page_x(const ncc_panel *p, double x) {
  return p->left + (x - p->view.x0) / (p->view.x1 - p->view.x0) * p->width;
}
static double page_y(const ncc_panel *p, double y) {
  return p->top + (y - p->view.y0) / (p->view.y1 - p->view.y0) * p->height;
}

static void set_colour(cairo_t *cr, ncc_colour c) {
  cairo_set_source_rgb(cr, c.r, c.g, c.b);
}

/* ---- pixels -------------------------------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static ncc_status find_limits(ncc_samples *s, bool all) {
  ncc_status status = NCC_OK;
  const size_t n = (size_t)s->width * (size_t)s->height;
  size_t found = 0;
  float *sorted = malloc((n ? n : 1) * sizeof *sorted);
  NCC_CHECK(sorted, NCC_ERR_NOMEM, "out of memory for a picture");
  for (size_t i = 0; i < n; i++)
    if (!isnan(s->values[i])) sorted[found++] = s->values[i];
  if (found > 0) {
    qsort(sorted, found, sizeof *sorted, compare_floats);
    const size_t skip = all ? 0 : found / 200;
    s->lo = sorted[skip];
    s->hi = sorted[found - 1 - skip];
  }
  if (!(s->hi > s->lo)) {  // all alike: the middle of the scale
    s->lo -= 1;
    s->hi += 1;
  }

cleanup:
  free(sorted);
  return status;
}

/** The pixels, at least one, of one direction that a point covers: [*first, *end); empty outside. */
static void covered(int point, double start, double step, int64_t count, int64_t *first, int64_t *end) {
  const double from = start + point * step + 0.5, to = from + step;
  if (step <= 1) {  // enlarged: the pixel under the point's middle
    *first = (int64_t)floor((from + to) / 2);
    *end = *first + 1;
  } else {
    *first = (int64_t)ceil(from - 0.5);
    *end = (int64_t)ceil(to - 0.5);
  }
  if (*first < 0) *first = 0;
  if (*end > count) *end = count;
}

ncc_status ncc_samples_create(const ncc_panel *p, const ncc_array *array, double y0, double x0, ncc_sampling sampling,
                              ncc_samples *out) {
  ncc_status status = NCC_OK;
  *out = (ncc_samples){.width = (int)p->width, .height = (int)p->height};
  out->values = malloc((size_t)out->width * (size_t)out->height * sizeof *out->values);
  NCC_CHECK(out->values, NCC_ERR_NOMEM, "out of memory for a picture");
  const double step_y = (p->view.y1 - p->view.y0) / p->height, step_x = (p->view.x1 - p->view.x0) / p->width;
  for (int i = 0; i < out->height; i++) {
    int64_t top, bottom, left, right;
    covered(i, p->view.y0 - y0, step_y, array->rows, &top, &bottom);
    for (int j = 0; j < out->width; j++) {
      covered(j, p->view.x0 - x0, step_x, array->cols, &left, &right);
      double sum = 0, most = NAN, n = 0;
      for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++) {
          const double value = ncc_array_value(array, y, x);
          if (!isfinite(value)) continue;
          sum += value;
          most = fmax(most, value);
          n++;
        }
      out->values[(size_t)i * (size_t)out->width + (size_t)j] = (float)(sampling == NCC_SAMPLE_MAX ? most : sum / n);
    }
  }
  NCC_TRY(find_limits(out, sampling == NCC_SAMPLE_MAX));

cleanup:
  if (status != NCC_OK) ncc_samples_clear(out);
  return status;
}

void ncc_samples_clear(ncc_samples *samples) {
  free(samples->values);
  *samples = (ncc_samples){0};
}

/** Limits of `a`, from the points that `b` has, too. */
static void limit_by_deviation(ncc_samples *a, const ncc_samples *b) {
  double n = 0, mean = 0, squares = 0;
  for (int i = 0; i < a->width * a->height; i++) {
    if (isnan(a->values[i]) || isnan(b->values[i])) continue;
    const double d = (double)a->values[i] - mean;
    mean += d / ++n;  // Welford
    squares += d * ((double)a->values[i] - mean);
  }
  if (!(squares > 0)) return;
  const double reach = 2.5 * sqrt(squares / n);
  a->lo = (float)(mean - reach);
  a->hi = (float)(mean + reach);
}

void ncc_samples_match(ncc_samples *a, ncc_samples *b) {
  limit_by_deviation(a, b);
  limit_by_deviation(b, a);
}

static double clamp(double value) {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

/** Place of a sample between the limits; NaN stays. */
static double level(const ncc_samples *s, int i) {
  const double v = ((double)s->values[i] - (double)s->lo) / ((double)s->hi - (double)s->lo);
  return isnan(v) ? v : clamp(v);
}

ncc_colour ncc_colour_grey(double value) {
  return (ncc_colour){value, value, value};
}

ncc_colour ncc_colour_map(double value) {
  static const ncc_colour stops[] = {{0.267, 0.005, 0.329}, {0.283, 0.141, 0.458}, {0.254, 0.265, 0.530},
                                     {0.207, 0.372, 0.553}, {0.164, 0.471, 0.558}, {0.128, 0.567, 0.551},
                                     {0.135, 0.659, 0.518}, {0.267, 0.749, 0.441}, {0.478, 0.821, 0.318},
                                     {0.741, 0.873, 0.150}, {0.993, 0.906, 0.144}};
  enum { LAST = sizeof stops / sizeof stops[0] - 1 };
  const double at = clamp(value) * LAST;
  const int i = at >= LAST ? LAST - 1 : (int)at;
  const double f = at - i;
  const ncc_colour a = stops[i], b = stops[i + 1];
  return (ncc_colour){a.r + f * (b.r - a.r), a.g + f * (b.g - a.g), a.b + f * (b.b - a.b)};
}

/** Colour of a point without value: diagonal stripes. */
static ncc_colour hatched(int i, int j) {
  const double v = (i + j) % 12 < 2 ? 0.80 : 0.92;
  return (ncc_colour){v, v, v};
}

static uint32_t packed(ncc_colour c) {
  return (uint32_t)lround(255 * clamp(c.r)) << 16 | (uint32_t)lround(255 * clamp(c.g)) << 8 |
         (uint32_t)lround(255 * clamp(c.b));
}

/** What is painted at a point. */
typedef struct painting {
  const ncc_samples *first, *second; /**< second: NULL but for two at once */
  ncc_colour (*map)(double value);
} painting;

static ncc_colour colour_at(const painting *what, int i, int j) {
  const int at = i * what->first->width + j;
  const double a = level(what->first, at);
  if (!what->second) return isnan(a) ? hatched(i, j) : what->map(a);
  const double b = level(what->second, at);
  if (isnan(a) && isnan(b)) return hatched(i, j);
  const double magenta = isnan(a) ? 0 : a, green = isnan(b) ? 0 : b;
  return (ncc_colour){magenta, green, magenta};
}

static ncc_status paint(const ncc_panel *p, const painting *what) {
  ncc_status status = NCC_OK;
  const int width = what->first->width, height = what->first->height;
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  NCC_CHECK(cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS, NCC_ERR_NOMEM, "a picture's panel of %dx%d: %s",
            width, height, cairo_status_to_string(cairo_surface_status(surface)));
  unsigned char *pixels = cairo_image_surface_get_data(surface);
  const int stride = cairo_image_surface_get_stride(surface);
  for (int i = 0; i < height; i++) {
    uint32_t *row = (uint32_t *)(void *)(pixels + (size_t)i * (size_t)stride);
    for (int j = 0; j < width; j++) row[j] = packed(colour_at(what, i, j));
  }
  cairo_surface_mark_dirty(surface);
  cairo_set_source_surface(p->cr, surface, p->left, p->top);
  cairo_paint(p->cr);

cleanup:
  cairo_surface_destroy(surface);
  return status;
}

ncc_status ncc_panel_show(const ncc_panel *p, const ncc_samples *samples, ncc_colour (*map)(double value)) {
  return paint(p, &(painting){samples, NULL, map});
}

ncc_status ncc_panel_show_both(const ncc_panel *p, const ncc_samples *magenta, const ncc_samples *green) {
  return paint(p, &(painting){magenta, green, NULL});
}

/* ---- words and axes ------------------------------------------------------------------------------------------ */

static double words_width(cairo_t *cr, const char *words) {
  cairo_text_extents_t extents;
  cairo_text_extents(cr, words, &extents);
  return extents.x_advance;
}

static void set_font(cairo_t *cr, double size, bool bold) {
  cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cr, size);
}

double ncc_plot_words(cairo_t *cr, double x, double y, double width, double size, bool bold, ncc_colour colour,
                      const char *words) {
  char text[512];
  set_font(cr, size, bold);
  set_colour(cr, colour);
  ncc_text_show_into(words, text, sizeof text - 4); /* cairo draws nothing any more after words that are no UTF-8 */
  size_t n = strlen(text);
  while (words_width(cr, text) > width && n > 0) {
    do n--;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80);  // not within a character of several bytes
    strcpy(text + n, "\u2026");
  }
  cairo_move_to(cr, x, y);
  cairo_show_text(cr, text);
  const double shown = words_width(cr, text);
  cairo_new_path(cr);
  return shown;
}

/** Words around (x, y): `align` 0 begins there, 0.5 is centred, 1 ends there. */
static void words_at(cairo_t *cr, double x, double y, double align, double size, const char *words) {
  set_font(cr, size, false);
  set_colour(cr, INK);
  cairo_move_to(cr, x - align * words_width(cr, words), y);
  cairo_show_text(cr, words);
  cairo_new_path(cr);
}

/** A distance of 1, 2 or 5 times a power of ten that gives at most `most` ticks. */
static double tick_step(double span, double most) {
  const double least = span / most, unit = pow(10, floor(log10(least)));
  return least <= unit ? unit : least <= 2 * unit ? 2 * unit : least <= 5 * unit ? 5 * unit : 10 * unit;
}

static void line(cairo_t *cr, double x0, double y0, double x1, double y1) {
  cairo_move_to(cr, x0, y0);
  cairo_line_to(cr, x1, y1);
}

void ncc_panel_axes(const ncc_panel *p, const char *title, const char *x_name, const char *y_name) {
  cairo_t *cr = p->cr;
  char number[32];
  const double bottom = p->top + p->height;
  set_colour(cr, INK);
  cairo_set_line_width(cr, 1);
  cairo_rectangle(cr, p->left - 0.5, p->top - 0.5, p->width + 1, p->height + 1);
  cairo_stroke(cr);
  double step = fmax(1, tick_step(p->view.x1 - p->view.x0, fmax(2, p->width / 70)));
  for (double x = ceil(p->view.x0 / step) * step; x <= p->view.x1; x += step) {
    const double at = floor(page_x(p, x)) + 0.5;
    set_colour(cr, INK);
    line(cr, at, bottom, at, bottom + 5);
    cairo_stroke(cr);
    snprintf(number, sizeof number, "%.0f", x + 0.0);
    words_at(cr, at, bottom + 18, 0.5, TICK_TEXT, number);
  }
  step = fmax(1, tick_step(p->view.y1 - p->view.y0, fmax(2, p->height / 50)));
  double widest = 0;
  for (double y = ceil(p->view.y0 / step) * step; y <= p->view.y1; y += step) {
    const double at = floor(page_y(p, y)) + 0.5;
    set_colour(cr, INK);
    line(cr, p->left - 5, at, p->left, at);
    cairo_stroke(cr);
    snprintf(number, sizeof number, "%.0f", y + 0.0);
    words_at(cr, p->left - 8, at + 4, 1, TICK_TEXT, number);
    widest = fmax(widest, words_width(cr, number));
  }
  if (x_name) words_at(cr, p->left + p->width / 2, bottom + 34, 0.5, TICK_TEXT, x_name);
  if (y_name) {
    cairo_save(cr);
    cairo_translate(cr, p->left - 14 - widest, p->top + p->height / 2);
    cairo_rotate(cr, -M_PI / 2);
    words_at(cr, 0, 0, 0.5, TICK_TEXT, y_name);
    cairo_restore(cr);
  }
  if (title) ncc_plot_words(cr, p->box_left, p->top - 10, p->box_width + 50, TITLE_TEXT, true, INK, title);
}

void ncc_panel_colour_bar(const ncc_panel *p, double lo, double hi, ncc_colour (*map)(double value)) {
  cairo_t *cr = p->cr;
  char number[32];
  const double left = p->left + p->width + 16, width = 16;
  for (int i = 0; i < (int)p->height; i++) {
    set_colour(cr, map(1 - i / (p->height - 1)));
    cairo_rectangle(cr, left, p->top + i, width, 1);
    cairo_fill(cr);
  }
  set_colour(cr, INK);
  cairo_set_line_width(cr, 1);
  cairo_rectangle(cr, left - 0.5, p->top - 0.5, width + 1, p->height + 1);
  cairo_stroke(cr);
  const double step = tick_step(hi - lo, fmax(2, p->height / 60));
  for (double k = ceil(lo / step - 1e-9); k * step <= hi + 1e-9 * step; k++) {
    const double at = floor(p->top + (hi - k * step) / (hi - lo) * (p->height - 1)) + 0.5;
    line(cr, left + width, at, left + width + 5, at);
    cairo_stroke(cr);
    snprintf(number, sizeof number, "%.*f", step < 0.01 ? 3 : step < 0.1 ? 2 : 1, fabs(k) < 0.5 ? 0 : k * step);
    words_at(cr, left + width + 8, at + 4, 0, TICK_TEXT, number);
    set_colour(cr, INK);
  }
  words_at(cr, left + width / 2, p->top - 10, 0.5, TICK_TEXT, "NCC");
}

/* ---- marks --------------------------------------------------------------------------------------------------- */

/** Strokes the current path in a colour, on a dark rim. */
static void stroke_rimmed(cairo_t *cr, ncc_colour colour, double line_width) {
  cairo_set_source_rgba(cr, 0, 0, 0, 0.65);
  cairo_set_line_width(cr, line_width + 2);
  cairo_stroke_preserve(cr);
  set_colour(cr, colour);
  cairo_set_line_width(cr, line_width);
  cairo_stroke(cr);
}

void ncc_panel_outline(const ncc_panel *p, ncc_view box, ncc_colour colour, double line_width) {
  const double x = page_x(p, box.x0), y = page_y(p, box.y0);
  cairo_rectangle(p->cr, x, y, page_x(p, box.x1) - x, page_y(p, box.y1) - y);
  stroke_rimmed(p->cr, colour, line_width);
}

enum { MARK_RADIUS = 9, MARK_RIM = 3, MARK_TEXT = 14 };

static void draw_mark(const ncc_panel *p, const ncc_marked *m) {
  cairo_t *cr = p->cr;
  const double x = page_x(p, m->x), y = page_y(p, m->y), r = MARK_RADIUS;
  cairo_new_path(cr);
  switch (m->mark) {
    case NCC_MARK_CIRCLE:
      cairo_arc(cr, x, y, r, 0, 2 * M_PI);
      break;
    case NCC_MARK_SQUARE:
      cairo_rectangle(cr, x - r, y - r, 2 * r, 2 * r);
      break;
    case NCC_MARK_CROSS:
      line(cr, x - r, y, x + r, y);
      line(cr, x, y - r, x, y + r);
      break;
  }
  stroke_rimmed(cr, m->colour, 2);
}

/** Area that two rectangles of the page share. */
static double shared(ncc_view a, ncc_view b) {
  const double height = fmin(a.y1, b.y1) - fmax(a.y0, b.y0), width = fmin(a.x1, b.x1) - fmax(a.x0, b.x0);
  return height > 0 && width > 0 ? height * width : 0;
}

static ncc_view mark_box(const ncc_panel *p, const ncc_marked *m) {
  const double x = page_x(p, m->x), y = page_y(p, m->y), r = MARK_RADIUS + MARK_RIM;
  return (ncc_view){y - r, x - r, y + r, x + r};
}

/** Where words lie best: beside, below or above the mark, farther away each time that all of these are taken. */
static ncc_view place_words(const ncc_panel *p, const ncc_marked *m, double width, int n_taken, const ncc_view *taken) {
  const ncc_view frame = {p->top, p->left, p->top + p->height, p->left + p->width}, box = mark_box(p, m);
  const double height = MARK_TEXT + 4, middle = (box.y0 + box.y1 - height) / 2, centre = (box.x0 + box.x1 - width) / 2;
  ncc_view best = {0};
  double least = INFINITY;
  for (int ring = 0; ring < 4 && least > 0; ring++) {
    const double far = ring * (height + 4), right = box.x1 + 3, left = box.x0 - 3 - width;
    const double corners[][2] = {{middle - far, right},      {middle + far, right},
                                 {middle - far, left},       {middle + far, left},
                                 {box.y1 + 2 + far, centre}, {box.y0 - 2 - height - far, centre}};
    for (size_t i = 0; i < sizeof corners / sizeof corners[0] && least > 0; i++) {
      const ncc_view at = {corners[i][0], corners[i][1], corners[i][0] + height, corners[i][1] + width};
      double covered = 2 * (height * width - shared(at, frame)); /* beyond the panel is worst */
      for (int k = 0; k < n_taken; k++) covered += shared(at, taken[k]);
      if (covered >= least) continue;
      best = at;
      least = covered;
    }
  }
  return best;
}

void ncc_panel_marks(const ncc_panel *p, int n, const ncc_marked *marks) {
  enum { MOST = 32 };
  cairo_t *cr = p->cr;
  ncc_view taken[2 * MOST];
  int n_taken = 0;
  for (int i = 0; i < n; i++) draw_mark(p, &marks[i]);
  for (int i = 0; i < n && i < MOST; i++) taken[n_taken++] = mark_box(p, &marks[i]);
  set_font(cr, MARK_TEXT, true);
  for (int i = 0; i < n && i < MOST; i++) {
    if (!marks[i].words) continue;
    const ncc_view at = place_words(p, &marks[i], words_width(cr, marks[i].words), n_taken, taken);
    taken[n_taken++] = at;
    cairo_move_to(cr, at.x0, at.y1 - 4);
    cairo_text_path(cr, marks[i].words);
    cairo_set_source_rgba(cr, 0, 0, 0, 0.75);
    cairo_set_line_width(cr, 3.5);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke_preserve(cr);
    set_colour(cr, marks[i].colour);
    cairo_fill(cr);
  }
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_MITER);
}

ncc_status ncc_plot_write(cairo_surface_t *surface, const char *path) {
  ncc_status status = NCC_OK;
  ncc_target target;
  NCC_TRY(ncc_target_begin(path, "OUT", &target));
  const cairo_status_t written = cairo_surface_write_to_png(surface, target.temporary);
  NCC_CHECK(written == CAIRO_STATUS_SUCCESS, NCC_ERR_OUTPUT, "%s: the picture cannot be written: %s", path,
            cairo_status_to_string(written));
  NCC_TRY(ncc_target_commit(&target));

cleanup:
  ncc_target_end(&target);
  return status;
}
