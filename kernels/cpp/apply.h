// The one loop that writes: y = activation((x - high) * scale + offset) over runs of memory.
//
// Two blocks are in flight, so that activations have four vectors to interleave.

#pragma once

#include "statistics.h"

namespace groupnorm::LEVEL {

// How a run is written.
struct Writing {
  bool streams;   // past the caches
  int64_t ahead;  // elements from x to what is read next, fetched meanwhile; 0 for nothing
};

template <typename T, Activation A>
inline void activate(Two& v, Two& w) {
  F all[4] = {v.a, v.b, w.a, w.b};
  activate<A, kDegreeFor<T>>(all);
  v = {all[0], all[1]}, w = {all[2], all[3]};
}

template <typename T, Activation A>
inline void activate(Two& v) {
  F all[2] = {v.a, v.b};
  activate<A, kDegreeFor<T>>(all);
  v = {all[0], all[1]};
}

template <bool kStreams, typename T, Activation A, typename Map>
inline void apply_from(const T* x, T* y, int64_t i, int64_t count, const Map& map, int64_t ahead) {
  const auto put = [](T* to, Two v) {
    if constexpr (kStreams) stream(to, v);
    else store(to, v);
  };
  for (; i + 2 * kBlock <= count; i += 2 * kBlock) {
    if (ahead) prefetch_block(x + i + ahead), prefetch_block(x + i + kBlock + ahead);
    Two v = map(i, load(x + i)), w = map(i + kBlock, load(x + i + kBlock));
    activate<T, A>(v, w);
    put(y + i, v), put(y + i + kBlock, w);
  }
  const int64_t rest = count - i;
  if (rest > kBlock) {
    const int64_t j = i + kBlock, part = rest - kBlock;
    Two v = map(i, load(x + i)), w = map(j, load(x + j, part), part);
    activate<T, A>(v, w);
    put(y + i, v), store(y + j, w, part);
  } else if (rest == kBlock) {
    Two v = map(i, load(x + i));
    activate<T, A>(v);
    put(y + i, v);
  } else if (rest > 0) {
    Two v = map(i, load(x + i, rest), rest);
    activate<T, A>(v);
    store(y + i, v, rest);
  }
}

// map(i, values) gives the block of y from i on before its activation, map(i, values, part) the first `part` of one.
template <typename T, Activation A, typename Map>
[[gnu::always_inline]] inline void apply(const T* x, T* y, int64_t count, const Map& map, Writing writing) {
  if (!writing.streams || count <= 4 * kBlock) {
    return apply_from<false, T, A>(x, y, 0, count, map, writing.ahead);
  }
  const int64_t off = reinterpret_cast<uintptr_t>(y) % sizeof(F);
  const int64_t head = off == 0 ? 0 : static_cast<int64_t>((sizeof(F) - off) / sizeof(T));
  if (head > 0) {
    Two v = map(0, load(x, head), head);
    activate<T, A>(v);
    store(y, v, head);
  }
  apply_from<true, T, A>(x, y, head, count, map, writing.ahead);
}

}  // namespace groupnorm::LEVEL
