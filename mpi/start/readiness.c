/** Memory and FFT plans before the work; see readiness.h. */
#include "mpi/start/readiness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "match/fft.h"
#include "mpi/rank/pixels.h"
#include "mpi/start/node_memory.h"

/** Different shapes that are looked at one by one; inputs with more are planned for as they come. */
enum { MOST_SHAPES = 256 };

#define HANDOUT_BYTES ((int64_t)64 << 20)

/* ---- memory ------------------------------------------------------------------------------------------------- */

ncc_status ncc_memory_find(const ncc_comm *comm, int64_t wish, int64_t *bytes) {
  *bytes = wish > 0 ? wish : ncc_memory_node_bytes() / comm->node_ranks;
  return ncc_comm_min(comm, NCC_OK, bytes);
}

/* ---- shapes ------------------------------------------------------------------------------------------------- */

typedef struct shape_list {
  struct {
    ncc_object image, tmpl;
  } items[MOST_SHAPES];
  int count;
} shape_list;

static bool same_shape(const ncc_object *a, const ncc_object *b) {
  return a->rows == b->rows && a->cols == b->cols && a->dtype == b->dtype;
}

/** The different (image, template) shapes among the pairs, in order of appearance. */
static void find_shapes(const ncc_catalog *catalog, const int64_t (*indices)[2], shape_list *out) {
  out->count = 0;
  for (int64_t row = 0; row < catalog->n_pairs && out->count < MOST_SHAPES; row++) {
    if (indices[row][0] < 0) continue;
    ncc_object image = ncc_objects_get(&catalog->images, indices[row][0]);
    ncc_object tmpl = ncc_objects_get(&catalog->templates, indices[row][1]);
    int i = out->count - 1;
    while (i >= 0 && !(same_shape(&image, &out->items[i].image) && same_shape(&tmpl, &out->items[i].tmpl))) i--;
    if (i >= 0) continue;
    out->items[out->count].image = image;
    out->items[out->count++].tmpl = tmpl;
  }
}

ncc_status ncc_memory_need(const ncc_run_options *options, int threads, bool shipped, const ncc_object *image,
                           const ncc_object *tmpl, ncc_forecast_memory *out) {
  ncc_config config = {.threads = threads};
  *out = (ncc_forecast_memory){.program_bytes = NCC_PROGRAM_BYTES};
  // At work, and read ahead; and what the last hand-out left.
  out->pixel_bytes = (shipped ? 3 : 2) * (ncc_object_bytes(image) + ncc_object_bytes(tmpl));
  return ncc_matcher_memory(&options->search, &config, image->rows, image->cols, image->dtype, tmpl->rows, tmpl->cols,
                            &out->matcher_bytes);
}

ncc_status ncc_memory_divide(const ncc_catalog *catalog, const int64_t (*indices)[2], const ncc_run_options *options,
                             int threads, bool shipped, ncc_memory *memory) {
  ncc_status status = NCC_OK;
  int64_t limit_bytes = memory->limit_bytes, matcher_bytes = 0, pixel_bytes = 0;
  shape_list *shapes = malloc(sizeof *shapes);
  NCC_CHECK(shapes, NCC_ERR_NOMEM, "out of memory for the shapes of the input");
  find_shapes(catalog, indices, shapes);
  for (int i = 0; i < shapes->count; i++) {
    const ncc_object *image = &shapes->items[i].image, *tmpl = &shapes->items[i].tmpl;
    ncc_forecast_memory need = {0};
    // A file may declare sides of 2^29: where the pixels alone exceed the limit, what else is needed might overflow.
    int64_t bytes = image->rows * image->cols;
    if (bytes <= limit_bytes) {
      NCC_TRY(ncc_memory_need(options, threads, shipped, image, tmpl, &need));
      bytes = need.program_bytes + need.matcher_bytes + need.pixel_bytes;
    }
    NCC_CHECK(bytes <= limit_bytes, NCC_ERR_MEMORY_LIMIT,
              "%s: images of %" PRId64 "x%" PRId64 " with templates of %" PRId64 "x%" PRId64
              " need %.2f GiB a rank, the limit is %.2f GiB%s",
              catalog->path, image->rows, image->cols, tmpl->rows, tmpl->cols, (double)bytes / (1 << 30),
              (double)limit_bytes / (1 << 30), options->memory_bytes > 0 ? " (--memory)" : "");
    matcher_bytes = ncc_max(matcher_bytes, need.matcher_bytes);
    pixel_bytes = ncc_max(pixel_bytes, need.pixel_bytes);
  }
  // Half of the memory at most, because the system's own cache of the file serves all ranks of a node.
  int64_t room_bytes = ncc_min(limit_bytes - NCC_PROGRAM_BYTES - matcher_bytes, limit_bytes / 2);
  memory->chunk_bytes = ncc_max(room_bytes / 16, 0);
  memory->pixel_bytes = ncc_max(room_bytes - 2 * memory->chunk_bytes, pixel_bytes);
  memory->handout_bytes = ncc_min(HANDOUT_BYTES, memory->pixel_bytes / 8);
cleanup:
  free(shapes);
  return status;
}

/* ---- plans -------------------------------------------------------------------------------------------------- */

/** Rank 0: the wisdom of this run, malloc'd; NULL where the library has none. */
static ncc_status learn(const ncc_catalog *catalog, const int64_t (*indices)[2], const ncc_run_options *options,
                        char **wisdom) {
  ncc_status status = NCC_OK;
  shape_list *shapes = malloc(sizeof *shapes);
  char *before = NULL;
  NCC_CHECK(shapes, NCC_ERR_NOMEM, "out of memory for the shapes of the input");
  if (ncc_wisdom_load(options->wisdom) != NCC_OK)
    fprintf(stderr, "mpixcorr: note: %s; planning afresh\n", ncc_error_message());
  before = ncc_fft_wisdom_export();
  find_shapes(catalog, indices, shapes);
  for (int i = 0; i < shapes->count; i++) {
    const ncc_object *image = &shapes->items[i].image, *tmpl = &shapes->items[i].tmpl;
    NCC_TRY(ncc_fft_prepare(&options->search, options->fft_effort, image->rows, image->cols, tmpl->rows, tmpl->cols));
  }
  *wisdom = ncc_fft_wisdom_export();
  bool learnt = *wisdom && (!before || strcmp(before, *wisdom) != 0);
  if (learnt && ncc_wisdom_save(options->wisdom) != NCC_OK)
    fprintf(stderr, "mpixcorr: note: %s\n", ncc_error_message());
cleanup:
  free(before);
  free(shapes);
  return status;
}

ncc_status ncc_planning_share(const ncc_comm *comm, const ncc_catalog *catalog, const int64_t (*indices)[2],
                              const ncc_run_options *options, double *planning_s) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  char *wisdom = NULL;
  double started_s = ncc_clock_s();
  if (comm->rank == 0) mine = learn(catalog, indices, options, &wisdom);
  int64_t bytes = wisdom ? (int64_t)strlen(wisdom) + 1 : 0;
  NCC_TRY(ncc_comm_bcast_new(comm, mine, (void **)&wisdom, &bytes));
  if (bytes == 0) goto cleanup;
  if (comm->rank != 0) ncc_fft_wisdom_import(wisdom);  // on another CPU it may be refused; this rank then plans itself
  *planning_s += ncc_clock_s() - started_s;
cleanup:
  free(wisdom);
  return status;
}
