/** What the stages of the CPU engine hand to each other, and who makes it:
 *
 *    layout     (layout.c)   how arrays lie for a geometry
 *    image      (image.c)    an image, transformed
 *    windows    (windows.c)  what is known of ssd(W), and the policy of how much that should be
 *    product    (product.c)  the image's spectrum times a template's, back in rows
 *    direct     (direct.c)   image and product without a transform, where that is cheaper
 *    search     (peak.c)     what the product proposes
 *
 *  engine.c calls them in that order. transform.c holds what image and product share. Within a stage the threads of the
 *  pool work on strips or blocks of columns; what they share is only read, but for search.best.
 */
#ifndef NCC_CPU_STATE_H
#define NCC_CPU_STATE_H

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "match/cells.h"
#include "match/direct.h"
#include "match/engine.h"
#include "match/fft.h"
#include "match/kernels/spectra.h"
#include "match/stats.h"
#include "match/template_overlap.h"

enum {
  NCC_PACKED_ROWS = NCC_ROW_BATCH / 2,
  NCC_COLUMN_BATCH = 8,
  NCC_CPU_CANDIDATES = 16384, /**< room for a thread to start with */
};

/** Lengths and strides for one geometry. A strip is eight rows of half spectra, column by column: what a batch of rows
 *  writes and reads in one go, and what a block of columns visits in runs of half a KiB. Small ones lie the other way:
 *  column after column, each whole, so that it is transformed where it lies. */
typedef struct ncc_cpu_layout {
  ncc_geometry geometry; /**< `exclude` is empty */
  ncc_fft_shape shape;
  bool made;                      /**< something is laid out */
  ncc_numerators_cost cost;       /**< by which the form of the image is chosen */
  const ncc_fft_plans *plans;     /**< not owned; NULL: none were wanted so far */
  ncc_cut column_cut, row_cut;    /**< as planned, with the strides of this layout */
  int64_t image_rows, image_cols; /**< of the trimmed image */
  int64_t first_row;              /**< first row of the product in trimmed coordinates, a multiple of the batch */
  int64_t product_rows;           /**< rows of the product from there to the end of the search */
  int64_t column_stride;          /**< complex numbers from column to column */
  int64_t strip_stride;           /**< complex numbers from strip to strip */
  int64_t strip_step;             /**< and from column to column of a strip */
  bool whole_columns;             /**< strips lie side by side, and so columns whole */
  bool past_caches;               /**< strips are written past the caches, which they do not fit */
} ncc_cpu_layout;

/** Scratch of a thread. */
typedef struct ncc_cpu_scratch {
  double *pixels;                             /**< a row in float64 */
  ncc_c32 *rows, *spectra;                    /**< NCC_PACKED_ROWS packed rows, and their transforms */
  ncc_c32 *columns, *transformed;             /**< NCC_COLUMN_BATCH columns, and a part of one transformed */
  ncc_c32 *image_columns, *image_transformed; /**< likewise of an image that is kept as rows */
  float *maxima;                              /**< block maxima of a batch, and the blocks that may matter */
  ncc_proposal found;
} ncc_cpu_scratch;

/** What is kept of the current image. */
typedef enum ncc_cpu_form {
  NCC_CPU_NOTHING,
  NCC_CPU_WINDOWS,  /**< nothing but `windows` */
  NCC_CPU_ROWS,     /**< spectra of its rows, in ncc_cpu.strips: for one template, whose product overwrites them */
  NCC_CPU_SPECTRUM, /**< its whole spectrum: for any number of templates */
  NCC_CPU_DIRECT,   /**< its pixels in float32: for any number of templates that are not transformed */
} ncc_cpu_form;

typedef struct ncc_cpu_image {
  ncc_cpu_form form;
  int64_t serial; /**< of ncc_task; meaningless while the form is nothing */
  ncc_centring centring;
  ncc_buffer spectrum; /**< columns of the transform */
} ncc_cpu_image;

/** What is known of ssd(W). */
typedef enum ncc_cpu_known {
  NCC_CPU_UNKNOWN,
  NCC_CPU_BY_CELLS, /**< bounds in blocks (cells.h), much cheaper, for a lone template */
  NCC_CPU_MAPPED,   /**< ssd of every window (stats.h) */
} ncc_cpu_known;

/** The knowledge of the current image and geometry, and the policy: bounds by cells for a lone template, where they may
 *  serve and have not been in vain just now; else the map. */
typedef struct ncc_cpu_windows {
  ncc_cpu_known known;
  ncc_stats stats; /**< by cells: its lower bounds alone */
  ncc_cells cells;
  int vain; /**< images in a row for which bounds by cells did not serve */
  int pass; /**< images that still go without trying them */
} ncc_cpu_windows;

/** A template, transformed for the product. */
typedef struct ncc_cpu_template {
  double unit; /**< power of two: mean-free pixels times this are of order 1 */
  ncc_buffer strips;
  ncc_buffer prefix; /**< doubles [m + 1][n + 1]: prefix sums of T', where the image is centred */
} ncc_cpu_template;

/** Where nothing is outside the image: what positions at its rim take besides. */
typedef struct ncc_cpu_rim {
  ncc_buffer integral; /**< doubles [image_rows + 1][image_cols + 1]: integral image of (I - centre) * unit */
  ncc_buffer inverse;  /**< doubles [template_cols + 1]: one over so many columns */
  ncc_template_overlap tmpl;
} ncc_cpu_rim;

/** Numerators without a transform. */
typedef struct ncc_cpu_direct {
  ncc_buffer image;   /**< floats: (I - centre) * unit wherever templates reach, 0 outside the image */
  ncc_buffer tmpl;    /**< floats [m][n]: (T - mean) * unit */
  ncc_buffer product; /**< floats: numerators of the rows that are searched */
  ncc_buffer squares; /**< doubles [image_rows]: sums of squares of the image's rows */
  double norm;        /**< ||I - centre|| of the part that templates reach, of scaled pixels */
} ncc_cpu_direct;

/** A strip of the product, and how much a numerator in it may be over the root of its ssd at most. */
typedef struct ncc_cpu_reach {
  int64_t strip;
  double most; /**< INFINITY: not known yet */
} ncc_cpu_reach;

/** A search of the product. */
typedef struct ncc_cpu_search {
  ncc_bounds bounds;
  _Atomic double best;  /**< largest lower bound so far */
  ncc_buffer reach_buf; /**< of reach */
  ncc_cpu_reach *reach; /**< [strips] in the order of the search */
  bool again;           /**< of the product that is there: only what is excluded differs */
} ncc_cpu_search;

/** Whether numerators are transformed or summed directly. */
typedef enum ncc_cpu_way {
  NCC_CPU_CHEAPER,
  NCC_CPU_ALWAYS_TRANSFORMED, /**< for tests */
  NCC_CPU_ALWAYS_DIRECT,      /**< likewise */
  NCC_CPU_ALWAYS_HALF,        /**< likewise: transformed, and never without an attempt at half the grid */
} ncc_cpu_way;

typedef struct ncc_cpu_half ncc_cpu_half;

typedef struct ncc_cpu {
  const ncc_engine_context *context;
  const ncc_kernels *kernels;
  int threads;
  ncc_cpu_way way;
  ncc_cpu_scratch *scratch; /**< [threads] */
  ncc_buffer scratch_buffer;
  const ncc_task *task; /**< the one at work */
  ncc_cpu_layout layout;
  ncc_cpu_image image;
  ncc_cpu_windows windows;
  ncc_cpu_template tmpl;
  ncc_cpu_rim rim;
  ncc_cpu_direct direct;
  ncc_buffer strips; /**< of the image's rows, then of the product */
  ncc_cpu_search search;
  bool numerators_alone; /**< `windows` are not wanted */
  ncc_cpu_half *half;    /**< proposals from a half grid; NULL: none are made */
} ncc_cpu;

/** Asked item by item, as one stage of a huge pair takes seconds. What a stage has left unfinished is not used. */
static inline bool ncc_cpu_stopped(const ncc_cpu *e) {
  return ncc_stop_came(e->context->config);
}

/** By so much are numerators too large, in units of the image and the template: FFTW's inverse is not divided by the
 *  number of points, and unpacking spectra leaves a factor of two for each of the two. Direct sums are as they should
 *  be. */
static inline double ncc_cpu_points(const ncc_cpu *e) {
  return e->image.form == NCC_CPU_DIRECT ? 1 : 4.0 * (double)e->layout.shape.rows * (double)e->layout.shape.cols;
}

/** Strips that hold so many rows. */
static inline int64_t ncc_cpu_strips(int64_t rows) {
  return ncc_ceil_div(rows, NCC_ROW_BATCH);
}

// ---- layout.c

/** Lays arrays out for a geometry, unless they lie so already: strides, scratch. The next image of a geometry costs
 *  nothing here. */
ncc_status ncc_cpu_layout_make(ncc_cpu *e, const ncc_geometry *g);
/** Plans the transforms, unless they are. */
ncc_status ncc_cpu_layout_plan(ncc_cpu *e, double *planning_s);
/** Everything but the plans and the scratch. */
ncc_cpu_layout ncc_cpu_layout_choose(const ncc_geometry *g);
/** Bytes of strips with so many rows. */
int64_t ncc_cpu_rows_bytes(const ncc_cpu_layout *l, int64_t rows);
/** Bytes of the strips, which serve the image first and the product then. */
int64_t ncc_cpu_strips_bytes(const ncc_cpu_layout *l);
/** Bytes of all arrays of an engine. */
int64_t ncc_cpu_bytes(const ncc_geometry *g, int threads);

// ---- transform.c

/** What a batch of rows is made of: `count` rows of `n` pixels, from row `first` on in steps of `step`. */
typedef struct ncc_cpu_rows {
  const ncc_prepared *prepared;
  int64_t first, step, count, x0, n;
  double c, rest, unit; /**< see ncc_kernels.pack_rows */
  bool reversed;
  const uint8_t *valid; /**< [rows, cols] as `prepared`: masked pixels become zeros; NULL: none are masked */
  bool squared;         /**< what is packed is squared */
} ncc_cpu_rows;

/** Transforms up to eight rows to a strip; missing rows become zeros. */
void ncc_cpu_rows_forward(const ncc_cpu *e, ncc_cpu_scratch *s, const ncc_cpu_rows *rows, ncc_c32 *strip);
/** From a strip of the product to packed rows in s->rows, `packed` of them. */
void ncc_cpu_rows_inverse(const ncc_cpu *e, ncc_cpu_scratch *s, const ncc_c32 *strip, int packed);
/** Blocks of columns, a multiple of the threads: those past the last column are empty. */
int64_t ncc_cpu_column_turns(const ncc_cpu *e);
/** First column of the block whose turn it is; beyond the last column: nothing to do. */
int64_t ncc_cpu_first_column(const ncc_cpu *e, int64_t turn);
/** Takes a block of columns out of `rows` rows in strips, ready for transforms of their parts. @return how many. */
int64_t ncc_cpu_take_columns(const ncc_cpu *e, const ncc_buffer *strips, int64_t rows, int64_t first, ncc_c32 *out);
/** The same, but where columns lie whole they stay there, with zeros below their rows. @return the first of them */
ncc_c32 *ncc_cpu_columns(const ncc_cpu *e, const ncc_buffer *strips, int64_t rows, int64_t first, ncc_c32 *out,
                         int64_t *columns);

// ---- engine.c

ncc_status ncc_cpu_create(const ncc_engine_context *context, ncc_cpu_way way, void **state);
void ncc_cpu_destroy(void *state);

// ---- half.c

ncc_status ncc_cpu_half_create(const ncc_engine_context *context, ncc_cpu_half **out);
void ncc_cpu_half_destroy(ncc_cpu_half *half);
/** Proposes for e->task from a half grid. @param[out] done  false: `out` is empty, and proposals are to be made in full
 */
ncc_status ncc_cpu_half_propose(ncc_cpu *e, ncc_proposal *out, bool *done);
/** Whether the last task was proposed for in that way. As it is asked again, no more attempts are made. */
bool ncc_cpu_half_was_used(ncc_cpu_half *half);
/** For tests: the most that the NCC can be at a position of the last task, by the half grid and ssd(W) in prepared
 *  pixels. NaN: there was no attempt. */
double ncc_cpu_half_upper(const ncc_cpu *e, int64_t y, int64_t x, double ssd);
/** Bytes for a geometry. */
int64_t ncc_cpu_half_bytes(const ncc_geometry *g, int threads);

// ---- image.c, windows.c, product.c, peak.c

/** Prepares the image of e->task for its geometry as far as that is not done already. */
ncc_status ncc_cpu_image_prepare(ncc_cpu *e);
/** Seconds that the full-size transforms of an image take, and those of a template, by the table of costs. */
double ncc_cpu_image_floor_s(const ncc_cpu_layout *l);
double ncc_cpu_product_floor_s(const ncc_cpu_layout *l);

/** Likewise what is to be known of windows alone. */
ncc_status ncc_cpu_windows_prepare(ncc_cpu *e);

/** Before an image is prepared: settles what is to be known. @param[in] lone  one template is expected
 *  @param[in] same  image and geometry are those of before */
ncc_status ncc_cpu_windows_begin(ncc_cpu_windows *w, const ncc_prepared *image, const ncc_geometry *g, bool lone,
                                 bool same);
/** While a strip of the image's rows is in cache: what bounds by cells need of it. */
void ncc_cpu_windows_add_strip(ncc_cpu_windows *w, int64_t strip);
/** After all strips. */
ncc_status ncc_cpu_windows_finish(ncc_cpu *e);
/** ssd of every window after all, as bounds by cells do not serve. */
ncc_status ncc_cpu_windows_give_bounds_up(ncc_cpu *e);

/** The product of the prepared image and the template of e->task, in strips. */
ncc_status ncc_cpu_product_make(ncc_cpu *e);
/** Adds centre * S to the numerators of full row y, which lie two floats apart, S being the sum of T' over the overlap:
 *  0 inside the image. */
void ncc_cpu_product_add_overhang(const ncc_cpu *e, int64_t y, float *row);
/** Rows of a strip of the product, packed by two, in s->rows by trimmed columns. @param[in] y  its first, full row */
void ncc_cpu_product_rows(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip, int64_t y, int rows);
/** Bound of the numerators' error, over the root of the template's ssd, in units of ncc_evaluation. */
double ncc_cpu_product_error(const ncc_cpu *e);

// ---- direct.c: of an image in that form alone

int64_t ncc_cpu_direct_bytes(const ncc_geometry *g);
void ncc_cpu_direct_clear(ncc_cpu *e);
/** Before the image's strips, for each of them, and after all. */
ncc_status ncc_cpu_direct_begin(ncc_cpu *e);
void ncc_cpu_direct_add_strip(ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip);
void ncc_cpu_direct_finish(ncc_cpu *e);
ncc_status ncc_cpu_direct_product(ncc_cpu *e);
/** As ncc_cpu_product_rows(). */
void ncc_cpu_direct_rows(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t y, int rows);
/** As ncc_cpu_product_error(), without the rim's. */
double ncc_cpu_direct_error(const ncc_cpu *e);

// ---- rim.c; nothing is done unless nothing is outside the image

int64_t ncc_cpu_rim_bytes(const ncc_geometry *g);
/** Before the image's strips are transformed, for each of them, and after all: the integral image. */
ncc_status ncc_cpu_rim_begin(ncc_cpu *e);
void ncc_cpu_rim_add_strip(ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip);
void ncc_cpu_rim_finish(ncc_cpu *e);
ncc_status ncc_cpu_rim_take_template(ncc_cpu *e);
/** What rounding of these sums adds to the error of numerators, in units of ||I - c|| ||T'||. */
double ncc_cpu_rim_error(const ncc_cpu *e);
/** Makes means those of the overlap in the numerators of full row y, which lie two floats apart. */
void ncc_cpu_rim_correct(const ncc_cpu *e, int64_t y, float *row);
/** Lower bounds of a strip that begins with full row y, for this template. */
void ncc_cpu_rim_lower(const ncc_cpu *e, int64_t y, const float *lower, float *out);
/** ssd(W) at a position, by the map, times ssd of what overlaps of the template over that of all of it. */
double ncc_cpu_rim_ssd(const ncc_cpu *e, int64_t y, int64_t x, double ssd);

/** Numerators of a strip of the product, to packed rows in s->rows. @param[out] y0  its first full row
 *  @return how many rows it has */
int ncc_cpu_take_strip(const ncc_cpu *e, ncc_cpu_scratch *s, int64_t strip, int64_t *y0);
/** Settles a few candidates of a finished proposal, of whose windows bounds are known, by ssd of these. */
ncc_status ncc_cpu_settle_few(ncc_cpu *e, ncc_proposal *p);
/** Searches the product for what may be the peak. @param[in,out] out  reset before, finished after. */
ncc_status ncc_cpu_search_run(ncc_cpu *e, ncc_proposal *out);

#endif
