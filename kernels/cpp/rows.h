// The moments of channels_last memory, where a row holds all channels of one position.
//
// A lane sums one channel, so that vectors are cut at the end of a row, never at the end of a group. Rows that are no
// whole number of blocks are taken several at once: a lap is the fewest rows that are one, while it fits kLap. Laps are
// summed strip by strip, as wide as registers hold the sums: each cache line is read in order, and no sum goes through
// memory (four laps side by side, their sums in memory, took twice the time).
// All channels of a group share a shift, for it is the group's m2 that must not cancel; so their sums are added up and
// nothing is divided. Chunks of rows follow from the shape alone.

#pragma once

#include "statistics.h"

namespace groupnorm::LEVEL {

constexpr int64_t kLap = 2048;        // elements at most, where more rows than one are taken
constexpr int64_t kChunkRows = 128;   // at least: what a chunk costs once follows from C
constexpr int64_t kFlushLaps = 32;    // laps whose sums stay float32
constexpr int64_t kGuessRows = 4;     // whose mean is the sample's shift
// Bytes of x from which strips fetch: below, a cache holds it and only loads are delayed (0.85 of the speed).
constexpr int64_t kFetched = 8 << 20;
constexpr int kStrip = kWidth == 16 ? 6 : 2;  // blocks: a first and a second sum each, of 32 or 16 registers

struct Rows {
  int64_t C, D, G, P;
  int64_t lap;             // elements: C times a power of two
  int64_t chunk, chunks;   // rows of a chunk; chunks of a sample
  bool fetches;

  explicit Rows(const Problem& problem)
      : C(problem.C), D(problem.channels()), G(problem.G), P(problem.P), lap(C),
        fetches(problem.N * C * P * (problem.type == Type::f32 ? 4 : 2) >= kFetched) {
    while (lap % kBlock != 0 && lap * 2 <= kLap) lap *= 2;
    const int64_t laps = most(ceil_of(kChunk, lap), kChunkRows);
    chunk = least(laps * (lap / C), P);
    chunks = ceil_of(P, chunk);
  }
  int64_t length(int64_t index) const { return least(chunk, P - index * chunk); }
};

// What a thread needs beside the chunk.
struct RowSums {
  Room<float> shift;             // of each element of a lap, padded with zeros
  Room<double> firsts, seconds;  // likewise
  Room<float> guess, better;     // G: a shift for the whole sample, and one for a chunk that it does not suit
  Room<Sums> groups;             // G

  explicit RowSums(const Rows& rows)
      : shift(padded(rows.lap)), firsts(padded(rows.lap)), seconds(padded(rows.lap)), guess(rows.G), better(rows.G),
        groups(rows.G) {}
};

inline void spread_shift(const Rows& rows, const float* of_groups, float* shift) {
  for (int64_t g = 0; g < rows.G; ++g) {
    for (int64_t d = 0; d < rows.D; ++d) shift[g * rows.D + d] = of_groups[g];
  }
  for (int64_t i = rows.C; i < rows.lap; ++i) shift[i] = shift[i - rows.C];
  for (int64_t i = rows.lap; i < padded(rows.lap); ++i) shift[i] = 0;
}

inline void add_to(double* sums, F v) {
  float values[kWidth];
  std::memcpy(values, &v, sizeof v);
  for (int64_t i = 0; i < kWidth; ++i) sums[i] += static_cast<double>(values[i]);
}

// Adds kBlocks blocks of each lap to the sums, and fetches as much from `next` on.
template <int kBlocks, bool kFetches, typename T>
void sum_strip(const T* x, int64_t laps, int64_t lap, const float* shift, double* firsts, double* seconds,
               const T* next) {
  Two first[kBlocks] = {}, second[kBlocks] = {};
  for (int64_t r = 0; r < laps; ++r, x += lap, next += kBlocks * kBlock) {
#pragma GCC unroll 8
    for (int j = 0; j < kBlocks; ++j) {
      if constexpr (kFetches) prefetch_block(next + j * kBlock);
      const Two v = load(x + j * kBlock), s = load(shift + j * kBlock);
      accumulate({v.a - s.a, v.b - s.b}, first[j], second[j]);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < kBlocks; ++j) {
    add_to(firsts + j * kBlock, first[j].a), add_to(firsts + j * kBlock + kWidth, first[j].b);
    add_to(seconds + j * kBlock, second[j].a), add_to(seconds + j * kBlock + kWidth, second[j].b);
  }
}

// The same for the last `part` elements of each lap, less than a block.
template <typename T>
void sum_part(const T* x, int64_t laps, int64_t lap, int64_t part, const float* shift, double* firsts,
              double* seconds) {
  const Two s = load(shift);
  Two first{}, second{};
  for (int64_t r = 0; r < laps; ++r) {
    const Two v = load(x + r * lap, part);
    accumulate(keep({v.a - s.a, v.b - s.b}, part), first, second);
  }
  add_to(firsts, first.a), add_to(firsts + kWidth, first.b);
  add_to(seconds, second.a), add_to(seconds + kWidth, second.b);
}

template <int kBlocks, typename T, typename... Arguments>
void sum_strip_of(int64_t blocks, bool fetches, const T* x, Arguments... arguments) {
  if constexpr (kBlocks > 1) {
    if (blocks < kBlocks) return sum_strip_of<kBlocks - 1>(blocks, fetches, x, arguments...);
  }
  fetches ? sum_strip<kBlocks, true>(x, arguments...) : sum_strip<kBlocks, false>(x, arguments...);
}

// Adds the first `width` elements of some laps, in strips as even as can be. A single strip reads line after line, which
// the hardware foresees; several fetch the laps to come, line after line (10 to 42 MB: 1.2 times as fast as fetching
// for the next strip).
template <typename T>
void sum_laps(const T* x, int64_t laps, int64_t lap, int64_t width, bool fetches, RowSums& sums) {
  const float* shift = sums.shift.data();
  double *firsts = sums.firsts.data(), *seconds = sums.seconds.data();
  const int64_t blocks = width / kBlock, strips = ceil_of(blocks, kStrip);
  int64_t i = 0;
  for (int64_t strip = 0, done = 0; strip < strips; ++strip) {
    const int64_t count = ceil_of(blocks - done, strips - strip), end = i + count * kBlock;
    const T* next = x + laps * (lap + i);
    sum_strip_of<kStrip>(count, fetches && strips > 1, x + i, laps, lap, shift + i, firsts + i, seconds + i, next);
    i = end, done += count;
  }
  if (i < width) sum_part(x + i, laps, lap, width - i, shift + i, firsts + i, seconds + i);
}

template <typename V>
V sum_of(const V* values, int64_t count) {
  V part[4] = {};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int j = 0; j < 4; ++j) part[j] += values[i + j];
  }
  for (; i < count; ++i) part[0] += values[i];
  return (part[0] + part[1]) + (part[2] + part[3]);
}

// Adds up the lanes of each group.
inline void fold(const Rows& rows, RowSums& sums) {
  double *firsts = sums.firsts.data(), *seconds = sums.seconds.data();
  for (int64_t row = rows.C; row < rows.lap; row += rows.C) {
    for (int64_t c = 0; c < rows.C; ++c) firsts[c] += firsts[row + c], seconds[c] += seconds[row + c];
  }
  for (int64_t g = 0; g < rows.G; ++g) {
    sums.groups[g] = {sum_of(firsts + g * rows.D, rows.D), sum_of(seconds + g * rows.D, rows.D)};
  }
}

// The sums of each group over `length` rows, about sums.shift.
template <typename T>
void sum_rows(const T* x, int64_t length, const Rows& rows, RowSums& sums) {
  const int64_t lap = rows.lap, laps = length * rows.C / lap;
  std::memset(sums.firsts.data(), 0, padded(lap) * sizeof(double));
  std::memset(sums.seconds.data(), 0, padded(lap) * sizeof(double));
  for (int64_t done = 0; done < laps; done += kFlushLaps) {
    sum_laps(x + done * lap, least(kFlushLaps, laps - done), lap, lap, rows.fetches, sums);
  }
  const int64_t rest = length * rows.C - laps * lap;
  if (rest > 0) sum_laps(x + laps * lap, 1, lap, rest, false, sums);
  fold(rows, sums);
}

// A shift for each group of a sample, from its first rows; in float32, for a bad one is found out.
template <typename T>
void guess_shift(const T* sample, const Rows& rows, RowSums& sums) {
  const int64_t guessed = least(rows.P, kGuessRows);
  float* columns = sums.shift.data();
  for (int64_t i = 0; i < rows.C; i += kBlock) {
    const int64_t part = least(kBlock, rows.C - i);
    Two sum = load(sample + i, part);
    for (int64_t r = 1; r < guessed; ++r) add(sum, load(sample + r * rows.C + i, part));
    store(columns + i, sum, part);
  }
  const float share = 1.0f / static_cast<float>(guessed * rows.D);
  for (int64_t g = 0; g < rows.G; ++g) sums.guess[g] = sum_of(columns + g * rows.D, rows.D) * share;
  spread_shift(rows, sums.guess.data(), columns);
}

// The moments of each group over one chunk; sums.shift is the guess, before and after.
template <typename T>
void moments_of_rows(const T* x, int64_t length, const Rows& rows, RowSums& sums, Moments* groups) {
  const double count = static_cast<double>(length * rows.D);
  const auto try_shift = [&](const float* shift) {
    bool poor = false;
    sum_rows(x, length, rows, sums);
    for (int64_t g = 0; g < rows.G; ++g) {
      groups[g] = moments_of(count, shift[g], sums.groups[g]);
      poor |= is_poor(groups[g], sums.groups[g]);
    }
    return poor;
  };
  if (!try_shift(sums.guess.data())) return;
  for (int64_t g = 0; g < rows.G; ++g) sums.better[g] = static_cast<float>(groups[g].mean);
  spread_shift(rows, sums.better.data(), sums.shift.data());
  try_shift(sums.better.data());
  spread_shift(rows, sums.guess.data(), sums.shift.data());
}

}  // namespace groupnorm::LEVEL
