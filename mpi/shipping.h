/** Pixels between rank 0 and the others: the arrays that a hand-out ships, straight from and into their places.
 *
 *  Both sides derive the same sequence of messages from the hand-out's needs: arrays are gathered into messages of at
 *  most 64 MiB, larger ones are cut.
 */
#ifndef NCC_SHIPPING_H
#define NCC_SHIPPING_H

#include "mpi/comm.h"
#include "mpi/rank/handout.h"

/** Starts sending the shipped needs of a hand-out. `release(handout)` is called once for each message that is sent.
 *  @param[out] messages  how many there are. */
ncc_status ncc_pixels_send(const ncc_comm *comm, ncc_outbox *outbox, ncc_handout *handout, void (*release)(void *),
                           int *messages);

/** A hand-out whose pixels are on their way to this rank. */
typedef struct ncc_arrival {
  ncc_handout *handout;
  MPI_Request *requests;
  int64_t *expected_bytes;
  int n_requests, n_arrived;
} ncc_arrival;

/** Makes room for the shipped needs and starts receiving. Takes the hand-out. Clear it in any case. */
ncc_status ncc_arrival_start(const ncc_comm *comm, const ncc_catalog *catalog, ncc_pixels_pool *pool,
                             ncc_handout *handout, ncc_arrival *arrival);

/** @param[out] complete  all pixels are there. */
ncc_status ncc_arrival_poll(ncc_arrival *arrival, bool *complete);

/** Frees all but the hand-out. */
void ncc_arrival_clear(ncc_arrival *arrival);

#endif
