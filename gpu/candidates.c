/** From what a batch has sent home to proposals, with bounds in float64. */
#include "base/arithmetic.h"
#include "base/clock.h"
#include "gpu/state.h"

static ncc_status take_candidates(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t t, ncc_proposal *p) {
  ncc_status status = NCC_OK;
  const ncc_gpu_place *place = &e->place;
  const ncc_rect *search = &e->geometry.search;
  const uint64_t cols = (uint64_t)(search->x1 - search->x0);
  const ncc_gpu_head head = ((const ncc_gpu_head *)slot->results.data)[t];
  const ncc_gpu_item *items =
      (const ncc_gpu_item *)((const ncc_gpu_head *)slot->results.data + slot->count) + t * NCC_GPU_FIRST_ITEMS;
  const int64_t n = ncc_min(head.count, NCC_GPU_LIST);
  if (n > NCC_GPU_FIRST_ITEMS) {
    NCC_TRY(ncc_gpu_reserve(place, &slot->rest, NCC_GPU_LIST * (int64_t)sizeof *items));
    NCC_TRY_CUDA(place, cudaMemcpyAsync(slot->rest.data, (const ncc_gpu_item *)slot->items.data + t * NCC_GPU_LIST,
                                        (size_t)n * sizeof *items, cudaMemcpyDeviceToHost, slot->stream));
    NCC_TRY_CUDA(place, cudaEventRecord(slot->done, slot->stream));
    NCC_TRY_CUDA(place, cudaEventSynchronize(slot->done));
    items = slot->rest.data;
  }
  _Atomic double best = -2;
  if (head.zero) {
    p->zero_y = search->y0 + (int64_t)(~head.zero / cols);
    p->zero_x = search->x0 + (int64_t)(~head.zero % cols);
    p->best = 0;
    best = 0;
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t y = search->y0 + (int64_t)(items[i].at / cols), x = search->x0 + (int64_t)(items[i].at % cols);
    ncc_proposal_consider(p, &slot->bounds[t], y, x, items[i].numerator, items[i].ssd, &best);
  }
  p->any_sure |= head.best != 0;
  if (head.count > NCC_GPU_LIST) {  // any of them may be missing
    p->cut_y = search->y0;
    p->cut_x = search->x0;
  }
  p->error = slot->errors[t];
  p->rounding = e->image.centring.centre != 0 ? slot->bounds[t].relative_slack : 0;
  NCC_TRY(ncc_proposal_finish(p));

cleanup:
  return status;
}

ncc_status ncc_gpu_collect(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t first, int64_t n, ncc_proposal *proposals) {
  ncc_status status = NCC_OK;
  double t0 = ncc_clock_s();
  e->place.batch = slot->batch;
  NCC_TRY_CUDA(&e->place, cudaEventSynchronize(slot->done));
  double t1 = ncc_clock_s();
  e->context->counters->columns_s += t1 - t0;
  for (int64_t t = 0; t < n; t++) NCC_TRY(take_candidates(e, slot, first + t, &proposals[t]));
  e->context->counters->peak_s += ncc_clock_s() - t1;

cleanup:
  return status;
}
