#include "clock.h"

#include <algorithm>

Clocks g_clocks;

void Clocks::start(std::uint64_t blocks, std::uint32_t threads_of_block) {
  clocks_.clear();
  times_.clear();
  threads_ = threads_of_block;
  Clock none;
  none.blocks.assign(blocks, nullptr);
  nothing_ = make(none);
}

Clock* Clocks::make(const Clock& like) {
  clocks_.push_back(std::make_unique<Clock>(like));
  return clocks_.back().get();
}

Times* Clocks::make_times(const Times* like) {
  times_.push_back(like ? std::make_unique<Times>(*like) : std::make_unique<Times>(threads_, 0));
  return times_.back().get();
}

const Clock* Clocks::join(const Clock* a, const Clock* b) {
  if (a == b || b == nullptr) return a;
  if (a == nullptr) return b;
  Clock* both = nullptr;
  for (std::size_t i = 0; i < a->blocks.size(); ++i) {
    const Times *x = a->blocks[i], *y = b->blocks[i];
    if (x == y || y == nullptr) continue;
    const Times* later = y;
    if (x != nullptr) {
      bool x_is_enough = true, y_is_enough = true;
      for (std::uint32_t t = 0; t < threads_; ++t) {
        x_is_enough &= (*x)[t] >= (*y)[t];
        y_is_enough &= (*y)[t] >= (*x)[t];
      }
      if (x_is_enough) continue;
      if (!y_is_enough) {
        Times* merged = make_times(x);
        for (std::uint32_t t = 0; t < threads_; ++t) (*merged)[t] = std::max((*x)[t], (*y)[t]);
        later = merged;
      }
    }
    if (both == nullptr) both = make(*a);
    both->blocks[i] = later;
  }
  return both ? both : a;
}

const Clock* Clocks::release(Knowledge& thread) {
  Clock* clock = make(*thread.base);
  Times* own = make_times(clock->blocks[thread.block]);
  (*own)[thread.thread] = thread.time++;
  clock->blocks[thread.block] = own;
  return clock;
}

bool Clocks::knows(const Knowledge& thread, std::uint64_t block, std::uint32_t other, std::uint32_t time) const {
  if (block == thread.block && other == thread.thread) return true;
  const Times* times = thread.base->blocks[block];
  return times != nullptr && (*times)[other] >= time;
}

void Meeting::arrive(Knowledge& thread) {
  met_.fenced = g_clocks.join(met_.fenced, thread.fenced);
  met_.seen = g_clocks.join(met_.seen, thread.seen);
  came_.push_back({thread.block, thread.thread, thread.time++});
  if (std::find(bases_.begin(), bases_.end(), thread.base) == bases_.end()) bases_.push_back(thread.base);
}

Met Meeting::finish() {
  const Clock* joined = nullptr;
  for (const Clock* base : bases_) joined = g_clocks.join(joined, base);
  Clock* clock = g_clocks.make(*joined);
  Times* own = nullptr;
  std::sort(came_.begin(), came_.end(), [](const Came& a, const Came& b) { return a.block < b.block; });
  std::uint64_t block = ~0ULL;
  for (const Came& came : came_) {
    if (came.block != block) {
      block = came.block;
      own = g_clocks.make_times(clock->blocks[block]);
      clock->blocks[block] = own;
    }
    (*own)[came.thread] = std::max((*own)[came.thread], came.time);
  }
  came_.clear();
  bases_.clear();
  met_.base = clock;
  return std::exchange(met_, Met{});
}

void Met::tell(Knowledge& thread, bool only_waited) const {
  thread.base = only_waited ? base : g_clocks.join(base, thread.base);
  thread.fenced = g_clocks.join(fenced, thread.fenced);
  thread.seen = g_clocks.join(seen, thread.seen);
}
