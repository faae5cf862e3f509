/** What the stand-in's parts share: the pretended devices, their memory, streams and the worker; see README.md.
 *
 *  One lock guards all of it. One worker thread executes what is queued, an operation at a time, without the lock.
 */
#ifndef CUDA_HOST_STATE_H
#define CUDA_HOST_STATE_H

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "cuda_runtime.h"
#include "cufft.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define CUDA_HOST_ASAN 1
#else
#define CUDA_HOST_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_create_fiber(flags) nullptr
#define __tsan_get_current_fiber() nullptr
#define __tsan_switch_to_fiber(fiber, flags) (void)(fiber)
#endif
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_STACK_REGISTER(from, to) (void)0
#define VALGRIND_MAKE_MEM_UNDEFINED(at, bytes) (void)0
#endif

/** How many operations of each stream (by its number) have surely been executed before something. */
using Clock = std::map<int, uint64_t>;

/** A point in a stream that an event or a wait refers to. */
struct Record {
  bool done = false;
  cuda_host_stream *stream;
  Clock clock;
  long depth = 0;  // steps that had to come one after the other up to here
};

struct Operation {
  std::string name;
  std::function<void()> run;       // empty for records and waits
  std::shared_ptr<Record> record;  // becomes done
  std::shared_ptr<Record> wait;    // must be done before
  bool computes = false;           // a kernel or a transform: one of those that can lose the device
};

struct cuda_host_stream {
  int number, device;  // number: unique; device: physical
  std::deque<Operation> queue;
  bool busy = false;  // the worker executes one of its operations
  Clock clock;
  long depth = 0;  // of the last operation queued
  int owner = 0;   // the host thread that queued it
};

struct cuda_host_event {
  int device;
  std::shared_ptr<Record> record;  // of the last cudaEventRecord(); empty before
};

namespace cuda_host {

/** Garbage that is NaN as float and as double, and no small number as an integer. */
constexpr uint32_t GARBAGE = 0xfff5a5f5;
void fill_garbage(void *at, size_t bytes);

/** A piece of device memory, or of pinned memory (device -1), between pages that cannot be touched. */
struct Allocation {
  char *map, *data;
  size_t map_bytes, bytes;
  int device, number;
};

struct Device {
  bool lost = false;
  size_t used = 0;
};

struct State {
  std::mutex lock;
  std::condition_variable work, finished;
  std::vector<Device> devices;               // all that are pretended
  std::vector<int> visible;                  // ordinal -> physical
  cudaError_t absent = cudaSuccess;          // what every call returns where there is no device
  std::map<char *, Allocation> allocations;  // by data
  std::vector<cuda_host_stream *> streams;
  int events = 0, plans = 0;  // alive
  int numbers = 0;            // given to allocations and streams
  int open_device = -1;       // whose memory can be touched now
  std::mt19937 random;
  Clock host;  // what the host has waited for
};

/** The state; made, with the worker and the report at exit, by the first call. */
State &state();
int current_device();  // physical

// faults.cpp
/** What an environment variable says; fallback where it is unset. */
long setting(const char *name, long fallback);
/** Every call begins here: counts it. @return an injected error, or that of an absent or lost device. Lock held. */
cudaError_t enter(const char *call, bool touches_device = true);
cufftResult enter_fft(const char *call);
/** Whether this kernel or transform is the one at which the device is lost. */
bool loses_device();
/** Remembers an error for cudaGetLastError(). */
cudaError_t remember(cudaError_t error);
void write_counts();
/** The program did what it must not: says so and aborts. */
[[noreturn]] void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

// memory.cpp
Allocation *find_allocation(const void *at);  // NULL: none
cudaError_t allocate(size_t bytes, int device, void **out);
void release(Allocation *allocation);
void open_memory(int device);
void close_memory();
/** The memory around all allocations is as it was. @param name  of the operation that has just been executed. */
void check_guards(const char *name, int device);
/** The range lies in one allocation of the device (-1: pinned). */
void check_range(const char *name, const void *at, size_t bytes, int device);
void catch_faults();

/** Adds to what CUDA_HOST_COUNT tells. Lock held. */
void count(const char *name, long n);

// streams.cpp
/** Steps of the longest chain of operations and waits of which each needs the one before. */
long longest_chain();
cuda_host_stream *make_stream(int device);
/** Queues an operation. @return cudaErrorInvalidResourceHandle where it is no stream of the current device. */
cudaError_t enqueue(cuda_host_stream *stream, Operation operation);
bool valid_stream(cuda_host_stream *stream);
bool worker_is_busy();
void drain_device(std::unique_lock<std::mutex> &lock, int device);
/** An access of the stream's next operation to memory that operations of other streams use too: they must be ordered.
 */
void check_order(cuda_host_stream *stream, const void *memory, const char *name);
void forget_order(const void *memory, size_t bytes);
void start_worker();
void stop_worker();
extern thread_local const char *executing;  // the worker's operation

// launch.cpp
std::string where();  // thread and block of the kernel being executed, or ""

}  // namespace cuda_host
#endif
