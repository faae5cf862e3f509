/** The CPU engine: float32 FFTs that never write a map.
 *
 *  For an image of M x N and a template of m x n, both as far as they can reach the search:
 *
 *    image     rows:     eight at a time, two real rows packed as one complex, transformed in parts that stay in the
 *                        first cache (kernels/cut.h), unpacked into a strip: eight half spectra, column by column
 *              columns:  eight at a time, transformed in parts; kept as the image's spectrum
 *    template  rows:     the m non-zero rows, mean-free, reversed (so that a product is a correlation), as the image's
 *    product   columns:  what is not zero, forward, times the spectrum, inverse, part by part; needed rows go to strips
 *    peak      rows:     eight packed as four, inverse, searched (peak.c)
 *
 *  The threads of the pool share every stage, so one huge pair fills the cores as many small ones do, and memory does
 *  not grow with threads but for rows and columns in cache. Where one template alone is expected on an image, its
 *  spectrum is never kept: each of its columns is transformed, multiplied and transformed back while in cache, in
 * place.
 */
#include <stdlib.h>

#include "base/error.h"
#include "match/cpu/state.h"

ncc_status ncc_cpu_create(const ncc_engine_context *context, ncc_cpu_way way, void **state) {
  ncc_status status = NCC_OK;
  *state = NULL;
  ncc_cpu *e = calloc(1, sizeof *e);
  NCC_CHECK(e, NCC_ERR_NOMEM, "out of memory for the CPU engine");
  e->context = context;
  e->way = way;
  e->kernels = ncc_kernels_get();
  e->threads = ncc_pool_threads(context->pool);
  *state = e;
  e->scratch = calloc((size_t)e->threads, sizeof *e->scratch);
  NCC_CHECK(e->scratch, NCC_ERR_NOMEM, "out of memory for the CPU engine");
  for (int t = 0; t < e->threads; t++) NCC_TRY(ncc_proposal_create(NCC_CPU_CANDIDATES, &e->scratch[t].found));

cleanup:
  return status;
}

static ncc_status create_with_half(const ncc_engine_context *context, ncc_cpu_way way, void **state) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_cpu_create(context, way, state));
  if (context->config->proposals == NCC_PROPOSALS_AUTO)
    NCC_TRY(ncc_cpu_half_create(context, &((ncc_cpu *)*state)->half));

cleanup:
  return status;
}

static ncc_status cpu_create(const ncc_engine_context *context, void **state) {
  return create_with_half(context, NCC_CPU_CHEAPER, state);
}

static ncc_status transforming_create(const ncc_engine_context *context, void **state) {
  return ncc_cpu_create(context, NCC_CPU_ALWAYS_TRANSFORMED, state);
}

static ncc_status half_create(const ncc_engine_context *context, void **state) {
  return create_with_half(context, NCC_CPU_ALWAYS_HALF, state);
}

static ncc_status direct_create(const ncc_engine_context *context, void **state) {
  return ncc_cpu_create(context, NCC_CPU_ALWAYS_DIRECT, state);
}

void ncc_cpu_destroy(void *state) {
  ncc_cpu *e = state;
  if (!e) return;
  ncc_cpu_half_destroy(e->half);
  for (int t = 0; e->scratch && t < e->threads; t++) ncc_proposal_clear(&e->scratch[t].found);
  free(e->scratch);
  ncc_buffer_free(&e->scratch_buffer);
  ncc_buffer_free(&e->image.spectrum);
  ncc_buffer_free(&e->strips);
  ncc_buffer_free(&e->search.reach_buf);
  ncc_buffer_free(&e->tmpl.strips);
  ncc_buffer_free(&e->tmpl.prefix);
  ncc_buffer_free(&e->rim.integral);
  ncc_buffer_free(&e->rim.inverse);
  ncc_cpu_direct_clear(e);
  ncc_template_overlap_clear(&e->rim.tmpl);
  ncc_stats_clear(&e->windows.stats);
  ncc_cells_clear(&e->windows.cells);
  free(e);
}

static ncc_status propose_one(ncc_cpu *e, const ncc_task *task, ncc_proposal *out) {
  ncc_status status = NCC_OK;
  e->task = task;
  e->search.again = task->again && !ncc_cpu_half_was_used(e->half);
  if (!task->again) {
    bool done;
    NCC_TRY(ncc_cpu_half_propose(e, out, &done));
    if (done) return NCC_OK;
  }
  if (!e->search.again) {
    NCC_TRY(ncc_cpu_image_prepare(e));
    NCC_TRY(ncc_cpu_product_make(e));
  }
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  NCC_TRY(ncc_cpu_search_run(e, out));

cleanup:
  return status;
}

static ncc_status cpu_propose(void *state, int64_t n, const ncc_task *tasks, ncc_proposal *proposals) {
  ncc_status status = NCC_OK;
  ncc_cpu *e = state;
  const ncc_engine_context *context = e->context;
  for (int64_t i = 0; i < n; i++) {
    NCC_TRY(propose_one(e, &tasks[i], &proposals[i]));
    if (context->proposed && !tasks[i].again) NCC_TRY(context->proposed(context->user, i));
  }

cleanup:
  return status;
}

#define CPU_OPS(its_name, its_create, its_bytes)                                                \
  {                                                                                             \
    .name = its_name, .create = its_create, .destroy = ncc_cpu_destroy, .propose = cpu_propose, \
    .ignores_outside = true, .bytes = its_bytes                                                 \
  }

const ncc_engine_ops *ncc_engine_cpu(void) {
  static const ncc_engine_ops ops = CPU_OPS("cpu", cpu_create, ncc_cpu_bytes);
  return &ops;
}

const ncc_engine_ops *ncc_engine_cpu_transforming(void) {
  static const ncc_engine_ops ops = CPU_OPS("cpu-transforming", transforming_create, NULL);
  return &ops;
}

const ncc_engine_ops *ncc_engine_cpu_direct(void) {
  static const ncc_engine_ops ops = CPU_OPS("cpu-direct", direct_create, NULL);
  return &ops;
}

const ncc_engine_ops *ncc_engine_cpu_half(void) {
  static const ncc_engine_ops ops = CPU_OPS("cpu-half", half_create, NULL);
  return &ops;
}
