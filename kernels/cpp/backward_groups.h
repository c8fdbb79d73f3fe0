// Backward, contiguous: a group is one run of memory, a channel P elements of it.
//
//   thread 0: |group 0        |group 1        | ...      read x, dy -> sums;  read x, dy again (cache) -> dx
//   thread 1: |group k        |group k+1      | ...
// A group too big to stay in cache twice over is worked on by all threads at once, in pieces; the second reading goes
// backwards, so that it begins with what was read last.

#pragma once

#include "backward_channel.h"
#include "backward_short.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kKept = 3 << 18;  // bytes of a group's x and kept g, which stay in a cache of 1 MB a core
constexpr int64_t kPiece = 32768;  // elements of one channel: what one thread takes when a group is shared

template <typename T, Activation A>
GROUPNORM_INLINE Sums sums_of_piece(const Channel<T, A>& channel, const T* dy, const T* x, int64_t count,
                                    float* kept = nullptr) {
  Sums sums = sums_of_tile(channel, dy, x, least(kTile, count), kept);
  for (int64_t i = kTile; i < count; i += kTile) {
    sums.add(sums_of_tile(channel, dy + i, x + i, least(kTile, count - i), kept ? kept + i : nullptr));
  }
  return sums;
}

template <typename T, Activation A>
GROUPNORM_INLINE void write(const Channel<T, A> channel, const T* dy, const T* x, T* dx, int64_t count, Pull pull,
                            bool streams) {
  const F by_d = splat(pull.d), by_one = splat(pull.one);
  const auto some = [&](int64_t i, int64_t left) {
    Two out[1];
    channel.template pull<1>({take(dy + i, left)}, {take(x + i, left)}, by_d, by_one, out);
    give(dx + i, out[0], left);
  };
  const auto steps = [&](int64_t i, const auto& put) {
    for (; i + kStep <= count; i += kStep) {
      Two out[2];
      channel.template pull<2>({take(dy + i), take(dy + i + kBlock)}, {take(x + i), take(x + i + kBlock)}, by_d, by_one,
                               out);
      put(dx + i, out[0]), put(dx + i + kBlock, out[1]);
    }
    return i;
  };
  int64_t i = 0;
  if (streams && count >= 2 * kStep) {
    if (const int64_t head = before_line(dx)) some(0, head), i = head;
    i = steps(i, [](T* to, Two v) { give_past(to, v); });
  }
  i = steps(i, [](T* to, Two v) { give(to, v); });
  const auto whole = [&](int64_t at) {
    Two out[1];
    channel.template pull<1>({take(dy + at)}, {take(x + at)}, by_d, by_one, out);
    give(dx + at, out[0]);
  };
  if (i + kBlock <= count) whole(i), i += kBlock;
  // Its last elements a second time rather than a masked store.
  if (i < count && count >= kBlock) whole(count - kBlock);
  else if (i < count) some(i, count - i);
}

// A channel of whole blocks. `g(i)` gives g of the block from i on, which takes no sigmoid.
template <bool kStreams, typename T, Activation A, typename G>
GROUPNORM_INLINE void write_blocks(const Channel<T, A> channel, const G& g, const T* x, T* dx, int64_t count, Pull pull) {
  const F by_d = splat(pull.d), by_one = splat(pull.one);
  for (int64_t i = 0; i < count; i += kBlock) {
    const Two g_i = g(i), x_i = take(x + i);
    const Two out{fma(g_i.a, channel.slope, fma(x_i.a - channel.high, by_d, by_one)),
                  fma(g_i.b, channel.slope, fma(x_i.b - channel.high, by_d, by_one))};
    if constexpr (kStreams) give_past(dx + i, out);
    else give(dx + i, out);
  }
}

// Past the caches, from a cache: short channels have no whole lines of their own.
template <typename T>
void copy_past(T* to, const T* from, int64_t count) {
  constexpr int64_t kVector = sizeof(F) / sizeof(T);
  int64_t i = least(before_line(to), count);
  std::memcpy(to, from, i * sizeof(T));
  for (; i + kVector <= count; i += kVector) stream_raw(to + i, load_raw<F>(from + i));
  std::memcpy(to + i, from + i, (count - i) * sizeof(T));
}

template <typename T, Activation A>
struct Groups {
  const Gradients& p;
  const int64_t D = p.D(), elements = D * p.P, per_channel = ceil_of(p.P, kPiece);

  const T* dy(int64_t n, int64_t c) const { return static_cast<const T*>(p.dy) + (n * p.C + c) * p.P; }
  const T* x(int64_t n, int64_t c) const { return static_cast<const T*>(p.x) + (n * p.C + c) * p.P; }
  T* dx(int64_t n, int64_t c) const { return static_cast<T*>(p.dx) + (n * p.C + c) * p.P; }
  Channel<T, A> channel(int64_t n, int64_t c) const { return {normal_of<T>(p, n, c / D), p.weight[c], p.bias[c]}; }

  // Whether g is kept: a sigmoid would be taken a second time, and a cache holds g beside x.
  bool keeps() const {
    return A == Activation::silu && p.dx && p.P % kBlock == 0 &&
           elements * static_cast<int64_t>(sizeof(T) + sizeof(float)) <= kKept;
  }

  // Floats of a thread.
  int64_t room() const { return keeps() ? elements : 2 * (D + 1); }

  // Adds to `g` and `gx`, [C] each, if they are wanted. Gives what is added to the weighted sums of the group: there,
  // what is not finite stays so, and has the group done again.
  Sums add_channel(int64_t n, int64_t c, Sums sums, double* g, double* gx) const {
    const Sums weighted{sums.g * p.weight[c], sums.gx * p.weight[c]};
    if (g) {
      if (!is_finite(sums)) sums = Exactly<T, A>(p, n, c).sums(p.P);
      g[c] += sums.g, gx[c] += sums.gx;
    }
    return weighted;
  }

  // The weighted ones, of the group whose first channel is `first`.
  Sums sums_of_group(int64_t n, int64_t first, const Normal& normal, double* g, double* gx, float* kept) const {
    // Groups that may be shared by threads are summed in the one order that both ways have.
    if (p.P <= kFewPositions && elements <= kBig) {
      Weighted weighted;
      for (int64_t d = 0; d < D; d += kWidth) {
        add_channels<T, A>(p, n, first + d, least(kWidth, D - d), normal, weighted, g, gx,
                           kept ? kept + d * p.P : nullptr);
      }
      return weighted.sums();
    }
    Sums weighted;
    for (int64_t c = first; c < first + D; ++c) {
      const Channel<T, A> channel(normal, p.weight[c], p.bias[c]);
      float* const at = kept ? kept + (c - first) * p.P : nullptr;
      Sums sums = sums_of_piece(channel, dy(n, c), x(n, c), least(kPiece, p.P), at);
      for (int64_t i = kPiece; i < p.P; i += kPiece) {
        sums.add(sums_of_piece(channel, dy(n, c) + i, x(n, c) + i, least(kPiece, p.P - i), at ? at + i : nullptr));
      }
      weighted.add(add_channel(n, c, normal.normalized(sums), g, gx));
    }
    return weighted;
  }

  void whole(int64_t n, int64_t group, double* g, double* gx, Room<float>& room) const {
    const int64_t first = group * D, last = first + D;
    const Normal normal = normal_of<T>(p, n, group);
    float* const kept = keeps() ? room.data() : nullptr;
    const Sums weighted = sums_of_group(n, first, normal, g, gx, kept);
    if (!p.dx) return;
    const Pull pull = pull_of(weighted, normal, elements);
    if (!is_finite(pull)) return group_exactly<T, A>(p, n, group);
    if (kept || (A == Activation::none && p.P % kBlock == 0)) {
      const bool streams = p.streams && before_line(dx(n, first)) == 0;
      if (streams) return write_group<true>(n, first, normal, pull, kept);
      return write_group<false>(n, first, normal, pull, kept);
    }
    if (p.P >= kBlock && p.P < kWalked) return walk_group<T, A>(p, n, first, normal, pull, room.data());
    const bool is_copied = p.streams && p.P < 2 * kStep;
    Room<T> copied(is_copied ? elements : 0);
    T* const to = is_copied ? copied.data() : dx(n, first);
    for (int64_t c = first; c < last; ++c) {
      write(Channel<T, A>(normal, p.weight[c], p.bias[c]), dy(n, c), x(n, c), to + (c - first) * p.P, p.P, pull,
            p.streams && !is_copied);
    }
    if (is_copied) copy_past(dx(n, first), to, elements);
  }

  // Of whole blocks, none of which takes a sigmoid.
  template <bool kStreams>
  void write_group(int64_t n, int64_t first, const Normal& normal, Pull pull, const float* kept) const {
    for (int64_t c = first; c < first + D; ++c) {
      const Channel<T, A> channel(normal, p.weight[c], p.bias[c]);
      const T* const from = dy(n, c);
      const float* const from_kept = kept ? kept + (c - first) * p.P : nullptr;
      const auto g = [=](int64_t i) {
        if constexpr (A == Activation::none) return take(from + i);
        else return Two{load_raw<F>(from_kept + i), load_raw<F>(from_kept + i + kWidth)};
      };
      write_blocks<kStreams>(channel, g, x(n, c), dx(n, c), p.P, pull);
    }
  }

  // All threads at one group.
  void together(int64_t n, int64_t group, double* g, double* gx) const {
    const int64_t first = group * D, items = D * per_channel, each = least(p.P, kPiece);
    Room<Sums> parts(items);
    const auto piece = [&](int64_t item, int64_t& c, int64_t& at) {
      c = first + item / per_channel, at = item % per_channel * kPiece;
      return least(kPiece, p.P - at);
    };
    share(p.pool, items, each, Order::forwards, [&](int64_t item, Nothing) {
      int64_t c, at;
      const int64_t count = piece(item, c, at);
      parts[item] = sums_of_piece(channel(n, c), dy(n, c) + at, x(n, c) + at, count);
    });
    const Normal normal = normal_of<T>(p, n, group);
    Sums weighted;
    for (int64_t d = 0; d < D; ++d) {
      Sums sums = parts[d * per_channel];
      for (int64_t i = 1; i < per_channel; ++i) sums.add(parts[d * per_channel + i]);
      weighted.add(add_channel(n, first + d, normal.normalized(sums), g, gx));
    }
    if (!p.dx) return;
    const Pull pull = pull_of(weighted, normal, elements);
    if (!is_finite(pull)) return group_exactly<T, A>(p, n, group);
    share(p.pool, items, each, Order::backwards, [&](int64_t item, Nothing) {
      int64_t c, at;
      const int64_t count = piece(item, c, at);
      write(channel(n, c), dy(n, c) + at, x(n, c) + at, dx(n, c) + at, count, pull, p.streams);
    });
  }
};

template <typename T, Activation A>
void backward_of_groups(const Gradients& p) {
  const Groups<T, A> groups{p};
  const int64_t sample = p.C * p.P, threads = p.pool.threads, all = p.N * p.G;
  const bool is_big = groups.elements > kBig;
  // Blocks: some whole samples, or some groups of one.
  const int64_t samples = most(1, least(p.N, kSmall / sample)), blocks = ceil_of(p.N, samples);
  const int64_t some = samples > 1 ? p.G : least(p.G, most(1, kSmall / groups.elements)), runs = ceil_of(p.G, some);
  BlockSums sums(p, blocks);
  const bool is_shared = is_big && groups.elements * 2 * static_cast<int64_t>(sizeof(T)) * threads > kHeld;
  const int64_t alone = !is_big ? all : is_shared ? 0 : all / threads * threads;
  if (!is_big) {
    const auto take = [&](int64_t item, Room<float>& room) {
      const int64_t block = item / runs, begin = item % runs * some, end = least(begin + some, p.G);
      for (int64_t n = block * samples; n < least((block + 1) * samples, p.N); ++n) {
        for (int64_t group = begin; group < end; ++group) groups.whole(n, group, sums.g(block), sums.gx(block), room);
      }
    };
    share<Room<float>>(p.pool, blocks * runs, samples * some * groups.elements, Order::forwards, take, groups.room());
  } else {
    const auto take = [&](int64_t item, Room<float>& room) {
      groups.whole(item / p.G, item % p.G, sums.g(item / p.G), sums.gx(item / p.G), room);
    };
    share<Room<float>>(p.pool, alone, groups.elements, Order::forwards, take, groups.room());
    for (int64_t item = alone; item < all; ++item) {
      groups.together(item / p.G, item % p.G, sums.g(item / p.G), sums.gx(item / p.G));
    }
  }
  sums.add_up();
}

}  // namespace groupnorm::LEVEL::gradient
