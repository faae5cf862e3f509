/** What is on a picture and where; see picture.h. How it is drawn is plot.h's business. */
#include "io/picture/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/picture/plot.h"

static const ncc_colour INK = {0.13, 0.13, 0.15}, FAINT = {0.4, 0.4, 0.43};
static const ncc_colour PEAK = {1.0, 0.35, 0.2}, SECOND = {0.45, 0.85, 1.0}, BETWEEN = {1, 1, 1};

/** Pixels around the peak that its enlarged map shows in each direction. */
enum { AROUND = 12 };

/** NCC that the ends of the colours stand for, on all pictures alike: 0.27 must not glow as 0.91 does. */
static const double SCALE_LO = -0.2, SCALE_HI = 1;

bool ncc_picture_available(void) {
  return true;
}

static ncc_view array_view(int64_t y, int64_t x, int64_t rows, int64_t cols) {
  return (ncc_view){(double)y - 0.5, (double)x - 0.5, (double)(y + rows) - 0.5, (double)(x + cols) - 0.5};
}

/** Where the template lies on the image. */
static ncc_view match_view(const ncc_picture_pair *pair) {
  const ncc_array *t = &pair->tmpl;
  return array_view(pair->result.y - t->rows + 1, pair->result.x - t->cols + 1, t->rows, t->cols);
}

static bool has_match(const ncc_picture_pair *pair) {
  return pair->result.y >= 0;
}

/** The image, and the template's box where it overhangs. */
static ncc_view image_view(const ncc_picture_pair *pair) {
  ncc_view view = array_view(pair->image_y0, pair->image_x0, pair->image.rows, pair->image.cols);
  if (!has_match(pair)) return view;
  const ncc_view box = match_view(pair);
  return (ncc_view){fmin(view.y0, box.y0), fmin(view.x0, box.x0), fmax(view.y1, box.y1), fmax(view.x1, box.x1)};
}

/** Shows an array in grey; (y0, x0) are the coordinates of its first pixel. */
static ncc_status show_grey(const ncc_panel *panel, const ncc_array *array, double y0, double x0) {
  ncc_status status = NCC_OK;
  ncc_samples samples = {0};
  NCC_TRY(ncc_samples_create(panel, array, y0, x0, NCC_SAMPLE_MEAN, &samples));
  NCC_TRY(ncc_panel_show(panel, &samples, ncc_colour_grey));

cleanup:
  ncc_samples_clear(&samples);
  return status;
}

static ncc_status show_image(const ncc_panel *panel, const ncc_picture_pair *pair) {
  return show_grey(panel, &pair->image, (double)pair->image_y0, (double)pair->image_x0);
}

/** Shows the image and the template laid over it; the panel's view is the match. */
static ncc_status show_overlay(const ncc_panel *panel, const ncc_picture_pair *pair) {
  ncc_status status = NCC_OK;
  ncc_samples image = {0}, tmpl = {0};
  NCC_TRY(
      ncc_samples_create(panel, &pair->image, (double)pair->image_y0, (double)pair->image_x0, NCC_SAMPLE_MEAN, &image));
  NCC_TRY(ncc_samples_create(panel, &pair->tmpl, panel->view.y0 + 0.5, panel->view.x0 + 0.5, NCC_SAMPLE_MEAN, &tmpl));
  ncc_samples_match(&image, &tmpl);
  NCC_TRY(ncc_panel_show_both(panel, &image, &tmpl));

cleanup:
  ncc_samples_clear(&image);
  ncc_samples_clear(&tmpl);
  return status;
}

/** "ok   peak 0.9183 at offset (y 55, x 301) ..."; `brief` leaves out where the peak lies between pixels. */
static void describe(const ncc_picture_pair *pair, bool brief, char *text, size_t size) {
  const ncc_result *r = &pair->result;
  const char *name = ncc_pair_status_name((ncc_pair_status)r->status);
  if (!has_match(pair)) {
    snprintf(text, size, "%s", name);
    return;
  }
  const int64_t rows = pair->tmpl.rows - 1, cols = pair->tmpl.cols - 1;
  int n = snprintf(text, size, "%s   peak %.4f at offset (y %" PRId64 ", x %" PRId64 ")", name, r->peak, r->y - rows,
                   r->x - cols);
  if (!isnan(r->angle)) n += snprintf(text + n, size - (size_t)n, ", turned by %g degrees", r->angle);
  if (!brief && !isnan(r->subpixel_y))
    n += snprintf(text + n, size - (size_t)n, ", sub-pixel (%.2f, %.2f)", r->subpixel_y - (double)rows,
                  r->subpixel_x - (double)cols);
  if (r->second_y >= 0)
    n += snprintf(text + n, size - (size_t)n, "   second peak %.4f at (%" PRId64 ", %" PRId64 ")", r->second_peak,
                  r->second_y - rows, r->second_x - cols);
  snprintf(text + n, size - (size_t)n, "   overlap %.0f %%%s", 100 * pair->result.overlap,
           r->at_border ? "   at the edge of the window: a better match may lie beyond" : "");
}

/* ---- one pair ------------------------------------------------------------------------------------------------ */

enum { PAGE_WIDTH = 1680, PAGE_HEIGHT = 1180, MARGIN = 78, UPPER = 150, UPPER_HEIGHT = 540 };
enum { LOWER = 790, LOWER_SIDE = 320, LOWER_PITCH = 404 };

static ncc_status draw_image(cairo_t *cr, const ncc_picture_pair *pair) {
  ncc_status status = NCC_OK;
  char title[160];
  const ncc_panel panel = ncc_panel_create(cr, MARGIN, UPPER, 690, UPPER_HEIGHT, image_view(pair));
  NCC_TRY(show_image(&panel, pair));
  snprintf(title, sizeof title, "%s, %" PRId64 " x %" PRId64 " px; box: the template at the peak",
           pair->image_y0 || pair->image_x0 ? "Part of the image" : "Image", pair->image.rows, pair->image.cols);
  ncc_panel_axes(&panel, title, "x (px)", "y (px)");
  if (has_match(pair)) ncc_panel_outline(&panel, match_view(pair), PEAK, 2.5);

cleanup:
  return status;
}

static void mark_peaks(const ncc_panel *panel, const ncc_picture_pair *pair) {
  const ncc_result *r = &pair->result;
  ncc_marked marks[NCC_PEAKS_MOST + 1];
  char peak[48], second[48];
  int n = 0;
  snprintf(peak, sizeof peak, "peak %.4f", r->peak);
  snprintf(second, sizeof second, "second %.4f", r->second_peak);
  marks[n++] = (ncc_marked){NCC_MARK_CIRCLE, (double)r->y, (double)r->x, PEAK, peak};
  if (r->second_y >= 0)
    marks[n++] = (ncc_marked){NCC_MARK_SQUARE, (double)r->second_y, (double)r->second_x, SECOND, second};
  for (int k = n; k < pair->n_peaks && pair->peaks[k].y >= 0; k++)
    marks[n++] = (ncc_marked){NCC_MARK_SQUARE, (double)pair->peaks[k].y, (double)pair->peaks[k].x, SECOND, NULL};
  ncc_panel_marks(panel, n, marks);
}

/** Shows the map, or a part of it, in colours that mean the same on every picture. */
static ncc_status show_map(const ncc_panel *panel, const ncc_map *map) {
  ncc_status status = NCC_OK;
  ncc_samples samples = {0};
  const ncc_rect *search = &map->geometry.search;
  const ncc_array values = {map->values, NCC_F64, map->rows, map->cols, map->cols};
  NCC_TRY(ncc_samples_create(panel, &values, (double)search->y0, (double)search->x0, NCC_SAMPLE_MAX, &samples));
  samples.lo = SCALE_LO;
  samples.hi = SCALE_HI;
  NCC_TRY(ncc_panel_show(panel, &samples, ncc_colour_map));

cleanup:
  ncc_samples_clear(&samples);
  return status;
}

static ncc_view map_view(const ncc_map *map) {
  return array_view(map->geometry.search.y0, map->geometry.search.x0, map->rows, map->cols);
}

static ncc_status draw_map(cairo_t *cr, const ncc_picture_pair *pair, const ncc_map *map) {
  ncc_status status = NCC_OK;
  const ncc_panel panel = ncc_panel_create(cr, 880, UPPER, 690, UPPER_HEIGHT, map_view(map));
  NCC_TRY(show_map(&panel, map));
  ncc_panel_axes(&panel, "NCC map: where the template's bottom-right pixel lies", "x of /coords (px)",
                 "y of /coords (px)");
  ncc_panel_colour_bar(&panel, SCALE_LO, SCALE_HI, ncc_colour_map);
  mark_peaks(&panel, pair);

cleanup:
  return status;
}

/** The map around the peak, pixel by pixel. */
static ncc_status draw_around(cairo_t *cr, double left, const ncc_picture_pair *pair, const ncc_map *map) {
  ncc_status status = NCC_OK;
  const ncc_result *r = &pair->result;
  const ncc_panel panel = ncc_panel_create(cr, left, LOWER, LOWER_SIDE - 34, LOWER_SIDE,
                                           array_view(r->y - AROUND, r->x - AROUND, 2 * AROUND + 1, 2 * AROUND + 1));
  NCC_TRY(show_map(&panel, map));
  ncc_panel_axes(&panel, "NCC around the peak",
                 isnan(r->subpixel_y) ? "x of /coords (px)" : "x of /coords (px); cross: sub-pixel peak", NULL);
  ncc_panel_colour_bar(&panel, SCALE_LO, SCALE_HI, ncc_colour_map);
  const ncc_marked between = {NCC_MARK_CROSS, r->subpixel_y, r->subpixel_x, BETWEEN, NULL};
  if (!isnan(r->subpixel_y)) ncc_panel_marks(&panel, 1, &between);

cleanup:
  return status;
}

static ncc_status draw_lower(cairo_t *cr, const ncc_picture_pair *pair, const ncc_map *map) {
  ncc_status status = NCC_OK;
  char title[96];
  const ncc_array *t = &pair->tmpl;
  ncc_panel panel = ncc_panel_create(cr, MARGIN, LOWER, LOWER_SIDE, LOWER_SIDE, array_view(0, 0, t->rows, t->cols));
  NCC_TRY(show_grey(&panel, t, 0, 0));
  snprintf(title, sizeof title, "Template, %" PRId64 " x %" PRId64 " px", t->rows, t->cols);
  ncc_panel_axes(&panel, title, "x in the template (px)", "y (px)");
  if (!has_match(pair)) return NCC_OK;

  panel = ncc_panel_create(cr, MARGIN + LOWER_PITCH, LOWER, LOWER_SIDE, LOWER_SIDE, match_view(pair));
  NCC_TRY(show_image(&panel, pair));
  ncc_panel_axes(&panel, "The image there", "x in the image (px)", NULL);

  panel = ncc_panel_create(cr, MARGIN + 2 * LOWER_PITCH, LOWER, LOWER_SIDE, LOWER_SIDE, match_view(pair));
  NCC_TRY(show_overlay(&panel, pair));
  ncc_panel_axes(&panel, "Overlay: image magenta, template green", "x in the image (px); grey where both agree", NULL);
  NCC_TRY(draw_around(cr, MARGIN + 3 * LOWER_PITCH, pair, map));

cleanup:
  return status;
}

/** A white page. */
static ncc_status page_create(int width, int height, cairo_surface_t **surface, cairo_t **cr) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_cairo_load());
  *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  *cr = cairo_create(*surface);
  NCC_CHECK(cairo_status(*cr) == CAIRO_STATUS_SUCCESS, NCC_ERR_NOMEM, "a picture of %dx%d: %s", width, height,
            cairo_status_to_string(cairo_status(*cr)));
  cairo_set_source_rgb(*cr, 1, 1, 1);
  cairo_paint(*cr);

cleanup:
  return status;
}

ncc_status ncc_picture_write(const char *path, const ncc_picture_pair *pair, const ncc_map *map, const char *note) {
  ncc_status status = NCC_OK;
  cairo_surface_t *surface = NULL;
  cairo_t *cr = NULL;
  char text[512];
  NCC_TRY(page_create(PAGE_WIDTH, PAGE_HEIGHT, &surface, &cr));
  const double width = PAGE_WIDTH - 2 * 40;
  describe(pair, false, text, sizeof text);
  ncc_plot_words(cr, 40, 44, width, 24, true, INK, pair->title);
  ncc_plot_words(cr, 40, 74, width, 17, false, INK, text);
  if (note) ncc_plot_words(cr, 40, 98, width, 14, false, FAINT, note);
  NCC_TRY(draw_image(cr, pair));
  NCC_TRY(draw_map(cr, pair, map));
  NCC_TRY(draw_lower(cr, pair, map));
  NCC_TRY(ncc_plot_write(surface, path));

cleanup:
  if (cr) cairo_destroy(cr);
  if (surface) cairo_surface_destroy(surface);
  return status;
}

/* ---- many pairs ---------------------------------------------------------------------------------------------- */

struct ncc_sheet {
  int n, next, panels; /**< panels of a cell */
  cairo_surface_t *surface;
  cairo_t *cr;
};

/** Two columns of cells, each of four panels, or five, under two lines of words. */
enum { SIDE = 186, PITCH = 196, GAP = 24, CELL_HEIGHT = SIDE + 66, HEAD = 96, COLUMNS = 2 };

ncc_status ncc_sheet_create(int n, const char *title, bool maps, ncc_sheet **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_sheet *sheet = calloc(1, sizeof *sheet);
  NCC_CHECK(sheet, NCC_ERR_NOMEM, "out of memory for a contact sheet");
  sheet->n = n;
  sheet->panels = maps ? 5 : 4;
  const int columns = n > 1 ? COLUMNS : 1, rows = (n + COLUMNS - 1) / COLUMNS, cell = sheet->panels * PITCH + GAP;
  NCC_TRY(page_create(32 + columns * cell, HEAD + rows * CELL_HEIGHT, &sheet->surface, &sheet->cr));
  ncc_plot_words(sheet->cr, 28, 40, columns * cell - 28, columns > 1 ? 22 : 16, true, INK, title);
  ncc_plot_words(sheet->cr, 28, 66, columns * cell - 28, 14, false, FAINT,
                 maps ? "image with the template's box   |   template   |   the image there   |   overlay: image "
                        "magenta, template green   |   NCC map, from dark at -0.2 to yellow at 1"
                      : "image with the template's box   |   template   |   the image there   |   overlay: image "
                        "magenta, template green");
  *out = sheet;
  sheet = NULL;

cleanup:
  ncc_sheet_destroy(&sheet);
  return status;
}

static ncc_panel strip_panel(cairo_t *cr, double left, double top, int column, ncc_view view) {
  return ncc_panel_create(cr, left + column * PITCH, top, SIDE, SIDE, view);
}

/** The panels of a pair side by side. */
static ncc_status draw_strip(cairo_t *cr, double left, double top, const ncc_picture_pair *pair, const ncc_map *map) {
  ncc_status status = NCC_OK;
  const ncc_array *t = &pair->tmpl;
  ncc_panel panel = strip_panel(cr, left, top, 0, image_view(pair));
  NCC_TRY(show_image(&panel, pair));
  if (has_match(pair)) ncc_panel_outline(&panel, match_view(pair), PEAK, 2);
  panel = strip_panel(cr, left, top, 1, array_view(0, 0, t->rows, t->cols));
  NCC_TRY(show_grey(&panel, t, 0, 0));
  if (has_match(pair)) {
    panel = strip_panel(cr, left, top, 2, match_view(pair));
    NCC_TRY(show_image(&panel, pair));
    panel = strip_panel(cr, left, top, 3, match_view(pair));
    NCC_TRY(show_overlay(&panel, pair));
  }
  if (map) {
    panel = strip_panel(cr, left, top, 4, map_view(map));
    NCC_TRY(show_map(&panel, map));
    const ncc_marked peak = {NCC_MARK_CIRCLE, (double)pair->result.y, (double)pair->result.x, PEAK, NULL};
    if (has_match(pair)) ncc_panel_marks(&panel, 1, &peak);
  }

cleanup:
  return status;
}

ncc_status ncc_sheet_add(ncc_sheet *sheet, const ncc_picture_pair *pair, const ncc_map *map) {
  char text[512];
  const double left = 28 + sheet->next % COLUMNS * (sheet->panels * PITCH + GAP);
  const double top = HEAD + sheet->next / COLUMNS * CELL_HEIGHT, width = sheet->panels * PITCH - 10;
  sheet->next++;
  describe(pair, true, text, sizeof text);
  ncc_plot_words(sheet->cr, left, top + 12, width, 14, true, INK, pair->title);
  ncc_plot_words(sheet->cr, left, top + 30, width, 13, false, INK, text);
  return draw_strip(sheet->cr, left, top + 40, pair, map);
}

/** PNG as it is being written. */
typedef struct growing {
  unsigned char *data;
  size_t bytes;
} growing;

static cairo_status_t grow(void *context, const unsigned char *data, unsigned int length) {
  growing *g = context;
  unsigned char *more = realloc(g->data, g->bytes + length);
  if (!more) return CAIRO_STATUS_NO_MEMORY;
  memcpy(more + g->bytes, data, length);
  g->data = more;
  g->bytes += length;
  return CAIRO_STATUS_SUCCESS;
}

ncc_status ncc_picture_strip(const ncc_picture_pair *pair, const ncc_map *map, unsigned char **png, size_t *bytes) {
  ncc_status status = NCC_OK;
  cairo_surface_t *surface = NULL;
  cairo_t *cr = NULL;
  growing file = {0};
  NCC_TRY(page_create((map ? 5 : 4) * PITCH, SIDE, &surface, &cr));
  NCC_TRY(draw_strip(cr, 0, 0, pair, map));
  NCC_CHECK(cairo_surface_write_to_png_stream(surface, grow, &file) == CAIRO_STATUS_SUCCESS, NCC_ERR_NOMEM,
            "out of memory for a picture");

cleanup:
  if (cr) cairo_destroy(cr);
  if (surface) cairo_surface_destroy(surface);
  if (status != NCC_OK) free(file.data), file = (growing){0};
  *png = file.data;
  *bytes = file.bytes;
  return status;
}

ncc_status ncc_sheet_write(ncc_sheet *sheet, const char *path) {
  return ncc_plot_write(sheet->surface, path);
}

void ncc_sheet_destroy(ncc_sheet **sheet) {
  if (!*sheet) return;
  if ((*sheet)->cr) cairo_destroy((*sheet)->cr);
  if ((*sheet)->surface) cairo_surface_destroy((*sheet)->surface);
  free(*sheet);
  *sheet = NULL;
}
