/** Pixels between rank 0 and the others: the arrays that a batch ships, straight from and into their places.
 *
 *  Both sides derive the same sequence of messages from the batch's needs: arrays are gathered into messages of at most
 *  64 MiB, larger ones are cut.
 */
#ifndef NCC_SHIPPING_H
#define NCC_SHIPPING_H

#include "mpi/comm.h"
#include "mpi/rank/batch.h"

/** Starts sending the shipped needs of a batch; their pixels are taken from it. When all are sent and released,
 *  `sent(context, bytes)` is called, by ncc_outbox_poll(); never, where nothing is to be shipped. */
ncc_status ncc_pixels_send(const ncc_comm *comm, ncc_outbox *outbox, int rank, ncc_batch *batch,
                           void (*sent)(void *context, int64_t bytes), void *context);

/** A batch whose pixels are on their way to this rank. */
typedef struct ncc_arrival {
  ncc_batch *batch;
  MPI_Request *requests;
  int64_t *expected_bytes;
  int n_requests, n_arrived;
} ncc_arrival;

/** Makes room for the shipped needs and starts receiving. Takes the batch. Clear it in any case. */
ncc_status ncc_arrival_start(const ncc_comm *comm, const ncc_catalog *catalog, ncc_store *store, ncc_batch *batch,
                             ncc_arrival *arrival);

/** @param[out] complete  all pixels are there. */
ncc_status ncc_arrival_poll(ncc_arrival *arrival, bool *complete);

/** Frees all but the batch. */
void ncc_arrival_clear(ncc_arrival *arrival);

#endif
