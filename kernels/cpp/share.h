// Which work items a thread does alone, and which all threads do together.
//
// An item is a group of contiguous memory, or a sample of channels_last. Alone, a thread reads it a second time from its
// own cache and waits for nobody. Items that no core's cache holds, and those left over when every thread has had as
// many as the others, are cut into chunks, for which the threads meet twice. No result depends on it.

#pragma once

#include "vector.h"

namespace groupnorm::LEVEL {

constexpr int64_t kGrain = 32768;            // elements a thread is worth waking for, as in torch's own loops
constexpr int64_t kAlone = 4 << 20;          // bytes of an item above which threads share it
constexpr int64_t kTooSmallToShare = 1 << 18;

// How many items, the first ones, are done alone.
inline int64_t alone(const Pool& pool, int64_t items, int64_t bytes) {
  if (pool.threads == 1 || bytes < kTooSmallToShare) return items;
  return bytes > kAlone ? 0 : items / pool.threads * pool.threads;
}

}  // namespace groupnorm::LEVEL
