// The moments of channels_last memory, where a row holds all channels of one position.
//
// A lane sums one channel, so that vectors are cut at the end of a row, never at the end of a group. Rows that are no
// whole number of blocks are taken several at once: a lap is the fewest rows that are one, while it fits kLap.
// All channels of a group share a shift, for it is the group's m2 that must not cancel; so their sums are added up and
// nothing is divided. Chunks of rows follow from the shape alone.

#pragma once

#include "statistics.h"

namespace groupnorm::LEVEL {

constexpr int64_t kLap = 2048;        // elements at most, where more rows than one are taken
constexpr int64_t kChunkRows = 128;   // at least: what a chunk costs once follows from C
constexpr int64_t kFlushLaps = 64;    // laps whose sums stay float32: 16 terms a lane, of 4 each
// Elements from what is read to what is fetched: four rows side by side are no pattern that a core foresees. With it
// 49 MB of bfloat16 took 1.44 times a copy, not 1.74.
constexpr int64_t kFetch = 2048;
constexpr int64_t kGuessRows = 8;     // whose mean is a chunk's shift

struct Rows {
  int64_t C, D, G, P;
  int64_t lap;             // elements: C times a power of two
  int64_t chunk, chunks;   // rows of a chunk; chunks of a sample

  explicit Rows(const Problem& problem) : C(problem.C), D(problem.channels()), G(problem.G), P(problem.P), lap(C) {
    while (lap % kBlock != 0 && lap * 2 <= kLap) lap *= 2;
    const int64_t laps = most(ceil_of(kChunk, lap), kChunkRows);
    chunk = least(laps * (lap / C), P);
    chunks = ceil_of(P, chunk);
  }
  int64_t length(int64_t index) const { return least(chunk, P - index * chunk); }
};

// What a thread needs beside the chunk.
struct RowSums {
  Room<float> shift, first, second;    // a lap, padded
  Room<double> firsts, seconds;        // likewise
  Room<float> group_shift;             // G
  Room<Sums> groups;                   // G

  explicit RowSums(const Rows& rows)
      : shift(padded(rows.lap)), first(padded(rows.lap)), second(padded(rows.lap)), firsts(padded(rows.lap)),
        seconds(padded(rows.lap)), group_shift(rows.G), groups(rows.G) {}
};

// Sets shift[] of every element of a lap from its group's; what pads it stays zero, and so do its sums.
inline void spread_shift(const Rows& rows, RowSums& sums) {
  float* shift = sums.shift.data();
  for (int64_t g = 0; g < rows.G; ++g) {
    for (int64_t d = 0; d < rows.D; ++d) shift[g * rows.D + d] = sums.group_shift[g];
  }
  for (int64_t i = rows.C; i < rows.lap; ++i) shift[i] = shift[i - rows.C];
  for (int64_t i = rows.lap; i < padded(rows.lap); ++i) shift[i] = 0;
}

// Adds kLaps laps, `lap` apart, to first[] and second[]: one load and store of these for all of them.
template <int kLaps, typename T>
void add_laps(const T* x, int64_t lap, const float* shift, float* first, float* second) {
  int64_t i = 0;
  for (; i + kBlock <= lap; i += kBlock) {
    const Two s = load(shift + i);
    Two f = load(first + i), q{};
#pragma GCC unroll 4
    for (int r = 0; r < kLaps; ++r) {
      prefetch_block(x + r * lap + i + kFetch);
      const Two v = load(x + r * lap + i);
      accumulate({v.a - s.a, v.b - s.b}, f, q);
    }
    const Two before = load(second + i);
    store(first + i, f), store(second + i, Two{before.a + q.a, before.b + q.b});
  }
  if (i == lap) return;
  const Two s = load(shift + i);
  Two f = load(first + i), q = load(second + i);
  for (int r = 0; r < kLaps; ++r) {
    const Two v = load(x + r * lap + i, lap - i);
    accumulate({v.a - s.a, v.b - s.b}, f, q);
  }
  store(first + i, f), store(second + i, q);
}

// Adds what is left at a chunk's end and is no whole lap.
template <typename T>
void add_rest(const T* x, int64_t count, const float* shift, float* first, float* second) {
  for (int64_t i = 0; i < count; i += kBlock) {
    const int64_t part = least(kBlock, count - i);
    const Two s = load(shift + i), v = load(x + i, part);
    Two f = load(first + i), q = load(second + i);
    accumulate(keep({v.a - s.a, v.b - s.b}, part), f, q);
    store(first + i, f), store(second + i, q);
  }
}

inline void flush(int64_t count, RowSums& sums) {
  float *first = sums.first.data(), *second = sums.second.data();
  double *firsts = sums.firsts.data(), *seconds = sums.seconds.data();
  for (int64_t i = 0; i < count; ++i) firsts[i] += first[i], seconds[i] += second[i];
  std::memset(first, 0, count * sizeof(float));
  std::memset(second, 0, count * sizeof(float));
}

inline double sum_of(const double* values, int64_t count) {
  double part[4] = {};
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

// The sums of each group over `length` rows, about its shift.
template <typename T>
void sum_rows(const T* x, int64_t length, const Rows& rows, RowSums& sums) {
  const int64_t lap = rows.lap, width = padded(lap), laps = length * rows.C / lap;
  const float* shift = sums.shift.data();
  float *first = sums.first.data(), *second = sums.second.data();
  std::memset(first, 0, width * sizeof(float));
  std::memset(second, 0, width * sizeof(float));
  std::memset(sums.firsts.data(), 0, width * sizeof(double));
  std::memset(sums.seconds.data(), 0, width * sizeof(double));
  int64_t done = 0;
  while (done < laps) {
    const int64_t last = least(done + kFlushLaps, laps);
    for (; done + 4 <= last; done += 4) add_laps<4>(x + done * lap, lap, shift, first, second);
    for (; done < last; ++done) add_laps<1>(x + done * lap, lap, shift, first, second);
    if (done < laps) flush(width, sums);
  }
  add_rest(x + laps * lap, length * rows.C - laps * lap, shift, first, second);
  flush(width, sums);
  fold(rows, sums);
}

// The moments of each group over one chunk.
template <typename T>
void moments_of_rows(const T* x, int64_t length, const Rows& rows, RowSums& sums, Moments* groups) {
  const int64_t guessed = least(length, kGuessRows);
  std::memset(sums.shift.data(), 0, padded(rows.lap) * sizeof(float));
  sum_rows(x, guessed, rows, sums);
  for (int64_t g = 0; g < rows.G; ++g) {
    sums.group_shift[g] = static_cast<float>(sums.groups[g].first / static_cast<double>(guessed * rows.D));
  }
  const double count = static_cast<double>(length * rows.D);
  for (int attempt = 0; attempt < 2; ++attempt) {
    spread_shift(rows, sums);
    sum_rows(x, length, rows, sums);
    bool poor = false;
    for (int64_t g = 0; g < rows.G; ++g) {
      groups[g] = moments_of(count, sums.group_shift[g], sums.groups[g]);
      poor |= is_poor(groups[g], sums.groups[g]);
      sums.group_shift[g] = static_cast<float>(groups[g].mean);
    }
    if (!poor) return;
  }
}

}  // namespace groupnorm::LEVEL
