/** Makes batches of what the schedule gives. Rank 0 only; no MPI in here. */
#ifndef NCC_SUPPLY_H
#define NCC_SUPPLY_H

#include "mpi/rank/batch.h"
#include "plan/schedule.h"

/** A batch that a rank holds, with what rank 0 alone knows of it. */
typedef struct ncc_supplied {
  ncc_batch *batch;
  int64_t *rows; /**< [batch->n_pairs] rows of /pairs */
  ncc_schedule_cost cost;
  int64_t pixel_bytes; /**< of all needs */
  double sent_s;       /**< on the watchdog's clock, when the rank could begin; 0: its pixels are being read */
} ncc_supplied;

/** A row by itself. */
typedef struct ncc_supply_row {
  int64_t row, turn; /**< see ncc_piece.turn */
} ncc_supply_row;

typedef struct ncc_supply {
  const ncc_work *work;
  ncc_schedule *schedule;
  const ncc_input *named;    /* whose names other ranks need to read by themselves; or NULL */
  ncc_assignment assignment; /* its memory is used again */
  ncc_supply_row *again;     /* [n_again] rows to be handed out once more, before all others */
  int64_t n_again, again_capacity;
  uint32_t *uses[2]; /* by ncc_object_kind, [count]: pairs that are not handed out yet */
  int64_t n_batches, n_chunks;
  const ncc_search *search;
} ncc_supply;

/** Counts the pairs that need each object. @param[in] work, schedule, search, named  borrowed. Clear it in any case.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_supply_create(const ncc_work *work, ncc_schedule *schedule, const ncc_search *search,
                             const ncc_input *named, ncc_supply *out);
void ncc_supply_clear(ncc_supply *supply);

/** A row is to be handed out once more. @param[in] turn  see ncc_piece.turn. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_supply_again(ncc_supply *supply, int64_t row, int64_t turn);

/** The next batch for a rank that has had `n_given`; out->batch is NULL where there is none now.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_supply_next(ncc_supply *supply, int rank, int64_t n_given, ncc_supplied *out);

/** Frees the batch and its rows. */
void ncc_supplied_clear(ncc_supplied *supplied);

#endif
