/** MPI, made patient: collectives and messages that sleep while they wait.
 *
 *  Blocking MPI calls spin on the core that a matcher wants. So ranks wait for each other asleep, in ncc_comm_agree();
 *  once all are there and well, a blocking collective is over in no time. Only the thread that started MPI may call any
 *  of it. What fails in MPI itself is NCC_ERR_COMM; peers may then be blocked, and only aborting helps.
 */
#ifndef NCC_COMM_H
#define NCC_COMM_H

#include <mpi.h>

#include "base/error.h"

typedef struct ncc_comm {
  MPI_Comm world, node; /**< a duplicate of MPI_COMM_WORLD, and its ranks on this node; both return errors */
  int rank, ranks;
  int node_rank, node_ranks;
  char host[64];
} ncc_comm;

ncc_status ncc_comm_create(ncc_comm *out);
void ncc_comm_destroy(ncc_comm *comm);

/** NCC_OK, or NCC_ERR_COMM with MPI's own words. */
ncc_status ncc_comm_error(int code, const char *call);

#define NCC_TRY_MPI(call)                   \
  do {                                      \
    status = ncc_comm_error((call), #call); \
    if (status != NCC_OK) goto cleanup;     \
  } while (0)

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

/** Microseconds to sleep after looking in vain once more: from 20 to 1000, or less while `eager`. */
int ncc_backoff_us(int *step, bool eager);

/* ---- collectives ------------------------------------------------------------------------------------------------ */

/* Each is called by all ranks, whatever has gone wrong for one of them: `mine` is how the caller has fared since the
   last one. If any rank comes with an error, nothing is done, and all leave with the error of the lowest such rank and
   with its message; other ranks than 0 are named in it. So no rank waits for one that has given up. */

/** All ranks are there, and well. */
ncc_status ncc_comm_agree(const ncc_comm *comm, ncc_status mine);

/** The least of all ranks' values. */
ncc_status ncc_comm_min(const ncc_comm *comm, ncc_status mine, int64_t *value);

/** Rank 0's bytes to all; any size. */
ncc_status ncc_comm_bcast(const ncc_comm *comm, ncc_status mine, void *data, int64_t bytes);

/** Rank 0's bytes to all, where only rank 0 knows how many there are.
 *  @param[in,out] data  rank 0's, borrowed; elsewhere malloc'd, caller frees; NULL where there are no bytes. */
ncc_status ncc_comm_bcast_new(const ncc_comm *comm, ncc_status mine, void **data, int64_t *bytes);

/** `bytes` of every rank to rank 0, `all` [ranks * bytes] there. */
ncc_status ncc_comm_gather(const ncc_comm *comm, ncc_status mine, const void *data, int bytes, void *all);

/** The first rank's bytes to all ranks of its node. */
ncc_status ncc_comm_node_bcast(const ncc_comm *comm, ncc_status mine, void *data, int bytes);

/** `bytes` of every rank of a node to all of them, `all` [node_ranks * bytes]. */
ncc_status ncc_comm_node_allgather(const ncc_comm *comm, ncc_status mine, const void *data, int bytes, void *all);

/* ---- messages --------------------------------------------------------------------------------------------------- */

enum { NCC_TAG_MESSAGE = 1, NCC_TAG_PIXELS = 2 };

/** Sends under way. When one is done, `release(object)` is called. */
typedef struct ncc_outbox {
  struct ncc_send *sends;
  MPI_Request *requests;
  int *done;
  int n, capacity;
} ncc_outbox;

/** Takes a request; on failure to do so `release` is not called. */
ncc_status ncc_outbox_add(ncc_outbox *outbox, MPI_Request request, void (*release)(void *), void *object);

/** Sends a message of malloc'd bytes, which are freed when it is sent (or cannot be). */
ncc_status ncc_outbox_send(ncc_outbox *outbox, const ncc_comm *comm, int dest, void *bytes, int64_t n_bytes);

/** Looks for completions. @param[out] progress  set to true if there were any; else left alone. */
ncc_status ncc_outbox_poll(ncc_outbox *outbox, bool *progress);

void ncc_outbox_clear(ncc_outbox *outbox);

/** Messages under way to this rank; at most `capacity` at a time, so that with 1 they come out in order. */
typedef struct ncc_inbox {
  struct ncc_letter *letters;
  int n, capacity;
} ncc_inbox;

ncc_status ncc_inbox_create(ncc_inbox *inbox, int capacity);
void ncc_inbox_clear(ncc_inbox *inbox);

/** One complete message, if there is any: malloc'd bytes, owned by the caller; else *bytes is NULL. */
ncc_status ncc_inbox_poll(ncc_inbox *inbox, const ncc_comm *comm, int *source, void **bytes, int64_t *n_bytes);

#endif
