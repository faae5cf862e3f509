#include "mpi/shipping.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES ((int64_t)64 << 20)
enum { MAX_BLOCKS = 4096 };

/** One message being put together: addresses and lengths of its blocks. */
typedef struct parcel {
  MPI_Aint address[MAX_BLOCKS];
  int length[MAX_BLOCKS];
  int n;
  int64_t bytes;
} parcel;

/** Fills the next parcel from needs [*need ...), of which the first `*offset` bytes are done. Empty at the end. */
static ncc_status next_parcel(const ncc_needs *needs, int64_t *need, int64_t *offset, parcel *out) {
  ncc_status status = NCC_OK;
  out->n = 0;
  out->bytes = 0;
  while (*need < needs->n && out->bytes < MESSAGE_BYTES && out->n < MAX_BLOCKS) {
    const ncc_need *from = &needs->items[*need];
    if (from->state != NCC_NEED_SHIPPED) {
      ++*need;
      continue;
    }
    int64_t left = from->pixels->bytes - *offset, room = MESSAGE_BYTES - out->bytes;
    int64_t take = left < room ? left : room;
    NCC_TRY_MPI(MPI_Get_address(from->pixels->data + *offset, &out->address[out->n]));
    out->length[out->n++] = (int)take;
    out->bytes += take;
    *offset += take;
    if (take == left) {
      ++*need;
      *offset = 0;
    }
  }
cleanup:
  return status;
}

static ncc_status parcel_type(const parcel *blocks, MPI_Datatype *type) {
  ncc_status status = NCC_OK;
  NCC_TRY_MPI(MPI_Type_create_hindexed(blocks->n, blocks->length, blocks->address, MPI_BYTE, type));
  NCC_TRY_MPI(MPI_Type_commit(type));
cleanup:
  return status;
}

/** Pixels under way to a rank. */
typedef struct shipment {
  ncc_needs needs; /* with the references to pixels that were the batch's */
  int64_t bytes;
  int unsent; /* messages */
  void (*sent)(void *context, int64_t bytes);
  void *context;
} shipment;

static void message_sent(void *object) {
  shipment *s = object;
  if (--s->unsent > 0) return;
  for (int64_t i = 0; i < s->needs.n; i++) ncc_pixels_release(&s->needs.items[i].pixels);
  s->sent(s->context, s->bytes); /* after that: the reader may be waiting for their memory */
  free(s->needs.items);
  free(s);
}

static ncc_status take_pixels(ncc_batch *batch, shipment **out) {
  ncc_status status = NCC_OK;
  shipment *s = *out = calloc(1, sizeof *s);
  if (s) s->needs.items = malloc((size_t)batch->needs.n * sizeof *s->needs.items);
  NCC_CHECK(s && s->needs.items, NCC_ERR_NOMEM, "out of memory for a message of pixels");
  s->bytes = ncc_batch_shipped_bytes(batch);
  for (int64_t i = 0; i < batch->needs.n; i++) {
    ncc_need *need = &batch->needs.items[i];
    if (need->state != NCC_NEED_SHIPPED) continue;
    s->needs.items[s->needs.n++] = *need;
    need->pixels = NULL;
  }
cleanup:
  return status;
}

ncc_status ncc_pixels_send(const ncc_comm *comm, ncc_outbox *outbox, int rank, ncc_batch *batch,
                           void (*sent)(void *context, int64_t bytes), void *context) {
  ncc_status status = NCC_OK;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  shipment *s = NULL;
  int64_t need = 0, offset = 0;
  parcel *blocks = malloc(sizeof *blocks);
  NCC_CHECK(blocks, NCC_ERR_NOMEM, "out of memory for a message of pixels");
  NCC_TRY(take_pixels(batch, &s));
  s->sent = sent;
  s->context = context;
  for (;;) {
    MPI_Request request;
    NCC_TRY(next_parcel(&s->needs, &need, &offset, blocks));
    if (blocks->n == 0) break;
    NCC_TRY(parcel_type(blocks, &type));
    NCC_TRY_MPI(MPI_Isend(MPI_BOTTOM, 1, type, rank, NCC_TAG_PIXELS, comm->world, &request));
    MPI_Type_free(&type); /* freed by MPI once the message is sent */
    NCC_TRY(ncc_outbox_add(outbox, request, message_sent, s));
    s->unsent++;
  }
cleanup:
  if (s && s->unsent == 0) { /* nothing was to be shipped; or a failure that ends the process */
    free(s->needs.items);
    free(s);
  }
  if (type != MPI_DATATYPE_NULL) MPI_Type_free(&type);
  free(blocks);
  return status;
}

static ncc_status make_room(const ncc_catalog *catalog, ncc_store *store, ncc_batch *batch, int64_t *total_bytes) {
  ncc_status status = NCC_OK;
  *total_bytes = 0;
  for (int64_t i = 0; i < batch->needs.n; i++) {
    ncc_need *need = &batch->needs.items[i];
    ncc_object_kind kind = (ncc_object_kind)need->kind;
    if (need->state != NCC_NEED_SHIPPED) continue;
    ncc_rect part;
    const int64_t bytes = ncc_need_bytes(batch, need, catalog, &part);
    need->pixels = ncc_store_new(store, kind, need->index, bytes);
    NCC_CHECK(need->pixels, NCC_ERR_NOMEM, "out of memory for %lld bytes of %s %lld", (long long)bytes,
              kind == NCC_IMAGE ? "image" : "template", (long long)ncc_catalog_object(catalog, kind, need->index).id);
    *total_bytes += bytes;
  }
cleanup:
  return status;
}

ncc_status ncc_arrival_start(const ncc_comm *comm, const ncc_catalog *catalog, ncc_store *store, ncc_batch *batch,
                             ncc_arrival *arrival) {
  ncc_status status = NCC_OK;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  int64_t need = 0, offset = 0, total_bytes;
  *arrival = (ncc_arrival){.batch = batch};
  parcel *blocks = malloc(sizeof *blocks);
  NCC_TRY(make_room(catalog, store, batch, &total_bytes));
  int64_t at_most = total_bytes / MESSAGE_BYTES + batch->needs.n / MAX_BLOCKS + 2;
  arrival->requests = malloc((size_t)at_most * sizeof *arrival->requests);
  arrival->expected_bytes = malloc((size_t)at_most * sizeof *arrival->expected_bytes);
  NCC_CHECK(blocks && arrival->requests && arrival->expected_bytes, NCC_ERR_NOMEM,
            "out of memory for messages of pixels");
  for (;;) {
    NCC_TRY(next_parcel(&batch->needs, &need, &offset, blocks));
    if (blocks->n == 0) break;
    NCC_CHECK(arrival->n_requests < at_most, NCC_ERR_INTERNAL, "more than %lld messages of pixels for a batch",
              (long long)at_most);
    NCC_TRY(parcel_type(blocks, &type));
    NCC_TRY_MPI(
        MPI_Irecv(MPI_BOTTOM, 1, type, 0, NCC_TAG_PIXELS, comm->world, &arrival->requests[arrival->n_requests]));
    MPI_Type_free(&type);
    arrival->expected_bytes[arrival->n_requests++] = blocks->bytes;
  }
cleanup:
  if (type != MPI_DATATYPE_NULL) MPI_Type_free(&type);
  free(blocks);
  return status;
}

ncc_status ncc_arrival_poll(ncc_arrival *arrival, bool *complete) {
  ncc_status status = NCC_OK;
  while (arrival->n_arrived < arrival->n_requests) {
    int done = 0;
    MPI_Count bytes;
    MPI_Status received;
    NCC_TRY_MPI(MPI_Test(&arrival->requests[arrival->n_arrived], &done, &received));
    if (!done) break;
    NCC_TRY_MPI(MPI_Get_elements_x(&received, MPI_BYTE, &bytes));
    NCC_CHECK(bytes == arrival->expected_bytes[arrival->n_arrived], NCC_ERR_COMM,
              "a message of %lld bytes of pixels, expected %lld", (long long)bytes,
              (long long)arrival->expected_bytes[arrival->n_arrived]);
    arrival->n_arrived++;
  }
  *complete = arrival->n_arrived == arrival->n_requests;
cleanup:
  return status;
}

void ncc_arrival_clear(ncc_arrival *arrival) {
  free(arrival->requests);
  free(arrival->expected_bytes);
  memset(arrival, 0, sizeof *arrival);
}
