// Backward, contiguous, short channels: some dozens to hundreds of positions, so what a channel costs once is what counts.
//
//   sums:  |channel c: g, g * d in lanes|c + 1| ... |   kWidth channels' lanes are added up at once, a lane for each
//   dx:    |block|block|block| ...                      over the whole group; a block holds two channels at most

#pragma once

#include <utility>

#include "backward_channel.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kFewPositions = 1024;   // up to which channels' sums are added up together
constexpr int64_t kWalked = 512;          // below which dx is written group by group, not channel by channel

// ---- Totals of kWidth vectors, the k-th in lane k ----

// Of every 2 kHalf lanes the first kHalf become sums of a's, the others of b's: a shuffle, a blend and an addition.
template <std::size_t kHalf, std::size_t... I>
GROUPNORM_INLINE F add_halves(F a, F b, std::index_sequence<I...>) {
  return __builtin_shufflevector(a, b, (I & kHalf ? kWidth + I : I)...) +
         __builtin_shufflevector(a, b, (I & kHalf ? kWidth + I - kHalf : I + kHalf)...);
}

template <std::size_t kHalf = kWidth / 2>
GROUPNORM_INLINE F totals(F (&v)[kWidth]) {
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kHalf; ++i) {
    v[i] = add_halves<kHalf>(v[i], v[i + kHalf], std::make_index_sequence<kWidth>());
  }
  if constexpr (kHalf > 1) return totals<kHalf / 2>(v);
  return v[0];
}

// ---- Sums ----

// What the channels of a group add to A and B, lane by lane: the order of additions follows from D alone.
struct Weighted {
  double g[kWidth] = {}, gx[kWidth] = {};

  Sums sums() const {
    Sums all;
    for (int64_t k = 0; k < kWidth; ++k) all.add({g[k], gx[k]});
    return all;
  }
};

// kWidth channels, or `count` of them, from `c` on; their sums are added to `to_g` and `to_gx`, where these are. Inlined
// into the loops around it, it kept sums in memory: 1.07 of the time for 64 positions.
template <typename T, Activation A>
[[gnu::noinline]] void add_channels(const Gradients& p, int64_t n, int64_t c, int64_t count, const Normal& normal,
                                    Weighted& weighted, double* to_g, double* to_gx, float* kept) {
  const int64_t at = (n * p.C + c) * p.P;
  const T *dy = static_cast<const T*>(p.dy) + at, *x = static_cast<const T*>(p.x) + at;
  F lanes_g[kWidth], lanes_gx[kWidth];
  for (int64_t k = 0; k < count; ++k) {
    const Channel<T, A> channel(normal, p.weight[c + k], p.bias[c + k]);
    lanes_of_tile(channel, dy + k * p.P, x + k * p.P, p.P, lanes_g[k], lanes_gx[k], kept ? kept + k * p.P : nullptr);
  }
  for (int64_t k = count; k < kWidth; ++k) lanes_g[k] = lanes_gx[k] = F{};
  float g[kWidth], gx[kWidth];
  const F sum_g = totals(lanes_g), sum_gx = totals(lanes_gx);
  std::memcpy(g, &sum_g, sizeof g), std::memcpy(gx, &sum_gx, sizeof gx);
  const bool is_fine = total(sum_g * 0.0f + sum_gx * 0.0f) == 0;
  const double low = normal.low, rstd = normal.rstd;
  float weight[kWidth];
  double by_x[kWidth];
  const F some_weights = load(p.weight + c, count).a;  // a copy by `count` bytes took longer than the sums
  std::memcpy(weight, &some_weights, sizeof weight);
  for (int64_t k = 0; k < kWidth; ++k) {  // whole vectors, whatever the count
    by_x[k] = (gx[k] - g[k] * low) * rstd;
    weighted.g[k] += static_cast<double>(g[k]) * weight[k], weighted.gx[k] += by_x[k] * weight[k];
  }
  if (to_g && is_fine) {
    for (int64_t k = 0; k < count; ++k) to_g[c + k] += g[k];
    for (int64_t k = 0; k < count; ++k) to_gx[c + k] += by_x[k];
  }
  if (is_fine || !to_g) return;
  for (int64_t k = 0; k < count; ++k) {
    Sums sums = normal.normalized({g[k], gx[k]});
    if (!is_finite(sums)) sums = Exactly<T, A>(p, n, c + k).sums(p.P);
    to_g[c + k] += sums.g, to_gx[c + k] += sums.gx;
  }
}

// ---- dx ----

// The lanes' places in a block, in the order of blocks of T.
template <typename T>
GROUPNORM_INLINE Two places_of_lanes() {
  if constexpr (is_split<T>) return {lanes() * 2.0f, lanes() * 2.0f + 1.0f};
  else return {lanes(), lanes() + static_cast<float>(kWidth)};
}

// A value of each channel of a group, spread along its elements; asked in order, for channels of a block at least.
template <typename T>
struct Walk {
  const float *slope, *offset;  // of the channel that the next block begins in
  int64_t P, end;               // where that channel ends

  template <Activation A>
  GROUPNORM_INLINE void at(int64_t i, Two& s, Two& o) {
    if (i >= end) ++slope, ++offset, end += P;
    s = {splat(slope[0]), splat(slope[0])};
    if constexpr (A != Activation::none) o = {splat(offset[0]), splat(offset[0])};
    const int64_t left = end - i;
    if (left >= kBlock) return;
    const Two place = places_of_lanes<T>();
    const F bound = splat(static_cast<float>(left)), next = splat(slope[1]);
    s = {place.a < bound ? s.a : next, place.b < bound ? s.b : next};
    if constexpr (A == Activation::none) return;
    const F then = splat(offset[1]);
    o = {place.a < bound ? o.a : then, place.b < bound ? o.b : then};
  }
};

template <typename T, Activation A>
struct Pulled {
  F high, by_d, by_one;

  template <int B>
  GROUPNORM_INLINE void operator()(const Two (&dy)[B], const Two (&x)[B], const Two (&slope)[B], const Two (&offset)[B],
                                   Two (&dx)[B]) const {
    F g[2 * B], d[2 * B], pre[2 * B];
    for (int i = 0; i < B; ++i) {
      g[2 * i] = dy[i].a, g[2 * i + 1] = dy[i].b, d[2 * i] = x[i].a - high, d[2 * i + 1] = x[i].b - high;
      pre[2 * i] = fma(d[2 * i], slope[i].a, offset[i].a), pre[2 * i + 1] = fma(d[2 * i + 1], slope[i].b, offset[i].b);
    }
    through_activation<T, A>(g, pre);
    for (int i = 0; i < B; ++i) {
      dx[i].a = fma(g[2 * i], slope[i].a, fma(d[2 * i], by_d, by_one));
      dx[i].b = fma(g[2 * i + 1], slope[i].b, fma(d[2 * i + 1], by_d, by_one));
    }
  }
};

template <bool kStreams, typename T, Activation A>
GROUPNORM_INLINE int64_t walk_blocks(const T* dy, const T* x, T* dx, int64_t i, int64_t count, const Pulled<T, A>& pulled,
                                     Walk<T>& walk) {
  for (; i + 2 * kBlock <= count; i += 2 * kBlock) {
    Two slope[2], offset[2] = {}, out[2];
    walk.template at<A>(i, slope[0], offset[0]);
    walk.template at<A>(i + kBlock, slope[1], offset[1]);
    pulled.template operator()<2>({take(dy + i), take(dy + i + kBlock)}, {take(x + i), take(x + i + kBlock)}, slope, offset,
                                  out);
    if constexpr (kStreams) give_past(dx + i, out[0]), give_past(dx + i + kBlock, out[1]);
    else give(dx + i, out[0]), give(dx + i + kBlock, out[1]);
  }
  return i;
}

// dx of a whole group, from `first`, its first channel, on. `room` holds 2 (D + 1) floats.
template <typename T, Activation A>
void walk_group(const Gradients& p, int64_t n, int64_t first, const Normal& normal, Pull pull, float* room) {
  const int64_t D = p.D(), count = D * p.P, at = (n * p.C + first) * p.P;
  const T *dy = static_cast<const T*>(p.dy) + at, *x = static_cast<const T*>(p.x) + at;
  T* dx = static_cast<T*>(p.dx) + at;
  float *const slope = room, *const offset = slope + D + 1;
  for (int64_t d = 0; d < D; ++d) {
    slope[d] = normal.slope(p.weight[first + d]);
    offset[d] = A == Activation::none ? 0 : normal.offset(p.weight[first + d], p.bias[first + d]);
  }
  slope[D] = offset[D] = 0;  // a last block may ask for them
  const Pulled<T, A> pulled{splat(normal.high), splat(pull.d), splat(pull.one)};
  Walk<T> walk{slope, offset, p.P, p.P};
  const auto some = [&](int64_t i, int64_t left) {
    Two s[1], o[1] = {}, out[1];
    walk.template at<A>(i, s[0], o[0]);
    pulled.template operator()<1>({take(dy + i, left)}, {take(x + i, left)}, s, o, out);
    give(dx + i, out[0], left);
  };
  int64_t i = 0;
  if (p.streams) {
    if (const int64_t head = least(before_line(dx), count)) some(0, head), i = head;
    i = walk_blocks<true>(dy, x, dx, i, count, pulled, walk);
  } else {
    i = walk_blocks<false>(dy, x, dx, i, count, pulled, walk);
  }
  for (; i < count; i += kBlock) some(i, least(kBlock, count - i));
}

}  // namespace groupnorm::LEVEL::gradient
