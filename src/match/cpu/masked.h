/** Proposals of the CPU engine where pixels are masked: float32 transforms of masks, pixels and their squares, as
 *  match/masked.h has float64 ones. masked.c makes the sums of all positions, masked_search.c searches them. Where
 * bounds of the others serve, one of the sums is enough: masked_coarse.c.
 */
#ifndef NCC_CPU_MASKED_H
#define NCC_CPU_MASKED_H

#include <fftw3.h>

#include "match/cpu/state.h"
#include "match/kernels/masked.h"

/** What is transformed of an operand. */
typedef enum ncc_masked_plane {
  NCC_MASKED_MASK,
  NCC_MASKED_VALUES,
  NCC_MASKED_SQUARES,
  NCC_MASKED_PLANES
} ncc_masked_plane;

/** The sums of a position, in the names of match/masked.c. */
typedef enum ncc_masked_sum {
  NCC_SUM_N,
  NCC_SUM_S,
  NCC_SUM_Q,
  NCC_SUM_U,
  NCC_SUM_V,
  NCC_SUM_P,
  NCC_SUMS
} ncc_masked_sum;

/** Scratch of a thread, beside that of ncc_cpu. */
typedef struct ncc_masked_scratch {
  ncc_c32 *columns, *more_columns; /**< NCC_COLUMN_BATCH each */
  ncc_c32 *transformed;            /**< a part of one */
  ncc_c32 *rows[NCC_SUMS];         /**< NCC_PACKED_ROWS of each sum */
  ncc_masked_windows windows;      /**< of two rows */
} ncc_masked_scratch;

/** What is known of an operand on the coarse grid. */
typedef enum ncc_coarse_plane {
  NCC_COARSE_ALL,     /**< 1: all pixels that a cell may meet are valid */
  NCC_COARSE_SOME,    /**< 1: some are */
  NCC_COARSE_COUNT,   /**< of valid pixels in a cell */
  NCC_COARSE_SUM,     /**< of these less the mean */
  NCC_COARSE_ABS,     /**< at least that of their magnitudes */
  NCC_COARSE_SQUARES, /**< of their squares */
  NCC_COARSE_PLANES
} ncc_coarse_plane;

/** Sums over the cells that count, those that may, and what the latter may add: of the image, then of the template. */
typedef enum ncc_coarse_sum {
  NCC_COARSE_N,
  NCC_COARSE_N_SOME,
  NCC_COARSE_S,
  NCC_COARSE_S_SOME,
  NCC_COARSE_S_OFF,
  NCC_COARSE_Q,
  NCC_COARSE_N_TMPL,
  NCC_COARSE_U,
  NCC_COARSE_U_SOME,
  NCC_COARSE_U_OFF,
  NCC_COARSE_V,
  NCC_COARSE_SUMS
} ncc_coarse_sum;

/** Bounds of a block of NCC_BLOCK_ROWS x NCC_BLOCK_COLS positions: the NCC is at most (p + add) * inverse. */
typedef struct ncc_coarse_block {
  double add;
  double inverse; /**< INFINITY: not known; -1: nothing is searched */
} ncc_coarse_block;

typedef struct ncc_masked_coarse {
  int64_t rows, cols, stride; /**< of the transforms; stride in floats */
  fftwf_plan forward, inverse;
  ncc_buffer planes[2][NCC_COARSE_PLANES]; /**< of image and template: transforms */
  double norms[2][NCC_COARSE_PLANES];
  ncc_buffer sums[NCC_COARSE_SUMS];
  double errors[NCC_COARSE_SUMS];
  ncc_buffer counts, scratch;
  ncc_buffer blocks;  /**< ncc_coarse_block [strips][blocks] */
  bool image_known;   /**< the image's planes are there */
  bool windows_known; /**< what comes before u is, of whole templates */
  bool off;           /**< pairs are asked again, for which all sums are wanted */
  int vain, pass;     /**< attempts in a row that failed; pairs that still go without one */
} ncc_masked_coarse;

typedef struct ncc_cpu_masked {
  ncc_cpu *cpu; /**< layout, strips and scratch */
  ncc_masked_scratch *scratch;
  ncc_buffer scratch_buffer, ones;
  int64_t serial;        /**< of the image whose spectra these are; -1: none */
  ncc_geometry geometry; /**< that they were made for */
  double image_unit, tmpl_unit;
  ncc_buffer spectra[NCC_MASKED_PLANES]; /**< of the image */
  bool transformed[NCC_MASKED_PLANES];   /**< which of them are there */
  bool rectangles;                       /**< the template at work is whole: n, s and q are sums over rectangles */
  bool image_whole;                      /**< the image is: n, u and v are; never both */
  int64_t windows_need;                  /**< what `windows` are of besides the image; 0: they are not there */
  ncc_buffer windows;                    /**< of all positions: see ncc_cpu_masked_windows_at() */
  ncc_buffer template_sums;              /**< prefix sums of the template, where the image is whole */
  ncc_buffer sums[NCC_SUMS];             /**< in strips, as the engine's product */
  ncc_masked_coarse coarse;
  bool coarsely; /**< of the sums p alone is made, the others are bounded */
  const ncc_task *task;
  double min_overlap;
  int64_t need;            /**< pixels that must overlap */
  double errors[NCC_SUMS]; /**< of the sums, in units of image_unit and tmpl_unit */
  _Atomic double best;     /**< largest lower bound so far */
  _Atomic int64_t singled; /**< positions that were summed one by one */
  bool nowhere;            /**< no position has enough valid pixels: n tells, or they were counted */
} ncc_cpu_masked;

ncc_status ncc_cpu_masked_create(const ncc_engine_context *context, ncc_cpu_masked **out);
void ncc_cpu_masked_destroy(ncc_cpu_masked **masked);

/** Bytes for a geometry. */
int64_t ncc_cpu_masked_bytes(const ncc_geometry *g, int threads);

/** Proposes for one task, whose geometry has no minimum overlap; the proposal is reset, filled and finished. It has no
 *  candidates where float32 is not enough to tell.
 *  @param[in] min_overlap  fraction of the template's valid pixels that must meet valid ones
 *  @return NCC_OK; NCC_ERR_STOPPED; NCC_ERR_NOMEM. */
ncc_status ncc_cpu_masked_propose(ncc_cpu_masked *masked, const ncc_task *task, double min_overlap, ncc_proposal *out);

/** Whether the task at work takes a product for a sum. */
static inline bool ncc_cpu_masked_wants(const ncc_cpu_masked *m, int sum) {
  if (m->coarsely) return sum == NCC_SUM_P;
  static const bool of_image[NCC_SUMS] = {[NCC_SUM_N] = true, [NCC_SUM_S] = true, [NCC_SUM_Q] = true};
  static const bool of_tmpl[NCC_SUMS] = {[NCC_SUM_N] = true, [NCC_SUM_U] = true, [NCC_SUM_V] = true};
  return !(m->rectangles && of_image[sum]) && !(m->image_whole && of_tmpl[sum]);
}

/** The search; see above. */
ncc_status ncc_cpu_masked_search(ncc_cpu_masked *masked, ncc_proposal *out);

// ---- masked_windows.c: windows of whole templates

/** Makes the windows of all positions. */
ncc_status ncc_cpu_masked_windows_make(ncc_cpu_masked *masked);
/** Bytes for so many rows of positions. */
int64_t ncc_cpu_masked_windows_bytes(const ncc_geometry *g, int64_t rows, int threads);
/** Blocks of NCC_BLOCK_COLS columns, the first of which has the first searched column, from trimmed multiples on. */
int64_t ncc_cpu_masked_blocks(const ncc_geometry *g);
/** Those of two rows: rows 2 * pair and 2 * pair + 1 of the product. */
ncc_masked_windows ncc_cpu_masked_windows_at(const ncc_cpu_masked *masked, int64_t pair);

// ---- masked_template.c: templates on whole images

/** Makes the prefix sums of the template at work. */
ncc_status ncc_cpu_masked_template_make(ncc_cpu_masked *masked);
int64_t ncc_cpu_masked_template_bytes(const ncc_geometry *g);
/** A sum at positions x0 to x0 + count of row y, as products have it: too large by the points of a transform.
 *  @param[in]  which  n, u or v: 0, 1, 2  @param[out] out  every other float of it */
void ncc_cpu_masked_template_row(const ncc_cpu_masked *masked, int which, int64_t y, int64_t x0, int64_t count,
                                 float *out);

// ---- masked_coarse.c, masked_coarse_search.c: one product, and bounds of the other sums

void ncc_masked_coarse_clear(ncc_masked_coarse *coarse);
int64_t ncc_masked_coarse_bytes(const ncc_geometry *g, int threads);
/** Makes the bounds of all blocks of the task at work. @return NCC_OK; NCC_ERR_NOMEM; NCC_ERR_STOPPED. */
ncc_status ncc_masked_coarse_make(ncc_cpu_masked *masked);
/** Whether an attempt may pay. */
bool ncc_masked_coarse_may_pay(ncc_cpu_masked *masked);
/** Proposes from the product p and these bounds. @param[out] done  false: too much is left; `out` is empty */
ncc_status ncc_masked_coarse_propose(ncc_cpu_masked *masked, ncc_proposal *out, bool *done);

#endif
