/** Streams and events, and the worker that executes what they hold: at once, in random order, or as late as may be.
 *
 *  CUDA_HOST_SCHEDULE
 *    early   as soon as it is queued, while the host goes on
 *    late    only what a synchronisation asks for, and what that waits for
 *    random  (default) after each call none to two operations of any streams; at a synchronisation as many as it takes
 */
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "state.h"

namespace cuda_host {

thread_local const char *executing;

namespace {

enum Schedule { EARLY, LATE, RANDOM };

/** What a host thread waits for: a stream to be empty or a record to be done. */
struct Want {
  cuda_host_stream *stream;
  Record *record;
  bool met() const { return record ? record->done : stream->queue.empty() && !stream->busy; }
};

std::thread *worker;
bool stopping;
long permits;  // operations that may be executed although nobody waits for them
std::vector<Want *> wants;

int threads;                     // of the host that have queued something
thread_local int thread_number;  // of this one, from 1
thread_local long host_depth;    // of what this thread has waited for
long chain;

/** Host threads whose operations wait or are being executed. */
long threads_at_work() {
  std::vector<bool> found((size_t)threads + 1);
  for (auto *stream : state().streams)
    if (stream->busy || !stream->queue.empty()) found[(size_t)stream->owner] = true;
  return std::count(found.begin(), found.end(), true);
}

/** This thread goes on knowing that a chain of so many steps is done: one step more. */
void waited(long depth) {
  host_depth = std::max(host_depth, depth) + 1;
  chain = std::max(chain, host_depth);
}

Schedule schedule() {
  static const Schedule chosen = [] {
    const char *name = getenv("CUDA_HOST_SCHEDULE");
    if (!name || !*name || strcmp(name, "random") == 0) return RANDOM;
    if (strcmp(name, "early") == 0) return EARLY;
    if (strcmp(name, "late") == 0) return LATE;
    violation("CUDA_HOST_SCHEDULE=%s: early, late or random", name);
  }();
  return chosen;
}

bool ready(const cuda_host_stream *stream) {
  if (stream->queue.empty() || stream->busy) return false;
  const auto &wait = stream->queue.front().wait;
  return !wait || wait->done;
}

/** The stream whose next operation a stream needs to go on: itself, or one that it waits for. */
cuda_host_stream *needed(cuda_host_stream *stream) {
  while (!stream->queue.empty() && stream->queue.front().wait && !stream->queue.front().wait->done)
    stream = stream->queue.front().wait->stream;
  return stream->queue.empty() ? nullptr : stream;
}

cuda_host_stream *any_ready() {
  State &s = state();
  std::vector<cuda_host_stream *> choice;
  for (auto *stream : s.streams) {
    if (ready(stream)) choice.push_back(stream);
  }
  return choice.empty() ? nullptr : choice[s.random() % choice.size()];
}

cuda_host_stream *choose() {
  if (schedule() == EARLY) return any_ready();
  if (permits > 0) {
    --permits;
    if (auto *stream = any_ready()) return stream;
    permits = 0;
  }
  for (Want *want : wants) {
    if (want->met()) continue;
    if (schedule() == RANDOM && state().random() % 2) return any_ready();
    return needed(want->record ? want->record->stream : want->stream);
  }
  return nullptr;
}

void execute(std::unique_lock<std::mutex> &lock, cuda_host_stream *stream) {
  State &s = state();
  Operation operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  Device &device = s.devices[(size_t)stream->device];
  if (operation.run && operation.computes && !device.lost && loses_device()) device.lost = true;
  if (operation.run && !device.lost) {
    stream->busy = true;
    if (operation.computes) count("under_way", threads_at_work());
    open_memory(stream->device);
    executing = operation.name.c_str();
    lock.unlock();
    operation.run();
    lock.lock();
    check_guards(executing, stream->device);
    executing = nullptr;
    stream->busy = false;
  }
  if (operation.record) operation.record->done = true;
}

void work() {
  State &s = state();
  std::unique_lock lock(s.lock);
  while (!stopping) {
    if (cuda_host_stream *stream = choose()) {
      execute(lock, stream);
    } else {
      close_memory();
      s.work.wait(lock);
    }
    s.finished.notify_all();
  }
}

void join(Clock &into, const Clock &from) {
  for (auto &[stream, n] : from) into[stream] = std::max(into[stream], n);
}

/** Waits, lock held, and knows then that all of that is done. */
void wait_for(std::unique_lock<std::mutex> &lock, Want want, const Clock &clock) {
  State &s = state();
  const long depth = want.record ? want.record->depth : want.stream->depth;
  wants.push_back(&want);
  s.work.notify_one();
  s.finished.wait(lock, [&] { return want.met(); });
  wants.erase(std::find(wants.begin(), wants.end(), &want));
  // The worker may not have come round to it: from here on the host must not touch the device.
  if (!worker_is_busy()) close_memory();
  join(s.host, clock);
  waited(depth);
}

/** Last accesses to work areas: stream and its operation's number. */
std::map<const void *, std::pair<int, uint64_t>> accesses;

}  // namespace

long longest_chain() {
  return chain;
}

void start_worker() {
  if (!worker) worker = new std::thread(work);
}

void stop_worker() {
  if (!worker) return;
  {
    std::lock_guard hold(state().lock);
    stopping = true;
    state().work.notify_one();
  }
  worker->join();
  delete worker;
  worker = nullptr;
}

bool valid_stream(cuda_host_stream *stream) {
  State &s = state();
  return std::find(s.streams.begin(), s.streams.end(), stream) != s.streams.end();
}

bool worker_is_busy() {
  for (auto *stream : state().streams) {
    if (stream->busy) return true;
  }
  return false;
}

cudaError_t enqueue(cuda_host_stream *stream, Operation operation) {
  State &s = state();
  if (!stream) violation("%s in the default stream, which is ordered with others: not wanted", operation.name.c_str());
  if (!valid_stream(stream) || stream->device != current_device()) return remember(cudaErrorInvalidResourceHandle);
  join(stream->clock, s.host);
  ++stream->clock[stream->number];
  if (operation.record) {
    operation.record->stream = stream;
    operation.record->clock = stream->clock;
  }
  if (!thread_number) thread_number = ++threads;
  stream->owner = thread_number;
  stream->depth = std::max(stream->depth, host_depth);
  if (operation.run) chain = std::max(chain, ++stream->depth);
  if (operation.record) operation.record->depth = stream->depth;
  if (operation.wait) {
    join(stream->clock, operation.wait->clock);
    stream->depth = std::max(stream->depth, operation.wait->depth);
  }
  stream->queue.push_back(std::move(operation));
  if (schedule() == RANDOM) permits += s.random() % 3;
  start_worker();
  s.work.notify_one();
  return cudaSuccess;
}

void drain_device(std::unique_lock<std::mutex> &lock, int device) {
  State &s = state();
  for (size_t i = 0; i < s.streams.size(); ++i) {
    if (s.streams[i]->device == device) wait_for(lock, {s.streams[i], nullptr}, s.streams[i]->clock);
  }
}

void check_order(cuda_host_stream *stream, const void *memory, const char *name) {
  if (!valid_stream(stream)) return;
  Clock now = stream->clock;
  join(now, state().host);
  auto last = accesses.find(memory);
  if (last != accesses.end() && last->second.first != stream->number && now[last->second.first] < last->second.second)
    violation("%s: its work area is in use by another stream, without an event or synchronisation between", name);
  accesses[memory] = {stream->number, stream->clock[stream->number] + 1};
}

void forget_order(const void *memory, size_t bytes) {
  auto from = accesses.lower_bound(memory);
  accesses.erase(from, accesses.lower_bound((const char *)memory + bytes));
}

}  // namespace cuda_host

using namespace cuda_host;

namespace {

/** A copy's two sides: which is the device's. */
void check_copy(const char *call, const void *to, size_t to_bytes, const void *from, size_t from_bytes,
                cudaMemcpyKind kind) {
  int device = current_device();
  check_range(call, to, to_bytes, kind == cudaMemcpyDeviceToHost ? -1 : device);
  check_range(call, from, from_bytes, kind == cudaMemcpyHostToDevice ? -1 : device);
}

cudaError_t queue(const char *call, cudaStream_t stream, std::function<void()> run) {
  Operation operation;
  operation.name = call;
  operation.run = std::move(run);
  return enqueue(stream, std::move(operation));
}

}  // namespace

extern "C" {

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (bytes == 0) return cudaSuccess;
  check_copy(__func__, to, bytes, from, bytes, kind);
  count(kind == cudaMemcpyHostToDevice ? "bytes_in" : "bytes_out", (long)bytes);
  return queue(__func__, stream, [=] { memcpy(to, from, bytes); });
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (width > to_pitch || width > from_pitch) return remember(cudaErrorInvalidValue);
  if (width == 0 || height == 0) return cudaSuccess;
  check_copy(__func__, to, (height - 1) * to_pitch + width, from, (height - 1) * from_pitch + width, kind);
  count(kind == cudaMemcpyHostToDevice ? "bytes_in" : "bytes_out", (long)(width * height));
  return queue(__func__, stream, [=] {
    for (size_t i = 0; i < height; ++i) memcpy((char *)to + i * to_pitch, (const char *)from + i * from_pitch, width);
  });
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (bytes == 0) return cudaSuccess;
  check_range(__func__, to, bytes, current_device());
  return queue(__func__, stream, [=] { memset(to, value, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
  State &s = state();
  std::lock_guard hold(s.lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (flags != cudaStreamNonBlocking) violation("%s: only cudaStreamNonBlocking is wanted", __func__);
  *stream = new cuda_host_stream;
  (*stream)->number = ++s.numbers;
  (*stream)->device = current_device();
  s.streams.push_back(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  State &s = state();
  std::unique_lock hold(s.lock);
  cudaError_t error = enter(__func__);
  if (!valid_stream(stream)) return error ? error : remember(cudaErrorInvalidResourceHandle);
  // CUDA lets the rest of its work finish first. The host does not know of it.
  wait_for(hold, {stream, nullptr}, {});
  s.streams.erase(std::find(s.streams.begin(), s.streams.end(), stream));
  s.host.erase(stream->number);
  delete stream;
  return error;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  std::unique_lock hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (!valid_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
  Clock clock = stream->clock;
  wait_for(hold, {stream, nullptr}, clock);
  return state().devices[(size_t)stream->device].lost ? enter(__func__) : cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (!event) return remember(cudaErrorInvalidResourceHandle);
  if (!event->record) return cudaSuccess;  // never recorded: nothing to wait for
  Operation operation;
  operation.name = __func__;
  operation.wait = event->record;
  return enqueue(stream, std::move(operation));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  *event = new cuda_host_event;
  (*event)->device = current_device();
  ++state().events;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  std::lock_guard hold(state().lock);
  cudaError_t error = enter(__func__);
  if (!event) return error ? error : remember(cudaErrorInvalidResourceHandle);
  --state().events;
  delete event;
  return error;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (!event || event->device != current_device()) return remember(cudaErrorInvalidResourceHandle);
  Operation operation;
  operation.name = __func__;
  operation.record = std::make_shared<Record>();
  auto record = operation.record;
  cudaError_t error = enqueue(stream, std::move(operation));
  if (!error) event->record = record;
  return error;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::unique_lock hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  if (!event) return remember(cudaErrorInvalidResourceHandle);
  auto record = event->record;  // kept: the event may be recorded anew meanwhile
  if (!record) return cudaSuccess;
  if (!record->done)
    wait_for(hold, {nullptr, record.get()}, record->clock);
  else
    waited(record->depth);
  join(state().host, record->clock);
  return state().devices[(size_t)event->device].lost ? enter(__func__) : cudaSuccess;
}

}  // extern "C"
