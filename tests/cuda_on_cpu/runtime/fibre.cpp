#include "fibre.h"

namespace {

// Who switched last: the address sanitizer learns the first stack's bounds from the first switch away from it.
Context* g_left = nullptr;

}  // namespace

#if defined(__x86_64__)
asm(R"(
.text
.globl cuda_on_cpu_switch
.type cuda_on_cpu_switch, @function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_on_cpu_switch, .-cuda_on_cpu_switch
)");
#endif

void Context::prepare(char* stack, std::size_t bytes, void (*entry)()) {
  bottom_ = stack;
  bytes_ = bytes;
#if defined(__x86_64__)
  // As if it had been left: six registers, the return address, and a stack that a call would have misaligned by 8.
  void** top = reinterpret_cast<void**>(stack + bytes) - 8;
  for (int i = 0; i < 6; ++i) top[i] = nullptr;
  top[6] = reinterpret_cast<void*>(entry);
  top[7] = nullptr;
  at_ = top;
#else
  getcontext(&at_);
  at_.uc_stack.ss_sp = stack;
  at_.uc_stack.ss_size = bytes;
  at_.uc_link = nullptr;
  makecontext(&at_, entry, 0);
#endif
}

void Context::arrived() {
#ifdef ADDRESS
  __sanitizer_finish_switch_fiber(nullptr, &g_left->bottom_, &g_left->bytes_);
#endif
}

void Context::change(Context& from, Context& to, bool ended) {
  g_left = &from;
#ifdef ADDRESS
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(ended ? nullptr : &fake, to.bottom_, to.bytes_);
#endif
#if defined(__x86_64__)
  cuda_on_cpu_switch(&from.at_, to.at_);
#else
  swapcontext(&from.at_, &to.at_);
#endif
#ifdef ADDRESS
  __sanitizer_finish_switch_fiber(fake, &g_left->bottom_, &g_left->bytes_);
#endif
  (void)ended;
}

char* Stacks::take() {
  if (free_.empty()) {
    constexpr std::size_t guard = 4096;
    void* mapped =
        mmap(nullptr, guard + BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED || mprotect(mapped, guard, PROT_NONE) != 0) {
      std::fprintf(stderr, "cuda_on_cpu: no memory for another thread's stack\n");
      std::_Exit(4);
    }
    free_.push_back(static_cast<char*>(mapped) + guard);
  }
  char* stack = free_.back();
  free_.pop_back();
  return stack;
}
