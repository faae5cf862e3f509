/** Injected errors, counts of calls, violations, and the report at exit. */
#include <fcntl.h>
#include <unistd.h>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "state.h"

namespace cuda_host {

namespace {

pid_t owner;  // a child of fork() has no CUDA
std::map<std::string, long> counts;
long computed;
thread_local cudaError_t last_error;

/** CUDA_HOST_FAIL=name:n[=code],...: the code for the nth call of a name, 0: none, -1: failure with the usual code. */
long injected(const char *call, long n) {
  const char *p = getenv("CUDA_HOST_FAIL");
  while (p && *p) {
    char name[64];
    long at = 0, code = -1;
    if (sscanf(p, "%63[^:]:%ld=%ld", name, &at, &code) >= 2 && at == n && strcmp(name, call) == 0) return code;
    p = strchr(p, ',');
    if (p) ++p;
  }
  return 0;
}

/** UUID of a pretended device, as nvidia-smi prints it. */
std::string uuid_text(int device) {
  char text[64];
  snprintf(text, sizeof text, "GPU-c0da0057-0000-4000-8000-%012x", device);
  return text;
}

/** CUDA_VISIBLE_DEVICES: indices and beginnings of UUIDs up to the first that names no device. */
void find_visible(State &s) {
  const char *list = getenv("CUDA_VISIBLE_DEVICES");
  int n = (int)s.devices.size();
  if (!list) {
    for (int i = 0; i < n; ++i) s.visible.push_back(i);
    return;
  }
  for (std::string rest = list; !rest.empty();) {
    std::string item = rest.substr(0, rest.find(','));
    rest = item.size() < rest.size() ? rest.substr(item.size() + 1) : "";
    int found = -1;
    char *end;
    long index = strtol(item.c_str(), &end, 10);
    if (!item.empty() && !*end) {
      found = index >= 0 && index < n ? (int)index : -1;
    } else if (item.compare(0, 4, "GPU-") == 0) {
      for (int i = 0; i < n; ++i)
        if (uuid_text(i).compare(0, item.size(), item) == 0) found = i;
    }
    if (found < 0) break;
    s.visible.push_back(found);
  }
}

/** What was not given back, at exit; the program's own exit code is then replaced by 99. */
void report() {
  if (getpid() != owner) return;
  State &s = state();
  stop_worker();
  write_counts();
  for (auto &[data, a] : s.allocations)
    fprintf(stderr, "cuda_host: leaked: allocation %d, %zu bytes of %s memory\n", a.number, a.bytes,
            a.device < 0 ? "pinned" : "device");
  if (!s.streams.empty() || s.events || s.plans)
    fprintf(stderr, "cuda_host: leaked: %zu streams, %d events, %d plans\n", s.streams.size(), s.events, s.plans);
  if (!s.allocations.empty() || !s.streams.empty() || s.events || s.plans) {
    fflush(nullptr);
    _exit(99);
  }
}

}  // namespace

long setting(const char *name, long fallback) {
  const char *value = getenv(name);
  return value && *value ? strtol(value, nullptr, 10) : fallback;
}

State &state() {
  static State *s = [] {
    auto *made = new State;
    owner = getpid();
    made->random.seed((unsigned)setting("CUDA_HOST_SEED", 1));
    long n = setting("CUDA_HOST_DEVICES", 2);
    made->devices.resize(n > 0 ? (size_t)n : 0);
    find_visible(*made);
    if (n < 0)
      made->absent = cudaErrorInsufficientDriver;
    else if (made->visible.empty())
      made->absent = cudaErrorNoDevice;
    catch_faults();
    atexit(report);
    return made;
  }();
  return *s;
}

cudaError_t remember(cudaError_t error) {
  if (error) last_error = error;
  return error;
}

cudaError_t enter(const char *call, bool touches_device) {
  State &s = state();
  if (getpid() != owner) return remember(cudaErrorInitializationError);
  long code = injected(call, ++counts[call]);
  bool allocates = strncmp(call, "cudaMalloc", 10) == 0;
  if (code) return remember(code < 0 ? allocates ? cudaErrorMemoryAllocation : cudaErrorUnknown : (cudaError_t)code);
  if (s.absent) return remember(s.absent);
  if (touches_device && s.devices[(size_t)current_device()].lost)
    return remember((cudaError_t)setting("CUDA_HOST_LOST_CODE", cudaErrorLaunchFailure));
  return cudaSuccess;
}

cufftResult enter_fft(const char *call) {
  State &s = state();
  if (getpid() != owner) return CUFFT_SETUP_FAILED;
  long code = injected(call, ++counts[call]);
  if (code) return code < 0 ? CUFFT_INTERNAL_ERROR : (cufftResult)code;
  if (s.absent) return CUFFT_INTERNAL_ERROR;
  return s.devices[(size_t)current_device()].lost ? CUFFT_EXEC_FAILED : CUFFT_SUCCESS;
}

void count(const char *name, long n) {
  counts[name] += n;
}

bool loses_device() {
  return ++computed == setting("CUDA_HOST_LOST", 0);
}

void write_counts() {
  const char *path = getenv("CUDA_HOST_COUNT");
  if (!path) return;
  counts["computed"] = computed;
  counts["chain"] = longest_chain();
  std::string text;
  for (auto &[name, n] : counts) text += name + " " + std::to_string(n) + "\n";
  int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);  // one write: ranks may share the file
  if (file < 0 || write(file, text.data(), text.size()) != (ssize_t)text.size()) perror(path);
  close(file);
}

void violation(const char *format, ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  // No locks, no allocation beyond where(): this may be called from the handler of a fault.
  std::string line = std::string("cuda_host: ") + text + "\n";
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) _exit(98);
  abort();
}

}  // namespace cuda_host

using namespace cuda_host;

extern "C" {

const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define CASE(name, value, text) \
  case name:                    \
    return #name;
    CUDA_HOST_ERRORS(CASE)
#undef CASE
  }
  return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define CASE(name, value, text) \
  case name:                    \
    return text;
    CUDA_HOST_ERRORS(CASE)
#undef CASE
  }
  return "unrecognized error code";
}

cudaError_t cudaGetLastError(void) {
  cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

}  // extern "C"

// ---- devices -------------------------------------------------------------------------------------------------------

namespace {
thread_local int current;  // ordinal; 0 in every new thread, as in CUDA
}

int cuda_host::current_device() {
  return state().visible[(size_t)current];
}

extern "C" {

cudaError_t cudaDriverGetVersion(int *version) {
  std::lock_guard hold(state().lock);
  *version = setting("CUDA_HOST_DEVICES", 2) < 0 ? 0 : CUDART_VERSION;  // 0: no driver, as in CUDA
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__, false)) {
    if (error == cudaErrorNoDevice) *count = 0;
    return error;
  }
  *count = (int)state().visible.size();
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__, false)) return error;
  if (device < 0 || device >= (int)state().visible.size()) return remember(cudaErrorInvalidDevice);
  int physical = state().visible[(size_t)device];
  *properties = {};
  snprintf(properties->name, sizeof properties->name, "host stand-in %d", physical);
  std::string digits;
  for (char c : uuid_text(physical).substr(4))
    if (c != '-') digits += c;
  for (int i = 0; i < 16; ++i)
    properties->uuid.bytes[i] = (char)strtol(digits.substr(2 * (size_t)i, 2).c_str(), nullptr, 16);
  properties->totalGlobalMem = (size_t)setting("CUDA_HOST_MEMORY", 512L << 20);
  properties->sharedMemPerBlock = 48 << 10;
  properties->major = 8;
  properties->multiProcessorCount = 4;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__, false)) return error;
  if (device < 0 || device >= (int)state().visible.size()) return remember(cudaErrorInvalidDevice);
  current = device;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter(__func__)) return error;
  *total = (size_t)setting("CUDA_HOST_MEMORY", 512L << 20);
  *free = *total - state().devices[(size_t)current_device()].used;
  return cudaSuccess;
}

}  // extern "C"
