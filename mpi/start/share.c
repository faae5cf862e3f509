#include "mpi/start/share.h"

#include <stdlib.h>

typedef struct outline {
  int64_t count, listed; /* `listed`: a list of items follows */
  ncc_object stack;
} outline;

static ncc_status share_objects(const ncc_comm *comm, const ncc_objects *mine, ncc_objects *out) {
  ncc_status status = NCC_OK;
  outline head = {0};
  ncc_object *items = NULL;
  if (comm->rank == 0) head = (outline){mine->count, mine->items != NULL, mine->stack};
  NCC_TRY(ncc_comm_bcast(comm, &head, sizeof head, 0));
  if (comm->rank > 0) *out = (ncc_objects){.count = head.count, .stack = head.stack};
  if (!head.listed) goto cleanup;
  int64_t bytes = head.count * (int64_t)sizeof *items;
  items = comm->rank == 0 ? mine->items : malloc((size_t)bytes + 1);
  ncc_status memory =
      items ? NCC_OK : ncc_error_set(NCC_ERR_NOMEM, "out of memory for %lld objects", (long long)head.count);
  NCC_TRY(ncc_comm_agree(comm, memory)); /* a broadcast needs all ranks */
  NCC_TRY(ncc_comm_bcast(comm, items, bytes, 0));
  if (comm->rank > 0) out->items = items;
  items = NULL;
cleanup:
  if (comm->rank > 0) free(items);
  return status;
}

ncc_status ncc_catalog_share(const ncc_comm *comm, const ncc_catalog *mine, ncc_catalog *out) {
  ncc_status status = NCC_OK;
  NCC_TRY(share_objects(comm, mine ? &mine->images : NULL, &out->images));
  NCC_TRY(share_objects(comm, mine ? &mine->templates : NULL, &out->templates));
cleanup:
  return status;
}
