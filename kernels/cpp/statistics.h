// The moments of a run of memory, and how moments are put together.
//
// A run is cut into chunks of 2^16 elements and these into tiles that fit L1; both cuts follow from the shape alone.
// A tile is summed in one pass about a shift close to its mean, and again about its own mean where the shift was poor:
// m2 = sum (x - s)^2 - (sum (x - s))^2 / n loses what it cancels, so no more than 3/4 of it may cancel. Tiles and chunks
// are combined in order, in double, by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
// computing sample variances" (1979).

#pragma once

#include <cmath>

#include "vector.h"

namespace groupnorm::LEVEL {

constexpr int64_t kTile = 256 * kWidth;  // elements: 16 KB of float32 with AVX-512, a sum of 32 terms a lane
constexpr int64_t kChunk = 65536;

struct Moments {
  double count = 0, mean = 0, m2 = 0;

  void add(const Moments& other) {
    const double all = count + other.count, delta = other.mean - mean, share = other.count / all;
    mean += delta * share;
    m2 += other.m2 + delta * delta * (count * share);
    count = all;
  }
};

// Sums about a shift, in float within a tile.
struct Sums { double first, second; };

inline Moments moments_of(double count, float shift, Sums sums) {
  const double rest = sums.first / count, m2 = sums.second - sums.first * rest;
  return {count, shift + rest, m2 > 0 ? m2 : 0 * m2};  // rounding may take it below 0; a NaN stays
}

inline bool is_poor(const Moments& moments, Sums sums) { return sums.second > 4 * moments.m2; }

GROUPNORM_INLINE void accumulate(Two centered, Two& first, Two& second) {
  first.a += centered.a, first.b += centered.b;
  second.a = fma(centered.a, centered.a, second.a), second.b = fma(centered.b, centered.b, second.b);
}

GROUPNORM_INLINE void add(Two& sum, const Two& other) { sum.a += other.a, sum.b += other.b; }

// Several blocks at once, for an addition waits some cycles for the last; gives how far it came.
template <int kUnroll, typename T>
GROUPNORM_INLINE int64_t sum_blocks(const T* x, int64_t count, float shift, Two& first, Two& second) {
  Two f[kUnroll] = {}, s[kUnroll] = {};
  int64_t i = 0;
  for (; i + kUnroll * kBlock <= count; i += kUnroll * kBlock) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
      const Two v = load(x + i + u * kBlock);
      accumulate({v.a - shift, v.b - shift}, f[u], s[u]);
    }
  }
  if constexpr (kUnroll == 4) add(f[0], f[2]), add(f[1], f[3]), add(s[0], s[2]), add(s[1], s[3]);
  first = f[0], second = s[0];
  add(first, f[1]), add(second, s[1]);
  return i;
}

template <typename T>
inline Sums sums_of_tile(const T* x, int64_t count, float shift) {
  constexpr int kUnroll = kWidth == 16 ? 4 : 2;  // 32 registers, or 16
  Two first{}, second{};
  int64_t i = count < kUnroll * kBlock ? 0 : sum_blocks<kUnroll>(x, count, shift, first, second);
  for (; i + kBlock <= count; i += kBlock) {
    const Two v = load(x + i);
    accumulate({v.a - shift, v.b - shift}, first, second);
  }
  if (i < count) {
    const Two v = load(x + i, count - i);
    accumulate(keep({v.a - shift, v.b - shift}, count - i), first, second);
  }
  return {total(first.a + first.b), total(second.a + second.b)};
}

// The mean of the first block, exact where all its values are equal.
template <typename T>
float first_shift(const T* x, int64_t count) {
  if (count < kBlock) return load(x, 1).a[0];
  const Two v = load(x);
  return total(v.a + v.b) * (1.0f / kBlock);
}

template <typename T>
Moments moments_of_tile(const T* x, int64_t count, float& shift) {
  const Sums sums = sums_of_tile(x, count, shift);
  const Moments moments = moments_of(static_cast<double>(count), shift, sums);
  if (!is_poor(moments, sums)) return moments;
  shift = static_cast<float>(moments.mean);
  return moments_of(static_cast<double>(count), shift, sums_of_tile(x, count, shift));
}

template <typename T>
Moments moments_of_chunk(const T* x, int64_t count) {
  float shift = first_shift(x, count);
  Moments all = moments_of_tile(x, least(kTile, count), shift);
  for (int64_t begin = kTile; begin < count; begin += kTile) {
    all.add(moments_of_tile(x + begin, least(kTile, count - begin), shift));
  }
  return all;
}

template <typename T>
Moments moments_of_run(const T* x, int64_t count) {
  Moments all = moments_of_chunk(x, least(kChunk, count));
  for (int64_t begin = kChunk; begin < count; begin += kChunk) {
    all.add(moments_of_chunk(x + begin, least(kChunk, count - begin)));
  }
  return all;
}

// Two passes in double over `rows` runs of `length`, `stride` apart: for what float32 cannot square.
template <typename T>
Moments moments_in_double(const T* x, int64_t rows, int64_t length, int64_t stride) {
  const double count = static_cast<double>(rows * length);
  double mean = 0, m2 = 0;
  const auto each = [&](auto&& use) {
    float values[kBlock];
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < length; i += kBlock) {
        const int64_t part = least(kBlock, length - i);
        store(values, load(x + row * stride + i, part));
        for (int64_t j = 0; j < part; ++j) use(static_cast<double>(values[j]));
      }
    }
  };
  each([&](double value) { mean += value; });
  mean /= count;
  each([&](double value) { m2 += (value - mean) * (value - mean); });
  return {count, mean, m2};
}

// Squares of float32 overflow above 1.8e19 and vanish below 1e-19, which only a tiny eps lets one see.
inline bool is_beyond_float(double variance, double eps) {
  return !(variance <= 1e38) || (variance < 1e-30 && eps < 1e-24);
}

inline bool is_beyond_float(const Moments& moments, double eps) {
  return is_beyond_float(moments.m2 / moments.count, eps);
}

// What a group's values are normalized by: y = (x - high) * (rstd * w) + (b - low * rstd * w).
struct Normal {
  float high, low, rstd;
  double exact_rstd;  // a weight takes it with one rounding, not two: 4.2e-7 of the largest output else, with silu

  Normal() = default;
  Normal(double mean, double reciprocal_deviation)
      : high(static_cast<float>(mean)),
        low(static_cast<float>(mean - high)),
        rstd(static_cast<float>(reciprocal_deviation)),
        exact_rstd(reciprocal_deviation) {}
  Normal(const Moments& group, double eps) : Normal(group.mean, 1.0 / std::sqrt(group.m2 / group.count + eps)) {}

  // x - high is exact where x and the mean are within a factor of 2, so the mean's remainder may go into the bias.
  float scale(float weight) const { return static_cast<float>(exact_rstd * weight); }
  float offset(float weight, float bias) const { return bias - low * scale(weight); }
};

inline void write(float* statistics, const Normal& normal) {
  statistics[0] = normal.high, statistics[1] = normal.low, statistics[2] = normal.rstd;
}

}  // namespace groupnorm::LEVEL
