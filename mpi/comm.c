#include "mpi/comm.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES ((int64_t)64 << 20)

ncc_status ncc_comm_error(int code, const char *call) {
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (code == MPI_SUCCESS) return NCC_OK;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) snprintf(text, sizeof text, "error %d", code);
  return ncc_error_set(NCC_ERR_COMM, "MPI: %.*s: %s", (int)strcspn(call, "("), call, text);
}

ncc_status ncc_comm_create(ncc_comm *out) {
  ncc_status status = NCC_OK;
  memset(out, 0, sizeof *out);
  out->world = out->node = MPI_COMM_NULL;
  NCC_TRY_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &out->world));
  NCC_TRY_MPI(MPI_Comm_set_errhandler(out->world, MPI_ERRORS_RETURN));
  NCC_TRY_MPI(MPI_Comm_rank(out->world, &out->rank));
  NCC_TRY_MPI(MPI_Comm_size(out->world, &out->ranks));
  NCC_TRY_MPI(MPI_Comm_split_type(out->world, MPI_COMM_TYPE_SHARED, out->rank, MPI_INFO_NULL, &out->node));
  NCC_TRY_MPI(MPI_Comm_rank(out->node, &out->node_rank));
  NCC_TRY_MPI(MPI_Comm_size(out->node, &out->node_ranks));
  gethostname(out->host, sizeof out->host - 1);
cleanup:
  return status;
}

void ncc_comm_destroy(ncc_comm *comm) {
  if (comm->node != MPI_COMM_NULL) MPI_Comm_free(&comm->node);
  if (comm->world != MPI_COMM_NULL) MPI_Comm_free(&comm->world);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

int ncc_backoff_us(int *step, bool eager) {
  static const int us[] = {20, 20, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000};
  enum { LAST = sizeof us / sizeof us[0] - 1, LAST_EAGER = 4 };
  int now = *step < LAST ? (*step)++ : LAST;
  return us[eager && now > LAST_EAGER ? LAST_EAGER : now];
}

/* ---- collectives ------------------------------------------------------------------------------------------------ */

/** Waits asleep until all ranks are there; then the error of one, or the least of `*value`. */
static ncc_status meet(const ncc_comm *comm, ncc_status mine, int64_t *value) {
  ncc_status status = NCC_OK;
  struct {
    int32_t status;
    char message[1020];
  } verdict = {.status = mine};
  int64_t own[2] = {mine == NCC_OK ? INT_MAX : comm->rank, *value}, least[2];
  MPI_Request request;
  if (mine != NCC_OK) {
    if (comm->rank > 0) ncc_error_prefix("rank %d on %s", comm->rank, comm->host);
    snprintf(verdict.message, sizeof verdict.message, "%s", ncc_error_message());
  }
  NCC_TRY_MPI(MPI_Iallreduce(own, least, 2, MPI_INT64_T, MPI_MIN, comm->world, &request));
  for (int done = 0, step = 0;;) {
    NCC_TRY_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) break;
    nanosleep(&(struct timespec){.tv_nsec = 1000L * ncc_backoff_us(&step, false)}, NULL);
  }
  *value = least[1];
  if (least[0] == INT_MAX) return NCC_OK;
  NCC_TRY_MPI(MPI_Bcast(&verdict, sizeof verdict, MPI_BYTE, (int)least[0], comm->world));
  status = ncc_error_set((ncc_status)verdict.status, "%s", verdict.message);
cleanup:
  return status;
}

ncc_status ncc_comm_agree(const ncc_comm *comm, ncc_status mine) {
  int64_t nothing = 0;
  return meet(comm, mine, &nothing);
}

ncc_status ncc_comm_min(const ncc_comm *comm, ncc_status mine, int64_t *value) {
  return meet(comm, mine, value);
}

ncc_status ncc_comm_bcast(const ncc_comm *comm, ncc_status mine, void *data, int64_t bytes) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_comm_agree(comm, mine));
  for (int64_t at = 0; at < bytes; at += PIECE_BYTES) {
    int piece = (int)(bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES);
    NCC_TRY_MPI(MPI_Bcast((char *)data + at, piece, MPI_BYTE, 0, comm->world));
  }
cleanup:
  return status;
}

ncc_status ncc_comm_bcast_new(const ncc_comm *comm, ncc_status mine, void **data, int64_t *bytes) {
  ncc_status status = NCC_OK;
  void *made = NULL;
  NCC_TRY(ncc_comm_bcast(comm, mine, bytes, sizeof *bytes));
  if (*bytes == 0) goto cleanup;
  if (comm->rank > 0) *data = made = malloc((size_t)*bytes);
  mine = *data ? NCC_OK : ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld bytes of rank 0", (long long)*bytes);
  NCC_TRY(ncc_comm_bcast(comm, mine, *data, *bytes));
  made = NULL;
cleanup:
  free(made);
  if (status != NCC_OK && comm->rank > 0) *data = NULL;
  return status;
}

ncc_status ncc_comm_gather(const ncc_comm *comm, ncc_status mine, const void *data, int bytes, void *all) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_comm_agree(comm, mine));
  NCC_TRY_MPI(MPI_Gather(data, bytes, MPI_BYTE, all, bytes, MPI_BYTE, 0, comm->world));
cleanup:
  return status;
}

ncc_status ncc_comm_node_bcast(const ncc_comm *comm, ncc_status mine, void *data, int bytes) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_comm_agree(comm, mine));
  NCC_TRY_MPI(MPI_Bcast(data, bytes, MPI_BYTE, 0, comm->node));
cleanup:
  return status;
}

ncc_status ncc_comm_node_allgather(const ncc_comm *comm, ncc_status mine, const void *data, int bytes, void *all) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_comm_agree(comm, mine));
  NCC_TRY_MPI(MPI_Allgather(data, bytes, MPI_BYTE, all, bytes, MPI_BYTE, comm->node));
cleanup:
  return status;
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

typedef struct ncc_send {
  void (*release)(void *);
  void *object;
} ncc_send;

static ncc_status outbox_reserve(ncc_outbox *outbox) {
  ncc_status status = NCC_OK;
  if (outbox->n < outbox->capacity) return NCC_OK;
  size_t capacity = outbox->capacity ? 2 * (size_t)outbox->capacity : 64;
  ncc_send *sends = realloc(outbox->sends, capacity * sizeof *sends);
  if (sends) outbox->sends = sends;
  MPI_Request *requests = realloc(outbox->requests, capacity * sizeof *requests);
  if (requests) outbox->requests = requests;
  int *done = realloc(outbox->done, capacity * sizeof *done);
  if (done) outbox->done = done;
  NCC_CHECK(sends && requests && done, NCC_ERR_NOMEM, "out of memory for %zu messages", capacity);
  outbox->capacity = (int)capacity;
cleanup:
  return status;
}

ncc_status ncc_outbox_add(ncc_outbox *outbox, MPI_Request request, void (*release)(void *), void *object) {
  ncc_status status = NCC_OK;
  NCC_TRY(outbox_reserve(outbox));
  outbox->requests[outbox->n] = request;
  outbox->sends[outbox->n++] = (ncc_send){release, object};
cleanup:
  return status;
}

ncc_status ncc_outbox_send(ncc_outbox *outbox, const ncc_comm *comm, int dest, void *bytes, int64_t n_bytes) {
  ncc_status status = NCC_OK;
  MPI_Request request;
  NCC_CHECK(n_bytes <= INT_MAX, NCC_ERR_INTERNAL, "a message of %lld bytes, expected at most %d", (long long)n_bytes,
            INT_MAX);
  NCC_TRY(outbox_reserve(outbox));
  NCC_TRY_MPI(MPI_Isend(bytes, (int)n_bytes, MPI_BYTE, dest, NCC_TAG_MESSAGE, comm->world, &request));
  NCC_TRY(ncc_outbox_add(outbox, request, free, bytes));
  bytes = NULL;
cleanup:
  free(bytes);
  return status;
}

ncc_status ncc_outbox_poll(ncc_outbox *outbox, bool *progress) {
  ncc_status status = NCC_OK;
  int n_done = 0;
  if (outbox->n == 0) return NCC_OK;
  NCC_TRY_MPI(MPI_Testsome(outbox->n, outbox->requests, &n_done, outbox->done, MPI_STATUSES_IGNORE));
  if (n_done <= 0) goto cleanup;
  *progress = true;
  for (int i = 0; i < n_done; i++) {
    ncc_send *send = &outbox->sends[outbox->done[i]];
    send->release(send->object);
  }
  int kept = 0;
  for (int i = 0; i < outbox->n; i++) {
    if (outbox->requests[i] == MPI_REQUEST_NULL) continue;
    outbox->requests[kept] = outbox->requests[i];
    outbox->sends[kept++] = outbox->sends[i];
  }
  outbox->n = kept;
cleanup:
  return status;
}

void ncc_outbox_clear(ncc_outbox *outbox) {
  free(outbox->sends);
  free(outbox->requests);
  free(outbox->done);
  memset(outbox, 0, sizeof *outbox);
}

/* ---- receiving -------------------------------------------------------------------------------------------------- */

typedef struct ncc_letter {
  MPI_Request request;
  int source, n_bytes;
  void *bytes;
} ncc_letter;

ncc_status ncc_inbox_create(ncc_inbox *inbox, int capacity) {
  ncc_status status = NCC_OK;
  *inbox = (ncc_inbox){.letters = calloc((size_t)capacity, sizeof *inbox->letters), .capacity = capacity};
  NCC_CHECK(inbox->letters, NCC_ERR_NOMEM, "out of memory for messages");
cleanup:
  return status;
}

void ncc_inbox_clear(ncc_inbox *inbox) {
  for (int i = 0; i < inbox->n; i++) free(inbox->letters[i].bytes);
  free(inbox->letters);
  memset(inbox, 0, sizeof *inbox);
}

ncc_status ncc_inbox_poll(ncc_inbox *inbox, const ncc_comm *comm, int *source, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  *bytes = NULL;
  while (inbox->n < inbox->capacity) {
    int there = 0;
    MPI_Message message;
    MPI_Status probed;
    NCC_TRY_MPI(MPI_Improbe(MPI_ANY_SOURCE, NCC_TAG_MESSAGE, comm->world, &there, &message, &probed));
    if (!there) break;
    ncc_letter *letter = &inbox->letters[inbox->n];
    letter->source = probed.MPI_SOURCE;
    NCC_TRY_MPI(MPI_Get_count(&probed, MPI_BYTE, &letter->n_bytes));
    letter->bytes = malloc((size_t)letter->n_bytes + 1);
    NCC_CHECK(letter->bytes, NCC_ERR_NOMEM, "out of memory for a message of %d bytes", letter->n_bytes);
    inbox->n++;
    NCC_TRY_MPI(MPI_Imrecv(letter->bytes, letter->n_bytes, MPI_BYTE, &message, &letter->request));
  }
  for (int i = 0; i < inbox->n; i++) {
    ncc_letter *letter = &inbox->letters[i];
    int done = 0;
    NCC_TRY_MPI(MPI_Test(&letter->request, &done, MPI_STATUS_IGNORE));
    if (!done) continue;
    *source = letter->source;
    *bytes = letter->bytes;
    *n_bytes = letter->n_bytes;
    memmove(letter, letter + 1, (size_t)(--inbox->n - i) * sizeof *letter);
    break;
  }
cleanup:
  return status;
}
