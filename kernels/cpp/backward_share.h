// Which thread does which items: each begins with a run of its own, the same in every call, so that it finds what it
// read in its own cache; who is done takes from the others. Two cores of one machine differ by 15 % and more at times.

#pragma once

#include <atomic>
#include <cstdint>

#include "vector.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kThreads = 64;     // at most; memory is full long before
constexpr int64_t kWorth = 16384;    // elements of x that a thread is worth waking for

struct alignas(64) Run {  // a cache line each: neighbors would wait for each other
  std::atomic<int64_t> taken{0};
  int64_t begin = 0, count = 0;
};

enum class Order { forwards, backwards };

struct Nothing {};

// Calls `work(item, memory)`, where each thread that takes part has a `Memory` of its own, made of `arguments`.
template <typename Memory = Nothing, typename Work, typename... Arguments>
void share(const Pool& pool, int64_t items, int64_t elements_each, Order order, const Work& work,
           const Arguments&... arguments) {
  const int64_t worth = items * elements_each / kWorth;
  const int64_t threads = least(least(worth, pool.threads), least(items, kThreads));
  const auto place = [=](int64_t begin, int64_t count, int64_t k) {
    return order == Order::forwards ? begin + k : begin + count - 1 - k;
  };
  if (threads <= 1) {
    if (items == 0) return;
    Memory memory{arguments...};
    for (int64_t k = 0; k < items; ++k) work(place(0, items, k), memory);
    end_stream();
    return;
  }
  Run runs[kThreads];
  for (int64_t t = 0; t < threads; ++t) {
    runs[t].begin = items * t / threads;
    runs[t].count = items * (t + 1) / threads - runs[t].begin;
  }
  parallel(pool, threads, 1, [&](int64_t first, int64_t last) {
    Memory memory{arguments...};
    for (int64_t own = first; own < last; ++own) {
      for (int64_t step = 0; step < threads; ++step) {
        Run& run = runs[(own + step) % threads];
        for (;;) {
          const int64_t k = run.taken.fetch_add(1, std::memory_order_relaxed);
          if (k >= run.count) break;
          work(place(run.begin, run.count, k), memory);
        }
      }
    }
    end_stream();
  });
}

}  // namespace groupnorm::LEVEL::gradient
