// Backward, channels_last: a row holds all channels of one position, so sums lie side by side, one a channel.
//
//            c: 0 ............ C
//   row 0      |x x x x x x x x|   4 rows at once for one load and store of the C sums
//   row 1      |x x x x x x x x|
//   ...                              sums (C) -> A, B of each group -> dx, from the last rows to the first
// Rows of few channels are taken several at once, as one row of `fold` times as many: (P, 24) is (P / 2, 48), and no
// vector is cut at the end of a row.

#pragma once

#include "backward_problem.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kRowsAtOnce = 4;
constexpr int64_t kFoldBelow = 256;      // channels from which the cut vector at a row's end costs under 6 %
constexpr int64_t kChunk = 16384;        // elements, of 16 rows at least and 64 at most: 16 additions each
constexpr int64_t kTileBytes = 512;      // of a row at least, where it is cut

// The rows of some groups' channels. A sample that no cache holds is cut into such tiles, for each of which the second
// reading is from L3: (1, 512, 128, 128) in float32 moves 3 times its size through memory, not 5 times.
struct Rows {
  int64_t first_group, groups;             // of the tile
  int64_t first, channels;                 // likewise
  int64_t fold, stride, width;             // rows of `width` = fold * channels, `stride` apart
  int64_t count, rest;                     // of whole rows; elements after the last of them
  int64_t padded;                          // width, to whole blocks
  int64_t chunk, chunks;                   // rows of a chunk; chunks of a sample, the rest in the last
  int64_t span, spans;                     // chunks that one thread takes

  Rows(const Gradients& p, int64_t first_group, int64_t groups)
      : first_group(first_group), groups(groups), first(first_group * p.D()), channels(groups * p.D()), fold(1) {
    while (groups == p.G && p.C < kFoldBelow && fold * p.C % kBlock && fold * 2 <= p.P) fold *= 2;
    stride = fold * p.C, width = fold * channels, count = p.P / fold, rest = p.P % fold * channels;
    padded = LEVEL::padded(width);
    chunk = least(64, most(16, kChunk / stride / kRowsAtOnce * kRowsAtOnce));
    chunks = ceil_of(count, chunk);
    span = least(16, most(1, chunks / 32)), spans = ceil_of(chunks, span);
  }
};

inline int64_t groups_of_tile(const Gradients& p, int64_t element_bytes) {
  const int64_t D = p.D(), of_group = 2 * D * p.P * element_bytes;
  if (of_group * p.G <= kHeld || p.C < kFoldBelow) return p.G;
  const int64_t widest = kHeld / of_group, least_wide = ceil_of(kTileBytes, D * element_bytes);
  // Tiles as wide as each other, or nearly.
  return widest < least_wide ? p.G : ceil_of(p.G, ceil_of(p.G, widest));
}

// What is needed of a channel, each in a row of its own, in the order of blocks of T; samples follow one another in it.
template <typename T, Activation A>
struct Columns {
  const Gradients& p;
  const Rows& rows;
  Room<float> room;
  float *high, *slope, *offset, *by_d, *by_one;

  Columns(const Gradients& p, const Rows& rows) : p(p), rows(rows), room(5 * rows.padded) {
    std::memset(room.data(), 0, 5 * rows.padded * sizeof(float));
    float* at = room.data();
    for (float** one : {&high, &slope, &offset, &by_d, &by_one}) *one = at, at += rows.padded;
  }

  // Calls `put(c, place)` for each place of a group's channels.
  template <typename Put>
  void over(int64_t group, const Put& put) const {
    const int64_t D = p.D(), first = group * D;
    for (int64_t row = 0; row < rows.width; row += rows.channels) {
      for (int64_t c = first; c < first + D; ++c) put(c, place_of<T>(row + c - rows.first));
    }
  }

  void take_sample(int64_t n) {
    for (int64_t group = rows.first_group; group < rows.first_group + rows.groups; ++group) {
      const Normal s = normal_of<T>(p, n, group);
      over(group, [&](int64_t c, int64_t i) {
        high[i] = s.high, slope[i] = s.slope(p.weight[c]);
        if constexpr (A != Activation::none) offset[i] = s.offset(p.weight[c], p.bias[c]);
      });
    }
  }

  void take_pull(int64_t group, Pull pull) {
    over(group, [&](int64_t, int64_t i) { by_d[i] = pull.d, by_one[i] = pull.one; });
  }

  Pull pull(int64_t group) const {
    const int64_t i = place_of<T>(group * p.D() - rows.first);
    return {by_d[i], by_one[i]};
  }
};

// Adds `count` elements of K rows, `width` apart, to the sums.
template <typename T, Activation A, int64_t K>
inline void add_rows(const T* dy, const T* x, int64_t width, int64_t count, const Columns<T, A>& columns, float* first,
                     float* second) {
  const auto step = [&](int64_t j, const auto& read) {
    const Two high = load(columns.high + j);
    Two slope{}, offset{}, sum{}, product{};
    if constexpr (A != Activation::none) slope = load(columns.slope + j), offset = load(columns.offset + j);
#pragma GCC unroll 4
    for (int64_t k = 0; k < K; ++k) {
      const Two dy_k = read(dy + k * width + j), x_k = read(x + k * width + j);
      const F a = x_k.a - high.a, b = x_k.b - high.b;
      F g[2] = {dy_k.a, dy_k.b};
      through_activation<T, A>(g, {fma(a, slope.a, offset.a), fma(b, slope.b, offset.b)});
      sum.a += g[0], product.a = fma(g[0], a, product.a);
      sum.b += g[1], product.b = fma(g[1], b, product.b);
    }
    const Two f = load(first + j), s = load(second + j);
    store(first + j, Two{f.a + sum.a, f.b + sum.b});
    store(second + j, Two{s.a + product.a, s.b + product.b});
  };
  int64_t j = 0;
  for (; j + kBlock <= count; j += kBlock) step(j, [](const T* from) { return take(from); });
  if (j < count) step(j, [&](const T* from) { return take(from, count - j); });
}

template <typename T, Activation A, int64_t K>
inline void write_rows(const T* dy, const T* x, T* dx, int64_t width, int64_t count, const Columns<T, A>& columns) {
  const bool streams = columns.p.streams && before_line(dx) == 0 && width * sizeof(T) % 64 == 0;
  const auto step = [&](int64_t j, const auto& read, const auto& write) {
    const Two high = load(columns.high + j), slope = load(columns.slope + j);
    const Two by_d = load(columns.by_d + j), by_one = load(columns.by_one + j);
    Two offset{};
    if constexpr (A != Activation::none) offset = load(columns.offset + j);
#pragma GCC unroll 4
    for (int64_t k = 0; k < K; ++k) {
      const Two dy_k = read(dy + k * width + j), x_k = read(x + k * width + j);
      const F a = x_k.a - high.a, b = x_k.b - high.b;
      F g[2] = {dy_k.a, dy_k.b};
      through_activation<T, A>(g, {fma(a, slope.a, offset.a), fma(b, slope.b, offset.b)});
      write(dx + k * width + j,
            Two{fma(g[0], slope.a, fma(a, by_d.a, by_one.a)), fma(g[1], slope.b, fma(b, by_d.b, by_one.b))});
    }
  };
  int64_t j = 0;
  if (streams) {
    for (; j + kBlock <= count; j += kBlock) {
      step(j, [](const T* from) { return take(from); }, [](T* to, Two v) { give_past(to, v); });
    }
  }
  for (; j + kBlock <= count; j += kBlock) {
    step(j, [](const T* from) { return take(from); }, [](T* to, Two v) { give(to, v); });
  }
  if (j < count) {
    const int64_t left = count - j;
    step(j, [=](const T* from) { return take(from, left); }, [=](T* to, Two v) { give(to, v, left); });
  }
}

}  // namespace groupnorm::LEVEL::gradient
