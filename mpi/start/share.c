#include "mpi/start/share.h"

#include <stdlib.h>

typedef struct outline {
  int64_t count, listed; /* `listed`: a list of items follows */
  ncc_object stack;
} outline;

static ncc_status share_objects(const ncc_comm *comm, const ncc_objects *mine, ncc_objects *out) {
  ncc_status status = NCC_OK;
  outline head = {0};
  void *items = mine ? mine->items : NULL;
  if (mine) head = (outline){mine->count, items != NULL, mine->stack};
  NCC_TRY(ncc_comm_bcast(comm, NCC_OK, &head, sizeof head));
  int64_t bytes = head.listed ? head.count * (int64_t)sizeof *out->items : 0;
  NCC_TRY(ncc_comm_bcast_new(comm, NCC_OK, &items, &bytes));
  if (!mine) *out = (ncc_objects){.count = head.count, .stack = head.stack, .items = items};
cleanup:
  return status;
}

ncc_status ncc_catalog_share(const ncc_comm *comm, const ncc_catalog *mine, ncc_catalog *out) {
  ncc_status status = NCC_OK;
  NCC_TRY(share_objects(comm, mine ? &mine->images : NULL, &out->images));
  NCC_TRY(share_objects(comm, mine ? &mine->templates : NULL, &out->templates));
cleanup:
  return status;
}
