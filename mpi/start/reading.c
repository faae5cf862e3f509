#include "mpi/start/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define FEW_BYTES ((int64_t)64 << 20) /* less is shipped sooner than thousands of ranks have opened a file */

static int64_t all_bytes(const ncc_objects *objects) {
  int64_t bytes = 0;
  if (!objects->items) return objects->count * ncc_object_bytes(&objects->stack);
  for (int64_t i = 0; i < objects->count; i++) {
    const ncc_object object = ncc_objects_get(objects, i);
    if (object.box_image < 0) bytes += ncc_object_bytes(&object);
  }
  return bytes;
}

/** Every rank but 0 opens the input by rank 0's table. @return how all of them fared. */
static ncc_status open_everywhere(const ncc_comm *comm, const ncc_run_options *options, const ncc_catalog *catalog,
                                  ncc_input *input, ncc_reading *reading) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  void *table = NULL;
  int64_t n_bytes = 0;
  if (comm->rank == 0) mine = ncc_input_pack(input, &table, &n_bytes);
  NCC_TRY(ncc_comm_bcast_new(comm, mine, &table, &n_bytes));
  if (comm->rank > 0)
    mine = ncc_input_attach(options->input, options->root, catalog, table, n_bytes, &reading->own_input);
  if (comm->rank > 0 && mine == NCC_OK)
    mine = ncc_input_filter(reading->own_input, &options->search, &options->mask_values);
  NCC_TRY(ncc_comm_agree(comm, mine));
cleanup:
  free(table);
  return status;
}

ncc_status ncc_reading_choose(const ncc_comm *comm, const ncc_run_options *options, const ncc_catalog *catalog,
                              ncc_input *input, ncc_reading *reading) {
  ncc_status status = NCC_OK;
  bool ask = options->read == NCC_READ_AUTO;
  int64_t bytes = all_bytes(&catalog->images) + all_bytes(&catalog->templates);
  *reading = (ncc_reading){.mode = options->read == NCC_READ_ALL ? NCC_READ_ALL : NCC_READ_ROOT};
  if (comm->ranks == 1 || options->read == NCC_READ_ROOT) return NCC_OK;
  if (ask && bytes <= FEW_BYTES) {
    snprintf(reading->reason, sizeof reading->reason, "%s of pixels are few", ncc_size_words((double)bytes));
    return NCC_OK;
  }
  ncc_status agreed = open_everywhere(comm, options, catalog, input, reading);
  NCC_CHECK(agreed == NCC_OK || (ask && agreed != NCC_ERR_COMM), agreed, "%s", ncc_error_message());
  if (agreed == NCC_OK) {
    reading->mode = NCC_READ_ALL;
    if (ask)
      snprintf(reading->reason, sizeof reading->reason, "all see the file, %s of pixels",
               ncc_size_words((double)bytes));
  } else {
    snprintf(reading->reason, sizeof reading->reason, "%.500s", ncc_error_message());
    ncc_input_close(&reading->own_input);
  }
cleanup:
  return status;
}

void ncc_reading_clear(ncc_reading *reading) {
  ncc_input_close(&reading->own_input);
}
