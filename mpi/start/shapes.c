#include "mpi/start/shapes.h"

#include <string.h>

static ncc_status share_objects(const ncc_comm *comm, const ncc_objects *mine, ncc_objects *out) {
  ncc_status status = NCC_OK;
  ncc_objects head = {0};
  void *items = mine ? mine->items : NULL, *ids = mine ? mine->ids : NULL;
  if (mine) head = *mine;
  NCC_TRY(ncc_comm_bcast(comm, NCC_OK, &head, sizeof head));
  int64_t item_bytes = head.items ? head.count * (int64_t)sizeof *head.items : 0;
  int64_t id_bytes = head.ids ? head.count * (int64_t)sizeof *head.ids : 0;
  NCC_TRY(ncc_comm_bcast_new(comm, NCC_OK, &items, &item_bytes));
  if (!mine) {
    *out = head;
    out->capacity = out->n_lost = 0;
    out->items = items;
    out->ids = NULL;
    out->lost = NULL;
  }
  NCC_TRY(ncc_comm_bcast_new(comm, NCC_OK, &ids, &id_bytes));
  if (!mine) out->ids = ids;
cleanup:
  return status;
}

ncc_status ncc_catalog_bcast(const ncc_comm *comm, const ncc_catalog *mine, ncc_catalog *out) {
  ncc_status status = NCC_OK;
  bool one_mask[2] = {false};
  NCC_TRY(share_objects(comm, mine ? &mine->images : NULL, &out->images));
  NCC_TRY(share_objects(comm, mine ? &mine->templates : NULL, &out->templates));
  for (int i = 0; i < 2; i++) NCC_TRY(share_objects(comm, mine ? &mine->masks[i] : NULL, &out->masks[i]));
  if (mine) memcpy(one_mask, mine->one_mask, sizeof one_mask);
  NCC_TRY(ncc_comm_bcast(comm, NCC_OK, one_mask, sizeof one_mask));
  memcpy(out->one_mask, one_mask, sizeof one_mask);
cleanup:
  return status;
}
