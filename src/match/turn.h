/** Turned templates: the angles of a search, and a template at one of them. */
#ifndef NCC_TURN_H
#define NCC_TURN_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/pool.h"
#include "mpixcorr.h"

typedef struct ncc_turn {
  int64_t micro; /**< 1e-6 degree */
  double cos, sin;
} ncc_turn;

/** The angle of an entry of a group, [n] of it. Where the angles of a pair are shared they are entries of their own,
 * which are tried; the pair is then answered at the best of them. */
struct ncc_turned {
  int64_t turn; /**< index of ncc_turns_list() */
  int64_t pair; /**< neighbours of one number are one template */
  _Atomic double
      *best; /**< the greatest peak of all that are tried together, -2 before any: what cannot reach it need
                  not be looked at, and its result then is some position below. NULL: to be answered in full */
};
typedef struct ncc_turned ncc_turned;

/** Of an angle that is an entry. */
#define NCC_TURNED_ENTRY_BYTES \
  (2 * sizeof(ncc_array) + sizeof(ncc_margins) + sizeof(ncc_rect) + sizeof(ncc_turned) + sizeof(ncc_result))

static inline bool ncc_search_turns(const ncc_search *search) {
  return search->rotate_step > 0;
}

/** Angles of a search: 1 where templates are not turned. */
int64_t ncc_turns_count(const ncc_search *search);

ncc_turn ncc_turn_of(int64_t micro);

/** The angle in degrees, the nearest double, and back. */
double ncc_turn_degrees(int64_t micro);
int64_t ncc_turn_micro(double degrees);

/** The angles of a search, those that win ties first: the smallest absolute one, then the negative one.
 *  @param[out] out  [ncc_turns_count()], malloc'd, the caller frees it
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_turns_list(const ncc_search *search, ncc_turn **out);

/** The angle that wins, of results by each of them.
 *  @param[in]  results  [n] in the order of ncc_turns_list(). @param[out] kind  what the pair's status is */
int64_t ncc_turns_choose(int64_t n, const ncc_result *results, uint8_t *kind);

/** Whether a pair that was tried at all its angles is to be answered once more, at the best of them.
 *  @param[in] kind  of ncc_turns_choose() */
bool ncc_turns_want_answer(const ncc_search *search, uint8_t kind);

/** The largest absolute angle of a search, in 1e-6 degree; 0 where templates are not turned. */
int64_t ncc_turns_most(const ncc_search *search);

/** Pixels around a template, in y and x, that turning it by up to `most` may read. */
void ncc_turns_margin(int64_t most, int64_t rows, int64_t cols, int64_t *y, int64_t *x);

/** An array with what is around it. */
ncc_array ncc_array_widen(const ncc_array *array, const ncc_margins *around);

/** A template about to be turned. Zero-initialised; freed by ncc_turner_clear(). */
typedef struct ncc_turner {
  int64_t rows, cols;
  ncc_margins around; /**< pixels that there are beside */
  float mean;         /**< of the template's own pixels */
  bool masked;        /**< what is missing is invalid, in place of the mean */
  bool has_mask;      /**< some pixels that there are may be invalid */
  bool narrow;        /**< pixels are float32, as far as that is exact for their type: turning takes half the memory */
  ncc_buffer pixels;  /**< float64, or float32, [above + rows + below][left + cols + right] */
  ncc_buffer valid;   /**< bytes, likewise; with has_mask */
  ncc_buffer row;     /**< float64, of work */
} ncc_turner;

/** Takes a template in.
 *  @param[in] tmpl    without what is around it, which lies in the same memory
 *  @param[in] masked  masks are given
 *  @param[in] mask    of the template, laid out as it is; NULL, or data NULL: all is valid
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_turner_take(ncc_turner *turner, const ncc_array *tmpl, const ncc_margins *around, bool masked,
                           const ncc_array *mask, float mean);
void ncc_turner_clear(ncc_turner *turner);

/** The template turned: out(y, x) = T(cy + (y - cy) cos + (x - cx) sin, cx + (x - cx) cos - (y - cy) sin) about the
 *  centre ((rows - 1) / 2, (cols - 1) / 2), interpolated linearly in x, then in y, in float64, rounded to float32. A
 *  neighbour of weight 0 is not read.
 *  @param[out] out    [rows][cols]; where a neighbour is missing or invalid, the mean
 *  @param[out] valid  [rows][cols] bytes, 0 there; NULL: not wanted */
void ncc_turner_turn(const ncc_turner *turner, ncc_pool *pool, const ncc_turn *turn, float *out, uint8_t *valid);

/** A template turned by one angle, as the matcher does it, for looking at.
 *  @param[in]  mask   data NULL: all is valid
 *  @param[out] out    [rows][cols], the caller's
 *  @param[out] valid  likewise, its mask; NULL: masks are not given
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_turn_array(const ncc_array *tmpl, const ncc_array *mask, const ncc_margins *around, int64_t micro,
                          float *out, uint8_t *valid);

#endif
