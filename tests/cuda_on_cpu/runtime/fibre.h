// A stack of its own and the way from one to another; every thread of a grid is one.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#if defined(__x86_64__)
// swapcontext asks the kernel for the signal mask, which here would cost more than all else together.
extern "C" void cuda_on_cpu_switch(void** save, void* load);
#else
#include <ucontext.h>
#endif
#ifdef ADDRESS
#include <sanitizer/common_interface_defs.h>
#endif

class Context {
 public:
  // Makes the context start in `entry`, which must not return, when it is first switched to.
  void prepare(char* stack, std::size_t bytes, void (*entry)());

  // Leaves `from`, which goes on here when somebody switches back to it; it never does if it has `ended`.
  static void change(Context& from, Context& to, bool ended = false);

  // The first thing that a context does.
  static void arrived();

 private:
#if defined(__x86_64__)
  void* at_ = nullptr;
#else
  ucontext_t at_;
#endif
  const void* bottom_ = nullptr;
  std::size_t bytes_ = 0;
};

// Stacks with an inaccessible page below each, kept for the next block's threads.
class Stacks {
 public:
  // AddressSanitizer puts distance between a frame's variables.
  static constexpr std::size_t BYTES = 64 * 1024;

  char* take();
  void give(char* stack) { free_.push_back(stack); }

 private:
  std::vector<char*> free_;
};
