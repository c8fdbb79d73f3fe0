// Backward, contiguous: a channel of a sample, its sums over a tile.

#pragma once

#include "backward_problem.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kStep = 2 * kBlock;     // elements: four vectors, for an addition waits for the last one's sum
constexpr int64_t kChain = 8 * kStep;     // 8 additions in a row
constexpr int64_t kTile = 8 * kChain;     // and 8 of those sums

struct TwoSums {
  Two g{}, gx{};
};

// A channel of a sample. All of it is passed by value: what memory holds, a store might change.
template <typename T, Activation A>
struct Channel {
  F high, slope, offset;

  Channel(const Normal& s, float w, float b)
      : high(splat(s.high)), slope(splat(s.slope(w))), offset(splat(A == Activation::none ? 0 : s.offset(w, b))) {}

  // From B blocks to their g and d, 2 B vectors of each.
  template <int B>
  GROUPNORM_INLINE void read(const Two (&dy)[B], const Two (&x)[B], F (&g)[2 * B], F (&d)[2 * B]) const {
    F pre[2 * B];
    for (int i = 0; i < B; ++i) {
      g[2 * i] = dy[i].a, g[2 * i + 1] = dy[i].b, d[2 * i] = x[i].a - high, d[2 * i + 1] = x[i].b - high;
    }
    for (int i = 0; i < 2 * B; ++i) pre[i] = fma(d[i], slope, offset);
    through_activation<T, A>(g, pre);
  }

  // Keeps g, a block after the other, where somewhere to is given.
  template <int B>
  GROUPNORM_INLINE void add(const Two (&dy)[B], const Two (&x)[B], TwoSums (&sums)[B], float* kept = nullptr) const {
    F g[2 * B], d[2 * B];
    read(dy, x, g, d);
    if (kept) std::memcpy(kept, g, sizeof g);
    for (int i = 0; i < B; ++i) {
      sums[i].g.a += g[2 * i], sums[i].gx.a = fma(g[2 * i], d[2 * i], sums[i].gx.a);
      sums[i].g.b += g[2 * i + 1], sums[i].gx.b = fma(g[2 * i + 1], d[2 * i + 1], sums[i].gx.b);
    }
  }

  template <int B>
  GROUPNORM_INLINE void pull(const Two (&dy)[B], const Two (&x)[B], F by_d, F by_one, Two (&dx)[B]) const {
    F g[2 * B], d[2 * B];
    read(dy, x, g, d);
    for (int i = 0; i < B; ++i) {
      dx[i].a = fma(g[2 * i], slope, fma(d[2 * i], by_d, by_one));
      dx[i].b = fma(g[2 * i + 1], slope, fma(d[2 * i + 1], by_d, by_one));
    }
  }
};

// What `kept` points to, if anything, takes g of whole blocks.
template <typename T, Activation A>
GROUPNORM_INLINE void lanes_of_tile(const Channel<T, A> channel, const T* dy, const T* x, int64_t count, F& to_g, F& to_gx,
                                    float* kept = nullptr) {
  const auto place = [=](int64_t i) { return A == Activation::silu && kept ? kept + i : nullptr; };
  F g{}, gx{};
  int64_t i = 0;
  while (i + kStep <= count) {
    TwoSums sums[2];
    for (const int64_t end = least(i + kChain, count); i + kStep <= end; i += kStep) {
      channel.template add<2>({take(dy + i), take(dy + i + kBlock)}, {take(x + i), take(x + i + kBlock)}, sums, place(i));
    }
    g += (sums[0].g.a + sums[0].g.b) + (sums[1].g.a + sums[1].g.b);
    gx += (sums[0].gx.a + sums[0].gx.b) + (sums[1].gx.a + sums[1].gx.b);
  }
  if (i < count) {
    TwoSums rest[1];
    if (i + kBlock <= count) channel.template add<1>({take(dy + i)}, {take(x + i)}, rest, place(i)), i += kBlock;
    // dy past the end is 0, and so is g.
    if (i < count) channel.template add<1>({take(dy + i, count - i)}, {take(x + i, count - i)}, rest);
    g += rest[0].g.a + rest[0].g.b, gx += rest[0].gx.a + rest[0].gx.b;
  }
  to_g = g, to_gx = gx;
}

template <typename T, Activation A>
GROUPNORM_INLINE Sums sums_of_tile(const Channel<T, A> channel, const T* dy, const T* x, int64_t count,
                                   float* kept = nullptr) {
  F g, gx;
  lanes_of_tile(channel, dy, x, count, g, gx, kept);
  return {total(g), total(gx)};
}

}  // namespace groupnorm::LEVEL::gradient
