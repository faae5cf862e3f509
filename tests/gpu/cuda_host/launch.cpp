/** Kernels: all threads of a block on one thread of the host, as fibers that change places at barriers only.
 *
 *  Blocks, and between barriers the threads of a block, run in random order: whoever reads what another thread has yet
 *  to write, reads garbage. A thread that meets no barrier needs no fiber of its own and costs a call.
 */
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "state.h"

#define CUDA_HOST_TLS __thread __attribute__((tls_model("initial-exec")))
CUDA_HOST_TLS uint3 threadIdx, blockIdx;
CUDA_HOST_TLS dim3 blockDim{0, 0, 0}, gridDim{0, 0, 0};

namespace cuda_host {

namespace {

constexpr unsigned WARP = 32;
constexpr size_t SHARED_LIMIT = 48 << 10, STACK = (CUDA_HOST_ASAN ? 512 : 128) << 10;

// ---- changing stacks -----------------------------------------------------------------------------------------------

#if defined(__x86_64__)
// ucontext asks the kernel for the signal mask at each change; this keeps what the ABI says a function keeps.
extern "C" void cuda_host_switch(void **from, void *to);
asm(R"(
.text
.type cuda_host_switch, @function
cuda_host_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size cuda_host_switch, .-cuda_host_switch
)");

/** A stack whose first change to it enters a function. */
void *first_frame(char *end, void (*entry)()) {
  void **top = (void **)end - 2;  // on entry the stack is 8 beyond a multiple of 16
  *top = (void *)entry;
  return top - 6;
}
#else
#error "fibers are written for x86-64; elsewhere swapcontext() would serve"
#endif

struct Fiber {
  void *context = nullptr;
  char *stack;
  void *tsan = nullptr;  // TSan's
  uint3 thread = {};
  const char *file = nullptr;  // of the barrier where it waits
  int line = 0;
};

/** b, b + a, b + 2 a, ... mod n with a random a that has no factor of n: an order of n things that needs no table. */
struct Order {
  uint64_t n, a, b;
  Order(uint64_t n_, std::mt19937 &random) : n(n_), a(n_ > 1 ? 1 : 0), b(random() % n_) {
    if (n > 2) do
        a = random() % n;
      while (std::gcd(a, n) != 1);
  }
  uint64_t next() {
    uint64_t at = b;
    b += a;
    if (b >= n) b -= n;
    return at;
  }
};

uint3 unfold(uint64_t i, const dim3 &size) {
  return {(unsigned)(i % size.x), (unsigned)(i / size.x % size.y), (unsigned)(i / size.x / size.y)};
}

/** The worker's fibers, and the block that they run. */
struct Runner {
  const char *name = "";
  const std::function<void()> *kernel = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers;  // as many as ever waited at once, and one
  std::vector<Fiber *> idle, waiting;
  std::vector<Fiber *> turn;  // those that go on from a barrier
  size_t turned = 0;          // of them, so many have been let on
  Fiber *current = nullptr;
  void *home = nullptr;
  void *home_fake = nullptr;  // ASan's
  void *home_tsan = nullptr;
  const void *home_stack = nullptr;
  size_t home_size = 0;
  Order *order = nullptr;  // of what has its turn: threads at first, then `turn`
  uint64_t threads = 0, started = 0;
  char *shared_end = nullptr, *shared = nullptr;
  unsigned lanes[WARP] = {};  // what each has brought to an operation of the warp
  std::mt19937 random;

  void make_fiber();
  void enter(Fiber *fiber);
  void leave();
  void run_block(size_t shared_bytes);
};

thread_local std::unique_ptr<Runner> owned;  // the one worker's, as long as it lives
thread_local Runner *runner;

/** What a fiber does all its life: takes threads that nobody has started, then rests until it is needed again. */
void live() {
#if CUDA_HOST_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &runner->home_stack, &runner->home_size);  // new ones are entered from home
#endif
  for (;;) {
    while (runner->started < runner->threads) {
      ++runner->started;
      threadIdx = unfold(runner->order->next(), blockDim);
      (*runner->kernel)();
    }
    runner->idle.push_back(runner->current);
    runner->leave();
  }
}

void Runner::make_fiber() {
  auto fiber = std::make_unique<Fiber>();
  size_t guard = (size_t)sysconf(_SC_PAGESIZE);
  char *map = (char *)mmap(nullptr, STACK + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) violation("no memory for a thread's stack");
  mprotect(map, guard, PROT_NONE);
  fiber->stack = map + guard;
  (void)VALGRIND_STACK_REGISTER(fiber->stack, fiber->stack + STACK);
  fiber->context = first_frame(fiber->stack + STACK, live);
  fiber->tsan = __tsan_create_fiber(0);
  idle.push_back(fiber.get());
  fibers.push_back(std::move(fiber));
}

void Runner::enter(Fiber *fiber) {
  current = fiber;
  threadIdx = fiber->thread;
#if CUDA_HOST_ASAN
  __sanitizer_start_switch_fiber(&home_fake, fiber->stack, STACK);
#endif
  home_tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(fiber->tsan, 0);
  cuda_host_switch(&home, fiber->context);
#if CUDA_HOST_ASAN
  __sanitizer_finish_switch_fiber(home_fake, nullptr, nullptr);
#endif
}

/** To the next that has its turn, or else home. */
void Runner::leave() {
  Fiber *from = current, *to = turned < turn.size() ? turn[order->next()] : nullptr;
#if CUDA_HOST_ASAN
  void *fake;
  __sanitizer_start_switch_fiber(&fake, to ? to->stack : home_stack, to ? STACK : home_size);
#endif
  if (to) {
    ++turned;
    current = to;
    threadIdx = to->thread;
  }
  __tsan_switch_to_fiber(to ? to->tsan : home_tsan, 0);
  cuda_host_switch(&from->context, to ? to->context : home);
#if CUDA_HOST_ASAN
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void Runner::run_block(size_t shared_bytes) {
  if (shared_bytes) {
    shared = shared_end - (shared_bytes + 15) / 16 * 16;
    fill_garbage(shared, (size_t)(shared_end - shared));
    (void)VALGRIND_MAKE_MEM_UNDEFINED(shared, shared_bytes);
  }
  Order thread_order(threads, random);
  order = &thread_order;
  started = 0;
  while (started < threads) {  // until each has returned or waits at its first barrier
    if (idle.empty()) make_fiber();
    Fiber *fiber = idle.back();
    idle.pop_back();
    enter(fiber);
  }
  while (!waiting.empty()) {
    const Fiber *first = waiting[0];
    if (waiting.size() != threads)
      violation("%s: %zu of %lu threads of block (%u, %u, %u) wait at %s:%d, the others have returned", name,
                waiting.size(), (unsigned long)threads, blockIdx.x, blockIdx.y, blockIdx.z, first->file, first->line);
    for (const Fiber *fiber : waiting) {
      if (fiber->line != first->line || fiber->file != first->file)
        violation("%s: threads of block (%u, %u, %u) wait at %s:%d, others at %s:%d", name, blockIdx.x, blockIdx.y,
                  blockIdx.z, first->file, first->line, fiber->file, fiber->line);
    }
    turn.swap(waiting);
    waiting.clear();
    Order turn_order(threads, random);
    order = &turn_order;
    turned = 1;
    enter(turn[turn_order.next()]);
  }
  turn.clear();
  if (shared_bytes % 16) {
    for (char *at = shared + shared_bytes; at < shared_end; ++at) {
      if (*at != (char)(GARBAGE >> (8 * ((uintptr_t)at & 3))))
        violation("%s wrote to byte %td of its %zu of shared memory", name, at - shared, shared_bytes);
    }
  }
  shared = nullptr;
}

/** Shared memory before a page that cannot be touched. */
char *make_shared() {
  char *map = (char *)mmap(nullptr, 2 * SHARED_LIMIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect(map, SHARED_LIMIT, PROT_READ | PROT_WRITE)) violation("no shared memory");
  return map + SHARED_LIMIT;
}

void run_kernel(const char *name, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &kernel) {
  if (!runner) {
    owned = std::make_unique<Runner>();
    runner = owned.get();
    runner->shared_end = make_shared();
    runner->random.seed((unsigned)setting("CUDA_HOST_SEED", 1));
  }
  runner->name = name;
  runner->kernel = &kernel;
  runner->threads = (uint64_t)block.x * block.y * block.z;
  gridDim = grid;
  blockDim = block;
  Order blocks((uint64_t)grid.x * grid.y * grid.z, runner->random);
  for (uint64_t i = 0; i < blocks.n; ++i) {
    blockIdx = unfold(blocks.next(), grid);
    runner->run_block(shared_bytes);
  }
  gridDim = dim3(0, 0, 0);
}

}  // namespace

std::string where() {
  if (!gridDim.x) return "";
  char text[120];
  snprintf(text, sizeof text, ", thread (%u, %u, %u) of block (%u, %u, %u),", threadIdx.x, threadIdx.y, threadIdx.z,
           blockIdx.x, blockIdx.y, blockIdx.z);
  return text;
}

cudaError_t enqueue_kernel(const char *name, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                           std::function<void()> run, const void *const *pointers, int n) {
  std::lock_guard hold(state().lock);
  if (cudaError_t error = enter("cudaLaunchKernel")) return error;
  uint64_t threads = (uint64_t)block.x * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z > 64 || !grid.x || !grid.y || !grid.z || grid.x > 0x7fffffff ||
      grid.y > 65535 || grid.z > 65535)
    return remember(cudaErrorInvalidConfiguration);
  if (shared_bytes > SHARED_LIMIT) return remember(cudaErrorInvalidValue);
  for (int i = 0; i < n; ++i) {
    if (pointers[i]) check_range(name, pointers[i], 1, current_device());
  }
  Operation operation;
  operation.name = name;
  operation.computes = true;
  operation.run = [name, grid, block, shared_bytes, run] { run_kernel(name, grid, block, shared_bytes, run); };
  return enqueue(stream, std::move(operation));
}

}  // namespace cuda_host

void *cuda_host_shared() {
  using namespace cuda_host;
  if (!runner || !runner->shared) violation("%s has no shared memory", executing ? executing : "the host");
  return runner->shared;
}

void cuda_host_barrier(const char *file, int line) {
  using namespace cuda_host;
  Fiber *fiber = runner->current;
  fiber->thread = threadIdx;
  fiber->file = file;
  fiber->line = line;
  runner->waiting.push_back(fiber);
  runner->leave();
}

/** Leaves a lane's value for the others, and calls `use` when all have. */
template <class F>
static unsigned in_step(unsigned mask, unsigned value, const char *file, int line, F use) {
  using namespace cuda_host;
  if (blockDim.x != WARP || runner->threads != WARP || mask != ~0u)
    violation(
        "%s: an operation of a warp at %s:%d with mask %x in a block of %lu threads; the stand-in has it for all of %u",
        runner->name, file, line, mask, (unsigned long)runner->threads, WARP);
  runner->lanes[threadIdx.x] = value;
  cuda_host_barrier(file, line);
  const unsigned result = use(runner->lanes);
  cuda_host_barrier(file, line);
  return result;
}

unsigned cuda_host_warp_max(unsigned mask, unsigned value, const char *file, int line) {
  return in_step(mask, value, file, line, [](const unsigned *lanes) { return *std::max_element(lanes, lanes + 32); });
}

unsigned cuda_host_ballot(unsigned mask, bool value, const char *file, int line) {
  return in_step(mask, value, file, line, [](const unsigned *lanes) {
    unsigned bits = 0;
    for (int i = 0; i < 32; ++i) bits |= lanes[i] << i;
    return bits;
  });
}
