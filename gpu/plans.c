/** cuFFT plans: 1-D, batched, in place, with a work area that they share. */
#include "base/arithmetic.h"
#include "base/clock.h"
#include "gpu/state.h"

int64_t ncc_gpu_fft_length(int64_t least, int64_t unit) {
  for (int64_t length = ncc_round_up(least, unit);; length += unit) {
    int64_t rest = length;
    for (int64_t prime = 2; prime <= 7; prime += prime == 2 ? 1 : 2)
      while (rest % prime == 0) rest /= prime;
    if (rest == 1) return length;
  }
}

static bool same(const ncc_gpu_transform *a, const ncc_gpu_transform *b) {
  return a->type == b->type && a->length == b->length && a->stride == b->stride && a->dist == b->dist &&
         a->batch == b->batch;
}

ncc_status ncc_gpu_plan(const ncc_gpu_place *place, cudaStream_t stream, ncc_gpu_plans *plans,
                        const ncc_gpu_transform *t, double *planning_s, cufftHandle *out) {
  ncc_status status = NCC_OK;
  bool made = false;
  int at = 0;  // the plan, or else the one used longest ago
  for (int i = 0; i < NCC_GPU_MOST_PLANS; i++) {
    if (plans->entries[i].used && same(&plans->entries[i].transform, t)) {
      plans->entries[i].used = ++plans->clock;
      *out = plans->entries[i].handle;
      return NCC_OK;
    }
    if (plans->entries[i].used < plans->entries[at].used) at = i;
  }
  double t0 = ncc_clock_s();
  if (plans->entries[at].used) {
    plans->entries[at].used = 0;
    NCC_TRY_CUDA(place, cudaStreamSynchronize(stream));
    NCC_TRY_CUFFT(place, cufftDestroy(plans->entries[at].handle));
  }
  long long n = t->length, real_dist = 2 * t->dist;
  long long in_dist = t->type == CUFFT_R2C ? real_dist : t->dist, out_dist = t->type == CUFFT_C2R ? real_dist : t->dist;
  size_t work_bytes = 0;
  NCC_TRY_CUFFT(place, cufftCreate(out));
  made = true;
  NCC_TRY_CUFFT(place, cufftSetAutoAllocation(*out, 0));
  NCC_TRY_CUFFT(place, cufftMakePlanMany64(*out, 1, &n, &n, t->stride, in_dist, &n, t->stride, out_dist, t->type,
                                           t->batch, &work_bytes));
  NCC_TRY_CUFFT(place, cufftSetStream(*out, stream));
  // An earlier transform may still be at work in the smaller one.
  if ((int64_t)work_bytes > plans->work.bytes) NCC_TRY_CUDA(place, cudaStreamSynchronize(stream));
  NCC_TRY(ncc_gpu_reserve(place, &plans->work, (int64_t)work_bytes));
  plans->entries[at].transform = *t;
  plans->entries[at].handle = *out;
  plans->entries[at].used = ++plans->clock;
  made = false;
  *planning_s += ncc_clock_s() - t0;

cleanup:
  if (made) cufftDestroy(*out);
  return status;
}

ncc_status ncc_gpu_execute(const ncc_gpu_place *place, cudaStream_t stream, ncc_gpu_plans *plans,
                           const ncc_gpu_transform *t, int direction, void *data, double *planning_s) {
  ncc_status status = NCC_OK;
  cufftHandle plan;
  NCC_TRY(ncc_gpu_plan(place, stream, plans, t, planning_s, &plan));
  if (plans->work.data) NCC_TRY_CUFFT(place, cufftSetWorkArea(plan, plans->work.data));
  if (t->type == CUFFT_R2C)
    NCC_TRY_CUFFT(place, cufftExecR2C(plan, data, data));
  else if (t->type == CUFFT_C2R)
    NCC_TRY_CUFFT(place, cufftExecC2R(plan, data, data));
  else
    NCC_TRY_CUFFT(place, cufftExecC2C(plan, data, data, direction));

cleanup:
  return status;
}

void ncc_gpu_plans_clear(ncc_gpu_plans *plans) {
  for (int i = 0; i < NCC_GPU_MOST_PLANS; i++)
    if (plans->entries[i].used) cufftDestroy(plans->entries[i].handle);
  ncc_gpu_release(&plans->work);
  *plans = (ncc_gpu_plans){0};
}
