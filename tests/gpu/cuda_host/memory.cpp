/** Device and pinned memory: each allocation between pages that cannot be touched, its end against the last of them.
 *
 *  What lies between an allocation and those pages is garbage and looked at after every operation (or, under ASan,
 *  poisoned). Device memory can be touched only while the worker executes.
 */
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "state.h"

namespace cuda_host {

namespace {

constexpr size_t ALIGNMENT = 256, FRONT = 256;  // how much before the data is looked at

size_t page() {
  static const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  return bytes;
}

struct sigaction previous_handler;

/** The two strips of garbage around the data. */
struct Strips {
  char *front, *back;
  size_t front_bytes, back_bytes;
};

Strips strips(const Allocation &a) {
  char *first = a.map + page(), *end = a.map + a.map_bytes - page();
  size_t front = (size_t)(a.data - first), back = (size_t)(end - (a.data + a.bytes));
  return {a.data - (front < FRONT ? front : FRONT), a.data + a.bytes, front < FRONT ? front : FRONT, back};
}

/** Garbage is known by its address, so that a strip can begin anywhere. */
[[maybe_unused]] char garbage_at(const char *at) {
  return (char)(GARBAGE >> (8 * ((uintptr_t)at & 3)));
}

void prepare_strip([[maybe_unused]] char *at, [[maybe_unused]] size_t bytes) {
#if CUDA_HOST_ASAN
  __asan_poison_memory_region(at, bytes);
#else
  for (size_t i = 0; i < bytes; ++i) at[i] = garbage_at(at + i);
#endif
}

void check_strip([[maybe_unused]] const Allocation &a, [[maybe_unused]] const char *at, [[maybe_unused]] size_t bytes,
                 [[maybe_unused]] const char *name) {
#if !CUDA_HOST_ASAN
  for (size_t i = 0; i < bytes; ++i) {
    if (at[i] != garbage_at(at + i))
      violation("%s wrote to byte %td of allocation %d, which has %zu", name, at + i - a.data, a.number, a.bytes);
  }
#endif
}

/** A fault in or beside an allocation is told in words; any other goes where it would have gone. */
void on_fault(int number, siginfo_t *info, void *context) {
  char *at = (char *)info->si_addr;
  for (auto &[data, a] : state().allocations) {
    if (at < a.map || at >= a.map + a.map_bytes) continue;
    long byte = at - a.data;
    const char *kind = a.device < 0 ? "pinned" : "device";
    if (executing)
      violation("%s%s touched byte %ld of allocation %d, %zu bytes of %s memory", executing, where().c_str(), byte,
                a.number, a.bytes, kind);
    violation("the host touched byte %ld of allocation %d, %zu bytes of %s memory", byte, a.number, a.bytes, kind);
  }
  if (previous_handler.sa_flags & SA_SIGINFO) {
    previous_handler.sa_sigaction(number, info, context);
  } else {
    sigaction(number, &previous_handler, nullptr);  // and faults again
  }
}

}  // namespace

void fill_garbage(void *at, size_t bytes) {
  size_t done = std::min(bytes, sizeof GARBAGE);
  memcpy(at, &GARBAGE, done);
  while (done < bytes) {  // the fastest in builds that are not optimised too
    size_t more = std::min(done, bytes - done);
    memcpy((char *)at + done, at, more);
    done += more;
  }
}

Allocation *find_allocation(const void *at) {
  auto &all = state().allocations;
  auto next = all.upper_bound((char *)at);
  if (next == all.begin()) return nullptr;
  Allocation &a = std::prev(next)->second;
  return (char *)at < a.data + a.bytes || at == a.data ? &a : nullptr;
}

cudaError_t allocate(size_t bytes, int device, void **out) {
  State &s = state();
  size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t inner = (whole + page() - 1) / page() * page();
  if (device >= 0) {
    size_t total = (size_t)setting("CUDA_HOST_MEMORY", 512L << 20), oom = (size_t)setting("CUDA_HOST_OOM", 0);
    size_t limit = oom && oom < total ? oom : total, &used = s.devices[(size_t)device].used;
    if (whole > limit - used) return cudaErrorMemoryAllocation;
    used += whole;
  }
  void *map = mmap(nullptr, inner + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return cudaErrorMemoryAllocation;
  char *end = (char *)map + page() + inner;
  Allocation a = {(char *)map, end - whole, inner + 2 * page(), bytes, device, ++s.numbers};
  mprotect((char *)map + page(), inner, PROT_READ | PROT_WRITE);
  fill_garbage(a.data, bytes);
  Strips beside = strips(a);
  prepare_strip(beside.front, beside.front_bytes);
  prepare_strip(beside.back, beside.back_bytes);
  (void)VALGRIND_MAKE_MEM_UNDEFINED(a.data, bytes);
  if (device >= 0 && device != s.open_device) mprotect((char *)map + page(), inner, PROT_NONE);
  s.allocations[a.data] = a;
  *out = a.data;
  return cudaSuccess;
}

void release(Allocation *allocation) {
  Allocation a = *allocation;
  if (a.device >= 0) state().devices[(size_t)a.device].used -= (a.bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  forget_order(a.data, a.bytes);
  state().allocations.erase(a.data);
#if CUDA_HOST_ASAN
  __asan_unpoison_memory_region(a.map, a.map_bytes);
#endif
  munmap(a.map, a.map_bytes);
}

void open_memory(int device) {
  State &s = state();
  if (s.open_device == device) return;
  close_memory();
  s.open_device = device;
  for (auto &[data, a] : s.allocations) {
    if (a.device == device) mprotect(a.map + page(), a.map_bytes - 2 * page(), PROT_READ | PROT_WRITE);
  }
}

void close_memory() {
  State &s = state();
  for (auto &[data, a] : s.allocations) {
    if (a.device >= 0 && a.device == s.open_device) mprotect(a.map + page(), a.map_bytes - 2 * page(), PROT_NONE);
  }
  s.open_device = -1;
}

void check_guards(const char *name, int device) {
  for (auto &[data, a] : state().allocations) {
    if (a.device != device && a.device >= 0) continue;
    Strips beside = strips(a);
    check_strip(a, beside.front, beside.front_bytes, name);
    check_strip(a, beside.back, beside.back_bytes, name);
  }
}

void check_range(const char *name, const void *at, size_t bytes, int device) {
  const Allocation *a = find_allocation(at);
  const char *kind = device < 0 ? "pinned" : "device";
  if (!a || a->device != device) violation("%s: %p is not in %s memory (of this device)", name, at, kind);
  if ((const char *)at + bytes > a->data + a->bytes)
    violation("%s: bytes %td to %td of allocation %d, which has %zu", name, (const char *)at - a->data,
              (const char *)at - a->data + (ptrdiff_t)bytes, a->number, a->bytes);
}

void catch_faults() {
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &previous_handler);
}

}  // namespace cuda_host

using namespace cuda_host;

namespace {

cudaError_t free_memory(const char *call, void *pointer, bool pinned) {
  std::unique_lock hold(state().lock);
  cudaError_t error = enter(call);
  if (!pointer || state().absent) return error;
  Allocation *a = find_allocation(pointer);
  if (!a || a->data != pointer || (a->device < 0) != pinned) violation("%s: %p was not allocated so", call, pointer);
  // As in CUDA, memory is not given back under the operations that use it.
  for (int device = 0; device < (int)state().devices.size(); ++device) {
    if (pinned || device == a->device) drain_device(hold, device);
  }
  a = find_allocation(pointer);
  if (!worker_is_busy()) {  // with another host thread's work
    if (!pinned) open_memory(a->device);
    check_guards(call, a->device);
    close_memory();
  }
  release(a);
  return error;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  return remember(allocate(bytes, current_device(), pointer));
}

cudaError_t cudaFree(void *pointer) {
  return free_memory(__func__, pointer, false);
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  return remember(allocate(bytes, -1, pointer));
}

cudaError_t cudaFreeHost(void *pointer) {
  return free_memory(__func__, pointer, true);
}

}  // extern "C"
