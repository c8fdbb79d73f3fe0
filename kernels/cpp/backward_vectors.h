// Backward of x (N, C): one position, so a group is D neighbors in a row and each has a weight of its own.
//
//   row n:   |group 0|group 1| ...       read x, dy -> A, B;  read both again (L1) -> dx
//   sums:    |g, g * xhat of the channel|  += row n, float32 for 16 rows and then double

#pragma once

#include "backward_problem.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kRowsOfBlock = 64;    // at least, where there are so many: its sums are as long as two rows in double
constexpr int64_t kRowsOfSum = 16;

template <typename T, Activation A>
struct Vectors {
  const Gradients& p;

  struct Step {
    Two g, xhat, w;
  };

  static Two read(const auto* from, int64_t count) { return count >= kBlock ? load(from) : load(from, count); }

  Step at(int64_t row, int64_t c, Normal s, int64_t count) const {
    const Two dy = read(static_cast<const T*>(p.dy) + row + c, count), x = read(static_cast<const T*>(p.x) + row + c, count);
    const Two w = read(p.weight + c, count);
    Two b{};
    if constexpr (A != Activation::none) b = read(p.bias + c, count);
    const auto half = [&](F dy, F x, F w, F b, F& g, F& xhat) {
      xhat = ((x - s.high) - s.low) * s.rstd;
      F one[1] = {dy};
      through_activation<T, A>(one, {fma(xhat, w, b)});
      g = one[0];
    };
    Step step{{}, {}, w};
    half(dy.a, x.a, w.a, b.a, step.g.a, step.xhat.a);
    half(dy.b, x.b, w.b, b.b, step.g.b, step.xhat.b);
    return step;
  }

  static void add_to(float* sums, Two value, int64_t count) {
    const Two old = read(sums, count), sum{old.a + value.a, old.b + value.b};
    if (count >= kBlock) store(sums, sum); else store(sums, sum, count);
  }

  // `sums` [2][C], if wanted.
  void group(int64_t n, int64_t group, float* sums) const {
    const int64_t D = p.D(), first = group * D, last = first + D, row = n * p.C;
    const Normal normal = as_given(p, n, group);
    F weighted_g{}, weighted_gx{};
    for (int64_t c = first; c < last; c += kBlock) {
      const Step s = at(row, c, normal, last - c);
      const F a = s.g.a * s.w.a, b = s.g.b * s.w.b;
      weighted_g += a + b;
      weighted_gx = fma(a, s.xhat.a, fma(b, s.xhat.b, weighted_gx));
      if (!sums) continue;
      add_to(sums + c, s.g, last - c);
      add_to(sums + p.C + c, Two{s.g.a * s.xhat.a, s.g.b * s.xhat.b}, last - c);
    }
    if (!p.dx) return;
    const Pull pull = pull_of({total(weighted_g), total(weighted_gx)}, normal, D);
    if (!is_finite(pull)) return group_exactly<T, A>(p, n, group);
    // Here the weight is what changes from element to element, and xhat is at hand.
    const F by_x = splat(pull.d / normal.rstd), by_one = splat(pull.one + normal.low * pull.d);
    T* dx = static_cast<T*>(p.dx) + row;
    for (int64_t c = first; c < last; c += kBlock) {
      const Step s = at(row, c, normal, last - c);
      const Two value{fma(s.g.a, normal.rstd * s.w.a, fma(s.xhat.a, by_x, by_one)),
                      fma(s.g.b, normal.rstd * s.w.b, fma(s.xhat.b, by_x, by_one))};
      if (last - c >= kBlock) store(dx + c, value); else store(dx + c, value, last - c);
    }
  }

  // From float32 to double, and exactly where float32 overflowed.
  void settle(int64_t begin, int64_t end, float* sums, double* block) const {
    for (int64_t i = 0; i < 2 * p.C; ++i) {
      if (std::isfinite(sums[i])) {
        block[i] += sums[i];
      } else {
        for (int64_t n = begin; n < end; ++n) {
          const Sums exact = Exactly<T, A>(p, n, i % p.C).sums(1);
          block[i] += i < p.C ? exact.g : exact.gx;
        }
      }
      sums[i] = 0;
    }
  }
};

template <typename T, Activation A>
void backward_of_vectors(const Gradients& p) {
  const Vectors<T, A> vectors{p};
  const int64_t rows = most(1, least(p.N, most(kRowsOfBlock, 32768 / p.C))), blocks = ceil_of(p.N, rows);
  BlockSums sums(p, blocks);
  const auto take = [&](int64_t block, Room<float>& room) {
    float* floats = p.dweight ? room.data() : nullptr;
    if (floats) std::memset(floats, 0, 2 * p.C * sizeof(float));
    const int64_t last = least((block + 1) * rows, p.N);
    for (int64_t begin = block * rows; begin < last; begin += kRowsOfSum) {
      const int64_t end = least(begin + kRowsOfSum, last);
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t group = 0; group < p.G; ++group) vectors.group(n, group, floats);
      }
      if (floats) vectors.settle(begin, end, floats, sums.g(block));
    }
  };
  share<Room<float>>(p.pool, blocks, rows * p.C, Order::forwards, take, p.dweight ? 2 * p.C : 0);
  sums.add_up();
}

}  // namespace groupnorm::LEVEL::gradient
