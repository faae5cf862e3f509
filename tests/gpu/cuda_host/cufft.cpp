/** cuFFT's 1-D batched transforms through FFTW in single precision, when the worker comes to them. */
#include <fftw3.h>

#include "state.h"

namespace {

struct Plan {
  bool made = false, allocates = true;
  long long n = 0, batch = 0, in_stride = 0, in_distance = 0, out_stride = 0, out_distance = 0;
  cufftType type = CUFFT_C2C;
  size_t work_bytes = 0;
  void *work = nullptr;
  bool owns_work = false;
  cudaStream_t stream = nullptr;
  int device = 0;
  std::map<int, fftwf_plan> plans;  // by direction, and whether in place
};

std::map<cufftHandle, std::shared_ptr<Plan>> plans;
int last_handle;

std::shared_ptr<Plan> find_plan(cufftHandle handle) {
  auto found = plans.find(handle);
  return found == plans.end() ? nullptr : found->second;
}

/** FFTW's planner is not safe among threads by itself, and the program plans too. */
void make_planner_safe() {
  static const bool done = (fftwf_make_planner_thread_safe(), true);
  (void)done;
}

fftwf_plan fftw_plan(Plan &p, void *in, void *out, int direction) {
  fftwf_plan &plan = p.plans[2 * direction + (in == out)];
  if (plan) return plan;
  fftwf_iodim64 dim = {p.n, p.in_stride, p.out_stride}, many = {p.batch, p.in_distance, p.out_distance};
  const unsigned flags = FFTW_ESTIMATE | FFTW_UNALIGNED;  // touches no array
  auto *cin = (fftwf_complex *)in, *cout = (fftwf_complex *)out;
  if (p.type == CUFFT_C2C)
    plan = fftwf_plan_guru64_dft(1, &dim, 1, &many, cin, cout, direction, flags);
  else if (p.type == CUFFT_R2C)
    plan = fftwf_plan_guru64_dft_r2c(1, &dim, 1, &many, (float *)in, cout, flags);
  else
    plan = fftwf_plan_guru64_dft_c2r(1, &dim, 1, &many, cin, (float *)out, flags | FFTW_DESTROY_INPUT);
  if (!plan) cuda_host::violation("FFTW has no plan for a transform of %lld points", p.n);
  return plan;
}

/** Bytes from the first element to the end of the last. */
size_t extent(long long count, long long stride, long long batch, long long distance, size_t element) {
  return (size_t)((count - 1) * stride + (batch - 1) * distance + 1) * element;
}

void run(Plan &p, void *work, void *in, void *out, int direction) {
  fftwf_plan plan = fftw_plan(p, in, out, direction);
  auto *cin = (fftwf_complex *)in, *cout = (fftwf_complex *)out;
  if (p.type == CUFFT_C2C)
    fftwf_execute_dft(plan, cin, cout);
  else if (p.type == CUFFT_R2C)
    fftwf_execute_dft_r2c(plan, (float *)in, cout);
  else
    fftwf_execute_dft_c2r(plan, cin, (float *)out);
  if (p.type == CUFFT_C2R && in != out) {  // cuFFT may use the input as it likes
    for (long long b = 0; b < p.batch; ++b)
      for (long long i = 0; i <= p.n / 2; ++i) cuda_host::fill_garbage(cin + b * p.in_distance + i * p.in_stride, 8);
  }
  if (p.work_bytes) cuda_host::fill_garbage(work, p.work_bytes);
}

cufftResult exec(const char *call, cufftHandle handle, cufftType type, void *in, void *out, int direction) {
  using namespace cuda_host;
  std::lock_guard hold(state().lock);
  if (cufftResult error = enter_fft(call)) return error;
  auto p = find_plan(handle);
  if (!p || !p->made || p->type != type) return CUFFT_INVALID_PLAN;
  if (p->work_bytes && !p->work) violation("%s: the plan has no work area", call);
  if (p->device != current_device()) return CUFFT_INVALID_DEVICE;
  if (p->work_bytes) {
    check_range(call, p->work, p->work_bytes, p->device);
    check_order(p->stream, p->work, call);
  }
  long long half = p->n / 2 + 1;
  check_range(
      call, in,
      extent(type == CUFFT_C2R ? half : p->n, p->in_stride, p->batch, p->in_distance, type == CUFFT_R2C ? 4 : 8),
      p->device);
  check_range(
      call, out,
      extent(type == CUFFT_R2C ? half : p->n, p->out_stride, p->batch, p->out_distance, type == CUFFT_C2R ? 4 : 8),
      p->device);
  Operation operation;
  operation.name = call;
  operation.computes = true;
  operation.run = [=, work = p->work] { run(*p, work, in, out, direction); };
  return enqueue(p->stream, std::move(operation)) ? CUFFT_EXEC_FAILED : CUFFT_SUCCESS;
}

}  // namespace

using namespace cuda_host;

extern "C" {

cufftResult cufftGetVersion(int *version) {
  *version = CUFFT_VERSION;
  return CUFFT_SUCCESS;
}

cufftResult cufftCreate(cufftHandle *handle) {
  std::lock_guard hold(state().lock);
  if (cufftResult error = enter_fft(__func__)) return error;
  make_planner_safe();
  *handle = ++last_handle;
  plans[*handle] = std::make_shared<Plan>();
  plans[*handle]->device = current_device();
  ++state().plans;
  return CUFFT_SUCCESS;
}

cufftResult cufftDestroy(cufftHandle handle) {
  std::unique_lock hold(state().lock);
  cufftResult error = enter_fft(__func__);
  auto p = find_plan(handle);
  if (!p) return error ? error : CUFFT_INVALID_PLAN;
  drain_device(hold, p->device);
  for (auto &[key, plan] : p->plans) fftwf_destroy_plan(plan);
  if (p->owns_work) release(find_allocation(p->work));
  plans.erase(handle);
  --state().plans;
  return error;
}

cufftResult cufftSetAutoAllocation(cufftHandle handle, int allocate) {
  std::lock_guard hold(state().lock);
  if (cufftResult error = enter_fft(__func__)) return error;
  auto p = find_plan(handle);
  if (!p || p->made) return CUFFT_INVALID_PLAN;
  p->allocates = allocate != 0;
  return CUFFT_SUCCESS;
}

cufftResult cufftMakePlanMany64(cufftHandle handle, int rank, long long *n, long long *in_embed, long long in_stride,
                                long long in_distance, long long *out_embed, long long out_stride,
                                long long out_distance, cufftType type, long long batch, size_t *work_bytes) {
  std::lock_guard hold(state().lock);
  if (cufftResult error = enter_fft(__func__)) return error;
  auto p = find_plan(handle);
  if (!p || p->made) return CUFFT_INVALID_PLAN;
  if (rank != 1 || !in_embed || !out_embed) return CUFFT_NOT_IMPLEMENTED;  // what nobody uses
  if (type != CUFFT_C2C && type != CUFFT_R2C && type != CUFFT_C2R) return CUFFT_INVALID_TYPE;
  if (n[0] < 1 || batch < 1) return CUFFT_INVALID_SIZE;
  if (in_stride < 1 || out_stride < 1 || in_distance < 1 || out_distance < 1) return CUFFT_INVALID_VALUE;
  p->n = n[0];
  p->batch = batch;
  p->in_stride = in_stride;
  p->in_distance = in_distance;
  p->out_stride = out_stride;
  p->out_distance = out_distance;
  p->type = type;
  // Some of cuFFT's plans need none.
  p->work_bytes = *work_bytes = n[0] % 3 ? (size_t)(n[0] * batch) * sizeof(cufftComplex) : 0;
  if (p->allocates && p->work_bytes) {
    if (allocate(p->work_bytes, p->device, &p->work)) return CUFFT_ALLOC_FAILED;
    p->owns_work = true;
  }
  p->made = true;
  return CUFFT_SUCCESS;
}

cufftResult cufftSetWorkArea(cufftHandle handle, void *work) {
  std::lock_guard hold(state().lock);
  if (cufftResult error = enter_fft(__func__)) return error;
  auto p = find_plan(handle);
  if (!p || !p->made) return CUFFT_INVALID_PLAN;
  if (p->owns_work) release(find_allocation(p->work));
  p->owns_work = false;
  p->work = work;
  return CUFFT_SUCCESS;
}

cufftResult cufftSetStream(cufftHandle handle, cudaStream_t stream) {
  std::lock_guard hold(state().lock);
  if (cufftResult error = enter_fft(__func__)) return error;
  auto p = find_plan(handle);
  if (!p) return CUFFT_INVALID_PLAN;
  p->stream = stream;
  return CUFFT_SUCCESS;
}

cufftResult cufftExecC2C(cufftHandle plan, cufftComplex *in, cufftComplex *out, int direction) {
  return exec(__func__, plan, CUFFT_C2C, in, out, direction);
}

cufftResult cufftExecR2C(cufftHandle plan, cufftReal *in, cufftComplex *out) {
  return exec(__func__, plan, CUFFT_R2C, in, out, CUFFT_FORWARD);
}

cufftResult cufftExecC2R(cufftHandle plan, cufftComplex *in, cufftReal *out) {
  return exec(__func__, plan, CUFFT_C2R, in, out, CUFFT_INVERSE);
}

}  // extern "C"
