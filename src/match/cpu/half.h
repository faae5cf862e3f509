/** Proposals from a half grid: what its parts hand to each other.
 *
 *    half_image.c     the image by half, and the energy of what that leaves of it
 *    half_template.c  the template by half, and how far what that stands for is from the template
 *    half_map.c       numerators of the half grid, and the most that the NCC can be by them
 *    half.c           the search, and when there is one
 */
#ifndef NCC_CPU_HALF_H
#define NCC_CPU_HALF_H

#include "match/cpu/state.h"

enum {
  NCC_HALF_RIM = 8,     /**< zeros around T', and by so much is the window grown in which energy is summed */
  NCC_HALF_FRAME = 16,  /**< around the image there is energy, too, of what stands for it */
  NCC_HALF_MARGIN = 4,  /**< zeros around the half template */
  NCC_HALF_KINDS = 16,  /**< geometries of which it is known how attempts went */
  NCC_HALF_ELEMENT = 4, /**< pixels that an element of the half grid covers in either direction: 2q - 3 .. 2q */
};

/** Of an element's square beside that of a pixel, in what an image's detail comes to. */
#define NCC_HALF_WEIGHT (1.0 / 128)

/** Sums of squares over cells of 8 x 16 pixels, as prefix sums. */
typedef struct ncc_half_cells {
  ncc_buffer buffer;
  int64_t rows, cols;
  double *prefix; /**< [rows + 1][cols + 1] */
} ncc_half_cells;

/** How attempts went for a geometry. */
typedef struct ncc_half_kind {
  ncc_geometry geometry;
  bool known, has_floor; /**< there is a peak to be reached, below which bounds are far more often */
  int vain, pass;        /**< failures of late, pairs that still go without an attempt */
  int used, asked;       /**< pairs that were proposed for, and those of them that were asked for again */
  bool wants_cells;      /**< images give the energy of their detail at once */
} ncc_half_kind;

struct ncc_cpu_half {
  ncc_engine_context context;
  ncc_counters counters; /**< of the engines below: their time is that of a stage here */
  ncc_cpu *coarse, *direct;
  ncc_buffer image_px, tmpl_px, map_px, work, blocks;
  ncc_prepared image, tmpl;
  int64_t serial;               /**< of `image`; -1: none */
  int64_t cells_serial;         /**< likewise of `detail` */
  ncc_half_cells detail;        /**< of the image and NCC_HALF_FRAME pixels around */
  double detail_outside;        /**< energy of every pixel beyond */
  ncc_half_cells overlap;       /**< of the template */
  ncc_geometry geometry;        /**< of the half grid */
  double image_unit, tmpl_unit; /**< powers of two by which these are larger: float32 holds their squares */
  double distance, weighted;    /**< ||d||, sqrt(||d||^2 + ||D||^2 / weight), the most over four shifts */
  double beyond;                /**< sum of |d| beyond W, at most */
  ncc_bounds bounds;            /**< of the map */
  double rounding;              /**< of bounds.error, what is not due to pixels beyond W */
  float *map;                   /**< [rows][width] numerators of the half grid */
  int64_t width;
  float *largest; /**< [strips][blocks] of stats: the most that numerators can be but for errors */
  bool mapped;    /**< bounds are those of the last task */
  bool used;      /**< the last task was proposed for */
  ncc_candidate
      any; /**< a position that was summed, by which the judge sees whether sums are what they are taken for */
  ncc_half_kind kinds[NCC_HALF_KINDS], *kind;
  int next_kind;
};

/** Rows or columns by half of an image and of a template, with what they have beyond their rims. */
static inline int64_t ncc_half_image(int64_t n) {
  return n / 2 + 2;
}

static inline int64_t ncc_half_template(int64_t n) {
  return (n + 1) / 2 + 2;
}

// ---- half_image.c

/** A row in float32, times the prepared scale, less `c` and `rest`, times `unit`. */
void ncc_half_narrow_row(const ncc_cpu *e, const ncc_prepared *p, int64_t y, double c, double rest, double unit,
                         float *out);
/** Lays cells out for so many pixels, in zeros. */
ncc_status ncc_half_cells_begin(ncc_half_cells *cells, int64_t rows, int64_t cols);
/** A row of cells. @param[in] sums  of eight rows of pixels, `count` of them, of which `each` make a cell */
void ncc_half_cells_add(ncc_half_cells *cells, int64_t row, const float *sums, int64_t count, int64_t each);
/** Sum over the cells that a rectangle touches. */
double ncc_half_cells_sum(const ncc_half_cells *cells, const ncc_rect *r);
/** Halves the image of e->task: h->image. */
ncc_status ncc_half_take_image(ncc_cpu *e, ncc_cpu_half *h);
/** Of the image that was halved: h->detail. */
ncc_status ncc_half_take_detail(ncc_cpu *e, ncc_cpu_half *h);

// ---- half_template.c

/** Halves the template of e->task: h->tmpl, and measures how far it is from the template. */
ncc_status ncc_half_take_template(ncc_cpu *e, ncc_cpu_half *h);

// ---- half_map.c

/** Numerators of the half grid. */
ncc_status ncc_half_map_make(ncc_cpu *e, ncc_cpu_half *h);
/** The numerator at a full position, by the map. */
double ncc_half_map_at(const ncc_cpu_half *h, const ncc_geometry *g, int64_t y, int64_t x);
/** Whether the transform is what it is taken for: a numerator of the map at a position once more, in float64. */
bool ncc_half_map_holds(const ncc_cpu *e, const ncc_cpu_half *h, int64_t y, int64_t x);
/** What a block of stats holds of the search. @return false: nothing. */
bool ncc_half_block(const ncc_cpu *e, int64_t block, ncc_rect *out);
/** Fills h->largest. @return the most promising block; -1: there is none, or numerators are not finite */
int64_t ncc_half_look_at_blocks(const ncc_cpu *e, ncc_cpu_half *h);
/** The most that the NCC can be at positions whose windows all lie in that rectangle of them, whatever pixels are. */
double ncc_half_overlap_most(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *r);
/** By how much numerators may be off there because of the image's detail, but for rounding, in units of the map;
 *  INFINITY: not known. */
double ncc_half_detail_most(const ncc_cpu *e, const ncc_cpu_half *h, const ncc_rect *r);

#endif
