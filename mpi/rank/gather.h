/** Rows whose angles ranks try apart: their results come together here, and the best is chosen. Rank 0 only; no MPI. */
#ifndef NCC_GATHER_H
#define NCC_GATHER_H

#include "mpixcorr.h"

/** A row that is under way. */
typedef struct ncc_gathered {
  int64_t row;
  int64_t missing;     /**< angles without a result */
  ncc_result *results; /**< [turns], owned */
  uint8_t kind;        /**< the row's status, once all are there */
} ncc_gathered;

/** Zero-initialised but for the first two; cleared by ncc_gatherer_clear(). */
typedef struct ncc_gatherer {
  const ncc_search *search; /**< borrowed */
  int64_t turns;            /**< angles of a row */
  ncc_gathered *rows;       /**< [n], few: as many as ranks share at a time */
  int64_t n, capacity;
} ncc_gatherer;

/** What becomes of a row. */
typedef enum ncc_gathering {
  NCC_GATHER_WAITS, /**< for other angles */
  NCC_GATHER_DONE,  /**< the result is the row's */
  NCC_GATHER_AGAIN  /**< it is to be handed out once more, see ncc_piece.turn */
} ncc_gathering;

/** Takes the result of an angle.
 *  @param[in,out] turn    the angle; on return, where the row is to be handed out again, what for
 *  @param[in,out] result  of the angle; on return, where it is done, of the row
 *  @return NCC_OK; NCC_ERR_NOMEM; NCC_ERR_COMM for an angle that there is not, or has been. */
ncc_status ncc_gatherer_take(ncc_gatherer *gatherer, int64_t row, int64_t *turn, ncc_result *result,
                             ncc_gathering *what);

/** Takes the answer of a row that was handed out again. */
void ncc_gatherer_answered(ncc_gatherer *gatherer, int64_t row, ncc_result *result);

void ncc_gatherer_clear(ncc_gatherer *gatherer);

#endif
