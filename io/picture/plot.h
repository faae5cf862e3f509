/** Panels with axes, pixels in grey or colour, marks and words, on a cairo surface. Private to io/.
 *
 *  A panel shows a rectangle of pixel coordinates at one scale in both directions; pixel (y, x) covers the square from
 *  -0.5 to +0.5 around its coordinates, y downwards. Knows nothing of matches.
 */
#ifndef NCC_PLOT_H
#define NCC_PLOT_H

#include "lazy_cairo.h"

#include "base/error.h"

typedef struct ncc_colour {
  double r, g, b;
} ncc_colour;

/** A rectangle of real coordinates. */
typedef struct ncc_view {
  double y0, x0, y1, x1;
} ncc_view;

typedef struct ncc_panel {
  cairo_t *cr;
  double left, top, width, height; /**< on the page */
  double box_left, box_width;      /**< what the panel was fitted into */
  ncc_view view;                   /**< in pixel coordinates */
  double scale;                    /**< page units of a pixel */
} ncc_panel;

/** Fits a view into a box on the page, at the top and in the middle. */
ncc_panel ncc_panel_create(cairo_t *cr, double left, double top, double width, double height, ncc_view view);

/** How many samples become one point of a panel where there are several. */
typedef enum ncc_sampling { NCC_SAMPLE_MEAN, NCC_SAMPLE_MAX } ncc_sampling;

/** An array as a panel shows it: one value a point; NaN where there is nothing. */
typedef struct ncc_samples {
  int width, height;
  float *values; /**< [height, width], owned */
  float lo, hi;  /**< limits of contrast */
} ncc_samples;

/** Samples an array whose pixel (0, 0) has the coordinates (y0, x0), over the panel's view.
 *  lo and hi become the smallest and largest sample (MAX), or leave out half a percent of either end (MEAN). */
ncc_status ncc_samples_create(const ncc_panel *panel, const ncc_array *array, double y0, double x0,
                              ncc_sampling sampling, ncc_samples *out);
void ncc_samples_clear(ncc_samples *samples);

/** Makes the contrast of two sample sets comparable: limits of 2.5 standard deviations about the mean, of the points
 *  that both have. */
void ncc_samples_match(ncc_samples *a, ncc_samples *b);

/** Colours of a value in [0, 1]. */
ncc_colour ncc_colour_grey(double value);
ncc_colour ncc_colour_map(double value); /**< viridis: dark blue, green, yellow */

/** Shows samples in the colours of `map`; where there is nothing, a hatched ground. */
ncc_status ncc_panel_show(const ncc_panel *panel, const ncc_samples *samples, ncc_colour (*map)(double value));

/** Shows two sample sets of the same panel at once: the first in magenta, the second in green, grey where alike. */
ncc_status ncc_panel_show_both(const ncc_panel *panel, const ncc_samples *magenta, const ncc_samples *green);

/** Frame, ticks and their numbers, and a title above. */
void ncc_panel_axes(const ncc_panel *panel, const char *title, const char *x_name, const char *y_name);

/** A bar of colours beside a panel, with numbers. */
void ncc_panel_colour_bar(const ncc_panel *panel, double lo, double hi, ncc_colour (*map)(double value));

/** Outline of a rectangle, dark below so that it is seen on any ground. */
void ncc_panel_outline(const ncc_panel *panel, ncc_view box, ncc_colour colour, double line_width);

typedef enum ncc_mark { NCC_MARK_CIRCLE, NCC_MARK_SQUARE, NCC_MARK_CROSS } ncc_mark;

/** A mark of fixed size on the page around a position, with words beside it (or NULL). */
typedef struct ncc_marked {
  ncc_mark mark;
  double y, x;
  ncc_colour colour;
  const char *words;
} ncc_marked;

/** Draws marks, and their words where they cover neither a mark nor each other, if there is such a place. */
void ncc_panel_marks(const ncc_panel *panel, int n, const ncc_marked *marks);

/** Words with the left end of their baseline at (x, y) on the page, cut with an ellipsis to `width`.
 *  @return their width. */
double ncc_plot_words(cairo_t *cr, double x, double y, double width, double size, bool bold, ncc_colour colour,
                      const char *words);

/** Writes a surface under a temporary name, then renames it. @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_plot_write(cairo_surface_t *surface, const char *path);

#endif
