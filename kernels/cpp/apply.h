// The one loop that writes: y = activation((x - high) * scale + offset) over runs of memory.
//
// Some blocks are in flight, so that activations have vectors to interleave.

#pragma once

#include "statistics.h"

namespace groupnorm::LEVEL {

// How a run is written.
struct Writing {
  bool streams;   // past the caches
  int64_t ahead;  // elements from x to what is read next, fetched meanwhile; 0 for nothing
};

// Whether what is read next should be fetched meanwhile: beside a sigmoid's work it costs nothing (0.95 of the time),
// else it pays where memory is waited for (0.97), not where the last cache is (1.06).
template <typename T, Activation A>
constexpr bool fetches(int64_t elements) {
  return A == Activation::silu || elements * static_cast<int64_t>(sizeof(T)) > (16 << 20);
}

// Blocks in flight: of 16-bit types, whose conversion is work too, 8 vectors took 0.9 of the time of 4.
template <typename T, Activation A>
constexpr int kInFlight = A == Activation::silu && sizeof(T) == 2 && kWidth == 16 ? 4 : 2;

template <typename T, Activation A, int kBlocks>
GROUPNORM_INLINE void activate(Two (&v)[kBlocks]) {
  F all[2 * kBlocks];
  for (int j = 0; j < kBlocks; ++j) all[2 * j] = v[j].a, all[2 * j + 1] = v[j].b;
  activate<A, kDegreeFor<T>>(all);
  for (int j = 0; j < kBlocks; ++j) v[j] = {all[2 * j], all[2 * j + 1]};
}

template <bool kStreams, typename T>
GROUPNORM_INLINE void put(T* to, Two v) {
  if constexpr (kStreams) stream(to, v);
  else store(to, v);
}

// Whole blocks, kBlocks at once, from i on; gives how far it came.
template <int kBlocks, bool kStreams, typename T, Activation A, typename Map>
GROUPNORM_INLINE int64_t apply_blocks(const T* x, T* y, int64_t i, int64_t count, Map& map, int64_t ahead) {
  for (; i + kBlocks * kBlock <= count; i += kBlocks * kBlock) {
    Two v[kBlocks];
#pragma GCC unroll 4
    for (int j = 0; j < kBlocks; ++j) {
      const int64_t at = i + j * kBlock;
      if (ahead) prefetch_block(x + at + ahead);
      v[j] = map(at, load(x + at));
    }
    activate<T, A>(v);
#pragma GCC unroll 4
    for (int j = 0; j < kBlocks; ++j) put<kStreams>(y + i + j * kBlock, v[j]);
  }
  return i;
}

// What is left, less than two blocks: a whole one and a part together, or a part.
template <typename T, Activation A, typename Map>
GROUPNORM_INLINE void apply_end(const T* x, T* y, int64_t i, int64_t count, Map& map, int64_t ahead) {
  const int64_t rest = count - i;
  if (ahead) prefetch_block(x + i + ahead), prefetch_block(x + i + kBlock + ahead);
  if (rest > kBlock) {
    const int64_t j = i + kBlock, part = rest - kBlock;
    Two v[2] = {map(i, load(x + i)), map(j, load(x + j, part), part)};
    activate<T, A>(v);
    store(y + i, v[0]), store(y + j, v[1], part);
  } else {
    Two v[1] = {map(i, load(x + i, rest), rest)};
    activate<T, A>(v);
    store(y + i, v[0], rest);
  }
}

template <bool kStreams, typename T, Activation A, typename Map>
GROUPNORM_INLINE void apply_from(const T* x, T* y, int64_t i, int64_t count, Map& map, int64_t ahead) {
  constexpr int kMost = kInFlight<T, A>;
  i = apply_blocks<kMost, kStreams, T, A>(x, y, i, count, map, ahead);
  if constexpr (kMost > 2) i = apply_blocks<2, kStreams, T, A>(x, y, i, count, map, ahead);
  if (i < count) apply_end<T, A>(x, y, i, count, map, ahead);
}

// map(i, values) gives the block of y from i on before its activation, map(i, values, part) the first `part` of one; it
// is asked in order.
template <typename T, Activation A, typename Map>
GROUPNORM_INLINE void apply(const T* x, T* y, int64_t count, Map map, Writing writing) {
  const int64_t off = reinterpret_cast<uintptr_t>(y) % sizeof(F);
  if (!writing.streams || (off != 0 && count <= 4 * kBlock)) {
    return apply_from<false, T, A>(x, y, 0, count, map, writing.ahead);
  }
  const int64_t head = off == 0 ? 0 : static_cast<int64_t>((sizeof(F) - off) / sizeof(T));
  if (head > 0) {
    Two v[1] = {map(0, load(x, head), head)};
    activate<T, A>(v);
    store(y, v[0], head);
  }
  apply_from<true, T, A>(x, y, head, count, map, writing.ahead);
}

// Runs that are mapped alike. Of 16-bit types four took 0.9 of the time of one; float32 waits for memory, not for three
// loads more (1.02), and a sigmoid hides them (1.02).
template <typename T, Activation A>
constexpr int kAtOnce = A != Activation::silu && sizeof(T) == 2 && kWidth == 16 ? 4 : 1;

// kRuns runs of `length`, one behind the other, block by block: what a map loads serves all of them.
template <int kRuns, typename T, Activation A, typename Map>
GROUPNORM_INLINE void apply_runs(const T* x, T* y, int64_t length, const Map& map, int64_t ahead) {
  const auto apply_column = [&](int64_t i, auto... part) __attribute__((always_inline)) {
    const auto of_block = map.at(i, part...);
    Two v[kRuns];
#pragma GCC unroll 4
    for (int r = 0; r < kRuns; ++r) {
      const T* from = x + r * length + i;
      if (ahead) prefetch_block(from + ahead);
      v[r] = of_block(load(from, part...));
    }
    activate<T, A>(v);
#pragma GCC unroll 4
    for (int r = 0; r < kRuns; ++r) store(y + r * length + i, v[r], part...);
  };
  int64_t i = 0;
  for (; i + kBlock <= length; i += kBlock) apply_column(i);
  if (i < length) apply_column(i, length - i);
}

}  // namespace groupnorm::LEVEL
