// Who knows of what: vector clocks, after FastTrack (Flanagan and Freund, PLDI 2009).
//
// A thread's time is a count of its releases. A clock says up to which time of each thread everything is known: one
// array of times for each block, shared by all clocks in which it is the same. After a barrier all threads of a block
// hold one and the same clock, so the next barrier costs one pass over the block and not one per pair of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

using Times = std::vector<std::uint32_t>;

struct Clock {
  std::vector<const Times*> blocks;  // null: nothing known
};

// What one thread knows: all of `base`, and of its own time everything.
struct Knowledge {
  std::uint64_t block = 0;
  std::uint32_t thread = 0, time = 1;
  const Clock* base = nullptr;
  const Clock* fenced = nullptr;  // known at its last fence: what its relaxed stores pass on
  const Clock* seen = nullptr;    // read by relaxed loads: known from the next fence on
};

// All clocks of a launch; they live until the next one.
class Clocks {
 public:
  void start(std::uint64_t blocks, std::uint32_t threads_of_block);
  const Clock* nothing() const { return nothing_; }
  const Clock* join(const Clock* a, const Clock* b);
  // Everything that the thread knows now; what it does from here on is later.
  const Clock* release(Knowledge& thread);
  bool knows(const Knowledge& thread, std::uint64_t block, std::uint32_t other, std::uint32_t time) const;
  std::uint32_t threads_of_block() const { return threads_; }

 private:
  friend class Meeting;
  Clock* make(const Clock& like);
  Times* make_times(const Times* like);

  std::uint32_t threads_ = 0;
  const Clock* nothing_ = nullptr;
  std::vector<std::unique_ptr<Clock>> clocks_;
  std::vector<std::unique_ptr<Times>> times_;
};

extern Clocks g_clocks;

// What a barrier gives to all who came to it. Fences pass through it: __threadfence is sequentially consistent, so a
// writer's fence before the barrier and a relaxed atomic by another thread behind it order the write (PTX ISA, memory
// consistency model).
struct Met {
  const Clock *base = nullptr, *fenced = nullptr, *seen = nullptr;
  // To one who may have learned more since it came, or did nothing but wait.
  void tell(Knowledge& thread, bool only_waited) const;
};

// A barrier's: what all who came knew when they came.
class Meeting {
 public:
  void arrive(Knowledge& thread);
  Met finish();

 private:
  struct Came {
    std::uint64_t block;
    std::uint32_t thread, time;
  };
  std::vector<Came> came_;
  std::vector<const Clock*> bases_;
  Met met_;
};
